"""Intervals and tests that claims share."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from skpapers.comparison._statistics import corrected_tests


def split_interval(differences: ArrayLike, test_train_ratio: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of the mean difference over random splits of one table; unbounded for fewer than two splits.

    The splits overlap, so it is the corrected interval of :func:`skpapers.compare`.
    """
    low, high = corrected_tests(np.asarray(differences), test_train_ratio).interval(1.0 - confidence)
    return (-np.inf, np.inf) if np.isnan(low[0]) else (float(low[0]), float(high[0]))


def interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Return the plain t interval of a mean."""
    return split_interval(values, 0.0, confidence)


def signed_rank(differences: ArrayLike) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test, one difference a table (Demsar, JMLR 7, 2006)."""
    differences = np.asarray(differences)
    return float(stats.wilcoxon(differences).pvalue) if np.any(differences != 0) else 1.0


def arrow(low: float, high: float) -> str:
    """Mark an interval that does not hold zero."""
    return " ↑" if low > 0 else " ↓" if high < 0 else ""
