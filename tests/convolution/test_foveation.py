"""Maps of paths against brute force, and the figures of the paper."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from torch.nn.utils import weight_norm

from skpapers.convolution import effective_receptive_field, foveation_map, padding_report
from skpapers.convolution._mind_the_pad import flip_asymmetry
from tests.convolution._networks import (
    BasicBlock,
    Chomp,
    Functional,
    ResNet,
    SqueezeExcitation,
    SymmetricPad,
    UNet,
    brute_force_map,
    linear_twin,
    vgg,
)

MODES = ("zeros", "reflect", "replicate", "circular")


def asymmetry(*args, **kwargs):
    return flip_asymmetry(foveation_map(*args, **kwargs))


# Against brute force ----------------------------------------------------------------------------------------------


def stack(mode, **kwargs):
    layers = [nn.Conv2d(2, 4, 3, padding=1, padding_mode=mode, **kwargs), nn.BatchNorm2d(4), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(4, 3, 3, padding=1, padding_mode=mode), nn.ReLU())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("kwargs", [{}, {"stride": 2}, {"groups": 2}, {"dilation": 2}], ids=str)
def test_stacks_equal_brute_force(mode, size, kwargs):
    module = stack(mode, **kwargs)
    expected = brute_force_map(linear_twin(copy.deepcopy(module)), (2, size, size))
    assert_allclose(foveation_map(module, (2, size, size)), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("size", [15, 16])
def test_max_pooling_with_padding_equals_brute_force(size):
    layers = [nn.Conv2d(1, 2, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(2, 2, 3, padding=1)]
    module = nn.Sequential(*layers)
    expected = brute_force_map(linear_twin(copy.deepcopy(module)), (1, size, size))
    assert_allclose(foveation_map(module, (1, size, size)), expected, rtol=0, atol=1e-10)


def test_residual_networks_equal_brute_force():
    module = nn.Sequential(BasicBlock(1, 1, 2), BasicBlock(1, 1, 1))
    expected = brute_force_map(linear_twin(copy.deepcopy(module)), (1, 10, 10))
    assert_allclose(foveation_map(module, (1, 10, 10)), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_functions_inside_forward_equal_brute_force(mode):
    def forward(x):
        x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode=mode), torch.full((4, 1, 3, 3), 1 / 9).double(), stride=2)
        kernel = torch.full((4, 2, 3, 3), 1 / 18).double()
        x = F.conv2d(F.pad(x, (2, 2, 2, 2), mode=mode), kernel, dilation=2, groups=2)
        return F.avg_pool2d(x, 3, stride=2, padding=1)

    module = Functional(mode)
    assert_allclose(foveation_map(module, (1, 12, 12)), brute_force_map(forward, (1, 12, 12)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), [(3, 2, 1, 1), (2, 2, 0, 2), (3, 2, 0, 1)])
def test_any_max_pooling_counts_as_the_mean_of_its_window(kernel, stride, padding, dilation, ceil_mode):
    module = nn.MaxPool1d(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    size = 10
    n_outputs = module(torch.zeros(1, 1, size)).shape[-1]
    counts = np.zeros(size)
    for i in range(n_outputs):
        for j in range(kernel):
            place = i * stride + j * dilation - padding
            if 0 <= place < size:
                counts[place] += 1
    found = foveation_map(nn.Sequential(nn.Conv1d(1, 1, 1), module), (1, size))
    assert_allclose(found, counts / counts.max(), rtol=0, atol=1e-12)


def test_padding_written_by_hand_equals_brute_force():
    module = nn.Sequential(SymmetricPad(2), nn.Conv2d(1, 1, 5), nn.ReLU(), SymmetricPad(), nn.Conv2d(1, 1, 3))
    expected = brute_force_map(linear_twin(copy.deepcopy(module)), (1, 7, 8))
    assert_allclose(foveation_map(module, (1, 7, 8)), expected, rtol=0, atol=1e-10)


def test_values_written_into_a_buffer_equal_brute_force():
    class Buffered(nn.Module):
        def __init__(self, like):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3, stride=2)
            self.like = like

        def forward(self, x):
            shape = (len(x), 1, x.shape[2] + 2, x.shape[3] + 2)
            padded = x.new_zeros(shape) if self.like else torch.zeros(shape, dtype=x.dtype)
            padded[:, :, 1:-1, 1:-1] = x
            return F.relu(self.conv(padded))

    expected = foveation_map(nn.Conv2d(1, 2, 3, stride=2, padding=1), (1, 8, 8))
    for like in (True, False):
        assert_allclose(foveation_map(Buffered(like), (1, 8, 8)), expected, rtol=0, atol=1e-12)


# Figures ----------------------------------------------------------------------------------------------------------


def strided(depth, mode="zeros"):
    layers = []
    for _ in range(depth):
        layers += [nn.Conv2d(1, 1, 3, stride=2, padding=1, padding_mode=mode), nn.BatchNorm2d(1), nn.ReLU()]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_map_is_symmetric_at_valid_sizes_only(mode, depth):
    module = strided(depth, mode)
    for a in (2, 3):
        size = 2**depth * a
        assert asymmetry(module, (1, size + 1, size + 1)).max() < 1e-12
        if mode != "circular":
            assert asymmetry(module, (1, size, size)).min() > 0.3


@pytest.mark.parametrize("mode", ["circular", "replicate"])
def test_without_strides_the_map_is_uniform_where_padding_repeats_the_input(mode):
    layers = [nn.Conv2d(2, 2, 3, padding=1, padding_mode=mode) for _ in range(4)]
    assert_allclose(foveation_map(nn.Sequential(*layers), (2, 12, 12)), 1.0, rtol=1e-12)
    symmetric = nn.Sequential(SymmetricPad(2), nn.Conv2d(1, 1, 5), nn.ReLU(), SymmetricPad(2), nn.Conv2d(1, 1, 5))
    assert_allclose(foveation_map(symmetric, (1, 12, 12)), 1.0, rtol=1e-12)


def test_zeros_and_reflections_leave_the_corners_behind():
    def corner(mode):
        layers = [nn.Conv2d(1, 1, 3, padding=1, padding_mode=mode) for _ in range(4)]
        return foveation_map(nn.Sequential(*layers), (1, 20, 20))[0, 0]

    # four-fold convolution of ones with zeros around: the edge keeps 35 / 81 of the paths along each axis
    assert_allclose(corner("zeros"), (35 / 81) ** 2, rtol=1e-12)
    assert 0.2 < corner("reflect") < 0.5


def test_a_resnet_is_even_at_225():
    module = ResNet()
    assert asymmetry(module, (3, 65, 65)).max() < 1e-12
    assert asymmetry(module, (3, 64, 64)).min() > 0.3


# Other networks ---------------------------------------------------------------------------------------------------


def test_series_and_volumes():
    series = nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(3, 3, 3, padding=1))
    expected = brute_force_map(linear_twin(copy.deepcopy(series)), (2, 10))
    assert_allclose(foveation_map(series, (2, 10)), expected, rtol=0, atol=1e-12)
    volume = nn.Sequential(nn.Conv3d(1, 1, 3, padding=1), nn.ReLU(), nn.Conv3d(1, 1, 3, stride=2, padding=1))
    expected = brute_force_map(linear_twin(copy.deepcopy(volume)), (1, 4, 4, 4))
    assert_allclose(foveation_map(volume, (1, 4, 4, 4)), expected, rtol=0, atol=1e-12)


def test_gates_count_as_one():
    convolution = nn.Conv2d(1, 4, 3, padding=1)
    gated = nn.Sequential(convolution, SqueezeExcitation(4), nn.Hardswish(), nn.Conv2d(4, 4, 3, padding=1))
    plain = nn.Sequential(convolution, gated[3])
    assert_allclose(foveation_map(gated, (1, 6, 6)), foveation_map(plain, (1, 6, 6)), rtol=1e-12)


def test_normalised_weights_are_equal_weights():
    plain = [nn.Conv1d(1, 4, 3, padding=2), nn.Conv1d(4, 4, 3, padding=2)]
    with pytest.warns(FutureWarning, match="weight_norm"):
        old = nn.Sequential(*(weight_norm(copy.deepcopy(layer)) for layer in plain))
    new = nn.Sequential(*(nn.utils.parametrizations.weight_norm(copy.deepcopy(layer)) for layer in plain))
    expected = foveation_map(nn.Sequential(*plain), (1, 9))
    for module in (old, new):
        assert_allclose(foveation_map(module, (1, 9)), expected, rtol=1e-12)


def test_networks_with_cuts_and_transposed_convolutions():
    causal = nn.Sequential(nn.Conv1d(1, 2, 3, padding=2), Chomp(2), nn.ReLU())
    assert_allclose(foveation_map(causal, (1, 6)), np.array([3, 3, 3, 3, 2, 1]) / 3, rtol=1e-12)
    assert foveation_map(UNet(), (1, 8, 8)).shape == (8, 8)


def test_a_vgg_and_the_layer_to_which_paths_lead():
    module = vgg()
    assert foveation_map(module, (3, 56, 56)).shape == (56, 56)
    first = foveation_map(module, (3, 56, 56), layer="0")
    assert_allclose(first[1:-1, 1:-1], 1.0, rtol=1e-12)
    assert_allclose(first[0, 0], 4 / 9, rtol=1e-12)


def test_fourier_transforms_are_linear():
    class Blurred(nn.Module):
        def forward(self, x):
            return torch.fft.irfft2(torch.fft.rfft2(x), s=x.shape[2:])

    module = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(), Blurred())
    assert_allclose(foveation_map(module, (1, 6, 7)), foveation_map(module[0], (1, 6, 7)), atol=1e-12)


def test_half_precision_and_scripted_networks():
    module = strided(2)
    expected = foveation_map(module, (1, 12, 12))
    assert_array_equal(foveation_map(copy.deepcopy(module).bfloat16(), (1, 12, 12)), expected)
    with pytest.warns(DeprecationWarning, match="jit"):
        scripted = torch.jit.script(copy.deepcopy(module))
    assert_allclose(foveation_map(scripted, (1, 12, 12)), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="did not call the layer '0'"):
        foveation_map(scripted, (1, 12, 12), layer="0")


# What cannot be done ----------------------------------------------------------------------------------------------


class Squared(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3)

    def forward(self, x):
        return self.conv(x).pow(2)


def test_networks_without_a_linear_counterpart_are_refused():
    with pytest.raises(ValueError, match=r"f\(a \+ b\).*not known to be linear: aten.pow in '1'"):
        foveation_map(nn.Sequential(nn.Conv2d(1, 1, 1), Squared()), (1, 8, 8))
    assert foveation_map(nn.Sequential(Squared()), (1, 8, 8), layer="0.conv").shape == (8, 8)


@pytest.mark.parametrize("dims", [1, (2, 3)])
def test_paths_that_cancel_are_refused(dims):
    class Centred(nn.Module):
        def forward(self, x):
            return x - x.mean(dims, keepdim=True)

    module = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2, padding=1), Centred())
    with pytest.raises(ValueError, match="paths of the network cancel each other"):
        foveation_map(module, (1, 15, 14))
    report = padding_report(module, (1, 15, 14))
    assert np.isnan(report.asymmetry).all()
    assert "cancel each other" in report.asymmetry_error
    # one output that reads padding alone is no reason to refuse
    corner = effective_receptive_field(nn.Conv2d(1, 1, 1, padding=1), (1, 4, 4), position=(0, 0))
    assert_array_equal(corner, 0)


def test_attention_is_refused():
    class Attention(nn.Module):
        def forward(self, x):
            scores = (x.transpose(1, 2) @ x).softmax(-1)
            return x @ scores

    with pytest.raises(ValueError, match="no linear counterpart"):
        foveation_map(Attention(), (3, 8))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((8,), "input_shape must be"),
        ((1, 8.0, 8), "input_shape must be"),
        ((1, 0, 8), "input_shape must be"),
        (8, "input_shape must be"),
        (None, "input_shape is needed"),
        ((2, 8, 8), r"Sequential does not accept an input of shape \(1, 2, 8, 8\)"),
    ],
)
def test_wrong_shapes_give_one_line(shape, message):
    with pytest.raises(ValueError, match=message) as raised:
        foveation_map(strided(1), shape)
    assert "\n" not in str(raised.value)


def test_other_wrong_arguments():
    with pytest.raises(ValueError, match=r"has no layer 'x'; its layers: 0, 1, 2"):
        foveation_map(strided(1), (1, 8, 8), layer="x")
    with pytest.raises(TypeError, match="A torch module or a fitted network estimator is needed, got str"):
        foveation_map("resnet18")
    with pytest.raises(ValueError, match="weights must be"):
        foveation_map(strided(1), (1, 8, 8), weights="equal")
    with pytest.raises(ValueError, match="no feature map"):
        foveation_map(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), (1, 2, 2))
    with pytest.raises(ValueError, match="inside of the feature map of sizes \\(4, 4\\)"):
        effective_receptive_field(strided(1), (1, 8, 8), position=(4, 0))


# The module and torch stay as they are ----------------------------------------------------------------------------


def test_module_and_torch_are_left_alone():
    module = ResNet().train()
    module(torch.randn(2, 3, 33, 33)).sum().backward()
    module.maxpool.eval()
    before = copy.deepcopy(module)
    gradients = {name: value.grad.clone() for name, value in module.named_parameters()}
    state = torch.get_rng_state()
    modes = [part.training for part in module.modules()]
    hooks = [(dict(part._forward_hooks), dict(part._forward_pre_hooks)) for part in module.modules()]
    foveation_map(module, (3, 33, 33))
    assert torch.equal(torch.get_rng_state(), state)
    assert [part.training for part in module.modules()] == modes
    assert [(dict(part._forward_hooks), dict(part._forward_pre_hooks)) for part in module.modules()] == hooks
    for name, value in before.state_dict().items():
        assert torch.equal(module.state_dict()[name], value)
    for name, value in module.named_parameters():
        assert torch.equal(gradients[name], value.grad)
        assert value.requires_grad


def test_modes_of_the_caller_change_nothing():
    module = Functional()
    expected = foveation_map(module, (1, 12, 12))
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            assert_array_equal(foveation_map(module, (1, 12, 12)), expected)
            made_inside = Functional().float()
            assert_array_equal(foveation_map(made_inside, (1, 12, 12)), expected)
            assert torch.is_inference_mode_enabled()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.no_grad(), torch.device("meta"):
        assert_array_equal(foveation_map(module, (1, 12, 12)), expected)


# Receptive fields ---------------------------------------------------------------------------------------------------


def test_receptive_fields():
    layers = [nn.Conv2d(1, 1, 3, padding=1) for _ in range(3)]
    field = effective_receptive_field(nn.Sequential(*layers), (1, 15, 15))
    line = np.convolve(np.convolve(np.ones(3), np.ones(3)), np.ones(3)) / 7
    expected = np.zeros((15, 15))
    expected[4:11, 4:11] = np.outer(line, line)
    assert_allclose(field, expected, atol=1e-12)
    corner = effective_receptive_field(nn.Sequential(*layers), (1, 15, 15), position=(0, -1))
    assert_array_equal(corner > 0, np.outer(np.arange(15) < 4, np.arange(15) > 10))


def test_receptive_fields_by_trained_weights():
    module = nn.Conv1d(1, 1, 3, padding=1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[[1.0, -2.0, 0.0]]]))
    assert_allclose(effective_receptive_field(module, (1, 5), weights="trained"), [0, 0.5, 1, 0, 0])


def test_trained_weights_take_the_scale_of_batch_normalisation():
    module = nn.Sequential(nn.Conv1d(2, 2, 1, bias=False, groups=2), nn.BatchNorm1d(2), nn.Conv1d(2, 1, 2, bias=False))
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[1].running_var.copy_(torch.tensor([4.0, 1.0]) - module[1].eps)
        module[1].weight.copy_(torch.tensor([3.0, 1.0]))
        module[2].weight.copy_(torch.tensor([[[1.0, 0.0], [0.0, -0.25]]]))
    # 3 / 2 for each window of the first channel, 1 / 4 for each of the second
    found = foveation_map(module, (2, 3), weights="trained")
    assert_allclose(found, np.array([1.5, 1.75, 0.25]) / 1.75, rtol=1e-6)
