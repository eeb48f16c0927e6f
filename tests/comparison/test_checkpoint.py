"""Fits kept in a folder."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier

from skpapers._contests import Spec
from skpapers.comparison import compare
from skpapers.comparison._checkpoint import Checkpoint
from skpapers.comparison._records import Candidate, Key, Outcome, Prediction
from tests.comparison._estimators import DUMMY, HERE, STUMP, TREE, numbers

CANDIDATES = [
    Candidate("tree", "method", DecisionTreeClassifier(), "tree()", "dummy"),
    Candidate("dummy", "baseline", DummyClassifier(), "dummy()"),
]
OUTCOME = Outcome({"accuracy": 0.5}, 1.0, 2.0, prediction=Prediction(np.arange(3), np.array(["a", "b", "a"])))


@pytest.fixture
def problem(contests):
    contests(("tree", TREE, STUMP))
    return compare(*numbers(60), cv=2).problem


def keys_in(folder, problem, candidates=CANDIDATES):
    return {key for key, _ in Checkpoint(folder, problem, candidates, resume=True).load()}


def test_fits_come_back(tmp_path, problem):
    checkpoint = Checkpoint(tmp_path / "new" / "folder", problem, CANDIDATES, resume=True)
    assert list(checkpoint.load()) == []
    for key in (Key("tree", 0), Key("tree", 1, 2000), Key("dummy", 0)):
        checkpoint.save(key, OUTCOME)
    found = dict(Checkpoint(checkpoint.folder, problem, CANDIDATES, resume=True).load())
    assert set(found) == {Key("tree", 0), Key("tree", 1, 2000), Key("dummy", 0)}
    loaded = found["tree", 0, None]
    assert (loaded.scores, loaded.fit_seconds) == (OUTCOME.scores, 1.0)
    np.testing.assert_array_equal(loaded.prediction.values, OUTCOME.prediction.values)


def test_a_partly_written_fit_is_none(tmp_path, problem):
    checkpoint = Checkpoint(tmp_path, problem, CANDIDATES, resume=True)
    checkpoint.save(Key("tree", 0), OUTCOME)
    (path,) = tmp_path.glob("fit-*.pickle")
    path.rename(path.with_suffix(".partial"))
    assert keys_in(tmp_path, problem) == set()


def test_a_candidate_with_other_parameters_runs_again(tmp_path, problem):
    Checkpoint(tmp_path, problem, CANDIDATES, resume=True).save(Key("tree", 0), OUTCOME)
    other = replace(CANDIDATES[0], estimator=DecisionTreeClassifier(max_depth=2))
    assert keys_in(tmp_path, problem, [other, CANDIDATES[1]]) == set()
    assert keys_in(tmp_path, problem, CANDIDATES[1:]) == set()
    assert keys_in(tmp_path, problem) == {Key("tree", 0)}


def test_a_new_run_removes_the_fits_but_nothing_else(tmp_path, problem):
    Checkpoint(tmp_path, problem, CANDIDATES, resume=False).save(Key("tree", 0), OUTCOME)
    (tmp_path / "mine.pickle").write_text("mine")
    Checkpoint(tmp_path, problem, CANDIDATES, resume=False)
    assert keys_in(tmp_path, problem) == set()
    assert (tmp_path / "mine.pickle").exists()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("table", {"y": np.arange(60) % 2}),
        ("metrics", {"metrics": ()}),
        ("weights", {"sample_weight": np.ones(60)}),
        ("groups", {"groups": np.ones(60)}),
        ("metadata", {"metadata": {"task": np.ones(60)}}),
    ],
)
def test_other_settings_are_refused(tmp_path, problem, part, value):
    Checkpoint(tmp_path, problem, CANDIDATES, resume=True)
    with pytest.raises(ValueError, match=f"belongs to a run with other {part}; ") as error:
        Checkpoint(tmp_path, replace(problem, **value), CANDIDATES, resume=True)
    assert "\n" not in str(error.value)


def test_other_folds_are_refused(tmp_path, problem):
    Checkpoint(tmp_path, problem, CANDIDATES, resume=True)
    plan = replace(problem.plan, folds=problem.plan.folds[::-1])
    with pytest.raises(ValueError, match="other folds"):
        Checkpoint(tmp_path, replace(problem, plan=plan), CANDIDATES, resume=True)


def test_folders_that_cannot_be_used(tmp_path, problem):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=f"checkpoint='{re.escape(str(tmp_path))}/file' cannot be made"):
        Checkpoint(tmp_path / "file", problem, CANDIDATES, resume=True)
    (tmp_path / "settings.json").write_text("no json")
    with pytest.raises(ValueError, match=r"settings\.json cannot be read"):
        Checkpoint(tmp_path, problem, CANDIDATES, resume=True)


def test_a_resumed_comparison_fits_only_what_is_missing(contests, tmp_path):
    log = tmp_path / "fits"
    counts = Spec(HERE + "Counts", {"path": str(log)})
    contests(("counts", counts, DUMMY), ("tree", TREE, DUMMY))
    X, y = numbers(120)
    folder = tmp_path / "kept"
    first = compare(X, y, cv=3, checkpoint=folder)
    assert log.read_text() == "fit\n" * 3
    assert json.loads((folder / "settings.json").read_text())["metrics"].startswith("accuracy")
    Checkpoint(folder, first.problem, first.candidates, resume=True)._path(Key("counts", 1)).unlink()
    again = compare(X, y, cv=3, checkpoint=folder, resume=True)
    assert log.read_text() == "fit\n" * 4
    np.testing.assert_array_equal(first.fold_scores_["score"], again.fold_scores_["score"])
    with pytest.raises(ValueError, match="other folds"):
        compare(X, y, cv=2, checkpoint=folder, resume=True)
    with pytest.raises(ValueError, match="resume=True needs a checkpoint"):
        compare(X, y, cv=2, resume=True)
