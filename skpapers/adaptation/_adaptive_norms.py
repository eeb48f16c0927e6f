"""Batch normalisation whose statistics follow unlabelled rows; gradients pass through the statistics of the batch."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from skpapers._torch.modules import BatchNorm
from skpapers.adaptation._target_statistics import Moments, StatisticsRule, has_changed

EPSILON = 1e-5  # of the floor's layers, as of torch's


class Norm:
    """The statistics of one layer while it adapts.

    Parameters
    ----------
    layer : BatchNorm or torch's batch normalisation
        Its stored statistics are those of the source.

    rule : StatisticsRule
        How they follow the rows.

    Attributes
    ----------
    source : Moments
        The stored statistics.

    seen : Moments
        Of the target rows before the current batch.

    batch : Moments
        Of the current batch.

    after : Moments
        Of the target rows with the current batch.

    changed : bool
        Whether the current batch follows another law than the rows before it, so that these are forgotten.

    previous : Norm or None
        The layer before.

    used : tuple of two Tensor
        Mean and variance that the batch is normalised by.
    """

    def __init__(self, layer: Any, rule: StatisticsRule) -> None:
        self.layer = layer
        self.rule = rule
        self.source = Moments(0.0, layer.running_mean.detach().clone(), layer.running_var.detach().clone())
        self.seen = self.source
        self.batch = self.source
        self.after = self.source
        self.used = self.source.mean, self.source.variance
        self.changed = False
        self.previous: Norm | None = None

    def normalise(self, x: Tensor, epsilon: float) -> Tensor:
        """Return normalised values (b, h, ...) by the statistics that include the batch."""
        axes = [i for i in range(x.ndim) if i != 1]
        variance, mean = torch.var_mean(x, dim=axes, correction=0)
        of_layer = self.source.mean.shape
        self.batch = Moments(len(x), mean.reshape(of_layer), variance.reshape(of_layer))
        self.changed = self._has_changed()
        self.after = self.rule.after(replace(self.seen, rows=0.0) if self.changed else self.seen, self.batch)
        self.used = self.rule.used(self.source, self.after)
        mean, variance = (t.reshape(-1) for t in self.used)
        factor = torch.rsqrt(variance + epsilon)
        if self.layer.weight is not None:
            factor = factor * self.layer.weight.reshape(-1)
        offset = -mean * factor
        if self.layer.bias is not None:
            offset = offset + self.layer.bias.reshape(-1)
        shape = (-1, *[1] * (x.ndim - 2))
        return torch.addcmul(offset.view(shape), x, factor.view(shape))

    def _has_changed(self) -> bool:
        """Whether the rows before the batch are forgotten; what a later layer has seen of them is outdated as well."""
        if self.rule.name != "prior":
            return False
        earlier = self.previous is not None and self.previous.changed
        return earlier or has_changed(self.source, self.seen, self.batch)

    def commit(self) -> None:
        """Let the batch be among the rows that were seen."""
        self.seen = self.after.detached()

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and variance that the layer uses from now on: those of the last batch."""
        return self.used


class _Members(BatchNorm):
    """The layer of this package, with or without members."""

    def __init__(self, layer: BatchNorm, norm: Norm) -> None:
        nn.Module.__init__(self)
        self.n_members = layer.n_members
        self.weight = layer.weight
        self.norm = norm

    def wide(self, x: Tensor) -> Tensor:
        return self.norm.normalise(x, EPSILON)


class _Plain(nn.Module):
    """A layer of torch."""

    def __init__(self, layer: _BatchNorm, norm: Norm) -> None:
        super().__init__()
        self.norm = norm
        self.epsilon = layer.eps

    def forward(self, x: Tensor) -> Tensor:
        return self.norm.normalise(x, self.epsilon)


def _replacement(norm: Norm) -> nn.Module:
    return _Members(norm.layer, norm) if isinstance(norm.layer, BatchNorm) else _Plain(norm.layer, norm)


def is_batch_norm(module: nn.Module) -> bool:
    """Whether a module is batch normalisation, of this package or of torch."""
    return isinstance(module, BatchNorm | _BatchNorm)


def make_adaptive(network: nn.Module, rule: StatisticsRule) -> dict[str, Norm]:
    """Replace every batch normalisation in a network, and return what follows the rows, by the name of the layer.

    All other modules are put into evaluation mode, and all parameters but those of the layers are frozen.

    Raises
    ------
    ValueError
        If there is no batch normalisation, or nothing else, or a layer has no stored statistics.
    """
    norms = {name: Norm(layer, rule) for name, layer in _layers(network)}
    for earlier, later in pairwise(norms.values()):
        later.previous = earlier
    network.eval().requires_grad_(False)
    of_layer = {id(norm.layer): norm for norm in norms.values()}
    for norm in norms.values():
        norm.layer.requires_grad_(True)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if id(child) in of_layer:
                norm = of_layer[id(child)]
                setattr(parent, name, _replacement(norm))
    return norms


def _layers(network: nn.Module) -> list[tuple[str, Any]]:
    layers: list[tuple[str, Any]] = [
        (name, module) for name, module in network.named_modules() if is_batch_norm(module)
    ]
    if not layers:
        raise ValueError(f"{type(network).__name__} has no batch normalisation, which is what Tent adapts.")
    for name, layer in layers:
        if layer is network:
            raise ValueError(f"{type(network).__name__} is a layer: give the network that it is part of.")
        if layer.running_mean is None:
            raise ValueError(f"Layer {name!r} has no stored statistics (track_running_stats=False) to start from.")
    return layers
