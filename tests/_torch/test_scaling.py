"""The fixed first layer's statistics."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skpapers._torch.scaling import fit_scaling, fit_target

X = np.random.default_rng(0).normal(size=(301, 4)) * [1.0, 1e6, 1e-6, 1.0] + [0.0, 1e8, 0.0, 5.0]


@pytest.mark.parametrize("kind", ["robust", "standard"])
def test_weights_are_repeated_rows(kind):
    counts = np.arange(len(X)) % 4 + 1
    weighted, repeated = fit_scaling(X, counts.astype(float), kind), fit_scaling(X.repeat(counts, 0), None, kind)
    assert_allclose(weighted.center, repeated.center, rtol=1e-12)
    assert_allclose(weighted.factor, repeated.factor, rtol=1e-9)
    y = X[:, :2]
    for robust in (False, True):
        for one, other in zip(
            fit_target(y, counts.astype(float), robust), fit_target(y.repeat(counts, 0), None, robust), strict=True
        ):
            assert_allclose(one, other, rtol=1e-9)


def test_robust_scaling_leaves_quartiles_one_apart_whatever_the_units():
    z = (X - fit_scaling(X, None, "robust").center.numpy()) * fit_scaling(X, None, "robust").factor.numpy()
    assert_allclose(np.quantile(z, 0.75, axis=0) - np.quantile(z, 0.25, axis=0), 1.0, atol=0.02)
    scaled = fit_scaling(X, None, "robust")(torch.from_numpy(X)).numpy()
    assert np.abs(scaled).max() < 3.0


def test_standard_scaling_is_that_of_scikit_learn():
    scaled = fit_scaling(X, None, "standard")(torch.from_numpy(X)).numpy()
    assert_allclose(scaled, (X - X.mean(axis=0)) / X.std(axis=0), atol=1e-9)
    assert fit_scaling(X, None, None) is None


@pytest.mark.parametrize("kind", ["robust", "standard"])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e9 + 1 / 3])
def test_a_constant_column_becomes_zero(kind, value):
    scaling = fit_scaling(np.full((37, 1), value), None, kind)
    assert_allclose(scaling(torch.tensor([[value], [value + 1.0]], dtype=torch.float64)), 0.0)


def test_a_column_that_is_mostly_one_value_keeps_its_range():
    column = np.zeros((100, 1))
    column[:10, 0] = 4.0
    assert fit_scaling(column, None, "robust").factor.item() == 0.5
    assert fit_target(column, None, robust=True)[1].item() == pytest.approx(column.std())
    assert fit_target(np.ones((5, 1)), None, robust=True)[1].item() == 1.0
