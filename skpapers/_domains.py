"""The domain of each row, by the convention of skada: positive numbers are of the source, negative of the target."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, check_consistent_length


def domain_numbers(sample_domain: Any, X: Any) -> NDArray[np.float64]:
    """Return the number of each row's domain.

    Parameters
    ----------
    sample_domain : array-like of shape (n_samples,)
        Numbers other than zero; several sources or targets may have numbers of their own.

    X : array-like of shape (n_samples, ...)
        The rows.

    Returns
    -------
    domain : ndarray of shape (n_samples,)
    """
    domain = check_array(sample_domain, ensure_2d=False, dtype=np.float64, input_name="sample_domain")
    if domain.ndim != 1:
        raise ValueError(f"sample_domain must be one number for each row, got an array of shape {domain.shape}.")
    check_consistent_length(X, domain)
    if np.any(domain == 0):
        raise ValueError("sample_domain must be positive for rows of the source and negative for the target, got 0.")
    return domain


def source_rows(sample_domain: Any, X: Any) -> NDArray[np.bool_]:
    """Return a mask of the source rows; the arguments are those of :func:`domain_numbers`."""
    return domain_numbers(sample_domain, X) > 0
