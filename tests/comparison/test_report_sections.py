"""Sections with pictures and with fits of their own."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression

from skpapers.comparison._report_content import make_rows, out_of_fold
from skpapers.comparison._report_sections import all_notes, figure_groups, importance_section, tree_section
from skpapers.tree import QuantBnBTree
from tests.comparison._report_cases import SCRIPT, make_comparison


@pytest.fixture(scope="module")
def panel():
    return make_comparison("regression", 240, dates=40, assets=True, scoring=("rank_ic", "r2"))


@pytest.fixture(scope="module")
def classes():
    return make_comparison("classification")


def _figures(result):
    groups = {group.id: group.figures for group in figure_groups(result, make_rows(result))}
    return groups["time"], groups["predictions"]


def test_the_rank_ic_of_a_panel_is_that_of_its_dates(panel):
    _, rank_ic = _figures(panel)[0]
    found = out_of_fold(panel, "linear")
    table = pd.DataFrame({"date": panel.problem.times[found.rows].to_numpy(), "p": found.values})
    table["y"] = panel.problem.y[found.rows]
    values = [spearmanr(day["p"], day["y"]).statistic for _, day in table.groupby("date")]
    assert f"linear {np.mean(values):.3f} ({len(values)} dates)" in rank_ic.caption
    assert len(re.findall("<title", str(rank_ic.picture))) == 1


def test_a_picture_over_time_needs_time(panel, classes):
    over_time, predictions = _figures(panel)
    assert len(over_time) == 2
    assert "rank IC in the test window" in over_time[0].caption
    assert len(predictions) == 2
    assert ">date<" in str(over_time[0].picture)
    named = replace(panel.problem, times=panel.problem.times.rename("Time column 'a b'"))
    assert ">a b<" in str(_figures(replace(panel, problem=named))[0][0].picture)
    assert _figures(classes)[0] == []


def test_a_calibration_curve_is_that_of_the_rarer_class(classes):
    _, (first, second) = _figures(classes)
    y = classes.problem.y
    rare = min(classes.problem.classes, key=lambda label: np.sum(y == label))
    for figure in (first, second):
        assert f"class {rare}" in str(figure.picture)
        assert "120 test rows" in figure.caption


def test_three_classes_have_a_curve_each(classes):
    rows = make_rows(classes)
    problem = classes.problem
    labels = np.array(["a", "b", "c"])[np.arange(120) % 3]
    outcomes = {}
    for key, outcome in classes.fits.outcomes.items():
        probabilities = np.full((len(outcome.prediction.rows), 3), 1 / 3)
        outcomes[key] = replace(outcome, prediction=replace(outcome.prediction, probabilities=probabilities))
    result = replace(
        classes,
        problem=replace(problem, y=labels, classes=np.unique(labels)),
        fits=replace(classes.fits, outcomes=outcomes),
    )
    picture = str(figure_groups(result, rows)[1].figures[0].picture)
    assert all(f"class {label}" in picture for label in labels[:3])


def test_importances_are_in_the_metric_that_decides(panel, classes):
    of_panel = importance_section(panel, make_rows(panel))
    assert of_panel.change == "fall of rank IC"
    assert of_panel.bars[0].column == SCRIPT
    of_classes = importance_section(classes, make_rows(classes))
    assert of_classes.change == "rise of log loss"
    # a loss that grows is worse
    assert of_classes.bars[0].mean > 0
    assert {bar.column for bar in of_classes.bars} == set(classes.problem.frame.columns)


def _with_problem(result, **changes):
    """Return the comparison with changes of its problem."""
    return replace(result, problem=replace(result.problem, **changes))


def test_importances_say_how_many_columns_they_show(classes):
    whole = importance_section(classes, make_rows(classes))
    assert "columns are shown" not in whole.caption
    frame = classes.problem.frame
    extra = pd.DataFrame(np.zeros((120, 20)), columns=[f"zero {number}" for number in range(20)])
    wide = pd.concat([frame, extra], axis=1)
    section = importance_section(_with_problem(classes, frame=wide), make_rows(classes))
    assert len(section.bars) == 15
    assert f"15 of {frame.shape[1] + 20} columns are shown, the most important first." in section.caption


def test_importances_count_sample_weights(classes):
    best = classes.best_method_
    equal = importance_section(classes, make_rows(classes))
    weights = np.where(np.arange(120) < 100, 1.0, 50.0)
    weighted = importance_section(_with_problem(classes, sample_weight=weights), make_rows(classes))
    assert weighted.name == equal.name == best
    assert weighted.bars[0].mean != pytest.approx(equal.bars[0].mean, rel=1e-3)


class _Shifted(LinearRegression):
    """Predicts with a shift that metadata give."""

    def fit(self, X, y, shift=None):
        return super().fit(X, y - shift)

    def predict(self, X, shift=None):
        return super().predict(X) + shift


def test_importances_pass_metadata_to_the_method():
    result = make_comparison("regression")
    rng = np.random.default_rng(0)
    shift = rng.normal(size=120) * 100
    linear = next(candidate for candidate in result.candidates if candidate.name == "linear")
    moved = replace(linear, estimator=_Shifted(), kind="own")
    others = [candidate for candidate in result.candidates if candidate is not linear]
    result = replace(result, candidates=(*others, moved))
    rows = [row for row in make_rows(result) if row.name == "linear"]
    result = _with_problem(result, metadata={"shift": shift}, y=result.problem.y + shift)
    section = importance_section(result, rows)
    # the shift has nearly all of the variance, and the model knows it
    assert section.bars[0].column == SCRIPT
    assert 0 < section.bars[0].mean < 0.01


class _Failing(LinearRegression):
    def fit(self, X, y):
        raise ValueError("these rows\nagain")


def test_a_method_that_fails_costs_its_section_and_not_the_report():
    result = make_comparison("regression")
    broken = [replace(candidate, estimator=_Failing()) for candidate in result.candidates]
    section = importance_section(replace(result, candidates=broken), make_rows(result))
    assert section.bars == []
    assert section.caption == "There are no importances: the last fold failed: ValueError: these rows."
    tree = next(candidate for candidate in result.candidates if candidate.name == "optimal tree")
    wrong = replace(tree, estimator=QuantBnBTree(max_depth=2, min_samples_leaf=-1))
    section = tree_section(replace(result, candidates=[wrong]))
    assert section.root is None
    assert section.caption.startswith("It could not be fitted on all rows: InvalidParameterError: ")
    unfitted = replace(result, candidates=[wrong], fits=replace(result.fits, shown={}))
    assert tree_section(unfitted) is None


def test_figures_name_the_target(classes):
    result = make_comparison("regression")
    residuals = _figures(result)[1][0]
    assert ">predicted late payment $5$<" in str(residuals.picture)
    assert "mean of late payment $5$" in tree_section(result).caption


def test_letters_that_the_font_lacks_raise_no_warning(classes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = _with_problem(make_comparison("regression"), target="価格")
        assert "価格" in str(_figures(result)[1][0].picture)


def test_a_tree_that_was_cut_to_fewer_rows_is_fitted_on_as_many(classes):
    section = tree_section(classes)
    assert section.root.n_rows == 120
    assert "fitted on 120 of 120 rows and is proved optimal" in section.caption
    cut = replace(classes, fits=replace(classes.fits, shown=classes.fits.shown | {"optimal tree": 70}))
    section = tree_section(cut)
    assert section.root.n_rows == 70
    assert "70 of 120 rows" in section.caption
    none = replace(classes, candidates=[c for c in classes.candidates if c.name != "optimal tree"])
    assert tree_section(none) is None


def test_notes_name_the_row_that_they_are_about(classes):
    notes = all_notes(classes)
    assert notes[0] == ("", "column 'a<b' is not a feature")
    assert ("broken $x_1$", "failed: ValueError: <i>") in [(name, note.split("; ")[0]) for name, note in notes]
