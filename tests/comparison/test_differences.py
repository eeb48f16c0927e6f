"""The order of the rows, and who is tested against whom."""

import numpy as np
import pytest

from skpapers.comparison._differences import Ranking, Shown, compare_pairs
from skpapers.comparison._statistics import paired_family
from tests.comparison._fits import Row, make_fits, regression

PROBLEM = regression(cv=4)


def ranking(*rows):
    found = Ranking(PROBLEM, *make_fits(PROBLEM, rows))
    return [row.name for row in found.rows], [row.name for row in found.complete], found.best_reference()


def test_best_first_and_incomplete_rows_last():
    names, complete, reference = ranking(
        Row("failed", error="ValueError: no"),
        Row("short", scores=[0.9, 0.9, None, np.nan]),
        Row("low", scores=[0.1, 0.2, np.nan, 0.3]),
        Row("never shown", kind="baseline", scores=[0.5] * 4),
        Row("high", scores=[0.3, 0.2, np.nan, 0.3]),
        Row("ridge", kind="reference", scores=[0.0, 0.1, np.nan, 0.1]),
        Row("mine", kind="own", scores=[0.2, 0.1, np.nan, 0.1]),
        Row("same", scores=[0.3, 0.2, np.nan, 0.3]),
    )
    # no row has a score on the third fold, so that it counts for none
    assert names == ["high", "same", "low", "mine", "ridge", "short", "failed"]
    assert complete == ["high", "same", "low", "mine", "ridge"]
    assert reference.name == "mine"


def test_nothing_to_rank():
    assert ranking() == ([], [], None)
    assert ranking(Row("a", scores=[np.nan] * 4), Row("b", error="ValueError: no")) == (["a", "b"], [], None)


def test_pairs_are_one_family_with_the_rows_that_were_trained_on():
    a = [0.3, 0.5, 0.2, 0.4]
    b = [0.2, 0.1, 0.2, np.nan]
    c = [0.1, 0.2, 0.0, 0.3]
    _, fits = make_fits(PROBLEM, [Row("a", scores=a), Row("b", scores=b), Row("c", scores=c, max_rows=45)])
    pairs = [
        (Shown("a", None), Shown("b", None)),
        (Shown("a", None), Shown("c", 45)),
        (Shown("a", None), Shown("c", 7)),
    ]
    ours = compare_pairs(PROBLEM, fits, pairs)
    # 120 rows in 4 folds: 30 test rows to 90 training rows, or to the 45 of the sample
    expected = paired_family(
        np.array([np.subtract(a, b), np.subtract(a, c), [np.nan] * 4]), np.array([1 / 3, 30 / 45, 1])
    )
    for name in ("mean", "low", "high", "p_value"):
        np.testing.assert_allclose(getattr(ours, name), getattr(expected, name))
    alone = [compare_pairs(PROBLEM, fits, [pair]).p_value[0] for pair in pairs[:2]]
    assert min(ours.p_value[:2]) == pytest.approx(2 * min(alone))
    assert np.isnan(ours.mean[2])


def test_rounding_is_no_difference():
    """The same model, summed in another order, is not better beyond chance."""
    a = np.array([0.80, 0.82, 0.78, 0.81])
    b = a - 1e-16 * np.array([1, 2, 1, 2])
    huge = 1e9 * (a - 1)
    rows = [Row("a", scores=a), Row("b", scores=b), Row("c", scores=a - 1e-8 * np.array([1, 2, 1, 2]))]
    rows += [Row("huge", scores=huge), Row("other", scores=huge * (1 + 1e-15))]
    _, fits = make_fits(PROBLEM, rows)
    pairs = [(Shown(first, None), Shown(second, None)) for first, second in [("a", "b"), ("huge", "other"), ("a", "c")]]
    ours = compare_pairs(PROBLEM, fits, pairs)
    np.testing.assert_array_equal(ours.mean[:2], 0.0)
    np.testing.assert_array_equal(ours.p_value[:2], 1.0)
    assert ours.mean[2] == pytest.approx(1.5e-8)
