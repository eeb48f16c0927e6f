"""TargetDomainSplit: source rows train, labelled target rows are split and judged."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneOut,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skpapers.few_shot import TargetDomainSplit

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 2))
DOMAIN = np.where(np.arange(30) % 3 == 0, -2, 1)  # every third row is of the target
Y = np.where(DOMAIN > 0, np.array(["a", "b"])[np.arange(30) % 2], np.array(["c", "d"])[np.arange(30) // 3 % 2])


class Domains(ClassifierMixin, BaseEstimator):
    """Its score on the target is 1, on the source 0; it remembers what it was given."""

    __metadata_request__fit = {"sample_domain": True}  # noqa: RUF012

    def __init__(self, shift=0):
        self.shift = shift

    def fit(self, X, y, *, sample_domain=None):
        self.classes_ = np.unique(y)
        self.n_source_ = int(np.sum(np.asarray(sample_domain) > 0))
        self.n_rows_ = len(X)
        return self

    def predict(self, X):
        return np.repeat("c", len(X))

    def score(self, X, y, sample_weight=None):
        return float(np.isin(y, ["c", "d"]).mean()) if self.n_source_ == 20 else -1.0


def splits(cv=5, y=Y, domain=DOMAIN, groups=None, **kwargs):
    return list(TargetDomainSplit(cv, **kwargs).split(X, y, groups, sample_domain=domain))


def test_source_rows_always_train_and_target_rows_are_split_as_cv_says():
    target = np.flatnonzero(DOMAIN < 0)
    inner = list(StratifiedKFold(5).split(X[target], Y[target]))
    assert len(splits()) == 5
    for (train, test), (inner_train, inner_test) in zip(splits(), inner, strict=True):
        assert_array_equal(test, target[inner_test])
        assert_array_equal(train, np.sort(np.concatenate([np.flatnonzero(DOMAIN > 0), target[inner_train]])))


def test_unlabelled_rows_train():
    y = Y.copy()
    y[[0, 3, 27]] = "?"
    tested = np.concatenate([test for _, test in splits(2, y=y, unlabeled="?")])
    assert_array_equal(np.sort(tested), np.setdiff1d(np.flatnonzero(DOMAIN < 0), [0, 3, 27]))
    assert all({0, 3, 27} <= set(train) for train, _ in splits(2, y=y, unlabeled="?"))
    y = np.where(np.isin(np.arange(30), [0, 3]), np.nan, DOMAIN)
    assert not {0, 3} & set(np.concatenate([test for _, test in splits(2, y=y, unlabeled=np.nan)]))
    y = np.where(Y == "c", -1, 3)  # a legal class unless it is named
    assert len(np.concatenate([test for _, test in splits(2, y=y)])) == 10


def test_other_splitters_see_target_rows_in_their_order():
    for train, test in splits(TimeSeriesSplit(3)):
        later = np.setdiff1d(train, np.flatnonzero(DOMAIN > 0))
        assert later.max() < test.min()
    groups = np.arange(30) // 6
    for train, test in splits(GroupKFold(2), groups=groups):
        assert not set(groups[np.setdiff1d(train, np.flatnonzero(DOMAIN > 0))]) & set(groups[test])


def test_the_number_of_splits():
    assert TargetDomainSplit(4).get_n_splits() == 4
    assert TargetDomainSplit(LeaveOneOut()).get_n_splits(X, Y, sample_domain=DOMAIN) == 10
    assert len(splits(LeaveOneOut())) == 10


def test_frames():
    frame = pd.DataFrame(X, columns=["a", "b"], index=np.arange(30)[::-1])
    split = TargetDomainSplit(5).split(frame, pd.Series(Y), sample_domain=pd.Series(DOMAIN))
    for (train, test), (plain_train, plain_test) in zip(split, splits(), strict=True):
        assert_array_equal(train, plain_train)
        assert_array_equal(test, plain_test)


def test_a_search_with_routing_needs_no_request():
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(StandardScaler(), Domains())
        search = GridSearchCV(model, {"domains__shift": [0, 1]}, cv=TargetDomainSplit(5), n_jobs=2)
        search.fit(X, Y, sample_domain=DOMAIN)
        scores = cross_val_score(model, X, Y, cv=TargetDomainSplit(5), params={"sample_domain": DOMAIN})
    assert_array_equal(search.cv_results_["mean_test_score"], 1)
    assert_array_equal(scores, 1)
    assert search.best_estimator_[-1].n_source_ == 20


def test_a_search_without_routing_takes_the_splits():
    model = make_pipeline(StandardScaler(), Domains())
    search = GridSearchCV(model, {"domains__shift": [0, 1]}, cv=splits())
    search.fit(X, Y, domains__sample_domain=DOMAIN)
    assert_array_equal(search.cv_results_["mean_test_score"], 1)
    with pytest.raises(ValueError, match="needs sample_domain"):
        search.set_params(cv=TargetDomainSplit(5)).fit(X, Y, domains__sample_domain=DOMAIN)


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (np.zeros(30), "got 0"),
        (np.ones(30), "there are none"),
        (np.ones(29), "inconsistent numbers"),
        (np.ones((30, 2)), "one number for each row"),
        (["x"] * 30, "could not convert"),
        (None, "needs sample_domain"),
    ],
)
def test_domains_that_say_nothing(domain, message):
    with pytest.raises(ValueError, match=message):
        splits(domain=domain)


@pytest.mark.parametrize("kind", ["string", "Int64", "objects", "polars"])
def test_missing_labels_of_any_type_mark_rows_that_always_train(kind):
    codes = np.arange(30) // 3 % 2
    gap = np.arange(30) % 6 == 0
    values = [None if g else int(c) for g, c in zip(gap, codes, strict=True)]
    y = {
        "string": pd.Series([None if v is None else "cd"[v] for v in values], dtype="string"),
        "Int64": pd.Series(values, dtype="Int64"),
        "objects": np.array(values, dtype=object),
        "polars": pl.Series(values),
    }[kind]
    found = [(list(train), list(test)) for train, test in splits(2, y, unlabeled=np.nan)]
    right = [(list(train), list(test)) for train, test in splits(2, np.where(gap, -1, codes), unlabeled=-1)]
    assert found == right
    with pytest.raises(ValueError, match="Input y contains NaN"):
        splits(2, y)


def test_minus_one_among_other_labels_warns():
    with pytest.warns(UserWarning, match="set unlabeled=-1"):
        splits(2, np.arange(30) // 3 % 3 - 1)
