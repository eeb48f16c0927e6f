"""The frequencies of random features: distribution of one frequency, orthogonality of a block, lengths, errors."""

import numpy as np
import pytest
from scipy.stats import kstest

from skpapers._random_features import draw_frequencies


@pytest.mark.parametrize(("m", "d"), [(16, 16), (40, 16), (5, 16), (7, 1), (3, 2000)])
def test_rows_of_a_block_are_orthogonal(m, d):
    W = draw_frequencies(np.random.RandomState(0), m, d)
    assert W.shape == (m, d)
    assert W.dtype == np.float64
    unit = W / np.linalg.norm(W, axis=1, keepdims=True)
    for start in range(0, m, d):
        block = unit[start : start + d]
        np.testing.assert_allclose(block @ block.T, np.eye(len(block)), atol=1e-12)
    if m > d > 1:
        assert np.abs(unit[0] @ unit[d:].T).max() > 1e-3


@pytest.mark.parametrize("orthogonal", [True, False])
@pytest.mark.parametrize("m", [3, 5])
def test_every_entry_is_a_standard_normal(orthogonal, m):
    rng = np.random.RandomState(0)
    draws = np.stack([draw_frequencies(rng, m, 3, orthogonal=orthogonal) for _ in range(4000)])
    for row in range(m):
        for column in range(3):
            assert kstest(draws[:, row, column], "norm").pvalue > 1e-4
    # The covariance of a row is the identity: no direction is preferred, which signs taken from LAPACK would not give.
    covariance = np.einsum("nri,nrj->rij", draws, draws) / len(draws)
    np.testing.assert_allclose(covariance, np.broadcast_to(np.eye(3), covariance.shape), atol=0.12)


def test_a_square_block_is_uniform_over_orthogonal_matrices():
    """Under the Haar measure the trace of a d x d block has mean 0 and variance 1, for every d >= 2."""
    rng = np.random.RandomState(1)
    traces = []
    for _ in range(4000):
        W = draw_frequencies(rng, 4, 4, norms="fixed") / 2.0
        traces.append(np.trace(W))
    assert abs(np.mean(traces)) < 4 / np.sqrt(4000)
    assert abs(np.var(traces) - 1) < 0.12


@pytest.mark.parametrize("orthogonal", [True, False])
def test_fixed_norms(orthogonal):
    W = draw_frequencies(np.random.RandomState(0), 11, 6, orthogonal=orthogonal, norms="fixed")
    np.testing.assert_allclose(np.linalg.norm(W, axis=1), np.sqrt(6))


@pytest.mark.parametrize("orthogonal", [True, False])
def test_norms_are_chi_distributed_and_independent_of_the_direction(orthogonal):
    rng = np.random.RandomState(2)
    draws = np.stack([draw_frequencies(rng, 4, 4, orthogonal=orthogonal) for _ in range(2000)])
    squared = np.sum(draws**2, axis=2)
    assert kstest(squared[:, 0], "chi2", args=(4,)).pvalue > 1e-4
    # lengths within a block are not correlated
    assert np.abs(np.corrcoef(squared.T)[np.triu_indices(4, 1)]).max() < 4 / np.sqrt(2000)
    direction = np.abs(draws[:, 0, 0]) / np.sqrt(squared[:, 0])
    assert abs(np.corrcoef(direction, squared[:, 0])[0, 1]) < 4 / np.sqrt(2000)


def test_the_seed_alone_decides():
    first = draw_frequencies(np.random.RandomState(3), 9, 4)
    second = draw_frequencies(np.random.RandomState(3), 9, 4)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, draw_frequencies(np.random.RandomState(4), 9, 4))
    assert draw_frequencies(np.random.default_rng(0), 9, 4).shape == (9, 4)


def test_errors():
    rng = np.random.RandomState(0)
    with pytest.raises(ValueError, match="1 or more, got 0 and 3"):
        draw_frequencies(rng, 0, 3)
    with pytest.raises(ValueError, match="1 or more, got 3 and 0"):
        draw_frequencies(rng, 3, 0)
    with pytest.raises(ValueError, match="norms must be 'chi' or 'fixed', got 'gauss'"):
        draw_frequencies(rng, 3, 3, norms="gauss")
