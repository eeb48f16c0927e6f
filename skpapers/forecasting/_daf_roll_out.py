"""Forecasts of DAF step after step, each of which is the next value; and what is missing or unknown in a series."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from skpapers.forecasting._daf import LIMIT, PrivateModules
from skpapers.forecasting._daf_network import Block, DAFNetwork


def split_missing(X: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return series with 0 for missing values, and where channel 0 was observed, or None if all of X was."""
    missing = X.isnan()
    if not bool(missing.any()):
        return X, None
    return X.nan_to_num(0.0), ~missing[..., 0]


def last_values(X: Tensor) -> Tensor:
    """Return the last observed value of each channel, of shape (b, C); 0 if all are missing."""
    places = torch.arange(X.shape[1], device=X.device)[:, None].expand(X.shape[1:])
    last = torch.where(X.isnan(), 0, places).amax(dim=1)
    return X.gather(1, last[:, None])[:, 0].nan_to_num(0.0)


def roll_out(network: DAFNetwork, X: Tensor, domain: Tensor) -> Tensor:
    """Forecast step after step, each forecast being the next value; other channels keep their last observed value.

    Keys and values of the steps so far are kept, so that a step costs O(L d + d^2) for a series.

    Parameters
    ----------
    network : DAFNetwork
        The network.

    X : Tensor of shape (b, L, C)
        Scaled histories; NaN is a missing value.

    domain : Tensor of int of shape (b,)
        Their domains.

    Returns
    -------
    forecasts : Tensor of shape (b, H, n_outputs)
    """
    z, observed = split_missing(X)
    n_steps = z.shape[1]
    w = network.w
    others = last_values(X)[:, 1:]
    made = network.run(z, domain, observed, first=n_steps, stop=n_steps + 1, interpolates=False)
    streams = [
        Stream(block, z[:, -w:], k, v)
        for block, z, k, v in zip(network.blocks, made.left, made.keys_before, made.values_next, strict=True)
    ]
    seen = torch.ones_like(z[:, :, 0], dtype=torch.bool) if observed is None else observed
    complete = seen.unfold(1, w + 1, 1).all(dim=-1)
    seen = seen[:, -w:]
    steps = []
    for _ in range(network.horizon):
        parts = [stream.forecast(network.left, domain, complete) for stream in streams]
        steps.append(torch.stack(parts).sum(dim=0))
        value = steps[-1][:, network.point].clamp(-LIMIT, LIMIT)
        for stream, part in zip(streams, parts, strict=True):
            stream.append(torch.cat([value[:, None], others], dim=1), domain)
            value = value - part[:, network.point] * complete.any(dim=1)
        complete = torch.cat([complete, seen.all(dim=1, keepdim=True)], dim=1)
        seen = torch.cat([seen[:, 1:], torch.ones_like(seen[:, :1])], dim=1)
    return torch.stack(steps, dim=1)


@dataclass
class Stream:
    """What a block keeps of the steps so far.

    Parameters
    ----------
    block : Block
        The block.

    window : Tensor of shape (b, w, C)
        The last values.

    keys : Tensor of shape (b, n, d)
        Of the windows before each value.

    values : Tensor of shape (b, n, d)
        Of these values.

    Attributes
    ----------
    key : Tensor of shape (b, 1, d)
        Of the window before the step that was forecast last; `append` adds it to `keys`.
    """

    block: Block
    window: Tensor
    keys: Tensor
    values: Tensor
    key: Tensor = field(init=False)

    def forecast(self, middle: int, domain: Tensor, complete: Tensor) -> Tensor:
        """Return the outputs for the next step, of shape (b, n_outputs)."""
        block = self.block
        p = block.by_domain(PrivateModules.patterns, self.window, domain)[:, middle : middle + 1]
        q, self.key = block.shared.queries_and_keys(p)
        o = block.shared.attend(q, self.keys, self.values, complete[:, None])
        return block.by_domain(PrivateModules.decode, block.shared.mixed(o), domain)[:, 0]

    def append(self, value: Tensor, domain: Tensor) -> None:
        """Take the value of that step, of shape (b, C)."""
        step = value[:, None]
        v_next = self.block.by_domain(PrivateModules.values, step, domain).chunk(2, dim=-1)[1]
        self.window = torch.cat([self.window[:, 1:], step], dim=1)
        self.keys = torch.cat([self.keys, self.key], dim=1)
        self.values = torch.cat([self.values, v_next], dim=1)
