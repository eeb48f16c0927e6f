r"""Self-supervised policy adaptation during deployment (Hansen et al. 2021); the numbers of the equations are our own.

An encoder e sees an observation x_t. A policy head pi and a self-supervised head s see what it finds. The task of s has
targets that the observations bring along: the action a_t between two of them (inverse dynamics), or by which of four
turns r_k an observation was turned:

    L_t = l(a_t, s(e(x_t), e(x_{t+1})))                                         (1)
    L_t = 1/4 sum_k l(k, s(e(r_k x_t)))                                         (2)

Training learns all of them from the actions y_t of an expert, with row weights w_t:

    min_{e, pi, s}  mean_t w_t (l(y_t, pi(e(x_t))) + alpha L_t)                 (3)

After deployment nobody knows y_t, and no reward is needed. After each transition theta, some of the weights of e and s,
takes a step on a batch B of the transitions just seen, and pi stays as it is:

    theta <- theta - eta grad_theta mean_{t in B} L_t                           (4)

=====================  ======================================
Step                   Function
=====================  ======================================
Eq. (1)                `inverse_losses`
Eq. (2)                `rotation_losses`, with r_k = `turned`
Eq. (3)                `joint_objective`
Eq. (4)                `adaptation_objective`, `adapt`
=====================  ======================================
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers._torch.losses import Loss
from skpapers._torch.modes import set_modes
from skpapers._torch.rows import Rows
from skpapers._torch.steps import Batch, Objective
from skpapers._torch.training import Trainer

TURNS = 4

Auxiliary = Callable[[nn.Module, Batch], Tensor]  # the self-supervised loss of each row, of shape (b,)


def n_turns(row_shape: tuple[int, ...]) -> int:
    """Return the number of different turns: four quarters of an image, or shifts of a row by its quarters."""
    return TURNS if _is_square(row_shape) else min(TURNS, row_shape[-1])


def _is_square(row_shape: tuple[int, ...]) -> bool:
    return len(row_shape) == 3 and row_shape[1] == row_shape[2] > 1


def turned(x: Tensor, k: int) -> Tensor:
    """Return rows after turn k: images (b, C, H, H) rotated by k quarters, others shifted cyclically by k quarters."""
    if _is_square(x.shape[1:]):
        return torch.rot90(x, k, dims=(-2, -1))
    length = x.shape[-1]
    return torch.roll(x, k * length // min(TURNS, length), dims=-1)


def inverse_losses(loss: Loss) -> Auxiliary:
    """Return Eq. (1), as a function of a network and a batch with `X_next`, `action` and `linked`.

    It is 0 for rows whose `linked` is 0: they have no successor.
    """

    def losses(network: nn.Module, batch: Batch) -> Tensor:
        pair = network.features(torch.cat([batch.X, batch.extra["X_next"]]))  # type: ignore[operator]
        of_pair = torch.cat(pair.chunk(2), dim=1)
        found = loss(network.auxiliary(of_pair), batch.extra["action"])  # type: ignore[operator]
        return found * batch.extra["linked"]

    return losses


def rotation_losses(network: nn.Module, batch: Batch) -> Tensor:
    """Return Eq. (2): the mean over all turns, so that nothing is drawn.

    The adapter comes before the turn: the sensor that it corrects is where it was.
    """
    x = network.adapter(batch.X)  # type: ignore[operator]
    count = n_turns(tuple(x.shape[1:]))
    outputs = network.auxiliary(network.encoded(torch.cat([turned(x, k) for k in range(count)])))  # type: ignore[operator]
    label = torch.arange(count, device=x.device).repeat_interleave(len(x))
    return F.cross_entropy(outputs, label, reduction="none").view(count, -1).mean(dim=0)


def joint_objective(loss: Loss, auxiliary: Auxiliary, alpha: float) -> Objective:
    """Return Eq. (3), of the loss of the policy and the self-supervised one."""

    def objective(network: nn.Module, batch: Batch) -> Tensor:
        losses = loss(network(batch.X), batch.y) + alpha * auxiliary(network, batch)
        return (losses if batch.weight is None else losses * batch.weight).mean()

    return objective


def adaptation_objective(auxiliary: Auxiliary) -> Objective:
    """Return what Eq. (4) descends."""
    return lambda network, batch: auxiliary(network, batch).mean()


def adapt(trainer: Trainer, rows: Rows[Tensor], n_new: int, *, n_steps: int, window: int) -> list[float]:
    """Take the steps of Eq. (4) for each of the last `n_new` rows in turn, and return the losses before them.

    The batch of a step is drawn from the `window` rows up to that one, so that rows in one call have the same effect as
    one by one. A step never sees a row that came later.

    Parameters
    ----------
    trainer : Trainer
        Of `adaptation_objective`, for the weights that adapt.

    rows : Rows
        Transitions in the order of time.

    n_new : int
        How many of them are new.

    n_steps : int
        Steps for each new one.

    window : int
        Number of the latest transitions from which a batch is drawn; 1 is the paper's.

    Raises
    ------
    FloatingPointError
        If a loss was NaN or infinite.
    """
    set_modes(trainer.network, trainer.modes)
    (generator,) = trainer.generators
    device = rows.X.device
    losses = []
    for last in range(len(rows) - n_new, len(rows)):
        first = max(0, last + 1 - window)
        for _ in range(n_steps):
            drawn = first + torch.randperm(last + 1 - first, generator=generator, device=device)[: trainer.batch_size]
            part = rows.take(drawn)
            losses.append(trainer.take_step(Batch(part.X, part.y, None, drawn, trainer.generators, part.extra)))
    found = torch.stack(losses)
    if not bool(torch.isfinite(found).all()):
        raise FloatingPointError("the loss is NaN or infinite")
    return found.tolist()
