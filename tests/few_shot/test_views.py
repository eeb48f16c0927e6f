"""Augmentations of tabular rows."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skpapers.few_shot._views import JITTER, NAMED, SHARE, exchange, given_view, jitter, mask, named_view

X = 5.0 + torch.arange(4000 * 3, dtype=torch.float64).reshape(4000, 3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_jitter_adds_noise_of_its_size():
    noise = (jitter(X, generator()) - X).numpy()
    assert_allclose(noise.std(), JITTER, rtol=0.05)
    assert_allclose(noise.mean(), 0.0, atol=0.01)


def test_mask_hides_its_share_and_leaves_the_rest():
    masked = mask(X, generator())
    hidden = masked != X
    assert torch.all(masked[hidden] == 0)
    assert_allclose(hidden.double().mean(), SHARE, rtol=0.1)


def test_exchange_takes_values_of_the_same_column():
    exchanged = exchange(X, generator())
    changed = exchanged != X
    assert_allclose(changed.double().mean(), SHARE, rtol=0.1)
    for column in range(3):
        assert set(exchanged[:, column].tolist()) <= set(X[:, column].tolist())
    columns_of_a_row = changed.sum(dim=1)
    assert 0 < (columns_of_a_row == 1).sum() < len(X)  # values change one by one, not rows


@pytest.mark.parametrize("name", sorted(NAMED))
def test_named_views_are_new_each_time_and_repeat_with_the_generator(name):
    view = named_view(name)
    drawn = generator()
    first = view(X, drawn)
    second = view(X, drawn)
    assert first.shape == X.shape
    assert first.dtype == X.dtype
    assert not torch.equal(first, second)
    assert torch.equal(first, view(X, generator()))


def doubled(rows):
    return torch.tensor(2.0 * rows, dtype=torch.float32)


def test_a_given_function_sees_raw_rows_and_a_generator_of_numpy():
    seen = []

    def augment(rows, rng):
        seen.append((rows.copy(), rng.normal()))
        rows += 1.0  # rows are a copy
        return rows

    before = X.clone()
    view = given_view(augment, doubled, np.random.default_rng(3))
    found = view(X, generator())
    assert torch.equal(X, before)
    np.testing.assert_array_equal(seen[0][0], X.numpy())
    assert seen[0][1] == np.random.default_rng(3).normal()
    torch.testing.assert_close(found, (2.0 * (X + 1.0)).float(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("returned", "message"),
    [(lambda rows: rows[:5], r"shape \(5, 3\)"), (lambda rows: np.where(rows > 9, np.nan, rows), "NaN or infinite")],
)
def test_a_function_that_returns_something_else(returned, message):
    view = given_view(lambda rows, rng: returned(rows), doubled, np.random.default_rng(0))
    with pytest.raises(ValueError, match=message):
        view(X, generator())
