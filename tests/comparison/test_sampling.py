"""Samples of training rows."""

import numpy as np
import pytest

from skpapers.comparison._sampling import sample_rows

TRAIN = np.arange(50, 1050)
Y = np.repeat([0, 1, 2], [900, 199, 1])  # sorted labels: the first rows would be of one class


def test_a_small_table_is_taken_whole():
    assert sample_rows(TRAIN, None, in_time=True) is TRAIN
    assert sample_rows(TRAIN, 1000, in_time=False) is TRAIN


def test_the_latest_rows_in_time():
    np.testing.assert_array_equal(sample_rows(TRAIN, 100, in_time=True, y=Y), np.arange(950, 1050))


@pytest.mark.parametrize("y", [None, Y])
def test_samples_are_part_of_larger_ones(y):
    train = TRAIN[:1000]
    y = None if y is None else np.concatenate([y, y])
    small, large = (sample_rows(train, n, in_time=False, y=y) for n in (100, 500))
    assert (len(small), len(large)) == (100, 500)
    assert np.isin(small, large).all()
    assert np.isin(large, train).all()
    assert (np.diff(large) > 0).all()
    np.testing.assert_array_equal(small, sample_rows(train, 100, in_time=False, y=y))
    # spread over the table, not its head
    assert abs(large.mean() - train.mean()) < 50


@pytest.mark.parametrize("n", [10, 100, 333])
def test_classes_keep_their_shares_and_rare_ones_a_row(n):
    train = np.arange(1100)
    counts = np.bincount(Y[sample_rows(train, n, in_time=False, y=Y)])
    assert counts[2] == 1
    np.testing.assert_allclose(counts / n, np.bincount(Y) / 1100, atol=1.5 / n)
