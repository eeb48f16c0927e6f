"""The real tables in ``data/``, loaded the way scikit-learn loads its own."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

_FOLDER = Path(__file__).parent / "data"

_RAISIN = """Raisin: 900 raisins of two varieties grown in Turkey, measured in images.

900 rows, 7 features (Area and ConvexArea in pixels, the axis lengths and Perimeter likewise, Eccentricity and Extent
without a unit), each scaled linearly to [0.0001, 0.9999]. Target: the variety, 0 = Kecimen, 1 = Besni (450 rows each).
No missing values. The first 720 rows are the training set of the published Quant-BnB experiments, the other 180 their
test set.

Source: UCI Machine Learning Repository, https://doi.org/10.24432/C5660T, CC BY 4.0, scaled and ordered as in the
Quant-BnB repository. I. Cinar, M. Koklu, S. Tasdemir, "Classification of Raisin Grains Using Machine Vision and
Artificial Intelligence Methods", Gazi Journal of Engineering Sciences 6(3), 2020.
"""

_CONCRETE = """Concrete compressive strength: 1030 mixtures of high-performance concrete, crushed in the laboratory.

1030 rows, 8 features (seven ingredients in kg per cubic metre, age in days) and the compressive strength (MPa), each
scaled linearly to [0.0001, 0.9999]. No missing values. The first 824 rows are the training set of the published
Quant-BnB experiments, the other 206 their test set.

Source: UCI Machine Learning Repository, https://doi.org/10.24432/C5PK67, CC BY 4.0, scaled and ordered as in the
Quant-BnB repository. I-C. Yeh, "Modeling of strength of high-performance concrete using artificial neural networks",
Cement and Concrete Research 28(12), 1998.
"""


def _load(name: str, description: str, return_X_y: bool, as_frame: bool, target_names: list[str] | None = None) -> Any:
    """Read one table; classes become integers when there are `target_names`."""
    path = _FOLDER / f"{name}.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        columns = file.readline().strip().split(",")
        values = np.loadtxt(file, delimiter=",")
    data = np.ascontiguousarray(values[:, :-1])
    target = values[:, -1].copy()
    if target_names is not None:
        target = target.astype(np.int64)
    frame = None
    if as_frame:
        import pandas as pd

        frame = pd.DataFrame(data, columns=columns[:-1]).assign(**{columns[-1]: target})
        data = frame[columns[:-1]]
        target = frame[columns[-1]]
    if return_X_y:
        return data, target
    bunch = Bunch(data=data, target=target, frame=frame, feature_names=columns[:-1], DESCR=description)
    bunch.filename = str(path)
    if target_names is not None:
        bunch.target_names = np.asarray(target_names)
    return bunch


def load_raisin(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the raisin table (classification, 900 rows, 7 features, 2 balanced classes).

    A small real table on which a classifier can be tried in seconds; exact tree learners report their results on it.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` rather than a Bunch.

    as_frame : bool, default=False
        Data and target are a pandas DataFrame and Series, and the Bunch has `frame`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes `data` of shape (900, 7), `target` of shape (900,), `frame` (None unless `as_frame`),
        `feature_names`, `target_names`, `DESCR` (source, licence, order of the rows) and `filename`.

    (data, target) : tuple if `return_X_y`
        The features and the target alone.

    See Also
    --------
    load_concrete : A table of the same size for regression.

    References
    ----------
    I. Cinar, M. Koklu, S. Tasdemir, "Classification of Raisin Grains Using Machine Vision and Artificial Intelligence
    Methods", Gazi Journal of Engineering Sciences 6(3), 2020. https://doi.org/10.24432/C5660T

    Examples
    --------
    >>> from skpapers.datasets import load_raisin
    >>> raisin = load_raisin()
    >>> raisin.data.shape
    (900, 7)
    >>> raisin.target_names.tolist()
    ['Kecimen', 'Besni']
    """
    return _load("raisin", _RAISIN, return_X_y, as_frame, ["Kecimen", "Besni"])


def load_concrete(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the concrete table (regression, 1030 rows, 8 features).

    A small real table on which a regressor can be tried in seconds; exact tree learners report their results on it.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` rather than a Bunch.

    as_frame : bool, default=False
        Data and target are a pandas DataFrame and Series, and the Bunch has `frame`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes `data` of shape (1030, 8), `target` of shape (1030,), `frame` (None unless `as_frame`),
        `feature_names`, `DESCR` (source, licence, order of the rows) and `filename`.

    (data, target) : tuple if `return_X_y`
        The features and the target alone.

    See Also
    --------
    load_raisin : A table of the same size for classification.

    References
    ----------
    I-C. Yeh, "Modeling of strength of high-performance concrete using artificial neural networks", Cement and Concrete
    Research 28(12), 1998. https://doi.org/10.24432/C5PK67

    Examples
    --------
    >>> from skpapers.datasets import load_concrete
    >>> X, y = load_concrete(return_X_y=True, as_frame=True)
    >>> X.columns.tolist()[:4]
    ['cement', 'blast_furnace_slag', 'fly_ash', 'water']
    >>> y.name
    'compressive_strength'
    """
    return _load("concrete", _CONCRETE, return_X_y, as_frame)
