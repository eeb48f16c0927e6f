"""The dimension from shortest paths: exact densities, spheres, and graphs in parts."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skpapers.dimension._neighbors import nearest_rows
from skpapers.dimension._shortest_path import _fitted, graph_of_neighbors, shortest_path_dimension


@pytest.mark.parametrize("D", [2, 5, 12])
def test_distances_on_a_sphere_give_its_dimension(D):
    """Angles between random unit vectors of D + 1 columns have the density sin^(D-1)."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 200_000, D + 1))
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert abs(_fitted(np.arccos(cosine)) - D) < 0.05 * D + 0.05


def test_paths_on_a_sphere():
    X = np.random.default_rng(0).normal(size=(800, 4))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    T, neighbors = nearest_rows(X, 11)
    graph = graph_of_neighbors(T[:, 1:], neighbors[:, 1:])
    found, n_components = shortest_path_dimension(graph, np.arange(0, 800, 4))
    assert n_components == 1
    assert abs(found - 3) < 0.6


def test_only_the_largest_component_counts():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    with_others = np.vstack([rng.normal(size=(50, 3)) + 1e3, X])
    alone = nearest_rows(X, 9)
    together = nearest_rows(with_others, 9)
    expected, _ = shortest_path_dimension(graph_of_neighbors(alone[0][:, 1:], alone[1][:, 1:]), np.arange(300))
    found, n_components = shortest_path_dimension(
        graph_of_neighbors(together[0][:, 1:], together[1][:, 1:]), np.arange(350)
    )
    assert n_components == 2
    assert_allclose(found, expected, rtol=1e-5)


def test_no_dimension_without_a_mode():
    assert np.isnan(_fitted(np.linspace(1, 2, 100) ** 20))
    assert np.isnan(_fitted(np.ones(1)))
