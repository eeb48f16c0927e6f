"""Which rows have no label."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d

from skpapers._labels import check_labels, label_values, missing_labels
from skpapers._warnings import warn_user


def read_labels(y: Any, unlabeled: Any) -> tuple[Any, NDArray[np.bool_] | None]:
    """Return the labels, with marked entries replaced by other labels, and a mask of the marked rows.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        The labels.

    unlabeled : object
        The mark. Any missing value (NaN, NaT, the NA of pandas) marks all missing entries, including None.

    Returns
    -------
    y : array-like of shape (n_samples,)
        An array of the labels' own type. Without a mark, or if every row is marked, `y` as it was given.

    unlabelled : ndarray of shape (n_samples,) or None
        None without a mark.
    """
    if unlabeled is None or y is None:
        check_labels(y, " Set unlabeled to mark rows without a label, for example unlabeled=np.nan.")
        _warn_of_minus_one(y)
        return y, None
    values = column_or_1d(label_values(y), warn=True)
    missing = missing_labels(values)
    if missing_labels(np.array([unlabeled], dtype=object)).all():
        unlabelled = missing
    else:
        check_labels(y, f" unlabeled={unlabeled!r} does not mark them; unlabeled=np.nan does.")
        unlabelled = np.asarray(values == unlabeled, dtype=bool)
    labels = values[~unlabelled]
    if not labels.size:
        return y, unlabelled
    if labels.dtype == object and not any(isinstance(label, str) for label in labels):
        labels = np.array(labels.tolist())  # they were objects only because of the mark
    return labels[np.where(unlabelled, 0, np.cumsum(~unlabelled) - 1)], unlabelled


def _warn_of_minus_one(y: Any) -> None:
    """Warn if -1 looks like a mark of rows without a label: all other labels are integers of at least 0."""
    values = label_values(y)
    if values.dtype == object:
        values = np.array(values.tolist())
    if values.dtype.kind not in "if" or not np.any(values == -1):
        return
    others = np.unique(values[values != -1])
    if others.size and np.all(others >= 0) and np.all(others == np.floor(others)) and others.tolist() != [1]:
        warn_user(
            "y has the label -1, and no other negative label. -1 is treated as a class. If it marks rows without a "
            "label, set unlabeled=-1. If it is a class, set unlabeled=np.nan to avoid this warning."
        )
