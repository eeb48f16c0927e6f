"""Mean kernels and responses to constant inputs, against values by hand."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from skpapers.convolution import feature_map_bias, kernel_asymmetry
from tests.convolution._networks import Functional


def test_kernel_asymmetry():
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 3, 1), Functional())
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 0, 0]]).expand(3, 2, 3, 3))
    found = kernel_asymmetry(module)
    assert [kernel.module for kernel in found] == ["0", "2.kernel", "2.conv1"]
    assert_allclose(found[0].asymmetry, [0, np.sqrt(2)], rtol=1e-6)
    mean = module[2].kernel.detach().double().mean(dim=(0, 1)).numpy()
    assert_allclose(found[1].mean_kernel, mean)
    expected = np.linalg.norm(mean - mean[::-1]) / np.linalg.norm(mean)
    assert_allclose(found[1].asymmetry[0], expected)


def test_the_response_to_a_constant_shows_padding_as_far_as_it_reaches():
    def lines(mode):
        layers = [nn.Conv2d(1, 3, 3, padding=1, padding_mode=mode), nn.ReLU(inplace=True)]
        layers += [nn.Conv2d(3, 3, 3, padding=1, padding_mode=mode), nn.ReLU(inplace=True)]
        return feature_map_bias(nn.Sequential(*layers), (1, 12, 12), value=2.0)

    first, second = lines("zeros")
    assert (first.module, second.module) == ("0", "2")
    assert first.deviation[0].min() > 1e-3
    assert first.deviation[1:-1, 1:-1].max() < 1e-6
    assert second.deviation[1, 5] > 1e-4
    assert second.deviation[2:-2, 2:-2].max() < 1e-6
    for mode in ("circular", "replicate", "reflect"):
        assert max(bias.deviation.max() for bias in lines(mode)) < 1e-6


def test_responses_are_averaged_over_data():
    module = nn.Conv1d(1, 1, 1)
    X = np.zeros((4, 1, 5))
    X[:, 0, 4] = [1, 2, 3, 4]
    (bias,) = feature_map_bias(module, (1, 5), X=X)
    weight = abs(float(module.weight.detach()))
    assert_allclose(bias.deviation[4], 2.5 * weight / abs(float(module.bias.detach())), rtol=1e-5)
    with pytest.raises(ValueError, match=r"X must have the shape \(n_samples, 1, 5\)"):
        feature_map_bias(module, (1, 5), X=X[0])
