"""The evidence without labels against its formulas, row by row."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skpapers.adaptation._adaptation_evidence import (
    AdaptationReport,
    balanced_rows,
    class_geometry,
    effective_classes,
    top_share,
)

RNG = np.random.default_rng(0)
CODES = RNG.integers(0, 3, 80)
H = RNG.normal(size=(80, 4)) @ RNG.normal(size=(4, 4)) + 3.0 * np.eye(4)[CODES]
NEW = RNG.normal(size=(10, 4)) * 2.0


def ratios(h, codes, new):
    """Return the ratios of new rows, as the notes state them, one row after another."""
    mu = h.mean(axis=0)
    sigma = h.std(axis=0)
    units = sigma > 1e-3 * sigma.max()
    z = ((h - mu) / (sigma + 1e-6))[:, units]
    d = z.shape[1]
    means = np.array([z[codes == k].mean(axis=0) for k in np.unique(codes)])
    W = np.zeros((d, d))
    for row, k in zip(z, np.searchsorted(np.unique(codes), codes), strict=True):
        W += np.outer(row - means[k], row - means[k]) / len(z)
    inverse = np.linalg.inv(0.9 * W + 0.1 * np.trace(W) / d * np.eye(d))
    found = []
    for row in ((new - mu) / (sigma + 1e-6))[:, units]:
        D = sorted((row - c) @ inverse @ (row - c) / d for c in means)
        found.append(D[0] / D[1])
    return found


@pytest.mark.parametrize("size", [1.0, 1e-6])
def test_ratios_are_those_of_the_formulas(size):
    h = H * size
    assert_allclose(class_geometry(h, CODES, None).ratios(NEW * size), ratios(h, CODES, NEW * size), rtol=1e-9)


def test_units_that_hardly_vary_are_left_out():
    dead = np.column_stack([H, 1e-5 * RNG.normal(size=80), np.full(80, 7.0)])
    new = np.column_stack([NEW, np.full(10, 100.0), np.full(10, 100.0)])
    geometry = class_geometry(dead, CODES, None)
    assert geometry.units.tolist() == [0, 1, 2, 3]
    assert_allclose(geometry.ratios(new), ratios(H, CODES, NEW), rtol=1e-9)


@pytest.mark.parametrize("size", [1.0, 1e200])
def test_weights_are_repeated_rows(size):
    times = RNG.integers(0, 3, 80)
    repeated = class_geometry(np.repeat(H, times, axis=0), np.repeat(CODES, times), None)
    assert_allclose(class_geometry(H, CODES, times * size).ratios(NEW), repeated.ratios(NEW), rtol=1e-9)


def test_classes_without_rows_are_no_neighbours():
    gaps = np.array([1, 4, 7])[CODES]
    assert_allclose(class_geometry(H, gaps, None).ratios(NEW), ratios(H, CODES, NEW), rtol=1e-9)


def test_what_cannot_be_told_apart_has_no_geometry():
    assert class_geometry(np.ones((80, 4)), CODES, None) is None
    assert class_geometry(H, np.zeros(80, dtype=int), None) is None
    # the mean of equal numbers rounds
    assert class_geometry(np.full((80, 4), 0.1), CODES, RNG.random(80)) is None
    assert class_geometry(H + 1e9, CODES, None) is not None


def test_rows_that_are_exactly_their_class_have_a_geometry():
    geometry = class_geometry(np.eye(3)[CODES], CODES, None)
    assert_allclose(geometry.ratios(np.eye(3)), 0.0, atol=1e-12)
    assert_allclose(geometry.ratios(np.ones((1, 3))), 1.0)


def test_a_row_at_two_classes_lies_between_them():
    geometry = class_geometry(H, CODES, None)
    z = (geometry.means[0] + geometry.means[1]) / 2
    there = np.linalg.solve(geometry.whitening.T, z) * geometry.scale + geometry.center
    assert geometry.ratios(there[np.newaxis])[0] == pytest.approx(1.0)
    geometry.means[1] = geometry.means[0]
    there = np.linalg.solve(geometry.whitening.T, geometry.means[0]) * geometry.scale + geometry.center
    assert geometry.ratios(there[np.newaxis])[0] == pytest.approx(1.0)


def test_training_rows_have_their_ratio_and_shares():
    geometry = class_geometry(H, CODES, None)
    assert geometry.ratio == pytest.approx(np.mean(ratios(H, CODES, H)), rel=1e-9)
    assert_allclose(geometry.shares, np.bincount(CODES) / 80)
    times = RNG.integers(0, 3, 80)
    repeated = class_geometry(np.repeat(H, times, axis=0), np.repeat(CODES, times), None)
    weighted = class_geometry(H, CODES, times * 1e200)
    assert weighted.ratio == pytest.approx(repeated.ratio, rel=1e-9)
    assert_allclose(weighted.shares, repeated.shares)


class TestBalancedRows:
    @pytest.mark.parametrize("order", ["sorted", "random"])
    def test_predicted_classes_get_the_shares_of_training(self, order):
        codes = np.repeat([0, 1, 2], [70, 20, 10])
        if order == "random":
            codes = RNG.permutation(codes)
        rows = balanced_rows(codes, np.array([0.25, 0.5, 0.25]))
        found = np.bincount(codes[rows])
        assert_allclose(found, [25, 50, 25], atol=0 if order == "sorted" else 2)
        assert (np.diff(rows) >= 0).all()
        times = np.bincount(rows, minlength=100)
        for k in range(3):  # evenly among the rows of a class
            assert np.ptp(times[codes == k]) <= 1

    def test_shares_that_are_those_of_training_take_every_row_once(self):
        codes = RNG.permutation(np.repeat([0, 1], [30, 10]))
        assert balanced_rows(codes, np.array([0.75, 0.25])).tolist() == list(range(40))

    def test_a_class_that_is_not_predicted_leaves_its_share_to_the_others(self):
        codes = np.repeat([0, 2], [10, 30])
        rows = balanced_rows(codes, np.array([0.25, 0.5, 0.25]))
        assert np.bincount(codes[rows]).tolist() == [20, 0, 20]

    def test_a_few_rows_are_no_sample_of_a_class(self):
        codes = np.repeat([0, 1], [198, 2])
        rows = balanced_rows(codes, np.array([0.5, 0.5]))
        assert np.bincount(codes[rows]).tolist() == [174, 26]  # a weight of 99 medians counts as 15

    def test_classes_without_training_rows_are_left_out(self):
        codes = np.array([0, 1, 1, 3])
        assert set(codes[balanced_rows(codes, np.array([0.5, 0.5]))]) == {0, 1}
        assert balanced_rows(np.array([3, 3]), np.array([0.5, 0.5])).tolist() == [0, 1]
        assert balanced_rows(np.array([3, 1, 3, 0, 3, 3]), np.array([0.5, 0.5])).tolist() == [1, 1, 1, 3, 3, 3]


FIGURES = {
    "n_rows": 64,
    "ratio_source": 0.8,
    "ratio_adapted": 0.5,
    "ratio_training": 0.3,
    "agreement_source": 0.6,
    "agreement_adapted": 0.6,
    "entropy_source": 1.0,
    "entropy_adapted": 0.2,
    "n_classes_source": 3.0,
    "n_classes_adapted": 3.0,
}


@pytest.mark.parametrize(
    ("change", "keep"),
    [
        ({}, True),
        ({"ratio_adapted": 0.8}, False),
        ({"ratio_adapted": 0.88, "agreement_adapted": 0.7}, True),  # 0.1 > log(1.1)
        ({"ratio_adapted": 0.89, "agreement_adapted": 0.7}, False),
        ({"ratio_adapted": 0.72, "agreement_adapted": 0.5}, True),
        ({"ratio_adapted": 0.73, "agreement_adapted": 0.5}, False),
        ({"ratio_training": 0.8}, False),
        ({"ratio_training": 0.79}, True),
        ({"n_rows": 15}, False),
        ({"n_rows": 16}, True),
        ({"ratio_adapted": 0.0, "ratio_source": 0.0, "ratio_training": 0.0}, False),
        ({"agreement_source": float("nan")}, False),
        ({"ratio_source": float("nan"), "ratio_adapted": float("nan")}, False),
        ({"n_classes_adapted": 1.0}, True),
        ({"entropy_adapted": 2.0}, True),
    ],
)
def test_the_rule(change, keep):
    report = AdaptationReport(**{**FIGURES, **change})
    assert report.keep is keep
    assert str(report).startswith(
        f"the {'adapted' if keep else 'source'} model is recommended, by {report.n_rows} rows"
    )


def test_share_of_the_top_class():
    assert top_share(np.array([2, 2, 0, 1])) == 0.5


def test_effective_number_of_classes():
    assert effective_classes(np.array([5, 5, 5])) == 1.0
    assert effective_classes(np.array([0, 1, 2, 3])) == pytest.approx(4.0)
    assert effective_classes(np.array([0, 0, 0, 1])) == pytest.approx(0.75**-0.75 * 0.25**-0.25)
