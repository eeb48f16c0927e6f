"""Windows over distinct timestamps: all rows of a timestamp fall on the same side of a fold."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import TimeSeriesSplit

# Values of cv that stand for windows over the distinct timestamps.
IN_TIME = ("time", "walk-forward", "purged")
N_FOLDS = 5
# Combinatorial folds: blocks of timestamps, and blocks that are tested together. 15 folds, 5 paths.
N_BLOCKS = 6
N_TESTED = 2
_EMBARGO = 0.01  # share of the timestamps

Folds = list[tuple[np.ndarray, np.ndarray]]


def _rows(ranks: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.flatnonzero(np.isin(ranks, train)), np.flatnonzero(np.isin(ranks, test))


def _too_few(name: str, needs: str, n_times: int, time_name: str) -> ValueError:
    return ValueError(
        f"{time_name}{': ' * bool(time_name)}cv={name!r} {needs}; there are {n_times}. Choose another time "
        "(--time-column), smaller windows or a number of folds (--cv)."
    )


def time_folds(ranks: np.ndarray, gap: int = 0, n_splits: int = N_FOLDS, time_name: str = "") -> Folds:
    """Return expanding windows; `time_name` says in an error where the ranks are from."""
    n_times = int(ranks.max()) + 1
    if n_times - gap - n_splits * (n_times // (n_splits + 1)) <= 0 or n_times <= n_splits:
        distance = f"with a gap or horizon of {gap} " if gap else ""
        needs = f"{distance}needs more distinct timestamps for {n_splits} windows"
        raise _too_few("time", needs, n_times, time_name)
    windows = TimeSeriesSplit(n_splits, gap=gap).split(np.arange(n_times))
    return [_rows(ranks, train, test) for train, test in windows]


def walk_forward_sizes(n_times: int, gap: int, train_size: int | None, step: int | None) -> tuple[int, int]:
    """Return how many timestamps a rolling window trains on, and how many it tests on and moves by.

    By default it trains on half of the timestamps, and five steps cover the rest.
    """
    train = max(1, (n_times - gap) // 2) if train_size is None else train_size
    return train, max(1, (n_times - gap - train) // N_FOLDS) if step is None else step


def walk_forward_folds(
    ranks: np.ndarray, gap: int = 0, train_size: int | None = None, step: int | None = None, time_name: str = ""
) -> Folds:
    """Return rolling windows; the last ends with the last timestamp."""
    n_times = int(ranks.max()) + 1
    n_train, n_test = walk_forward_sizes(n_times, gap, train_size, step)
    n_windows = (n_times - gap - n_train) // n_test
    if n_windows < 2:
        needs = (
            f"with train_size={n_train}, step={n_test} and a gap or horizon of {gap} needs "
            f"{n_train + gap + 2 * n_test} distinct timestamps for two windows"
        )
        raise _too_few("walk-forward", needs, n_times, time_name)
    folds = []
    for first in range(n_times - n_windows * n_test, n_times, n_test):
        last_train = first - gap
        folds.append(_rows(ranks, np.arange(last_train - n_train, last_train), np.arange(first, first + n_test)))
    return folds


def default_embargo(n_times: int) -> int:
    """Return 1 % of the timestamps, the length that López de Prado (2018, section 7.4.2) finds to suffice."""
    return int(_EMBARGO * n_times)


def combinatorial_folds(ranks: np.ndarray, time_name: str = "") -> Folds:
    """Return the folds of combinatorial cross-validation [1]_, one for each pair of blocks, before purging.

    References
    ----------
    .. [1] M. López de Prado, "Advances in Financial Machine Learning", chapter 12, Wiley, 2018.
    """
    try:
        from skfolio.model_selection import CombinatorialPurgedCV
    except ImportError:
        raise ValueError("cv='purged' needs skfolio: pip install 'skpapers[quant]'.") from None
    n_times = int(ranks.max()) + 1
    if n_times < 2 * N_BLOCKS:
        raise _too_few("purged", f"needs {2 * N_BLOCKS} distinct timestamps for {N_BLOCKS} blocks", n_times, time_name)
    splitter: Any = CombinatorialPurgedCV(N_BLOCKS, N_TESTED)
    windows = splitter.split(np.arange(n_times)[:, np.newaxis])
    return [_rows(ranks, train, np.concatenate(tests)) for train, tests in windows]
