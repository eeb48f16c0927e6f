"""Moments and axes of the calibrated discriminant."""

import numpy as np
from numpy.testing import assert_allclose

from skpapers.few_shot._calibrated_discriminant import FLOOR, class_moments, discriminant_axes
from skpapers.few_shot._distribution_calibration import Calibration, draw


class TestMoments:
    def test_the_mixture_of_the_rows(self):
        rng = np.random.default_rng(0)
        A = rng.normal(size=(2, 3, 3))
        no_neighbours = np.empty((4, 0))
        found = Calibration(rng.normal(size=(4, 3)), A @ A.transpose(0, 2, 1), np.array([1, 0, 1, 1]), no_neighbours)
        codes = np.array([0, 0, 0, 1])
        weight = np.array([1.0, 2.0, 1.0, 5.0])
        mean, cov = class_moments(found, weight, codes)
        counts = np.array([100_000, 200_000, 100_000, 0])
        drawn = draw(np.random.RandomState(0), found, counts)
        scale = np.sqrt(np.diag(cov[0]).max())
        assert_allclose(mean[0], drawn.mean(axis=0), atol=0.02 * scale)
        assert_allclose(cov[0], np.cov(drawn.T), atol=0.03 * scale**2)
        assert_allclose(mean[1], found.mean[3])
        assert_allclose(cov[1], found.covariance[1], atol=1e-14)

    def test_axes_have_a_floor(self):
        S = np.stack([np.diag([4.0, 1.0]), np.diag([1.0, 0.0])])
        axes, variances = discriminant_axes(S, 2.0)
        assert_allclose((axes * variances[:, None]) @ axes.transpose(0, 2, 1), S, atol=1e-8)
        assert variances.min() == 2.0 * FLOOR
        assert discriminant_axes(0 * S, 0.0)[1].min() == FLOOR
