"""Interior-point steps for ReLU programs, against Clarabel and the equations that they solve."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skpapers.convex._gates import patterns
from skpapers.convex._interior_point import _InteriorPoint, interior_point
from skpapers.convex._losses import SquaredError
from skpapers.convex._nesterov_todd import Norms, until_longer
from skpapers.convex._program import Point, Program, empty_point
from skpapers.convex._sampled_program import alpha_max, solve
from tests.convex._programs import make_program, optimum

KINDS = ["squared", "two outputs", "log", "softmax"]


@pytest.mark.parametrize("fraction", [0.5, 0.1, 0.02, 0.002])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_optimum_is_that_of_clarabel(kind, intercept, fraction):
    program, alpha, value = optimum(kind, True, intercept, fraction)
    certificates = []
    found = solve(
        program, alpha, tol=1e-7, max_iter=2000, solver="interior_point", report=lambda c, *_: certificates.append(c)
    )
    assert found.converged
    assert found.certificate.objective <= value * (1 + 1e-6)  # Clarabel's own may be a little above the optimum
    assert_allclose(found.certificate.lower_bound, value, rtol=1e-5)
    assert found.violation < 1e-12
    for certificate in certificates:
        assert certificate.objective >= value * (1 - 1e-5)
        assert certificate.lower_bound <= value * (1 + 1e-6)


def test_small_alphas_take_few_steps():
    program = make_program(relu=True, n=40, P=200)
    alpha = 1e-3 * alpha_max(program)
    slow = solve(program, alpha, tol=1e-3, max_iter=100_000, solver="fista")
    quick = solve(program, alpha, tol=1e-3, max_iter=100_000, solver="interior_point")
    usual = solve(program, alpha, tol=1e-3, max_iter=100_000)
    assert slow.converged
    assert quick.n_iter < 200
    assert usual.n_iter < slow.n_iter / 2
    for found in (quick, usual):
        assert found.converged
        assert_allclose(found.certificate.objective, slow.certificate.objective, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_neurons_that_are_almost_zero_are_zero(kind):
    program = make_program(kind, relu=True)
    alpha = 0.1 * alpha_max(program)
    inside, along = (
        solve(program, alpha, tol=1e-7, max_iter=20000, solver=solver).point for solver in ("interior_point", "fista")
    )
    counts = [np.count_nonzero(np.any(point.W, axis=2)) for point in (inside, along)]
    assert 0 < counts[0] <= counts[1] + 2


def test_the_gradient_that_is_kept_proves_the_gap():
    program = make_program("softmax", relu=True)
    alpha = 0.02 * alpha_max(program)
    found = solve(program, alpha, tol=1e-5, solver="interior_point")
    assert_allclose(found.point.proof.sum(axis=0), 0.0, atol=1e-12)
    again = solve(program, alpha, point=found.point, tol=1e-5, max_iter=0)
    assert again.converged
    assert_allclose(again.certificate, found.certificate, rtol=1e-12)


def test_a_row_of_zeros_restricts_nothing():
    program = make_program(relu=True)
    X = program.X.copy()
    X[:3] = 0.0
    with_zeros = Program(X, program.B, program.loss, True)
    alpha = 0.05 * alpha_max(with_zeros)
    found, other = (solve(with_zeros, alpha, tol=1e-7, max_iter=20000, solver=s) for s in ("interior_point", "fista"))
    assert found.converged
    assert_allclose(found.certificate.objective, other.certificate.objective, rtol=1e-6)


def test_an_empty_point_is_not_called_optimal():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(400, 1)), rng.normal(size=(400, 1))
        X = np.hstack([X, np.ones((400, 1))])
        B, _ = patterns(X, rng.normal(size=(2, 4)))
        program = Program(X, B, SquaredError(y, np.full(400, 1 / 400), True), True)
        alpha = 0.6 * alpha_max(program)
        best = solve(program, alpha, tol=1e-9, max_iter=20000, solver="newton").certificate.objective
        rough = solve(program, alpha, tol=0.1, solver="interior_point").certificate
        assert rough.lower_bound <= best


@pytest.mark.parametrize("share", [1e-3, 1e-4])
def test_a_gradient_that_bends_does_not_lead_astray(share):
    for seed in range(6):
        program = make_program("softmax", relu=True, seed=seed, n=40, P=12)
        alpha = share * alpha_max(program)
        found = solve(program, alpha, tol=1e-3, max_iter=400, solver="interior_point")
        assert found.converged


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("unit", [1e-150, 1e150])
def test_targets_of_any_unit_end_without_an_error(unit):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), unit * rng.normal(size=(30, 1))
    B, _ = patterns(X, rng.normal(size=(3, 20)))
    program = Program(X, B, SquaredError(y, np.full(30, 1 / 30), True), True)
    point = empty_point(program)
    point.pool, point.W = np.arange(B.shape[1]), np.zeros((B.shape[1], 2, 3, 1))
    outcome = interior_point(program, point, 1e-4 * alpha_max(program), 1e-3 * unit**2, 100)
    assert outcome.useful == point.hard == (point.proof is not None)


@pytest.mark.parametrize("kind", ["squared", "log", "softmax"])
@pytest.mark.parametrize("intercept", [True, False])
def test_directions_solve_the_linear_equations(kind, intercept):
    program = make_program(kind, relu=True, intercept=intercept)
    empty = empty_point(program)
    method = _InteriorPoint(program, Point(np.arange(program.B.shape[1]), *_like(program, empty)), 0.05)
    method._look()
    for _ in range(5):
        assert method._step()
    norms = Norms(method.at.t, method.at.v, method.at.zeta, method.alpha)
    method._factor(norms)
    change = method._direction(norms, 1e-4, 0.0, (0.0, 0.0))
    # the gradient of F changes by Q times the scores, as far as a line goes
    h = 1e-6
    way = method._forward(change.v) + change.b
    gradient = program.loss.gradient
    curved = (gradient(method.Z + method.at.b + h * way) - gradient(method.Z + method.at.b - h * way)) / (2 * h)
    cones = (method.signs * (method.at.gamma + change.gamma)) @ method.rows
    left = method._adjoint(method.U + curved) - cones - method.at.zeta - change.zeta
    assert_allclose(left, 0.0, atol=1e-7)
    if intercept:
        assert_allclose((method.U + curved).sum(axis=0), 0.0, atol=1e-8)
    slack = method.signs * ((method.at.v + change.v) @ method.rows.T)
    assert_allclose(method.at.s + change.s, slack, atol=1e-9)
    products = method.at.gamma * method.at.s + method.at.gamma * change.s + method.at.s * change.gamma
    assert_allclose(products, 1e-4, atol=1e-10)


def _like(program, empty):
    """Return neurons of zero for every pattern, intercepts and borders."""
    P, d, c = program.B.shape[1], program.X.shape[1], empty.b.size
    return np.zeros((P, 2, d, c)), empty.b, empty.borders


def test_the_scaling_takes_both_sides_to_one_point():
    rng = np.random.default_rng(0)
    v, zeta = rng.normal(size=(2, 3, 4, 5))
    t = np.linalg.norm(v, axis=-1) + rng.uniform(0.01, 1.0, size=(3, 4))
    zeta *= 0.99 / np.linalg.norm(zeta, axis=-1).max()
    norms = Norms(t, v, zeta, 1.0)
    for one, other in zip(norms.up(np.ones_like(t), zeta), norms.down(t, v), strict=True):
        assert_allclose(one, other, rtol=1e-10)
    back = norms.up(*norms.down(t, v))
    assert_allclose(back[0], t)
    assert_allclose(back[1], v, atol=1e-12)
    first, rest = norms.centred(0.3, (0.0, 0.0))  # the products become 0.3, if (t, v) stays, to first order
    square = t**2 - (v**2).sum(axis=-1)
    assert_allclose(first + 1.0, 0.3 * t / square)
    assert_allclose(rest + zeta, -0.3 * v / square[..., np.newaxis])


def test_steps_end_where_a_neuron_is_as_long_as_its_bound():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        v, dv = rng.normal(size=(2, 3))
        t, dt = np.linalg.norm(v) + rng.uniform(0, 2), rng.normal()
        share = until_longer(np.array([t]), np.array([dt]), v[np.newaxis], dv[np.newaxis])
        shares.append(share)
        room = [t + x * dt - np.linalg.norm(v + x * dv) for x in np.linspace(0.0, share, 20)]
        assert min(room) >= -1e-9
        if share < 1.0:
            assert_allclose(room[-1], 0.0, atol=1e-9)
    assert 0.2 < np.mean(np.array(shares) < 1.0) < 0.9
