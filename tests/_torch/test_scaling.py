"""The fixed first layer's statistics."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm, spearmanr

from skpapers._torch.scaling import fit_scaling, fit_target
from skpapers._torch.scaling_layers import FixedScaling
from skpapers._torch.state import to_arrays
from skpapers.neural_network import SAMMLPRegressor

X = np.random.default_rng(0).normal(size=(301, 4)) * [1.0, 1e6, 1e-6, 1.0] + [0.0, 1e8, 0.0, 5.0]
LARGEST = np.finfo(np.float64).max


def flag(n, outlier, seed=0):
    """Return a column of zeros and ones, a fifth of them ones, and one other value."""
    column = (np.random.default_rng(seed).random(n) < 0.2).astype(float)
    column[0] = outlier
    return column


def zeros_and_tail(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < 0.78, 0.0, np.exp(2.0 * rng.normal(size=n)))


def scaled(scaling, X):
    return scaling(torch.from_numpy(np.asarray(X, dtype=np.float64))).numpy()


@pytest.mark.parametrize("kind", ["robust", "standard"])
def test_weights_are_repeated_rows(kind):
    counts = np.arange(len(X)) % 4 + 1
    weighted = fit_scaling(X, counts.astype(float), kind)
    repeated = fit_scaling(X.repeat(counts, 0), None, kind)
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
    assert np.abs(scaled(fit_scaling(X, None, "robust"), X)).max() < 3.0


def test_standard_scaling_is_that_of_scikit_learn():
    expected = (X - X.mean(axis=0)) / X.std(axis=0)
    assert_allclose(scaled(fit_scaling(X, None, "standard"), X), expected, atol=1e-9)
    assert fit_scaling(X, None, None) is None


@pytest.mark.parametrize("kind", ["robust", "standard"])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e9 + 1 / 3])
def test_a_constant_column_becomes_zero(kind, value):
    scaling = fit_scaling(np.full((37, 1), value), None, kind)
    assert_allclose(scaling(torch.tensor([[value], [value + 1.0]], dtype=torch.float64)), 0.0)


@pytest.mark.parametrize("outlier", [9999.0, -1e300, LARGEST])
def test_one_outlier_in_a_flag_leaves_the_flag_apart(outlier):
    column = flag(500, outlier)[:, None]
    z = scaled(fit_scaling(column, None, "robust"), [[0.0], [1.0], [outlier]]).ravel()
    share = np.mean(column == 0.0)
    clipped = norm.ppf(share / 2.0 + (outlier < 0) / 500)
    assert_allclose(z[0], clipped / np.hypot(1.0, clipped / 3.0), rtol=1e-4)
    assert z[1] - z[0] > 1.0
    assert (z[2] > z[1]) == (outlier > 0)


def test_a_heavy_tail_is_scaled_by_rank_and_a_light_one_is_not():
    rng = np.random.default_rng(1)
    columns = np.column_stack([zeros_and_tail(2000), np.exp(2.0 * rng.normal(size=2000)), rng.normal(size=2000)])
    scaling = fit_scaling(columns, None, "robust")
    assert scaling.ranked.tolist() == [0, 1]
    assert scaling.knots.shape[1] <= 256
    z = scaled(scaling, columns)
    for j in range(3):
        assert spearmanr(z[:, j], columns[:, j]).statistic > 0.9999
    expected = np.log(columns[:, 1]) / 2.0
    assert np.abs(z[:, 1] - expected / np.hypot(1.0, expected / 3.0)).max() < 0.15


def test_weights_are_repeated_rows_for_ranks_too():
    columns = np.column_stack([flag(900, 9999.0), zeros_and_tail(900)])
    counts = np.arange(900) % 4
    repeated = columns.repeat(counts, 0)
    expected = scaled(fit_scaling(repeated, None, "robust"), repeated)
    for factor in (1.0, 1e200, 1e-200):
        weighted = fit_scaling(columns, counts * factor, "robust")
        assert weighted.ranked.tolist() == [0, 1]
        assert_allclose(scaled(weighted, repeated), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["flag", "tail", "normal"])
def test_huge_values_get_the_end_of_the_clip(kind):
    column = {"flag": flag(300, 1.0), "tail": zeros_and_tail(300), "normal": X[:300, 0]}[kind][:, None]
    scaling = fit_scaling(column, None, "robust")
    low, high = scaled(scaling, [[-LARGEST], [-1e300], [LARGEST], [1e300]]).reshape(2, 2)
    assert_allclose(low, scaled(scaling, column).min() if kind != "normal" else -3.0)
    assert_allclose(high, scaled(scaling, column).max() if kind != "normal" else 3.0)


@pytest.mark.parametrize("unit", [1e-310, 1e-300, 1e300])
def test_columns_too_small_or_large_to_divide_by_keep_their_order(unit):
    column = np.linspace(-1.0, 1.0, 101)[:, None]
    z = scaled(fit_scaling(column * unit, None, "robust"), column * unit)
    assert (np.diff(z.ravel()) > 0).all()
    assert_allclose(z, -z[::-1], atol=1e-9)


def test_a_range_beyond_the_largest_number_is_scaled():
    column = np.linspace(-1.0, 1.0, 101)[:, None] * LARGEST
    assert (np.diff(scaled(fit_scaling(column, None, "robust"), column).ravel()) > 0).all()


def test_a_scaling_by_rank_comes_back_from_its_arrays_and_passes_gradients():
    column = zeros_and_tail(400)[:, None]
    scaling = fit_scaling(column, None, "robust")
    again = FixedScaling(**to_arrays(scaling), limit=scaling.limit)
    assert_allclose(scaled(again, column), scaled(scaling, column), rtol=0)
    rows = torch.tensor([[0.5], [2.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(scaling, rows)


def test_the_scale_of_a_target_that_is_mostly_one_value_is_its_deviation():
    column = np.zeros((100, 1))
    column[:10, 0] = 4.0
    assert fit_target(column, None, robust=True)[1].item() == pytest.approx(column.std())


def test_raw_columns_work_for_a_network():
    rng = np.random.default_rng(0)
    columns = np.column_stack([flag(1500, 0.0), zeros_and_tail(1500), rng.normal(size=(1500, 2))])
    y = 2.0 * columns[:, 0] + np.log1p(columns[:, 1]) + 0.2 * rng.normal(size=1500)
    columns[1, 0] = 9999.0
    model = SAMMLPRegressor((64,), max_iter=20, random_state=0).fit(columns[:800], y[:800])
    assert model.score(columns[800:], y[800:]) > 0.93


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.1, 5e-324, 1e300, -1e9 - 1 / 3])
def test_a_constant_target_is_its_own_location(robust, value):
    y = np.column_stack([np.full(37, value), np.arange(37.0)])
    center, scale = fit_target(y, np.arange(1.0, 38.0), robust)
    assert center[0] == value
    assert scale[0] == 0.0
    assert scale[1] > 0.0


@pytest.mark.parametrize("robust", [False, True])
def test_targets_of_any_magnitude_have_a_location_and_a_scale(robust):
    y = np.random.default_rng(0).normal(size=(400, 2))
    expected = fit_target(y, None, robust)
    for unit in (2.0**-900, 2.0**990):
        for one, other in zip(fit_target(y * unit, None, robust), expected, strict=True):
            assert_array_equal(one, other * unit)


@pytest.mark.parametrize("heavy", [0, 10])
def test_ranks_of_rows_with_hardly_any_weight_are_finite(heavy):
    X = np.arange(20.0)[:, None]
    weight = np.full(20, 1e-20)
    weight[heavy] = 1.0
    z = fit_scaling(X, weight, "robust")(torch.from_numpy(X)).numpy()[:, 0]
    assert np.isfinite(z).all()
    assert (np.diff(z) >= 0).all()
    assert z[0] < z[-1]
