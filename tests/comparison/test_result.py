"""The result of a comparison: what it shows, and what it gives."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from skpapers._contests import Spec
from skpapers.comparison import Comparison, compare
from skpapers.comparison._records import Fits
from skpapers.comparison._result import class_balance
from tests.comparison._estimators import HERE, STUMP, TREE, numbers


@pytest.fixture
def result(contests):
    contests(("tree<1>", TREE, STUMP), ("tells", Spec(HERE + "Tells"), TREE))
    return compare(*numbers(60), cv=2)


def test_a_result_shows_itself(result, monkeypatch):
    assert isinstance(result, Comparison)
    frame = result.to_frame()
    frame["score"] = 0.0
    assert result.to_frame()["score"][0] > 0
    assert "tree&lt;1&gt;" in result._repr_html_()
    assert "| tree&lt;1> |" in result.to_markdown()
    assert result.title.startswith("60 rows, 4 columns, classification (")
    losses = replace(result, problem=replace(result.problem, metrics=result.problem.metrics[1:]))
    assert ", log loss, " in losses.title
    for width in (80, 140):
        monkeypatch.setattr("shutil.get_terminal_size", lambda width=width: os.terminal_size((width, 24)))
        text = repr(result)
        assert max(map(len, text.splitlines())) <= width
        assert text.startswith(result.title[:60])
        assert "tree<1>" in text
        assert result.verdict.split()[0] in text


def test_the_best_method_has_the_best_score(result):
    frame = result.to_frame()
    assert result.best_method_ == frame["method"][frame["score"].argmax()]


def test_a_result_can_be_pickled(result):
    again = pickle.loads(pickle.dumps(result))
    assert repr(again) == repr(result)
    assert again.to_frame().equals(result.to_frame())
    assert again.fold_scores_.equals(result.fold_scores_)


def test_a_picture_of_the_frame(result):
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.use("agg")
    ax = Figure().subplots()
    display = result.plot(ax=ax)
    assert display.ax_ is ax
    shown = [line[0].get_xdata()[0] for line in display.lines_]
    np.testing.assert_allclose(shown, result.to_frame()["difference"].dropna())
    assert "gain in " in ax.get_xlabel()
    assert result.plot(against="reference", ax=Figure().subplots()).against == "reference"


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (np.repeat([0, 1], [925, 75]), "0: 92.5 %, 1: 7.5 %"),
        (np.repeat(["a", "b", "c"], [1, 5, 4]), "b: 50 %, c: 40 %, a: 10 %"),
        (np.repeat(np.arange(10), 10), "10 classes of 10 to 10 %"),
    ],
)
def test_class_balance(y, text):
    assert class_balance(y) == text


def test_matplotlib_is_loaded_to_draw_only():
    code = "import sys, skpapers.comparison; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_best_estimator_is_fitted_when_it_is_used(result):
    X, y = numbers(60)
    model = result.best_estimator_
    assert result.best_estimator_ is model
    assert model.predict(X).shape == (60,)
    assert (model.predict(X) == y).mean() > 0.5


def test_without_a_score_there_is_no_best_estimator(result):
    empty = Comparison(result.problem, result.candidates, Fits({}, {}))
    assert empty.best_method_ == ""
    assert empty.verdict == "No method has a score."
    with pytest.raises(ValueError, match="no method has a score"):
        empty.best_estimator_.predict([])
