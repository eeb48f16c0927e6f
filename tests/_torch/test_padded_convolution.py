"""Convolutions with every padding mode, against numpy's padding and sums written out; sizes against counting."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose
from torch import nn

from skpapers._torch.padded_convolution import PADDING_MODES, PaddedConvolution, fits
from skpapers.convolution._mind_the_pad import even_size, is_even, layers_along_axis

NUMPY_MODES = {
    "zeros": "constant",
    "partial": "constant",
    "circular": "wrap",
    "reflect": "reflect",
    "replicate": "edge",
    "symmetric": "symmetric",
    "valid": "constant",
}
NONE = ((0, 0), (0, 0))


def layer(mode, kernel=(3, 5), stride=(1, 2), n_members=1, size=(6, 9), lines=NONE):
    own = (0, 0) if mode == "valid" else (kernel[0] // 2, kernel[1] // 2)
    padding = tuple((own[i] + lines[i][0], own[i] + lines[i][1]) for i in range(2))
    made = PaddedConvolution(
        2, 3, kernel_size=kernel, stride=stride, padding=padding, padding_mode=mode, input_size=size,
        n_members=n_members, dtype=torch.float64,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        parameter.data.normal_(generator=generator)
    return made


def by_hand(x, weight, bias, mode, stride, lines=NONE):
    """Return the outputs of one image by four nested loops."""
    own = [k // 2 if mode != "valid" else 0 for k in weight.shape[2:]]
    edges = ((0, 0), *((own[i] + lines[i][0], own[i] + lines[i][1]) for i in range(2)))
    padded = np.pad(x, edges, mode=NUMPY_MODES[mode])
    inside = np.pad(np.ones(x.shape[1:]), edges[1:])
    rows = (padded.shape[1] - weight.shape[2]) // stride[0] + 1
    columns = (padded.shape[2] - weight.shape[3]) // stride[1] + 1
    found = np.zeros((len(weight), rows, columns))
    for f in range(len(weight)):
        for r in range(rows):
            for c in range(columns):
                here = (slice(r * stride[0], r * stride[0] + weight.shape[2]),
                        slice(c * stride[1], c * stride[1] + weight.shape[3]))  # fmt: skip
                found[f, r, c] = np.sum(padded[:, *here] * weight[f])
                if mode == "partial":
                    found[f, r, c] /= max(inside[here].mean(), 1 / inside[here].size)
    return found + bias[:, None, None]


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("stride", [(1, 1), (1, 2), (3, 2)])
def test_every_mode_is_the_written_out_sum(mode, stride):
    made = layer(mode, stride=stride)
    X = np.random.default_rng(0).normal(size=(4, 2, 6, 9))
    found = made(torch.from_numpy(X)).detach().numpy()
    weight = made.weight.detach().numpy()
    bias = made.bias.detach().numpy()
    assert_allclose(found, [by_hand(x, weight, bias, mode, stride) for x in X], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("lines", [((0, 1), (0, 0)), ((1, 2), (2, 3)), ((3, 4), (0, 1))])
def test_further_lines_continue_the_padding(mode, lines):
    made = layer(mode, lines=lines)
    X = np.random.default_rng(0).normal(size=(2, 2, 6, 9))
    found = made(torch.from_numpy(X)).detach().numpy()
    weight = made.weight.detach().numpy()
    bias = made.bias.detach().numpy()
    assert_allclose(found, [by_hand(x, weight, bias, mode, (1, 2), lines) for x in X], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_a_padding_fits_where_numpy_and_torch_have_values_for_it(mode):
    for size in range(1, 6):
        for padding in ((0, 0), (1, 1), (1, 2), (3, 0)):
            x = torch.ones(1, 2, size, 4)
            try:
                made = PaddedConvolution(
                    2, 1, kernel_size=(3, 1), stride=(1, 1), padding=(padding, (0, 0)), padding_mode=mode,
                    input_size=(size, 4), n_members=1, dtype=torch.float32,
                )  # fmt: skip
                is_right = made(x).shape[2] == size + sum(padding) - 2
            except RuntimeError:
                is_right = False
            assert fits(size, 3, padding, mode) == is_right, (size, padding)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_members_are_the_layers_they_are_made_of(mode):
    stacked = layer(mode, n_members=3)
    x = torch.randn(4, 6, 6, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = stacked(x).unflatten(1, (3, -1))
    for k in range(3):
        alone = layer(mode)
        alone.weight.data = stacked.weight.data[k]
        alone.bias.data = stacked.bias.data[k]
        assert torch.allclose(alone(x[:, 2 * k : 2 * k + 2]), found[:, k], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["circular", "symmetric", "replicate"])
def test_a_constant_image_has_no_edge(mode):
    found = layer(mode, stride=(1, 1))(torch.ones(1, 2, 6, 9, dtype=torch.float64))
    assert torch.allclose(found, found[..., :1, :1], atol=1e-12)


def test_partial_padding_keeps_a_constant_image_for_equal_weights():
    made = layer("partial", stride=(1, 1))
    made.weight.data.fill_(1.0)
    found = made(torch.ones(1, 2, 6, 9, dtype=torch.float64))
    assert torch.allclose(found, found[..., :1, :1], atol=1e-12)
    plain = layer("zeros", stride=(1, 1))
    plain.weight.data.fill_(1.0)
    edged = plain(torch.ones(1, 2, 6, 9, dtype=torch.float64))
    assert not torch.allclose(edged, edged[..., 3:4, 4:5], atol=1e-2)


def test_a_layer_is_a_convolution_of_torch_and_leaves_its_generator_alone():
    state = torch.random.get_rng_state()
    made = layer("zeros")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert isinstance(made, nn.Conv2d)
    x = torch.ones(1, 2, 6, 9, dtype=torch.float64)
    assert torch.allclose(made(x), F.conv2d(x, made.weight, made.bias, (1, 2), (1, 2)))
    assert list(layer("partial").state_dict()) == ["weight", "bias"]


def read_counts(size, kernel, strides, padding):
    """Return how many paths lead from each pixel of an axis to the last layer, by counting them."""
    counts = np.ones(1)
    sizes = [size]
    for stride in strides:
        sizes.append((sizes[-1] + 2 * padding - kernel) // stride + 1)
    counts = np.ones(sizes[-1])
    for before, stride in zip(sizes[-2::-1], strides[::-1], strict=True):
        padded = np.zeros(before + 2 * padding)
        for place, count in enumerate(counts):
            padded[place * stride : place * stride + kernel] += count
        counts = padded[padding : padding + before]
    return counts


@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (5, 2), (7, 3), (3, 0), (4, 0)])
@pytest.mark.parametrize("strides", [(2,), (1, 2), (2, 2), (2, 1, 2), (3, 2)])
def test_sizes_are_even_if_and_only_if_both_ends_are_read_alike(kernel, padding, strides):
    mode = "valid" if padding == 0 else "zeros"
    for size in range(26, 60):
        counts = read_counts(size, kernel, strides, padding)
        alike = np.array_equal(counts, counts[::-1])
        assert is_even(size, kernel, strides, padding, mode) == alike, size
        found = even_size(size, kernel, strides, padding, mode)
        between = [is_even(s, kernel, strides, padding, mode) for s in range(size, found + 1)]
        assert between == [False] * (found - size) + [True]


def test_even_sizes_of_layers_with_stride_two():
    for n_layers in (1, 2, 3):
        even = [size for size in range(2, 70) if even_size(size, 3, (2,) * n_layers, 1, "zeros") == size]
        assert even == list(range(2**n_layers + 1, 70, 2**n_layers))
    assert [layer.n_outputs for layer in layers_along_axis(224, 7, (2, 2), 3)] == [112, 56]
    assert [layer.leftover for layer in layers_along_axis(224, 7, (2, 2), 3)] == [1, 1]
    assert [layer.leftover for layer in layers_along_axis(225, 7, (2, 2), 3)] == [0, 0]
    first, second = layers_along_axis(9, 3, (2, 1), 1, (2, 3))
    assert (first.before, first.after, first.n_outputs) == (3, 4, 7)
    assert (second.size, second.before, second.after) == (7, 1, 1)


def test_a_circle_is_even_where_the_strides_divide_it():
    assert is_even(8, 3, (2, 2), 1, "circular")
    assert not is_even(9, 3, (2, 2), 1, "circular")
    assert even_size(9, 3, (2, 2), 1, "circular") == 12
    x = torch.randn(1, 2, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    made = layer("circular", kernel=(3, 3), stride=(2, 2), size=(8, 8))
    moved = made(x.roll((2, 4), (-2, -1)))
    assert torch.allclose(made(x).roll((1, 2), (-2, -1)), moved, atol=1e-12)
