"""Made windows of series: the targets are the stated ones, and simple models cannot reach them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression

from skpapers.datasets import make_adding_problem, make_weighted_mean

MAKERS = (make_adding_problem, make_weighted_mean)


@pytest.mark.parametrize(
    ("make", "shape"), [(make_adding_problem, (1000, 192, 2)), (make_weighted_mean, (1000, 64, 1))]
)
def test_shapes_and_defaults(make, shape):
    X, y = make(random_state=0)
    assert X.shape == shape
    assert y.shape == shape[:1]
    assert X.dtype == y.dtype == np.float64
    assert X.flags.c_contiguous


@pytest.mark.parametrize("length", [2, 3, 10, 33])
def test_two_steps_are_marked_and_added(length):
    X, y = make_adding_problem(400, length, random_state=0)
    values = X[:, :, 0]
    marks = X[:, :, 1]
    half = length // 2
    assert np.all((values >= 0) & (values < 1))
    assert np.isin(marks, (0, 1)).all()
    assert np.all(marks[:, :half].sum(axis=1) == 1)
    assert np.all(marks[:, half:].sum(axis=1) == 1)
    for row, target in zip(X, y, strict=True):
        first, second = np.flatnonzero(row[:, 1])
        assert target == row[first, 0] + row[second, 0]


def test_marks_are_anywhere_and_say_nothing_about_the_values():
    X, y = make_adding_problem(40_000, 10, random_state=0)
    counts = X[:, :, 1].sum(axis=0)
    assert stats.chisquare(counts[:5]).pvalue > 0.001
    assert stats.chisquare(counts[5:]).pvalue > 0.001
    assert y.mean() == pytest.approx(1, abs=0.01)
    assert y.var() == pytest.approx(1 / 6, rel=0.02)
    by_marks = LinearRegression().fit(X[:, :, 1], y)
    assert by_marks.score(X[:, :, 1], y) < 0.001


def test_the_mean_of_a_long_window_explains_next_to_nothing():
    X, y = make_adding_problem(5000, 192, random_state=0)
    pooled = X.mean(axis=1)
    assert LinearRegression().fit(pooled, y).score(pooled, y) < 0.03


@pytest.mark.parametrize("decay", [0.3, 0.9, 0.99])
def test_weighted_mean_is_that_of_pandas(decay):
    X, y = make_weighted_mean(20, 40, decay=decay, random_state=1)
    expected = pd.DataFrame(X[:, :, 0].T).ewm(alpha=1 - decay).mean().iloc[-1]
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-13)


def test_weighted_mean_at_its_bounds():
    X, y = make_weighted_mean(20, 40, decay=1, random_state=1)
    np.testing.assert_allclose(y, X[:, :, 0].mean(axis=1), atol=1e-15)
    X, y = make_weighted_mean(20, 1, random_state=1)
    np.testing.assert_array_equal(y, X[:, 0, 0])


def test_weighted_mean_needs_the_order():
    """Without the order a model reaches the share that the docstring states."""
    X, y = make_weighted_mean(40_000, 64, decay=0.9, random_state=0)
    assert X.mean() == pytest.approx(0, abs=0.01)
    assert X.var() == pytest.approx(1, abs=0.01)
    weights = 0.9 ** np.arange(64)
    weights /= weights.sum()
    share = (weights[0] ** 2 + (1 - weights[0]) ** 2 / 63) / np.sum(weights**2)
    assert share == pytest.approx(0.43, abs=0.005)
    last = X[:, -1, 0]
    others = np.sort(X[:, :-1, 0], axis=1)
    as_a_set = np.column_stack([last, others.mean(axis=1), others[:, ::9], last**2, others.var(axis=1)])
    assert LinearRegression().fit(as_a_set, y).score(as_a_set, y) == pytest.approx(share, abs=0.01)
    assert LinearRegression().fit(X[:, :, 0], y).score(X[:, :, 0], y) > 0.999


@pytest.mark.parametrize("make", MAKERS)
def test_one_seed_one_draw(make):
    X, y = make(50, 9, random_state=7)
    longer = make(80, 9, random_state=7)
    np.testing.assert_array_equal(longer[0][:50], X)
    np.testing.assert_allclose(longer[1][:50], y, rtol=0, atol=1e-15)
    by_generator = make(50, 9, random_state=np.random.RandomState(7))
    np.testing.assert_array_equal(by_generator[0], X)
    assert not np.array_equal(make(50, 9, random_state=8)[0], X)


@pytest.mark.parametrize("make", MAKERS)
def test_the_global_generator_is_left_alone(make):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make(10, 9, random_state=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize(
    ("make", "kwargs", "message"),
    [
        (make_adding_problem, {"n_samples": 0}, "n_samples must be a positive integer, not 0"),
        (make_adding_problem, {"length": 1}, "length must be an integer of 2 or more, not 1"),
        (make_adding_problem, {"length": 8.0}, "length must be an integer of 2 or more, not 8.0"),
        (make_weighted_mean, {"n_samples": "many"}, "n_samples must be a positive integer, not 'many'"),
        (make_weighted_mean, {"length": 0}, "length must be an integer of 1 or more, not 0"),
        (make_weighted_mean, {"decay": 0}, "decay must be a number above 0 and up to 1, not 0"),
        (make_weighted_mean, {"decay": 1.1}, "decay must be a number above 0 and up to 1, not 1.1"),
        (make_weighted_mean, {"decay": float("nan")}, "decay must be a number above 0 and up to 1, not nan"),
    ],
)
def test_bad_arguments(make, kwargs, message):
    with pytest.raises(ValueError, match=message):
        make(**kwargs)
