"""Assertions that several files share."""

import numpy as np


def same(folds, others):
    """Assert that two lists of folds hold the same rows."""
    others = list(others)
    assert len(folds) == len(others)
    for (train, test), (other_train, other_test) in zip(folds, others, strict=True):
        np.testing.assert_array_equal(train, other_train)
        np.testing.assert_array_equal(test, other_test)
