"""The steps of Tent against closed forms."""

import numpy as np
import torch
from numpy.testing import assert_allclose
from scipy.stats import entropy

from skpapers.adaptation._tent import row_entropy


def test_entropy_is_that_of_the_predictions():
    logits = np.random.default_rng(0).normal(size=(5, 3)) * 4.0
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert_allclose(row_entropy(torch.from_numpy(logits)), entropy(p, axis=1), rtol=1e-12)


def test_entropy_of_log_odds_is_that_of_two_classes():
    odds = torch.tensor([0.0, 2.0, -2.0, 800.0], dtype=torch.float64)
    p = torch.sigmoid(odds[1]).item()
    expected = [np.log(2.0), entropy([p, 1.0 - p]), entropy([p, 1.0 - p]), 0.0]
    assert_allclose(row_entropy(odds), expected, rtol=1e-12, atol=1e-300)
