"""What "auto" means."""

import pytest

from skpapers._torch.automatic import Settings, automatic_settings


def test_few_rows_are_trained_in_small_batches_and_many_in_larger_ones():
    assert automatic_settings(1) == automatic_settings(4000) == Settings(64, 0.005, 60, 1.0)
    assert automatic_settings(8000) == automatic_settings(10**7) == Settings(128, 0.01, 20, 0.5)


def test_settings_move_steadily_between():
    sizes = range(1500, 9000, 250)
    found = [automatic_settings(n) for n in sizes]
    for field, sign in (("batch_size", 1), ("learning_rate", 1), ("n_epochs", -1), ("sam_fraction", -1)):
        values = [sign * getattr(settings, field) for settings in found]
        assert values == sorted(values)
    assert automatic_settings(5657) == Settings(
        91, pytest.approx(0.005 * 2**0.5, rel=1e-4), 35, pytest.approx(0.5**0.5, rel=1e-4)
    )
