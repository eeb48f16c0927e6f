"""Estimators on their folds: the arguments they get besides their rows, and the notes on their failures."""

import re

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, make_scorer
from sklearn.model_selection import StratifiedKFold, cross_val_score

from skpapers._contests import Spec
from skpapers.comparison import compare
from tests.comparison._estimators import DUMMY, FLAG, HERE, STUMP, TREE, by_method, numbers, scores_of

TELLS = HERE + "Tells"


def notes(contests, spec, **options):
    """Return what the estimator of `spec` says it was given."""
    contests(("tells", spec, DUMMY))
    return compare(*numbers(60), **({"cv": 2} | options)).to_frame()["notes"][0]


def plain(model, X, y):
    """Score by what is no scikit-learn scorer."""
    return float(np.mean(model.predict(X) == y))


def test_the_metric_reaches_a_selection_that_has_none(contests):
    assert "scoring=accuracy" in notes(contests, Spec(TELLS))
    assert "scoring=balanced_accuracy" in notes(contests, Spec(TELLS), scoring="balanced_accuracy")
    made = make_scorer(balanced_accuracy_score)
    assert f"scoring={made}" in notes(contests, Spec(TELLS), scoring=made)
    assert "scoring=<function plain" in notes(contests, Spec(TELLS), scoring=plain)
    assert "scoring=f1" in notes(contests, Spec(TELLS, {"scoring": "f1"}), scoring="balanced_accuracy")


def test_out_of_bag_rows_cannot_be_scored_by_a_plain_callable(contests):
    forest = Spec(TELLS, {"cv": "oob"})
    found = notes(contests, forest, scoring=plain)
    assert "scoring=None" in found
    assert found.startswith("its own selection does not use plain; ")
    assert "scoring=balanced_accuracy" in notes(contests, forest, scoring="balanced_accuracy")
    # forward folds take the place of the out-of-bag rows
    assert "scoring=<function plain" in notes(contests, forest, scoring=plain, cv="time")


def test_the_metric_changes_what_a_method_chooses(contests):
    shrinkage = "skpapers.tree.HierarchicalShrinkageClassifierCV"
    kwargs = {"estimator": Spec("sklearn.tree.DecisionTreeClassifier", {"random_state": 0})}
    scored = Spec(shrinkage, kwargs | {"scoring": "neg_log_loss"})
    contests(("default", Spec(shrinkage, kwargs), DUMMY), ("scored", scored, DUMMY))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = (X[:, 0] + rng.normal(size=200) > 0).astype(int)
    scores = compare(X, y, cv=3, scoring="neg_log_loss").to_frame()["score"]
    assert scores[0] == scores[1]


def test_one_group_in_the_training_rows_leaves_the_own_folds_alone(contests):
    splits = [(range(20), range(20, 60)), (range(20, 60), range(20))]
    found = notes(contests, Spec(TELLS), cv=splits, groups=np.repeat([0, 1, 2], 20))
    assert found.startswith("its own folds ignore groups if the training rows are all of one group; ")
    assert "params={} cv=5 " in found


def test_differences_are_averaged_over_the_folds_that_both_completed(contests):
    first = Spec(HERE + "RaisesOn", {"value": 1.0})
    last = Spec(HERE + "RaisesOn", {"value": 2.0})
    contests(("tree", TREE, first), ("apart", first, last), ("two", TREE, Spec(HERE + "RaisesOn", {"value": 3.0})))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = np.arange(60) % 2
    y[rng.permutation(60)[:10]] ^= 1
    X[:20, 1] = 1.0
    X[20:40, 1] = 2.0
    X[40:, 1] = 3.0
    splits = [(range(20), range(40, 60)), (range(20, 40), range(40, 60)), (range(40, 60), range(40))]
    result = compare(X, y, cv=splits)
    scores = {name: scores_of(result, name) for name in ("tree", "apart", "RaisesOn")}
    assert np.isfinite(scores["tree"]).all()
    rows = by_method(result)
    # a score is the mean over the folds of the row itself
    assert rows.loc["tree", "score"] == scores["tree"].mean()
    assert rows.loc["tree", "sd"] == np.std(scores["tree"], ddof=1)
    # the baseline of the first failed in the first fold, that of the last in the third
    difference = scores["tree"] - scores["apart"]
    assert rows.loc["tree", "difference"] == pytest.approx(difference[1:].mean())
    assert np.isfinite(rows.loc["two", "difference"])
    # one fails in the first fold, the other in the second
    assert rows.loc["apart", "difference"] == pytest.approx(scores["apart"][2] - scores["RaisesOn"][2])
    assert np.isnan(rows.loc["apart", "interval_low"])


def test_without_a_common_fold_each_stands_alone(contests):
    first = Spec(HERE + "RaisesOn", {"value": 1.0})
    last = Spec(HERE + "RaisesOn", {"value": 2.0})
    contests(("apart", first, last))
    X, y = numbers(40)
    X[:20, -1] = 1.0
    X[20:, -1] = 2.0
    row = compare(X, y, cv=[(range(20), range(20, 40)), (range(20, 40), range(20))]).to_frame().iloc[0]
    assert (row["score"], row["baseline_score"]) == pytest.approx((1 - y[:20].mean(), 1 - y[20:].mean()))
    assert np.isnan(row["difference"])


def test_failures_cost_their_row_only(contests):
    contests(
        ("tree", TREE, STUMP),
        ("raises", Spec(HERE + "Raises"), TREE),
        ("against it", TREE, Spec(HERE + "Raises")),
        ("absent", Spec("no.such.Thing"), TREE),
        ("warns", Spec(HERE + "Warns"), TREE),
    )
    X, y = numbers(60)
    X[0, 1] = FLAG  # row 0 is tested in fold 0 and trained on in the others
    frame = by_method(compare(X, y, cv=3))
    assert frame["notes"].tolist() == [
        "",
        "failed in 2 of 3 folds: ValueError: the flag was seen",
        "baseline: failed in 2 of 3 folds: ValueError: the flag was seen",
        "failed: ModuleNotFoundError: No module named 'no'",
        "ConvergenceWarning: not yet (x3)",
    ]
    assert frame["score"].isna().tolist() == [False, False, False, True, False]
    assert frame["difference"].isna().tolist() == [False, False, False, True, False]
    assert frame["interval_low"].isna().tolist() == [False, True, True, True, False]


def test_a_dead_worker_and_two_workers(contests):
    contests(("dies", Spec(HERE + "Dies"), TREE), ("tree", TREE, STUMP))
    X, y = numbers(60)
    splits = [(np.arange(40), np.arange(40, 60))]
    result = compare(X, y, cv=splits, n_jobs=2)
    assert by_method(result)["notes"].tolist() == ["failed: its worker process died (out of memory, or a crash)", ""]
    np.testing.assert_array_equal(scores_of(result, "tree"), cross_val_score(TREE.build(), X, y, cv=splits))


def test_a_fit_that_overruns_is_stopped_and_the_others_go_on(contests):
    contests(("hangs", Spec(HERE + "Hangs"), TREE), ("tree", TREE, STUMP))
    X, y = numbers(60)
    X[0, 1] = FLAG  # row 0 is tested in fold 0 and trained on in the others
    result = compare(X, y, cv=3, time_budget=20.0, n_jobs=2)
    notes = result.to_frame().set_index("method")["notes"]
    assert re.fullmatch(r"ended after 1 of 3 folds; stopped on all rows after [\d.]+ s", notes["hangs"])
    assert notes["tree"] == ""
    assert np.isnan(scores_of(result, "hangs")).tolist() == [False, True, True]
    assert not np.isnan(scores_of(result, "tree")).any()


def test_a_method_that_never_ends_leaves_a_reason(contests):
    contests(("hangs", Spec(HERE + "Hangs"), TREE))
    X, y = numbers(60)
    notes = compare(np.full_like(X, FLAG), y, cv=3, time_budget=6.0).to_frame()["notes"]
    assert re.match(r"stopped on all rows after [\d.]+ s|not fitted: the budget of 6 s was spent", notes[0])


def test_certificates_and_time_limits(contests):
    certified = HERE + "Certified"
    contests(
        ("proved", Spec(certified), TREE),
        ("within tol", Spec(certified, {"gap": 1e-5}), TREE),
        ("open", Spec(certified, {"gap": 0.0123}), TREE),
        ("no bound", Spec(certified, {"gap": float("nan")}), TREE),
        ("own limit", Spec(certified, {"time_limit": 1e6}), TREE),
        ("says so", Spec(certified, {"gap": 2e-15, "tol": 0.0, "is_optimal": True}), TREE),
        ("says no", Spec(certified, {"gap": 2e-15, "tol": 0.1, "is_optimal": False}), TREE),
    )
    X, y = numbers(60)
    frame = by_method(compare(X, y, cv=2))
    expected = ["optimal", "optimal", "gap 1.2%", "", "gap 900%", "optimal", "gap <0.01%"]
    assert frame["certificate"].tolist() == expected


def test_one_estimator_in_two_contests_runs_once(contests, tmp_path):
    counts = Spec(HERE + "Counts", {"path": str(tmp_path / "fits")})
    contests(("tree", TREE, counts), ("stump", STUMP, Spec(HERE + "Counts", {"path": str(tmp_path / "fits")})))
    X, y = numbers(120)
    result = compare(X, y, cv=3)
    assert result.to_frame()["baseline"].tolist() == ["Counts", "Counts"]
    assert (tmp_path / "fits").read_text() == "fit\n" * 3
    assert result.to_frame()["baseline_score"].nunique() == 1


def test_weights_reach_fit_and_metric(contests):
    contests(("tells", Spec(HERE + "Tells"), TREE), ("dummy", Spec(HERE + "Base"), TREE))
    X, y = numbers(60)
    weights = np.arange(60) % 3 + 1.0
    result = compare(X, y, cv=2, sample_weight=weights)
    folds = list(StratifiedKFold(2).split(X, y))
    assert f"weight={weights[folds[0][0]].sum()}" in by_method(result)["notes"].iloc[0]
    assert by_method(result)["notes"].iloc[1] == "fitted without sample_weight"
    expected = [
        accuracy_score(
            y[test],
            TREE.build().fit(X[train], y[train], sample_weight=weights[train]).predict(X[test]),
            sample_weight=weights[test],
        )
        for train, test in folds
    ]
    np.testing.assert_array_equal(scores_of(result, "DecisionTreeClassifier"), expected)
