"""Statistics of rows that come in call by call, and `partial_fit`, which uses them."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import SGDClassifier

from skpapers._torch.running import ENOUGH, MeanWeight, mean_weight, no_statistics, update
from skpapers._torch.scaling import fit_target
from skpapers._torch.scaling_layers import FixedScaling, PatchedScaling
from skpapers.neural_network import SAMMLPClassifier, SAMMLPRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1500, 2))
LABEL = (X[:, 1] > 0).astype(int)
IRIS, DIABETES = (load(return_X_y=True) for load in (load_iris, load_diabetes))
QUICK = {"random_state": 0, "device": "cpu", "dropout": 0.0, "max_iter": 2}


def classifier(**kwargs):
    return SAMMLPClassifier((16,), **QUICK | kwargs)


def regressor(**kwargs):
    return SAMMLPRegressor((16,), **QUICK | kwargs)


def mean_of(rows, weight):
    return {"mean": np.average(rows, axis=0, weights=weight), "n": len(rows)}


def stream(model, X, y, start=0, size=64, **kwargs):
    for i in range(start, len(X), size):
        weight = {name: values[i : i + size] for name, values in kwargs.items()}
        model.partial_fit(X[i : i + size], y[i : i + size], **weight)
    return model


# The statistics themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 64, 511, 512, 1500])
def test_statistics_follow_the_first_rows_and_are_then_fixed(size):
    weight = RNG.uniform(1.0, 2.0, size=len(X))
    statistics = no_statistics(2)
    fits = []

    def fit(rows, weight):
        fits.append(len(rows))
        return mean_of(rows, weight)

    for i in range(0, 1500, size):
        statistics = update(statistics, X[i : i + size], weight[i : i + size], fit)
        n = min(i + size, 1500)
        if n >= ENOUGH:
            assert not len(statistics.groups[0].rows)
        else:
            assert fits[-1] > n / 1.13
    n = fits[-1]
    assert n >= ENOUGH - ENOUGH // 8
    assert_allclose(statistics.groups[0].fitted["mean"], np.average(X[:n], axis=0, weights=weight[:n]))
    assert len(fits) < 60


def test_columns_that_start_late_are_fitted_from_there_on():
    first = np.full((600, 3), [1.0, 2.0, 3.0])
    late = np.full((400, 3), [1.0, 2.0, 3.0])
    first[:, 0] = X[:600, 0]
    late[:, 0] = X[:400, 0]
    late[100:, 2] = X[100:400, 1]
    statistics = update(no_statistics(3), first, None, mean_of)
    before = pickle.dumps(statistics)
    assert_array_equal(statistics.waiting, [1, 2])
    after = statistics
    for i in range(0, 400, 50):
        after = update(after, late[i : i + 50], None, mean_of)
    assert pickle.dumps(statistics) == before
    assert len(after.groups) == 2
    assert_array_equal(after.waiting, [1])
    assert_array_equal(after.groups[1].columns, [2])
    assert_array_equal(after.groups[1].origin, [3.0])
    assert after.groups[0] is statistics.groups[0]
    assert_allclose(after.groups[1].rows[:, 0], np.r_[3.0, late[100:, 2]])
    rounded = first[:64] + np.array([0.0, 0.0, 4e-16])
    assert len(update(statistics, rounded, None, mean_of).groups) == 1


def test_a_patched_scaling_leaves_the_constant_at_zero():
    first = FixedScaling(np.array([1.0, 5.0]), np.array([2.0, 0.0]), 3.0)
    late = FixedScaling(np.array([7.0]), np.array([0.5]), 3.0)
    patched = PatchedScaling(first, [(late, np.array([1]), np.array([5.0]))])
    rows = torch.tensor([[0.0, 5.0], [0.0, 9.0]], dtype=torch.float64, requires_grad=True)
    z = patched(rows)
    assert_array_equal(z[:, 0].detach(), first(rows)[:, 0].detach())
    assert z[0, 1] == 0.0
    assert z[1, 1].item() == pytest.approx(2.0 / np.hypot(1.0, 1.0 / 3.0))
    z.sum().backward()
    assert (rows.grad[1] > 0).all()


def test_the_mean_weight_follows_the_first_rows_and_is_then_fixed():
    mean = MeanWeight().after(None, 100).after(np.full(100, 3.0), 100)
    assert mean.value == 2.0
    settled = mean.after(np.full(400, 2.0), 400)
    assert settled.after(np.full(10**4, 20.0), 10**4).value == 2.0
    assert settled.after(np.array([1e200]), 1).value == pytest.approx(1e194)
    assert mean_weight(np.full(1000, 1e308)) == pytest.approx(1e308)


# partial_fit ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", ["robust", "standard"])
@pytest.mark.parametrize("start", ["one row", "64 rows", "700 rows", "fit"])
def test_a_column_that_is_constant_at_first_is_learned_later(scaling, start):
    model = classifier(scaling=scaling)
    n = {"one row": 1, "64 rows": 64}.get(start, 700)
    first = X[:n].copy()
    first[:, 1] = 0.3
    if start == "fit":
        model.fit(first, LABEL[:n])
    else:
        model.partial_fit(first, LABEL[:n], classes=[0, 1])
    for _ in range(4):
        model = pickle.loads(pickle.dumps(stream(model, X, LABEL, start=64)))
    assert model.score(X, LABEL) > 0.97


def test_a_column_that_is_constant_at_first_is_learned_by_a_warm_start():
    first = X.copy()
    first[:, 1] = 0.3
    model = classifier(warm_start=True, max_iter=4).fit(first[:700], LABEL[:700]).fit(X, LABEL)
    assert model.score(X, LABEL) > 0.97
    alone = classifier(warm_start=True, max_iter=4).partial_fit(X[:1], LABEL[:1], classes=[0, 1]).fit(X, LABEL)
    assert alone.score(X, LABEL) > 0.97


def test_a_late_column_leaves_the_function_of_other_rows_as_it_was():
    first = X[:700].copy()
    first[:, 1] = 0.3
    model = classifier(learning_rate_init=0.01, max_iter=5).fit(first, first[:, 0] > 0)
    before = model.predict_proba(first)
    model.set_params(learning_rate_init=1e-30).partial_fit(X[:64], X[:64, 0] > 0)
    assert_array_equal(model.predict_proba(first), before)
    assert not np.array_equal(model.predict_proba(X), before[:1].repeat(len(X), axis=0))


@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile"])
def test_statistics_of_targets_follow_the_first_rows(loss):
    y = 1000.0 + 50.0 * X[:, 0]
    Y = np.column_stack([y, np.where(np.arange(len(y)) < 600, 7.0, 7.0 + X[:, 1])])
    model = regressor(loss=loss, learning_rate_init=0.01)
    model.partial_fit(X[:1], Y[:1])
    assert_array_equal(model.predict(X[:3]), Y[:1].repeat(3, axis=0))
    for size, rows in ((1, slice(1, 40)), (40, slice(40, 600))):
        stream(model, X[rows], Y[rows], size=size)
    expected = fit_target(Y[:520], None, robust=loss == "huber")
    assert_allclose(model.y_center_, expected[0])
    assert_allclose(model.y_scale_, expected[1])
    assert_array_equal(model.predict(X)[:, 1], 7.0)
    for _ in range(4):
        stream(model, X[600:], Y[600:])
    assert_allclose(model.y_center_[0], expected[0][0])
    assert model.y_scale_[1] == pytest.approx(1.0, abs=0.2)
    if loss != "quantile":
        residual = Y[600:] - model.predict(X[600:])
        assert (residual.std(axis=0) < 0.4 * Y[600:].std(axis=0)).all()


def test_a_first_call_of_many_rows_fixes_the_statistics():
    model = regressor().partial_fit(X, 5.0 * X[:, 0] + 2.0)
    expected = regressor().fit(X, 5.0 * X[:, 0] + 2.0)
    for name in ("y_center_", "y_scale_"):
        assert_array_equal(getattr(model, name), getattr(expected, name))
    before = model.to_torch().scaling
    model.partial_fit(10.0 * X, X[:, 0])
    rows = torch.from_numpy(X)
    assert_array_equal(model.to_torch().scaling(rows), before(rows))
    assert model.y_center_ == expected.y_center_


def test_fixed_statistics_keep_no_rows():
    X = np.random.default_rng(0).normal(size=(20, 3))
    group = update(no_statistics(3), X, None, lambda rows, weight: {"mean": rows.mean(axis=0)}, 20).groups[0]
    assert group.rows.shape == (0, 3)
    assert group.rows.base is None  # a view would keep all of X
    assert group.weight.base is None


def test_a_call_that_fails_leaves_the_statistics_as_they_were():
    model = regressor(scaling="standard").partial_fit(X[:64], LABEL[:64])
    model.set_params(solver="sgd", learning_rate_init=1e30)
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match="NaN or infinite"):
        model.partial_fit(X[64:], LABEL[64:])
    assert pickle.dumps(model) == before


def one_by_one(model, weight, y, n=260):
    """Return the mean probability of class 1 after a stream of single rows, where its rows have this weight."""
    A = X[:n]
    model.partial_fit(A[:64], y[:64], classes=[0, 1])
    for i in range(64, n):
        model.partial_fit(A[i : i + 1], y[i : i + 1], sample_weight=[weight if y[i] else 1.0])
    return model.predict_proba(A)[:, 1].mean()


def test_weights_count_against_those_of_earlier_calls():
    y = (X[:, 0] + 2.0 * RNG.normal(size=len(X)) > 0).astype(int)
    sgd = SGDClassifier(loss="log_loss", random_state=0, learning_rate="constant", eta0=0.005)
    assert one_by_one(sgd, 20.0, y) > 0.85
    assert one_by_one(classifier(), 20.0, y) > 0.85
    assert one_by_one(classifier(), 1.0, y) == pytest.approx(0.5, abs=0.1)
    assert one_by_one(classifier(class_weight={0: 1, 1: 20}), 1.0, y) > 0.85
    assert one_by_one(classifier(solver="sgd", learning_rate_init=0.005), 20.0, y) > 0.85


def test_a_common_factor_of_the_weights_of_all_calls_changes_nothing():
    weight = RNG.uniform(0.5, 2.0, size=len(X))
    weight[70] = 0.0
    expected = stream(classifier().partial_fit(X[:1], LABEL[:1], [0, 1], weight[:1]), X, LABEL, 1, sample_weight=weight)
    for factor in (2.0**660, 2.0**-660, 1e200, 1e-200, 7.0):
        model = classifier().partial_fit(X[:1], LABEL[:1], [0, 1], factor * weight[:1])
        stream(model, X, LABEL, 1, sample_weight=factor * weight)
        tol = 0.0 if np.frexp(factor)[0] == 0.5 else 1e-4
        assert_allclose(model.predict_proba(X), expected.predict_proba(X), rtol=0, atol=tol)


def test_weights_of_any_size_leave_the_network_finite():
    model = classifier().partial_fit(X[:64], LABEL[:64], classes=[0, 1])
    for weight in (1e200, 1.0, 1e-200, 1e308):
        model.partial_fit(X[64:128], LABEL[64:128], sample_weight=np.full(64, weight))
    assert np.isfinite(model.predict_proba(X)).all()
    assert np.isfinite(classifier().fit(X, LABEL, sample_weight=np.full(len(X), 1e308)).loss_)


def test_a_call_of_rows_without_weight_changes_nothing():
    model = classifier().partial_fit(X[:64], LABEL[:64], classes=[0, 1])
    before = pickle.dumps(model)
    assert model.partial_fit(X[64:65], LABEL[64:65], sample_weight=[0.0]) is model
    assert pickle.dumps(model) == before
    with pytest.raises(ValueError, match=r"[Ww]eight"):
        classifier().partial_fit(X[:9], LABEL[:9], classes=[0, 1], sample_weight=np.zeros(9))


MAY_CHANGE = {
    "activation": "relu",
    "solver": "sgd",
    "alpha": 0.3,
    "batch_size": 7,
    "learning_rate_init": 0.01,
    "sam_fraction": 0.3,
    "calibration": "temperature",
    "max_iter": 3,
    "shuffle": False,
    "momentum": 0.0,
    "nesterovs_momentum": False,
    "beta_1": 0.5,
    "beta_2": 0.9,
    "epsilon": 1e-4,
    "validation_fraction": 0.3,
    "validation_split": "random",
    "n_iter_no_change": 3,
    "tol": 1e-2,
    "warm_start": True,
    "random_state": 7,
    "verbose": True,
    "rho": 0.0,
    "adaptive": True,
    "dropout": 0.5,
    "label_smoothing": 0.1,
    "class_weight": {0: 2.0, 1: 1.0, 2: 1.0},
    "mixup_alpha": 0.5,
    "dtype": "float64",
    "device": "auto",
    "loss": "huber",
    "quantile": 0.9,
}
ANOTHER_NETWORK = {
    "hidden_layer_sizes": ((8, 8), r"another shape .*hidden_layer_sizes=\(8, 8\), not \(16,\)"),
    "n_ensemble": (2, "another shape .*n_ensemble=2, not 1"),
    "batch_norm": (True, "another shape .*batch_norm=True, not False"),
    "numeric_embedding": ("none", "another shape .*numeric_embedding='none', not 'periodic'"),
    "scaling": ("standard", "scaling='robust' and cannot continue with 'standard'"),
}


@pytest.mark.parametrize(("make", "data"), [(classifier, IRIS), (regressor, DIABETES)])
def test_every_parameter_may_change_between_calls_or_is_named(make, data):
    A, y = data
    known = set(make().get_params())
    tuned_later = {"early_stopping"}  # an error of partial_fit, in any case
    start = make(n_ensemble=1).fit(A, y)
    for name in known - tuned_later - set(MAY_CHANGE) - set(ANOTHER_NETWORK):
        raise AssertionError(f"say what happens if {name} changes")
    for name in known & set(MAY_CHANGE):
        for way in ("partial_fit", "fit"):
            model = pickle.loads(pickle.dumps(start)).set_params(**{"warm_start": True, name: MAY_CHANGE[name]})
            model.partial_fit(A, y)
            getattr(model, way)(A, y)
            assert np.isfinite(model.predict(A)).all()
    for name in known & set(ANOTHER_NETWORK):
        value, message = ANOTHER_NETWORK[name]
        for way in ("partial_fit", "fit"):
            model = pickle.loads(pickle.dumps(start)).set_params(**{"warm_start": True, name: value})
            before = pickle.dumps(model)
            with pytest.raises(ValueError, match=message):
                getattr(model, way)(A, y)
            assert pickle.dumps(model) == before


def test_moments_stay_with_the_optimiser_that_has_them():
    A, y = IRIS
    model = classifier().fit(A, y)
    steps = model._fitted.training["optimizer.0.step"]
    for changes, expected in (({"solver": "adam"}, steps + 3), ({"dtype": "float64"}, steps + 6)):
        model.set_params(**changes).partial_fit(A, y)
        assert model._fitted.training["optimizer.0.step"] == expected
    assert model._fitted.training["optimizer.0.exp_avg"].dtype == np.float64
    model.set_params(solver="sgd").partial_fit(A, y)
    assert "optimizer.0.step" not in model._fitted.training
    model.set_params(solver="adamw").partial_fit(A, y)
    assert model._fitted.training["optimizer.0.step"] == 3


def test_generators_of_another_device_start_anew():
    A, y = IRIS
    model = classifier(dropout=0.1).fit(A, y)
    model._fitted.training["generator.0"] = np.zeros(16, dtype=np.uint8)  # as a GPU's generator saves itself
    assert np.isfinite(model.partial_fit(A, y).loss_)
