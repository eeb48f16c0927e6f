"""The theory's identities: on logistic, softmax and squared losses, linear models and networks."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.preprocessing import scale
from sklearn.svm import SVC

from skpapers.augmentation import MixupWrapper, mixup_loss, mixup_regularization
from skpapers.augmentation._differentiable import read_problem
from skpapers.augmentation._mixup_theory import expansion, glm_penalty, quadrature, rewritten_loss
from tests.augmentation._networks import NetworkClassifier, NetworkRegressor, network

RNG = np.random.default_rng(0)
X = RNG.normal(size=(25, 4)) + 0.5
BINARY = np.array(["no", "yes"])[(X[:, 0] + RNG.normal(size=25) > 0.5).astype(int)]
THREE = np.digitize(X[:, 1] + RNG.normal(size=25), [0.0, 1.0])
NUMBERS = X @ [1.0, -2.0, 0.0, 0.5] + RNG.normal(size=25)
TWO_NUMBERS = np.column_stack([NUMBERS, X[:, 0] ** 2])

MODELS = {
    "logistic": (LogisticRegression(), BINARY),
    "softmax": (LogisticRegression(), THREE),
    "squared": (LinearRegression(), NUMBERS),
    "squared, two outputs": (Ridge(), TWO_NUMBERS),
    "network, one logit": (NetworkClassifier(single=True), BINARY),
    "network, two logits": (NetworkClassifier(), BINARY),
    "network, three logits": (NetworkClassifier("tanh"), THREE),
    "network, numbers": (NetworkRegressor(), NUMBERS),
    "network, two outputs": (NetworkRegressor("tanh"), TWO_NUMBERS),
}
fitted_models = pytest.mark.parametrize(("model", "y"), MODELS.values(), ids=MODELS)


@fitted_models
@pytest.mark.parametrize("alpha", [1.0, 2.0, 5.0])
def test_the_loss_is_that_of_mixed_labels(model, y, alpha):
    """Lemma 3.1, against the definition of mixup's loss: labels mixed, the share drawn from Beta(alpha, alpha)."""
    model.fit(X, y)
    function, rows, losses = read_problem(model, X, y)
    of_partners = [read_problem(model, X, np.repeat(y[i : i + 1], len(X), axis=0))[2] for i in range(len(X))]
    literal = 0.0
    for share, probability in zip(*quadrature(alpha, "soft"), strict=True):
        for partner, of_partner in zip(rows, of_partners, strict=True):
            f = function.outputs(share * rows + (1 - share) * partner)
            both = share * losses.values(f) + (1 - share) * of_partner.values(f)
            literal += probability * both.sum() / len(X) ** 2
    assert_allclose(mixup_loss(model, X, y, alpha), literal, rtol=1e-12, atol=1e-12)


@fitted_models
def test_the_remainder_is_of_third_order_at_a_fixed_share(model, y):
    function, rows, losses = read_problem(model.fit(X, y), X, y)
    plain = losses.values(function.outputs(rows)).mean()
    remainders = []
    for d in (0.02, 0.01, 0.005):
        exact = rewritten_loss(function, rows, losses, np.array([1 - d]), np.ones(1))
        remainders.append((exact - plain - sum(expansion(function, rows, losses, d, d**2))) / d**3)
    if isinstance(model, LinearRegression | Ridge):  # a quadratic loss has no third order
        assert_allclose(np.array(remainders) * 0.005**3, 0, atol=1e-13)
    else:
        assert abs(remainders[-1]) > 1e-6
        assert_allclose(remainders, remainders[-1], rtol=0.2)


@fitted_models
def test_the_terms_are_derivatives_of_the_loss_of_mixup(model, y):
    """R1 and R2 + R3 by finite differences of the exact loss in 1 - lambda."""
    function, rows, losses = read_problem(model.fit(X, y), X, y)

    def exact(d):
        return rewritten_loss(function, rows, losses, np.array([1 - d]), np.ones(1))

    h = 1e-3
    r1, r2, r3 = expansion(function, rows, losses, 1.0, 1.0)
    assert_allclose(r1, (exact(h) - exact(-h)) / (2 * h), rtol=1e-4, atol=1e-6)
    assert_allclose(r2 + r3, (exact(h) - 2 * exact(0) + exact(-h)) / (2 * h**2), rtol=1e-4, atol=1e-6)


@fitted_models
def test_the_share_s_moments_make_the_terms(model, y):
    function, rows, losses = read_problem(model.fit(X, y), X, y)
    alpha = 0.7
    shares, probabilities = quadrature(alpha, "hard")
    terms = mixup_regularization(model, X, y, alpha)
    moments = probabilities @ (1 - shares), probabilities @ (1 - shares) ** 2
    assert_allclose((terms.r1, terms.r2, terms.r3), expansion(function, rows, losses, *moments), rtol=1e-10)
    assert_allclose(terms.total, terms.loss + terms.r1 + terms.r2 + terms.r3)
    assert_allclose(terms.loss, losses.values(function.outputs(rows)).mean())


def test_r3_is_zero_for_linear_models_and_for_relu_and_not_for_smooth_networks():
    assert mixup_regularization(LogisticRegression().fit(X, THREE), X, THREE).r3 == 0
    assert mixup_regularization(network(4, 3, "relu"), X, THREE).r3 == 0
    assert mixup_regularization(network(4, 3, "identity"), X, THREE).r3 == 0
    assert abs(mixup_regularization(network(4, 3, "softplus"), X, THREE).r3) > 1e-3


def test_relu_networks_meet_the_expansion_below_the_distance_to_their_kinks():
    function, rows, losses = read_problem(network(4, 3, "relu"), X, THREE)
    plain = losses.values(function.outputs(rows)).mean()
    d = 1e-5
    exact = rewritten_loss(function, rows, losses, np.array([1 - d]), np.ones(1))
    r1, r2, r3 = expansion(function, rows, losses, d, d**2)
    assert_allclose(exact - plain - r1, r2 + r3, rtol=1e-2)


@pytest.mark.parametrize(("model", "y"), list(MODELS.values())[:4], ids=list(MODELS)[:4])
def test_the_regulariser_of_generalised_linear_models(model, y):
    """Lemma 3.3: rows centred, mixtures divided by lambda; and the reference is the definition of the loss."""
    function, rows, losses = read_problem(model.fit(X, y), X, y)
    t = 0.01  # (1 - lambda) / lambda
    centred = rows - rows.mean(axis=0)
    added = np.mean([losses.values(function.outputs(rows + t * partner)).mean() for partner in centred])
    added -= losses.values(function.outputs(rows)).mean()
    assert_allclose(added / (t**2 * glm_penalty(function, rows, losses)), 1, atol=1e-3)
    factor = stats.beta(4.0, 3.0).expect(lambda share: ((1 - share) / share) ** 2)
    assert_allclose(mixup_regularization(model, X, y, 3.0).glm, factor * glm_penalty(function, rows, losses))
    assert mixup_regularization(model, X, y, 1.0).glm == np.inf


def test_the_regulariser_of_generalised_linear_models_is_none_of_networks():
    assert np.isnan(mixup_regularization(network(4, 3), X, THREE, 3.0).glm)


def test_a_linear_network_is_a_linear_model():
    model = LogisticRegression().fit(X, THREE)
    module = torch.nn.Linear(4, 3)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(model.coef_))
        module.bias.copy_(torch.tensor(model.intercept_))
    module.to(torch.float64)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(model.coef_))
        module.bias.copy_(torch.tensor(model.intercept_))
    of_model = mixup_regularization(model, X, THREE)
    of_module = mixup_regularization(module, X, THREE)
    for name in ("loss", "r1", "r2", "r3"):
        assert_allclose(of_model[name], of_module[name], rtol=1e-12, atol=1e-14)


def test_two_logits_equal_one():
    one = network(4, 1, "tanh")
    two = torch.nn.Sequential(one, torch.nn.Linear(1, 2)).double()
    with torch.no_grad():
        two[1].weight.copy_(torch.tensor([[0.0], [1.0]]))
        two[1].bias.zero_()
    codes = (BINARY == "yes").astype(int)
    of_one, of_two = (mixup_regularization(module, X, codes, 0.5) for module in (one, two))
    for name in ("loss", "r1", "r2", "r3"):
        assert_allclose(of_one[name], of_two[name], rtol=1e-10)
    assert_allclose(mixup_loss(one, X, codes), mixup_loss(two, X, codes), rtol=1e-12)


def test_a_module_is_left_as_it_was_and_evaluated_without_dropout():
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3))
    first, second = (mixup_regularization(module, X, THREE) for _ in range(2))
    assert first == second
    assert module.training
    assert module[0].weight.dtype == torch.float32
    assert module[0].weight.requires_grad


def test_frames_wrappers_and_other_linear_models():
    frame = pd.DataFrame(X, columns=list("abcd"))
    plain = mixup_regularization(LogisticRegression().fit(X, BINARY), X, BINARY)
    of_frame = mixup_regularization(LogisticRegression().fit(frame, BINARY), frame, BINARY)
    of_wrapper = mixup_regularization(MixupWrapper(LogisticRegression(), alpha=0).fit(X, BINARY), X, BINARY)
    for name in ("loss", "r1", "r2", "r3", "total"):
        assert_allclose([of_frame[name], of_wrapper[name]], plain[name], rtol=1e-10)
    assert mixup_regularization(LinearDiscriminantAnalysis().fit(X, THREE), X, THREE).r2 > 0


def test_mixup_lowers_the_loss_that_it_minimises():
    table, y = load_iris(return_X_y=True)
    table = scale(table)
    plain = LogisticRegression(C=1e4, max_iter=5000).fit(table, y)
    mixed = MixupWrapper(LogisticRegression(C=1e4, max_iter=5000), alpha=1, n_augment=50, keep_original=False)
    mixed.set_params(random_state=0).fit(table, y)
    assert mixup_loss(mixed, table, y) < 0.8 * mixup_loss(plain, table, y)
    # and it cannot be lowered much further by any other fit of the same kind
    again = LogisticRegression(C=1e4, max_iter=5000)
    again = MixupWrapper(again, alpha=1, n_augment=50, keep_original=False, label_mode="hard", random_state=1)
    assert_allclose(mixup_loss(again.fit(table, y), table, y), mixup_loss(mixed, table, y), rtol=0.02)


class TestWhatIsRefused:
    def test_models_without_derivatives(self):
        forest = RandomForestClassifier(3).fit(X, BINARY)
        with pytest.raises(TypeError, match="gives no derivatives by its features"):
            mixup_regularization(forest, X, BINARY)
        with pytest.raises(NotFittedError):
            mixup_loss(LogisticRegression(), X, BINARY)

    @pytest.mark.parametrize(("model", "y"), [(PoissonRegressor(), THREE), (SVC(kernel="linear"), THREE)])
    def test_models_whose_coefficients_are_not_their_output(self, model, y):
        with pytest.raises(TypeError, match="not linear in the features"):
            mixup_loss(model.fit(X, y), X, y)

    @pytest.mark.parametrize("alpha", [0, -1.0, np.inf, np.nan, "1"])
    def test_alpha(self, alpha):
        with pytest.raises(ValueError, match="alpha must be a positive number"):
            mixup_regularization(LogisticRegression().fit(X, BINARY), X, BINARY, alpha)

    def test_losses_and_labels_that_do_not_fit(self):
        model = LogisticRegression().fit(X, BINARY)
        with pytest.raises(ValueError, match="loss must be one of"):
            mixup_loss(model, X, BINARY, loss="hinge")
        with pytest.raises(ValueError, match="must hold the model's classes"):
            mixup_loss(model, X, THREE)
        with pytest.raises(ValueError, match="4 outputs for 2 classes"):
            mixup_loss(NetworkWithTooMany().fit(X, BINARY), X, BINARY)
        with pytest.raises(ValueError, match="outputs for each row"):
            mixup_loss(network(4, 2), X, NUMBERS)

    def test_a_loss_can_be_chosen(self):
        module = network(4, 1)
        counts = THREE.astype(int)
        assert mixup_loss(module, X, counts, loss="squared_error") == mixup_loss(module, X, counts.astype(float))


class NetworkWithTooMany(NetworkClassifier):
    def fit(self, X, y):
        super().fit(X, y)
        self.module_ = network(X.shape[1], 4)
        return self


def test_on_real_tables():
    """The expansion's terms have their signs: R2 is a penalty, and mixup's loss is above the plain one."""
    for load, model in ((load_breast_cancer, LogisticRegression()), (load_diabetes, Ridge())):
        table, y = load(return_X_y=True)
        table = scale(table)[:150]
        model.fit(table, y[:150])
        terms = mixup_regularization(model, table, y[:150], 0.2)
        assert terms.r2 > 0
        assert mixup_loss(model, table, y[:150], 0.2) > terms.loss
