"""Temperatures from rows held back."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from skpapers._torch.temperature import HOTTEST, calibration, class_shares, fit_temperature, rows_held_back

RNG = np.random.default_rng(0)


def calibrated(logits, temperature, prior):
    """Return logits of shape (n, n_classes), or log-odds of shape (n,), as the fitted estimator has them."""
    shift, factor = calibration(temperature, prior)
    if logits.ndim == 2 and len(prior) == 2:
        odds = (logits[:, 1:] - logits[:, :1]) * factor + shift
        return np.column_stack([np.zeros(len(odds)), odds])
    return logits * factor + shift


EVEN = {K: np.full(K, 1.0 / K) for K in (2, 3, 10)}
UNEVEN = {K: np.arange(1.0, K + 1) / np.arange(1.0, K + 1).sum() for K in (2, 3, 10)}


def drawn(n, prior, temperature, seed=0):
    """Return logits, and classes drawn from them at a temperature."""
    rng = np.random.default_rng(seed)
    K = len(prior)
    logits = 4.0 * rng.normal(size=(n, K)) + np.log(prior)
    p = np.exp(log_softmax(calibrated(logits, temperature, prior), axis=1))
    return logits, (rng.random((n, 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)


@pytest.mark.parametrize("K", [2, 3, 10])
@pytest.mark.parametrize("priors", [EVEN, UNEVEN])
def test_it_is_the_temperature_of_the_smallest_log_loss(K, priors):
    prior = priors[K]
    logits, y = drawn(20_000, prior, 2.5)

    def loss(inverse):
        p = softmax(logits * inverse + np.log(prior) * (1.0 - inverse), axis=1)
        return -np.log(p[np.arange(len(y)), y]).mean()

    best = 1.0 / minimize_scalar(loss, bounds=(1e-3, 1.0), method="bounded", options={"xatol": 1e-9}).x
    found = fit_temperature(logits, y, None, prior)
    assert_allclose(found, best, rtol=1e-3)
    assert_allclose(found, 2.5, rtol=0.1)
    if K == 2:
        assert_allclose(fit_temperature(logits[:, 1] - logits[:, 0], y, None, prior), found, rtol=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_logits_without_information_become_the_prior(share):
    rng = np.random.default_rng(0)
    y = (rng.random(2000) < share).astype(int)
    prior = class_shares(y, None, 2)
    logits = 3.0 * rng.normal(size=2000)
    found = calibrated(logits, fit_temperature(logits, y, None, prior), prior)
    assert_allclose(1.0 / (1.0 + np.exp(-found)), prior[1], rtol=0.05)


@pytest.mark.parametrize("K", [2, 3])
def test_calibrated_logits_lie_between_those_of_the_network_and_those_of_the_prior(K):
    prior = UNEVEN[K]
    logits = RNG.normal(size=(20, K))
    found = softmax(calibrated(logits, 3.0, prior), axis=1)
    assert_allclose(found, softmax(np.log(prior) + (logits - np.log(prior)) / 3.0, axis=1))
    assert_allclose(softmax(calibrated(logits, 1.0, prior), axis=1), softmax(logits, axis=1))


def test_class_shares_are_weighted_frequencies_above_zero():
    y = np.array([0, 0, 1, 2])
    assert_allclose(class_shares(y, None, 3), [0.5, 0.25, 0.25])
    for unit in (1.0, 1e200, 1e-200):
        assert_allclose(class_shares(y, unit * np.array([1.0, 1.0, 2.0, 0.0]), 3), [0.5, 0.5, 0.0], atol=1e-300)
    assert np.isfinite(np.log(class_shares(y, np.array([1.0, 1.0, 1.0, 0.0]), 3))).all()


def test_probabilities_are_never_made_more_extreme():
    logits, y = drawn(500, EVEN[3], 0.2)
    assert fit_temperature(logits, y, None, EVEN[3]) < 1.01


def test_logits_that_say_nothing_are_divided_by_much():
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        logits = 5.0 * rng.normal(size=200)
        y = rng.integers(2, size=200)
        temperature = fit_temperature(logits, y, None, EVEN[2])
        fresh = rng.integers(2, size=200)
        found.append(np.logaddexp(0.0, (1 - 2 * fresh) * logits / temperature).mean() - np.log(2.0))
    assert np.mean(found) < 0.004
    assert np.median(found) < 0.001
    assert fit_temperature(np.array([9.0, 9.0, 9.0]), np.array([0, 0, 0]), None, EVEN[2]) == HOTTEST


def test_weak_evidence_at_most_doubles_the_temperature():
    ratios = []
    for n in (30, 30, 30, 30, 10_000):
        logits, y = drawn(n, EVEN[2], 6.0, seed=len(ratios))
        share = 0.5 / n

        def loss(inverse, logits=logits, y=y, share=share):
            p = log_softmax(inverse * logits, axis=1)
            return -(1.0 - share) * p[np.arange(len(y)), y].mean() - share * p.mean()

        best = minimize_scalar(loss, bounds=(1e-3, 1.0), method="bounded", options={"xatol": 1e-9}).x
        ratios.append(best * fit_temperature(logits, y, None, EVEN[2]))
    assert_allclose(max(ratios), 2.0, rtol=1e-3)
    assert_allclose(ratios[-1], 1.0, rtol=1e-2)
    assert min(ratios) > 0.999


def test_no_information_and_huge_logits_are_numbers():
    assert 1.0 <= fit_temperature(np.zeros((10, 3)), np.arange(10) % 3, None, EVEN[3]) <= HOTTEST
    logits = np.array([1e9, -1e9, 1e9, 1e9])
    assert fit_temperature(logits, np.array([1, 0, 1, 0]), None, EVEN[2]) == HOTTEST
    assert 1.0 <= fit_temperature(logits[:3], np.array([1, 0, 1]), None, EVEN[2]) <= HOTTEST


def test_a_network_that_is_right_on_all_rows_may_err_on_the_next():
    n = 20
    found = fit_temperature(np.full(n, 50.0), np.ones(n, dtype=int), None, EVEN[2])
    assert_allclose(1.0 / (1.0 + np.exp(-50.0 / found)), 1.0 - 0.25 / n, rtol=1e-3)


def test_weights_count_as_repeated_rows_and_their_unit_does_not():
    logits, y = drawn(3000, UNEVEN[3], 2.0)
    counts = RNG.integers(0, 3, size=len(y))
    expected = fit_temperature(logits.repeat(counts, axis=0), y.repeat(counts), None, UNEVEN[3])
    for unit in (1.0, 1e200, 1e-200):
        assert_allclose(fit_temperature(logits, y, counts * unit, UNEVEN[3]), expected, rtol=1e-2)
    expected_of_counts = fit_temperature(logits, y, counts * 1.0, UNEVEN[3])
    assert_allclose(fit_temperature(logits, y, counts * 1e200, UNEVEN[3]), expected_of_counts, rtol=1e-12)


def test_the_last_rows_of_each_class_are_held_back():
    y = np.repeat([0, 1, 2], [50, 10, 3])
    train, held = rows_held_back(y, None, np.arange(63))
    assert_array_equal(held, [*range(40, 50), 58, 59])
    assert_array_equal(np.sort([*train, *held]), np.arange(63))
    y = np.tile([0, 1], 50)
    assert_array_equal(rows_held_back(y, None, np.arange(100))[1], np.arange(80, 100))
    assert_array_equal(rows_held_back(y, None, np.arange(100)[::-1])[1], np.arange(20))


def test_few_rows_all_train():
    train, held = rows_held_back(np.tile([0, 1], 9), None, np.arange(18))
    assert (len(train), len(held)) == (18, 0)
    assert len(rows_held_back(np.arange(30), None, np.arange(30))[1]) == 0


def test_classes_of_vanishing_weight_train():
    y = np.tile([0, 1], 20)
    train, held = rows_held_back(y, np.where(y == 0, 1e-200, 1e200), np.arange(40))
    assert set(y[train]) == {0, 1}
    assert_array_equal(y[held], 1)


def test_what_is_held_back_is_a_fifth_of_the_weight():
    y = np.zeros(100, dtype=int)
    weight = np.where(np.arange(100) < 50, 1.0, 4.0)
    for unit in (1.0, 1e200, 1e-200):
        assert_array_equal(rows_held_back(y, weight * unit, np.arange(100))[1], np.arange(88, 100))
