"""The layer against its dense form, and where it starts."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd.forward_ad import dual_level, make_dual, unpack_dual

from skpapers.neural_network import MonarchLinear, _monarch_rows, monarch_project

SIZES = [(16, 16, {}), (7, 12, {}), (30, 11, {}), (13, 13, {"n_blocks": 4}), (20, 12, {"rank": 2}), (1, 3, {})]


def layer(n_in, n_out, **kwargs):
    torch.manual_seed(0)
    return MonarchLinear(n_in, n_out, dtype=torch.float64, **kwargs)


@pytest.mark.parametrize(("n_in", "n_out", "kwargs"), SIZES)
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_dense_layer_of_its_matrix(n_in, n_out, kwargs, bias):
    ours = layer(n_in, n_out, bias=bias, **kwargs)
    theirs = nn.Linear(n_in, n_out, bias=bias, dtype=torch.float64)
    theirs.weight.data.copy_(ours.to_dense())
    if bias:
        theirs.bias.data.copy_(ours.bias)
    for shape in ((5,), (2, 3), ()):
        x = torch.randn(*shape, n_in, dtype=torch.float64)
        torch.testing.assert_close(ours(x), theirs(x))
        assert ours(x).is_contiguous()


def test_input_that_is_not_contiguous_and_no_rows():
    ours = layer(6, 8)
    x = torch.randn(6, 4, 3, dtype=torch.float64).permute(2, 1, 0)
    torch.testing.assert_close(ours(x), ours(x.contiguous()))
    assert ours(torch.zeros(0, 6, dtype=torch.float64)).shape == (0, 8)


@pytest.mark.parametrize(("n_in", "n_out", "kwargs"), SIZES)
def test_gradients(n_in, n_out, kwargs):
    ours = layer(n_in, n_out, **kwargs)
    x = torch.randn(3, n_in, dtype=torch.float64, requires_grad=True)
    parameters = tuple(ours.parameters())
    names = [name for name, _ in ours.named_parameters()]

    def function(x, *values):
        return torch.func.functional_call(ours, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(function, (x, *parameters))


@pytest.mark.parametrize(("n_in", "n_out", "kwargs"), SIZES)
def test_second_derivatives_and_transforms(n_in, n_out, kwargs):
    ours = layer(n_in, n_out, **kwargs)
    x = torch.randn(4, n_in, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(ours, x)
    each = torch.func.vmap(torch.func.jacrev(lambda row: ours(row).square().sum()))(x)
    (whole,) = torch.autograd.grad(ours(x).square().sum(), x)
    torch.testing.assert_close(each, whole)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("n_in", "n_out"), [(7, 12), (12, 7), (16, 16), (1, 4), (4, 1)])
def test_many_rows_are_taken_a_few_at_a_time(monkeypatch, n_in, n_out, bias):
    monkeypatch.setattr(_monarch_rows, "CHUNK", 1)
    monkeypatch.setattr(_monarch_rows, "FEWEST_ROWS", 3)
    ours = layer(n_in, n_out, bias=bias)
    x = torch.randn(10, n_in, dtype=torch.float64)
    before = x.clone()
    with_gradient = ours(x)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), with_gradient)
        torch.testing.assert_close(ours(x.T.contiguous().T), with_gradient)
        torch.testing.assert_close(torch.func.vmap(ours)(x.view(2, 5, n_in)).view(10, n_out), with_gradient)
        _, tangent = torch.func.jvp(ours, (x,), (torch.ones_like(x),))
        torch.testing.assert_close(tangent, ours.to_dense().sum(dim=1).expand(10, n_out))
        assert ours(x).is_contiguous()
    assert torch.equal(x, before)


@pytest.mark.parametrize("rows", [2, 10])
@pytest.mark.parametrize("names", [("L", "R", "bias"), ("L",), ("R",), ("bias",)])
def test_a_batch_of_weights_without_a_gradient(monkeypatch, rows, names):
    monkeypatch.setattr(_monarch_rows, "CHUNK", 1)
    monkeypatch.setattr(_monarch_rows, "FEWEST_ROWS", 3)
    ours = layer(7, 12).requires_grad_(False)
    x = torch.randn(rows, 7, dtype=torch.float64)
    weights = {name: torch.stack([getattr(ours, name), 2.0 * getattr(ours, name)]) for name in names}
    found = torch.func.vmap(lambda values: torch.func.functional_call(ours, values, (x,)))(weights)
    for k in range(2):
        expected = torch.func.functional_call(ours, {name: value[k] for name, value in weights.items()}, (x,))
        torch.testing.assert_close(found[k], expected)


@pytest.mark.parametrize("rows", [2, 10])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_without_a_gradient(monkeypatch, rows, dtype):
    monkeypatch.setattr(_monarch_rows, "CHUNK", 1)
    monkeypatch.setattr(_monarch_rows, "FEWEST_ROWS", 3)
    ours = layer(7, 12).float()
    x = torch.randn(rows, 7, dtype=dtype)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = ours(x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), ours(x.float()), rtol=0.05, atol=0.05)


def test_tangents_of_many_rows(monkeypatch):
    monkeypatch.setattr(_monarch_rows, "CHUNK", 1)
    monkeypatch.setattr(_monarch_rows, "FEWEST_ROWS", 3)
    ours = layer(7, 12)
    x = torch.randn(10, 7, dtype=torch.float64)
    with torch.no_grad(), dual_level():
        y, tangent = unpack_dual(ours(make_dual(x, torch.ones_like(x))))
        torch.testing.assert_close(y, ours(x))
        torch.testing.assert_close(tangent, ours.to_dense().sum(dim=1).expand(10, 12))


def test_shapes_on_a_device_without_autocast():
    ours = layer(7, 12).to("meta")
    with torch.no_grad():
        assert ours(torch.zeros(9000, 7, dtype=torch.float64, device="meta")).shape == (9000, 12)


def test_parameters_of_square_layers():
    ours = MonarchLinear(1024, 1024, bias=False)
    assert sum(p.numel() for p in ours.parameters()) == 2 * 32**3


def test_factors_start_within_the_root_of_their_fan_in():
    ours = layer(64, 256)
    for factor in (ours.L, ours.R):
        limit = factor.shape[-1] ** -0.5
        assert 0.95 * limit < factor.abs().max().item() <= limit
    assert 0.9 / 8.0 < ours.bias.abs().max().item() <= 1.0 / 8.0  # in_features, not out_features


def test_the_projection_of_a_dense_layer():
    dense = nn.Linear(20, 12)
    ours = MonarchLinear.from_dense(dense.weight, dense.bias, rank=2)
    residual = monarch_project(dense.weight.detach().double().numpy(), rank=2).residual
    assert ours.L.dtype == torch.float32
    assert ((ours.to_dense() - dense.weight) ** 2).sum().item() == pytest.approx(residual, rel=1e-4)
    assert torch.equal(ours.bias, dense.bias)
    again = MonarchLinear.from_dense(ours.to_dense(), rank=2)
    assert again.bias is None
    torch.testing.assert_close(again.to_dense(), ours.to_dense(), rtol=1e-4, atol=1e-5)


def test_arrays_become_layers_of_the_default_dtype():
    W = np.arange(12.0).reshape(3, 4)
    ours = MonarchLinear.from_dense(W, n_blocks=1, rank=3)
    assert ours.L.dtype == torch.float32
    np.testing.assert_allclose(ours.to_dense().detach().numpy(), W, atol=1e-4)


def test_arrays_of_any_layout_and_tensors_of_integers():
    W = np.arange(12.0).reshape(3, 4)
    expected = MonarchLinear.from_dense(W, [1.0, 2.0, 3.0])
    for other in (W.astype(">f8"), W[::-1].copy()[::-1], np.asfortranarray(W), W.tolist(), torch.arange(12).view(3, 4)):
        ours = MonarchLinear.from_dense(other, np.array([3, 2, 1])[::-1])
        assert torch.equal(ours.to_dense(), expected.to_dense())
        assert torch.equal(ours.bias, expected.bias)


def test_arrays_are_projected_in_float64():
    W = np.random.default_rng(0).normal(size=(4, 4)) * 1e60
    with pytest.raises(ValueError, match="bias has shape"):
        MonarchLinear.from_dense(W, [1.0])
    factors = monarch_project(W)
    torch.testing.assert_close(MonarchLinear.from_dense(W).L, torch.from_numpy(factors.L).float(), rtol=0.0, atol=0.0)


@pytest.mark.parametrize("bias", [True, False])
def test_forward_mode_and_hessians(bias):
    ours = layer(7, 12, bias=bias)
    x = torch.randn(7, dtype=torch.float64)
    torch.testing.assert_close(torch.func.jacfwd(ours)(x), ours.to_dense())
    hessian = torch.func.hessian(lambda x: ours(x).square().sum())(x)
    torch.testing.assert_close(hessian, 2.0 * ours.to_dense().T @ ours.to_dense())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    ours = layer(7, 12).to(dtype)
    x = torch.randn(5, 7).to(dtype)
    expected = x.double() @ ours.to_dense().double().T + ours.bias.double()
    assert ours(x).dtype == dtype
    torch.testing.assert_close(ours(x).double(), expected, rtol=0.05, atol=0.05)


def test_copies_and_saved_states():
    ours = layer(10, 14)
    x = torch.randn(2, 10, dtype=torch.float64)
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert torch.equal(other(x), ours(x))
    fresh = layer(10, 14)
    fresh.reset_parameters()
    assert not torch.equal(fresh(x), ours(x))
    fresh.load_state_dict(ours.state_dict())
    assert torch.equal(fresh(x), ours(x))


def test_it_learns_inside_a_network():
    torch.manual_seed(0)
    X = torch.randn(256, 16)
    y = X @ torch.randn(16, 16)
    network = nn.Sequential(MonarchLinear(16, 64), nn.ReLU(), MonarchLinear(64, 16))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    first = None
    for _ in range(200):
        optimizer.zero_grad()
        loss = ((network(X) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        first = loss.item() if first is None else first
    assert loss.item() < 0.2 * first


def test_errors_and_representation():
    ours = layer(16, 9, n_blocks=3)
    with pytest.raises(ValueError, match="x has 4 features, and the layer 16"):
        ours(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="at least one row and one column"):
        MonarchLinear(0, 4)
    with pytest.raises(ValueError, match="n_blocks=99"):
        MonarchLinear(4, 4, n_blocks=99)
    assert repr(ours) == "MonarchLinear(in_features=16, out_features=9, bias=True, blocks=(3, 3), rank=1)"
