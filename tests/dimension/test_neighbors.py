"""The neighbour search is exact, whatever the scale, the offset and the order of the rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_info

from skpapers.dimension import _neighbors
from skpapers.dimension._neighbor_kernels import distance, squared_distance
from skpapers.dimension._neighbors import nearest_rows
from tests.dimension._neighbors import brute_force

RNG = np.random.default_rng(0)


def clusters_far_apart():
    X = RNG.normal(size=(300, 5))
    X[::3] += 1e7
    X[1::3] -= 1e9
    return X


def one_far_row():
    X = RNG.normal(size=(200, 4))
    X[7] = 1e30
    return X


def a_line():
    return np.arange(400.0)[:, np.newaxis] * np.ones(3) + 1e-7 * RNG.normal(size=(400, 3))


TABLES = {
    "normal": RNG.normal(size=(300, 7)),
    "float32": RNG.normal(size=(300, 7)).astype(np.float32),
    "wide": RNG.normal(size=(150, 900)),
    "offset": RNG.normal(size=(300, 4)) + 1e9,
    "large": RNG.normal(size=(100, 4)) * 1e200,
    "small": RNG.normal(size=(100, 4)) * 1e-200,
    "clusters": clusters_far_apart(),
    "outlier": one_far_row(),
    "line": a_line(),
    "ties": RNG.integers(0, 3, size=(300, 6)).astype(float),
    "constant column": np.column_stack([RNG.normal(size=(200, 2)), np.full(200, 5.0)]),
    "equal rows": np.ones((60, 3)),
    "two rows": np.array([[0.0, 1.0], [2.0, 3.0]]),
    "near the largest": np.array([[4e307, 0.0], [-4e307, 1.0], [4e307, 2.0], [1e307, 0.0]]),
}


@pytest.mark.parametrize("name", TABLES)
def test_neighbours_are_those_of_brute_force(name):
    X = TABLES[name]
    K = min(len(X), 12)
    distances, places = nearest_rows(X, K)
    expected = brute_force(X, K).astype(float)
    assert_allclose(distances, expected, rtol=1e-12)
    assert np.all(np.diff(distances, axis=1) >= 0)
    assert_array_equal([len(set(row)) for row in places.tolist()], K)
    again = [[distance(X[i], X[j]) for j in row] for i, row in enumerate(places)]
    assert_array_equal(again, distances)


@pytest.mark.parametrize("name", TABLES)
def test_queries_find_what_the_search_among_all_rows_finds(name):
    X = TABLES[name]
    K = min(len(X), 12)
    assert_array_equal(nearest_rows(X, K, X[::2])[0], nearest_rows(X, K)[0][::2])


def test_queries_of_another_dtype():
    X = RNG.normal(size=(200, 5)).astype(np.float32)
    Q = RNG.normal(size=(20, 5))
    assert_allclose(nearest_rows(X, 6, Q)[0], brute_force(X, 6, Q).astype(float), rtol=1e-12)
    assert_array_equal(nearest_rows(X, 6, Q.astype(np.float32))[0], nearest_rows(X, 6, Q.astype(np.float32) * 1.0)[0])


@pytest.mark.parametrize("ordered", [False, True])
def test_many_blocks_and_threads_change_nothing(monkeypatch, ordered):
    X = np.cumsum(RNG.normal(size=(500, 3)), axis=0) if ordered else RNG.normal(size=(500, 3))
    expected = nearest_rows(X, 9)
    monkeypatch.setattr(_neighbors, "BLOCK_ROWS", 37)
    before = [pool["num_threads"] for pool in threadpool_info()]
    for n_jobs in (1, 3):
        found = nearest_rows(X, 9, n_jobs=n_jobs)
        assert_array_equal(found[0], expected[0])
        assert_array_equal(found[1], expected[1])
        assert_array_equal(nearest_rows(X, 9, X[:50], n_jobs=n_jobs)[0], expected[0][:50])
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_rows_without_a_proof_are_searched_again(monkeypatch):
    """float32 sees no distance inside of a cluster; the answers of float64 or of all distances are taken."""
    seen = []
    real = _neighbors._search

    def spy(rows, queries, dtype, n_jobs, distances, places):
        proven = real(rows, queries, dtype, n_jobs, distances, places)
        seen.append((dtype, int(proven.sum()), len(proven)))
        return proven

    monkeypatch.setattr(_neighbors, "_search", spy)
    nearest_rows(TABLES["normal"], 5)
    assert seen == [(np.float32, 300, 300)]
    seen.clear()
    X = RNG.normal(size=(300, 5))
    X[:150] += 1e5
    distances, _ = nearest_rows(X, 5)
    assert seen == [(np.float32, 0, 300), (np.float64, 300, 300)]
    assert_allclose(distances, brute_force(X, 5).astype(float), rtol=1e-12)
    seen.clear()
    nearest_rows(TABLES["clusters"], 5)
    assert seen[1][1] < 300


def test_close_rows_have_a_positive_distance():
    x = np.array([1e-300, 0.0])
    assert squared_distance(x, np.zeros(2)) == 0.0
    assert distance(x, np.zeros(2)) == 1e-300
    assert distance(x, x) == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_of_rows_at_equal_distances_the_first_count(monkeypatch, dtype):
    """Many ties leave no proof; neither blocks, threads, queries nor the number of neighbours may choose among them."""
    X = np.random.default_rng(0).integers(0, 2, size=(300, 9)).astype(dtype)
    squares = np.square(X[:, np.newaxis] - X).sum(axis=2)
    expected = np.argsort(squares, axis=1, kind="stable")
    monkeypatch.setattr(_neighbors, "BLOCK_ROWS", 37)
    for K in (4, 9, 30):
        for n_jobs in (1, 3):
            assert_array_equal(nearest_rows(X, K, n_jobs=n_jobs)[1], expected[:, :K])
            assert_array_equal(nearest_rows(X, K, X[:40], n_jobs=n_jobs)[1], expected[:40, :K])


def test_rows_with_ties_are_compared_with_few_rows(monkeypatch):
    X = np.random.default_rng(0).integers(0, 2, size=(600, 30)).astype(np.float32)
    compared = []
    real = _neighbors.complete

    def spy(Q, rows, start, G, h, limits, distances, places):
        compared.append(np.mean(h - G <= limits[:, np.newaxis]))
        real(Q, rows, start, G, h, limits, distances, places)

    monkeypatch.setattr(_neighbors, "complete", spy)
    nearest_rows(X, 6)
    assert compared
    assert np.mean(compared) < 0.2
