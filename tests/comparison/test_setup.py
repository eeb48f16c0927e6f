"""Jobs of single folds: samples, and the rows by which early stopping judges."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skpapers import SAMMLPRegressor
from skpapers.comparison import compare
from skpapers.comparison._contract import early_stopping
from skpapers.comparison._records import Candidate, Key
from skpapers.comparison._run import table_of
from skpapers.comparison._setup import Setup
from skpapers.comparison._worker import fit_pipeline
from skpapers.tree import HierarchicalShrinkageClassifierCV
from tests.comparison._estimators import REGRESSION_TREE, STUMP, TREE, numbers
from tests.comparison._fits import classification

STOPS = HistGradientBoostingRegressor(early_stopping=True, max_iter=5, random_state=0, validation_fraction=0.2)
NETWORK = SAMMLPRegressor((4,), early_stopping=True, max_iter=2, random_state=0)


@pytest.fixture
def panel(contests):
    """A problem of 60 dates and 3 assets whose labels look 4 dates ahead."""
    contests(("tree", REGRESSION_TREE, REGRESSION_TREE))
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(180, 2)), columns=["a", "b"])
    X["date"] = np.repeat(pd.date_range("2024-01-01", periods=60), 3)
    X["asset"] = np.tile(list("xyz"), 60)
    y = rng.normal(size=180)
    return compare(X, y, cv="time", time="date", assets="asset", horizon=4, task="regression").problem


def job_of(problem, estimator, max_rows=None, raw=False):
    setup = Setup(Candidate("m", "method", estimator, "m()"), problem, raw)
    train, test = problem.plan.folds[-1]
    return setup, setup.job(Key("m", len(problem.plan.folds) - 1, max_rows), train, test)


@pytest.mark.parametrize("model", [STOPS, NETWORK])
@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: make_pipeline(StandardScaler(), model)])
def test_rows_held_back_in_time_share_no_label_with_those_fitted(panel, model, wrap):
    setup, job = job_of(panel, wrap(model))
    ranks = panel.plan.ranks
    ends = panel.plan.label_end
    train = panel.plan.folds[-1][0]
    assert set(job.train) | set(job.validation) < set(train)
    assert ends[job.train].max() < ranks[job.validation].min()
    assert job.validation.max() == train.max()
    assert len(job.validation) >= early_stopping(model, len(train)).fraction * len(train)
    fitted = fit_pipeline(table_of(panel), job, job.estimator, job.train)
    assert np.isfinite(fitted.predict(panel.frame)).all()
    assert setup.notes == []


def test_the_rows_held_back_decide_when_training_ends(panel):
    """The same model, fitted by hand on the same rows."""
    _, job = job_of(panel, make_pipeline(StandardScaler(), STOPS))
    X = panel.preprocessing.fit_transform(panel.frame.iloc[job.train])
    scaler = StandardScaler().fit(X)
    held = scaler.transform(panel.preprocessing.transform(panel.frame.iloc[job.validation]))
    by_hand = HistGradientBoostingRegressor(**STOPS.get_params()).fit(
        scaler.transform(X), panel.y[job.train], X_val=held, y_val=panel.y[job.validation]
    )
    fitted = fit_pipeline(table_of(panel), job, job.estimator, job.train)
    model = fitted["model"][-1]
    np.testing.assert_array_equal(model.validation_score_, by_hand.validation_score_)


def test_a_sample_is_held_back_from_its_own_rows(panel):
    _, job = job_of(panel, STOPS, max_rows=60)
    latest = panel.plan.folds[-1][0][-60:]
    assert set(job.train) | set(job.validation) < set(latest)


def test_estimators_that_cannot_be_given_rows_are_noted(panel):
    note = "its early stopping holds back random rows, also with rows in the order of time"
    for model in (MLPRegressor(early_stopping=True), make_pipeline(MLPRegressor(early_stopping=True))):
        setup, job = job_of(panel, model)
        assert job.validation is None
        assert setup.notes == [note]
    for model in (LinearRegression(), MLPRegressor(), SAMMLPRegressor((4,))):
        setup, job = job_of(panel, model)
        assert (job.validation, setup.notes) == (None, [])


def test_rows_in_no_order_are_left_to_the_estimator(contests):
    contests(("tree", TREE, STUMP))
    problem = compare(*numbers(60), cv=2).problem
    _, job = job_of(problem, HistGradientBoostingClassifier(early_stopping=True))
    assert job.validation is None
    np.testing.assert_array_equal(job.train, problem.plan.folds[-1][0])


def test_a_class_that_the_fitted_rows_lack_is_not_held_back(contests):
    contests(("tree", TREE, STUMP))
    X, _ = numbers(60)
    y = np.where(np.arange(60) >= 48, 2, np.arange(60) % 2)
    problem = compare(X, y, cv="time", task="classification", scoring="accuracy").problem
    _, job = job_of(problem, HistGradientBoostingClassifier(early_stopping=True, validation_fraction=0.3))
    assert set(problem.y[job.validation]) <= {0, 1}
    fitted = fit_pipeline(table_of(problem), job, job.estimator, job.train)
    assert fitted["model"].classes_.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("model", "n_rows", "expected"),
    [
        (STOPS, 100, (0.2, True)),
        (HistGradientBoostingRegressor(early_stopping=True, validation_fraction=10), 100, (0.1, True)),
        (HistGradientBoostingRegressor(early_stopping=True, validation_fraction=None), 100, (0.1, True)),
        (HistGradientBoostingRegressor(), 10_000, None),
        (HistGradientBoostingRegressor(), 10_001, (0.1, True)),
        (MLPRegressor(early_stopping=True), 100, (0.1, False)),
        (LinearRegression(), 100, None),
    ],
    ids=str,
)
def test_early_stopping_is_read_from_the_estimator(model, n_rows, expected):
    assert early_stopping(model, n_rows) == expected


def test_raw_candidates_get_the_columns_as_they_are(panel):
    _, job = job_of(panel, LinearRegression(), raw=True)
    fitted = fit_pipeline(table_of(panel), job, job.estimator, job.train)
    assert fitted["preprocessing"] == "passthrough"
    assert fitted["model"].feature_names_in_.tolist() == list(panel.frame)


@pytest.mark.parametrize("label_end", [None, np.full(120, 200)])
def test_too_few_rows_for_folds_inside_are_an_error_of_the_fit_alone(label_end):
    table = classification(120, cv="time")
    table = replace(table, plan=replace(table.plan, label_end=label_end))
    setup = Setup(Candidate("HS", "method", HierarchicalShrinkageClassifierCV(), ""), table)
    job = setup.job(Key("HS", 0), np.arange(60 if label_end is not None else 2), np.arange(60, 80))
    with pytest.raises(ValueError, match=r"The training rows are too few|Too many splits|Cannot have number of folds"):
        job.estimator.fit(table.frame.iloc[job.train].to_numpy(dtype=float), table.y[job.train])
