"""The sharpness-aware gradient against a hand computation, the plain gradient, and what must not move."""

import pytest
import torch
from torch import nn

from skpapers._torch.flat import blocks
from skpapers._torch.rows import Rows
from skpapers._torch.sam import sharpness_aware
from skpapers._torch.steps import backward
from tests._torch._nets import mlp, rows, trainer, weights


class Quadratic(nn.Module):
    """The loss w' H w / 2 of two tensors that are one vector."""

    def __init__(self, H, w):
        super().__init__()
        self.H = H
        self.a = nn.Parameter(w[:2].clone())
        self.b = nn.Parameter(w[2:].clone())

    def forward(self, X):
        w = torch.cat([self.a, self.b])
        return w @ self.H @ w / 2


H = torch.tensor([[3.0, 1.0, 0.0], [1.0, 2.0, -1.0], [0.0, -1.0, 5.0]], dtype=torch.float64)
W = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def by_hand(rho, adaptive):
    g = H @ W
    e = rho * (W**2 * g / (W * g).norm() if adaptive else g / g.norm())
    return H @ (W + e)


@pytest.mark.parametrize(("rho", "adaptive"), [(0.3, False), (0.7, True)])
def test_the_gradient_on_a_quadratic(rho, adaptive):
    network = Quadratic(H, W)
    X, y = rows(n=4)
    training = trainer(
        network, 0, gradient=sharpness_aware(rho, adaptive), objective=lambda n, b: n(b.X), update=lambda *_: None
    )
    loss = training.run_epoch(Rows(X, y))
    assert loss.item() == pytest.approx((W @ H @ W / 2).item())
    found = torch.cat([network.a.grad, network.b.grad])
    torch.testing.assert_close(found, by_hand(rho, adaptive), rtol=0, atol=1e-10)
    assert torch.equal(torch.cat([network.a, network.b]).detach(), W)


def test_a_radius_of_zero_is_the_base_gradient():
    assert sharpness_aware(0) is backward


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_come_back_bit_for_bit_and_statistics_stay(dtype):
    X, y = rows(dtype=dtype)
    kwargs = {"activation": "tanh", "batch_norm": True, "dropout": 0.4, "numeric_embedding": "periodic"}
    network = mlp(0, 1, dtype=dtype, **kwargs)
    plain = mlp(0, 1, dtype=dtype, **kwargs)
    before = weights(network)
    passes = []
    network.dropout.register_forward_hook(lambda module, args, out: passes[-1].append(out == 0))

    def watched(net, objective, batch):
        passes.append([])
        return backward(net, objective, batch)

    once = {"update": lambda *_: None, "batch_size": 1000}
    trainer(network, 0, 1, gradient=sharpness_aware(0.5, inner=watched), **once).run_epoch(Rows(X, y))
    trainer(plain, 0, 1, **once).run_epoch(Rows(X, y))
    assert all(torch.equal(a, b) for a, b in zip(before, weights(network), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(network.buffers(), plain.buffers(), strict=True))
    assert len(passes) == 2
    for first, second in zip(*passes, strict=True):
        assert torch.equal(first, second)
        assert 0.3 < first.double().mean() < 0.5


def test_each_member_has_a_norm_of_its_own():
    X, y = rows()
    together = mlp(0, 1)
    trainer(together, 0, 1, gradient=sharpness_aware(0.5), shuffle=False, update=lambda *_: None).run_epoch(Rows(X, y))
    for k in (0, 1):
        alone = mlp(k)
        trainer(alone, k, gradient=sharpness_aware(0.5), shuffle=False, update=lambda *_: None).run_epoch(Rows(X, y))
        for ours, single in zip(blocks(together), blocks(alone), strict=True):
            torch.testing.assert_close(ours.grad[k], single.grad[0], rtol=0, atol=1e-12)


def test_a_zero_gradient_is_no_division_by_zero():
    network = Quadratic(torch.zeros_like(H), W)
    trainer(network, 0, gradient=sharpness_aware(0.5), objective=lambda n, b: n(b.X)).run_epoch(Rows(*rows(n=2)))
    assert torch.isfinite(network.a).all()
