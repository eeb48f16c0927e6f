"""The adapter at its start, what learns in each scope, and the shapes of images and series."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from skpapers.adaptation._policy_network import Adapter, PolicyNetwork

SETTINGS = {
    "n_auxiliary": 3,
    "n_rows": 2,
    "kernel_size": 3,
    "hidden_layer_sizes": (6,),
    "head_layer_sizes": (5,),
    "activation": "relu",
    "dtype": torch.float64,
}
SHAPES = pytest.mark.parametrize("shape", [(7,), (2, 9), (3, 8, 6), (2, 1, 5)], ids=str)


def network(shape, channels=(4, 5)):
    channels = channels if len(shape) > 1 else ()
    made = PolicyNetwork(shape, 2, hidden_channels=channels, strides=(2,) * len(channels), **SETTINGS)
    return made.draw((torch.Generator().manual_seed(0),))


@SHAPES
def test_the_adapter_starts_as_the_identity(shape):
    x = torch.randn(4, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Adapter(shape, torch.float64)(x), x)


def test_the_adapter_mixes_channels_alike_at_all_places():
    adapter = Adapter((3, 4, 5), torch.float64)
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(3, 3))
    offset = rng.normal(size=3)
    adapter.gain.data = torch.from_numpy(matrix)
    adapter.offset.data = torch.from_numpy(offset)
    x = rng.normal(size=(2, 3, 4, 5))
    expected = np.einsum("ij,bjhw->bihw", matrix, x) + offset[:, None, None]
    assert_allclose(adapter(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-12, atol=1e-14)


@SHAPES
def test_it_is_the_chain_of_its_parts(shape):
    net = network(shape)
    x = torch.randn(4, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    maps = x.unsqueeze(-2) if len(shape) == 2 else x
    for layer in net.convolutions:
        padding = tuple(size // 2 for size in layer.kernel_size)
        maps = torch.relu(nn.functional.conv2d(maps, layer.weight, layer.bias, layer.stride, padding))
    expected = net.policy(torch.relu(net.dense(maps.flatten(1))))
    assert torch.equal(net(x), expected)
    assert net(x).shape == (4, 2)
    assert net.auxiliary.n_inputs == 12
    sizes = [maps.shape[1:].numel()] if len(shape) > 1 else []
    assert net.map_sizes[-1] == (sizes[0] if sizes else 7)
    assert net.row_size() > np.prod(shape)


@pytest.mark.parametrize(
    ("scope", "parts"),
    [
        ("training", {"convolutions", "dense", "policy", "auxiliary"}),
        ("adapter", {"adapter"}),
        ("encoder", {"convolutions", "dense"}),
        ("encoder+head", {"convolutions", "dense", "auxiliary"}),
    ],
)
def test_what_learns(scope, parts):
    net = network((3, 8, 8)).learn(scope)
    groups = net.parameter_groups()
    learning = {id(p) for group in groups for p in group["params"]}
    assert learning == {id(p) for name, p in net.named_parameters() if name.split(".")[0] in parts}
    decaying = {id(p) for group in groups for p in group["params"] if group["decay"]}
    matrices = {id(p) for p in net.parameters() if p.ndim > 1}
    assert decaying == (matrices & learning if scope == "training" else set())
