"""The pictures of training."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skpapers.neural_network import LossLandscapeDisplay, SAMMLPClassifier, SAMMLPRegressor, TrainingCurveDisplay

QUICK = {"hidden_layer_sizes": (16,), "max_iter": 20, "random_state": 0, "device": "cpu"}
X, Y = load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def model():
    # without a temperature: the landscape is that of the training loss
    return SAMMLPClassifier(**QUICK, early_stopping=True, validation_split="random", calibration=None).fit(X, Y)


@pytest.mark.parametrize(("n_dims", "shape"), [(1, (7,)), (2, (7, 7))])
def test_the_landscape(model, n_dims, shape):
    display = LossLandscapeDisplay.from_estimator(model, X, Y, n_dims=n_dims, n_steps=7, distance=0.5)
    assert display.losses.shape == shape
    p = model.predict_proba(X)[np.arange(len(Y)), Y]
    assert display.losses[(3,) * n_dims] == pytest.approx(-np.log(p).mean(), rel=1e-9)
    again = LossLandscapeDisplay.from_estimator(model, X, Y, n_dims=n_dims, n_steps=7, distance=0.5, ax=display.ax_)
    assert again.figure_ is display.figure_
    np.testing.assert_array_equal(again.losses, display.losses)


def test_the_landscape_of_an_ensemble_of_regressors_with_weights():
    X, y = load_diabetes(return_X_y=True)
    model = SAMMLPRegressor(**QUICK, n_ensemble=2, dropout=0.1).fit(X, y)
    weight = np.arange(len(y)) % 3
    display = LossLandscapeDisplay.from_estimator(model, X, y, sample_weight=weight, n_steps=3)
    members = model.to_torch()
    import torch

    with torch.no_grad():
        outputs = members.network(members.scaling(torch.from_numpy(X))).numpy()[..., 0]
    squares = (outputs - (y - model.y_center_) / model.y_scale_) ** 2 / 2
    assert display.losses[1] == pytest.approx(np.average(squares, axis=1, weights=weight).mean(), rel=1e-9)


def test_the_landscape_inside_no_grad_and_what_is_refused(model):
    X, y = load_iris(return_X_y=True)
    outside = LossLandscapeDisplay.from_estimator(model, X, y, n_steps=5)
    with torch.no_grad(), torch.device("meta"):
        assert_array_equal(LossLandscapeDisplay.from_estimator(model, X, y, n_steps=5).losses, outside.losses)
    with pytest.raises(TypeError, match="takes a fitted network of this package, not LogisticRegression"):
        LossLandscapeDisplay.from_estimator(LogisticRegression(), X, y)
    with pytest.raises(ValueError, match="n_steps must be 2 or more"):
        LossLandscapeDisplay.from_estimator(model, X, y, n_steps=1)


def test_the_landscape_has_one_dimension_or_two(model):
    with pytest.raises(ValueError, match="n_dims must be 1 or 2, got 3"):
        LossLandscapeDisplay.from_estimator(model, X, Y, n_dims=3)


def test_the_training_curve(model):
    display = TrainingCurveDisplay.from_estimator(model)
    (line,) = display.ax_.get_lines()[:1]
    np.testing.assert_array_equal(line.get_ydata(), model.loss_curve_)
    np.testing.assert_array_equal(display.score_ax_.get_lines()[0].get_ydata(), model.validation_scores_)
    plain = SAMMLPRegressor(**QUICK).fit(X, X[:, 0])
    assert TrainingCurveDisplay.from_estimator(plain).score_ax_ is None
    with pytest.raises(NotFittedError):
        TrainingCurveDisplay.from_estimator(SAMMLPClassifier())
