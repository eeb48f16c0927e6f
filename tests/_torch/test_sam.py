"""The sharpness-aware step against a hand computation, the base optimiser, and what must not move."""

import pytest
import torch
from torch import nn

from skpapers._torch.sam import SAM, sharpness_aware
from skpapers._torch.training import backward, blocks
from tests._torch._nets import mlp, rows, trainer, weights


class Quadratic(nn.Module):
    """The loss w' H w / 2 of two tensors that are one vector."""

    def __init__(self, H, w):
        super().__init__()
        self.H = H
        self.a, self.b = nn.Parameter(w[:2].clone()), nn.Parameter(w[2:].clone())

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
    loss = training.run_epoch(X, y)
    assert loss.item() == pytest.approx((W @ H @ W / 2).item())
    found = torch.cat([network.a.grad, network.b.grad])
    torch.testing.assert_close(found, by_hand(rho, adaptive), rtol=0, atol=1e-10)
    assert torch.equal(torch.cat([network.a, network.b]).detach(), W)


@pytest.mark.parametrize(("rho", "adaptive"), [(0.3, False), (0.7, True)])
def test_the_optimiser_on_a_quadratic(rho, adaptive):
    network = Quadratic(H, W)
    optimizer = SAM(torch.optim.SGD(network.parameters(), lr=0.1), rho=rho, adaptive=adaptive)

    def closure():
        optimizer.zero_grad()
        loss = network(None)
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == pytest.approx((W @ H @ W / 2).item())
    after = torch.cat([network.a, network.b]).detach()
    torch.testing.assert_close(after, W - 0.1 * by_hand(rho, adaptive), rtol=0, atol=1e-10)


def test_a_radius_of_zero_is_the_base_gradient():
    assert sharpness_aware(0) is backward


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_the_optimiser_with_radius_zero_is_the_base_optimiser(kind):
    X, y = rows(dtype=torch.float32)
    nets = []
    for wrap in (False, True):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
        optimizer = kind(net.parameters(), lr=0.05)
        optimizer = SAM(optimizer, rho=0) if wrap else optimizer
        for _ in range(5):

            def closure(net=net, optimizer=optimizer):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(net(X), y)
                loss.backward()
                return loss

            optimizer.step(closure)
        nets.append(net)
    assert all(torch.equal(a, b) for a, b in zip(*(net.state_dict().values() for net in nets), strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_come_back_bit_for_bit_and_statistics_stay(dtype):
    X, y = rows(dtype=dtype)
    kwargs = {"activation": "tanh", "batch_norm": True, "dropout": 0.4, "numeric_embedding": "periodic"}
    network, plain = mlp(0, 1, dtype=dtype, **kwargs), mlp(0, 1, dtype=dtype, **kwargs)
    before = weights(network)
    passes = []
    network.dropout.register_forward_hook(lambda module, args, out: passes[-1].append(out == 0))

    def watched(net, objective, batch):
        passes.append([])
        return backward(net, objective, batch)

    once = {"update": lambda *_: None, "batch_size": 1000}
    trainer(network, 0, 1, gradient=sharpness_aware(0.5, inner=watched), **once).run_epoch(X, y)
    trainer(plain, 0, 1, **once).run_epoch(X, y)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(network), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(network.buffers(), plain.buffers(), strict=True))
    assert len(passes) == 2
    for first, second in zip(*passes, strict=True):
        assert torch.equal(first, second)
        assert 0.3 < first.double().mean() < 0.5


def test_each_member_has_a_norm_of_its_own():
    X, y = rows()
    together = mlp(0, 1)
    trainer(together, 0, 1, gradient=sharpness_aware(0.5), shuffle=False, update=lambda *_: None).run_epoch(X, y)
    for k in (0, 1):
        alone = mlp(k)
        trainer(alone, k, gradient=sharpness_aware(0.5), shuffle=False, update=lambda *_: None).run_epoch(X, y)
        for ours, single in zip(blocks(together), blocks(alone), strict=True):
            torch.testing.assert_close(ours.grad[k], single.grad[0], rtol=0, atol=1e-12)


def test_a_zero_gradient_is_no_division_by_zero():
    network = Quadratic(torch.zeros_like(H), W)
    trainer(network, 0, gradient=sharpness_aware(0.5), objective=lambda n, b: n(b.X)).run_epoch(*rows(n=2))
    assert torch.isfinite(network.a).all()


def test_the_optimiser_leaves_statistics_masks_and_the_global_generator_as_one_pass_does():
    X, y = rows(dtype=torch.float32)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    other = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    other.load_state_dict(net.state_dict())
    masks = []
    net[2].register_forward_hook(lambda module, args, out: masks.append(out == 0))
    optimizer = SAM(torch.optim.SGD(net.parameters(), lr=0.1), rho=0.1)

    def closure():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(X), y)
        loss.backward()
        return loss

    torch.manual_seed(1)
    optimizer.step(closure)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    other(X)
    assert torch.equal(state, torch.get_rng_state())
    assert len(masks) == 2
    assert torch.equal(*masks)
    assert all(torch.equal(a, b) for a, b in zip(net[1].buffers(), other[1].buffers(), strict=True))


def test_weights_come_back_when_the_second_pass_fails():
    w = nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = SAM(torch.optim.SGD([w], lr=0.1), rho=0.5)
    calls = []

    def closure():
        calls.append(0)
        if len(calls) == 2:
            raise KeyboardInterrupt
        optimizer.zero_grad()
        loss = (w**2).sum()
        loss.backward()
        return loss

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(closure)
    assert w.tolist() == [1.0, 2.0]


def test_schedulers_and_saved_states_work_through_the_wrapper():
    w = nn.Parameter(torch.ones(2))
    optimizer = SAM(torch.optim.AdamW([w], lr=0.1), rho=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (w**2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    scheduler.step()
    assert optimizer.base_optimizer.param_groups[0]["lr"] == 0.05
    saved = optimizer.state_dict()
    fresh = SAM(torch.optim.AdamW([w], lr=1.0), rho=0.1)
    fresh.load_state_dict(saved)
    assert fresh.param_groups[0]["lr"] == 0.05
    assert fresh.state[w]["step"] == 1


def test_errors():
    w = nn.Parameter(torch.ones(2))
    with pytest.raises(ValueError, match=r"rho must not be negative, got -1"):
        SAM(torch.optim.SGD([w], lr=0.1), rho=-1)
    with pytest.raises(ValueError, match="closure"):
        SAM(torch.optim.SGD([w], lr=0.1)).step()
