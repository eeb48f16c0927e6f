"""Batch normalisation and dropout each have a mode of their own; networks say what they are."""

import pytest
import torch
from torch import nn

from skpapers._torch.modes import Modes, set_modes
from skpapers._torch.modules import BatchNorm, Dropout
from skpapers._torch.networks import Network, check_network
from skpapers._torch.predictor import Predictor
from skpapers._torch.rows import Rows
from tests._torch._nets import generators, mlp, rows, trainer

BOTH = [Modes(batch, dropout) for batch in (True, False) for dropout in (True, False)]


@pytest.mark.parametrize("modes", BOTH, ids=str)
@pytest.mark.parametrize("ours", [True, False])
def test_each_layer_follows_its_own_mode(modes, ours):
    if ours:
        norm = BatchNorm(3, 1, torch.float64)
        dropout = Dropout(0.5)
        dropout.generators = generators(0)
    else:
        norm = nn.BatchNorm2d(3, dtype=torch.float64)
        dropout = nn.Dropout(0.5)
    X = 5.0 + torch.randn(8, 3, 2, 2, dtype=torch.float64, generator=generators(1)[0])
    set_modes(nn.Sequential(norm, dropout).eval(), modes)
    normalised = norm(X)
    assert bool(normalised.mean().abs() < 1e-6) is modes.batch_statistics
    assert bool((norm.running_mean != 0).all()) is modes.batch_statistics
    assert bool((dropout(X) == 0).any()) is modes.dropout


def test_statistics_are_adapted_while_dropout_is_off():
    X, y = rows()
    network = mlp(0, batch_norm=True, dropout=0.5)
    training = trainer(network, 0, modes=Modes(dropout=False), update=lambda *_: None, batch_size=40, shuffle=False)
    losses = [training.run_epoch(Rows(X, y)).item() for _ in range(3)]
    assert len(set(losses)) == 1
    assert bool((network.norms[0].running_mean != 0).all())


def test_masks_of_images_are_drawn_for_every_value():
    dropout = Dropout(0.5)
    dropout.generators = generators(0)
    dropped = dropout(torch.ones(4, 3, 5, 5)) == 0
    assert not torch.equal(dropped[0], dropped[1])
    assert not torch.equal(dropped[:, 0], dropped[:, 1])


def test_outputs_of_three_axes_are_no_ensemble():
    class Quantiles(nn.Linear):
        n_members = 1

        def forward(self, x):
            return super().forward(x).unflatten(-1, (2, 3))

    network = Quantiles(5, 6, dtype=torch.float64)
    X, _ = rows()
    assert torch.equal(Predictor(None, network, "mean", single=False)(X), network(X))


def test_a_network_has_what_the_protocol_says():
    assert isinstance(mlp(0), Network)
    assert check_network(mlp(0, 1), 2).n_members == 2
    with pytest.raises(TypeError, match="MLP has 1 members, and the estimator 2"):
        check_network(mlp(0), 2)
    with pytest.raises(TypeError, match="Linear is no Network: it lacks n_members, draw, parameter_groups, row_size"):
        check_network(nn.Linear(2, 3))
