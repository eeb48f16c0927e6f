"""Mixed batches against the two losses written out."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import kstest

from skpapers._torch.losses import cross_entropy
from skpapers._torch.mixup import beta, mixed
from skpapers._torch.steps import Batch, supervised
from tests._torch._nets import generators, mlp, rows


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_beta(alpha):
    draws = np.array([beta(alpha, gs, torch.device("cpu")).item() for gs in [generators(0)] for _ in range(4000)])
    assert kstest(draws, "beta", args=(alpha, alpha)).pvalue > 1e-3


def test_a_tiny_alpha_draws_a_share_all_the_same():
    draws = torch.stack([beta(1e-4, gs, torch.device("cpu")) for gs in [generators(0)] for _ in range(300)])
    assert torch.isfinite(draws).all()
    assert ((draws >= 0) & (draws <= 1)).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("members", [1, 2])
def test_the_objective_is_both_losses(weighted, members):
    X, y = rows()
    Y = F.one_hot(y, 3).double()
    weight = torch.linspace(0.1, 2.0, len(X), dtype=torch.float64) if weighted else None
    network = mlp(*range(members))
    seen = []

    def of_seen(network, batch):
        seen.append(batch)
        return supervised(cross_entropy())(network, batch)

    if members == 1:
        batch = Batch(X, Y, weight, torch.arange(len(X)), generators(5))
    else:
        stack = [None if t is None else t.expand(members, *t.shape) for t in (X, Y, weight, torch.arange(len(X)))]
        batch = Batch(*stack, generators(5, 6))
    found = mixed(of_seen, 1.0)(network, batch).reshape(members)
    for k, generator in enumerate(generators(5, 6)[:members]):
        share = beta(1.0, (generator,), torch.device("cpu")).item()
        partner = torch.randperm(len(X), generator=generator)
        X_mixed = share * X + (1 - share) * X[partner]
        outputs = network(X_mixed)
        outputs = outputs if members == 1 else outputs[k]
        w = torch.ones(len(X), dtype=torch.float64) if weight is None else weight
        both = [F.cross_entropy(outputs, target, reduction="none") for target in (y, y[partner])]
        loss = (share * w * both[0] + (1 - share) * w[partner] * both[1]).mean()
        torch.testing.assert_close(found[k], loss, rtol=0, atol=1e-12)
    assert not torch.equal(seen[0].X, batch.X)


def test_pairs_are_fresh_in_every_batch_and_equal_after_rewinding():
    X, y = rows()
    batch = Batch(X, F.one_hot(y, 3).double(), None, torch.arange(len(X)), generators(1))
    network = mlp(0)
    objective = mixed(supervised(cross_entropy()), 1.0)
    state = batch.random_state()
    first = objective(network, batch)
    second = objective(network, batch)
    batch.rewind(state)
    assert torch.equal(objective(network, batch), first)
    assert not torch.equal(first, second)


def test_without_alpha_nothing_is_wrapped():
    objective = supervised(cross_entropy())
    assert mixed(objective, 0.0) is objective
