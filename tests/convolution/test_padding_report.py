"""Padding that layers read, counted by brute force, and reports on networks as they are found elsewhere."""

import re
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from sklearn.exceptions import NotFittedError
from torch import nn

from skpapers.convolution import (
    ConvNetClassifier,
    ConvNetRegressor,
    effective_receptive_field,
    feature_map_bias,
    foveation_map,
    kernel_asymmetry,
    padding_report,
    valid_image_sizes,
)
from skpapers.datasets import make_glyphs
from tests.convolution._networks import Chomp, Functional, ResNet, SqueezeExcitation, SymmetricPad, UNet, vgg


def cells_that_count(layer, size, before, after):
    """Return which cells of a padded line change the output of a layer without padding."""
    x = torch.zeros(1, 1, before + size + after, requires_grad=True)
    layer(x).sum().backward()
    return (x.grad[0, 0] != 0).numpy()


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_used_padding_equals_a_count_of_the_cells_that_count(kernel, stride, dilation):
    for size in (9, 10, 11, 12):
        for padding in (0, 1, 3):
            if size + 2 * padding < dilation * (kernel - 1) + 1:
                continue
            plain = nn.Conv1d(1, 1, kernel, stride, 0, dilation)
            layer = nn.Conv1d(1, 1, kernel, stride, padding, dilation)
            counted = cells_that_count(plain, size, padding, padding)
            (row,) = padding_report(layer, (1, size), foveation=False).layers
            assert row.padding == ((padding, padding),)
            assert row.used == ((counted[:padding].sum(), counted[padding + size :].sum()),)
            last = np.flatnonzero(counted).max()
            assert row.dropped == (max(0, padding + size - 1 - last),)
            span = dilation * (kernel - 1) + 1
            assert row.leftover == ((size + 2 * padding - span) % stride,)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("size", [9, 10, 11])
def test_pooling(size, ceil_mode):
    (row,) = padding_report(nn.MaxPool2d(3, 2, 1, ceil_mode=ceil_mode), (1, size, 9), foveation=False).layers
    n_outputs = nn.MaxPool2d(3, 2, 1, ceil_mode=ceil_mode)(torch.zeros(1, 1, size, 9)).shape[2]
    after = max(0, 2 * (n_outputs - 1) + 3 - 1 - size)
    assert row.used == ((1, after), (1, 1))
    assert (row.operation, row.mode) == ("max pooling", "ignored")


def test_a_resnet_has_five_uneven_layers_of_eight_at_224_and_none_at_225():
    report = padding_report(ResNet(), (3, 224, 224), foveation=False)
    strided = [layer for layer in report.layers if layer.strided]
    assert len(strided) == 8
    assert sum(not layer.even for layer in strided) == 5
    assert not report.is_even
    assert "5 of 8 strided layers" in repr(report)
    even = padding_report(ResNet(), (3, 225, 225), foveation=False)
    assert even.is_even
    assert even.is_complete
    assert all(layer.even for layer in even.layers)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_valid_sizes_are_multiples_plus_one(depth):
    layers = [nn.Conv2d(1, 1, 3, stride=2, padding=1) for _ in range(depth)]
    expected = [size for size in range(8, 70) if size % 2**depth == 1]
    assert valid_image_sizes(nn.Sequential(*layers), 8, 69).tolist() == expected


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
def test_valid_sizes_of_other_networks():
    assert valid_image_sizes(ResNet(), 190, 260).tolist() == [193, 225, 257]
    assert valid_image_sizes(vgg(), 40, 64, layer="8").tolist() == [40, 48, 56, 64]
    even_kernel = nn.Conv1d(2, 1, 2, padding="same")
    assert valid_image_sizes(even_kernel, 5, 9).tolist() == []
    by_hand = nn.Sequential(SymmetricPad(), nn.Conv1d(1, 1, 3, stride=2))
    assert valid_image_sizes(by_hand, 6, 10).tolist() == [7, 9]
    fixed = nn.Sequential(nn.Conv1d(1, 1, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(5, 1))
    assert valid_image_sizes(fixed, 8, 12).tolist() == [9]


def test_the_map_decides_where_padding_cannot_be_read():
    class Mirrored(nn.Module):
        """Both ends of the output are cut off by one value."""

        def forward(self, x):
            return x[:, :, 1:-1]

    module = nn.Sequential(nn.Conv1d(1, 1, 3, padding=1), Mirrored(), nn.Conv1d(1, 1, 3, stride=2))
    assert not padding_report(module, (1, 9)).is_complete
    assert valid_image_sizes(module, 8, 12).tolist() == [9, 11]


class TestPaddingThatIsNoLayer:
    @pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
    def test_functional_padding_is_read(self, mode):
        report = padding_report(Functional(mode), (1, 12, 12))
        names = [(layer.module, layer.operation, layer.mode) for layer in report.layers]
        mode = "zeros" if mode == "constant" else mode
        assert names == [("conv1", "convolution", mode), ("", "convolution", mode), ("", "max pooling", "ignored")]
        assert [layer.padding[0] for layer in report.layers] == [(1, 1), (2, 2), (1, 1)]
        assert report.layers[0].size == (12, 12)
        assert report.layers[0].used == ((1, 0), (1, 0))
        assert report.is_complete

    @pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
    def test_modes_of_convolutions(self, mode):
        (row,) = padding_report(nn.Conv2d(1, 1, 3, padding=(1, 0), padding_mode=mode), (1, 6, 6)).layers
        assert (row.mode, row.padding) == (mode, ((1, 1), (0, 0)))

    @pytest.mark.parametrize(("layer", "padding"), [(nn.ZeroPad2d((1, 2, 3, 0)), ((3, 0), (1, 2)))])
    def test_padding_layers_join_the_layer_that_reads_them(self, layer, padding):
        module = nn.Sequential(layer, nn.ReflectionPad2d(1), nn.Conv2d(1, 1, 3, padding=1))
        report = padding_report(module, (1, 8, 8))
        (row,) = report.layers
        assert row.mode == "zeros + reflect + zeros"
        assert row.padding == tuple((a + 2, b + 2) for a, b in padding)
        assert not row.even
        assert report.is_complete

    @pytest.mark.parametrize("width", [1, 2])
    def test_padding_by_concatenation_is_located(self, width):
        report = padding_report(nn.Sequential(SymmetricPad(width), nn.Conv2d(1, 1, 3, stride=2)), (1, 8, 9))
        (row,) = report.layers
        assert (row.mode, row.padding, row.size) == ("symmetric", ((width, width),) * 2, (8, 9))
        assert report.is_complete
        half = nn.Sequential(SymmetricPad(width), nn.Conv2d(1, 1, 3, stride=2)).bfloat16()
        assert padding_report(half, (1, 8, 9)).layers == report.layers

    def test_padding_by_other_values(self):
        report = padding_report(Named(lambda x: torch.cat([x[:, :, :2] * 2, x], dim=2)), (1, 8, 8))
        assert (report.layers[0].mode, report.layers[0].padding) == ("other values + zeros", ((3, 1), (1, 1)))

    @pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
    def test_same_padding_of_even_kernels(self):
        (row,) = padding_report(nn.Conv1d(1, 1, 4, padding="same", dilation=3), (1, 20)).layers
        assert row.used == ((4, 5),)

    def test_unfolding(self):
        class Patches(nn.Module):
            def forward(self, x):
                return F.unfold(x, 3, padding=1, stride=2)

        module = nn.Sequential(nn.Conv2d(1, 1, 1), Patches())
        assert padding_report(module, (1, 8, 9)).layers[1].used == ((1, 0), (1, 1))


class Named(nn.Module):
    """Calls a function in front of a convolution."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x):
        return self.conv(self.function(x))


class TestWhatCannotBeReadIsNamed:
    @pytest.mark.parametrize(
        ("function", "operation", "reason"),
        [
            (lambda x: x[:, :, 1:], "aten.slice", "leaves values out"),
            (lambda x: x[:, :, ::2], "aten.slice", "leaves values out"),
            (lambda x: x.roll(1, 3), "aten.roll", "does not know"),
            (lambda x: x.flip(2), "aten.flip", "does not know"),
            (lambda x: x.flip((1, 2)), "aten.flip", "does not know"),
            (lambda x: x.permute(0, 1, 3, 2), "aten.permute", "moves them"),
            (lambda x: F.pad(x, (-1, 0, 0, 0)), "aten.pad", "leaves values out"),
            (lambda x: x.chunk(2, 3)[1], "aten.chunk", "leaves values out"),
            (lambda x: x.transpose(2, 3), "aten.transpose", "moves them"),
            (lambda x: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2), "aten.permute", "moves them"),
            (lambda x: x.flatten(2).roll(1, 2).view_as(x), "aten.view_as", "does not have the axes"),
            (lambda x: F.pixel_unshuffle(x, 2).flatten(1).view(1, 1, 8, 8), "aten.view", "does not have the axes"),
            (lambda x: torch.fft.irfft2(torch.fft.rfft2(x)), "aten.fft_irfft2", "unknown ways"),
            (lambda x: F.conv_transpose2d(x, torch.ones(1, 1, 2, 2)), "aten.conv_transpose2d", "crops its output"),
        ],
    )
    def test_operations(self, function, operation, reason):
        report = padding_report(Named(function), (1, 8, 8))
        assert not report.is_complete
        assert [(entry.module, entry.operation) for entry in report.unread] == [("", operation)]
        assert reason in report.unread[0].reason
        assert f"not read: {operation} in (outermost)" in repr(report)

    def test_layers_that_read_other_axes(self):
        class Lines(nn.Module):
            def forward(self, x):
                return x * F.avg_pool1d(x.flatten(2), 3, stride=1, padding=1).view(x.shape)

        report = padding_report(nn.Sequential(Lines(), nn.Conv2d(1, 1, 3)), (1, 8, 8))
        assert [entry.operation for entry in report.unread] == ["aten.avg_pool1d", "aten.view"]
        assert [layer.module for layer in report.layers] == ["1"]

    @pytest.mark.parametrize(
        ("cut", "operation"),
        [
            (lambda x: x.unfold(2, 3, 2).unfold(3, 3, 2).flatten(4).mean(4).flatten(1).sum(1), "aten.unfold"),
            (lambda x: x.as_strided((1, 1, 3, 3, 3), (64, 64, 16, 2, 1)).flatten(1).sum(1), "aten.as_strided"),
        ],
    )
    def test_windows_that_are_cut_out_and_never_put_back(self, cut, operation):
        class Cut(nn.Module):
            def forward(self, x):
                return cut(x)

        report = padding_report(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), Cut()), (1, 8, 8))
        assert (report.unread[0].module, report.unread[0].operation) == ("1", operation)
        assert "cuts windows out" in report.unread[0].reason

    def test_windows_of_channels_leave_positions_alone(self):
        class Groups(nn.Module):
            def forward(self, x):
                return x.unfold(1, 2, 2).mean(-1)

        report = padding_report(nn.Sequential(nn.Conv2d(1, 4, 3), Groups()), (1, 8, 8), foveation=False)
        assert "cuts windows out" not in repr(report)

    def test_products_with_flattened_positions(self):
        class Product(nn.Module):
            def __init__(self, shape):
                super().__init__()
                self.matrix = nn.Parameter(torch.ones(64, 16))
                self.shape = shape

            def forward(self, x):
                return (x.flatten(2) @ self.matrix).view(self.shape)

        report = padding_report(nn.Sequential(nn.Conv2d(1, 1, 1), Product((1, 1, 4, 4))), (1, 8, 8))
        assert [entry.operation for entry in report.unread] == ["aten.view"]
        # as a fully connected layer does it
        assert padding_report(nn.Sequential(nn.Conv2d(1, 1, 1), Product((1, 16))), (1, 8, 8)).is_complete

    def test_a_crop_in_a_branch_that_ends_early(self):
        class TwoHeads(nn.Module):
            def forward(self, x):
                return x[..., :-1].mean((2, 3)) + (2 * x).mean((2, 3))

        report = padding_report(nn.Sequential(nn.Conv2d(1, 1, 3), TwoHeads()), (1, 8, 8))
        assert [(entry.module, entry.operation) for entry in report.unread] == [("1", "aten.slice")]

    def test_padding_that_no_layer_reads(self):
        report = padding_report(nn.Sequential(nn.Conv2d(1, 1, 3), nn.ZeroPad2d(1)), (1, 8, 8))
        assert [(entry.module, entry.operation) for entry in report.unread] == [("1", "aten.pad")]

    def test_causal_convolutions(self):
        module = nn.Sequential(nn.Conv1d(1, 1, 3, padding=2), Chomp(2), nn.ReLU(), nn.Conv1d(1, 1, 3))
        report = padding_report(module, (1, 8))
        assert [entry.module for entry in report.unread] == ["1"]
        assert report.is_even
        assert report.asymmetry[0] > 0.3
        assert "something else makes the map asymmetric" in repr(report)
        padding_only = padding_report(nn.Sequential(nn.ConstantPad1d((2, 0), 0.0), nn.Conv1d(1, 1, 3)), (1, 8))
        assert padding_only.layers[0].used == ((2, 0),)
        assert padding_only.is_complete

    def test_networks_that_leave_positions_alone_are_complete(self):
        module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Hardswish(), SqueezeExcitation(4))
        more = nn.Sequential(module, nn.ChannelShuffle(2), nn.PixelShuffle(2), nn.Dropout2d(), nn.Conv2d(1, 1, 3))
        assert padding_report(more, (1, 9, 9)).is_complete
        assert padding_report(vgg(), (3, 40, 40)).is_complete

    @pytest.mark.parametrize(
        "function",
        [
            lambda x: x.view(1, 2, 2, 10, 8).transpose(1, 2).reshape(x.shape),
            lambda x: x.view(1, 2, 2, 10, 8).permute(0, 2, 1, 3, 4).reshape(x.shape),
            lambda x: torch.stack(x.chunk(2, 1)).sum(0).repeat(1, 2, 1, 1),
            lambda x: x[:, 1:3].repeat(1, 2, 1, 1),
            lambda x: x.flip(1),
            lambda x: x.mean(1).unsqueeze(1).expand(1, 4, 10, 8),
            lambda x: x * x.mean((2, 3)).sigmoid().view(1, 4, 1, 1).expand_as(x),
            lambda x: x + F.adaptive_avg_pool2d(x, (10, 8)),
        ],
    )
    def test_operations_on_channels_are_followed(self, function):
        class Channels(nn.Module):
            def forward(self, x):
                return function(x)

        module = nn.Sequential(nn.ZeroPad2d((0, 0, 1, 1)), Channels(), nn.Conv2d(4, 1, 3))
        report = padding_report(module, (4, 8, 8), foveation=False)
        assert report.is_complete
        assert report.layers[0].padding == ((1, 1), (0, 0))

    def test_a_series_that_gets_an_axis(self):
        class OneImage(nn.Module):
            def forward(self, x):
                return x.unsqueeze(1)

        layers = [OneImage(), nn.Conv2d(1, 2, (1, 4), stride=(1, 2), padding=(0, 1)), nn.ELU(), nn.AvgPool2d((3, 2))]
        report = padding_report(nn.Sequential(*layers), (3, 11))
        assert report.is_complete
        assert [layer.size for layer in report.layers] == [(11,), (5,)]
        assert report.layers[0].used == ((1, 0),)
        assert report.layers[1].dropped == (1,)

    def test_a_u_net_names_its_transposed_convolution(self):
        report = padding_report(UNet(), (1, 8, 8))
        assert [(entry.module, entry.operation) for entry in report.unread] == [("up", "aten.conv_transpose2d")]

    def test_a_network_without_a_map_says_why(self):
        report = padding_report(nn.Sequential(nn.Conv2d(1, 1, 3), Power()), (1, 8, 8))
        assert np.isnan(report.asymmetry).all()
        assert "aten.pow in '1'" in report.asymmetry_error
        assert "no map of paths" in repr(report)


class Power(nn.Module):
    def forward(self, x):
        return x**3


def test_the_table_and_its_html():
    report = padding_report(ResNet(), (3, 64, 64))
    lines = repr(report).splitlines()
    assert lines[0] == "Padding of ResNet, input (3, 64, 64)"
    assert re.match(r"conv1 +convolution +64x64 +7x7 +2x2 +zeros +3\+3 +3\+2 +NO", lines[2])
    html = report._repr_html_()
    assert html.count("<tr") == 1 + len(report.layers)
    assert html.count("background") == sum(not layer.even or any(layer.dropped) for layer in report.layers)
    assert len(pd.DataFrame(report.layers)) == len(report.layers)


def test_names_are_escaped():
    report = padding_report(nn.ModuleDict({"<b>": nn.Conv1d(1, 1, 1)})["<b>"], (1, 4))
    assert "<b>" not in report._repr_html_()
    module = nn.Sequential()
    module.add_module("<b>", nn.Conv1d(1, 1, 1))
    assert "&lt;b&gt;" in padding_report(module, (1, 4))._repr_html_()


class TestEstimators:
    def fitted(self, **kwargs):
        X, y = make_glyphs(40, 12, random_state=0)
        settings = {"strides": 2, "max_iter": 1, "device": "cpu", "random_state": 0, "even_padding": "fix"} | kwargs
        return ConvNetClassifier((4, 4), **settings).fit(X, y)

    @pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate", "symmetric", "partial"])
    def test_every_padding_mode_is_read(self, mode):
        with pytest.warns(UserWarning, match="unread") if mode != "circular" else nullcontext():
            model = self.fitted(padding_mode=mode, even_padding="warn")
        report = padding_report(model)
        assert report.input_shape == (1, 12, 12)
        assert [layer.mode for layer in report.layers] == ["zeros" if mode == "partial" else mode] * 2
        assert [layer.used for layer in report.layers] == [((1, 0),) * 2] * 2
        assert report.is_complete
        assert min(report.asymmetry) > 0.3

    @pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate", "symmetric", "partial", "valid"])
    def test_further_lines_are_padding_of_the_first_layer(self, mode):
        report = padding_report(self.fitted(padding_mode=mode))
        lines = {"circular": 0, "valid": 3}.get(mode, 1)
        own = 0 if mode == "valid" else 1
        assert report.layers[0].padding == ((own + lines // 2, own + lines - lines // 2),) * 2
        assert report.layers[1].padding == ((own, own),) * 2
        assert report.is_complete
        if mode != "circular":
            assert [layer.leftover for layer in report.layers] == [(0, 0), (0, 0)]
            assert report.layers[0].used == report.layers[0].padding

    def test_ensembles_and_sizes(self):
        model = self.fitted(n_ensemble=2, padding_mode="zeros", even_padding="warn", strides=1)
        assert padding_report(model).is_even
        assert valid_image_sizes(model, 10, 12).tolist() == [10, 11, 12]
        assert valid_image_sizes(model, 10, 12, n_channels=1, n_axes=2).tolist() == [10, 11, 12]
        for other in ({"n_channels": 3}, {"n_axes": 1}):
            with pytest.raises(ValueError, match="fitted on rows with n_channels=1 and n_axes=2, got"):
                valid_image_sizes(model, 10, 12, **other)
        assert [kernel.mean_kernel.shape for kernel in kernel_asymmetry(model)] == [(3, 3), (3, 3)]
        assert [bias.deviation.shape for bias in feature_map_bias(model)] == [(12, 12), (12, 12)]

    def test_series(self):
        X = np.random.default_rng(0).normal(size=(40, 3, 20))
        with pytest.warns(UserWarning, match="unread"):
            model = ConvNetRegressor((4, 4), strides=2, max_iter=1, device="cpu", random_state=0).fit(X, X[:, 0, -1])
        report = padding_report(model)
        assert [layer.used for layer in report.layers] == [((1, 0),), ((1, 0),)]
        assert foveation_map(model)[-1] < foveation_map(model).mean()
        field = effective_receptive_field(model, position=(-1,))
        assert np.flatnonzero(field).tolist() == list(range(13, 20))

    def test_an_estimator_must_be_fitted(self):
        with pytest.raises(NotFittedError):
            padding_report(ConvNetClassifier())


@pytest.mark.parametrize(("low", "high"), [(0, 5), (7, 6), (3.0, 6), ("a", 6)])
def test_wrong_ranges(low, high):
    with pytest.raises(ValueError, match="1 <= low <= high"):
        valid_image_sizes(nn.Conv1d(1, 1, 1), low, high)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"n_channels": 0}, "n_channels must be"), ({"n_channels": 1.5}, "n_channels must be"), ({"n_axes": 4}, "n_axes")],
)
def test_wrong_channels_and_axes(given, message):
    with pytest.raises(ValueError, match=message):
        valid_image_sizes(nn.Conv1d(1, 1, 1), 3, 5, **given)


def test_sizes_that_no_network_accepts():
    with pytest.raises(ValueError, match="does not accept an input"):
        valid_image_sizes(nn.Conv1d(1, 1, 9), 3, 5)
    with pytest.raises(ValueError, match="n_channels and n_axes are needed"):
        valid_image_sizes(nn.AvgPool2d(2), 3, 5)
    assert valid_image_sizes(nn.AvgPool2d(2), 3, 6, n_channels=1, n_axes=2).tolist() == [4, 6]
