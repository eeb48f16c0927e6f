"""What "auto" means."""

import pytest

from skpapers.neural_network._automatic import SAMSettings, automatic_settings


def test_few_rows_are_trained_in_small_batches_and_many_in_larger_ones():
    assert automatic_settings(1) == automatic_settings(4000) == SAMSettings(64, 0.005, 60, 1.0)
    assert (
        automatic_settings(8000)
        == automatic_settings(10**7)
        == SAMSettings(256, pytest.approx(0.015), 36, pytest.approx(0.1))
    )


def test_settings_move_steadily_between():
    sizes = range(1500, 9000, 250)
    found = [automatic_settings(n) for n in sizes]
    for field, sign in (("batch_size", 1), ("learning_rate", 1), ("n_epochs", -1), ("sam_fraction", -1)):
        values = [sign * getattr(settings, field) for settings in found]
        assert values == sorted(values)
    half = automatic_settings(5657)
    assert (half.batch_size, half.n_epochs) == (128, 46)
    assert half.learning_rate == pytest.approx(0.005 * 3**0.5, rel=1e-3)
    assert half.sam_fraction == pytest.approx(0.1**0.5, rel=1e-3)
