"""The picture of a comparison."""

import matplotlib
import pytest
from matplotlib.figure import Figure

from skpapers.comparison._display import ComparisonDisplay, figure_of
from tests.comparison._shown import shown

matplotlib.use("agg")


def drawn(**options):
    return ComparisonDisplay(shown().frame, metric="R2", **options).plot(ax=Figure().subplots())


def test_a_point_and_an_interval_for_every_difference():
    display = drawn()
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == [
        "SAM network\nagainst SAM network, rho=0",
        "HS forest\nagainst random forest",
        "optimal tree\nagainst CART, depth 2",
    ]
    point, _, (bar,) = display.lines_[0]
    assert point.get_xdata() == [-0.0041]
    low, high = bar.get_segments()[0][:, 0]
    assert (low, high) == pytest.approx((-0.0142, 0.0061))
    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_xlabel() == "gain in R2 over the baseline, 95 % interval"


def test_colours_say_on_which_side_of_zero_an_interval_lies():
    unclear, better = (line[0].get_color() for line in drawn().lines_[:2])
    worse = drawn(against="reference").lines_[-1][0].get_color()
    assert len({unclear, better, worse}) == 3


def test_against_the_best_reference():
    display = drawn(against="reference")
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["SAM network", "HS forest", "optimal tree"]
    assert display.lines_[2][0].get_xdata() == [-0.46]
    assert display.ax_.get_xlabel() == "gain in R2 over HistGradientBoosting, 95 % interval"


def test_a_difference_without_an_interval_is_a_point():
    frame = shown().frame.head(1).assign(interval_low=float("nan"), interval_high=float("nan"))
    (line,) = ComparisonDisplay(frame).plot(ax=Figure().subplots()).lines_
    assert line[2][0].get_segments()[0][:, 0].tolist() == [-0.0041, -0.0041]


def test_a_new_figure_grows_with_the_rows():
    display = ComparisonDisplay(shown().frame).plot()
    assert display.figure_.get_size_inches()[1] == pytest.approx(1.2 + 0.45 * 3)
    matplotlib.pyplot.close("all")


def test_a_figure_of_both():
    made = shown()
    made.plot = lambda against, ax: ComparisonDisplay(made.frame, against=against).plot(ax=ax)
    left, right = figure_of(made).axes
    assert len(left.get_yticks()) == len(right.get_yticks()) == 3
    made.frame["reference_difference"] = float("nan")
    assert len(figure_of(made).axes) == 1


def test_unknown_against():
    with pytest.raises(ValueError, match="against='mean' must be 'baseline' or 'reference'"):
        ComparisonDisplay(shown().frame, against="mean")
