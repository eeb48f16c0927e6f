"""The one mini-batch loop; methods take part in it by the functions of `steps.py`."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.flat import blocks, clip_gradient, flatten
from skpapers._torch.modes import Modes, set_modes
from skpapers._torch.networks import Generators
from skpapers._torch.optimizers import make_optimizer
from skpapers._torch.rows import Rows
from skpapers._torch.schedules import Schedule, constant
from skpapers._torch.steps import Batch, Gradient, Objective, Update, apply_step, backward

BLOCK_BYTES = 2**23  # rows are gathered in pieces of about this size: they stay in the cache until their steps are done


class Trainer:
    """A network, its objective and steps, and their state; it can be saved after any epoch and continued.

    Parameters
    ----------
    network : nn.Module
        It is flattened here, and its `generators` attributes (dropout) are set.

    objective, gradient, update : callable
        The replaceable parts: see :mod:`skpapers._torch.steps`.

    solver : {"adamw", "adam", "sgd"}
        Optimiser; `options` go to :func:`make_optimizer`.

    learning_rate : float
        Before the schedule, and before each group's `rate` (default 1).

    schedule : callable
        ``schedule(step)`` returns a factor of the learning rate.

    batch_size : int
        Rows of a step.

    shuffle : bool
        Whether each member visits the rows in an order of its own, drawn anew for every epoch.

    max_norm : float or None
        Clips the gradient of each member.

    generators : tuple of torch.Generator
        One for each member, on the network's device.

    modes : Modes
        Of batch normalisation and dropout.

    memory : dict of str to Tensor, or None
        What objective, gradient and update remember from step to step, and share with the trainer: it is part of the
        state.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        *,
        gradient: Gradient = backward,
        update: Update = apply_step,
        solver: str = "adamw",
        learning_rate: float = 1e-3,
        schedule: Schedule = constant,
        batch_size: int = 128,
        shuffle: bool = True,
        max_norm: float | None = None,
        generators: Generators,
        modes: Modes = Modes(),  # noqa: B008
        memory: dict[str, Tensor] | None = None,
        **options: Any,
    ) -> None:
        self.network = network
        self.objective = objective
        self.gradient = gradient
        self.update = update
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.max_norm = max_norm
        self.generators = generators
        self.modes = modes
        self.memory: dict[str, Tensor] = {} if memory is None else memory
        self.optimizer = make_optimizer(flatten(network), solver, **options)
        self.step = 0
        for module in network.modules():
            if hasattr(module, "generators"):
                module.generators = generators  # type: ignore[assignment]

    def run_epoch(self, rows: Rows[Tensor]) -> Tensor:
        """Visit every row once, and return the mean loss of each member, of shape (K,).

        Raises
        ------
        FloatingPointError
            If a loss was NaN or infinite.
        """
        set_modes(self.network, self.modes)
        total = torch.zeros((), dtype=rows.X.dtype, device=rows.X.device)
        for batch in self._batches(rows):
            total = total + self.take_step(batch) * batch.indices.shape[-1]
        if not bool(torch.isfinite(total).all()):
            raise FloatingPointError("the loss is NaN or infinite")
        return total.reshape(-1) / len(rows)

    def take_step(self, batch: Batch) -> Tensor:
        """Take one step, in the modes that the network is in, and return the losses before it."""
        self._set_learning_rate()
        losses = self.gradient(self.network, self.objective, batch)
        if self.max_norm is not None:
            clip_gradient(self.network, self.max_norm)
        self.update(self.network, self.optimizer)
        self.step += 1
        return losses

    def _set_learning_rate(self) -> None:
        rate = self.learning_rate * self.schedule(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("rate", 1.0)

    def _order(self, n: int, device: torch.device) -> Tensor:
        if not self.shuffle:
            order = torch.arange(n, device=device)
            return order if len(self.generators) == 1 else order.expand(len(self.generators), n)
        orders = [torch.randperm(n, generator=generator, device=device) for generator in self.generators]
        return orders[0] if len(orders) == 1 else torch.stack(orders)

    def _batches(self, rows: Rows[Tensor]) -> Iterator[Batch]:
        """Gather a few batches' rows at a time, and slice them."""
        X = rows.X
        order = self._order(len(X), X.device)
        axis = order.ndim - 1
        row_bytes = max(1, X[:1].numel() * X.element_size() * len(self.generators))
        starts = batch_starts(len(X), self.batch_size)
        piece = max(1, BLOCK_BYTES // (row_bytes * self.batch_size))
        for first in range(0, len(starts) - 1, piece):
            bounds = starts[first : first + piece + 1]
            indices = order.narrow(axis, bounds[0], bounds[-1] - bounds[0])
            part = rows.take(indices)
            for start, stop in pairwise(bounds):
                where = (axis, start - bounds[0], stop - start)
                yield Batch(
                    part.X.narrow(*where),
                    part.y.narrow(*where),
                    None if part.weight is None else part.weight.narrow(*where),
                    indices.narrow(*where),
                    self.generators,
                    {name: values.narrow(*where) for name, values in part.extra.items()},
                )

    def state(self) -> dict[str, NDArray]:
        """Return the optimizer and generator state, which the weights do not contain, as arrays."""
        state = {"step": np.array(self.step)}
        for k, generator in enumerate(self.generators):
            state[f"generator.{k}"] = generator.get_state().cpu().numpy()
        for i, block in enumerate(blocks(self.network)):
            for key, value in self.optimizer.state[block].items():
                state[f"optimizer.{i}.{key}"] = value.detach().cpu().numpy().copy()
        for name, value in self.memory.items():
            state[f"memory.{name}"] = value.detach().cpu().numpy().copy()
        return state

    def load_state(self, state: dict[str, NDArray]) -> None:
        """Continue from a state that a trainer of the same network returned.

        The moments restart if the saved ones belong to another optimiser. The generators restart if theirs belong to
        another kind of device.
        """
        self.step = int(state["step"])
        for k, generator in enumerate(self.generators):
            value = torch.from_numpy(state[f"generator.{k}"].copy())
            if value.shape == generator.get_state().shape:
                generator.set_state(value)
        for i, block in enumerate(blocks(self.network)):
            prefix = f"optimizer.{i}."
            moments = _below(prefix, state)
            start = self.optimizer.start(block)
            if moments.keys() == start.keys():
                self.optimizer.state[block] = {
                    key: torch.from_numpy(moments[key]).to(start[key], copy=True) for key in start
                }
        device = blocks(self.network)[0].device
        for name, remembered in _below("memory.", state).items():
            self.memory[name] = torch.from_numpy(remembered.copy()).to(device)


def _below(prefix: str, state: Mapping[str, NDArray]) -> dict[str, NDArray]:
    return {name.removeprefix(prefix): state[name] for name in state if name.startswith(prefix)}


def batch_starts(n: int, batch_size: int) -> list[int]:
    """Return where batches begin, and n: a single last row joins the batch before it, as it has no variance alone."""
    starts = list(range(0, n, batch_size))
    if len(starts) > 1 and n - starts[-1] == 1:
        starts.pop()
    return [*starts, n]
