"""Purging checked pair by pair: no overlap is left, and no row is dropped without one."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LassoCV
from sklearn.model_selection import GridSearchCV

from skpapers.comparison._purging import PurgedSplit, held_back, label_ends, purge, without_groups
from skpapers.comparison._splits import Plan
from tests.comparison._panels import blocks, embargoed, overlap, panel


@pytest.mark.parametrize("embargo", [0, 3])
@pytest.mark.parametrize("longest", [0, 1, 6])
@pytest.mark.parametrize("seed", range(4))
def test_exactly_the_overlapping_rows_are_dropped(seed, longest, embargo):
    rng = np.random.default_rng(seed)
    ranks = panel(rng, 36, 4)
    ends = ranks + rng.integers(0, longest + 1, len(ranks))
    test = blocks(ranks, rng.choice(6, 2, replace=False))
    train = np.setdiff1d(np.arange(len(ranks)), test)
    expected = [
        i
        for i in train
        if not any(overlap(i, j, ranks, ends) or (embargo and embargoed(i, j, ranks, ends, embargo)) for j in test)
    ]
    np.testing.assert_array_equal(purge(train, test, ranks, ends, embargo), expected)


def test_rows_of_a_split_timestamp():
    ranks = np.repeat(np.arange(6), 4)
    test = np.flatnonzero(np.arange(24) % 8 == 5)  # one row of ranks 1, 3 and 5
    train = np.setdiff1d(np.arange(24), test)
    kept = purge(train, test, ranks, ranks)
    np.testing.assert_array_equal(kept, np.flatnonzero(np.isin(ranks, [0, 2, 4])))
    np.testing.assert_array_equal(purge(train, test, ranks, None), train)  # labels known at once
    np.testing.assert_array_equal(np.unique(ranks[purge(train, test, ranks, None, 1)]), [0, 1, 3, 5])


def test_label_ends_between_timestamps_end_with_the_one_before():
    times = np.array([10, 20, 30])
    np.testing.assert_array_equal(label_ends(times, np.array([10, 19, 20, 29.5, 30, 99])), [0, 0, 1, 1, 2, 3])


@pytest.mark.parametrize("gap", [0, 2])
@pytest.mark.parametrize("longest", [1, 5])
@pytest.mark.parametrize("seed", range(4))
def test_inner_folds_have_no_overlap_and_lose_no_other_row(seed, longest, gap):
    rng = np.random.default_rng(seed)
    ranks = panel(rng, 40, 4)
    ends = ranks + rng.integers(0, longest + 1, len(ranks))
    groups = rng.integers(0, 30, len(ranks))
    for within in (None, groups):
        cv = PurgedSplit(ranks, ends, gap, within)
        folds = list(pickle.loads(pickle.dumps(cv)).split(np.zeros((len(ranks), 2))))
        assert len(folds) == cv.get_n_splits() == cv.get_n_splits(np.zeros(len(ranks))) == 5
        for train, test in folds:
            first = ranks[test].min()
            expected = [
                i
                for i in np.flatnonzero(ranks + gap < first)
                if not any(overlap(i, j, ranks, ends) for j in test)
                and (within is None or groups[i] not in groups[test])
            ]
            np.testing.assert_array_equal(train, expected)
            np.testing.assert_array_equal(test, np.flatnonzero(np.isin(ranks, ranks[test])))


def test_inner_folds_count_the_timestamps_of_a_hole():
    ranks = np.r_[0:10, 30:40]
    folds = list(PurgedSplit(ranks, ranks + 15).split(ranks))
    assert folds
    for train, test in folds:
        assert ranks[train].max() + 15 < ranks[test].min()
    assert max(ranks[test].max() for _, test in folds) == 39


@pytest.mark.parametrize("seed", range(4))
def test_folds_inside_inner_folds_have_no_overlap(seed):
    rng = np.random.default_rng(seed)
    ranks = panel(rng, 60, 3)
    ends = ranks + rng.integers(0, 5, len(ranks))
    cv = PurgedSplit(ranks, ends)
    for train, _ in cv.split(ranks):
        if len(train) < 40:
            continue
        for inner_train, inner_test in cv.split(np.zeros((len(train), 1))):
            assert ends[train][inner_train].max() < ranks[train][inner_test].min()


def test_scikit_learn_searches_with_it():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    cv = PurgedSplit(np.arange(120), np.arange(120) + 4)
    search = GridSearchCV(LassoCV(cv=cv), {"eps": [1e-2, 1e-3]}, cv=cv)
    model = clone(search).fit(X, X[:, 0])
    assert model.n_splits_ == 5
    assert repr(model.cv) == "PurgedSplit(n_rows=120, gap=0, longest=4)"


def test_inner_folds_without_training_rows_are_left_out_or_an_error():
    ranks = np.arange(20)
    ends = np.where(ranks < 8, 19, ranks)  # the first labels end with the table
    folds = list(PurgedSplit(ranks, ends).split(ranks))
    assert folds
    assert all(ranks[train].min() >= 8 for train, _ in folds)
    with pytest.raises(ValueError, match="The training rows are too few for folds inside them: labels of up to"):
        list(PurgedSplit(ranks, np.full(20, 19)).split(ranks))


def test_groups_with_a_test_row():
    groups = np.array([0, 1, 2, 0, 3])
    np.testing.assert_array_equal(without_groups(np.array([0, 1, 2]), np.array([3, 4]), groups), [1, 2])
    np.testing.assert_array_equal(without_groups(np.array([0, 1, 2]), np.array([3, 4]), None), [0, 1, 2])


@pytest.mark.parametrize("gap", [0, 3])
@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_rows_held_back_are_the_last_and_overlap_no_other(seed, fraction, gap):
    rng = np.random.default_rng(seed)
    ranks = panel(rng, 50, 4)
    ends = ranks + rng.integers(0, 6, len(ranks))
    groups = rng.integers(0, 80, len(ranks))
    train = np.sort(rng.choice(len(ranks), len(ranks) * 2 // 3, replace=False))
    for within in (None, groups):
        fit, held = held_back(train, Plan([], "", ranks, gap, ends, within), fraction)
        first = ranks[held].min()
        np.testing.assert_array_equal(held, train[ranks[train] >= first])
        assert len(held) >= fraction * len(train)
        assert np.sum(ranks[held] > first) < fraction * len(train)  # one timestamp fewer would be too few
        expected = [
            i
            for i in train
            if ranks[i] + gap < first
            and not any(overlap(i, j, ranks, ends) for j in held)
            and (within is None or groups[i] not in groups[held])
        ]
        np.testing.assert_array_equal(fit, expected)


def test_nothing_is_held_back_where_nothing_would_be_left():
    plan = Plan([], "", np.zeros(9, dtype=int))
    fit, held = held_back(np.arange(9), plan, 0.1)
    np.testing.assert_array_equal(fit, np.arange(9))
    assert len(held) == 0
    long = Plan([], "", np.arange(9), 0, np.full(9, 20))
    assert len(held_back(np.arange(9), long, 0.1)[1]) == 0
    with pytest.raises(ValueError, match="no time order"):
        held_back(np.arange(9), Plan([], ""), 0.1)
