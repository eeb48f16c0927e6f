"""The equations of distribution calibration against loops, limits and scikit-learn."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.covariance import ledoit_wolf

from skpapers.few_shot._distribution_calibration import (
    Calibration,
    calibrate,
    calibrate_without_base,
    class_covariances,
    covariance,
    draw,
    group,
    nearest_classes,
    pooled_covariance,
    root,
    share_out,
    spread,
    tukey_transform,
)

RNG = np.random.default_rng(0)
LETTERS = np.array(list("abcdef"))


def some_base(n_classes=6, n=30, d=4, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat(np.arange(n_classes), n))
    X = rng.normal(scale=2, size=(n_classes, d))[codes] + rng.normal(size=(len(codes), d)) @ rng.normal(size=(d, d))
    return X, codes


def papers_loop(X, codes, support, k, alpha):
    """Algorithm 1, lines 1 to 5, and Equations 1, 2, 4, 5 and 6, written out."""
    means = []
    covariances = []
    for c in range(codes.max() + 1):
        rows = [X[i] for i in range(len(X)) if codes[i] == c]
        mean = sum(rows) / len(rows)
        means.append(mean)
        covariances.append(sum(np.outer(x - mean, x - mean) for x in rows) / (len(rows) - 1))
    calibrated = []
    for x in support:
        distances = [-np.sum((mean - x) ** 2) for mean in means]
        nearest = sorted(range(len(means)), key=lambda i: -distances[i])[:k]
        mean = (sum(means[i] for i in nearest) + x) / (k + 1)
        calibrated.append((mean, sum(covariances[i] for i in nearest) / k + alpha, nearest))
    return calibrated


class TestTheEquations:
    @pytest.mark.parametrize("k", [1, 2, 4])
    def test_the_papers_recipe_is_the_papers_loop(self, k):
        X, codes = some_base()
        support = RNG.normal(scale=2, size=(7, 4))
        found = calibrate(group(X, codes, np.ones(len(X))), support, np.full(7, 3.0), k, None, 0.21, "full")
        for i, (mean, cov, nearest) in enumerate(papers_loop(X, codes, support, k, 0.21)):
            assert_allclose(found.mean[i], mean, rtol=1e-12)
            assert_allclose(found.covariance[found.shares[i]], cov, rtol=1e-12)
            assert_array_equal(found.nearest[i], nearest)

    def test_the_prior_counts_as_so_many_rows(self):
        X, codes = some_base()
        base = group(X, codes, np.ones(len(X)))
        support = RNG.normal(scale=2, size=(5, 4))
        shots = np.array([1.0, 2.0, 2.0, 4.0, 1e9])
        found = calibrate(base, support, shots, 2, 1.5, 0.0, "diag")
        prior = base.mean[found.nearest].mean(axis=1)
        for i, n in enumerate(shots):
            assert_allclose(found.mean[i], (n * support[i] + 1.5 * prior[i]) / (n + 1.5))
        assert_allclose(found.mean[4], support[4], rtol=1e-8)  # many rows: its own place
        assert_array_equal(calibrate(base, support, shots, 2, 0.0, 0.0, "diag").mean, support)
        # the paper's weight is a strength of k for one row
        paper = calibrate(base, support, shots, 3, None, 0.0, "diag").mean
        assert_allclose(calibrate(base, support, np.ones(5), 3, 3.0, 0.0, "diag").mean, paper, rtol=1e-14)

    def test_rows_with_the_same_neighbours_share_a_covariance(self):
        X, codes = some_base()
        base = group(X, codes, np.ones(len(X)))
        support = np.repeat(base.mean[:2], 10, axis=0) + 1e-6 * RNG.normal(size=(20, 4))
        found = calibrate(base, support, np.ones(20), 2, 1.0, 0.1, "diag")
        assert len(found.covariance) <= 2
        assert_array_equal(found.nearest[:, 0], np.repeat([0, 1], 10))

    def test_alpha_widens_the_diagonal_by_the_mean_variance_or_every_entry(self):
        S = np.array([[[4.0, 1.0], [1.0, 2.0]]])
        assert_allclose(spread(S, 0.5, "diag"), [[[5.5, 1.0], [1.0, 3.5]]])
        assert_allclose(spread(S, 0.5, "full"), [[[4.5, 1.5], [1.5, 2.5]]])
        assert_allclose(spread(100 * S, 0.5, "diag"), 100 * spread(S, 0.5, "diag"))  # a scale of its own

    def test_ties_of_distance_go_by_the_order_of_the_classes(self):
        means = np.array([[1.0], [-1.0], [1.0], [-1.0], [5.0]])
        assert_array_equal(nearest_classes(np.zeros((1, 1)), means, 3), [[0, 1, 2]])
        assert nearest_classes(np.zeros((1, 1)), means, 9).shape == (1, 5)

    def test_without_base_classes_rows_keep_their_place(self):
        X, codes = some_base(3, 5)
        classes = group(X, codes, np.ones(15))
        found = calibrate_without_base(classes, 0.0, "diag")
        assert_array_equal(found.mean, X[np.argsort(codes, kind="stable")])
        within = sum(4 * np.cov(X[codes == c].T) for c in range(3)) / 12
        assert_allclose(found.covariance, within[None], rtol=1e-12)
        assert found.nearest.shape == (15, 0)


class TestStatistics:
    def test_means_and_sizes_of_classes(self):
        X, codes = some_base(4, 9)
        weight = RNG.uniform(0.5, 2, size=36)
        classes = group(X, codes, weight)
        for c in range(4):
            of = codes == c
            assert_allclose(classes.mean[c], np.average(X[of], axis=0, weights=weight[of]))
            assert_allclose(classes.total[c], weight[of].sum())
            assert_array_equal(classes.of(c)[0], X[of])
        assert_array_equal(classes.codes, np.sort(codes))
        assert_array_equal(group(X, LETTERS[codes], weight).labels, LETTERS[:4])
        none = group(X[:0], codes[:0], weight[:0])
        assert none.mean.shape == (0, 4)
        assert none.total.shape == none.labels.shape == (0,)

    def test_covariance_is_numpys(self):
        X = RNG.normal(size=(20, 3))
        assert_allclose(covariance(X - X.mean(axis=0), np.ones(20)), np.cov(X.T), rtol=1e-12)

    @pytest.mark.parametrize(("n", "d"), [(30, 4), (5, 9)])
    def test_weights_are_repeated_rows(self, n, d):
        X = RNG.normal(size=(n, d))
        times = RNG.integers(1, 4, size=n)
        repeated = np.repeat(X, times, axis=0)
        mean = repeated.mean(axis=0)
        weighted = covariance(X - mean, times.astype(float))
        assert_allclose(weighted, covariance(repeated - mean, np.ones(len(repeated))), rtol=1e-10, atol=1e-14)

    @pytest.mark.parametrize(("n", "d"), [(3, 5), (6, 6), (10, 30)])
    def test_too_few_rows_are_shrunk_as_ledoit_and_wolf_say(self, n, d):
        X = RNG.normal(size=(n, d)) * RNG.uniform(0.1, 3, size=d)
        found = covariance(X - X.mean(axis=0), np.ones(n))
        assert_allclose(found, ledoit_wolf(X)[0] * n / (n - 1), rtol=1e-10)
        assert np.linalg.eigvalsh(found)[0] > 0

    def test_a_class_of_a_single_row_has_the_covariance_within_classes(self):
        X, codes = some_base(3, 12)
        X = np.vstack([X, [[9.0, 9, 9, 9]]])
        codes = np.append(codes, 3)
        classes = group(X, codes, np.ones(len(X)))
        alone, own = class_covariances(classes, np.array([3, 1]))
        within = sum(11 * np.cov(X[codes == c].T) for c in range(3)) / 33
        assert_allclose(alone, within, rtol=1e-12)
        assert_allclose(own, np.cov(X[codes == 1].T), rtol=1e-12)
        single = group(X[:1], np.zeros(1, dtype=int), np.ones(1))
        assert_array_equal(pooled_covariance(single), np.zeros((4, 4)))
        assert_array_equal(class_covariances(single, np.array([0]))[0], np.zeros((4, 4)))


class TestTukey:
    def test_the_ladder_and_its_inverse(self):
        X = RNG.uniform(0.1, 9, size=(10, 3))
        assert tukey_transform(X, None) is X
        for power in (0.5, 1, 2, 0.3):
            assert_allclose(tukey_transform(X, power) ** (1 / power), X)
        assert_allclose(np.exp(tukey_transform(X, 0)), X)
        assert_array_equal(tukey_transform(np.zeros((1, 2)), 0.5), [[0, 0]])

    def test_what_has_no_power_is_refused(self):
        with pytest.raises(ValueError, match=r"tukey=0\.5 needs non-negative features and got -2"):
            tukey_transform(np.array([[1.0, -2.0]]), 0.5)
        with pytest.raises(ValueError, match="tukey=0 needs positive features and got 0"):
            tukey_transform(np.array([[1.0, 0.0]]), 0)


class TestDraws:
    def calibration(self):
        A = RNG.normal(size=(2, 3, 3))
        return Calibration(RNG.normal(size=(4, 3)), A @ A.transpose(0, 2, 1), np.array([1, 0, 1, 1]), np.empty((4, 0)))

    def test_moments_are_the_distributions(self):
        found = self.calibration()
        counts = np.array([40_000, 0, 1, 60_000])
        drawn = draw(np.random.RandomState(0), found, counts)
        assert drawn.shape == (100_001, 3)
        for part, i in ((drawn[:40_000], 0), (drawn[40_001:], 3)):
            S = found.covariance[found.shares[i]]
            scale = np.sqrt(np.diag(S).max())
            assert_allclose(part.mean(axis=0), found.mean[i], atol=0.03 * scale)
            assert_allclose(np.cov(part.T), S, atol=0.05 * scale**2)

    def test_a_share_of_draws_does_not_depend_on_how_rows_repeat(self):
        found = self.calibration()
        twice = Calibration(found.mean[[0, 0, 1]], found.covariance, found.shares[[0, 0, 1]], np.empty((3, 0)))
        once = Calibration(found.mean[:2], found.covariance, found.shares[:2], np.empty((2, 0)))
        a = draw(np.random.RandomState(3), twice, np.array([3, 4, 5]))
        assert_array_equal(a, draw(np.random.RandomState(3), once, np.array([7, 5])))

    def test_covariances_without_full_rank(self):
        S = np.outer([1.0, 2, 3], [1.0, 2, 3])
        A = root(S)
        assert_allclose(A @ A.T, S, atol=1e-12)
        assert_array_equal(root(np.zeros((2, 2))), np.zeros((2, 2)))
        full = S + np.eye(3)
        assert_allclose(root(full) @ root(full).T, full)

    def test_parts_of_a_number(self):
        def of_one_class(total, weight):
            return share_out(np.array([total]), np.asarray(weight, dtype=float), np.zeros(len(weight), dtype=int))

        assert_array_equal(of_one_class(750, [1] * 5), [150] * 5)
        assert of_one_class(7, [1] * 5).sum() == 7
        assert_array_equal(of_one_class(10, [1, 3, 1]), [2, 6, 2])
        assert_array_equal(of_one_class(0, [1] * 3), [0, 0, 0])
        weight = np.array([1.0, 1.0, 3.0, 1.0])
        codes = np.array([0, 1, 1, 2])
        assert_array_equal(share_out(np.array([5, 8, 0]), weight, codes), [5, 2, 6, 0])
