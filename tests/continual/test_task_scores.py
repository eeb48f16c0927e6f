"""Scores of every task after each task, their two summaries and their plot."""

import matplotlib as mpl
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import SGDClassifier, SGDRegressor

from skpapers.continual import ForgettingDisplay, GPMClassifier, average_score, backward_transfer, score_by_task

pytestmark = pytest.mark.filterwarnings("ignore:The memory is nearly full")
mpl.use("agg")
SCORES = [[0.9, 0.2, 0.3], [0.7, 0.8, 0.3], [0.5, 0.6, 0.7]]


def rows(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    task = np.repeat([2010, 2008, 2020], n // 3)
    return X, (X[:, 0] > 0) ^ (task == 2010), task


def test_average_and_transfer():
    assert_allclose(average_score(SCORES), 0.6)
    assert_allclose(backward_transfer(SCORES), ((0.5 - 0.9) + (0.6 - 0.8)) / 2)
    assert average_score([[0.5]]) == 0.5
    assert np.isnan(backward_transfer([[0.5]]))
    for wrong in ([0.5], [[0.5, 0.5]], np.zeros((0, 0))):
        with pytest.raises(ValueError, match="square matrix"):
            average_score(wrong)


@pytest.mark.parametrize("test_rows", [False, True])
def test_scores_are_those_of_a_loop(test_rows):
    X, y, task = rows()
    X_test, y_test, task_test = rows(90, seed=1) if test_rows else (X, y, task)
    given = {"X_test": X_test, "y_test": y_test, "task_test": task_test} if test_rows else {}
    model = SGDClassifier(random_state=0)
    scores = score_by_task(model, X, y, task, **given)
    assert not hasattr(model, "coef_")
    for t, learned in enumerate((2008, 2010, 2020)):
        model.partial_fit(X[task == learned], y[task == learned], classes=[False, True])
        for j, scored in enumerate((2008, 2010, 2020)):
            assert scores[t, j] == model.score(X_test[task_test == scored], y_test[task_test == scored])


def test_numbers():
    X, _, task = rows()
    assert score_by_task(SGDRegressor(random_state=0), X, X[:, 0], task).shape == (3, 3)


def test_own_heads_are_used_and_later_tasks_have_none():
    X, y, task = rows()
    model = GPMClassifier((8,), heads="multi", max_iter=3, device="cpu", random_state=0)
    scores = score_by_task(model, X, y, task)
    assert_array_equal(np.isnan(scores), ~np.tri(3, dtype=bool))
    model.fit(X, y, task=task)
    assert_array_equal(scores[-1], model.task_scores_[-1])


def test_wrong_test_rows():
    X, y, task = rows()
    with pytest.raises(ValueError, match="go together"):
        score_by_task(SGDClassifier(), X, y, task, X_test=X)
    with pytest.raises(ValueError, match="Task 2020 has no rows to score on"):
        score_by_task(SGDClassifier(), X, y, task, X_test=X[:40], y_test=y[:40], task_test=task[:40])


def test_the_plot_shows_the_scores():
    X, y, task = rows()
    display = ForgettingDisplay.from_estimator(SGDClassifier(random_state=0), X, y, task)
    scores = score_by_task(SGDClassifier(random_state=0), X, y, task)
    assert_array_equal(display.scores, scores)
    assert [text.get_text() for text in display.ax_.texts] == [f"{score:.2f}" for score in scores.ravel()]
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["2008", "2010", "2020"]
    assert display.ax_.get_title() == f"ACC {average_score(scores):.3f}, BWT {backward_transfer(scores):+.3f}"
    again = ForgettingDisplay(SCORES).plot(ax=display.ax_)
    assert again.figure_ is display.figure_


def test_missing_scores_are_left_out_and_names_must_fit():
    scores = np.where(np.tri(3, dtype=bool), SCORES, np.nan)
    assert len(ForgettingDisplay(scores).plot().ax_.texts) == 6
    with pytest.raises(ValueError, match="3 rows of scores, and 2 names"):
        ForgettingDisplay(scores, [1, 2])
