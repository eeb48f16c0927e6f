"""Numbers and code of the report."""

import shlex
from dataclasses import replace

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skpapers.cli._parser import make_parser
from skpapers.comparison._records import Candidate
from skpapers.comparison._report_content import (
    command_of,
    is_constant,
    make_axes,
    make_rows,
    out_of_fold,
    script,
    shown_rows,
)
from tests.comparison._report_cases import candidates_of, make_comparison


@pytest.fixture(scope="module")
def losses():
    return make_comparison("classification")


def test_the_code_of_every_candidate_builds_its_estimator():
    for candidate in candidates_of("regression") + candidates_of("classification"):
        if candidate.estimator is None:
            continue
        names = {}
        exec(script(candidate), names)
        built = names["model"]
        if candidate.name == "linear":
            built = built[-1]
        assert type(built) is type(candidate.estimator)


def test_the_code_of_an_estimator_of_the_user_imports_its_classes():
    model = Pipeline([("scale", StandardScaler()), ("ridge", Ridge(alpha=2.0))])
    text = script(Candidate("mine", "own", model, repr(model)))
    names = {}
    exec(text, names)
    assert repr(names["model"]) == repr(model)
    assert "from sklearn.linear_model import Ridge\n" in text
    # an unfitted ensemble has no length, and no truth
    forest = Candidate("mine", "own", RandomForestRegressor(), "RandomForestRegressor()")
    assert script(forest).startswith("from sklearn.ensemble import RandomForestRegressor\n")
    unknown = Candidate("mine", "own", Ridge(), "Elsewhere(alpha=1)")
    assert script(unknown) == "model = Elsewhere(alpha=1)"


def test_code_that_is_no_expression_is_left_out():
    assert script(Candidate("mine", "own", Ridge(), "the file 'mine.joblib'")) == ""
    assert script(Candidate("mine", "own", Ridge(), "")) == ""


def test_the_command_of_a_row_is_that_of_the_comparison_for_one_method(losses):
    rows = {row.name: row.command for row in make_rows(losses)}
    words = shlex.split(rows["optimal tree"])
    assert words == [*shlex.split(losses.command), "--methods", "optimal tree"]
    read, _ = make_parser()
    parsed = read.parse_args(shlex.split(command_of("HS tree", f"{losses.command} --methods 'A,HS tree'"))[3:])
    assert parsed.methods == "HS tree"  # the last one counts
    assert shlex.split(rows["broken $x_1$"])[-1] == "broken $x_1$"
    assert rows["linear"] == ""
    assert command_of("optimal tree", "") == ""


def test_a_row_of_a_call_has_a_call(losses):
    call = "skpapers.compare(X, y, cv='time', methods=['HS tree', 'optimal tree'])"
    rows = {row.name: row.command for row in make_rows(replace(losses, command=call))}
    assert rows["optimal tree"] == "skpapers.compare(X, y, cv='time', methods=['optimal tree'])"
    assert rows["linear"] == ""


def test_rows_have_the_scores_of_the_folds(losses):
    rows = {row.name: row for row in make_rows(losses)}
    tree = rows["optimal tree"]
    values = [point.value for point in tree.folds]
    assert np.mean(values) == pytest.approx(tree.score)
    assert tree.score > 0  # a loss is shown positive
    folds = losses.fold_scores_.query("metric == 'log loss'").set_index(["candidate", "fold"])["score"]
    assert values == pytest.approx(folds["optimal tree"].tolist())
    gains = folds["CART, depth 2"] - folds["optimal tree"]
    assert [point.value for point in tree.paired] == pytest.approx(gains.tolist())
    assert tree.baseline.value == pytest.approx(gains.mean())
    assert rows["linear"].paired == []
    assert rows["linear"].baseline is None


def test_a_row_that_failed_has_empty_cells(losses):
    row = next(row for row in make_rows(losses) if row.name == "broken $x_1$")
    assert (row.score_text, row.sd_text, row.fit_text) == ("failed", "", "")
    assert row.folds == row.paired == []
    assert row.baseline is None
    assert make_axes([row]).folds.high > make_axes([row]).folds.low


def test_predictions_are_those_of_every_test_row(losses):
    found = out_of_fold(losses, "optimal tree")
    assert sorted(found.rows) == list(range(120))
    assert found.probabilities.shape == (120, 2)
    assert out_of_fold(losses, "broken $x_1$") is None


def test_figures_show_no_candidate_that_predicts_a_constant(losses):
    rows = make_rows(losses)
    names = shown_rows(rows, losses.candidates)
    assert set(names) == {"linear", "optimal tree"}
    assert is_constant(make_pipeline(DummyRegressor()))
    assert not is_constant(Ridge())
    assert not is_constant(None)
