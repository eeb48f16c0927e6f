"""Pairs, shares and rows of mixup, against laws that can be written down."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import roots_jacobi

from skpapers.augmentation._mixup import (
    MODES,
    Plan,
    draw_in_proportion,
    draw_near_partners,
    draw_partners,
    draw_shares,
    law_of_shares,
    lost_labels,
    mix,
    plan_rows,
)


def beta_nodes(a, b, n_nodes=40):
    """Return nodes and probabilities of Gauss's quadrature under Beta(a, b)."""
    nodes, weights = roots_jacobi(n_nodes, b - 1, a - 1)
    return (1 + nodes) / 2, weights / weights.sum()


def plan_of_all_pairs(n, share, mode, codes):
    """Return the rows that every ordered pair of n rows gives at one share."""
    anchors, partners = (index.ravel() for index in np.indices((n, n)))
    return plan_rows(anchors, partners, np.full(n * n, share), mode, codes)


class TestTheRewritingOfTheLoss:
    """Lemma 3.1: labels mixed under D, or kept under D~, have the same expected loss."""

    @pytest.fixture
    def problem(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(12, 3))
        y = np.arange(12) % 3
        theta = rng.normal(size=(3, 3))
        return X, y, lambda rows: np.tanh(rows @ theta) @ theta  # a smooth model that is not linear

    @pytest.mark.parametrize("alpha", [1, 2, 5])
    def test_of_classes(self, problem, alpha):
        X, y, model = problem

        def expected(mode, law):
            total = 0.0
            for share, probability in zip(*beta_nodes(*law), strict=True):
                plan = plan_of_all_pairs(len(X), share, mode, y)
                logits = model(mix(X, plan))
                losses = np.logaddexp.reduce(logits, axis=1) - np.take_along_axis(logits, y[plan.label, None], 1)[:, 0]
                total += probability * np.sum(plan.factor * losses) / len(X) ** 2
            return total

        soft, hard = (expected(mode, law_of_shares(alpha, mode)) for mode in ("soft", "hard"))
        assert_allclose(soft, hard, rtol=0, atol=1e-12)
        # and by a form that uses no plan: the labels' own mixture
        literal = 0.0
        for share, probability in zip(*beta_nodes(alpha, alpha), strict=True):
            logits = model(share * X[:, None] + (1 - share) * X[None])
            target = share * np.eye(3)[y][:, None] + (1 - share) * np.eye(3)[y][None]
            losses = np.logaddexp.reduce(logits, axis=2) - np.sum(target * logits, axis=2)
            literal += probability * losses.mean()
        assert_allclose(soft, literal, rtol=0, atol=1e-12)
        assert abs(expected("dominant", law_of_shares(alpha, "dominant")) - soft) > 1e-3  # the biased one

    @pytest.mark.parametrize("alpha", [1, 2, 5])
    def test_of_numbers_up_to_what_no_model_changes(self, problem, alpha):
        X, _, model = problem
        y = np.random.default_rng(1).normal(size=len(X))

        def expected(mode, scale):
            total = 0.0
            for share, probability in zip(*beta_nodes(*law_of_shares(alpha, mode)), strict=True):
                plan = plan_of_all_pairs(len(X), share, mode, None)
                target = mix(y, plan) if mode == "soft" else y[plan.label]
                total += probability * np.mean((scale * model(mix(X, plan))[:, 0] - target) ** 2)
            return total

        gaps = [expected("hard", scale) - expected("soft", scale) for scale in (0.0, 1.0, -3.0)]
        assert_allclose(gaps[1:], gaps[0], rtol=0, atol=1e-11)
        assert gaps[0] > 0


class TestShares:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
    def test_follow_their_law(self, mode, alpha):
        shares = draw_shares(np.random.RandomState(0), alpha, mode, 20_000)
        assert stats.kstest(shares, stats.beta(*law_of_shares(alpha, mode)).cdf).pvalue > 1e-3

    def test_of_the_theory_have_the_mean_of_lemma_3_1(self):
        a, b = law_of_shares(0.7, "hard")
        assert_allclose(b / (a + b), 0.7 / (2 * 0.7 + 1))

    @pytest.mark.parametrize("alpha", [5e-324, 1e-300, 1e-9])
    def test_of_a_tiny_alpha_do_not_mix(self, alpha):
        assert set(draw_shares(np.random.RandomState(0), alpha, "soft", 1000)) <= {0.0, 1.0}


class TestProportions:
    def test_equal_weights_give_every_row_once(self):
        for seed in range(20):
            assert_array_equal(draw_in_proportion(np.random.RandomState(seed), np.full(50, 0.1), 50), np.arange(50))

    @pytest.mark.parametrize("size", [1, 7, 100])
    def test_counts_are_the_expected_ones_rounded(self, size):
        weight = np.array([0.0, 1.0, 2.5, 0.0, 0.3, 0.0])
        expected = size * weight / weight.sum()
        counts = np.array(
            [
                np.bincount(draw_in_proportion(np.random.RandomState(seed), weight, size), minlength=6)
                for seed in range(2000)
            ]
        )
        assert np.all((counts >= np.floor(expected)) & (counts <= np.ceil(expected)))
        assert_allclose(counts.mean(axis=0), expected, atol=0.06)

    def test_weights_of_nothing_but_zero_count_alike(self):
        assert_array_equal(draw_in_proportion(np.random.RandomState(0), np.zeros(4), 8), np.repeat(np.arange(4), 2))


class TestPartners:
    def test_every_row_is_as_often_a_partner_and_pairs_are_uniform(self):
        anchors = np.tile(np.arange(4), 3)
        counts = np.zeros((4, 4))
        for seed in range(2000):
            partners = draw_partners(np.random.RandomState(seed), np.ones(4), anchors)
            assert_array_equal(np.bincount(partners), 3)
            np.add.at(counts, (anchors, partners), 1)
        assert_allclose(counts / 6000, 0.25, atol=0.02)

    def test_partners_come_from_the_own_group(self):
        rng = np.random.RandomState(0)
        groups = np.array([1, 0, 1, 2, 0, 1])
        anchors = np.tile(np.arange(6), 5)
        partners = draw_partners(rng, np.array([1.0, 1, 1, 1, 0, 1]), anchors, groups)
        assert_array_equal(groups[partners], groups[anchors])
        assert 4 not in partners
        assert np.all(partners[anchors == 3] == 3)

    @pytest.mark.parametrize("n_outputs", [1, 2])
    def test_near_partners_follow_the_kernel(self, n_outputs):
        rng = np.random.default_rng(0)
        n, bandwidth = 90, 0.4  # more rows than a block, so that windows matter
        y = rng.normal(size=(n, n_outputs)) * 7 + 3
        weight = rng.uniform(0.0, 2.0, size=n)
        weight[5] = 0.0
        mean = np.average(y, axis=0, weights=weight)
        z = (y - mean) / np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weight)) / bandwidth
        kernel = weight * np.exp(-((z[:, None] - z[None]) ** 2).sum(axis=2) / 2)
        anchors = np.repeat([0, 5, 40], 20_000)
        partners = draw_near_partners(np.random.RandomState(0), weight, anchors, y, bandwidth)
        for row in (0, 5, 40):
            found = np.bincount(partners[anchors == row], minlength=n) / 20_000
            assert_allclose(found, kernel[row] / kernel[row].sum(), atol=0.012)
            assert found[5] == 0

    def test_a_narrow_kernel_leaves_a_row_with_those_of_its_target(self):
        y = np.repeat(np.arange(50.0), 4)[:, None]
        anchors = np.arange(200)
        partners = draw_near_partners(np.random.RandomState(0), np.ones(200), anchors, y, 1e-3)
        assert_array_equal(y[partners], y)
        assert len(set(partners)) > 100

    def test_a_wide_kernel_is_uniform(self):
        anchors = np.repeat(2, 30_000)
        y = np.array([[0.0], [1.0], [5.0], [9.0]])
        partners = draw_near_partners(np.random.RandomState(0), np.ones(4), anchors, y, 1e4)
        assert_allclose(np.bincount(partners) / 30_000, 0.25, atol=0.01)

    def test_targets_that_are_all_alike_and_a_row_out_of_reach(self):
        rng = np.random.RandomState(0)
        anchors = np.arange(3)
        for weight in (np.ones(3), np.zeros(3)):  # weights that are all 0 say nothing
            assert set(draw_near_partners(rng, weight, np.repeat(anchors, 50), np.ones((3, 1)), 0.1)) == {0, 1, 2}
        partners = draw_near_partners(rng, np.array([1.0, 1.0, 0.0]), anchors, np.array([[0.0], [1.0], [99.0]]), 0.01)
        assert_array_equal(partners, anchors)


class TestRows:
    def test_soft_labels_become_two_rows_where_they_differ(self):
        plan = plan_rows(np.array([0, 1]), np.array([1, 2]), np.array([0.3, 0.2]), "soft", np.array([0, 1, 1]))
        assert_allclose(plan.share, [0.7, 0.8, 0.7])
        assert_array_equal(plan.label, [0, 1, 1])
        assert_allclose(plan.factor, [0.7, 1.0, 0.3])

    def test_the_hard_label_stays_with_its_row_whatever_the_share(self):
        plan = plan_rows(np.array([0, 1]), np.array([1, 0]), np.array([0.3, 0.9]), "hard", np.array([0, 1]))
        assert_array_equal(plan.label, [0, 1])
        assert_array_equal(plan.dominant, [1, 1])
        assert_allclose(mix(np.array([0.0, 10.0]), plan), [7.0, 9.0])

    def test_mixtures_are_exact_where_partners_agree(self):
        rng = np.random.default_rng(0)
        values = np.column_stack([np.full(50, 0.1), rng.normal(size=50)])
        first, second = rng.integers(50, size=(2, 1000))
        plan = plan_rows(first, second, rng.uniform(size=1000), "hard", None)
        mixed = mix(values, plan)
        assert np.all(mixed[:, 0] == 0.1)
        literal = plan.share[:, None] * values[first] + (1 - plan.share)[:, None] * values[second]
        assert_allclose(mixed, literal, rtol=0, atol=1e-15)
        assert mix(values.astype(np.float32), plan).dtype == np.float32

    def test_a_missing_value_is_the_dominant_partner_s(self):
        values = np.array([np.nan, 4.0])
        plan = Plan(np.array([0, 0, 1]), np.array([1, 1, 1]), np.array([0.9, 0.2, 1.0]), np.arange(3), np.ones(3))
        assert_array_equal(mix(values, plan), [np.nan, 4.0, 4.0])

    def test_originals_come_first_and_unchanged(self):
        plan = (
            plan_rows(np.array([0]), np.array([1]), np.array([0.5]), "hard", None)
            .with_originals(np.arange(2))
            .scaled(0.5)
        )
        assert_array_equal(mix(np.array([0.1, 0.7]), plan)[:2], [0.1, 0.7])
        assert_array_equal(plan.factor, [0.5, 0.5, 0.5])

    def test_labels_that_are_lost_are_named(self):
        codes = np.array([2, 0, 1, 1])
        plan = plan_rows(np.array([1, 1]), np.array([0, 1]), np.array([0.9, 0.9]), "dominant", codes)
        assert_array_equal(codes[lost_labels(plan, codes)], [1, 2])
