"""Intervals and tests that claims share."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def split_interval(differences: ArrayLike, test_train_ratio: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return a corrected t interval of the mean difference over random splits of one table.

    Training parts of the splits overlap. Nadeau and Bengio ("Inference for the Generalization Error", Machine Learning
    52, 2003) replace the variance s^2 / k of the mean of k differences by (1 / k + n_test / n_train) s^2.
    """
    differences = np.asarray(differences)
    k = differences.size
    if k < 2:
        return -np.inf, np.inf
    deviation = np.sqrt((1 / k + test_train_ratio) * differences.var(ddof=1))
    half = stats.t.ppf(0.5 + confidence / 2, df=k - 1) * deviation
    return float(differences.mean() - half), float(differences.mean() + half)


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
