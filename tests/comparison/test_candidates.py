"""The candidates of a comparison."""

import pytest
from sklearn.linear_model import LogisticRegression

from skpapers.comparison._candidates import contests_of, make_candidates
from skpapers.comparison._references import references
from tests.comparison._estimators import DUMMY, STUMP, TREE, pairs


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_forest_is_a_reference_and_a_baseline_once(task):
    candidates = make_candidates(contests_of(task), references(task))
    names = [candidate.name for candidate in candidates]
    assert len(names) == len(set(names))
    kinds = {candidate.name: candidate.kind for candidate in candidates}
    assert kinds["RandomForest"] == "reference"
    methods = {candidate.name: candidate for candidate in candidates if candidate.kind == "method"}
    assert methods["HS forest"].baseline == "RandomForest"
    assert {candidate.baseline for candidate in methods.values()} <= set(kinds)
    assert all(candidate.estimator is not None and not candidate.error for candidate in candidates)
    # without references it is a baseline
    alone = {candidate.name: candidate.kind for candidate in make_candidates(contests_of(task))}
    assert alone["RandomForest"] == "baseline"


def test_a_method_may_be_the_baseline_of_another():
    candidates = make_candidates(pairs(("a", TREE, DUMMY), ("b", STUMP, TREE)))
    assert [(c.name, c.kind, c.baseline) for c in candidates] == [
        ("a", "method", "DummyClassifier"),
        ("b", "method", "a"),
        ("DummyClassifier", "baseline", ""),
    ]


def test_own_estimators_have_their_expression_in_one_line():
    model = LogisticRegression(C=3.0, class_weight={0: 1.0, 1: 2.5}, max_iter=12345, solver="saga", tol=1e-7)
    (own,) = (c for c in make_candidates(pairs(("a", TREE, DUMMY)), [], {"mine": model}) if c.kind == "own")
    assert "\n" not in own.code
    assert repr(eval(own.code, {"LogisticRegression": LogisticRegression})) == repr(model)
    assert (own.name, own.baseline) == ("mine", "")


@pytest.mark.parametrize("name", ["a", "majority", "DummyClassifier"])
def test_a_name_that_is_taken_is_refused(name):
    usual = references("classification")[1:] if name == "DummyClassifier" else references("classification")
    with pytest.raises(ValueError, match=f"estimators: '{name}' is the name of another row"):
        make_candidates(pairs(("a", TREE, DUMMY)), usual, {name: LogisticRegression()})
