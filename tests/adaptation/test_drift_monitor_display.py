"""What the plot of a stream shows."""

import matplotlib as mpl
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from skpapers.adaptation import DriftMonitorDisplay, TentClassifier
from tests.adaptation._cases import PERCEPTRON

mpl.use("agg")


def test_the_lines_are_the_history():
    X, y = load_iris(return_X_y=True)
    model = TentClassifier(PERCEPTRON, adapt="always").fit(X, y)
    for rows in (X[:50], X[50:70], X[70:] + 3.0):
        model.partial_fit(rows)
    display = DriftMonitorDisplay.from_estimator(model)
    shift, expected = display.axes_[0].lines[:2]
    assert_allclose(shift.get_xdata(), [50, 70, 150])
    assert_allclose(shift.get_ydata(), model.shift_history_)
    assert_allclose(expected.get_ydata(), np.sqrt(1.5 / np.array([50, 20, 80])))
    assert_allclose(display.axes_[1].lines[0].get_ydata(), model.entropy_history_)
    assert len(display.axes_[0].patches) == 3
    assert display.figure_ is display.axes_[1].figure


def test_shades_are_the_batches_of_the_adapted_model():
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(1, 2)
    display = DriftMonitorDisplay([1, 2, 3], [1, 1, 1], [10, 20, 30], [False, True, False]).plot(axes=axes)
    (shade,) = display.axes_[0].patches
    assert (shade.get_x(), shade.get_width()) == (10, 20)
    assert display.axes_[0] is axes[0]


def test_wrong_arguments():
    with pytest.raises(NotFittedError):
        DriftMonitorDisplay.from_estimator(TentClassifier())
    with pytest.raises(ValueError, match=r"differ in length: \[1, 2, 1, 1\]"):
        DriftMonitorDisplay([1], [1, 2], [1], [True])
    with pytest.raises(ValueError, match="needs two axes, got 1"):
        DriftMonitorDisplay([1], [1], [1], [True]).plot(axes=[None])
