"""Block descent and Newton steps on faces against Clarabel."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skpapers.convex import _block_descent
from skpapers.convex._block_descent import block_descent
from skpapers.convex._clock import ENDLESS, Clock
from skpapers.convex._faces import Faces, direction, step_on_faces
from skpapers.convex._products import blocks
from skpapers.convex._program import empty_point, largest_violation
from skpapers.convex._quadratic import penalty
from tests.convex._programs import dense, make_program, optimum


def everywhere(program):
    """Return the empty point with room for all patterns."""
    point = empty_point(program)
    P = program.B.shape[1]
    point.pool = np.arange(P)
    point.W = np.zeros((P, 2, program.X.shape[1], point.b.size))
    return point


def objective(program, point, alpha):
    return program.loss.value(program.scores(point) + point.b) + alpha * penalty(point.W)


@pytest.mark.parametrize("fraction", [0.5, 0.1, 0.02])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("kind", ["squared", "two outputs", "log"])
def test_the_optimum_is_that_of_clarabel(kind, intercept, fraction):
    program, alpha, best = optimum(kind, True, intercept, fraction)
    point = everywhere(program)
    outcome = block_descent(program, point, alpha, 1e-7 * best, 20000, ENDLESS)
    assert 0 < outcome.n_iter < 20000
    assert outcome.useful
    assert_allclose(objective(program, point, alpha), best, rtol=5e-7)
    assert largest_violation(program, point) < 1e-10


@pytest.mark.parametrize("kind", ["squared", "two outputs", "log"])
def test_a_step_on_faces_keeps_to_the_cones_and_lowers_the_objective(kind):
    program, alpha, best = optimum(kind, True, True, 0.02)
    point = everywhere(program)
    block_descent(program, point, alpha, 0.0, 10, ENDLESS)
    before = objective(program, point, alpha)
    faces, Z = Faces(program, point), program.scores(point)
    gained = 0
    for _ in range(5):
        new = step_on_faces(program, point, faces, program.cones(point.pool), Z, alpha)
        if new is not None:
            Z, gained = new, gained + 1
            assert_allclose(Z, program.scores(point), atol=1e-10)
    assert gained
    assert largest_violation(program, point) < 1e-10
    assert best - 1e-7 <= objective(program, point, alpha) < before


@pytest.mark.parametrize("fraction", [0.1, 0.02])
def test_a_step_on_faces_near_the_optimum_is_a_newton_step(fraction):
    program, alpha, best = optimum("squared", True, True, fraction)
    point = everywhere(program)
    block_descent(program, point, alpha, 1e-11 * best, 20000, ENDLESS)
    least = objective(program, point, alpha)
    point = everywhere(program)
    block_descent(program, point, alpha, 1e-3 * best, 20000, ENDLESS)
    before = objective(program, point, alpha) - least
    step_on_faces(program, point, Faces(program, point), program.cones(point.pool), program.scores(point), alpha)
    assert before > 1e-9 * best
    assert objective(program, point, alpha) - least < 0.1 * before


@pytest.mark.parametrize(("kind", "models"), [("squared", 1), ("log", 3)])
def test_the_curvature_is_that_of_the_last_scores(monkeypatch, kind, models):
    program, alpha, _ = optimum(kind, True, True, 0.02)
    weights = []

    def recorded(B, X, weight):
        weights.append(weight)
        return blocks(B, X, weight)

    monkeypatch.setattr(_block_descent, "blocks", recorded)
    block_descent(program, everywhere(program), alpha, 0.0, 23, ENDLESS)
    assert len(weights) == models
    assert all(np.any(one != other) for one, other in zip(weights[1:], weights[:-1], strict=True))


def test_blocks_are_those_of_the_dense_matrix():
    program = make_program("squared", relu=True)
    A, d = dense(program), program.X.shape[1]
    H = A.T @ (program.loss.weight[:, np.newaxis] * A)
    expected = [H[i : i + d, i : i + d] for i in range(0, len(H), d)]
    assert_allclose(blocks(program.B, program.X, program.loss.weight), expected, atol=1e-14)


def test_a_clock_ends_the_descent_at_a_point_of_the_cones():
    program, alpha, best = optimum("log", True, True, 0.02)
    point = everywhere(program)
    assert block_descent(program, point, alpha, 0.0, 20000, Clock(1e-9)).n_iter == 10
    assert objective(program, point, alpha) > best
    assert largest_violation(program, point) < 1e-10


@pytest.mark.parametrize(("n", "sizes"), [(50, [3, 0, 4, 2]), (5, [3, 0, 4, 2, 0]), (9, [3, 0, 4, 2]), (1, [2])])
def test_the_direction_solves_the_damped_system_by_coordinates_and_by_rows(n, sizes):
    rng = np.random.default_rng(0)
    m = sum(sizes)
    C = rng.normal(size=(n, m))
    curvature = rng.random(len(sizes))
    units = [rng.normal(size=size) for size in sizes]
    units = [u / max(np.linalg.norm(u), 1e-9) for u in units]
    units[0] *= 0.9  # a neuron that is not quite on its borders
    M = C.T @ C
    starts = np.cumsum([0, *sizes])
    for k, (u, start) in enumerate(zip(units, starts, strict=False)):
        at = slice(start, start + len(u))
        M[at, at] += curvature[k] * (np.eye(len(u)) - np.outer(u, u))
    slope = rng.normal(size=m)
    wanted = -np.linalg.solve(M + 1e-4 * np.trace(M) / m * np.eye(m), slope)
    assert_allclose(direction(C, curvature, np.array(sizes), np.concatenate(units), slope, 1e-4), wanted, rtol=1e-9)


def test_there_is_no_direction_without_coordinates_or_of_numbers_that_are_not_finite():
    assert direction(np.empty((3, 0)), np.ones(1), np.array([0]), np.empty(0), np.empty(0), 1e-3) is None
    C = np.full((3, 2), np.nan)
    assert direction(C, np.ones(1), np.array([2]), np.array([1.0, 0.0]), np.ones(2), 1e-3) is None
