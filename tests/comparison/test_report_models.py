"""What the report fits itself."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import get_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeRegressor

from skpapers.comparison._records import Candidate, Key
from skpapers.comparison._report_models import (
    N_COLUMNS,
    N_TEST_ROWS,
    TREE_SECONDS,
    fit,
    importances,
    optimal_tree,
    sampled,
)
from tests.comparison._report_cases import SCRIPT, candidates_of, make_comparison, make_problem


@pytest.mark.parametrize("n_columns", [3, 80])
def test_importances_are_those_of_the_closed_form(n_columns):
    # permuting x_j adds 2 b_j^2 var(x_j) to the squared error of a linear model that is exact
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(2000, n_columns)), columns=[f"c{j}" for j in range(n_columns)])
    y = 3.0 * X["c2"].to_numpy() + 1.0 * X["c0"].to_numpy()
    model = LinearRegression().fit(X, y)
    found = importances(model, X, y, get_scorer("r2"))
    assert len(found) == min(n_columns, N_COLUMNS)
    assert [bar.column for bar in found[:2]] == ["c2", "c0"]
    assert found[0].mean == pytest.approx(2 * 9 / 10, rel=0.1)
    assert found[1].mean == pytest.approx(2 * 1 / 10, rel=0.1)
    assert found[2].mean == pytest.approx(0, abs=1e-9)
    assert all(bar.low <= bar.mean <= bar.high for bar in found)


def test_importances_are_those_of_whole_columns_and_leave_the_table_alone():
    frame = pd.DataFrame({"kind": ["a", "b", "c", "d"] * 30, "noise": np.arange(120.0)})
    y = frame["kind"].map({"a": 0.0, "b": 1.0, "c": 5.0, "d": 9.0}).to_numpy()
    one_hot = FunctionTransformer(lambda X: pd.get_dummies(X["kind"]).to_numpy(dtype=float))
    model = make_pipeline(one_hot, DecisionTreeRegressor()).fit(frame, y)
    before = frame.copy()
    found = importances(model, frame, y, get_scorer("r2"))
    assert [bar.column for bar in found] == ["kind", "noise"]
    pd.testing.assert_frame_equal(frame, before)
    again = importances(model, frame, y, get_scorer("r2"))
    assert again == found


def test_a_sample_of_a_panel_has_whole_dates():
    test = np.arange(1000, 13_000)
    dates = np.arange(12_000) // 100
    chosen = sampled(test, dates)
    assert 1800 <= len(chosen) <= N_TEST_ROWS
    counts = np.bincount(dates[chosen - 1000])
    assert set(counts) == {0, 100}
    assert counts[0] == counts[-1] == 100
    few = sampled(np.arange(30_000), np.arange(30_000) // 10_000)
    assert len(few) == 20_000


def test_a_sample_of_rows_is_ordered_and_without_repeats():
    test = np.arange(500, 9000)
    chosen = sampled(test, None)
    assert len(chosen) == N_TEST_ROWS
    assert (np.diff(chosen) > 0).all()
    assert np.isin(chosen, test).all()
    np.testing.assert_array_equal(sampled(test, None), chosen)
    np.testing.assert_array_equal(sampled(test[:100], None), test[:100])


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_the_optimal_tree_is_that_of_all_rows(task):
    problem = make_problem(task)
    candidate = candidates_of(task)[0]
    root, tree = optimal_tree(problem, candidate)
    assert root.n_rows == len(problem.y)
    assert SCRIPT in root.question or "region is north" in root.question
    leaves = [leaf for half in (root.yes, root.no) for leaf in (half.yes, half.no)]
    assert sum(leaf.n_rows for leaf in leaves) == root.n_rows
    assert tree.is_optimal_
    assert not hasattr(candidate.estimator, "tree_")
    assert tree.time_limit == TREE_SECONDS
    if task == "classification":
        assert {leaf.answer for leaf in leaves} <= set(problem.classes)
        assert all(leaf.detail.endswith(" %") for leaf in leaves)


def test_a_fit_for_the_report_is_that_of_the_fold():
    result = make_comparison("classification")
    problem = result.problem
    candidate = candidates_of("classification")[0]
    train, test = problem.plan.folds[-1]
    model, rows = fit(problem, candidate, None, train)
    np.testing.assert_array_equal(rows, train)
    stored = result.fits.outcomes[Key("optimal tree", 2)].prediction
    np.testing.assert_array_equal(model.predict(problem.frame.iloc[test]), stored.values)
    _, few = fit(problem, candidate, 30, train)
    assert len(few) == 30
    assert np.isin(few, train).all()


def test_an_estimator_of_the_user_gets_the_columns_as_they_are():
    problem = make_problem("regression")
    tree = DecisionTreeRegressor(max_depth=2, random_state=0)
    raw = make_pipeline(FunctionTransformer(lambda X: (X[["region"]] == "north").to_numpy(dtype=float)), tree)
    model, _ = fit(problem, Candidate("mine", "own", raw, ""), None, np.arange(100))
    assert model.predict(problem.frame.iloc[100:]).shape == (20,)
