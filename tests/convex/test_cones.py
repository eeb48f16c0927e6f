"""Projections onto cones against scipy's non-negative least squares."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import nnls

from skpapers.convex._cones import _append, project, violation


def setting(n, d, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    X[:, -1] = 1.0
    X[1], X[2] = X[0], 0.0
    sign = np.where(X @ rng.normal(size=d) > 0, 1, -1).astype(np.int8)
    return X, np.linalg.norm(X, axis=1), sign, rng


def projected(a, X, lengths, sign, border=None, enough=0.0):
    border = np.full(X.shape[1] + 2, -1, dtype=np.int64) if border is None else border
    w = np.empty_like(a)
    return project(a, X, np.ascontiguousarray(X.T), lengths, sign, border, enough, w), w, border


@pytest.mark.parametrize(("n", "d"), [(3, 2), (10, 3), (100, 5), (60, 20), (300, 40)])
@pytest.mark.parametrize("seed", range(5))
def test_projection_is_that_of_nnls(n, d, seed):
    X, lengths, sign, rng = setting(n, d, seed)
    border, a = None, rng.normal(size=d)
    for scale in (0.0, 0.1, 0.0, 3.0):  # the second and later ones start from the border of the one before
        a = a + scale * rng.normal(size=d)
        C = sign[:, np.newaxis] * X
        expected = a + C.T @ nnls(C.T, -a, maxiter=10000)[0]
        norm, w, border = projected(a, X, lengths, sign, border)
        assert_allclose(w, expected, atol=1e-11)
        assert_allclose(norm, np.linalg.norm(w), atol=1e-11)
        assert not w.any() or violation(w[np.newaxis], X, sign[np.newaxis]) < 1e-10


def test_a_norm_that_stops_early_is_an_upper_bound():
    stopped = 0
    for seed in range(50):
        X, lengths, sign, rng = setting(200, 6, seed)
        a = rng.normal(size=6)
        exact = projected(a, X, lengths, sign)[0]
        enough = 0.7 * np.linalg.norm(a)
        bound = projected(a, X, lengths, sign, enough=enough)[0]
        assert bound >= exact - 1e-12
        if exact <= enough:
            assert bound <= enough + 1e-12
            stopped += bound > exact + 1e-9
    assert stopped > 3


def test_directions_inside_stay_and_the_polar_cone_goes_to_zero():
    X, lengths, sign, _ = setting(50, 4, 0)
    inside = np.linalg.lstsq(X, sign.astype(float), rcond=None)[0]
    C = sign[:, np.newaxis] * X
    g = C.sum(axis=0) if (C @ C.sum(axis=0) >= 0).all() else inside
    polar = -C.T @ np.ones(50)
    assert not projected(polar, X, lengths, sign)[1].any()
    if (C @ g >= 0).all():
        assert_allclose(projected(g, X, lengths, sign)[1], g)


@pytest.mark.parametrize("d", [4, 8, 12, 20])
def test_sums_do_not_depend_on_where_arrays_are_in_memory(d):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1, d))
    values = rng.normal(size=d)
    found = set()
    for between in range(40):
        memory = np.zeros(3 * d + 80)
        before = memory[:d]
        C = memory[d + between : 2 * d + between].reshape(1, d)
        after = memory[2 * d + 2 * between : 3 * d + 2 * between]
        for a in (before, after):
            a[:] = values
            right = np.zeros(1)
            _append(C, np.zeros((1, 1)), right, a, x, np.ones(1, dtype=np.int8), 0, 0)
            found.add(right[0])
    assert len(found) == 1
