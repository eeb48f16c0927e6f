"""Attacks, against their closed form on linear models and their bounds on networks."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skpapers.augmentation import MixupWrapper, adversarial_accuracy, mixup_regularization
from skpapers.augmentation._differentiable import read_problem
from skpapers.neural_network import SAMMLPClassifier
from tests.augmentation._networks import NetworkClassifier, network

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 5))
BINARY = np.array(["no", "yes"])[(X[:, 0] + X[:, 1] + 0.5 * RNG.normal(size=300) > 0).astype(int)]
THREE = np.digitize(X[:, 0] + 0.3 * RNG.normal(size=300), [-0.5, 0.5])


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
@pytest.mark.parametrize("eps", [0.0, 0.05, 0.2])
def test_a_linear_model_of_two_classes_loses_eps_times_the_l1_norm(attack, eps):
    model = LogisticRegression().fit(X, BINARY)
    margin = np.where(BINARY == "yes", 1, -1) * model.decision_function(X)
    expected = np.mean(margin > eps * np.abs(model.coef_).sum())
    assert adversarial_accuracy(model, X, BINARY, eps, attack) == expected


def test_without_room_there_is_no_attack_and_more_room_never_helps():
    model = NetworkClassifier("tanh", n_steps=200).fit(X, THREE)
    accuracies = [adversarial_accuracy(model, X, THREE, eps) for eps in (0.0, 0.1, 0.2, 0.4)]
    assert accuracies[0] == model.score(X, THREE) > 0.85
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[-1] < 0.5


def test_the_direction_is_the_residual_s():
    rows = X[:50]
    y = THREE[:50]
    model, rows, losses = read_problem(network(5, 3), rows, y)
    f = model.outputs(rows)
    ratio = losses.residual(f) / losses.ascent(f)
    assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-10)
    assert ratio.min() > 0


def test_steps_find_at_least_what_one_step_finds():
    model = NetworkClassifier("tanh", n_steps=400).fit(X, THREE)
    one, many = (adversarial_accuracy(model, X, THREE, 0.3, attack) for attack in ("fgsm", "pgd"))
    assert many <= one < model.score(X, THREE)
    assert adversarial_accuracy(model, X, THREE, 0.3, "pgd", n_steps=1) == one  # 2.5 eps, cut to eps


def test_random_moves_of_the_same_size_do_less():
    model = NetworkClassifier("tanh", n_steps=400).fit(X, THREE)
    noisy = [model.score(X + 0.2 * RNG.choice([-1, 1], size=X.shape), THREE) for _ in range(20)]
    assert adversarial_accuracy(model, X, THREE, 0.2) < min(noisy)


def test_bounds_hold():
    class Spy(NetworkClassifier):
        def predict(self, X):
            self.seen_ = np.array(X)
            return super().predict(X)

    rows = np.clip(X, -1, 1)
    model = Spy("tanh").fit(rows, THREE)
    adversarial_accuracy(model, rows, THREE, 0.3, "pgd", bounds=(-1, 1))
    assert np.abs(model.seen_).max() <= 1
    assert np.abs(model.seen_ - rows).max() <= 0.3 + 1e-15
    adversarial_accuracy(model, rows, THREE, 0.3)
    assert_allclose(np.abs(model.seen_ - rows), 0.3)


def test_a_model_that_is_nearly_sure_is_attacked_as_well():
    model = LogisticRegression(C=np.inf, max_iter=5000)
    separable = X[np.abs(X[:, 0]) > 0.3]
    y = (separable[:, 0] > 0).astype(int)
    model.fit(separable, y)
    model.coef_ = model.coef_ * 1e3  # probabilities of one, to the last digit
    assert adversarial_accuracy(model, separable, y, 3.0) == 0.0
    three = LogisticRegression().fit(X, THREE)
    three.coef_ = 1e3 * three.coef_
    three.intercept_ = 1e3 * three.intercept_
    assert adversarial_accuracy(three, X, THREE, 3.0) < 0.1


def test_one_logit_frames_and_wrappers():
    one = NetworkClassifier("tanh", n_steps=200, single=True).fit(X, BINARY)
    assert adversarial_accuracy(one, X, BINARY, 0.3) < adversarial_accuracy(one, X, BINARY, 0.0) - 0.1
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = LogisticRegression().fit(frame, BINARY)
    of_array = LogisticRegression().fit(X, BINARY)
    assert adversarial_accuracy(model, frame, BINARY, 0.1) == adversarial_accuracy(of_array, X, BINARY, 0.1)
    wrapped = MixupWrapper(NetworkClassifier("tanh", n_steps=50), random_state=0).fit(X, THREE)
    assert 0 < adversarial_accuracy(wrapped, X, THREE, 0.1) < wrapped.score(X, THREE)


def test_modes_of_torch_do_not_switch_the_attack_off():
    model = network(5, 3)
    terms = mixup_regularization(model, X, THREE)
    classifier = SAMMLPClassifier((8,), max_iter=20, random_state=0).fit(X, THREE)
    accuracy = adversarial_accuracy(classifier, X, THREE, 0.5)
    assert accuracy < classifier.score(X, THREE)
    for mode in (torch.no_grad(), torch.inference_mode(), torch.device("meta")):
        with mode:
            assert adversarial_accuracy(classifier, X, THREE, 0.5) == accuracy
            assert mixup_regularization(model, X, THREE) == terms


def test_a_pure_function():
    model = LogisticRegression().fit(X, THREE)
    rows = X.copy()
    assert adversarial_accuracy(model, X, THREE, 0.1) == adversarial_accuracy(model, X, THREE, 0.1)
    assert np.array_equal(rows, X)


def test_what_is_refused():
    model = LogisticRegression().fit(X, BINARY)
    with pytest.raises(ValueError, match="eps must be a number of 0 or more"):
        adversarial_accuracy(model, X, BINARY, -0.1)
    with pytest.raises(ValueError, match="attack must be one of 'fgsm', 'pgd'"):
        adversarial_accuracy(model, X, BINARY, 0.1, "deepfool")
    with pytest.raises(ValueError, match="n_steps must be a positive integer"):
        adversarial_accuracy(model, X, BINARY, 0.1, "pgd", n_steps=0)
    with pytest.raises(ValueError, match="bounds must be two numbers"):
        adversarial_accuracy(model, X, BINARY, 0.1, bounds=(1, 0))
    for refused in (Ridge().fit(X, X[:, 0]), network(5, 3)):
        with pytest.raises(TypeError, match="takes a fitted classifier"):
            adversarial_accuracy(refused, X, THREE, 0.1)
    for refused in (DecisionTreeClassifier(), make_pipeline(StandardScaler(), LogisticRegression())):
        with pytest.raises(TypeError, match="gives no derivatives"):
            adversarial_accuracy(refused.fit(X, BINARY), X, BINARY, 0.1)


def test_digits():
    rows, y = load_digits(return_X_y=True)
    rows = rows / 16
    model = LogisticRegression(max_iter=200).fit(rows[:800], y[:800])
    clean, attacked = (adversarial_accuracy(model, rows[800:], y[800:], eps) for eps in (0, 0.1))
    assert clean == model.score(rows[800:], y[800:])
    assert attacked < clean - 0.3
