"""Which rows are of the source and which of the target, the sign of `sample_domain`; and which have no label."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, check_consistent_length


def source_rows(sample_domain: Any, X: Any) -> NDArray[np.bool_]:
    """Return a mask of the source rows: positive entries of `sample_domain` are of the source, negative of the target.

    Parameters
    ----------
    sample_domain : array-like of shape (n_samples,)
        Numbers other than zero; several sources or targets may have numbers of their own.

    X : array-like of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    source : ndarray of shape (n_samples,)
    """
    domain = check_array(sample_domain, ensure_2d=False, dtype=np.float64, input_name="sample_domain")
    if domain.ndim != 1:
        raise ValueError(f"sample_domain must be one number for each row, got an array of shape {domain.shape}.")
    check_consistent_length(X, domain)
    if np.any(domain == 0):
        raise ValueError("sample_domain must be positive for rows of the source and negative for the target, got 0.")
    return domain > 0


def marked(y: NDArray, unlabeled: Any) -> NDArray[np.bool_]:
    """Return a mask of the rows whose entry of `y` is `unlabeled`, which may be NaN."""
    # NaN is not equal to itself
    return np.asarray(y != y if unlabeled != unlabeled else y == unlabeled, dtype=bool)
