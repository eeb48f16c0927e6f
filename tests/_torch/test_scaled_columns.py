"""Scaling of columns in which values are missing: statistics of the observed values, and nothing else."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skpapers._torch.running import ENOUGH
from skpapers._torch.scaled_columns import Scaling

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.normal(3.0, 2.0, size=200), RNG.standard_t(2, size=200), RNG.random(200) < 0.05]).astype(float)
HOLES = X.copy()
HOLES[RNG.random(X.shape) < 0.3] = np.nan


def scaled(scaling, table):
    return scaling.layer()(torch.from_numpy(table)).numpy()


@pytest.mark.parametrize("kind", ["robust", "standard"])
@pytest.mark.parametrize("weighted", [False, True])
def test_each_column_is_scaled_by_the_rows_in_which_it_was_observed(kind, weighted):
    weight = RNG.integers(1, 4, size=200).astype(float) if weighted else None
    found = scaled(Scaling(kind).fitted(HOLES, weight, missing=True), HOLES)
    assert_array_equal(np.isnan(found), np.isnan(HOLES))
    for j in range(3):
        seen = ~np.isnan(HOLES[:, j])
        column = HOLES[seen, j : j + 1]
        alone = Scaling(kind).fitted(column, None if weight is None else weight[seen])
        assert_array_equal(found[seen, j], scaled(alone, column)[:, 0])


@pytest.mark.parametrize("kind", ["robust", "standard"])
def test_without_holes_missing_changes_nothing(kind):
    assert_allclose(
        scaled(Scaling(kind).fitted(X, None, missing=True), X), scaled(Scaling(kind).fitted(X, None), X), atol=1e-14
    )


def test_a_column_that_was_never_observed_is_zero_until_it_is():
    table = X.copy()
    table[:, 1] = np.nan
    scaling = Scaling("standard").fitted(table, None, ENOUGH, missing=True)
    assert_array_equal(scaled(scaling, X)[:, 1], 0.0)
    scaling = scaling.fitted(X, None, ENOUGH, missing=True)
    assert_allclose(scaled(scaling, X)[:, 1].std(), 1.0)


def test_no_scaling_has_no_layer():
    assert Scaling(None).fitted(HOLES, None, missing=True).layer() is None
