"""Small networks, rows and generators for the tests of the loop."""

import torch
import torch.nn.functional as F

from skpapers._torch.modules import MLP
from skpapers._torch.steps import supervised
from skpapers._torch.training import Trainer


def generators(*seeds):
    return tuple(torch.Generator().manual_seed(seed) for seed in seeds)


def rows(n=40, p=5, classes=3, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, p, generator=generator, dtype=dtype)
    return X, torch.randint(classes, (n,), generator=generator)


def cross_entropy(outputs, y):
    return F.cross_entropy(outputs.flatten(0, -2), y.flatten(), reduction="none").view(outputs.shape[:-1])


def squared_error(outputs, y):
    return (outputs.squeeze(-1) - y) ** 2 / 2


def mlp(*seeds, p=5, hidden=(7, 6), units=3, dtype=torch.float64, **kwargs):
    return MLP(p, hidden, units, n_members=len(seeds), dtype=dtype, **kwargs).draw(generators(*seeds))


def trainer(network, *seeds, loss=cross_entropy, **kwargs):
    return Trainer(network, kwargs.pop("objective", supervised(loss)), generators=generators(*seeds), **kwargs)


def weights(network):
    return [p.detach().clone() for p in network.parameters()]
