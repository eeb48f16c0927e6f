"""Simulated returns: the signal is the stated one, and its share of the variance the stated one."""

import numpy as np
import pytest
from scipy import stats

from skpapers.datasets import make_returns
from skpapers.datasets._returns import _heavy

T4 = stats.t(4, scale=np.sqrt(0.5))  # of variance 1


def signal(X):
    """The signal as the docstring states it, from the features alone."""
    trend = np.where(X[:, 1] > T4.ppf(2 / 3), -1, 1) * np.sign(X[:, 0])
    return (trend + ((X[:, 2] > T4.ppf(4 / 5)) - 1 / 5) / np.sqrt(4 / 25)) / np.sqrt(2)


def correlation(values, lag):
    return np.corrcoef(values[lag:], values[:-lag])[0, 1]


@pytest.fixture(scope="module")
def long_draw():
    return make_returns(200_000, 6, r2=0.1, random_state=0)


def test_shapes_and_defaults():
    X, y = make_returns(random_state=0)
    assert X.shape == (20000, 20)
    assert y.shape == (20000,)
    assert X.dtype == y.dtype == np.float64
    assert X.flags.c_contiguous
    assert np.isfinite(X).all()
    assert np.isfinite(y).all()
    assert np.all(y != 0)
    assert make_returns(1, 3, random_state=0)[0].shape == (1, 3)


def test_without_noise_the_return_is_the_signal():
    X, y = make_returns(5000, 4, r2=1.0, random_state=1)
    np.testing.assert_allclose(y, signal(X), atol=1e-12)
    assert len(np.unique(y.round(9))) == 4


def test_without_signal_the_return_is_the_same_noise():
    X, y = make_returns(3000, 4, r2=0.0, random_state=1)
    half = make_returns(3000, 4, r2=0.5, random_state=1)[1]
    np.testing.assert_allclose(half, np.sqrt(0.5) * (signal(X) + y), atol=1e-12)


def test_the_signal_has_the_stated_share(long_draw):
    X, y = long_draw
    f = signal(X)
    assert f.mean() == pytest.approx(0, abs=0.02)
    assert f.var() == pytest.approx(1, abs=0.02)
    noise = y - np.sqrt(0.1) * f
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.var() == pytest.approx(0.9, rel=0.05)
    assert 1 - noise.var() / y.var() == pytest.approx(0.1, abs=0.01)
    assert np.corrcoef(f, noise)[0, 1] == pytest.approx(0, abs=0.01)


def test_features_are_persistent_and_heavy_tailed(long_draw):
    X, _ = long_draw
    for i, half_life in enumerate(np.geomspace(2, 60, 6)):
        # a feature's ranks are those of a normal autoregression
        normal = stats.norm.ppf(T4.cdf(X[:, i]))
        assert correlation(normal, 1) == pytest.approx(0.5 ** (1 / half_life), abs=0.01)
        assert stats.kstest(X[::500, i], T4.cdf).pvalue > 0.001
    assert np.all(stats.kurtosis(X) > 2)


def test_noise_is_heavy_tailed_and_comes_in_clusters(long_draw):
    X, y = long_draw
    noise = y - np.sqrt(0.1) * signal(X)
    assert stats.kurtosis(noise) > 5
    assert correlation(np.abs(noise), 1) > 0.05
    assert correlation(np.abs(noise), 1) > correlation(np.abs(noise), 100) + 0.03
    assert correlation(noise, 1) == pytest.approx(0, abs=0.02)
    assert np.mean(y > 0) == pytest.approx(0.5, abs=0.02)


def test_quantiles_are_exact_in_the_middle_and_in_the_tails():
    normal = np.r_[-8, -1, -1e-9, 0, 1e-12, 0.3, 5, 8]
    expected = np.where(normal < 0, T4.ppf(stats.norm.cdf(normal)), T4.isf(stats.norm.sf(normal)))
    far = np.abs(normal) > 1e-6
    np.testing.assert_allclose(_heavy(normal)[far], expected[far], rtol=1e-13)
    slope = stats.norm.pdf(0) / T4.pdf(0)
    np.testing.assert_allclose(_heavy(normal)[~far], slope * normal[~far], rtol=1e-12)


def test_one_seed_one_draw():
    X, y = make_returns(500, 5, random_state=7)
    longer = make_returns(800, 5, random_state=7)
    np.testing.assert_array_equal(longer[0][:500], X)
    np.testing.assert_array_equal(longer[1][:500], y)
    by_generator = make_returns(500, 5, random_state=np.random.RandomState(7))
    np.testing.assert_array_equal(by_generator[0], X)
    assert not np.array_equal(make_returns(500, 5, random_state=8)[1], y)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_samples": 0}, "n_samples must be a positive integer, not 0"),
        ({"n_samples": 10.0}, "n_samples must be a positive integer, not 10.0"),
        ({"n_features": 2}, "n_features must be an integer of 3 or more, not 2"),
        ({"r2": 1.5}, "r2 must be a number from 0 to 1, not 1.5"),
        ({"r2": float("nan")}, "r2 must be a number from 0 to 1, not nan"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        make_returns(**kwargs)
