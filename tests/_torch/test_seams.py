"""What methods to come need of the loop, each in the few lines it may take: they plug in and change nothing else."""

import torch
import torch.nn.functional as F
from torch import nn

from skpapers._torch.flat import blocks
from skpapers._torch.rows import Rows
from skpapers._torch.sam import sharpness_aware
from skpapers._torch.steps import backward, supervised
from skpapers._torch.training import Trainer
from tests._torch._nets import cross_entropy, generators, mlp, rows, squared_error, trainer, weights


def gradient_of(network, batch_objective, X, y):
    trainer(network, 0, objective=batch_objective, update=lambda *_: None, batch_size=1000).run_epoch(Rows(X, y))
    return torch.cat([block.grad for block in blocks(network)], dim=1).clone()


def test_gradients_of_tasks_are_combined():
    X, y = rows()
    task = torch.arange(len(X)) % 2
    parts = []

    def per_task(network, objective, batch):
        for t in (0, 1):
            of_task = (task[batch.indices] == t).to(X.dtype)
            losses = backward(network, objective, batch.replace(weight=of_task))
            parts.append(torch.cat([block.grad for block in blocks(network)], dim=1).clone())
        start = 0
        for block in blocks(network):
            stop = start + block.shape[1]
            block.grad.copy_(parts[0][:, start:stop] + parts[1][:, start:stop])
            start = stop
        return losses

    network = mlp(0)
    training = trainer(network, 0, gradient=per_task, update=lambda *_: None, batch_size=1000)
    training.run_epoch(Rows(X, y))
    combined = torch.cat([block.grad for block in blocks(network)], dim=1)
    torch.testing.assert_close(combined, gradient_of(mlp(0), supervised(cross_entropy), X, y), rtol=0, atol=1e-12)
    assert not torch.allclose(parts[0], parts[1])


def test_applied_steps_are_projected():
    X, y = rows()
    network = mlp(0, hidden=(7,))
    base, _ = torch.linalg.qr(torch.randn(5, 2, dtype=X.dtype, generator=generators(1)[0]))
    first = network.linears[0].weight
    start = first.detach().clone()

    def projected(network, optimizer):
        before = first.detach().clone()
        optimizer.step()
        with torch.no_grad():
            first.sub_(base @ (base.T @ (first - before)))

    training = trainer(network, 0, update=projected, learning_rate=0.1, batch_size=8)
    for _ in range(3):
        training.run_epoch(Rows(X, y))
    moved = first.detach() - start
    assert moved.abs().max() > 0.01
    torch.testing.assert_close(base.T @ moved, torch.zeros(2, 7, dtype=X.dtype), rtol=0, atol=1e-12)


def test_an_extra_loss_of_other_rows_is_added():
    X, y = rows()
    other = torch.randn(30, 5, dtype=X.dtype, generator=generators(2)[0])
    supervision = supervised(cross_entropy)

    def with_consistency(network, batch):
        drawn = torch.randint(len(other), (len(batch.X),), generator=batch.generators[0])
        return supervision(network, batch) + 10.0 * network(other[drawn]).square().mean()

    plain = mlp(0)
    extra = mlp(0)
    for network, objective in ((plain, supervision), (extra, with_consistency)):
        training = trainer(network, 0, objective=objective, learning_rate=0.05, batch_size=8)
        for _ in range(20):
            training.run_epoch(Rows(X, y))
    assert extra(other).square().mean() < 0.1 * plain(other).square().mean()


def test_adversaries_each_follow_a_loss_of_their_own():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.player, self.opponent = (nn.Parameter(torch.ones(1, 1, dtype=torch.float64)) for _ in range(2))

        def parameter_groups(self):
            return [{"params": [self.player], "decay": 0.0}, {"params": [self.opponent], "decay": 0.0, "rate": 2.0}]

        def forward(self, X):
            return self.player * self.opponent

    def each_its_own(network, objective, batch):
        loss = network(batch.X).sum()
        down, up = torch.autograd.grad(loss, [network.player, network.opponent])
        network.player.grad.copy_(down)
        network.opponent.grad.copy_(-up)
        return loss.detach()

    X, y = rows(n=4)
    network = Pair()
    kwargs = {"solver": "sgd", "learning_rate": 0.1, "momentum": 0.0, "batch_size": 4}
    trainer(network, 0, gradient=each_its_own, **kwargs).run_epoch(Rows(X, y))
    assert network.player.item() == 1.0 - 0.1
    assert network.opponent.item() == 1.0 + 0.2


def test_only_normalisation_learns_from_entropy():
    X, y = rows()
    network = mlp(0, batch_norm=True)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for norm in network.norms:
        norm.weight.requires_grad_(True)
        norm.bias.requires_grad_(True)

    def entropy(network, batch):
        log_p = F.log_softmax(network(batch.X), dim=-1)
        return -(log_p.exp() * log_p).sum(dim=-1).mean()

    before = [linear.weight.clone() for linear in network.linears]
    training = trainer(network, 0, objective=entropy, learning_rate=0.05)
    losses = [training.run_epoch(Rows(X, y)).item() for _ in range(10)]
    assert losses[-1] < losses[0]
    assert all(torch.equal(a, linear.weight) for a, linear in zip(before, network.linears, strict=True))
    assert sum(block.numel() for block in blocks(network)) == 2 * (7 + 6)


def test_gradients_nest():
    X, y = rows()
    calls = []

    def counted(network, objective, batch):
        calls.append(batch)
        return backward(network, objective, batch)

    trainer(mlp(0), 0, gradient=sharpness_aware(0.1, inner=counted), batch_size=20).run_epoch(Rows(X, y))
    assert len(calls) == 4
    assert calls[0] is calls[1]


def test_a_network_of_its_own_groups_is_trained_by_them():
    class Frozen(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(5, 4, dtype=torch.float64)
            self.b = nn.Linear(4, 1, dtype=torch.float64)

        def parameter_groups(self):
            return [{"params": list(self.b.parameters()), "decay": 0.0}]

        def forward(self, X):
            return self.b(torch.tanh(self.a(X)))

    X, _ = rows()
    network = Frozen()
    before = weights(network)
    Trainer(network, supervised(squared_error), generators=generators(0), alpha=1.0).run_epoch(Rows(X, X[:, 0]))
    moved = [not torch.equal(a, b) for a, b in zip(before, weights(network), strict=True)]
    assert moved == [False, False, True, True]
