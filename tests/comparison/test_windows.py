"""Windows over distinct timestamps, by their defining properties and against scikit-learn and skfolio."""

import sys

import numpy as np
import pytest
from sklearn.model_selection import TimeSeriesSplit

from skpapers.comparison._purging import purge
from skpapers.comparison._windows import combinatorial_folds, default_embargo, time_folds, walk_forward_folds
from tests.comparison._asserts import same
from tests.comparison._panels import panel


@pytest.mark.parametrize("gap", [0, 1, 3])
@pytest.mark.parametrize("most", [1, 7])
@pytest.mark.parametrize("seed", range(5))
def test_windows_never_train_on_the_future(seed, most, gap):
    rng = np.random.default_rng(seed)
    ranks = panel(rng, int(rng.integers(12, 40)), most)
    folds = time_folds(ranks, gap)
    assert len(folds) == 5
    for train, test in folds:
        assert ranks[train].max() + gap < ranks[test].min()
        assert not set(ranks[train]) & set(ranks[test])
        # whole timestamps on both sides, and nothing between them but the gap
        assert np.isin(ranks, ranks[train]).sum() == len(train)
        assert np.isin(ranks, ranks[test]).sum() == len(test)
        assert ranks[test].min() - ranks[train].max() == gap + 1
    tested = np.concatenate([test for _, test in folds])
    assert len(tested) == len(np.unique(tested))
    assert tested.max() == len(ranks) - 1


@pytest.mark.parametrize("gap", [0, 2])
def test_windows_equal_time_series_split_on_distinct_times(gap):
    same(time_folds(np.arange(47), gap), TimeSeriesSplit(5, gap=gap).split(np.zeros(47)))


@pytest.mark.parametrize("gap", [0, 4])
@pytest.mark.parametrize("most", [1, 5])
def test_rolling_windows_have_one_length_and_end_with_the_last_timestamp(most, gap):
    ranks = panel(np.random.default_rng(most), 50, most)
    folds = walk_forward_folds(ranks, gap, train_size=12, step=7)
    assert len(folds) == (50 - gap - 12) // 7
    for number, (train, test) in enumerate(folds):
        first = 50 - 7 * (len(folds) - number)
        np.testing.assert_array_equal(test, np.flatnonzero((ranks >= first) & (ranks < first + 7)))
        last = first - gap
        np.testing.assert_array_equal(train, np.flatnonzero((ranks >= last - 12) & (ranks < last)))


def test_rolling_windows_by_default():
    folds = walk_forward_folds(np.arange(103))
    assert [(len(train), len(test)) for train, test in folds] == [(51, 10)] * 5
    assert [len(test) for _, test in walk_forward_folds(np.arange(103), train_size=90)] == [2] * 6
    assert [len(train) for train, _ in walk_forward_folds(np.arange(103), 3, step=20)] == [50] * 2


def test_rolling_windows_equal_time_series_split():
    same(
        walk_forward_folds(np.arange(60), 2, train_size=20, step=5),
        TimeSeriesSplit(7, gap=2, max_train_size=20, test_size=5).split(np.zeros(60)),
    )


@pytest.mark.parametrize("seed", range(3))
def test_combinatorial_folds_of_a_panel(seed):
    ranks = panel(np.random.default_rng(seed), 47, 4)
    folds = combinatorial_folds(ranks)
    assert len(folds) == 15
    tested = np.zeros(len(ranks), dtype=int)
    for train, test in folds:
        assert not set(ranks[train]) & set(ranks[test])
        assert len(train) + len(test) == len(ranks)
        tested[test] += 1
    np.testing.assert_array_equal(tested, 5)  # each row is on five paths


@pytest.mark.parametrize(("horizon", "embargo"), [(0, 0), (3, 0), (0, 4), (3, 2)])
def test_purging_of_one_series_equals_skfolio(horizon, embargo):
    skfolio = pytest.importorskip("skfolio.model_selection")
    ranks = np.arange(66)
    peer = skfolio.CombinatorialPurgedCV(6, 2, purged_size=horizon, embargo_size=embargo)
    expected = [(train, np.concatenate(tests)) for train, tests in peer.split(np.zeros((66, 1)))]
    ours = [(purge(train, test, ranks, ranks + horizon, embargo), test) for train, test in combinatorial_folds(ranks)]
    same(ours, expected)


def test_embargo_by_default():
    assert [default_embargo(n) for n in (50, 100, 1250)] == [0, 1, 12]


def test_combinatorial_folds_need_skfolio(monkeypatch):
    monkeypatch.setitem(sys.modules, "skfolio.model_selection", None)
    with pytest.raises(ValueError, match=r"^cv='purged' needs skfolio: pip install 'skpapers\[quant\]'\.$"):
        combinatorial_folds(np.arange(60))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: time_folds(np.arange(5), time_name="day"), "^day: cv='time' needs more .* there are 5"),
        (lambda: time_folds(np.arange(60), 20), "cv='time' with a gap or horizon of 20 needs more distinct timestamps"),
        (
            lambda: walk_forward_folds(np.arange(30), 1, train_size=20, step=5),
            "cv='walk-forward' with train_size=20, step=5 and a gap or horizon of 1 needs 31 distinct timestamps for "
            "two windows; there are 30",
        ),
        (lambda: combinatorial_folds(np.arange(11)), "cv='purged' needs 12 distinct timestamps for 6 blocks"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
