"""The paired difference of two estimators over the folds of one cross-validation."""

from __future__ import annotations

import numpy as np
from scipy import stats


def corrected_interval(
    differences: np.ndarray, test_train_ratio: float, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Return the mean difference and its corrected paired t interval.

    Parameters
    ----------
    differences : ndarray of shape (k,)
        Score of the method minus score of the baseline, per fold.

    test_train_ratio : float
        Test rows per training row, averaged over the folds.

    confidence : float, default=0.95
        Coverage of the interval.

    Returns
    -------
    mean, low, high : float
        NaN bounds with fewer than two folds, NaN throughout with none.

    Notes
    -----
    Training sets of a cross-validation overlap, so the variance :math:`s^2 / k` of the mean of k differences is too
    small. Nadeau and Bengio replace it by :math:`(1 / k + n_{test} / n_{train}) s^2`, where :math:`s^2` is the
    unbiased variance of the differences; the quantile is Student's with k - 1 degrees of freedom.

    References
    ----------
    C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003.
    https://doi.org/10.1023/A:1024068626366
    """
    k = len(differences)
    if k == 0:
        return np.nan, np.nan, np.nan
    mean = float(np.mean(differences))
    if k == 1:
        return mean, np.nan, np.nan
    deviation = np.sqrt((1 / k + test_train_ratio) * np.var(differences, ddof=1))
    half = float(stats.t.ppf(0.5 + confidence / 2, df=k - 1) * deviation)
    return mean, mean - half, mean + half
