"""Windows of real series under one function: `load_series("GunPoint")` returns a published training and test part.

The tables ship inside aeon, which the benchmarks' environment holds. It asks for numba < 0.64. Under numba 0.68 its
MiniRocket features of all test parts, and its nearest neighbours by DTW of the first 60 test windows, are equal bit for
bit to those under 0.63, on all of these tables.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CLASSIFICATION = ("ArrowHead", "GunPoint", "ItalyPowerDemand", "OSULeaf", "BasicMotions", "JapaneseVowels")
REGRESSION = ("Covid3Month",)
UNEQUAL = ("JapaneseVowels",)


@dataclass(frozen=True)
class Series:
    """A table of windows, as it was published.

    Parameters
    ----------
    X_train, X_test : ndarray of shape (n_samples, length, n_channels)
        Windows that are shorter than the longest one end with steps of NaN.

    y_train, y_test : ndarray of shape (n_samples,)
        Names of classes, or numbers.
    """

    X_train: NDArray[np.float64]
    y_train: NDArray
    X_test: NDArray[np.float64]
    y_test: NDArray


def load_series(name: str, *, equal_length: bool = False) -> Series:
    """Return a table of `CLASSIFICATION` or `REGRESSION` with its published split.

    Parameters
    ----------
    name : str

    equal_length : bool, default=False
        Whether windows of unequal length are returned as their publishers brought them to one length, for methods that
        need it, instead of with NaN at the end.
    """
    from aeon.datasets import load_from_ts_file  # the pages of results are written without it

    if name not in CLASSIFICATION + REGRESSION:
        raise ValueError(f"no table {name!r}; there are {', '.join((*CLASSIFICATION, *REGRESSION))}.")
    file = f"{name}_eq" if equal_length and name in UNEQUAL else name
    parts = [load_from_ts_file(str(_folder() / name / f"{file}_{part}.ts")) for part in ("TRAIN", "TEST")]
    length = max(series.shape[1] for X, _ in parts for series in X)
    (X_train, y_train), (X_test, y_test) = ((_padded(X, length), _targets(name, y)) for X, y in parts)
    return Series(X_train, y_train, X_test, y_test)


def _folder() -> Path:
    import aeon.datasets

    return Path(aeon.datasets.__file__).parent / "data"


def _padded(windows: NDArray | list[NDArray], length: int) -> NDArray[np.float64]:
    """Return channels of shape (n_channels, length of the window) as one array of time-major windows."""
    X = np.full((len(windows), length, windows[0].shape[0]), np.nan)
    for row, series in zip(X, windows, strict=True):
        row[: series.shape[1]] = series.T
    return X


def _targets(name: str, y: NDArray) -> NDArray:
    return y.astype(np.float64) if name in REGRESSION else y.astype(str)
