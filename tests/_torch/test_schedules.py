"""Schedules against their formulas."""

import numpy as np
from numpy.testing import assert_allclose

from skpapers._torch.schedules import constant, cosine, warm_up


def test_constant_and_cosine():
    assert [constant(step) for step in (0, 7)] == [1.0, 1.0]
    assert_allclose([cosine(4)(step) for step in range(6)], [*(0.5 + 0.5 * np.cos(np.pi * np.arange(5) / 4)), 0.0])


def test_warm_up_is_linear_and_then_the_other_starts():
    rates = [warm_up(4, cosine(6))(step) for step in range(10)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4:] == [cosine(6)(step) for step in range(6)]
    assert warm_up(0)(0) == 1.0
