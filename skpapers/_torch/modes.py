"""The mode of batch normalisation and the mode of dropout, which torch keeps in one switch."""

from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from skpapers._torch.modules import BatchNorm, Dropout


@dataclass(frozen=True)
class Modes:
    """How layers behave that differ between training and prediction.

    Parameters
    ----------
    batch_statistics : bool, default=True
        Whether batch normalisation uses the statistics of the batch, and updates the stored ones; otherwise it uses the
        stored ones.

    dropout : bool, default=True
        Whether values are dropped.
    """

    batch_statistics: bool = True
    dropout: bool = True


def set_modes(network: nn.Module, modes: Modes) -> None:
    """Put a network into the modes; layers of other kinds are in training mode."""
    network.train()
    for module in network.modules():
        if isinstance(module, BatchNorm | _BatchNorm):
            module.train(modes.batch_statistics)
        elif isinstance(module, Dropout | _DropoutNd):
            module.train(modes.dropout)
