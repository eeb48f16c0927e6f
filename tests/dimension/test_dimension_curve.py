"""Curves by the number of neighbours, and their pictures."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_digits

from skpapers.datasets import make_manifold
from skpapers.dimension import DimensionCurve, DimensionDisplay, IntrinsicDimension, dimension_curve

matplotlib.use("agg")
DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS = DIGITS[:600]
LABELS = LABELS[:600]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_a_curve_holds_the_estimates():
    curve = dimension_curve(DIGITS, [20, 5, 5], y=LABELS)
    assert_array_equal(curve.n_neighbors, [5, 20])
    model = IntrinsicDimension([5, 20]).fit(DIGITS)
    assert_array_equal(curve.dimension, model.dimension_)
    assert_array_equal(curve.std_error, model.dimension_std_error_)
    assert_array_equal(curve.local_dimension, model.local_dimension_)
    assert list(curve.classes) == list(range(10))
    of_class = IntrinsicDimension([5, 20]).fit(DIGITS[LABELS == 3])
    assert_array_equal(curve.classes[3].dimension, of_class.dimension_)


def test_frames_sparse_rows_and_options():
    expected = dimension_curve(DIGITS, y=LABELS, max_anchors=100, random_state=0)
    frame = dimension_curve(pd.DataFrame(DIGITS), y=pd.Series(LABELS), max_anchors=100, random_state=0)
    rows = dimension_curve(sparse.csr_array(DIGITS), y=LABELS, max_anchors=100, random_state=0)
    assert_array_equal(frame.classes[2].dimension, expected.classes[2].dimension)
    assert_allclose(rows.classes[2].dimension, expected.classes[2].dimension)
    places = dimension_curve(sparse.coo_matrix(DIGITS), y=LABELS, max_anchors=100, random_state=0)
    assert_array_equal(places.classes[2].dimension, rows.classes[2].dimension)
    assert len(expected.local_dimension) == 100


def test_noise_is_seen_by_few_neighbours():
    X, _ = make_manifold(1500, 2, 10, noise=0.01, random_state=0)
    curve = dimension_curve(X, (3, 10, 50))
    assert np.all(np.diff(curve.dimension) < 0)


def test_a_small_class_is_left_out_with_a_warning():
    y = LABELS.copy()
    y[:7] = 99
    with pytest.warns(UserWarning, match="Class 99 is left out: it has 7 distinct rows, and 21 are needed"):
        curve = dimension_curve(DIGITS, y=y)
    assert 99 not in curve.classes
    names = np.where(LABELS == 0, "zero", "other")
    assert list(dimension_curve(DIGITS, y=names).classes) == ["other", "zero"]


def test_labels_of_another_length():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        dimension_curve(DIGITS, y=LABELS[:-1])


def test_curves_are_drawn_with_two_standard_errors():
    display = DimensionDisplay.from_data(DIGITS, (5, 10), y=LABELS)
    assert len(display.ax_.lines) >= 11
    bars = display.ax_.containers[0]
    (segments,) = [collection.get_segments() for collection in bars.lines[2]]
    curve = display.curve
    ends = [
        [dimension - 2 * error, dimension + 2 * error]
        for dimension, error in zip(curve.dimension, curve.std_error, strict=True)
    ]
    assert_allclose([segment[:, 1] for segment in segments], ends)
    assert {text.get_text() for text in display.ax_.get_legend().get_texts()} >= {"3", "all rows"}


def test_classes_are_bars_and_local_dimensions_a_histogram():
    _, ax = plt.subplots()
    display = DimensionDisplay.from_data(DIGITS, (5, 10), y=LABELS, kind="classes", ax=ax)
    assert display.ax_ is ax
    heights = [bar.get_height() for bar in ax.patches]
    assert_allclose(heights, [display.curve.classes[label].dimension[-1] for label in range(10)])
    display.plot(kind="histogram")
    assert display.ax_ is not ax
    assert sum(bar.get_height() for bar in display.ax_.patches) == 600


@pytest.mark.parametrize("n_neighbors", [5, [20, 5]])
def test_a_fitted_estimator_is_drawn(n_neighbors):
    model = IntrinsicDimension(n_neighbors).fit(DIGITS)
    display = DimensionDisplay.from_estimator(model)
    assert_array_equal(np.sort(np.atleast_1d(n_neighbors)), display.curve.n_neighbors)
    assert_array_equal(display.curve.dimension, np.atleast_1d(model.dimension_)[::-1])
    DimensionDisplay.from_estimator(model, kind="histogram")


def test_more_classes_than_colours_and_estimates_without_an_error():
    y = np.arange(600) % 12
    display = DimensionDisplay.from_data(DIGITS, (5,), y=y, method="shortest_path", max_anchors=20, random_state=0)
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["all rows"]


def test_a_histogram_of_local_dimensions_of_many_powers_of_ten():
    local = np.array([1.0, 2.0, 3.0, 4.0, 1e15, np.inf])[:, np.newaxis]
    curve = DimensionCurve(np.array([5]), np.array([2.0]), np.array([0.1]), local, 0)
    bars = DimensionDisplay(curve).plot(kind="histogram").ax_.patches
    assert len(bars) < 100
    assert sum(bar.get_height() for bar in bars) == 5
    none = DimensionCurve(np.array([5]), np.array([2.0]), np.array([0.1]), np.full((3, 1), np.inf), 0)
    assert sum(bar.get_height() for bar in DimensionDisplay(none).plot(kind="histogram").ax_.patches) == 0


def test_errors_of_the_display():
    curve = dimension_curve(DIGITS, (5,))
    with pytest.raises(ValueError, match='kind must be "curve", "classes" or "histogram", not \'bars\''):
        DimensionDisplay(curve).plot(kind="bars")
    with pytest.raises(ValueError, match='kind="classes" needs labels'):
        DimensionDisplay(curve).plot(kind="classes")
