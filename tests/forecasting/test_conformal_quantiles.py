"""Conformal offsets, against the rule and against coverage."""

from math import ceil, floor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skpapers.forecasting._conformal_quantiles import fewest_windows, offsets

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("levels", "n"), [((0.1, 0.5, 0.9), 9), ((0.5,), 1), ((0.05, 0.5), 19), ((0.25, 0.5, 0.75), 3), ((0.3, 0.5), 3)]
)
def test_fewest_windows(levels, n):
    assert fewest_windows(levels) == n
    for level in levels:
        if level > 0.5:
            assert ceil((n + 1) * level - 1e-9) <= n
        elif level < 0.5:
            assert floor((n + 1) * level + 1e-9) >= 1


def test_fewest_windows_are_the_first_that_suffice():
    for level in (0.01, 0.1, 0.3, 0.49, 0.5, 0.51, 0.8, 0.975):
        outer = max(level, 1.0 - level)
        first = next(n for n in range(1, 200) if ceil((n + 1) * outer - 1e-9) <= n)
        assert fewest_windows((level,)) == first
    assert fewest_windows((1e-12,)) > 1e11  # at once


@pytest.mark.parametrize("n", [9, 10, 19, 99])
def test_ranks(n):
    errors = RNG.permutation(n)[:, None, None] + np.array([0.0, 100.0, 200.0])
    found = offsets(errors, (0.1, 0.5, 0.9))
    assert_array_equal(found, [[floor((n + 1) / 10 + 1e-9) - 1, 0.0, 200 + ceil((n + 1) * 0.9 - 1e-9) - 1]])


def test_each_step_has_its_own():
    errors = RNG.normal(size=(50, 3, 3)) * np.array([1.0, 2.0, 4.0])[:, None]
    found = offsets(errors, (0.1, 0.5, 0.9))
    for h in range(3):
        assert_allclose(found[h], offsets(errors[:, h : h + 1], (0.1, 0.5, 0.9))[0])
    assert found.shape == (3, 3)


def test_coverage():
    hits = []
    for _ in range(300):
        errors = RNG.standard_t(3, size=(19, 1, 3))
        low, _, high = offsets(errors, (0.1, 0.5, 0.9))[0]
        new = RNG.standard_t(3, size=200)
        hits.append(np.mean((new >= low) & (new <= high)))
    assert_allclose(np.mean(hits), 0.8, atol=0.02)
