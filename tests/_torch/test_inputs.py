"""What a row is: shapes that are declared, found and refused; channels."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skpapers._torch.inputs import Columns, Images, Windows

RNG = np.random.default_rng(0)


def test_flat_rows_get_the_shape_that_their_kind_has_by_default():
    assert Columns().completed(7).shape == (7,)
    assert Windows().completed(7).shape == (7, 1)
    assert Images().completed(9).shape == (1, 3, 3)
    assert Images().completed(8).shape == (1, 1, 8)


def test_flat_windows_hold_the_channels_of_one_step_after_those_of_another():
    assert Windows(n_channels=3).completed(12).shape == (4, 3)
    assert Windows(n_channels=3).read(np.zeros((2, 5, 2)))[0].shape == (5, 2)  # windows bring their own channels
    with pytest.raises(ValueError, match="X has 11 columns, which is not a multiple of n_channels=3"):
        Windows(n_channels=3).completed(11)


def test_missing_values_are_asked_for():
    assert Windows().finite is True
    assert Windows(allow_nan=True).finite == "allow-nan"


@pytest.mark.parametrize(("kind", "shape"), [(Windows, (4, 3)), (Images, (2, 3, 5))])
def test_shaped_rows_bring_their_shape_and_become_flat(kind, shape):
    X = RNG.normal(size=(6, *shape))
    for given in (X, X.tolist(), X[::-1][::-1]):
        inputs, flat = kind().read(given)
        assert inputs.shape == shape
        assert_array_equal(flat, X.reshape(6, -1))
    assert kind(shape).read(X[:0])[1].shape == (0, X[0].size)
    known, flat = kind(shape).read(X.reshape(6, -1))
    assert known.completed(flat.shape[1]).shape == shape


@pytest.mark.parametrize(
    ("inputs", "shape", "message"),
    [
        (Windows(), (6, 2, 3, 4), r"Each row of X has shape \(2, 3, 4\); it must be \(steps, channels\), or flat"),
        (Windows((4, 3)), (6, 3, 4), r"Each row of X has shape \(3, 4\); it must be \(4, 3\), or flat"),
        (Images(), (6, 3, 4), r"Each row of X has shape \(3, 4\); it must be \(channels, height, width\), or flat"),
    ],
)
def test_other_shapes_are_refused(inputs, shape, message):
    with pytest.raises(ValueError, match=message):
        inputs.read(np.zeros(shape))


def test_a_declared_shape_must_have_the_values_of_a_row():
    with pytest.raises(ValueError, match=r"Each row of X has 11 values; shape \(4, 3\) needs 12"):
        Windows((4, 3)).completed(11)


@pytest.mark.parametrize(("inputs", "axis"), [(Windows((4, 3)), 2), (Images((3, 2, 4)), 1), (Columns((5,)), 1)])
def test_channels_are_columns_of_a_table(inputs, axis):
    X = RNG.normal(size=(6, *inputs.shape))
    flat = X.reshape(6, -1)
    table = inputs.by_channel(flat)
    assert_array_equal(table, np.moveaxis(X, axis, -1).reshape(-1, X.shape[axis]))
    factors = torch.arange(1.0, 1.0 + X.shape[axis], dtype=torch.float64)

    class Times(torch.nn.Module):
        def forward(self, table):
            return table * factors

    scaled = inputs.scaled(Times())(torch.from_numpy(flat))
    shape = [1] * X.ndim
    shape[axis] = -1
    assert_array_equal(scaled, (X * factors.numpy().reshape(shape)).reshape(6, -1))
    assert inputs.scaled(None) is None
