"""Each method of the estimator against a slow and plain computation of its equations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse.csgraph import floyd_warshall
from sklearn.linear_model import Ridge

from skpapers.datasets import make_manifold
from skpapers.dimension import IntrinsicDimension
from tests.dimension._neighbors import positive

X, _ = make_manifold(150, 3, 6, kind="nonlinear", random_state=0)


def local_estimate(distances, k, divisor):
    return divisor / sum(np.log(distances[k - 1] / distances[j]) for j in range(k - 1))


@pytest.mark.parametrize("aggregation", ["harmonic", "mean", "median"])
@pytest.mark.parametrize("normalization", ["k-1", "k-2"])
@pytest.mark.parametrize("k", [3, 9])
def test_maximum_likelihood(k, normalization, aggregation):
    divisor = k - int(normalization[-1])
    local = [local_estimate(row, k, divisor) for row in positive(X, k)]
    expected = {
        "harmonic": len(local) / sum(1 / m for m in local),
        "mean": sum(local) / len(local),
        "median": (sorted(local)[74] + sorted(local)[75]) / 2,
    }
    model = IntrinsicDimension(k, normalization=normalization, aggregation=aggregation).fit(X)
    assert_allclose(model.local_dimension_, local, rtol=1e-10)
    assert_allclose(model.dimension_, expected[aggregation], rtol=1e-10)


def test_two_nn():
    """150 ratios, of which the largest 15 are left out; a line through the origin."""
    mu = sorted(row[1] / row[0] for row in positive(X, 2))
    pairs = [(np.log(mu[i]), -np.log(1 - (i + 1) / 150)) for i in range(135)]
    slope = sum(x * y for x, y in pairs) / sum(x * x for x, _ in pairs)
    assert_allclose(IntrinsicDimension(7, method="twonn").fit(X).dimension_, slope, rtol=1e-10)


def test_geo_mle():
    """Twenty samples with a search in each, and scikit-learn's ridge regression."""
    k = 4
    rng = np.random.RandomState(0)
    m = np.empty((20, k + 1))
    R = np.empty((20, k + 1))
    for b in range(20):
        sample = X[np.unique(rng.randint(150, size=150))]
        T = positive(sample, 2 * k)
        for i, one in enumerate(range(k, 2 * k + 1)):
            m[b, i] = 1 / np.mean([1 / local_estimate(row, one, one - 1) for row in T])
            R[b, i] = T[:, one - 1].mean()
    radii = R.mean(axis=0) / R.mean()
    ridge = Ridge(alpha=0.005, solver="cholesky")
    ridge.fit(np.column_stack([radii, radii**2]), m.mean(axis=0), sample_weight=1 / m.std(axis=0, ddof=1))
    model = IntrinsicDimension(k, method="geomle", random_state=0).fit(X)
    assert_allclose(model.dimension_, ridge.intercept_, rtol=1e-8)


def test_shortest_paths():
    """All paths of a full matrix, and the line through the bins left of the top of a parabola."""
    k = 8
    D = np.linalg.norm(X[:, np.newaxis] - X, axis=2)
    farthest = np.sort(D, axis=1)[:, [k]]
    near = farthest >= D
    r = floyd_warshall(np.where(near | near.T, D, 0.0))
    r = r[~np.eye(150, dtype=bool)]
    counts, edges = np.histogram(r, bins=50)
    middles = (edges[1:] + edges[:-1]) / 2
    top = int(np.argmax(counts))
    near_top = slice(top - 3, top + 4)
    parabola = np.polynomial.Polynomial.fit(middles[near_top], np.log(counts[near_top]), 2)
    r_max = np.clip(parabola.deriv().roots()[0], edges[top - 1], edges[top + 2])
    x = []
    y = []
    weights = []
    for count, middle in zip(counts, middles, strict=True):
        if count and r_max - 2 * r.std() < middle < r_max:
            x.append(np.log(np.sin(np.pi * middle / (2 * r_max))))
            y.append(np.log(count) - parabola(r_max))
            weights.append(count)
    slope = np.average(np.multiply(x, y), weights=weights) / np.average(np.square(x), weights=weights)
    assert_allclose(IntrinsicDimension(k, method="shortest_path").fit(X).dimension_, 1 + slope, rtol=1e-5)
