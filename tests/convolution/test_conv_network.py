"""The network against a sequence of torch's own layers, its members against networks of their own."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from skpapers._torch.networks import check_network
from skpapers._torch.padded_convolution import PADDING_MODES
from skpapers.convolution._conv_network import ConvNetwork, axes_of

OPTIONS = {
    "hidden_channels": (4, 6),
    "strides": (1, 2),
    "kernel_size": 3,
    "pooling": "average",
    "padding_mode": "zeros",
    "fix_padding": False,
    "activation": "relu",
    "batch_norm": True,
    "dropout": 0.0,
    "n_members": 1,
    "dtype": torch.float64,
}


def network(row_shape=(2, 5, 7), **options):
    made = check_network(ConvNetwork(row_shape, 3, **{**OPTIONS, **options}))
    made.draw(tuple(torch.Generator().manual_seed(k) for k in range(made.n_members)))
    generator = torch.Generator().manual_seed(9)
    for name, parameter in made.named_parameters():
        if name.endswith("bias"):
            parameter.data.normal_(generator=generator)
    return made


def images(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("pooling", ["average", "max", "flatten"])
@pytest.mark.parametrize("training", [False, True])
def test_it_is_the_sequence_of_the_layers_of_torch(pooling, training):
    made = network(pooling=pooling).train(training)
    pools = {"average": nn.AdaptiveAvgPool2d(1), "max": nn.AdaptiveMaxPool2d(1), "flatten": nn.Identity()}
    layers = [
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2, padding=1),
        nn.BatchNorm2d(6), nn.ReLU(), pools[pooling], nn.Flatten(), nn.Linear(72 if pooling == "flatten" else 6, 3),
    ]  # fmt: skip
    plain = nn.Sequential(*layers).double().train(training)
    with torch.no_grad():
        for i in range(2):
            plain[3 * i].weight.copy_(made.convolutions[i].weight)
            plain[3 * i].bias.copy_(made.convolutions[i].bias)
            plain[3 * i + 1].bias.copy_(made.norms[i].bias)
        plain[-1].weight.copy_(made.head.weight.T)
        plain[-1].bias.copy_(made.head.bias)
    x = images(8, 2, 5, 7)
    assert torch.allclose(made(x), plain(x), rtol=1e-10)
    assert torch.allclose(made.norms[1].running_mean, plain[4].running_mean)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"pooling": "flatten", "padding_mode": "partial"}, {"padding_mode": "symmetric", "fix_padding": True}],
)
def test_members_are_the_networks_they_are_made_of(options, own):
    made = network((2, 6, 7), n_members=3, **options)
    x = images(3, 4, 2, 6, 7) if own else images(4, 2, 6, 7)
    found = made(x)
    assert found.shape == (3, 4, 3)
    for k in range(3):
        alone = ConvNetwork((2, 6, 7), 3, **{**OPTIONS, **options})
        state = {name: value[k].reshape(alone.state_dict()[name].shape) for name, value in made.state_dict().items()}
        alone.load_state_dict(state)
        assert torch.allclose(alone(x[k] if own else x), found[k], rtol=1e-10, atol=1e-12)


def test_drawn_members_are_those_of_their_generators():
    made = network(n_members=2)
    for k in range(2):
        alone = network().draw((torch.Generator().manual_seed(k),))
        assert torch.equal(alone.convolutions[1].weight, made.convolutions[1].weight[k])
        assert torch.equal(alone.head.weight, made.head.weight[k])
    assert made.convolutions[1].weight.var().item() == pytest.approx(2 / 36, rel=0.15)
    head = network(pooling="flatten", hidden_channels=(4, 64)).head.weight
    assert head.var().item() == pytest.approx(1 / (4 * len(head)), rel=0.1)


@pytest.mark.parametrize("n_members", [1, 2])
def test_kernels_and_matrices_decay_alone(n_members):
    made = network(n_members=n_members)
    decaying, others = made.parameter_groups()
    names = {id(parameter): name for name, parameter in made.named_parameters()}
    assert [names[id(p)] for p in decaying["params"]] == [
        "convolutions.0.weight", "convolutions.1.weight", "head.weight",
    ]  # fmt: skip
    assert all(names[id(p)].endswith("bias") or names[id(p)].startswith("norms") for p in others["params"])
    assert len(decaying["params"]) + len(others["params"]) == len(names)
    assert (decaying["decay"], others["decay"]) == (1.0, 0.0)


def test_a_series_is_an_image_of_height_one():
    made = network((3, 11))
    assert made.convolutions[0].kernel_size == (1, 3)
    x = images(5, 3, 11)
    plain = nn.Conv1d(3, 4, 3, padding=1).double()
    with torch.no_grad():
        plain.weight.copy_(made.convolutions[0].weight.squeeze(-2))
        plain.bias.copy_(made.convolutions[0].bias)
    assert torch.allclose(made.convolutions[0](x.unsqueeze(-2)).squeeze(-2), plain(x), rtol=1e-10)
    assert made(x).shape == (5, 3)


@pytest.mark.parametrize(("size", "missing"), [((8, 10), (1, 3)), ((11, 13), (2, 0)), ((7, 9), (2, 0))])
@pytest.mark.parametrize("mode", ["zeros", "replicate"])
def test_a_fixed_network_is_that_of_images_with_further_lines(size, missing, mode):
    lines = tuple((n // 2, n - n // 2) for n in missing)
    fixed = network((2, *size), strides=(2, 2), fix_padding=True, padding_mode=mode)
    assert fixed.lines == lines
    plain = network((2, size[0] + missing[0], size[1] + missing[1]), strides=(2, 2), padding_mode=mode)
    x = images(4, 2, *size)
    larger = F.pad(x, (*lines[1], *lines[0]), "constant" if mode == "zeros" else mode)
    assert torch.allclose(fixed(x), plain(larger), rtol=1e-12)


@pytest.mark.parametrize("strides", [(2, 2), (1, 3), (2, 1, 2), (3, 2)])
@pytest.mark.parametrize("mode", PADDING_MODES)
def test_fixed_axes_are_even(mode, strides):
    for size in range(24, 40):
        (axis, _) = axes_of((1, size, size), 3, strides, mode, fix=True)
        before, after = axis.lines
        assert axis.is_even
        assert after - before in (0, 1)
        assert size + before + after == axes_of((1, size, size), 3, strides, mode)[0].even_size
        if mode != "circular":
            assert [layer.leftover for layer in axis.layers] == [0] * len(strides)


def test_a_fix_makes_layers_fit_that_do_not_fit_without_it():
    with pytest.raises(ValueError, match="with padding_mode='reflect' does not fit layer 4: its input has 1"):
        network((1, 8, 8), hidden_channels=(2,) * 4, strides=(2,) * 4, padding_mode="reflect")
    fixed = network((1, 8, 8), hidden_channels=(2,) * 4, strides=(2,) * 4, padding_mode="reflect", fix_padding=True)
    assert fixed.lines == ((4, 5), (4, 5))
    assert fixed(images(3, 1, 8, 8)).shape == (3, 3)
    with pytest.raises(ValueError, match="'reflect' and even_padding=\"fix\" does not fit layer 1: its input has 6"):
        network((1, 6, 6), hidden_channels=(2,) * 4, strides=(2,) * 4, padding_mode="reflect", fix_padding=True)


def test_axes_name_the_layer_that_does_not_fit():
    with pytest.raises(ValueError, match="with padding_mode='valid' does not fit layer 3: its input has 1"):
        axes_of((1, 5, 5), 3, (1, 1, 1), "valid")
    with pytest.raises(ValueError, match="kernel_size=7 with padding_mode='reflect' does not fit layer 1"):
        axes_of((1, 3, 9), 7, (1,), "reflect")
    assert [axis.sizes for axis in axes_of((4, 9), 3, (2, 2), "zeros")] == [[1, 1, 1], [9, 5, 3]]


def test_the_memory_of_a_row_counts_the_widest_map():
    assert network((2, 5, 7)).row_size() == 2 * 35 + 3 * 4 * 35
    assert network((2, 5, 7), n_members=2).row_size() == 2 * network((2, 5, 7)).row_size()
