"""The whole comparison, with estimators whose answers are known beforehand."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline

from skpapers._contests import Spec
from skpapers.comparison import _candidates, _compare, _jobs, compare
from skpapers.comparison._problem import make_problem
from skpapers.comparison._statistics import paired_family
from tests.comparison._estimators import DUMMY, FLAG, HERE, REGRESSION_TREE, STUMP, TREE, by_method, numbers, scores_of


def without_times(result):
    """Return the tables of a comparison without what no two runs share."""
    return (
        result.to_frame().drop(columns=["fit_seconds", "baseline_fit_seconds"]),
        result.fold_scores_.drop(columns="fit_seconds"),
    )


def assert_same(first, second):
    """Assert that two comparisons found the same."""
    for one, other in zip(without_times(first), without_times(second), strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_equals_cross_val_score(contests):
    contests(("tree", TREE, STUMP))
    X, y = numbers()
    result = compare(X, y)
    expected = cross_val_score(TREE.build(), X, y, cv=5)
    baseline = cross_val_score(STUMP.build(), X, y, cv=5)
    np.testing.assert_array_equal(scores_of(result, "tree"), expected)
    np.testing.assert_array_equal(scores_of(result, "DecisionTreeClassifier"), baseline)
    row = result.to_frame().iloc[0]
    assert (row["score"], row["sd"]) == pytest.approx((expected.mean(), expected.std(ddof=1)))
    family = paired_family((expected - baseline)[None], 0.25)
    low_high = (family.mean[0], family.low[0], family.high[0])
    assert tuple(row[["difference", "interval_low", "interval_high"]]) == pytest.approx(low_high)
    assert row["paper"] == "A Title, VENUE 2000"
    assert (row["baseline"], row["certificate"], row["notes"]) == ("DecisionTreeClassifier", "", "")
    assert (result.task, result.metric, result.n_rows, result.n_columns, result.notes) == (
        "classification",
        "accuracy",
        100,
        4,
        (),
    )


def test_mixed_columns_equal_the_same_pipeline(contests):
    contests(("tree", REGRESSION_TREE, REGRESSION_TREE))
    rng = np.random.default_rng(1)
    X = pd.DataFrame({"x": rng.normal(size=90), "c": rng.choice(list("abc"), 90), "b": rng.random(90) > 0.5})
    X.loc[::7, "x"] = np.nan
    X["due"] = pd.date_range("2024-01-01", periods=90).to_series().sample(frac=1, random_state=0).to_numpy()
    y = X["x"].fillna(0) + (X["c"] == "a") + 0.1 * rng.normal(size=90)
    result = compare(X, y, cv=KFold(3), time=np.arange(90), scoring="neg_mean_absolute_error")
    absent = dict.fromkeys(["groups", "sample_weight", "metadata", "scoring"])
    problem = make_problem(X, y, task="auto", cv=3, time=np.arange(90), gap=0, **absent)
    pipeline = make_pipeline(problem.preprocessing, REGRESSION_TREE.build())
    expected = cross_val_score(pipeline, problem.frame, y, cv=KFold(3), scoring="neg_mean_absolute_error")
    np.testing.assert_array_equal(scores_of(result, "tree"), -expected)
    assert result.to_frame()["difference"].tolist() == [0.0]


def test_a_metric_of_ones_own(contests):
    contests(("tree", TREE, STUMP))
    X, y = numbers(60)

    def share_of_ones(model, X, y):
        return float(np.mean(model.predict(X)))

    result = compare(X, y, cv=2, scoring=share_of_ones, sample_weight=np.ones(60))
    assert result.metric == "share_of_ones"
    assert result.notes == ("scores without sample weights, which the metric does not take: share of ones",)
    np.testing.assert_array_equal(
        scores_of(result, "tree"), cross_val_score(TREE.build(), X, y, cv=2, scoring=share_of_ones)
    )


def test_pandas_polars_and_numpy_agree(contests):
    contests(("tree", TREE, STUMP))
    X, y = numbers(60)
    names = ["a", "b", "c", "d"]
    first = compare(X, y, cv=3)
    assert_same(first, compare(X, y, cv=3))
    assert_same(first, compare(pd.DataFrame(X, columns=names), pd.Series(y, index=range(60, 120)), cv=3))
    assert_same(first, compare(pl.DataFrame(X, schema=names), pl.Series(y), cv=3))


def test_preprocessing_never_sees_the_test_fold(contests):
    tells = Spec(HERE + "Tells")
    contests(("tells", tells, DUMMY))
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=60), "z": rng.normal(size=60), "c": rng.choice(list("ab"), 60)})
    X.loc[:9, "x"] = np.nan
    y = np.arange(60) % 2
    splits = [(np.arange(40), np.arange(40, 60))]
    poisoned = X.copy()
    poisoned.loc[40:, "x"] = 1e9
    poisoned.loc[40:, "z"] = np.nan
    poisoned.loc[40:, "c"] = "poison"
    notes = [compare(table, y, cv=splits).to_frame()["notes"][0] for table in (X, poisoned)]
    assert notes[0].startswith("failed: ValueError: X=(40, ")
    assert notes[0] == notes[1]


def test_time_orders_the_rows_and_reaches_inner_folds(contests):
    contests(("tells", Spec(HERE + "Tells"), DUMMY), ("tree", TREE, STUMP))
    X, y = numbers(96)
    days = pd.date_range("2024-01-01", periods=48).repeat(2)
    shuffled = np.random.default_rng(0).permutation(96)
    table = pd.DataFrame(X).assign(day=days)
    result = compare(table.iloc[shuffled], y[shuffled], gap=1)
    assert result.folds == "5 expanding windows in time, gap 1"
    assert "cv=TimeSeriesSplit(gap=3, " in by_method(result).loc["tells", "notes"]
    assert result.notes == ("Time column 'day' orders the rows and is not a feature",)
    assert result.n_columns == 4
    # two rows a day: the same windows as over 48 days, in rows
    splits = [
        (np.arange(2 * len(a)), np.arange(2 * b[0], 2 * b[-1] + 2))
        for a, b in TimeSeriesSplit(5, gap=1).split(range(48))
    ]
    tree = result.fold_scores_.query("candidate == 'tree' and metric == 'accuracy'")
    assert tree["n_train"].tolist() == [len(train) for train, _ in splits]
    # the shuffle changes the order of rows within a day only
    expected = cross_val_score(TREE.build(), X, y, cv=splits)
    np.testing.assert_allclose(tree["score"], expected)


def test_a_panel_is_purged_inside_and_outside(contests):
    contests(("tells", Spec(HERE + "Tells"), DUMMY), ("tree", TREE, STUMP))
    X, y = numbers(120)
    days = pd.date_range("2024-01-01", periods=40).repeat(3)
    table = pd.DataFrame(X).assign(day=days, ticker=list("abc") * 40, row_id=np.arange(120) + 1000)
    options = {"assets": "ticker", "drop": "row_id", "horizon": 2, "sample_weight": "uniqueness"}
    result = compare(table, y, cv="purged", embargo=1, **options)
    assert result.folds == "15 combinatorial folds in time, 2 of 6 blocks tested, embargo 1, horizon 2"
    told = by_method(result).loc["tells", "notes"]
    assert "cv=PurgedSplit(n_rows=" in told
    assert "longest=2)" in told
    assert result.n_columns == 4
    # blocks of six days, the last of ten: without the first two, two labels and the embargo leave 40 - 12 - 3 days
    first = result.fold_scores_.query("candidate == 'tree' and fold == 0")
    assert first["n_train"].tolist() == [3 * 25] * len(first)
    assert first["n_test"].tolist() == [3 * 12] * len(first)
    assert result.notes[:2] == (
        "sample weights are the average uniqueness of the labels, 0.51 on average",
        "panel of 3 assets and 40 timestamps",
    )


def test_a_number_of_folds_is_obeyed_although_there_is_a_time(contests):
    contests(("tree", TREE, STUMP))
    X, y = numbers(60)
    result = compare(pd.DataFrame(X).assign(day=pd.date_range("2024-01-01", periods=60)), y, cv=3, time="day")
    assert result.notes == (
        "Time column 'day' is not a feature",
        "with cv=3 the folds train on the future of their test rows",
    )
    np.testing.assert_array_equal(scores_of(result, "tree"), cross_val_score(TREE.build(), X, y, cv=3))


def test_skfolio_walks_forward(contests):
    skfolio = pytest.importorskip("skfolio.model_selection")
    contests(("tells", Spec(HERE + "Tells"), TREE))
    X, y = numbers(60)
    walk = skfolio.WalkForward(train_size=20, test_size=10, purged_size=2)
    frame = pd.DataFrame(X, index=pd.date_range("2024-01-01", periods=60))
    result = compare(frame[::-1], y[::-1], cv=walk)
    expected = cross_val_score(TREE.build(), X, y, cv=walk)
    np.testing.assert_array_equal(scores_of(result, "DecisionTreeClassifier"), expected)
    assert "cv=TimeSeriesSplit(gap=0" in result.to_frame()["notes"][0]
    assert result.notes == ("The index of X orders the rows and is not a feature",)


def test_groups_reach_inner_folds(contests):
    contests(("tells", Spec(HERE + "Tells"), DUMMY))
    X, y = numbers(60)
    result = compare(X, y, cv=3, groups=np.arange(60) // 4)
    note = result.to_frame()["notes"][0]
    assert "params={'groups': 40} cv=GroupKFold(n_splits=5" in note
    assert result.folds.startswith("3 folds (StratifiedGroupKFold")


def test_rows_without_a_target_are_dropped_and_splits_still_name_rows_as_given(contests):
    contests(("tree", TREE, STUMP))
    X, y = numbers(80)
    missing = y.astype(float)
    missing[::4] = np.nan
    kept = np.flatnonzero(~np.isnan(missing))
    splits = [(range(50), range(50, 80))]
    result = compare(X, missing, cv=splits, scoring="neg_log_loss")
    assert result.notes == ("dropped, target missing: 20 of 80 rows",)
    train = kept[kept < 50]
    test = kept[kept >= 50]
    tree = TREE.build().fit(X[train], y[train])
    assert scores_of(result, "tree")[0] == pytest.approx(log_loss(y[test], tree.predict_proba(X[test])))
    assert np.isnan(result.to_frame()["interval_low"][0])


def test_interrupt_ends_the_workers(contests, monkeypatch):
    contests(("hangs", Spec(HERE + "Hangs"), TREE))
    X, y = numbers(60)
    monkeypatch.setattr(_jobs, "wait", lambda *args, **kwargs: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        compare(np.full_like(X, FLAG), y)
    assert not _jobs._executors


def test_interrupt_returns_what_is_done(contests, monkeypatch):
    contests(("tree", TREE, STUMP), ("hangs", Spec(HERE + "Hangs"), TREE))
    collect = _jobs.Workers.collect
    done = []

    def interrupted(self):
        for key, outcome in collect(self):
            done.append(key)
            yield key, outcome
        if done:
            raise KeyboardInterrupt

    monkeypatch.setattr(_jobs.Workers, "collect", interrupted)
    X, y = numbers(60)
    X[:, 1] = FLAG
    result = compare(X, y, cv=2)
    assert result.fits.interrupted
    assert result.notes[0] == "the run was interrupted: rows show what was done until then"
    assert set(result.fits.outcomes) == set(done)
    notes = result.to_frame().set_index("method")["notes"]
    assert notes["hangs"].startswith("not fitted: the run was interrupted")


def test_a_task_without_methods(contests):
    contests()
    X, y = numbers(20)
    with pytest.raises(ValueError, match="There is no method for classification"):
        compare(X, y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methods": ["forest"]}, "methods: unknown for classification: forest; choose among tree"),
        ({"methods": []}, "methods: an empty list; choose among tree"),
        ({"n_jobs": 0}, "n_jobs=0 must be a whole number of workers"),
        ({"time_budget": 0}, "time_budget=0 must be a number of seconds above 0"),
        ({"gap": -1}, "gap=-1 must be a whole number of timestamps"),
        ({"y": np.full(20, np.nan)}, "The target is missing in every row"),
        ({"y": np.zeros(20)}, "single class 0"),
        ({"y": np.zeros(19)}, "y has 19 values, X has 20 rows"),
        ({"groups": np.zeros(5)}, "groups has 5 values, X has 20 rows"),
        ({"groups": [None] + list(range(19))}, "groups is missing in 1 rows"),
        ({"cv": "daily"}, "cv='daily' is unknown"),
        ({"task": "guess"}, "task='guess' is unknown"),
        ({"scoring": "best"}, "Metric 'best' is unknown"),
    ],
)
def test_errors_before_anything_runs(contests, monkeypatch, change, message):
    contests(("tree", TREE, STUMP))
    monkeypatch.setattr(_compare, "run_candidates", lambda *args: pytest.fail("something ran"))
    X, y = numbers(20)
    with pytest.raises(ValueError, match=message) as error:
        compare(**({"X": X, "y": y} | change))
    assert "\n" not in str(error.value)


def test_papers_run(tmp_path):
    """The contests of the papers, from a script without a guard on its main module."""
    script = tmp_path / "script.py"
    script.write_text(
        "from skpapers import compare\n"
        "from skpapers.datasets import load_concrete\n"
        "X, y = load_concrete(return_X_y=True)\n"
        "result = compare(X[:120], y[:120], cv=2, verbose=1, references=['ridge'])\n"
        "frame = result.to_frame()\n"
        "assert frame['score'].notna().all(), frame.to_string()\n"
        "print(len(frame))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=Path.cwd(), check=False)
    # nothing but the lines of the log
    assert (done.returncode, re.sub(r"^\[ *[\d.]+ s\] .*\n", "", done.stderr, flags=re.MULTILINE)) == (0, "")
    contests = [contest for paper in _candidates.PAPERS for contest in paper.contests]
    assert int(done.stdout) == 1 + sum(contest.task == "regression" and not contest.needs for contest in contests)
