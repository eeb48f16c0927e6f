"""The tables of the benchmarks under one function: `load("concrete")` returns X, y and the published training size.

Tables in `data/` are described in `data/README.md`; the others come with scikit-learn.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
    make_friedman1,
    make_friedman2,
    make_friedman3,
)

FOLDER = Path(__file__).parent / "data"

REGRESSION = ("carbon", "concrete", "fish", "grid", "qsar")
CLASSIFICATION = (
    "avila",
    "bank",
    "bean",
    "bidding",
    "eeg",
    "fault",
    "htru",
    "magic",
    "page",
    "raisin",
    "segment",
    "wilt",
)
# Friedman's functions as the code of Hierarchical Shrinkage draws them: 200 rows, no noise.
GENERATORS = {"friedman1": make_friedman1, "friedman2": make_friedman2, "friedman3": make_friedman3}
BUILT_IN = {
    "breast_cancer": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
    "wine": load_wine,
}


def load(name: str, *, random_state: int = 0) -> tuple[NDArray[np.float64], NDArray, int]:
    """Return X, y and the number of leading rows that published experiments trained on.

    Parameters
    ----------
    name : str
        A name in `REGRESSION`, `CLASSIFICATION`, `BUILT_IN` or `GENERATORS`.

    random_state : int, default=0
        Seed of the draw; only generators read it.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,), or (n_samples, 3) for carbon
    n_train : int
        `n_samples` where no split was published.
    """
    if name in GENERATORS:
        X, y = GENERATORS[name](n_samples=200, random_state=random_state)
        return X, y, len(X)
    if name in BUILT_IN:
        X, y = BUILT_IN[name](return_X_y=True)
        return X, y, len(X)
    if name not in REGRESSION + CLASSIFICATION:
        known = ", ".join((*REGRESSION, *CLASSIFICATION, *BUILT_IN, *GENERATORS))
        raise ValueError(f"no table {name!r}; there are {known}.")
    with np.load(FOLDER / f"{name}.npz") as table:
        return table["X"], table["y"], int(table["n_train"])


def load_shuffled(name: str, max_rows: int | None = None) -> tuple[NDArray[np.float64], NDArray]:
    """Return X and one target with rows in a random but fixed order, and no more than `max_rows` of them.

    For protocols that split by themselves: some tables are sorted by class. Of several targets the first is taken.
    """
    X, y, _ = load(name)
    rows = np.random.default_rng(0).permutation(len(X))[:max_rows]
    return X[rows], y[rows] if y.ndim == 1 else y[rows, 0]
