"""The sampled programs against Clarabel, closed forms and each other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Lasso

from skpapers.convex import _convex_relu
from skpapers.convex._convex_relu import pattern_violation, refine
from skpapers.convex._gates import patterns
from skpapers.convex._losses import LogLoss, SquaredError
from skpapers.convex._networks import balanced, extended
from skpapers.convex._products import forward, pack
from skpapers.convex._program import Program, empty_point, suprema
from skpapers.convex._quadratic import net, penalty
from skpapers.convex._sampled_program import alpha_max, solve
from tests.convex._programs import dense, make_program, optimum

KINDS = ["squared", "two outputs", "log", "softmax"]


def network_objective(program, W, A, b, alpha):
    """Return the regularised objective of a network with weight decay."""
    Z = np.maximum(program.X @ W.T, 0.0) @ A + b
    return program.loss.value(Z) + alpha / 2 * ((W**2).sum() + (A**2).sum())


@pytest.mark.parametrize("fraction", [0.5, 0.1, 0.02])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("kind", KINDS)
class TestAgainstClarabel:
    @pytest.mark.parametrize("solver", ["auto", "newton"])
    def test_the_optimum_is_that_of_clarabel(self, kind, relu, intercept, fraction, solver):
        program, alpha, value = optimum(kind, relu, intercept, fraction)
        found = solve(program, alpha, tol=1e-7, max_iter=20000, solver=solver)
        assert found.converged
        assert_allclose(found.certificate.objective, value, rtol=1e-6)
        assert found.violation < 1e-12

    @pytest.mark.parametrize("tol", [0.3, 1e-2, 1e-4])
    def test_the_gap_is_never_less_than_the_true_distance(self, kind, relu, intercept, fraction, tol):
        program, alpha, value = optimum(kind, relu, intercept, fraction)
        certificates = []
        solve(program, alpha, tol=tol, solver="fista", report=lambda c, *_: certificates.append(c))
        assert certificates
        for certificate in certificates:
            assert certificate.objective >= value * (1 - 1e-6)
            assert certificate.lower_bound <= value * (1 + 1e-6)
            true = (certificate.objective - value) / certificate.objective
            assert certificate.gap >= true - 2e-6


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_objective_is_that_of_the_neurons(kind, relu):
    program = make_program(kind, relu=relu)
    alpha = 0.05 * alpha_max(program)
    found = solve(program, alpha, tol=1e-3)
    point = found.point
    Z = forward(program.bits(point.pool), program.X, net(point.W)) + point.b
    value = program.loss.value(Z) + alpha * penalty(point.W)
    assert_allclose(value, found.certificate.objective, rtol=1e-12)
    if relu:  # and of the network with weight decay
        assert_allclose(network_objective(program, *balanced(program, point), point.b, alpha), value, rtol=1e-10)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_from_alpha_max_on_the_model_is_empty(kind, relu):
    program = make_program(kind, relu=relu)
    largest = alpha_max(program)
    above, below = (solve(program, largest * factor, tol=1e-9) for factor in (1.0 + 1e-9, 0.99))
    assert not above.point.active.any()
    assert above.converged
    assert below.point.active.any()


def test_with_almost_no_regularisation_it_is_least_squares():
    program = make_program(n=80, d=3, P=4, intercept=False)
    A = dense(program)
    assert np.linalg.matrix_rank(A) == A.shape[1]
    root = np.sqrt(program.loss.column)
    fit = A @ np.linalg.lstsq(root * A, root * program.loss.Y, rcond=None)[0]
    found = solve(program, 1e-9, tol=1e-9, solver="newton")
    Z = forward(program.bits(found.point.pool), program.X, net(found.point.W))
    assert_allclose(Z, fit, atol=1e-5)


def test_one_pattern_of_ones_and_one_feature_is_soft_thresholding():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0.1, 1.0, 50), rng.normal(size=50)
    program = Program(
        x[:, np.newaxis], patterns(np.ones((50, 1)), np.ones((1, 1)))[0],
        SquaredError(y[:, np.newaxis], np.full(50, 1 / 50), False), False,
    )  # fmt: skip
    lasso = Lasso(alpha=0.01, fit_intercept=False, tol=1e-12).fit(x[:, np.newaxis], y)
    assert lasso.coef_[0] != 0
    found = solve(program, 0.01, tol=1e-10)
    assert_allclose(net(found.point.W).ravel(), lasso.coef_, rtol=1e-8)


@pytest.mark.parametrize("relu", [False, True])
def test_outputs_of_the_squared_error_are_problems_of_their_own(relu):
    program = make_program("two outputs", relu=relu)
    loss = program.loss
    together = solve(program, 0.05, tol=1e-8).certificate.objective
    alone = [
        solve(
            Program(program.X, program.B, SquaredError(loss.Y[:, [k]], loss.weight, True), relu), 0.05, tol=1e-8
        ).certificate.objective
        for k in (0, 1)
    ]
    assert_allclose(together, sum(alone), rtol=1e-7)


@pytest.mark.parametrize("relu", [False, True])
def test_order_of_rows_and_length_of_gates_do_not_matter(relu):
    rng = np.random.default_rng(3)
    X, y, G = rng.normal(size=(40, 3)), rng.normal(size=(40, 1)), rng.normal(size=(3, 12))
    weight, order = np.full(40, 1 / 40), rng.permutation(40)
    one = Program(X, patterns(X, G)[0], SquaredError(y, weight, True), relu)
    length = rng.uniform(0.1, 9.0, 12)
    other = Program(X[order], patterns(X[order], G * length)[0], SquaredError(y[order], weight, True), relu)
    a, b = (solve(program, 0.02, tol=1e-9).certificate.objective for program in (one, other))
    assert_allclose(a, b, rtol=1e-8)


@pytest.mark.parametrize("kind", ["squared", "log", "softmax"])
def test_a_program_with_the_patterns_of_a_network_is_no_worse_than_the_network(kind):
    program = make_program(kind, relu=True)
    c = program.loss.Y.shape[1]
    for seed in range(5):
        rng = np.random.default_rng(seed)
        W, A = rng.normal(size=(6, 4)), rng.normal(size=(6, c))
        b = program.loss.best_intercept(np.maximum(program.X @ W.T, 0.0) @ A, np.zeros(c))
        value = network_objective(program, W, A, b, 0.01)
        nothing = Program(program.X, program.B[:, :0], program.loss, True)
        own, gates, where = extended(nothing, np.empty((4, 0)), W, A)
        assert_array_equal(pack(program.X @ gates[:, where] > 0)[:, where >= 0], pack(program.X @ W[where >= 0].T > 0))
        assert solve(own, 0.01, tol=1e-6).certificate.lower_bound <= value


@pytest.mark.parametrize("solver", ["newton", "fista"])
def test_the_order_of_directions_does_not_matter(solver):
    program = make_program("softmax", relu=True)
    c = program.loss.Y.shape[1]
    order = np.array([np.roll(np.eye(c), p % c, axis=0) for p in range(program.B.shape[1])])
    turned = Program(program.X, program.B, program.loss, True, order)
    alpha = 0.05 * alpha_max(program)
    assert_allclose(alpha_max(turned), alpha / 0.05, rtol=1e-12)
    one, other = (solve(p, alpha, tol=1e-7, max_iter=20000, solver=solver) for p in (program, turned))
    assert one.converged
    assert other.converged
    assert_allclose(one.certificate.objective, other.certificate.objective, rtol=1e-6)
    assert_allclose(program.scores(one.point), turned.scores(other.point), atol=1e-2)


def test_neurons_of_any_direction_have_bounds_below_their_networks():
    rng = np.random.default_rng(0)
    program = make_program("softmax", relu=True)
    c = program.loss.Y.shape[1]
    T = np.linalg.qr(rng.normal(size=(program.B.shape[1], c, c)))[0]
    turned = Program(program.X, program.B, program.loss, True, T)
    alpha = 0.03 * alpha_max(turned)
    found = [solve(turned, alpha, tol=1e-6, max_iter=20000, solver=solver) for solver in ("newton", "fista")]
    assert all(one.converged for one in found)
    assert_allclose(found[0].certificate.objective, found[1].certificate.objective, rtol=2e-6)
    value = network_objective(turned, *balanced(turned, found[0].point), found[0].point.b, alpha)
    assert_allclose(value, found[0].certificate.objective, rtol=1e-10)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_path_ends_where_a_cold_start_does(kind, relu):
    program = make_program(kind, relu=relu)
    largest, point = alpha_max(program), None
    for fraction in (0.5, 0.2, 0.05):
        warm = solve(program, fraction * largest, tol=1e-8, point=point, max_iter=20000)
        cold = solve(program, fraction * largest, tol=1e-8, max_iter=20000)
        point = warm.point
        assert_allclose(warm.certificate.objective, cold.certificate.objective, rtol=1e-7)


@pytest.mark.parametrize("kind", ["squared", "log", "softmax"])
def test_column_generation_lowers_the_objective_and_certifies_the_larger_program(kind):
    program = make_program(kind, relu=True, n=120, P=5)
    gates = np.zeros((4, program.B.shape[1]))
    alpha = 0.05 * alpha_max(program)
    plain = solve(program, alpha, tol=1e-6, max_iter=20000).certificate.objective
    options = {"tol": 1e-6, "max_iter": 20000, "solver": "auto"}
    larger, gates, found = refine(program, alpha, gates, np.random.RandomState(0), rounds=2, **options)
    assert found.converged
    assert found.certificate.objective < 0.98 * plain
    assert larger.B.shape[1] == gates.shape[1] > program.B.shape[1]
    assert_array_equal(larger.B[:, : program.B.shape[1]], program.B)
    added = gates[:, program.B.shape[1] :]
    assert_array_equal(pack(program.X @ added > 0), larger.B[:, program.B.shape[1] :])
    W, A = balanced(larger, found.point)
    assert_allclose(network_objective(larger, W, A, found.point.b, alpha), found.certificate.objective, rtol=1e-10)
    assert kind != "softmax" or (np.count_nonzero(A, axis=1) > 1).any()
    fresh = solve(larger, alpha, tol=1e-6, max_iter=20000).certificate.objective
    assert_allclose(found.certificate.objective, fresh, rtol=3e-6)
    before = pattern_violation(program, solve(program, alpha, tol=1e-6).point, alpha, np.random.RandomState(0))
    after = pattern_violation(larger, found.point, alpha, np.random.RandomState(0))
    assert before > 1.02
    assert after < before


def test_a_step_limit_is_kept_and_reported():
    program = make_program("log", relu=True)
    found = solve(program, 0.01 * alpha_max(program), tol=1e-12, max_iter=2)
    assert not found.converged
    assert found.n_iter <= 2
    assert found.certificate.gap > 1e-12


def test_a_log_loss_intercept_is_found_from_anywhere():
    y = np.r_[np.ones(1), np.zeros(9999)][:, np.newaxis]
    loss = LogLoss(y, np.full(10000, 1e-4), True)
    for start in (-30.0, 0.0, 30.0):
        b = loss.best_intercept(np.zeros_like(y), np.array([start]))
        assert_allclose(b, np.log(1 / 9999), rtol=1e-9)


def test_an_empty_point_has_the_best_intercepts():
    for kind in KINDS:
        program = make_program(kind)
        U = program.loss.gradient(np.zeros_like(program.loss.Y) + empty_point(program).b)
        assert_allclose(U.sum(axis=0), 0.0, atol=1e-14)


@pytest.mark.parametrize("relu", [True, False])
def test_the_largest_alpha_is_the_largest_of_all_suprema(relu):
    program = make_program("log", relu=relu, n=80, d=6, P=150)
    point = empty_point(program)
    U = program.loss.gradient(np.broadcast_to(point.b, program.loss.Y.shape))
    every = np.arange(program.B.shape[1])
    norms, _ = suprema(program, every, program.B, U, point, 0.0)
    assert_allclose(alpha_max(program), norms.max(), rtol=1e-12)


@pytest.mark.parametrize(("worthwhile", "searches"), [(0.25, 2), (-np.inf, 6)])
def test_rounds_end_where_they_gain_little(monkeypatch, worthwhile, searches):
    program = make_program("squared", relu=True, n=80, d=5, P=20)
    gates = np.zeros((5, program.B.shape[1]))
    outputs = []

    def counted(X, U, output, *args):
        outputs.append(output)
        W = np.eye(5)[:1]  # never the network's own: there is always something to add
        return W, np.ones((1, 1)), np.array([np.inf])

    monkeypatch.setattr(_convex_relu, "violators", counted)
    monkeypatch.setattr(_convex_relu, "WORTHWHILE", worthwhile)
    options = {"rounds": 6, "tol": 0.5, "max_iter": 1000, "solver": "auto"}
    refine(program, 0.05 * alpha_max(program), gates, np.random.RandomState(0), **options)
    assert len(outputs) == searches
