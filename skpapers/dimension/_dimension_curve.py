"""The dimension by the number of neighbours, for all rows and for each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import column_or_1d

from skpapers._warnings import warn_user
from skpapers.dimension._duplicates import distinct_rows
from skpapers.dimension._intrinsic_dimension_estimator import IntrinsicDimension
from skpapers.dimension._requirements import needed_rows


@dataclass(frozen=True, eq=False)
class DimensionCurve:
    """Dimensions by the number of neighbours.

    Parameters
    ----------
    n_neighbors : ndarray of shape (n_k,)
        Numbers of neighbours k, ascending.

    dimension : ndarray of shape (n_k,)
        Global dimension for each k.

    std_error : ndarray of shape (n_k,)
        Their standard errors.

    local_dimension : ndarray of shape (n_anchors, n_k)
        Local dimensions of the rows that were looked at.

    n_duplicates : int
        Rows that equal an earlier one.

    classes : dict of label to DimensionCurve, default={}
        The curve of the rows of each class, among themselves.

    See Also
    --------
    dimension_curve : Measures it.
    DimensionDisplay : Draws it.

    Examples
    --------
    >>> from skpapers.datasets import make_manifold
    >>> from skpapers.dimension import dimension_curve
    >>> X, _ = make_manifold(500, 2, random_state=0)
    >>> dimension_curve(X, (5, 20))
    k = 5: 2.0 ± 0.1, k = 20: 1.9 ± 0.0
    """

    n_neighbors: NDArray[np.intp]
    dimension: NDArray[np.float64]
    std_error: NDArray[np.float64]
    local_dimension: NDArray[np.float64]
    n_duplicates: int
    classes: Mapping[Any, DimensionCurve] = field(default_factory=dict)

    def __repr__(self) -> str:
        rows = zip(self.n_neighbors, self.dimension, self.std_error, strict=True)
        return ", ".join(f"k = {k}: {m:.1f} ± {error:.1f}" for k, m, error in rows)


def dimension_curve(
    X: Any, n_neighbors: ArrayLike = (3, 5, 10, 20), *, y: ArrayLike | None = None, **options: Any
) -> DimensionCurve:
    """Estimate the dimension for several numbers of neighbours, by one search.

    With more neighbours the estimate belongs to larger distances. A curve that falls with k is a sign of noise, whose
    dimensions vanish at larger distances, or of the bias of high dimensions. A curve that rises is a sign of strands or
    sheets that lie close to one another.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.

    n_neighbors : array-like of int, default=(3, 5, 10, 20)
        Numbers of neighbours; those of the paper by default.

    y : array-like of shape (n_samples,), default=None
        Labels. The rows of each class then get a curve of their own, from a search among themselves. A class with too
        few distinct rows is left out, with a warning.

    **options : dict
        Further parameters of :class:`IntrinsicDimension`.

    Returns
    -------
    curve : DimensionCurve
        The dimensions.

    See Also
    --------
    IntrinsicDimension : One estimate, for Pipelines and new rows.
    DimensionDisplay : Draws the curve.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skpapers.dimension import dimension_curve
    >>> X, y = load_digits(return_X_y=True)
    >>> curve = dimension_curve(X, y=y)
    >>> curve
    k = 3: 8.8 ± 0.3, k = 5: 8.1 ± 0.2, k = 10: 7.4 ± 0.1, k = 20: 6.8 ± 0.1
    >>> curve.classes[1]
    k = 3: 7.6 ± 0.8, k = 5: 6.8 ± 0.5, k = 10: 5.7 ± 0.3, k = 20: 4.8 ± 0.3
    """
    ks = np.unique(np.asarray(n_neighbors))
    rows = check_array(X, accept_sparse="csr", dtype=(np.float64, np.float32), order="C", input_name="X")
    whole = _curve(X, ks, options)
    if y is None:
        return whole
    labels = column_or_1d(y)
    check_consistent_length(X, labels)
    classes = {}
    needed = needed_rows(str(options.get("method", "mle")), int(ks.max()))
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        n_distinct = len(distinct_rows(rows[places]))
        name = label.item() if isinstance(label, np.generic) else label
        if n_distinct < needed:
            warn_user(f"Class {name!r} is left out: it has {n_distinct} distinct rows, and {needed} are needed.")
            continue
        classes[name] = _curve(rows[places], ks, options)
    return DimensionCurve(**{**vars(whole), "classes": classes})


def _curve(X: Any, ks: NDArray, options: dict[str, Any]) -> DimensionCurve:
    model = IntrinsicDimension(ks, **options).fit(X)
    return DimensionCurve(
        model.n_neighbors_,
        model.dimension_,
        model.dimension_std_error_,
        model.local_dimension_,
        model.n_duplicates_,
    )
