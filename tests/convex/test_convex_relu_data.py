"""Rows as they come and as programs take them: constant columns, offsets, sizes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import TimeSeriesSplit

from skpapers.convex import (
    ConvexReLUClassifier,
    ConvexReLUClassifierCV,
    ConvexReLURegressor,
    ConvexReLURegressorCV,
    convex_relu_path,
)
from skpapers.convex._convex_relu_data import from_raw, of_all_columns, of_columns_kept, prepare, to_raw

NUMBERS = tuple(A[:100] for A in load_diabetes(return_X_y=True))
LABELS = tuple(A[::2] for A in load_iris(return_X_y=True))
EPS = np.finfo(np.float64).eps
SMALL = {"alpha": 0.1, "n_gates": 20, "n_refine": 0, "random_state": 0}
PATHS = {"alphas": 2, "eps": 0.2, "n_gates": 10, "n_refine": 0, "cv": 2, "random_state": 0}
MODELS = [
    (ConvexReLURegressor, SMALL | {"n_refine": 1}, NUMBERS),
    (ConvexReLURegressor, SMALL | {"activation": "gated_relu"}, NUMBERS),
    (ConvexReLURegressor, SMALL | {"standardize": False, "output_intercept": False}, NUMBERS),
    (ConvexReLUClassifier, SMALL, LABELS),
    (ConvexReLUClassifier, SMALL | {"activation": "gated_relu", "standardize": False}, LABELS),
    (ConvexReLURegressorCV, PATHS, NUMBERS),
    (ConvexReLUClassifierCV, PATHS, LABELS),
]
EACH_MODEL = pytest.mark.parametrize(("kind", "options", "data"), MODELS)
CONSTANTS = {
    "one": lambda n: np.ones(n),
    "a third": lambda n: np.full(n, 1 / 3),
    "far": lambda n: np.full(n, -1e9),
    "huge": lambda n: np.full(n, 1e308),
    "rounded": lambda n: 0.3 + EPS * (np.arange(n) % 2),
}


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "classes_") else model.predict(X)


@EACH_MODEL
def test_a_constant_column_has_weight_zero_and_changes_nothing(kind, options, data):
    X, y = data
    plain = kind(**options).fit(X, y)
    names = list(CONSTANTS) if options.get("activation") == "gated_relu" else ["rounded"]
    for name in names:
        Z = np.column_stack([X[:, :1], CONSTANTS[name](len(X)), X[:, 1:]])
        model = kind(**options).fit(Z, y)
        later = Z[:20].copy()
        later[:, 1] = np.linspace(-1e6, 1e6, 20)
        assert_array_equal(outputs(model, Z), outputs(plain, X), err_msg=name)
        assert_array_equal(outputs(model, later), outputs(model, Z[:20]), err_msg=name)
        assert not model.coef_[1].any()
        assert not model.gates_[1].any()
        assert_array_equal(model.gates_, np.insert(plain.gates_, 1, 0.0, axis=0))
        if options.get("activation") == "gated_relu":
            assert_array_equal(outputs(model.to_relu(), later), outputs(model.to_relu(), Z[:20]))


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
def test_constant_among_the_rows_that_count(activation):
    X, y = NUMBERS
    weight = (np.arange(len(X)) % 3).astype(float)
    Z = np.column_stack([X, np.where(weight > 0, 7.0, np.arange(len(X)))])
    model = ConvexReLURegressor(activation, **SMALL).fit(Z, y, sample_weight=weight)
    assert not model.coef_[-1].any()
    plain = ConvexReLURegressor(activation, **SMALL).fit(X, y, sample_weight=weight)
    assert_array_equal(model.predict(Z), plain.predict(X))
    labels = (np.arange(len(X)) % 3).astype(int)
    Z = np.column_stack([X, np.where(labels > 0, 7.0, np.arange(len(X)))])
    model = ConvexReLUClassifier(activation, class_weight={0: 0.0, 1: 1.0, 2: 2.0}, **SMALL).fit(Z, labels)
    assert not model.coef_[-1].any()


def test_a_year_that_moves_on_after_every_training_fold():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 4))
    y = X[:, 0] + 0.1 * rng.normal(size=240)
    Z = np.column_stack([X, np.repeat([2019.0, 2020.0, 2021.0, 2022.0], 60)])
    constants = []
    for train, test in TimeSeriesSplit(3).split(X):
        constant = bool(np.ptp(Z[train, -1]) == 0)
        constants.append(constant)
        predicted = ConvexReLURegressor(**SMALL).fit(Z[train], y[train]).predict(Z[test])
        if constant:
            assert_array_equal(predicted, ConvexReLURegressor(**SMALL).fit(X[train], y[train]).predict(X[test]))
        assert np.abs(predicted).max() < 5
    assert constants == [True, False, False]


def test_gates_given_keep_their_sides_where_a_constant_column_is_part_of_them():
    X, y = NUMBERS
    Z = np.column_stack([X, np.full(len(X), 2.0)])
    rng = np.random.default_rng(0)
    gates = rng.normal(size=(Z.shape[1], 25))
    model = ConvexReLURegressor("gated_relu", alpha=0.01, gates=gates).fit(Z, y)
    other = ConvexReLURegressor("gated_relu", alpha=0.01, gates=np.vstack([gates[:-1], 2.0 * gates[-1:]])).fit(X, y)
    assert_array_equal(model.predict(Z), other.predict(X))
    moved = Z + np.append(np.zeros(X.shape[1]), 5.0)
    assert_array_equal(model.predict(moved), model.predict(Z))
    with pytest.raises(ValueError, match="gates has 10 rows, but X has 11 features: gates must have 11 or 12 rows"):
        ConvexReLURegressor(gates=gates[:-1]).fit(Z, y)


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
def test_a_warm_start_where_a_column_becomes_constant_or_varies_again(activation):
    X, y = NUMBERS
    still = X.copy()
    still[:, 2] = 0.5
    model = ConvexReLURegressor(activation, warm_start=True, **SMALL).fit(X, y)
    assert model.coef_[2].any()
    model.fit(still, y)
    assert not model.coef_[2].any()
    assert not model.gates_[2].any()
    cold = ConvexReLURegressor(activation, **SMALL).fit(still, y)
    assert model.objective_ < cold.objective_ * (1 + 5 * model.tol) or activation == "relu"
    model.fit(X, y)
    assert model.converged_


def test_paths_leave_constant_columns_out():
    X, y = NUMBERS
    Z = np.column_stack([np.full(len(X), 0.1), X])
    _, models, _ = convex_relu_path(ConvexReLURegressor(**SMALL), Z, y, alphas=3, eps=0.1)
    assert not any(model.coef_[0].any() for model in models)


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
@pytest.mark.parametrize("standardize", [True, False])
def test_without_intercepts_a_constant_column_takes_their_place(activation, standardize):
    X, y = NUMBERS
    options = SMALL | {"standardize": standardize, "fit_intercept": False}
    ones = np.column_stack([X, np.ones(len(X))])
    model = ConvexReLURegressor(activation, **options).fit(ones, y)
    assert model.coef_[-1].any()
    if standardize:
        other = ConvexReLURegressor(activation, **options).fit(ones * np.append(np.ones(X.shape[1]), 4.0), y)
        assert_allclose(other.objective_, model.objective_, rtol=2 * model.tol)


def test_columns_that_are_all_constant_leave_the_mean():
    X, y = np.full((30, 3), 0.1), np.arange(30.0)
    model = ConvexReLURegressor(**SMALL).fit(X, y)
    assert_allclose(model.predict(X + 1.0), y.mean())
    labels = np.repeat([0, 1, 2], 10)
    assert_allclose(ConvexReLUClassifier(**SMALL).fit(X, labels).predict_proba(X - 1.0), 1 / 3)


def test_a_linear_function_is_the_same_on_scaled_rows_on_rows_as_they_came_and_on_all_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(3.0, 2.0, size=(20, 5))
    X[:, [1, 4]] = 7.0, -0.1
    data = prepare(X, X[:, :1], None, intercept=True, standardize=True, centre_y=True, scale_y=True)
    assert data.kept.tolist() == [True, False, True, True, False]
    W = rng.normal(size=(4, 6))
    full = of_all_columns(data, to_raw(data, W))
    rows = np.argsort(X[:, 0], kind="stable")
    assert_allclose(X[rows] @ full[:-1] + full[-1], data.X @ W, atol=1e-12)
    assert_allclose(from_raw(data, of_columns_kept(data, full)), W, atol=1e-12)
    V = rng.normal(size=(6, 2))
    kept = of_columns_kept(data, V)
    assert_allclose(data.raw @ kept[:-1] + kept[-1], X[rows] @ V[:-1] + V[-1], atol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e9, -1e12])
def test_means_and_deviations_are_exact_however_far_from_zero_columns_are(offset):
    rng = np.random.default_rng(0)
    whole = rng.integers(-8, 9, size=(1001, 3)).astype(float)
    scale = [1.0, 2.0**-10, 2.0**20]
    weight = rng.integers(1, 5, size=1001).astype(float)
    X = whole * scale + offset
    data = prepare(X, whole[:, :1], weight, intercept=True, standardize=True, centre_y=True, scale_y=True)
    mean = np.average(whole, axis=0, weights=weight)
    deviation = np.sqrt(np.average((whole - mean) ** 2, axis=0, weights=weight))
    assert_allclose(data.scale, deviation * scale, rtol=1e-12)
    assert_allclose(data.weight @ data.X[:, :3], 0.0, atol=1e-14 + 2 * EPS * abs(offset) / (deviation * scale).min())
    assert_allclose(np.unique(data.X[:, 0]), np.unique((whole[:, 0] - mean[0]) / deviation[0]), atol=1e-3)


@pytest.mark.parametrize("factor", [1e-300, 1e-160, 1e160, 1e300, 2e307])
def test_columns_of_any_size_are_standardised_alike(factor):
    X, y = NUMBERS
    plain = prepare(X, y[:, np.newaxis], None, intercept=True, standardize=True, centre_y=True, scale_y=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        data = prepare(
            X * factor,
            y[:, np.newaxis] / y.max() * factor,
            None,
            intercept=True,
            standardize=True,
            centre_y=True,
            scale_y=True,
        )
    assert_allclose(data.X, plain.X, rtol=1e-9, atol=1e-9)
    assert_allclose(data.Y, plain.Y, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("size", [1.0, 1e-150, 1e200])
def test_columns_and_targets_that_differ_only_in_rows_of_negligible_weight_are_scaled_by_their_range(intercept, size):
    X, y = NUMBERS
    old = np.arange(len(X)) < 5
    weight = np.where(old, 1e-200, 1.0)  # as weights that halve every few rows
    flag = old[:, np.newaxis] * size
    data = prepare(
        np.hstack([X, flag]), flag, weight, intercept=intercept, standardize=True, centre_y=True, scale_y=True
    )
    assert data.scale[-1] == data.y_scale[0] == size
    assert np.abs(data.X).max() < 10
    model = ConvexReLURegressor(**SMALL).fit(np.hstack([X, flag]), y, sample_weight=weight)
    expected = ConvexReLURegressor(**SMALL).fit(X[~old], y[~old]).objective_
    assert_allclose(model.objective_, expected, rtol=0.1)  # gates are drawn with one more column


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
def test_values_too_large_to_be_squared_are_named_where_nothing_scales_them(activation):
    X, y = NUMBERS
    model = ConvexReLURegressor(activation, standardize=False, **SMALL)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=r"X holds values up to .*: with standardize=False they must be at most 1e"):
        model.fit(X * 1e300, y)
    with pytest.raises(ValueError, match=r"y holds values up to .*: with standardize=False"):
        model.fit(X, y * 1e200)
    with pytest.raises(ValueError, match="X holds values up to"):
        ConvexReLUClassifier(activation, standardize=False, **SMALL).fit(X * 1e100, y > 100)
    assert vars(model) == before


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
def test_a_common_factor_of_weights_targets_or_columns_changes_nothing(activation):
    X, y = NUMBERS
    weight = np.arange(1.0, len(X) + 1)
    new = lambda: ConvexReLURegressor(activation, **SMALL)  # noqa: E731
    expected = new().fit(X, y, sample_weight=weight).predict(X)
    for size in (2.0**664, 2.0**-664, 2.0**990, 2.0**-990):
        assert_allclose(new().fit(X, y, sample_weight=weight * size).predict(X), expected, rtol=1e-9)
        assert_allclose(new().fit(X, y * size, sample_weight=weight).predict(X) / size, expected, rtol=1e-9)
        factor = np.array([size] + [1.0] * (X.shape[1] - 1))
        assert_allclose(new().fit(X * factor, y, sample_weight=weight).predict(X * factor), expected, rtol=1e-9)


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
@pytest.mark.parametrize("value", [0.0, 1 / 3, -1e9, 1e300])
def test_constant_targets_are_predicted_exactly(activation, value):
    X = NUMBERS[0]
    model = ConvexReLURegressor(activation, **SMALL).fit(X, np.full(len(X), value))
    assert_array_equal(model.predict(X * 7.0), np.full(len(X), value))
    assert model.n_active_neurons_ == 0
    assert model.gap_ == 0


@pytest.mark.parametrize(("kind", "options", "data"), MODELS[:5])
def test_dtypes_strides_ties_and_one_row(kind, options, data):
    X, y = data
    whole = np.rint(10.0 * X / X.std(axis=0))
    expected = outputs(kind(**options).fit(whole, y), whole)
    for same in (
        whole.astype(np.float32),
        whole.astype(np.int64),
        np.asfortranarray(whole),
        whole[::-1].copy()[::-1],
        np.ascontiguousarray(whole[:, ::-1])[:, ::-1],
    ):
        assert_array_equal(outputs(kind(**options).fit(same, y), same), expected)
    twice = outputs(kind(**options).fit(np.repeat(whole, 2, axis=0), np.repeat(y, 2)), whole)
    assert_allclose(twice, expected, rtol=1e-9, atol=1e-9)
    if kind is ConvexReLURegressor:
        lonely = kind(**options).fit(X[:1], y[:1])
        if options.get("output_intercept", True):
            assert_array_equal(lonely.predict(X[:1] + 1.0), y[:1])
        assert np.isfinite(lonely.predict(X)).all()


def test_predictions_far_from_zero_keep_the_digits_of_the_rows():
    rng = np.random.default_rng(0)
    X = rng.integers(-512, 513, size=(150, 2)) * 2.0**-20
    y = np.abs(X[:, 0]) / X[:, 0].std() + rng.normal(size=150) * 0.1
    for activation in ("relu", "gated_relu"):
        plain = ConvexReLURegressor(activation, alpha=0.02, n_gates=20, n_refine=0, random_state=0).fit(X, y)
        far = ConvexReLURegressor(activation, alpha=0.02, n_gates=20, n_refine=0, random_state=0).fit(X + 1e9, y)
        predicted = far.predict(X + 1e9)
        loss = 0.5 * np.mean((y - predicted) ** 2) / far.target_scale_**2
        weights = np.vstack([far.coef_ * (X + 1e9 - 1e9).std(axis=0)[:, np.newaxis], far._centred_intercept])
        norms = np.linalg.norm(weights, axis=0) * np.abs(far.out_coef_[:, 0]) / far.target_scale_
        assert_allclose(loss + 0.02 * norms.sum(), far.objective_, rtol=1e-5)
        assert_allclose(far.objective_, plain.objective_, rtol=0.05)


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
def test_a_warm_start_far_from_zero_starts_where_the_last_fit_ended(activation):
    rng = np.random.default_rng(0)
    X = 2.0**46 + np.round(64.0 * rng.normal(size=(60, 3))) / 64.0
    y = rng.normal(size=60)
    model = ConvexReLURegressor(activation, warm_start=True, tol=1e-8, **SMALL).fit(X, y)
    objective = model.objective_
    assert_allclose(model.fit(X, y).history_[0]["objective"], objective, rtol=1e-9)
