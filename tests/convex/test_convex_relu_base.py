"""Classifier and regressor: certificates that hold, exports that agree, weights that are rows."""

import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_linnerud
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info, threadpool_limits

from skpapers.convex import ConvexReLUClassifier, ConvexReLURegressor
from skpapers.convex import _convex_relu as programs
from tests._asserts import assert_same_predictions, assert_unchanged_by
from tests.convex._objective import loss_of, penalty_of

TABLES = {
    "numbers": (ConvexReLURegressor, load_diabetes, {}),
    "two numbers": (ConvexReLURegressor, load_linnerud, {"alpha": 0.2}),
    "two classes": (ConvexReLUClassifier, load_breast_cancer, {}),
    "three classes": (ConvexReLUClassifier, load_iris, {}),
    "two classes by squares": (ConvexReLUClassifier, load_breast_cancer, {"loss": "squared_error"}),
    "three classes by squares": (ConvexReLUClassifier, load_iris, {"loss": "squared_error"}),
}
SETTINGS = [(name, activation) for name in TABLES for activation in ("relu", "gated_relu")]


def setting(name, activation, **kwargs):
    kind, load, own = TABLES[name]
    X, y = load(return_X_y=True)
    options = {"alpha": 0.05, "n_gates": 40, "n_refine": 1, "random_state": 0} | own | kwargs
    return kind(activation, **options), X, y


@pytest.mark.parametrize(("name", "activation"), SETTINGS)
class TestEveryTableAndActivation:
    def test_objective_comes_from_predictions_whatever_the_scale_of_columns(self, name, activation):
        model, X, y = setting(name, activation)
        model.fit(X, y)
        assert_allclose(loss_of(model, X, y) + penalty_of(model, X, model.alpha), model.objective_, rtol=1e-9)
        assert 0 <= model.gap_ <= model.tol
        assert model.converged_
        assert model.lower_bound_ <= model.objective_
        assert model.max_violation_ < 1e-9
        assert_allclose(model.gap_, (model.objective_ - model.lower_bound_) / model.objective_, atol=1e-12)
        scale = np.random.default_rng(0).uniform(0.01, 100.0, X.shape[1])
        other = setting(name, activation)[0].fit(X * scale + 1.0, y)
        assert_allclose(other.objective_, model.objective_, rtol=3 * model.tol)
        assert_allclose(
            loss_of(other, X * scale + 1.0, y) + penalty_of(other, X * scale + 1.0, model.alpha),
            other.objective_,
            rtol=1e-9,
        )

    def test_exports_predict_the_same_on_rows_held_out(self, name, activation):
        model, X, y = setting(name, activation)
        model.fit(X[::2], y[::2])
        held = X[1::2]
        scores = model.decision_function(held) if hasattr(model, "classes_") else model.predict(held)
        scores = scores.reshape(len(held), -1)
        with torch.no_grad():
            assert_allclose(model.to_torch()(torch.from_numpy(np.asarray(held, float))), scores, atol=1e-8, rtol=1e-8)
        relu = model.to_relu()
        assert relu.activation == "relu"
        for other in (relu, model.to_sklearn_mlp()):
            if hasattr(model, "classes_"):
                assert_array_equal(other.predict(held), model.predict(held))
            else:
                assert_allclose(other.predict(held), model.predict(held), rtol=1e-6)
        if hasattr(model, "predict_proba"):
            assert_allclose(model.to_sklearn_mlp().predict_proba(held), model.predict_proba(held), atol=1e-6)

    def test_repeated_rows_are_weights_and_order_is_nothing(self, name, activation):
        model, X, y = setting(name, activation)
        rng = np.random.default_rng(1)
        weight = rng.integers(0, 3, len(X))
        rows = rng.permutation(np.repeat(np.arange(len(X)), weight))
        repeated = model.fit(X[rows], y[rows])
        weighted = setting(name, activation)[0].fit(X, y, sample_weight=weight)
        assert_same_predictions(repeated, weighted, X)

    def test_two_fits_with_one_seed_are_one_model(self, name, activation):
        model, X, y = setting(name, activation)
        assert_same_predictions(model.fit(X, y), setting(name, activation)[0].fit(X, y), X)
        other = setting(name, activation, random_state=1)[0].fit(X, y)
        assert not np.array_equal(other.gates_[:, :5], model.gates_[:, :5])

    def test_predictions_change_nothing_and_rows_are_independent(self, name, activation):
        model, X, y = setting(name, activation)
        model.fit(X, y)
        assert_unchanged_by(lambda: model.predict(X), model)
        method = getattr(model, "decision_function", model.predict)
        for i in range(5):
            assert_allclose(method(X[i : i + 1])[0], method(X)[i], rtol=1e-12, atol=1e-12)

    def test_from_alpha_max_on_the_model_is_constant(self, name, activation):
        model, X, y = setting(name, activation, n_refine=0)
        largest = model.fit(X, y).alpha_max_
        empty = model.set_params(alpha=1.0001 * largest).fit(X, y)
        assert empty.n_active_neurons_ == 0
        assert len(np.unique(np.asarray(empty.predict(X)).reshape(len(X), -1), axis=0)) == 1
        if not hasattr(model, "classes_"):  # where all classes score alike, rounding decides
            assert_allclose(empty.to_sklearn_mlp().predict(X), empty.predict(X))
        assert model.set_params(alpha=0.9 * largest).fit(X, y).n_active_neurons_ > 0

    def test_the_reference_solver_agrees(self, name, activation):
        model, X, y = setting(name, activation, n_refine=0, n_gates=8, alpha=0.1, tol=1e-5)
        X, y = X[::4], y[::4]
        model.fit(X, y)
        reference = setting(name, activation, n_refine=0, n_gates=8, alpha=0.1, tol=1e-5, solver="cvxpy")[0].fit(X, y)
        assert reference.converged_
        assert_allclose(model.objective_, reference.objective_, rtol=2e-5)


def test_sub_sampled_programs_are_restrictions():
    X, y = load_diabetes(return_X_y=True)
    gates = np.random.default_rng(0).normal(size=(10, 60)) * 20
    found = [
        ConvexReLURegressor(alpha=0.03, gates=gates[:, :P], n_refine=0, tol=1e-5, random_state=0).fit(X, y)
        for P in (10, 30, 60)
    ]
    values = [model.objective_ for model in found]
    assert values[0] > values[1] > values[2]
    gated = ConvexReLURegressor("gated_relu", alpha=0.03, gates=gates, tol=1e-5).fit(X, y)
    assert gated.objective_ < values[2]
    refined = ConvexReLURegressor(alpha=0.03, gates=gates, n_refine=2, random_state=0).fit(X, y)
    assert refined.objective_ < 0.97 * values[2]
    assert refined.pattern_violation_ < found[2].pattern_violation_
    assert_array_equal(refined.gates_[:-1, :10], gates[:, :10])


def test_less_regularisation_fits_better_with_larger_weights():
    X, y = load_diabetes(return_X_y=True)
    losses, norms = [], []
    for alpha in (0.3, 0.1, 0.03):
        model = ConvexReLURegressor("gated_relu", alpha, n_gates=50, tol=1e-6, random_state=0).fit(X, y)
        losses.append(loss_of(model, X, y))
        norms.append(penalty_of(model, X, 1.0))
    assert losses == sorted(losses, reverse=True)
    assert norms == sorted(norms)


def test_weighted_classes_are_weighted_rows():
    X, y = load_iris(return_X_y=True)
    options = {"alpha": 0.02, "n_gates": 30, "n_refine": 0, "random_state": 0}
    by_class = ConvexReLUClassifier(class_weight={0: 1, 1: 3, 2: 2}, **options).fit(X, y)
    by_row = ConvexReLUClassifier(**options).fit(X, y, sample_weight=np.array([1, 3, 2])[y])
    assert_same_predictions(by_class, by_row, X)


def test_a_warm_start_takes_fewer_steps_to_the_same_objective():
    X, y = load_diabetes(return_X_y=True)
    model = ConvexReLURegressor(alpha=0.03, n_gates=60, n_refine=0, random_state=0, warm_start=True).fit(X, y)
    gates, steps, objective = model.gates_, model.n_iter_, model.objective_
    model.fit(X, y)
    assert model.history_[0]["objective"] < 1.01 * objective
    assert model.n_iter_ <= min(steps, 1)
    assert_array_equal(model.gates_, gates)
    model.set_params(alpha=0.02).fit(X + 1e-3, y + 1.0)
    cold = ConvexReLURegressor(alpha=0.02, gates=gates, n_refine=0).fit(X + 1e-3, y + 1.0)
    assert_allclose(model.objective_, cold.objective_, rtol=2e-3)
    assert model.fit(X[:, :3], y).gates_.shape[0] == 4  # other columns: as if it had never been fitted


def test_a_gap_that_stays_open_is_a_warning():
    X, y = load_diabetes(return_X_y=True)
    model = ConvexReLURegressor(alpha=0.02, n_refine=0, max_iter=2, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=2 ended the fit at a relative duality gap of .*tol=0.001"):
        model.fit(X, y)
    assert not model.converged_
    assert model.gap_ > 0.001
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.set_params(max_iter=5000).fit(X, y).converged_


def test_history_and_verbose_say_what_happened(capsys):
    X, y = load_diabetes(return_X_y=True)
    model = ConvexReLURegressor("gated_relu", alpha=0.03, n_gates=50, random_state=0, verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(model.history_) > 1
    assert all(line.startswith("[ConvexReLURegressor]") for line in lines)
    assert model.history_[-1]["objective"] == model.objective_
    assert model.history_[-1]["gap"] == model.gap_
    bounds = [step["lower_bound"] for step in model.history_]
    assert bounds == sorted(bounds)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("output_intercept", [True, False])
def test_intercepts_are_where_they_are_asked_for(fit_intercept, output_intercept):
    X, y = load_diabetes(return_X_y=True)
    options = {"fit_intercept": fit_intercept, "output_intercept": output_intercept, "n_refine": 1}
    model = ConvexReLURegressor(alpha=0.05, n_gates=30, random_state=0, **options).fit(X, y)
    assert model.coef_intercept_.any() == fit_intercept
    assert model.intercept_.any() == output_intercept
    assert model.gates_.shape[0] == 10 + fit_intercept
    assert model.converged_


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"gates": np.ones((3, 5))}, "gates has 3 rows, but X has 10 features: gates must have 10 or 11 rows"),
        ({"gates": np.ones((11, 5)), "fit_intercept": False}, "gates must have 10 rows"),
        ({"gates": np.full((11, 2), [[0.0, 0.0]] * 10 + [[-1.0, -2.0]])}, "none of the 2 gates is positive"),
        ({"alpha": 0.0}, "'alpha' parameter"),
        ({"solver": "cvxpy"}, "n_refine must be 0, got 5"),
        ({"solver": "interior_point", "activation": "gated_relu"}, 'is for activation="relu" only'),
    ],
)
def test_bad_parameters_are_named(changes, match):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match=match):
        ConvexReLURegressor(**changes).fit(X, y)


def test_threads_of_blas_do_not_matter():
    X, y = load_diabetes(return_X_y=True)
    models = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            before = [pool["num_threads"] for pool in threadpool_info()]
            models.append(ConvexReLURegressor(n_refine=2, random_state=0).fit(X, y))
            assert [pool["num_threads"] for pool in threadpool_info()] == before
    assert models[0].objective_ == models[1].objective_
    assert_array_equal(models[0].coef_, models[1].coef_)


@pytest.mark.parametrize(("fitted", "later"), [("relu", "gated_relu"), ("gated_relu", "relu")])
def test_a_fitted_network_stays_what_it_is(fitted, later):
    X, y = load_diabetes(return_X_y=True)
    model = ConvexReLURegressor(fitted, alpha=0.05, n_gates=30, n_refine=1, random_state=0).fit(X, y)
    before = model.predict(X)
    model.set_params(activation=later)
    assert_array_equal(model.predict(X), before)
    assert_allclose(model.to_relu().predict(X), before, rtol=1e-6)


def test_bad_targets_are_named():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="at least 2 classes, got 1 class: 0"):
        ConvexReLUClassifier().fit(X[:50], y[:50])
    with pytest.raises(ValueError, match="at least 2 classes"):
        ConvexReLUClassifier().fit(X, y, sample_weight=(y == 1).astype(float))
    model = ConvexReLUClassifier("gated_relu", loss="squared_error").fit(X, y)
    assert not hasattr(model, "predict_proba")


def test_odd_tables_are_fitted():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 30))  # fewer rows than columns
    X[:, 0] = 7.0  # a constant column
    y = rng.normal(size=12)
    for activation in ("relu", "gated_relu"):
        model = ConvexReLURegressor(activation, alpha=0.1, n_gates=10, random_state=0).fit(X, y)
        assert model.converged_
        constant = ConvexReLURegressor(activation, n_gates=10, random_state=0).fit(X, np.full(12, 3.0))
        assert constant.converged_
        assert_allclose(constant.predict(X), 3.0)
    one = ConvexReLURegressor(gates=np.ones((30, 1)), n_refine=0, alpha=0.1).fit(X, y)
    assert one.gates_.shape == (31, 1)


def test_neurons_that_serve_several_classes_start_warm():
    X, y = load_iris(return_X_y=True)
    model = ConvexReLUClassifier(alpha=0.02, n_gates=30, n_refine=2, random_state=0, warm_start=True).fit(X, y)
    assert (np.count_nonzero(model.out_coef_, axis=1) > 1).any()
    first, steps = model.objective_, model.n_iter_
    model.fit(X, y)
    assert model.objective_ <= first * (1 + 1e-9)
    assert model.n_iter_ < steps
    assert_allclose(loss_of(model, X, y) + penalty_of(model, X, 0.02), model.objective_, rtol=1e-9)
    model.set_params(alpha=0.01).fit(X[::-1][:120], y[::-1][:120])
    assert model.converged_
    cold = ConvexReLUClassifier(alpha=0.01, n_gates=30, n_refine=2, random_state=0).fit(X[::-1][:120], y[::-1][:120])
    assert model.objective_ <= cold.objective_ * 1.01


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e170, 1e300])
def test_units_of_any_size_leave_the_model_as_it_is(activation, scale):
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:80], y[:80]
    options = {"alpha": 0.05, "n_gates": 20, "n_refine": 0, "random_state": 0}
    plain = ConvexReLURegressor(activation, **options).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        targets = ConvexReLURegressor(activation, **options).fit(X, y / y.max() * scale)
        columns = ConvexReLURegressor(activation, **options).fit(X * scale, y)
        weights = ConvexReLURegressor(activation, **options).fit(X, y, sample_weight=np.full(80, scale))
        refined = ConvexReLURegressor(activation, **options | {"n_refine": 1}).fit(X, y / y.max() * scale)
    tolerance = 2 * plain.tol
    assert refined.converged_
    assert refined.objective_ <= plain.objective_ * (1 + tolerance)
    assert_allclose(targets.objective_, plain.objective_, rtol=tolerance)
    assert_allclose(columns.objective_, plain.objective_, rtol=tolerance)
    assert_allclose(weights.objective_, plain.objective_, rtol=tolerance)
    assert_allclose(targets.predict(X) / scale * y.max(), plain.predict(X), atol=0.1 * y.std())
    assert_allclose(columns.predict(X * scale), plain.predict(X), atol=0.1 * y.std())


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
@pytest.mark.parametrize("standardize", [True, False])
def test_targets_far_from_zero_are_fitted_as_well(activation, standardize):
    X, y = load_diabetes(return_X_y=True)
    X, y = X / X.std(axis=0), y / y.std()
    options = {"alpha": 0.05, "n_gates": 20, "n_refine": 0, "standardize": standardize, "random_state": 0}
    near = ConvexReLURegressor(activation, **options).fit(X, y)
    far = ConvexReLURegressor(activation, **options).fit(X, y + 2.0**36)
    assert far.n_active_neurons_ > 0
    assert far.converged_
    assert_allclose(far.objective_, near.objective_, rtol=2 * near.tol)
    assert far.lower_bound_ <= near.objective_
    assert near.lower_bound_ <= far.objective_


def test_weights_of_very_different_size_are_fitted():
    X, y = load_diabetes(return_X_y=True)
    model = ConvexReLURegressor(alpha=0.05, n_gates=20, n_refine=1, random_state=0)
    assert model.fit(X[:60], y[:60], sample_weight=np.logspace(-300, 0, 60)).converged_
    rare = ConvexReLUClassifier(alpha=1.0, n_gates=20, class_weight={0: 1e-30, 1: 1.0}, random_state=0)
    rare.fit(X[:60], y[:60] > 150)
    assert rare.converged_
    assert rare.n_active_neurons_ == 0


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", ["numbers", "two numbers", "two classes", "three classes", "three classes by squares"])
def test_a_gate_that_rows_lie_on_becomes_relu_neurons_too(name, fit_intercept):
    rng = np.random.default_rng(0)
    X = rng.integers(-2, 3, (120, 3)).astype(float)
    f = np.abs(X[:, 0]) + X[:, 1] + 0.1 * rng.normal(size=120)
    kind, _, own = TABLES[name]
    y = {
        "numbers": f,
        "two numbers": np.column_stack([f, f**2]),
        "two classes": f > 1,
    }.get(name, np.digitize(f, [0.5, 2.0]))
    gates = rng.integers(-1, 2, (3 + fit_intercept, 20)).astype(float)
    options = {**own, "alpha": 0.01, "gates": gates, "fit_intercept": fit_intercept}
    model = kind("gated_relu", **options).fit(X[:80], y[:80])
    on = np.hstack([X, np.ones((120, 1))])[:, : len(gates)] @ model.gates_[:, model.neuron_gates_] == 0
    assert on[:80].any()
    assert on[80:].any()
    method = "decision_function" if hasattr(model, "classes_") else "predict"
    assert_allclose(getattr(model.to_relu(), method)(X), getattr(model, method)(X), atol=1e-6)
    assert_allclose(model.to_sklearn_mlp().predict(X), model.predict(X), atol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
def test_a_warm_start_with_other_columns_and_intercepts_is_a_cold_one(activation):
    X, y = load_diabetes(return_X_y=True)
    options = {"alpha": 0.05, "n_gates": 20, "n_refine": 0, "random_state": 0}
    for first, second, intercept in ((3, 4, True), (4, 3, False)):
        model = ConvexReLURegressor(activation, fit_intercept=intercept, warm_start=True, **options)
        model.fit(X[:, :first], y).set_params(fit_intercept=not intercept).fit(X[:, :second], y)
        cold = ConvexReLURegressor(activation, fit_intercept=not intercept, **options).fit(X[:, :second], y)
        assert_same_predictions(model, cold, X[:, :second])


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
def test_no_pattern_is_missing_where_all_are_given(activation, loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 1))
    y = (np.abs(X[:, 0]) + 0.3 * rng.normal(size=12) > 0.6).astype(int)
    borders = np.sort(X[:, 0])
    between = np.concatenate([[borders[0] - 1], (borders[1:] + borders[:-1]) / 2])
    gates = np.hstack([np.vstack([np.full(12, sign), -sign * between]) for sign in (1.0, -1.0)])
    gates = np.hstack([gates, [[1.0], [10.0]]])
    model = ConvexReLUClassifier(activation, 0.01, loss=loss, gates=gates, n_refine=0, tol=0.3, random_state=0)
    model.fit(X, y)
    assert model.gap_ > 1e-3  # far from the optimum constraints of the sample are violated
    assert model.pattern_violation_ <= 1 + 1e-9
    few = model.set_params(gates=gates[:, :3], tol=1e-3).fit(X, y)
    assert few.pattern_violation_ > 1.01


def test_a_network_for_scikit_learn_knows_the_names_of_columns():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = ConvexReLUClassifier("gated_relu", n_gates=20, random_state=0).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_array_equal(model.to_sklearn_mlp().predict(X), model.predict(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("time_limit", [1e-9, 0.02])
@pytest.mark.parametrize(("name", "activation"), SETTINGS)
def test_a_time_limit_leaves_a_network_and_a_true_bound(name, activation, time_limit):
    rounds = 0 if name == "three classes" else 2  # patterns that column generation adds there serve all outputs
    model, X, y = setting(name, activation, n_refine=rounds, tol=1e-9, time_limit=time_limit)
    model.fit(X, y)
    assert_allclose(loss_of(model, X, y) + penalty_of(model, X, model.alpha), model.objective_, rtol=1e-9)
    options = model.get_params() | {"gates": model.gates_, "n_refine": 0, "time_limit": None, "tol": 1e-6}
    best = type(model)(**options).fit(X, y)
    assert best.converged_
    assert model.lower_bound_ <= best.objective_ * (1 + 1e-9)
    assert model.objective_ >= best.lower_bound_ * (1 - 1e-9)
    assert_allclose(model.gap_, (model.objective_ - model.lower_bound_) / model.objective_, atol=1e-15)
    assert model.gap_ >= 0.0
    assert model.converged_ == (model.gap_ <= 1e-9)
    assert time_limit > 1e-9 or not model.converged_


def test_a_time_limit_is_a_warning_and_a_long_one_changes_nothing():
    X, y = load_diabetes(return_X_y=True)
    model = ConvexReLURegressor(alpha=0.05, n_gates=40, random_state=0, time_limit=1e-9)
    with pytest.warns(ConvergenceWarning, match="time_limit=1e-09 s ended the fit at a relative duality gap of"):
        model.fit(X, y)
    assert len(model.history_) == 1  # the program that is left at the end is looked at
    with pytest.warns(ConvergenceWarning, match="max_iter=2 ended the fit"):
        model.set_params(time_limit=1e6, max_iter=2).fit(X, y)
    for activation in ("relu", "gated_relu"):
        free = ConvexReLURegressor(activation, 0.05, n_gates=40, random_state=0).fit(X, y)
        limited = ConvexReLURegressor(activation, 0.05, n_gates=40, random_state=0, time_limit=1e6).fit(X, y)
        assert_array_equal(free.coef_, limited.coef_)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("time_limit", [None, 1e-9])
@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
def test_an_optimum_that_needs_no_search_has_a_gap_of_zero(activation, time_limit):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    model = ConvexReLURegressor(activation, n_gates=20, random_state=0, time_limit=time_limit)
    for rows, targets in ((X, np.full(30, 7.3)), (X[:1], y[:1]), (np.repeat(X[:1], 30, axis=0), np.full(30, -1e9))):
        model.fit(rows, targets)
        assert model.objective_ == model.lower_bound_ == model.gap_ == 0.0
        assert model.converged_
        assert_array_equal(model.predict(rows), targets)
    model.set_params(alpha=10.0).fit(X, y)  # the empty model
    assert model.gap_ == 0.0
    assert model.converged_
    assert model.n_active_neurons_ == 0


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
def test_equal_rows_with_different_targets_have_their_mean(activation):
    y = np.arange(30.0)
    X = np.ones((30, 3))
    model = ConvexReLURegressor(activation, n_gates=20, random_state=0).fit(X, y)
    assert model.converged_
    assert 0.0 <= model.gap_ <= 1e-3
    assert_allclose(model.predict(X), y.mean(), atol=0.2)


def test_an_interrupted_fit_leaves_the_estimator_as_it_was(monkeypatch):
    X, y = load_diabetes(return_X_y=True)
    model = ConvexReLURegressor(alpha=0.05, n_gates=40, random_state=0, time_limit=60.0).fit(X, y)
    before = vars(model).copy()
    descend = programs.descend_network

    def interrupted(*args):
        descend(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(programs, "descend_network", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, :4], y)
    assert vars(model) == before
