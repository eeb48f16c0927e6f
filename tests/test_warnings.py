"""Warnings point at the line of the user."""

import warnings

import numpy as np
from sklearn.datasets import load_iris

from skpapers._warnings import warn_user
from skpapers.neural_network import SAMMLPClassifier


def test_a_warning_points_at_the_first_line_outside_the_package():
    X, y = load_iris(return_X_y=True)
    model = SAMMLPClassifier((4,), max_iter=1, early_stopping=True, device="cpu", random_state=0)
    for fit in (model.fit, lambda X, y: model.set_params(n_ensemble=1).fit(X, np.sort(y))):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            fit(X, y)
        (warning,) = seen
        assert warning.filename == __file__


def test_a_warning_called_from_outside_points_at_its_caller():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        warn_user("once")
    assert seen[0].filename == __file__
    assert seen[0].category is UserWarning
