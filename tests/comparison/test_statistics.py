"""The corrected interval against numbers worked out by hand."""

import math

import numpy as np
import pytest

from skpapers.comparison._statistics import corrected_interval


def test_by_hand():
    # mean 2, unbiased variance 1, k = 3, one test row to two training rows: sqrt(1/3 + 1/2); t(0.975, 2) = 4.302653
    mean, low, high = corrected_interval(np.array([1.0, 2.0, 3.0]), 0.5)
    assert mean == 2.0
    assert high - 2.0 == pytest.approx(4.3026527297 * math.sqrt(5 / 6))
    assert 2.0 - low == pytest.approx(high - 2.0)


def test_two_folds_in_closed_form():
    # Student's quantile with one degree of freedom is Cauchy's: tan(pi (p - 1/2))
    a = 0.3
    b = -0.1
    ratio = 1.0
    _, low, high = corrected_interval(np.array([a, b]), ratio)
    half = math.tan(math.pi * 0.475) * math.sqrt((1 / 2 + ratio) * (a - b) ** 2 / 2)
    assert (low, high) == pytest.approx((0.1 - half, 0.1 + half))


def test_few_folds():
    assert np.isnan(corrected_interval(np.array([]), np.nan)).all()
    mean, low, high = corrected_interval(np.array([0.25]), 0.5)
    assert mean == 0.25
    assert np.isnan([low, high]).all()
    assert corrected_interval(np.zeros(5), 0.25) == (0.0, 0.0, 0.0)
