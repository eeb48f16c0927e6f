"""Axes of the report's charts."""

import numpy as np
import pytest

from skpapers.comparison._report_charts import Axis, written


def test_an_axis_shows_every_point_but_very_distant_ones():
    values = np.linspace(0.8, 0.9, 20)
    axis = Axis.of([*values, -27.0])
    assert axis.beyond(-27.0) == "low"
    assert not any(axis.beyond(value) for value in values)
    assert axis.at(-27.0) == 0
    assert Axis.of([*values, 0.7]).beyond(0.7) == ""


def test_intervals_widen_an_axis_by_the_range_of_its_points_or_their_own_length():
    axis = Axis.of([1.0, 2.0], [(0.5, 2.5)])
    assert axis.low < 0.5
    assert axis.high > 2.5
    long = Axis.of([0.0, 0.1], [(-0.5, 0.6), (-0.4, 0.6)])
    assert not any(long.beyond(end) for end in (-0.5, -0.4, 0.6))
    axis = Axis.of([1.0, 1.5, 2.0], [(0.9, 1.1), (1.4, 1.6), (-100.0, 100.0)])
    assert axis.beyond(-100.0) == "low"
    assert axis.beyond(100.0) == "high"
    assert axis.high - axis.low == pytest.approx(3 * 1.08)


@pytest.mark.parametrize("points", [[], [np.nan], [0.3], [0.3, 0.3], [-5.0, -5.0]])
def test_an_axis_has_a_width_whatever_its_points(points):
    for zero in (False, True):
        axis = Axis.of(points, [(np.nan, np.inf)], zero=zero)
        assert axis.high > axis.low
        assert 0 <= axis.at(points[0] if points and np.isfinite(points[0]) else 0.0) <= 100
    assert axis.zero is not None


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.0004, 0.0003), (0.81, 0.93), (-1e5, 3e6), (12.1, 12.35)])
def test_ticks_are_round_values_at_their_places(low, high):
    axis = Axis(low, high)
    assert 2 <= len(axis.ticks) <= 5
    for tick in axis.ticks:
        value = float(tick.text.replace(",", "").replace("\N{MINUS SIGN}", "-"))
        assert axis.at(value) == pytest.approx(tick.at, abs=0.02)


def test_the_digits_of_a_number_follow_its_spread():
    assert written([0.91712, -0.00411], 0.0173) == ["0.917", "\N{MINUS SIGN}0.004"]
    assert written([0.0041, -0.001, -0.00001], 0.012, signed=True) == ["+0.004", "\N{MINUS SIGN}0.001", "0.000"]
    assert written([1234567.8, np.nan], 4000.0, unknown="?") == ["1,234,568", "?"]
    assert written([0.25], np.nan) == ["0.2500"]
    assert written([0.25], 0.0) == ["0.2500"]


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (-6e8, 6e8, ["\N{MINUS SIGN}5e8", "0", "5e8"]),
        (-2.5e-6, 2.5e-6, ["\N{MINUS SIGN}2e\N{MINUS SIGN}6", "0", "2e\N{MINUS SIGN}6"]),
        (-200_000.0, 200_000.0, ["\N{MINUS SIGN}200,000", "0", "200,000"]),
    ],
)
def test_ticks_of_huge_and_tiny_values_have_an_exponent(low, high, texts):
    assert [tick.text for tick in Axis(low, high).ticks] == texts
