"""The call of `compare` that repeats a run."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold

from skpapers.comparison import compare
from skpapers.comparison._call import call_text, with_argument


def function(X, y, *, cv=None, scoring=None, groups=None, time_budget=600.0, drop=None, verbose=0, checkpoint=None):
    """Take what compare takes."""


def _text(**given):
    defaults = {"cv": None, "scoring": None, "groups": None, "time_budget": 600.0, "drop": None}
    return call_text(function, {"X": 0, "y": 0, "verbose": 0, "checkpoint": None, **defaults, **given})


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ({}, ""),
        ({"cv": 3, "drop": ["it's", "ä"]}, """, cv=3, drop=["it's", 'ä']"""),
        ({"cv": KFold(3), "scoring": ["r2", max]}, ", cv=cv, scoring=scoring"),
        ({"groups": np.arange(3)}, ", groups=groups"),
        ({"groups": list(range(1000))}, ", groups=groups"),
        ({"groups": pd.Series([1, 2])}, ", groups=groups"),
        ({"time_budget": np.inf}, ', time_budget=float("inf")'),
        ({"time_budget": 600}, ", time_budget=600"),
        ({"verbose": 1, "checkpoint": "folder", "time_budget": 600.0}, ""),
    ],
)
def test_a_call_has_the_arguments_that_differ_from_the_defaults(given, arguments):
    assert _text(**given) == f"skpapers.function(X, y{arguments})"


def test_an_argument_is_set_or_replaced():
    assert with_argument("skpapers.compare(X, y)", "methods", ["a"]) == "skpapers.compare(X, y, methods=['a'])"
    call = "skpapers.compare(X, y, methods=['b', 'c'], cv=cv)"
    assert with_argument(call, "methods", ["a, 'x'"]) == """skpapers.compare(X, y, cv=cv, methods=["a, 'x'"])"""
    with pytest.raises(ValueError, match="is not a call"):
        with_argument("X", "methods", [])


def test_a_comparison_knows_its_call(contests):
    from tests.comparison._estimators import STUMP, TREE, numbers

    contests(("tree", TREE, STUMP))
    X, y = numbers(60)
    result = compare(X, y, cv=2, methods=["tree"], references=[], n_jobs=1)
    assert result.command == "skpapers.compare(X, y, cv=2, methods=['tree'], references=[], n_jobs=1)"
    again = eval(result.command, {"skpapers": __import__("skpapers"), "X": X, "y": y})
    assert again.to_frame()["score"].equals(result.to_frame()["score"])
