"""The rule of what counts as a constant column."""

import numpy as np
import pytest

from skpapers._columns import constant_columns

EPS = np.finfo(np.float64).eps


def constant(*values, **kwargs):
    return bool(constant_columns(np.array(values)[:, np.newaxis], **kwargs)[0])


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, 0.1, -1e9, 1e308, -1e308, 1.7e308, 5e-324, 1e-310])
@pytest.mark.parametrize("n", [1, 2, 442, 100_003])
def test_equal_values_are_constant_however_their_mean_is_rounded(value, n):
    assert constant_columns(np.full((n, 1), value)).all()


@pytest.mark.parametrize("value", [1.0, 0.1, -1e9, 3e307, 1e-300])
def test_a_few_units_in_the_last_place_are_rounding_and_more_are_not(value):
    assert constant(value, value * (1 + EPS))
    assert constant(value * (1 - EPS), value * (1 + EPS))
    assert not constant(value, value * (1 + 10 * EPS))
    assert not constant(value, value * (1 + 1e-14))


def test_values_that_were_computed_in_two_ways_are_constant():
    assert constant(0.1 + 0.2, 0.3)
    assert constant(1.0, (1.0 / 49.0) * 49.0)


@pytest.mark.parametrize(
    ("low", "high"),
    [(-1e308, 1e308), (-1.7e308, 1.7e308), (0.0, 5e-324), (5e-324, 1e-323), (-5e-324, 0.0), (0.0, 1e-200)]
    + [(1e9, 1e9 + 1e-6), (-1e-16, 1e-16), (0.0, 1e308)],
)
def test_what_varies_is_not_constant_at_any_size(low, high):
    with np.errstate(all="raise"):
        assert not constant(low, high, low)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int64", "bool"])
def test_the_answer_depends_on_the_numbers_and_not_on_dtype_strides_or_order(dtype):
    X = np.array([[1, 0, 1], [1, 1, 1], [1, 0, 1]]).astype(dtype)
    expected = [True, False, True]
    for same in (X, np.asfortranarray(X), X[::-1], np.repeat(X, 2, axis=0)[::2], np.hstack([X, X])[:, :3]):
        assert constant_columns(same).tolist() == expected
    step = np.nextafter(np.float32(1.0), np.float32(2.0))
    assert not constant(np.float32(1.0), step)


def test_integers_neither_wrap_nor_overflow():
    assert not constant(np.int8(-128), np.int8(127))
    assert not constant(np.iinfo(np.int64).min, np.iinfo(np.int64).max)
    assert constant(np.iinfo(np.int64).min, np.iinfo(np.int64).min)


def test_rows_of_weight_zero_do_not_count():
    X = np.array([[1.0, 1.0], [1.0, 2.0], [7.0, 3.0]])
    assert constant_columns(X, [1.0, 1e-300, 0.0]).tolist() == [True, False]
    assert constant_columns(X, [1.0, 0.0, 0.0]).tolist() == [True, True]
    assert constant_columns(X, [0.0, 0.0, 0.0]).tolist() == [True, True]


def test_every_column_is_judged_on_its_own_scale():
    X = np.array([[1e300, 1e-300, 1e9], [1e300, 2e-300, 1e9 + 1.0]])
    assert constant_columns(X).tolist() == [True, False, False]


def test_missing_values_are_no_constant():
    assert not constant(np.nan, 1.0)
    assert not constant(np.nan, np.nan)
