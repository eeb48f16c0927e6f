"""Gradient Vaccine: its equations by a loop over vectors, its identities, and gradients without a direction."""

import numpy as np
import pytest

from skpapers.multitask import combine_gradients
from skpapers.multitask._gradient_vaccine import combine, cosines, vaccinate, weights_of_gradients


def orders(m, seed=0):
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(m) for _ in range(m)])


def by_vectors(J, target, order, beta):
    """Return the corrected gradients and the targets: (1) to (3) on vectors."""
    target = target.copy()
    corrected = J.copy()
    for i, g in enumerate(corrected):
        for j in order[i]:
            if j == i:
                continue
            phi = g @ J[j] / np.linalg.norm(g) / np.linalg.norm(J[j])
            t = target[i, j]
            if phi < t:
                above = np.linalg.norm(g) * (t * np.sqrt(1 - phi**2) - phi * np.sqrt(1 - t**2))
                g += above / (np.linalg.norm(J[j]) * np.sqrt(1 - t**2)) * J[j]
            target[i, j] = (1 - beta) * t + beta * phi
    return corrected, target


@pytest.mark.parametrize("m", [1, 2, 3, 6])
@pytest.mark.parametrize("beta", [0.0, 0.01, 0.5, 1.0])
def test_it_follows_the_equations_over_many_steps(m, beta):
    rng = np.random.default_rng(m)
    target = np.zeros((m, m))
    expected_target = np.zeros((m, m))
    for step in range(30):
        J = rng.normal(size=(m, 9)) * rng.lognormal(size=(m, 1)) + 0.3 * rng.normal(size=9)
        order = orders(m, step)
        corrected, expected_target = by_vectors(J, expected_target, order, beta)
        combined, target = combine(J, target, order, beta)
        np.testing.assert_allclose(combined, corrected.sum(axis=0), rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(target, expected_target, atol=1e-10)


@pytest.mark.parametrize("wanted", [-0.5, 0.0, 0.3, 0.9])
def test_a_corrected_gradient_has_the_target_similarity(wanted):
    rng = np.random.default_rng(0)
    for _ in range(50):
        J = rng.normal(size=(2, 5)) - 0.8 * np.array([[1.0], [-1.0]])
        S, lengths = cosines((J @ J.T)[np.newaxis])
        C = vaccinate(S, np.full((1, 2, 2), wanted), orders(2), 0.0)[0]
        for i, j in ((0, 1), (1, 0)):
            corrected = lengths[0, i] * C[i] @ (J / lengths[0][:, np.newaxis])
            cosine = corrected @ J[j] / np.linalg.norm(corrected) / lengths[0, j]
            assert cosine == pytest.approx(max(wanted, S[0, 0, 1]), abs=1e-6)


def test_beta_0_is_pcgrad():
    rng = np.random.default_rng(0)
    for step in range(30):
        J = rng.normal(size=(4, 7))
        order = orders(4, step)
        expected = np.zeros(7)
        for i in range(4):
            g = J[i].copy()
            for j in order[i]:
                if j != i and g @ J[j] < 0:
                    g -= (g @ J[j]) / (J[j] @ J[j]) * J[j]
            expected += g
        combined, target = combine(J, np.zeros((4, 4)), order, 0.0)
        np.testing.assert_allclose(combined, expected, rtol=1e-9, atol=1e-9)
        assert not target.any()


def test_gradients_that_agree_are_summed():
    J = np.abs(np.random.default_rng(0).normal(size=(3, 5)))
    combined, target = combine(J, np.zeros((3, 3)), orders(3), 0.1)
    np.testing.assert_allclose(combined, J.sum(axis=0), rtol=1e-12)
    S, _ = cosines((J @ J.T)[np.newaxis])
    np.testing.assert_allclose(target, 0.1 * np.where(np.eye(3) > 0, 0.0, S[0]), rtol=1e-9)


def test_groups_are_corrected_each_alone():
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(3, p)) for p in (4, 1, 6)]
    S, lengths = cosines(np.array([J @ J.T for J in parts]))
    targets = np.full((3, 3, 3), 0.2)
    w = weights_of_gradients(vaccinate(S, targets, orders(3), 0.3), lengths)
    for J, of_group, target in zip(parts, w, targets, strict=True):
        expected, expected_target = combine(J, np.full((3, 3), 0.2), orders(3), 0.3)
        np.testing.assert_allclose(of_group @ J, expected, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(target, expected_target, atol=1e-12)


def test_a_task_without_a_gradient_changes_nothing_and_learns_nothing():
    J = np.random.default_rng(0).normal(size=(3, 5))
    J[1] = 0.0
    start = np.full((3, 3), 0.4)
    combined, target = combine(J, start, orders(3), 0.5)
    pair, target_of_pair = combine(J[[0, 2]], np.full((2, 2), 0.4), np.array([[0, 1], [1, 0]]), 0.5)
    np.testing.assert_allclose(combined, pair, rtol=1e-12)
    assert (target[1] == 0.4).all()
    assert (target[:, 1] == 0.4).all()
    np.testing.assert_allclose(target[np.ix_([0, 2], [0, 2])], target_of_pair)
    nothing, _ = combine(np.zeros((2, 3)), np.zeros((2, 2)), orders(2), 0.5)
    assert not nothing.any()


def test_parallel_and_opposite_gradients_leave_finite_numbers():
    g = np.array([3.0, -4.0])
    target = np.zeros((2, 2))
    for _ in range(3000):
        combined, target = combine(np.array([g, 2.0 * g]), target, orders(2), 0.5)
    np.testing.assert_allclose(combined, 3.0 * g, rtol=1e-5)
    assert target[0, 1] == pytest.approx(1.0, abs=2e-6)
    combined, _ = combine(np.array([g, -g]), np.zeros((2, 2)), orders(2), 0.0)
    np.testing.assert_allclose(combined, 0.0, atol=1e-5)
    combined, _ = combine(np.array([g, -g]), np.full((2, 2), 1.0), orders(2), 0.0)
    assert np.isfinite(combined).all()


@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_a_common_factor_of_any_size_is_kept(factor):
    J = np.random.default_rng(0).normal(size=(3, 5))
    combined, target = combine(J, np.full((3, 3), 0.5), orders(3), 0.1)
    scaled, scaled_target = combine(factor * J, np.full((3, 3), 0.5), orders(3), 0.1)
    np.testing.assert_allclose(scaled, factor * combined, rtol=1e-10)
    np.testing.assert_allclose(scaled_target, target, rtol=1e-10)
    J[0] *= factor
    assert np.isfinite(combine(J, np.full((3, 3), 0.5), orders(3), 0.1)[0]).all()


class TestCombineGradients:
    def test_it_is_the_algorithm_and_leaves_its_arguments(self):
        J = np.random.default_rng(0).normal(size=(2, 5)) - 0.5 * np.array([[1.0], [-1.0]])
        start = np.full((2, 2), 0.3)
        before = J.copy()
        combined, target = combine_gradients(J, start, beta=0.1)
        expected, expected_target = combine(J, start, np.array([[1, 0], [0, 1]]), 0.1)
        np.testing.assert_allclose(combined, expected, rtol=1e-12)
        np.testing.assert_allclose(target, expected_target, rtol=1e-12)
        assert (start == 0.3).all()
        np.testing.assert_array_equal(J, before)

    def test_methods(self):
        J = np.random.default_rng(0).normal(size=(4, 5))
        np.testing.assert_allclose(combine_gradients(J, method="sum")[0], J.sum(axis=0), rtol=1e-12)
        by_pcgrad, target = combine_gradients(J, method="pcgrad", random_state=3)
        by_vaccine, _ = combine_gradients(J, beta=0.0, random_state=3)
        np.testing.assert_array_equal(by_pcgrad, by_vaccine)
        assert not target.any()

    def test_tensors_come_back_as_tensors(self):
        import torch

        J = torch.randn(3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
        combined, target = combine_gradients(J, random_state=0)
        assert combined.dtype == torch.float32
        assert isinstance(target, np.ndarray)
        expected, _ = combine_gradients(J.double().numpy(), random_state=0)
        np.testing.assert_allclose(combined.numpy(), expected, rtol=1e-5, atol=1e-6)

    def test_integers_are_combined_as_numbers(self):
        import torch

        combined, _ = combine_gradients(torch.tensor([[1, 0], [-1, 1]]), method="pcgrad")
        np.testing.assert_allclose(combined.numpy(), [0.5, 1.5], rtol=1e-15)
        np.testing.assert_allclose(combine_gradients([[1, 0], [-1, 1]], method="pcgrad")[0], [0.5, 1.5], rtol=1e-15)

    def test_equal_random_states_draw_equal_orders(self):
        J = np.random.default_rng(0).normal(size=(5, 6))
        results = [combine_gradients(J, random_state=seed)[0] for seed in (1, np.random.RandomState(1), 2)]
        np.testing.assert_array_equal(results[0], results[1])
        assert not np.array_equal(results[0], results[2])

    @pytest.mark.parametrize(
        ("kwargs", "message"),
        [
            ({"gradients": np.zeros(3)}, "gradients must be a matrix"),
            ({"gradients": np.zeros((0, 3))}, "gradients must be a matrix"),
            ({"gradients": np.array([[np.nan, 1.0]])}, "NaN or infinity"),
            ({"target_similarity": np.zeros((3, 3))}, r"target_similarity must have shape \(2, 2\)"),
            ({"target_similarity": np.full((2, 2), 1.5)}, "between -1 and 1"),
            ({"beta": -0.1}, "beta must be between 0 and 1"),
            ({"beta": np.nan}, "beta must be between 0 and 1"),
            ({"beta": None}, "beta must be between 0 and 1"),
            ({"method": "mgda"}, "method must be"),
        ],
    )
    def test_bad_input_is_named(self, kwargs, message):
        with pytest.raises(ValueError, match=message):
            combine_gradients(**{"gradients": np.ones((2, 3)), **kwargs})
