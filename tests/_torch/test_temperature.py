"""Temperatures from rows held back."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from skpapers._torch.temperature import HOTTEST, fit_temperature, rows_held_back

RNG = np.random.default_rng(0)


def drawn(n, K, temperature, seed=0):
    """Return logits, and classes drawn from them at a temperature."""
    rng = np.random.default_rng(seed)
    logits = 4.0 * rng.normal(size=(n, K))
    p = np.exp(log_softmax(logits / temperature, axis=1))
    return logits, np.array([rng.choice(K, p=row) for row in p])


@pytest.mark.parametrize("K", [2, 3, 10])
def test_it_is_the_temperature_of_the_smallest_log_loss(K):
    logits, y = drawn(20_000, K, 2.5)

    def loss(inverse):
        return -log_softmax(inverse * logits, axis=1)[np.arange(len(y)), y].mean()

    best = 1.0 / minimize_scalar(loss, bounds=(1e-3, 1.0), method="bounded", options={"xatol": 1e-9}).x
    found = fit_temperature(logits, y, None)
    assert_allclose(found, best, rtol=1e-3)
    assert_allclose(found, 2.5, rtol=0.1)
    if K == 2:
        assert_allclose(fit_temperature(logits[:, 1] - logits[:, 0], y, None), found, rtol=1e-9)


def test_probabilities_are_never_made_more_extreme():
    logits, y = drawn(500, 3, 0.2)
    assert fit_temperature(logits, y, None) < 1.01


def test_logits_that_say_nothing_are_divided_by_much():
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        logits = 5.0 * rng.normal(size=200)
        y = rng.integers(2, size=200)
        temperature = fit_temperature(logits, y, None)
        fresh = rng.integers(2, size=200)
        found.append(np.logaddexp(0.0, (1 - 2 * fresh) * logits / temperature).mean() - np.log(2.0))
    assert np.mean(found) < 0.004
    assert np.median(found) < 0.001
    assert fit_temperature(np.array([9.0, 9.0, 9.0]), np.array([0, 0, 0]), None) == HOTTEST


def test_no_information_and_huge_logits_are_numbers():
    assert 1.0 <= fit_temperature(np.zeros((10, 3)), np.arange(10) % 3, None) <= HOTTEST
    logits = np.array([1e9, -1e9, 1e9, 1e9])
    assert fit_temperature(logits, np.array([1, 0, 1, 0]), None) == HOTTEST
    assert 1.0 <= fit_temperature(logits[:3], np.array([1, 0, 1]), None) <= HOTTEST


def test_a_network_that_is_right_on_all_rows_may_err_on_the_next():
    n = 20
    found = fit_temperature(np.full(n, 50.0), np.ones(n, dtype=int), None)
    assert_allclose(1.0 / (1.0 + np.exp(-50.0 / found)), 1.0 - 0.25 / n, rtol=1e-3)


def test_weights_count_as_repeated_rows_and_their_unit_does_not():
    logits, y = drawn(3000, 3, 2.0)
    counts = RNG.integers(0, 3, size=len(y))
    expected = fit_temperature(logits.repeat(counts, axis=0), y.repeat(counts), None)
    for unit in (1.0, 1e200, 1e-200):
        assert_allclose(fit_temperature(logits, y, counts * unit), expected, rtol=1e-2)
    assert_allclose(fit_temperature(logits, y, counts * 1e200), fit_temperature(logits, y, counts * 1.0), rtol=1e-12)


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


def test_what_is_held_back_is_a_fifth_of_the_weight():
    y = np.zeros(100, dtype=int)
    weight = np.where(np.arange(100) < 50, 1.0, 4.0)
    for unit in (1.0, 1e200, 1e-200):
        assert_array_equal(rows_held_back(y, weight * unit, np.arange(100))[1], np.arange(88, 100))
