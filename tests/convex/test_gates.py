"""Which side of a gate a row is on."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skpapers.convex import ConvexReLUClassifier, ConvexReLURegressor
from skpapers.convex._convex_relu_data import centred
from skpapers.convex._gates import patterns
from skpapers.convex._row_products import open_gates

GRID = np.array([[i, j] for i in range(-6, 7) for j in range(-6, 7)], float)
STEPS = np.where(GRID @ [1, -1] > 0, GRID[:, 0] * 3 + 1, -GRID[:, 1] * 2)
NUMBERS = [0.1, 0.3, 1 / 3, 0.7, 0.2, -0.1, -0.3, -1 / 3, -0.7, 1.1]


def gates_through_the_grid(seed):
    g, h = np.random.RandomState(seed).choice(NUMBERS, 2)
    return np.array([[g, g, h, 3 * h], [g, -g, h, -h]])


@pytest.mark.parametrize("seed", range(5))
def test_rows_on_a_gate_find_it_closed_at_any_size_and_offset(seed):
    exact = np.array([[1, 1, 1, 3], [1, -1, 1, -1]])  # the same lines in whole numbers, whose products are exact
    G = gates_through_the_grid(seed)
    for factor in (1.0, 1e-150, 1e150, 1 / 3):
        assert_array_equal(open_gates(GRID * factor, G), GRID @ (exact * np.sign(G[0])) > 0)
    shifted = np.vstack([G, -(G.sum(axis=0) / 3)])
    assert_array_equal(open_gates(GRID + 1 / 3, shifted), open_gates(GRID, G))


def test_a_row_beside_the_gate_is_on_its_side():
    X = np.array([[1.0, 1.0 + 1e-12], [1.0, 1.0 - 1e-12], [1.0, 1.0], [0.0, 0.0]])
    assert open_gates(X, np.array([[-1.0], [1.0]])).ravel().tolist() == [True, False, False, False]


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_rows_on_a_gate_are_predicted_alone_as_in_their_batch_and_as_in_training(fit_intercept, standardize):
    options = {"alpha": 1e-3, "fit_intercept": fit_intercept, "standardize": standardize}
    for seed in range(4):
        gates = gates_through_the_grid(seed)
        model = ConvexReLURegressor("gated_relu", gates=gates, **options).fit(GRID, STEPS)
        found = model.predict(GRID)
        assert_array_equal(np.concatenate([model.predict(row[np.newaxis]) for row in GRID]), found)
        for size in (2, 3, 7, 50):
            parts = [model.predict(GRID[i : i + size]) for i in range(0, len(GRID), size)]
            assert_array_equal(np.concatenate(parts), found)
        # the objective of training is that of predictions: no row has changed sides
        weights = np.vstack([model.coef_, model.coef_intercept_])
        scale = GRID.std(axis=0) if standardize else np.ones(2)
        weights[:2] *= scale[:, np.newaxis]
        norms = np.linalg.norm(weights, axis=0) * np.abs(model.out_coef_[:, 0]) / model.target_scale_
        loss = 0.5 * np.mean((STEPS - found) ** 2) / model.target_scale_**2
        assert loss + 1e-3 * norms.sum() == pytest.approx(model.objective_, rel=1e-9)
        with torch.no_grad():
            np.testing.assert_allclose(model.to_torch()(torch.from_numpy(GRID)).numpy()[:, 0], found, atol=1e-10)
        np.testing.assert_allclose(model.to_relu().predict(GRID), found, atol=1e-6)


def test_gates_far_from_zero_are_those_of_training():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)) * [1.0, 1e-3, 1e5] + [1e9, -1e9, 1e12]
    y = (X[:, 0] > 1e9).astype(int)
    model = ConvexReLUClassifier("gated_relu", alpha=0.05, n_gates=30, random_state=0).fit(X, y)
    plain = ConvexReLUClassifier("gated_relu", alpha=0.05, n_gates=30, random_state=0)
    plain.fit(X - [1e9, -1e9, 1e12], y)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X - [1e9, -1e9, 1e12]), atol=0.01)
    gates = centred(model.gates_, X.mean(axis=0))
    assert_array_equal(patterns(X - X.mean(axis=0), gates)[1], np.arange(gates.shape[1]))
