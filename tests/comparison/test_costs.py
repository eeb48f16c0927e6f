"""Estimated seconds of fits."""

import math

import pytest

from skpapers.comparison._costs import PRIOR_SECONDS, Cost


@pytest.mark.parametrize("power", [1.0, 1.3, 1.7])
def test_two_sizes_give_the_power(power):
    cost = Cost()
    assert cost.seconds(100) == PRIOR_SECONDS
    for n in (200, 2000):
        cost.add(n, 1e-3 * n**power, 1e-3 * n**power + 0.5)
    assert cost.exponent() == pytest.approx(power)
    assert cost.seconds(50_000) == pytest.approx(1e-3 * 50_000**power + 0.5)
    assert cost.seconds(2000) == pytest.approx(1e-3 * 2000**power + 0.5)


def test_powers_are_bounded():
    """A start-up cost hides the growth; a jump, such as another algorithm above a size, would exaggerate it."""
    flat = Cost({200: 1.0, 2000: 1.01})
    assert flat.exponent() == 0.8
    assert Cost({200: 1.0, 2000: 1e4}).exponent() == 1.8
    assert Cost({200: 1.0}).exponent() == Cost({200: 1.0, 250: 3.0}).exponent() == 1.2


def test_the_largest_sizes_decide():
    assert Cost({200: 1.0, 2000: 1.0, 20_000: 20.0}).exponent() == pytest.approx(math.log10(20.0))
    # 2000 and 1900 are too close to each other to show a power
    assert Cost({200: 1.0, 1900: 9.0, 2000: 10.0}).exponent() == pytest.approx(1.0)


def test_failed_fits_count_with_all_their_seconds():
    cost = Cost()
    cost.add(100, math.nan, 3.0)
    assert cost.seconds(100) == 3.0
    cost.add(100, 1.0, 1.5)
    assert cost.seconds(100) == 3.5
