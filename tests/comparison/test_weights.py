"""Average uniqueness against its definition and closed forms."""

from fractions import Fraction

import numpy as np
import pytest

from skpapers.comparison._weights import average_uniqueness, uniqueness_weights
from tests.comparison._panels import panel


def by_definition(ranks, ends, assets):
    """Average one over the number of concurrent labels, timestamp by timestamp."""
    spans = [set(range(start + 1, end + 1)) for start, end in zip(ranks, ends, strict=True)]
    result = []
    for i, span in enumerate(spans):
        counts = [sum(t in spans[j] for j in range(len(ranks)) if assets[j] == assets[i]) for t in span]
        result.append(float(sum(Fraction(1, count) for count in counts) / len(span)) if span else 1.0)
    return result


@pytest.mark.parametrize("n_assets", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_equals_its_definition(seed, n_assets):
    rng = np.random.default_rng(seed)
    ranks = panel(rng, 20, 4)
    assets = rng.integers(0, n_assets, len(ranks))
    ends = ranks + rng.integers(0, 7, len(ranks))
    given = None if n_assets == 1 else np.array(["b", "a", "c"])[assets]
    np.testing.assert_allclose(average_uniqueness(ranks, ends, given), by_definition(ranks, ends, assets), rtol=1e-12)


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_a_constant_horizon_has_a_closed_form(horizon):
    ranks = np.arange(40)
    found = average_uniqueness(ranks, ranks + horizon)
    np.testing.assert_allclose(found[horizon - 1 : 40 - horizon + 1], 1 / horizon)
    edge = np.mean([1 / min(k, horizon) for k in range(1, horizon + 1)])
    np.testing.assert_allclose(found[[0, -1]], edge)


def test_three_labels():
    # timestamps 1 to 4 are those of labels {1, 2}, {2, 3}, {2}: two thirds, two thirds, one third
    ranks = np.array([0, 1, 1])
    ends = np.array([2, 3, 2])
    np.testing.assert_allclose(average_uniqueness(ranks, ends), [(1 + 1 / 3) / 2, (1 / 3 + 1) / 2, 1 / 3])
    np.testing.assert_allclose(average_uniqueness(ranks, ranks), 1.0)


def test_weights_have_mean_one_and_keep_ratios():
    np.testing.assert_allclose(uniqueness_weights(np.array([0.2, 0.4, 0.9])), [0.4, 0.8, 1.8])


def test_many_rows_of_a_panel_agree_with_those_of_its_assets():
    rng = np.random.default_rng(0)
    ranks = np.tile(np.arange(300), 100)
    assets = np.repeat(np.arange(100), 300)
    ends = ranks + rng.integers(1, 30, len(ranks))
    together = average_uniqueness(ranks, ends, assets)
    for asset in (0, 57, 99):
        rows = assets == asset
        np.testing.assert_allclose(together[rows], average_uniqueness(ranks[rows], ends[rows]), rtol=1e-9)
