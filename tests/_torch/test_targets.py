"""Targets: labels, numbers, quantiles of horizons."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skpapers._torch.rows import Rows
from skpapers._torch.targets import Classes, HorizonQuantiles, Numbers

RNG = np.random.default_rng(0)
X = np.zeros((40, 1))
Y = RNG.normal(size=(40, 2)) * [1.0, 100.0] + [0.0, 5.0]


def test_classes_are_learned_once_and_others_refused():
    target, codes = Classes().read(np.array(["b", "a", "c", "b"]), "Net")
    assert_array_equal(target.classes, ["a", "b", "c"])
    assert_array_equal(codes, [1, 0, 2, 1])
    assert target.output_shape == (3,)
    assert_array_equal(target.codes(np.eye(3)[[2, 0]]), [2, 0])
    assert target.lacking(np.array([1, 1])) == ["a", "c"]
    with pytest.raises(ValueError, match="y holds class 'd', which is not among the classes known"):
        target.read(np.array(["a", "d"]), "Net")
    with pytest.raises(ValueError, match="Net needs two classes or more; y holds one class, 'a'"):
        Classes().read(np.array(["a", "a"]), "Net")


def test_two_classes_have_one_logit():
    target, codes = Classes(label_smoothing=0.2).read(np.array([7, 3, 7]), "Net")
    assert target.output_shape == (1,)
    assert_allclose(target.encode(codes), [0.9, 0.1, 0.9])
    assert_array_equal(target.codes(np.array([0.5, -0.5])), [1, 0])


@pytest.mark.parametrize(("calibrated", "temperature"), [(True, 2.0), (False, 1.0)])
def test_a_model_that_continues_keeps_its_classes_and_its_temperature_if_it_is_calibrated(calibrated, temperature):
    before = Classes(classes=np.array([0, 1]), temperature=2.0)
    after = Classes(label_smoothing=0.1, calibrated=calibrated).continued(before)
    assert_array_equal(after.classes, before.classes)
    assert after.temperature == temperature
    assert after.label_smoothing == 0.1


def test_the_network_sees_numbers_in_their_own_units():
    target, y = Numbers().read(Y, "Net")
    target = target.fitted(y, None, 0)
    encoded = target.encode(y)
    assert_allclose(encoded.mean(axis=0), 0.0, atol=1e-12)
    assert_allclose(encoded.std(axis=0), 1.0)
    location, scale = target.units()
    assert_allclose(encoded * scale + location, Y)
    assert target.score(encoded, Rows(X, y)) == 0.0
    with pytest.raises(ValueError, match="y has 1 outputs, and the model has 2"):
        target.read(Y[:, 0], "Net")


def test_quantiles_have_one_output_for_each_horizon_and_level():
    target, y = HorizonQuantiles(levels=(0.2, 0.5, 0.7)).read(Y, "Net")
    target = target.fitted(y, None, 0)
    assert target.output_shape == (2, 3)
    outputs = RNG.normal(size=(40, 2, 3))
    encoded = target.encode(y)
    over = encoded[:, :, None] - outputs
    level = np.array([0.2, 0.5, 0.7])
    expected = np.where(over > 0, level * over, (level - 1.0) * over).mean(axis=(1, 2))
    assert_allclose(target.loss()(torch.from_numpy(outputs), torch.from_numpy(encoded)), expected)
    assert target.score(outputs, Rows(X, y)) == pytest.approx(-expected.mean())
    assert [part.shape for part in target.units()] == [(2, 1), (2, 1)]


def test_constant_horizons_do_not_judge():
    y = np.column_stack([Y[:, 0], np.zeros(40)])
    target = HorizonQuantiles().read(y, "Net")[0].fitted(y, None, 0)
    outputs = RNG.normal(size=(40, 2, 3))
    other = outputs.copy()
    other[:, 1] = 1e6
    assert target.score(other, Rows(X, y)) == target.score(outputs, Rows(X, y))
