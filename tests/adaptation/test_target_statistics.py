"""Statistics of the rows of a stream against those of all its rows at once."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skpapers.adaptation._target_statistics import Moments, StatisticsRule, has_changed, squared_shift

ROWS = np.random.default_rng(0).normal(size=(60, 3)) * [1.0, 2.0, 0.5] + [0.0, 3.0, -1.0]
SOURCE = Moments(0.0, torch.tensor([0.5, 3.0, -1.0]).double(), torch.tensor([2.0, 4.0, 0.3]).double())


def after(rule, parts):
    """Return what a rule has seen after parts of the rows."""
    seen = SOURCE
    for part in parts:
        batch = Moments(len(part), torch.from_numpy(part.mean(axis=0)), torch.from_numpy(part.var(axis=0)))
        seen = rule.after(seen, batch)
    return seen


def assert_same(used, moments):
    assert torch.equal(used[0], moments.mean)
    assert torch.equal(used[1], moments.variance)


@pytest.mark.parametrize("sizes", [[60], [1] * 60, [1, 20, 39], [50, 10]])
def test_target_rows_are_pooled_exactly(sizes):
    seen = after(StatisticsRule("prior"), np.split(ROWS, np.cumsum(sizes)[:-1]))
    assert seen.rows == 60
    assert_allclose(seen.mean, ROWS.mean(axis=0), rtol=1e-12)
    assert_allclose(seen.variance, ROWS.var(axis=0), rtol=1e-12)


def test_the_prior_counts_as_its_rows():
    rule = StatisticsRule("prior", prior_samples=20.0)
    mean, variance = rule.used(SOURCE, after(rule, [ROWS]))
    assert squared_shift(SOURCE, torch.from_numpy(ROWS.mean(axis=0))) < 1.0
    assert_allclose(mean, (60 * ROWS.mean(axis=0) + 20 * SOURCE.mean.numpy()) / 80, rtol=1e-12)
    assert_allclose(variance, (60 * ROWS.var(axis=0) + 20 * SOURCE.variance.numpy()) / 80, rtol=1e-12)


def test_the_prior_counts_less_the_farther_the_target_is():
    rule = StatisticsRule("prior", prior_samples=20.0)
    deviations = np.sqrt(SOURCE.variance.numpy())
    at_source = (ROWS - ROWS.mean(axis=0)) / ROWS.std(axis=0) * deviations + SOURCE.mean.numpy()
    seen = after(rule, [at_source + 5.0 * deviations])
    mean, variance = rule.used(SOURCE, seen)
    prior = 20.0 / 25.0
    assert_allclose(mean, SOURCE.mean.numpy() + 60 / (60 + prior) * 5.0 * deviations, rtol=1e-12)
    assert_allclose(variance, SOURCE.variance, rtol=1e-12)


def test_without_a_prior_the_target_alone_counts():
    rule = StatisticsRule("prior", prior_samples=0.0)
    assert_allclose(rule.used(SOURCE, after(rule, [ROWS]))[0], ROWS.mean(axis=0), rtol=1e-12)
    assert_same(rule.used(SOURCE, SOURCE), SOURCE)


def test_units_that_do_not_vary_say_nothing_about_the_shift():
    source = Moments(0.0, torch.zeros(3), torch.tensor([1.0, 4.0, 1e-9]))
    mean = torch.tensor([1.0, 4.0, 100.0])
    assert squared_shift(source, mean).item() == pytest.approx((1.0 + 4.0) / 2)
    assert squared_shift(Moments(0.0, torch.zeros(2), torch.zeros(2)), torch.ones(2)).item() == 0.0
    members = Moments(0.0, torch.zeros(2, 3), torch.stack([source.variance, torch.ones(3)]))
    assert squared_shift(members, mean.expand(2, 3)).tolist() == [[2.5], [pytest.approx((1 + 16 + 1e4) / 3)]]


def test_ema_is_a_mixture_of_rows():
    rule = StatisticsRule("ema", ema_momentum=0.25)
    seen = after(rule, [ROWS])
    # a quarter of 60 rows and three quarters of rows with the statistics of the source
    many = np.random.default_rng(1).normal(size=(60, 3))
    many = (many - many.mean(axis=0)) / many.std(axis=0) * np.sqrt(SOURCE.variance.numpy()) + SOURCE.mean.numpy()
    mixture = np.vstack([ROWS, many, many, many])
    assert_allclose(seen.mean, mixture.mean(axis=0), rtol=1e-12)
    assert_allclose(seen.variance, mixture.var(axis=0), rtol=1e-12)
    assert_same(rule.used(SOURCE, seen), seen)


def test_ema_of_single_rows_keeps_a_variance():
    seen = after(StatisticsRule("ema", ema_momentum=0.02), list(np.tile(ROWS, (10, 1))[:, np.newaxis]))
    assert_allclose(seen.variance, ROWS.var(axis=0), rtol=0.3)


def test_batch_takes_the_last_batch_and_source_none():
    last = ROWS[50:]
    seen = after(StatisticsRule("batch"), [ROWS[:50], last])
    assert_allclose(seen.mean, last.mean(axis=0))
    assert_allclose(seen.variance, last.var(axis=0))
    assert seen.rows == 60
    rule = StatisticsRule("source")
    assert_same(rule.used(SOURCE, after(rule, [ROWS])), SOURCE)


def test_source_forgets_no_rows_and_uses_none():
    rule = StatisticsRule("prior")
    seen = after(rule, [ROWS])
    source = StatisticsRule("source")
    assert_same(source.used(SOURCE, seen), SOURCE)
    batch = Moments(5, torch.zeros(3).double(), torch.ones(3).double())
    assert_same(rule.used(SOURCE, source.after(seen, batch)), Moments(0, *rule.used(SOURCE, seen)))


def test_a_single_row_is_no_batch():
    seen = after(StatisticsRule("batch"), [ROWS[:50], ROWS[:1]])
    assert_allclose(seen.mean, ROWS[:50].mean(axis=0))
    assert seen.rows == 51


SEEN = Moments(100.0, torch.tensor([1.0, 1.0]), torch.tensor([1.0, 9.0]))
OF_SOURCE = Moments(0.0, torch.zeros(2), torch.tensor([1.0, 4.0]))


@pytest.mark.parametrize(
    ("batch", "changed"),
    [
        (Moments(16.0, torch.tensor([1.0, 1.0]), torch.tensor([1.0, 9.0])), False),
        (Moments(16.0, torch.tensor([2.9, 1.0]), torch.tensor([1.0, 9.0])), False),  # 1.9 ** 2 / 2 = 1.8
        (Moments(16.0, torch.tensor([3.1, 1.0]), torch.tensor([1.0, 9.0])), True),  # 2.2
        (Moments(15.0, torch.tensor([9.0, 1.0]), torch.tensor([1.0, 9.0])), False),  # too few rows
        (Moments(16.0, torch.tensor([1.0, 1.0]), torch.tensor([0.2, 1.0])), False),  # 0.45 of 3.25
        (Moments(16.0, torch.tensor([1.0, 1.0]), torch.tensor([0.1, 1.0])), True),  # 0.35
        (Moments(16.0, torch.tensor([1.0, 1.0]), torch.tensor([99.0, 99.0])), False),
    ],
)
def test_a_change_is_a_jump_of_the_mean_or_a_fall_of_the_variance(batch, changed):
    assert has_changed(OF_SOURCE, SEEN, batch) is changed
    assert not has_changed(OF_SOURCE, OF_SOURCE, batch)
