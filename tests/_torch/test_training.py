"""The loop against loops written out, repeated rows, single members and saved states."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from skpapers._torch.flat import blocks, clip_gradient, restore, snapshot
from skpapers._torch.rows import Rows
from skpapers._torch.schedules import cosine
from skpapers._torch.state import load_arrays, to_arrays
from skpapers._torch.steps import Batch, backward
from skpapers._torch.stopping import EarlyStopping
from skpapers._torch.training import batch_starts
from tests._torch._nets import cross_entropy, generators, mlp, rows, squared_error, trainer, weights

SOLVERS = {
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.01),
    "adam": lambda groups: torch.optim.Adam(groups, lr=0.01),
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.01, momentum=0.9, nesterov=True),
}


def plain_copy(network):
    """Return the same network made of torch's own layers."""
    layers = []
    for i, linear in enumerate(network.linears):
        layer = nn.Linear(*linear.weight.shape, dtype=linear.weight.dtype)
        layer.weight.data = linear.weight.data.T.clone()
        layer.bias.data = linear.bias.data.clone()
        layers += [layer, nn.ReLU()] if i + 1 < len(network.linears) else [layer]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_epoch_is_the_loop_written_out(solver):
    X, y = rows()
    network = mlp(0)
    plain = plain_copy(network)
    training = trainer(network, 1, solver=solver, learning_rate=0.01, alpha=0.1, batch_size=16)
    order = torch.randperm(len(X), generator=generators(1)[0])
    linears = [layer for layer in plain if isinstance(layer, nn.Linear)]
    optimizer = SOLVERS[solver](
        [
            {"params": [layer.weight for layer in linears], "weight_decay": 0.1},
            {"params": [layer.bias for layer in linears], "weight_decay": 0.0},
        ]
    )
    total = 0.0
    for start in (0, 16, 32):
        batch = order[start : start + 16]
        optimizer.zero_grad()
        loss = F.cross_entropy(plain(X[batch]), y[batch])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    loss = training.run_epoch(Rows(X, y))
    assert loss.item() == pytest.approx(total / len(X), abs=1e-12)
    for ours, theirs in zip(network.linears, linears, strict=True):
        torch.testing.assert_close(ours.weight, theirs.weight.T, rtol=0, atol=1e-12)
        torch.testing.assert_close(ours.bias, theirs.bias, rtol=0, atol=1e-12)


def test_the_cosine_schedule_ends_at_zero():
    X, y = rows(n=32)
    training = trainer(mlp(0), 0, learning_rate=0.1, schedule=cosine(4), batch_size=16)
    seen = []
    training.update = lambda network, optimizer: seen.append(optimizer.param_groups[0]["lr"])
    for _ in range(2):
        training.run_epoch(Rows(X, y))
    np.testing.assert_allclose(seen, 0.05 * (1 + np.cos(np.pi * np.arange(4) / 4)))


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"numeric_embedding": "periodic"},
        {"batch_norm": True},
        {"dropout": 0.3},
        {"dropout": 0.3, "batch_norm": True, "numeric_embedding": "periodic"},
    ],
    ids=str,
)
def test_stacked_members_are_single_runs(kwargs):
    X, y = rows()
    seeds = (3, 4, 5)
    together = mlp(*seeds, **kwargs)
    training = trainer(together, *seeds, batch_size=16, max_norm=0.5)
    losses = [training.run_epoch(Rows(X, y)) for _ in range(3)][-1]
    for k, seed in enumerate(seeds):
        alone = mlp(seed, **kwargs)
        training = trainer(alone, seed, batch_size=16, max_norm=0.5)
        loss = [training.run_epoch(Rows(X, y)) for _ in range(3)][-1]
        torch.testing.assert_close(losses[k], loss[0], rtol=0, atol=1e-9)
        together.eval()
        alone.eval()
        torch.testing.assert_close(together(X)[k], alone(X), rtol=0, atol=1e-9)


@pytest.mark.parametrize("loss", [cross_entropy, squared_error])
def test_weights_are_repeated_rows(loss):
    X, y = rows()
    units = 3
    if loss is squared_error:
        y = X[:, 0].sin()
        units = 1
    counts = torch.arange(len(X)) % 3 + 1
    weighted = mlp(0, units=units)
    repeated = mlp(0, units=units)
    a = trainer(weighted, 0, loss=loss, batch_size=1000)
    b = trainer(repeated, 0, loss=loss, batch_size=1000)
    for _ in range(5):
        a.run_epoch(Rows(X, y, counts / counts.double().mean()))
        b.run_epoch(Rows(X.repeat_interleave(counts, 0), y.repeat_interleave(counts, 0)))
    for one, other in zip(weights(weighted), weights(repeated), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_a_saved_run_continues_bit_for_bit():
    X, y = rows(dtype=torch.float32)
    kwargs = {"dtype": torch.float32, "dropout": 0.2, "batch_norm": True}
    whole, first, second = (mlp(0, 1, **kwargs) for _ in range(3))
    training = trainer(whole, 2, 3, batch_size=16)
    for _ in range(4):
        training.run_epoch(Rows(X, y))
    before = trainer(first, 2, 3, batch_size=16)
    for _ in range(2):
        before.run_epoch(Rows(X, y))
    load_arrays(second, to_arrays(first))
    after = trainer(second, 7, 8, batch_size=16)
    after.load_state(before.state())
    for _ in range(2):
        after.run_epoch(Rows(X, y))
    for one, other in zip(whole.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_rows_are_visited_once_in_another_order_by_each_member():
    X, y = rows(n=33)
    training = trainer(mlp(0, 1), 0, 1, batch_size=8)
    seen = []
    inner = training.gradient
    training.gradient = lambda network, objective, batch: seen.append(batch.indices) or inner(network, objective, batch)
    training.run_epoch(Rows(X, y))
    orders = torch.cat(seen, dim=1)
    assert orders.shape == (2, 33)
    assert [len(indices[0]) for indices in seen] == [8, 8, 8, 9]  # no row alone
    assert torch.equal(orders.sort(dim=1).values, torch.arange(33).expand(2, 33))
    assert not torch.equal(orders[0], orders[1])
    training.shuffle = False
    seen.clear()
    training.run_epoch(Rows(X, y))
    assert torch.equal(torch.cat(seen, dim=1), torch.arange(33).expand(2, 33))


@pytest.mark.parametrize(("n", "size", "starts"), [(1, 4, [0, 1]), (4, 4, [0, 4]), (5, 4, [0, 5]), (6, 4, [0, 4, 6])])
def test_batches(n, size, starts):
    assert batch_starts(n, size) == starts


def test_the_pieces_gathered_do_not_matter(monkeypatch):
    X, y = rows()
    a = mlp(0)
    b = mlp(0)
    trainer(a, 0, batch_size=8).run_epoch(Rows(X, y))
    monkeypatch.setattr("skpapers._torch.training.BLOCK_BYTES", 1)
    trainer(b, 0, batch_size=8).run_epoch(Rows(X, y))
    assert all(torch.equal(one, other) for one, other in zip(weights(a), weights(b), strict=True))


def test_gradients_are_clipped_member_by_member():
    X, y = rows()
    network = mlp(0, 1)
    training = trainer(network, 0, 1)
    batch = Batch(X.expand(2, *X.shape), y.expand(2, *y.shape), None, torch.arange(len(X)).expand(2, -1), ())
    backward(network, training.objective, batch)
    norms = torch.cat([block.grad for block in blocks(network)], dim=1).norm(dim=1)
    clip_gradient(network, norms.mean().item())
    after = torch.cat([block.grad for block in blocks(network)], dim=1).norm(dim=1)
    torch.testing.assert_close(after, norms.clamp(max=norms.mean()), rtol=1e-9, atol=0)


def test_a_loss_that_is_not_finite_stops():
    X, y = rows()
    X[7, 2] = np.inf
    with pytest.raises(FloatingPointError, match="NaN or infinite"):
        trainer(mlp(0), 0).run_epoch(Rows(X, y))


def test_early_stopping_keeps_the_best_weights_and_waits():
    network = mlp(0, batch_norm=True)
    trainer(network, 0)
    stopping = EarlyStopping(network, patience=2, tol=0.1)
    kept = []
    for score, stop in ((0.5, False), (0.55, False), (0.8, False), (0.85, False), (0.7, True)):
        with torch.no_grad():
            blocks(network)[0].add_(1.0)
            network.norms[0].running_mean.add_(1.0)
        kept.append(snapshot(network))
        assert stopping.update(score) is stop
    stopping.restore()
    assert (stopping.best_score, stopping.best_epoch) == (0.85, 4)  # within tol, and kept all the same
    assert all(torch.equal(a, b) for a, b in zip(snapshot(network), kept[3], strict=True))
    restore(network, kept[0])
    assert all(torch.equal(a, b) for a, b in zip(snapshot(network), kept[0], strict=True))


def test_a_module_without_n_members_trains_too():
    X, y = rows()
    network = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    training = trainer(network, 0, learning_rate=0.05, batch_size=16)
    losses = [training.run_epoch(Rows(X, y)).item() for _ in range(60)]
    assert losses[-1] < 0.3 * losses[0]
    assert [block.shape[1] for block in blocks(network)] == [5 * 8 + 8 * 3, 8 + 3]
