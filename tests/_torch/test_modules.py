"""Layers against torch's own, and members against networks of their own."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from skpapers._torch.modules import ACTIVATIONS, BatchNorm, Dropout, PeriodicEmbedding
from skpapers._torch.predictor import Predictor
from skpapers._torch.scaling_layers import FixedScaling
from tests._torch._nets import generators, mlp, rows


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_network_is_a_sequence_of_torchs_layers(activation):
    X, _ = rows()
    network = mlp(0, activation=activation)
    torchs = {
        "identity": nn.Identity(),
        "logistic": nn.Sigmoid(),
        "tanh": nn.Tanh(),
        "relu": nn.ReLU(),
        "silu": nn.SiLU(),
        "softplus": nn.Softplus(),
    }
    x = X
    for i, linear in enumerate(network.linears):
        x = F.linear(x, linear.weight.T, linear.bias)
        x = torchs[activation](x) if i < 2 else x
    torch.testing.assert_close(network(X), x, rtol=0, atol=1e-12)


def test_gradients_are_those_of_torchs_layers():
    X, y = rows()
    network = mlp(0)
    found = torch.autograd.grad(F.cross_entropy(network(X), y), list(network.parameters()))
    linears = [nn.Linear(*linear.weight.shape, dtype=torch.float64) for linear in network.linears]
    for ours, theirs in zip(network.linears, linears, strict=True):
        theirs.weight.data = ours.weight.data.T.clone()
        theirs.bias.data = ours.bias.data.clone()
    plain = nn.Sequential(linears[0], nn.ReLU(), linears[1], nn.ReLU(), linears[2])
    F.cross_entropy(plain(X), y).backward()
    for i, linear in enumerate(linears):
        torch.testing.assert_close(found[2 * i], linear.weight.grad.T, rtol=0, atol=1e-12)
        torch.testing.assert_close(found[2 * i + 1], linear.bias.grad, rtol=0, atol=1e-12)


def test_batch_normalisation_is_torchs_for_each_member():
    x = torch.randn(2, 12, 4, dtype=torch.float64, generator=generators(0)[0]) * 3 + 1
    ours = BatchNorm(4, 2, torch.float64)
    theirs = nn.ModuleList(nn.BatchNorm1d(4, dtype=torch.float64) for _ in range(2))
    with torch.no_grad():
        ours.weight.copy_(torch.arange(1.0, 9.0).reshape(2, 4))
        for k, layer in enumerate(theirs):
            layer.weight.copy_(ours.weight[k])
    for _ in range(3):
        torch.testing.assert_close(ours(x), torch.stack([t(row) for t, row in zip(theirs, x, strict=True)]))
    for k, layer in enumerate(theirs):
        torch.testing.assert_close(ours.running_mean[k], layer.running_mean)
        torch.testing.assert_close(ours.running_var[k], layer.running_var)
    ours.eval()
    theirs.eval()
    torch.testing.assert_close(ours(x), torch.stack([t(row) for t, row in zip(theirs, x, strict=True)]))


def test_batch_normalisation_of_one_row_uses_what_is_stored():
    layer = BatchNorm(4, 1, torch.float64)
    x = torch.ones(1, 4, dtype=torch.float64)
    assert torch.equal(layer(x), layer.eval()(x))


def test_dropout_keeps_the_mean_and_is_off_in_evaluation():
    layer = Dropout(0.25)
    layer.generators = generators(0)
    x = torch.ones(400, 50)
    dropped = layer(x)
    assert (dropped == 0).double().mean().item() == pytest.approx(0.25, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(layer.eval()(x), x)


def test_the_embedding_is_its_formula():
    x = torch.randn(6, 3, dtype=torch.float64, generator=generators(0)[0])
    layer = PeriodicEmbedding(3, 2, torch.float64)
    for k, generator in enumerate(generators(1, 2)):
        layer.draw(k, generator)
    out = layer(torch.stack([x, 2 * x]))
    assert out.shape == (2, 6, 3 * layer.width)
    for k in range(2):
        xk = (k + 1) * x
        torch.testing.assert_close(out[k, :, :3], xk)
        for j in range(3):
            waves = torch.cos(xk[:, j : j + 1] * layer.frequency[k, j, :, 0] + layer.shift[k, j, :, 0])
            torch.testing.assert_close(
                out[k, :, 3 + j * (layer.width - 1) : 3 + (j + 1) * (layer.width - 1)],
                waves @ layer.weight[k, j].T,
            )


def test_members_are_networks_of_their_own():
    X, _ = rows()
    kwargs = {"numeric_embedding": "periodic", "activation": "silu"}
    together = mlp(5, 6, 7, **kwargs)
    for k, seed in enumerate((5, 6, 7)):
        torch.testing.assert_close(together(X)[k], mlp(seed, **kwargs)(X), rtol=0, atol=1e-12)


def test_the_scaling_clips_smoothly():
    layer = FixedScaling(np.array([1.0, 0.0]), np.array([2.0, 0.0]), 3.0)
    out = layer(torch.tensor([[1.0, 5.0], [2.0, -5.0], [1e200, 0.0]], dtype=torch.float64))
    expected = [[0.0, 0.0], [2.0 / np.sqrt(1.0 + 4.0 / 9.0), 0.0], [3.0, 0.0]]
    np.testing.assert_allclose(out, expected, rtol=1e-12)


@pytest.mark.parametrize("units", [1, 3])
def test_logits_of_an_ensemble_have_the_mean_probabilities(units):
    X, _ = rows()
    network = mlp(0, 1, 2, units=units)
    logits = Predictor(None, network, "probabilities", single=units == 1)(X)
    if units == 1:
        torch.testing.assert_close(torch.sigmoid(logits), torch.sigmoid(network(X)).mean(dim=0)[:, 0])
    else:
        torch.testing.assert_close(torch.softmax(logits, dim=1), torch.softmax(network(X), dim=2).mean(dim=0))
    mean = Predictor(None, network, "mean", (np.full(units, 2.0), np.full(units, 3.0)), single=units == 1)(X)
    torch.testing.assert_close(mean, (network(X).mean(dim=0) * 3.0 + 2.0).squeeze(-1))


def test_features_are_what_the_last_layer_sees():
    X, _ = rows()
    for network in (mlp(0, batch_norm=True), mlp(0, 1, dropout=0.1)):
        network.eval()
        torch.testing.assert_close(network(X), network.linears[-1](network.features(X)), rtol=0, atol=0)
        assert network.features(X).shape[-1] == 6
