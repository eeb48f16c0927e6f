"""Candidates fitted on all rows, and saved with a script that predicts."""

import io
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skpapers.comparison import compare
from skpapers.comparison._refit import refit
from skpapers.comparison._save import save_model
from tests.comparison._estimators import STUMP, TREE, numbers


@pytest.fixture
def mixed(contests):
    """A comparison on numbers, strings, dates and missing values."""
    contests(("tree", TREE, STUMP))
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=90), "c": rng.choice(list("ab"), 90), "b": rng.random(90) > 0.5})
    X["due"] = pd.date_range("2024-01-01", periods=90)[rng.permutation(90)]
    y = np.where((X["x"] > 0) ^ (X["c"] == "a"), "yes", "no")
    X.loc[::7, "x"] = np.nan
    encoded = make_pipeline(make_column_transformer((OneHotEncoder(), ["c"])), LogisticRegression())
    return X, y, compare(X, y, cv=2, estimators={"mine": encoded})


def candidate(result, name):
    return next(candidate for candidate in result.candidates if candidate.name == name)


def test_the_fit_is_that_of_the_same_pipeline_on_all_rows(mixed):
    X, y, result = mixed
    model = refit(result.problem, candidate(result, "tree"))
    problem = result.problem
    plain = make_pipeline(problem.preprocessing, TREE.build()).fit(problem.frame, y)
    np.testing.assert_array_equal(model.predict(X), plain.predict(problem.frame))
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(problem.frame))
    # other columns and another order do not matter
    np.testing.assert_array_equal(model.predict(X[["due", "b", "c", "x"]].assign(more=1)), plain.predict(problem.frame))


def test_an_estimator_of_the_user_keeps_its_columns(mixed):
    X, y, result = mixed
    own = candidate(result, "mine")
    np.testing.assert_array_equal(refit(result.problem, own).predict(X), own.estimator.fit(X, y).predict(X))
    assert np.isfinite(result.fold_scores_.query("candidate == 'mine'")["score"]).all()


def test_a_sample_has_the_rows_of_the_folds(contests):
    contests(("tree", TREE, STUMP))
    X, y = numbers(100)
    result = compare(X, y, cv="time")
    model = refit(result.problem, candidate(result, "tree"), max_rows=40)
    np.testing.assert_array_equal(model.predict(X), TREE.build().fit(X[-40:], y[-40:]).predict(X))


def test_files_and_script(mixed, tmp_path):
    X, _, result = mixed
    X = X.rename(columns={"b": 'a "b" column'})
    result = compare(X, mixed[1], cv=2)
    model = refit(result.problem, candidate(result, "tree"))
    assert save_model(model, tmp_path, "tree") == []
    expected = model.predict(X)
    np.testing.assert_array_equal(joblib.load(tmp_path / "model.joblib").predict(X), expected)
    trusted = skops.io.get_untrusted_types(file=tmp_path / "model.skops")
    np.testing.assert_array_equal(skops.io.load(tmp_path / "model.skops", trusted=trusted).predict(X), expected)
    X.to_csv(tmp_path / "table.csv", index=False)
    run = [sys.executable, str(tmp_path / "predict.py"), str(tmp_path / "table.csv")]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert pd.read_csv(io.StringIO(done.stdout))["prediction"].tolist() == expected.tolist()


def test_without_skops_the_other_files_are_written(mixed, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    model = refit(mixed[2].problem, candidate(mixed[2], "tree"))
    assert save_model(model, tmp_path, "tree") == ["model.skops is not written: skops is not installed"]
    assert {path.name for path in tmp_path.iterdir()} == {"model.joblib", "predict.py"}
