"""Folds checked by their defining properties, and against scikit-learn where it has the same."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LassoCV
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)
from sklearn.tree import DecisionTreeRegressor

from skpapers.comparison._purging import PurgedSplit
from skpapers.comparison._splits import Plan, Windows, inner_cv, make_plan
from skpapers.comparison._windows import time_folds
from tests.comparison._asserts import same
from tests.comparison._panels import embargoed, overlap, panel


def plan(cv, n=60, *, ranks=None, groups=None, task="regression", y=None, rows=None, **windows):
    """Return the plan of `n` rows."""
    y = np.arange(float(n)) if y is None else y
    rows = np.arange(n) if rows is None else rows
    if "horizon" in windows:
        windows["label_end"] = (np.arange(n) if ranks is None else ranks) + windows["horizon"]
    X = np.zeros((n, 2))
    return make_plan(cv, X, y, task, ranks=ranks, groups=groups, rows=rows, windows=Windows(**windows))


@pytest.mark.parametrize("gap", [0, 1, 4])
@pytest.mark.parametrize("seed", range(5))
def test_inner_folds_never_train_on_the_future(seed, gap):
    ranks = panel(np.random.default_rng(seed), 120, 5)
    estimator = GridSearchCV(LassoCV(), {"eps": [1e-3]})
    for train, test in time_folds(ranks, gap):
        params = inner_cv(estimator, Plan([(train, test)], "", ranks, gap), train, None)
        assert set(params) == {"cv", "estimator__cv"}
        for cv in params.values():
            for inner_train, inner_test in cv.split(np.zeros(len(train))):
                assert ranks[train][inner_train].max() + gap < ranks[train][inner_test].min()


def test_inner_test_sets_shrink_where_the_gap_takes_most_rows():
    ranks = np.repeat([0, 1, 2], 100)
    cv = inner_cv(LassoCV(), Plan([], "", ranks, 1), np.arange(300), None)["cv"]
    folds = list(cv.split(np.zeros(300)))
    assert len(folds) == 5
    assert all(ranks[train].max() + 1 < ranks[test].min() for train, test in folds)
    assert repr(inner_cv(LassoCV(), plan("time"), np.arange(40), None)["cv"]) == repr(TimeSeriesSplit(5))


@pytest.mark.parametrize(("n", "n_splits"), [(3, 2), (4, 3), (5, 4), (6, 5), (7, 5)])
def test_few_rows_get_as_many_inner_folds_as_they_allow(n, n_splits):
    cv = inner_cv(LassoCV(), plan("time"), np.arange(n), None)["cv"]
    folds = list(cv.split(np.zeros(n)))
    assert len(folds) == n_splits
    assert all(train.max() < test.min() for train, test in folds)


@pytest.mark.parametrize("ranks", [[0, 1], [0, 0, 0, 0]])
def test_too_few_rows_keep_inner_folds_in_time_order_and_fail(ranks):
    ranks = np.array(ranks)
    cv = inner_cv(LassoCV(), Plan([], "", ranks, 0), np.arange(len(ranks)), None)["cv"]
    assert isinstance(cv, TimeSeriesSplit)
    with pytest.raises(ValueError, match=r"Too many splits|Cannot have number of folds"):
        list(cv.split(np.zeros(len(ranks))))


def test_inner_folds_elsewhere():
    train = np.arange(40)
    groups = np.arange(60) // 5
    assert inner_cv(DecisionTreeRegressor(), plan("time"), train, None) == {}
    assert inner_cv(LassoCV(), plan(5), train, None) == {}
    cv = inner_cv(LassoCV(), plan(5, groups=groups), train, groups)["cv"]
    assert isinstance(cv, GroupKFold)
    assert cv.n_splits == 5
    assert inner_cv(LassoCV(), plan(5), train, np.repeat([0, 1, 2], 20))["cv"].n_splits == 2
    assert inner_cv(LassoCV(), plan(5), train, np.zeros(60, dtype=int)) == {}


def test_numbers_of_folds_mean_what_they_mean_in_scikit_learn():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    groups = rng.integers(0, 12, 60)
    X = np.zeros((60, 1))
    same(plan(None).folds, KFold(5).split(X))
    same(plan(3).folds, KFold(3).split(X))
    same(plan(None, task="classification", y=y).folds, StratifiedKFold(5).split(X, y))
    same(plan(4, groups=groups).folds, [tuple(map(np.sort, f)) for f in GroupKFold(4).split(X, groups=groups)])
    same(plan(4, groups=groups, task="classification", y=y).folds, StratifiedGroupKFold(4).split(X, y, groups))


def test_a_walk_forward_splitter_makes_inner_folds_walk_forward():
    assert plan(TimeSeriesSplit(3)).ranks is not None
    assert plan(KFold(3)).ranks is None
    assert plan(KFold(3), ranks=np.arange(60)).ranks is not None
    assert plan([(range(30), range(30, 60))]).ranks is not None


def test_skfolio_splitters():
    skfolio = pytest.importorskip("skfolio.model_selection")
    walk = skfolio.WalkForward(train_size=20, test_size=10, purged_size=2)
    same(plan(walk).folds, walk.split(np.zeros((60, 2))))
    assert plan(walk).ranks is not None
    purged = skfolio.CombinatorialPurgedCV(n_folds=5, n_test_folds=2)
    expected = [(train, np.sort(np.concatenate(tests))) for train, tests in purged.split(np.zeros((60, 2)))]
    same(plan(purged).folds, expected)


def test_given_splits_name_the_rows_as_given():
    rows = np.array([2, 1, -1, 0])  # row 2 was dropped, the others are in reverse order
    folds = plan([([0, 1, 2], [3])], 3, rows=rows).folds
    same(folds, [([1, 2], [0])])
    same(plan([(np.array([True, True, False, False]), [3])], 3, rows=rows).folds, [([1, 2], [0])])


@pytest.mark.parametrize(
    ("cv", "options", "message"),
    [
        (
            "weekly",
            {},
            "cv='weekly' is unknown; it must be a number of folds, 'time', 'walk-forward', 'purged', a "
            "splitter or splits",
        ),
        (1, {}, "cv=1 is not a number of folds"),
        (True, {}, "cv=True is not a number of folds"),
        (3.5, {}, "cv=3.5 is unknown"),
        (61, {}, "cv=61 needs at least 61 rows; there are 60"),
        (5, {"groups": np.repeat([0, 1, 2], 20)}, "cv=5 needs at least 5 groups; there are 3"),
        (5, {"task": "classification", "y": np.arange(60)}, "a class with at least 5 rows"),
        (5, {"gap": 1}, "gap needs folds in time"),
        (None, {"gap": 1}, "gap needs folds in time"),
        ("time", {"ranks": np.repeat([0, 1, 2, 3, 4], 12)}, "more distinct timestamps for 5 windows; there are 5"),
        ("time", {"gap": 20}, "cv='time' with a gap or horizon of 20 needs more distinct"),
        ([], {}, "cv gives no split at all"),
        ([(range(10), range(5, 20))], {}, "split 1 tests on rows that it trains on"),
        ([(range(10), range(50, 61))], {}, "split 1 names rows outside 0 to 59"),
        ([(range(10), [])], {}, "two one-dimensional arrays of row numbers"),
        ([(range(10), np.array([], dtype=int))], {}, "split 1 has no training rows or no test rows"),
        ([range(10)], {}, "split 1 must be a pair"),
        ([([0.5], [1])], {}, "two one-dimensional arrays of row numbers"),
    ],
)
def test_errors(cv, options, message):
    with pytest.raises(ValueError, match=message):
        plan(cv, **options)


@pytest.mark.parametrize(
    ("options", "name", "n_times"),
    [
        ({"cv": "time", "horizon": 4}, "5 expanding windows in time, horizon 4", 60),
        ({"cv": "time", "horizon": 2, "gap": 4}, "5 expanding windows in time, gap 4, horizon 2", 60),
        (
            {"cv": "walk-forward", "horizon": 3, "train_size": 20, "step": 8},
            "4 rolling windows in time, 20 timestamps to train, 8 to test, horizon 3",
            60,
        ),
        (
            {"cv": "purged", "horizon": 3, "embargo": 2},
            "15 combinatorial folds in time, 2 of 6 blocks tested, embargo 2, horizon 3",
            60,
        ),
        ({"cv": "purged"}, "15 combinatorial folds in time, 2 of 6 blocks tested, embargo 1, gap 0", 110),
        ({"cv": "purged", "gap": 2}, "15 combinatorial folds in time, 2 of 6 blocks tested, embargo 0, gap 2", 60),
    ],
)
def test_no_label_of_a_panel_overlaps_that_of_a_test_row(options, name, n_times):
    ranks = panel(np.random.default_rng(0), n_times, 3)
    found = plan(ranks=ranks, n=len(ranks), **options)
    assert found.name == name
    length = max(options.get("horizon", 0), options.get("gap", 0))
    ends = ranks + length
    for train, test in found.folds:
        assert len(train) > 0
        assert not any(overlap(i, j, ranks, ends) for i in train for j in test)
        embargo = options.get("embargo", n_times // 100)
        dropped = np.setdiff1d(np.arange(len(ranks)), [*train, *test])
        if options["cv"] == "purged":  # and no other row is lost
            for i in dropped:
                assert any(overlap(i, j, ranks, ends) or embargoed(i, j, ranks, ends, embargo) for j in test)


def test_rolling_windows_keep_their_length_beside_a_horizon():
    found = plan("walk-forward", horizon=5, train_size=20, step=10)
    assert [len(train) for train, _ in found.folds] == [20, 20, 20]


def test_label_ends_of_single_rows():
    ranks = np.arange(60)
    ends = ranks.copy()
    ends[3] = 59
    found = plan("time", label_end=ends)
    assert found.name == "5 expanding windows in time, purged by label ends"
    assert all(3 not in train and 2 in train for train, _ in found.folds)
    inner = inner_cv(LassoCV(), found, np.arange(40), None)["cv"]
    assert isinstance(inner, PurgedSplit)
    assert all(3 not in train and 2 in train for train, _ in inner.split(np.zeros(40)))


def test_a_splitter_of_ones_own_is_purged_by_labels_alone():
    folds = plan(KFold(3), horizon=4, gap=9).folds
    for (train, test), (all_train, all_test) in zip(folds, KFold(3).split(np.zeros(60)), strict=True):
        np.testing.assert_array_equal(test, all_test)
        assert set(all_train) - set(train) == {i for i in all_train if any(abs(i - j) <= 4 for j in test)}
    np.testing.assert_array_equal(plan(KFold(3), embargo=2).folds[0][0], np.arange(22, 60))
    found = plan(KFold(3), horizon=4)
    np.testing.assert_array_equal(found.ranks, np.arange(60))
    np.testing.assert_array_equal(found.label_end, np.arange(60) + 4)


def test_rows_of_one_group_are_not_on_both_sides_of_a_window():
    groups = np.arange(60) // 7
    found = plan("time", groups=groups)
    full = plan("time")
    for (train, test), (all_train, all_test) in zip(found.folds, full.folds, strict=True):
        np.testing.assert_array_equal(test, all_test)
        assert set(train) == {i for i in all_train if groups[i] not in groups[test]}
    inner = inner_cv(LassoCV(), found, np.arange(40), None)["cv"]
    for train, test in inner.split(np.zeros(40)):
        assert not set(groups[train]) & set(groups[test])
    with pytest.raises(ValueError, match=r"^groups: every training row of fold 1 .* name them as assets"):
        plan("time", groups=np.arange(60) % 4)


@pytest.mark.parametrize(
    ("cv", "options", "message"),
    [
        (5, {"horizon": 2}, "horizon needs folds in time: cv='time'"),
        (None, {"label_end": np.arange(60)}, "label_end needs folds in time"),
        (None, {"embargo": 0}, "embargo needs folds in time"),
        ("time", {"train_size": 20}, "train_size is the length of a rolling window; it needs cv='walk-forward'"),
        ("purged", {"step": 2}, "step is the length of a rolling window"),
        ("purged", {"horizon": 60}, r"No training row of fold 1 is left: each is too close in .* \(horizon 60\)\.$"),
        ("purged", {"embargo": 60}, r"No training row of fold 1 is left: .* \(gap 0, embargo 60\)\.$"),
        ("time", {"label_end": np.full(60, 60)}, r"No training row of fold 1 is left.*\(purged by label ends\)"),
    ],
)
def test_errors_of_windows(cv, options, message):
    with pytest.raises(ValueError, match=message):
        plan(cv, **options)


def test_given_splits_are_counted():
    one = (np.arange(40), np.arange(40, 60))
    assert plan([one]).name == "1 fold (given splits)"
    assert plan([one, one[::-1]]).name == "2 folds (given splits)"


def test_a_rare_class_is_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = plan(5, task="classification", y=np.array([0, 1] * 29 + [1, 2]))
    assert len(found.folds) == 5
