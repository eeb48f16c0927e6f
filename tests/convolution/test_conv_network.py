"""The network against a sequence of torch's own layers, its members against networks of their own."""

import pytest
import torch
from torch import nn

from skpapers._torch.networks import check_network
from skpapers.convolution._conv_network import ConvNetwork, axes_of

OPTIONS = {
    "hidden_channels": (4, 6),
    "strides": (1, 2),
    "kernel_size": 3,
    "pooling": "average",
    "padding_mode": "zeros",
    "resize": False,
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
    "options", [{}, {"pooling": "flatten", "padding_mode": "partial"}, {"padding_mode": "symmetric", "resize": True}]
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


def test_resized_images_are_seen_alike_from_both_sides():
    generator = torch.Generator().manual_seed(0)

    def flipped_difference(resize):
        made = network((1, 8, 8), strides=(2, 2), resize=resize, batch_norm=False)
        for convolution in made.convolutions:
            weight = convolution.weight.data
            weight.copy_(weight + weight.flip(-1))  # kernels that are their own mirror image
        x = torch.randn(20, 1, 8, 8, dtype=torch.float64, generator=generator)
        return (made(x) - made(x.flip(-1))).abs().max().item()

    assert flipped_difference(resize=True) < 1e-12
    assert flipped_difference(resize=False) > 1e-3


def test_axes_name_the_layer_that_does_not_fit():
    with pytest.raises(ValueError, match="with padding_mode='valid' does not fit layer 3: its input has 1"):
        axes_of((1, 5, 5), 3, (1, 1, 1), "valid")
    with pytest.raises(ValueError, match="kernel_size=7 with padding_mode='reflect' does not fit layer 1"):
        axes_of((1, 3, 9), 7, (1,), "reflect")
    assert [axis.sizes for axis in axes_of((4, 9), 3, (2, 2), "zeros")] == [[1, 1, 1], [9, 5, 3]]


def test_the_memory_of_a_row_counts_the_widest_map():
    assert network((2, 5, 7)).row_size() == 2 * 35 + 3 * 4 * 35
    assert network((2, 5, 7), n_members=2).row_size() == 2 * network((2, 5, 7)).row_size()
