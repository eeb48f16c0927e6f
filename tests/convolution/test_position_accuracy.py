import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from torch import nn

from skpapers.convolution import (
    FoveationDisplay,
    PositionAccuracy,
    PositionAccuracyDisplay,
    foveation_map,
    position_accuracy,
)


class Threshold:
    """Finds a one anywhere but in its blind spot."""

    def __init__(self, blind):
        self.blind = blind

    def score(self, X, y):
        seen = np.array(X)
        for place in self.blind:
            seen[(slice(None), *place)] = 0
        return float(np.mean(seen.reshape(len(seen), -1).any(axis=1) == y))


def make_image(place):
    X = np.zeros((10, *(6 for _ in place)))
    X[(slice(0, 5), *place)] = 1
    return X, np.arange(10) < 5


def test_scores_by_place():
    found = position_accuracy(Threshold([(5, 0)]), make_image, [(0, 5), range(0, 6, 5)])
    assert_array_equal(found.scores, [[1, 1], [0.5, 1]])
    assert (found.worst, found.worst_position, found.mean, found.n_samples) == (0.5, (5, 0), 0.875, 10)


def test_series():
    found = position_accuracy(Threshold([(1,)]), make_image, [np.arange(3)])
    assert_array_equal(found.scores, [1, 0.5, 1])
    assert found.worst_position == (1,)


@pytest.mark.parametrize("grid", [[], [[]], [[0.5]], [[[1]]], [1]])
def test_wrong_grids(grid):
    with pytest.raises(ValueError, match="grid must have one sequence of integers for each axis"):
        position_accuracy(Threshold([]), make_image, grid)


@pytest.mark.parametrize("made", [(np.zeros((0, 2)), []), (np.zeros((3, 2)), [1, 2]), (np.zeros((3, 2)), 1)])
def test_wrong_samples(made):
    with pytest.raises(ValueError, match=r"make_image\(\(0,\)\) must return"):
        position_accuracy(Threshold([]), lambda place: made, [[0]])


class TestDisplays:
    def test_a_map(self):
        module = nn.Conv2d(1, 1, 3, stride=2, padding=1)
        display = FoveationDisplay.from_estimator(module, (1, 8, 9))
        assert_array_equal(display.ax_.images[0].get_array(), foveation_map(module, (1, 8, 9)))
        assert display.ax_.get_title() == "asymmetry 0.50, 0.00"
        plt.close(display.figure_)

    def test_a_series_on_axes(self):
        figure, ax = plt.subplots()
        display = FoveationDisplay(values=np.array([0.5, 1.0, 1.0])).plot(ax=ax, label="zeros")
        assert display.ax_ is ax
        assert display.figure_ is figure
        assert_array_equal(ax.lines[0].get_ydata(), [0.5, 1, 1])
        assert ax.lines[0].get_label() == "zeros"
        plt.close(figure)

    def test_scores(self):
        display = PositionAccuracyDisplay.from_estimator(Threshold([(5, 0)]), make_image, [(0, 5), (0, 3)])
        assert_array_equal(display.ax_.images[0].get_array(), [[1, 1], [0.5, 1]])
        assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["0", "3"]
        assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == ["0", "5"]
        assert display.ax_.get_title() == "mean 0.875, worst 0.500 at (5, 0)"
        plt.close(display.figure_)

    def test_scores_of_a_series(self):
        display = PositionAccuracyDisplay.from_estimator(Threshold([(1,)]), make_image, [(0, 1)])
        assert_array_equal(display.ax_.lines[0].get_xydata(), [[0, 1], [1, 0.5]])
        plt.close(display.figure_)

    def test_three_axes(self):
        with pytest.raises(ValueError, match="A map of 3 axes cannot be drawn"):
            FoveationDisplay(values=np.ones((2, 2, 2))).plot()
        grid = (np.arange(1),) * 3
        with pytest.raises(ValueError, match="a grid of 3 axes cannot be drawn"):
            PositionAccuracyDisplay(accuracy=PositionAccuracy(grid, np.ones((1, 1, 1)), 1)).plot()
