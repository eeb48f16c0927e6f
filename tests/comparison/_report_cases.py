"""Comparisons of small tables that are fitted in this process."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skpapers.comparison import Comparison
from skpapers.comparison._problem import Problem
from skpapers.comparison._records import Candidate, Fits, Key, Outcome, Prediction
from skpapers.comparison._scorers import score_all
from skpapers.comparison._scoring import choose_metrics
from skpapers.comparison._splits import Plan
from skpapers.comparison._tables import clean_features, preprocessing
from skpapers.tree import QuantBnBTree, QuantBnBTreeClassifier

SCRIPT = "<script>throw 1</script>"
# The first metric of classes is a loss.
SCORING = {"regression": ["r2", "mae"], "classification": ["log_loss", "accuracy"]}


def _table(task, n, *, dates):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "income": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(10, 0.5, n).round()),
            "region": rng.choice(["north", "south", "east <b>"], n),
            SCRIPT: rng.normal(size=n),
            "opened": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
        }
    )
    signal = frame[SCRIPT].to_numpy() + (frame["region"] == "north").to_numpy() + 0.5 * rng.normal(size=n)
    y = signal if task == "regression" else np.where(signal > 1, "default", "paid & <b>gone</b>")
    times = pd.Series(pd.bdate_range("2024-01-01", periods=dates).repeat(n // dates), name="date") if dates else None
    return frame, y, times


def make_problem(task, n=120, *, dates=0, assets=False, scoring=None):
    """Return a problem with numbers, strings, dates and missing values; rows of a date are its assets."""
    frame, y, times = _table(task, n, dates=dates)
    features, kinds, _ = clean_features(frame)
    ranks = None
    folds = list(KFold(3).split(frame))
    if dates:
        ranks = np.arange(n) // (n // dates)
        windows = TimeSeriesSplit(3).split(np.arange(dates))
        folds = [(np.flatnonzero(np.isin(ranks, a)), np.flatnonzero(np.isin(ranks, b))) for a, b in windows]
    return Problem(
        frame=features,
        y=y,
        target="late payment $5$",
        task=task,
        plan=Plan(folds, "3 folds", ranks),
        groups=None,
        sample_weight=None,
        metadata={},
        preprocessing=preprocessing(features, kinds),
        metrics=choose_metrics(list(scoring or SCORING[task]), task, y, timed=bool(dates), panel=assets),
        scoring=None,
        classes=np.unique(y) if task == "classification" else None,
        times=times,
        assets=np.arange(n) % (n // dates) if assets else None,
        notes=("column 'a<b' is not a feature",),
    )


def candidates_of(task):
    """Return a method, its baseline, two references, and a method that failed."""
    if task == "regression":
        tree = QuantBnBTree(max_depth=2)
        cart = DecisionTreeRegressor(max_depth=2, random_state=0)
        linear = Ridge()
        constant = Candidate("mean", "reference", DummyRegressor(), "sklearn.dummy.DummyRegressor()")
    else:
        tree = QuantBnBTreeClassifier(max_depth=2)
        cart = DecisionTreeClassifier(max_depth=2, random_state=0)
        linear = LogisticRegression()
        constant = Candidate("majority", "reference", DummyClassifier(), "sklearn.dummy.DummyClassifier()")
    name = type(tree).__name__
    return (
        Candidate("optimal tree", "method", tree, f"skpapers.{name}(max_depth=2)", "CART, depth 2", "Quant-BnB, 2022"),
        Candidate("CART, depth 2", "baseline", cart, f"sklearn.tree.{type(cart).__name__}(max_depth=2)"),
        Candidate(
            "linear",
            "reference",
            linear,
            f"sklearn.pipeline.make_pipeline(sklearn.preprocessing.StandardScaler(), "
            f"sklearn.linear_model.{type(linear).__name__}())",
        ),
        constant,
        Candidate("broken $x_1$", "method", None, "skpapers.Broken()", "CART, depth 2", "", "ValueError: <i>"),
    )


def _outcome(problem, candidate, train, test):
    model = Pipeline([("preprocessing", clone(problem.preprocessing)), ("model", clone(candidate.estimator))])
    frame = problem.frame
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(frame.iloc[train], problem.y[train])
        dates = None if problem.plan.ranks is None else problem.plan.ranks[test]
        scores = score_all(problem.metrics, model, frame.iloc[test], problem.y[test], dates=dates)
    probabilities = model.predict_proba(frame.iloc[test]) if hasattr(model, "predict_proba") else None
    prediction = Prediction(test, model.predict(frame.iloc[test]), probabilities)
    return Outcome(scores, 0.5, 0.5, prediction=prediction)


@cache
def make_comparison(
    task, n=120, *, dates=0, assets=False, scoring=None, command="python -m skpapers compare t.csv --target y"
):
    """Fit the candidates on every fold, in this process; once for all tests, which do not change the result."""
    problem = make_problem(task, n, dates=dates, assets=assets, scoring=scoring)
    candidates = candidates_of(task)
    outcomes = {
        Key(candidate.name, fold): _outcome(problem, candidate, *rows)
        for candidate in candidates
        if candidate.estimator is not None
        for fold, rows in enumerate(problem.plan.folds)
    }
    fits = Fits(outcomes, {key.candidate: None for key in outcomes}, {"broken $x_1$": ["failed: ValueError: <i>"]})
    return Comparison(problem, candidates, fits, command, notes=problem.notes)
