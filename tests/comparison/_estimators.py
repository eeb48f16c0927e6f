"""Estimators that misbehave or tell what they saw, and contests made of them."""

import multiprocessing
import os
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning

from skpapers._contests import Contest, Spec
from skpapers.papers import PAPERS

HERE = "tests.comparison._estimators."
TREE = Spec("sklearn.tree.DecisionTreeClassifier", {"random_state": 0, "max_depth": 3})
STUMP = Spec("sklearn.tree.DecisionTreeClassifier", {"random_state": 0, "max_depth": 1})
REGRESSION_TREE = Spec("sklearn.tree.DecisionTreeRegressor", {"random_state": 0, "max_depth": 3})
DUMMY = Spec("sklearn.dummy.DummyClassifier")
FLAG = 777.0


def pairs(*contests):
    """Return what the comparison takes from the papers, for (name, method, baseline[, needs]) with Specs."""
    paper = replace(PAPERS[0], title="A Title: and more", venue="VENUE 2000")
    return [(paper, Contest(name, "classification", *rest)) for name, *rest in contests]


def by_method(result):
    """Return the table with the names of the methods as its index, in the order of the candidates."""
    names = [candidate.name for candidate in result.candidates if candidate.kind != "baseline"]
    return result.to_frame().set_index("method").loc[names]


def scores_of(result, candidate):
    """Return the scores of a candidate in the first metric, fold by fold."""
    scores = result.fold_scores_
    chosen = (scores["candidate"] == candidate) & (scores["metric"] == result.problem.metrics[0].label)
    return scores.loc[chosen, "score"].to_numpy()


def numbers(n=100, seed=0):
    """Return a table of numbers and two classes that depend on the first."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, (X[:, 0] + rng.normal(size=n) > 0).astype(int)


class Labels(ClassifierMixin, BaseEstimator):
    """Predicts the first class, without probabilities."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class Base(Labels):
    """Predicts the first class."""

    def predict_proba(self, X):
        return np.repeat(np.eye(len(self.classes_))[:1], len(X), axis=0)


class Hangs(Base):
    """Never comes back where the training rows hold the flag."""

    def fit(self, X, y):
        if (X == FLAG).any():
            time.sleep(600)
        return super().fit(X, y)


class Locks(Base):
    """Never comes back, with a lock that only the end of the process releases."""

    def fit(self, X, y):
        self.lock_ = multiprocessing.get_context("spawn").RLock()
        time.sleep(600)
        return super().fit(X, y)


class AlsoHangs(Hangs):
    """A baseline that hangs, too."""


class Dies(Base):
    """Takes its process along."""

    def fit(self, X, y):
        os._exit(1)


class Raises(Base):
    """Fails where the training rows hold the flag."""

    def fit(self, X, y):
        if (X == FLAG).any():
            raise ValueError("the flag was seen\nand a second line")
        return super().fit(X, y)


class Warns(Base):
    """Warns twice in every fit, once of what users need not know."""

    def fit(self, X, y):
        warnings.warn("not yet", ConvergenceWarning, stacklevel=2)
        warnings.warn("old", FutureWarning, stacklevel=2)
        return super().fit(X, y)


class Certified(Base):
    """Says how far from the optimum it is."""

    def __init__(self, gap=0.0, tol=1e-4, time_limit=None, is_optimal=None):
        self.gap = gap
        self.tol = tol
        self.time_limit = time_limit
        self.is_optimal = is_optimal

    def fit(self, X, y):
        self.gap_ = self.gap if self.time_limit is not None and self.time_limit < 150 else 9.0
        if self.is_optimal is not None:
            self.is_optimal_ = self.is_optimal
        return super().fit(X, y)


class Tells(Base):
    """Fail with a message that lists the input: tests read it in the notes."""

    def __init__(self, cv=5, scoring=None):
        self.cv = cv
        self.scoring = scoring

    def fit(self, X, y, sample_weight=None, **params):
        lengths = {name: len(value) for name, value in params.items()}
        weight = None if sample_weight is None else float(np.sum(sample_weight))
        raise ValueError(
            f"X={X.shape}:{X.sum():.9g} y={len(y)} weight={weight} params={lengths} cv={self.cv} scoring={self.scoring}"
        )


class Counts(Base):
    """Writes a line per fit on more rows than a warm-up has."""

    def __init__(self, path=""):
        self.path = path

    def fit(self, X, y):
        if len(X) > 40:
            with Path(self.path).open("a") as file:
                file.write("fit\n")
        return super().fit(X, y)


class Unweighted(RegressorMixin, BaseEstimator):
    """A regressor whose fit takes no weights."""

    def fit(self, X, y):
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


class RaisesOn(Base):
    """Fails where the last column of the training rows holds the value."""

    def __init__(self, value=0.0):
        self.value = value

    def fit(self, X, y):
        if (X[:, -1] == self.value).any():
            raise ValueError("the value was seen")
        return super().fit(X, y)


class Tasks(Labels):
    """Predict the most frequent label of each task; `fit` and `predict` need the task of every row."""

    def fit(self, X, y, task):
        super().fit(X, y)
        self.labels_ = {name: int(np.round(np.mean(y[task == name]))) for name in np.unique(task)}
        return self

    def predict(self, X, task):
        return np.array([self.labels_[name] for name in task])

    def decision_function(self, X, task):
        return 2.0 * self.predict(X, task) - 1.0


class Scaler(TransformerMixin, BaseEstimator):
    """A transformer with a time limit and a selection. Its error names the parameters that it has."""

    def __init__(self, time_limit=None, scoring=None, cv=5, fail=True):
        self.time_limit = time_limit
        self.scoring = scoring
        self.cv = cv
        self.fail = fail

    def fit(self, X, y, sample_domain=None):
        if self.fail:
            domains = None if sample_domain is None else "".join(sorted(set(sample_domain)))
            limit = None if self.time_limit is None else round(self.time_limit, 6)
            raise ValueError(f"limit={limit} scoring={self.scoring} cv={self.cv} domains={domains}")
        self.n_ = len(X)
        return self

    def transform(self, X):
        return X
