"""The heat map of similarities."""

import matplotlib
import numpy as np
import pytest

from skpapers.multitask import GradVacRegressor, TaskSimilarityDisplay

matplotlib.use("agg")


def fitted(**kwargs):
    X = np.random.default_rng(0).normal(size=(80, 3))
    options = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0, "device": "cpu", **kwargs}
    return GradVacRegressor(**options).fit(X, np.column_stack([X[:, 0], X[:, 0] + X[:, 1], -X[:, 0]]))


def test_it_shows_means_of_epochs_and_targets():
    model = fitted(granularity="matrix", beta=0.3)
    display = TaskSimilarityDisplay.from_estimator(model)
    np.testing.assert_allclose(display.similarity, model.similarity_history_.mean(axis=0))
    last = TaskSimilarityDisplay.from_estimator(model, epochs=1)
    np.testing.assert_allclose(last.similarity, model.similarity_history_[-1])
    target = TaskSimilarityDisplay.from_estimator(model, kind="target")
    np.testing.assert_allclose(target.similarity, model.target_similarity_.mean(axis=0))
    assert np.ma.getmaskarray(display.im_.get_array()).sum() + np.isnan(display.im_.get_array()).sum() >= 3
    assert len(display.ax_.texts) == 6
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["0", "1", "2"]


def test_pairs_that_were_not_measured_are_blank():
    similarity = np.eye(3)
    similarity[0, 1] = np.nan
    display = TaskSimilarityDisplay(similarity, ["a", "b", "c"]).plot()
    assert len(display.ax_.texts) == 5
    assert display.figure_ is display.ax_.figure


@pytest.mark.parametrize(
    ("options", "message"), [({"kind": "raw"}, "kind must be"), ({"epochs": 0}, "epochs must be at least 1")]
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        TaskSimilarityDisplay.from_estimator(fitted(), **options)


def test_models_without_similarities_and_wrong_shapes_are_named():
    with pytest.raises(ValueError, match="has no similarities"):
        TaskSimilarityDisplay.from_estimator(fitted(method="sum"))
    with pytest.raises(ValueError, match="square matrix"):
        TaskSimilarityDisplay(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="tasks has 1 names"):
        TaskSimilarityDisplay(np.eye(2), ["a"])
