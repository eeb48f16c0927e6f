"""The objectives of DAF: forecasts and interpolations of each domain, and a discriminator of their patterns.

    L_D   = mean_t l(z^_t, z_t) over the interpolated steps + c mean_u l(z^_u, z_u) over the H steps forecast        (7)
    L_dom = -mean log delta(a_S) - mean log(1 - delta(a_T)),       a being the queries and the keys of all steps     (8)
    min_f,g,m,V max_delta    b L_S + L_T - lambda L_dom                                                              (9)

The discriminator delta, a perceptron, lowers L_dom; the shared modules raise it (Equations 9 to 11 of the paper; the
numbers above are those of this project). Each step updates first the one and then the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers._torch.flat import clip_gradient, flatten
from skpapers._torch.modules import MLP
from skpapers._torch.optimizers import make_optimizer
from skpapers._torch.partners import draw_partners
from skpapers._torch.rows import Rows
from skpapers._torch.steps import Batch
from skpapers._torch.training import Trainer
from skpapers.forecasting._daf_network import DAFNetwork, Pass
from skpapers.forecasting._daf_roll_out import last_values, split_missing

StepLoss = Callable[[Tensor, Tensor], Tensor]


def step_loss(levels: tuple[float, ...] | None, name: str) -> StepLoss:
    """Return the loss of outputs (..., n_outputs) for values (...): pinball losses, or that of a name."""

    def pinball(outputs: Tensor, z: Tensor) -> Tensor:
        over = z.unsqueeze(-1) - outputs
        level = torch.tensor(levels, dtype=outputs.dtype, device=outputs.device)
        return 2.0 * torch.maximum(level * over, (level - 1.0) * over).mean(dim=-1)

    def absolute(outputs: Tensor, z: Tensor) -> Tensor:
        return (outputs[..., 0] - z).abs()

    def squared(outputs: Tensor, z: Tensor) -> Tensor:
        return (outputs[..., 0] - z).square()

    if levels is not None:
        return pinball
    return absolute if name == "absolute_error" else squared


def complete_series(X: Tensor, y: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return histories followed by their horizons (b, T, C), and where channel 0 was observed.

    The other channels of the horizon are not known: they keep their last value, as they do in a forecast.
    """
    z, observed = split_missing(X)
    others = last_values(X)[:, None, 1:].expand(-1, y.shape[1], -1)
    series = torch.cat([z, torch.cat([y[..., None], others], dim=-1)], dim=1)
    if observed is not None:
        observed = torch.cat([observed, torch.ones_like(y, dtype=torch.bool)], dim=1)
    return series, observed


class SequenceLoss:
    """The loss of each series, L_D (7), in scaled units: the horizon is forecast with its true values before each step.

    Parameters
    ----------
    loss : callable
        See :func:`step_loss`.

    forecast_weight : float
        c.
    """

    def __init__(self, loss: StepLoss, forecast_weight: float) -> None:
        self.loss = loss
        self.forecast_weight = forecast_weight

    def of_each(self, network: DAFNetwork, X: Tensor, y: Tensor, domain: Tensor) -> tuple[Tensor, Pass, Tensor | None]:
        """Return the losses of shape (b,), the pass over the series, and where they were observed."""
        z, observed = complete_series(X, y)
        n_steps = z.shape[1]
        made = network.run(z, domain, observed, first=network.length, stop=n_steps)
        losses = self.forecast_weight * self.loss(made.forecast, y).mean(dim=1)
        for left, interpolated in zip(made.left, made.interpolated, strict=True):
            of_steps = self.loss(interpolated, left[..., 0])
            losses = losses + mean_over_steps(of_steps, observed) / len(made.left)
        return losses, made, observed

    def __call__(self, network: nn.Module, batch: Batch) -> Tensor:
        losses, _, _ = self.of_each(cast(DAFNetwork, network), batch.X, batch.y, batch.extra["domain"])
        return weighted_mean(losses, batch.weight)


def mean_over_steps(of_steps: Tensor, observed: Tensor | None) -> Tensor:
    """Return the mean of each series over its observed steps."""
    if observed is None:
        return of_steps.mean(dim=1)
    return (of_steps * observed).sum(dim=1) / observed.sum(dim=1)


def weighted_mean(losses: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean of losses times weights, which are 1 on average over all rows."""
    return (losses if weight is None else losses * weight).mean()


class Discriminator:
    """delta, and its optimiser.

    Parameters
    ----------
    d : int
        Width of queries and keys.

    generator : torch.Generator
        Draws its weights, on the CPU.

    like : Tensor
        Of the device and dtype of the network.

    learning_rate, max_norm : float
        Of its steps.

    alpha : float
        Weight decay.
    """

    def __init__(
        self, d: int, generator: torch.Generator, like: Tensor, *, learning_rate: float, max_norm: float, alpha: float
    ) -> None:
        self.network = MLP(d, (d, d), 1, activation="silu", dtype=like.dtype).draw((generator,)).to(like.device)
        self.optimizer = make_optimizer(flatten(self.network), "adamw", alpha=alpha)
        self.max_norm = max_norm
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate

    def losses(
        self, made: Pass, is_source: Tensor, observed: Tensor | None, *, detached: bool
    ) -> tuple[Tensor, Tensor]:
        """Return L_dom of each series over its steps (8), and how often delta is right, both of shape (b,)."""
        found = []
        right = []
        for a in (*made.queries, *made.keys):
            logits = self.network((a.detach() if detached else a).flatten(0, 1)).view(a.shape[:2])
            signed = torch.where(is_source[:, None], logits, -logits)
            found.append(mean_over_steps(F.softplus(-signed), observed))
            right.append(mean_over_steps((signed.detach() > 0).to(a.dtype), observed))
        return torch.stack(found).mean(dim=0), torch.stack(right).mean(dim=0)

    def learn(self, loss: Tensor) -> None:
        """Take one step down L_dom."""
        found = torch.autograd.grad(loss, self.network._learning)  # type: ignore[arg-type]
        for parameter, gradient in zip(self.network._learning, found, strict=True):  # type: ignore[arg-type]
            parameter.grad.copy_(gradient)
        clip_gradient(self.network, self.max_norm)
        self.optimizer.step()


class JointObjective:
    """The loss of target and source rows, and its gradient with the discriminator's step before it (9).

    A batch holds target rows. Each brings source rows with it: `partners`, of shape (n_target, n_partners).

    Parameters
    ----------
    source : Rows
        All source rows.

    sequence : SequenceLoss
        L_D.

    source_weight : float
        b.

    discriminator : Discriminator or None
        None: L_dom is left out.

    adversarial_weight : float
        lambda.
    """

    def __init__(
        self,
        source: Rows[Tensor],
        sequence: SequenceLoss,
        *,
        source_weight: float,
        discriminator: Discriminator | None,
        adversarial_weight: float,
    ) -> None:
        self.source = source
        self.sequence = sequence
        self.source_weight = source_weight
        self.discriminator = discriminator
        self.adversarial_weight = adversarial_weight
        self.partners: Tensor | None = None
        self.accuracies: list[float] = []

    def __call__(self, network: nn.Module, batch: Batch) -> Tensor:
        """Return b L_S + L_T - lambda L_dom, after one step of the discriminator."""
        n = len(batch.X)
        assert self.partners is not None
        if self.discriminator is None and self.source_weight == 0.0:
            return self.sequence(network, batch)
        rows = self.source.take(self.partners[batch.indices].flatten())
        both = [
            torch.cat(pair)
            for pair in ((batch.X, rows.X), (batch.y, rows.y), (batch.extra["domain"], rows.extra["domain"]))
        ]
        losses, made, observed = self.sequence.of_each(cast(DAFNetwork, network), *both)

        def means(values: Tensor) -> tuple[Tensor, Tensor]:
            return weighted_mean(values[:n], batch.weight), weighted_mean(values[n:], rows.weight)

        of_target, of_source = means(losses)
        total = of_target + self.source_weight * of_source
        if self.discriminator is not None:
            is_source = torch.arange(len(both[0]), device=both[0].device) >= n
            fixed, right = self.discriminator.losses(made, is_source, observed, detached=True)
            self.discriminator.learn(sum(means(fixed)))  # type: ignore[arg-type]
            self.accuracies.append(0.5 * float(right[:n].mean() + right[n:].mean()))
            free, _ = self.discriminator.losses(made, is_source, observed, detached=False)
            total = total - self.adversarial_weight * sum(means(free))
        return total


def joint_epoch(trainer: Trainer, rows: Rows[Tensor], n_rounds: int, n_partners: int) -> float:
    """Visit the target rows `n_rounds` times, and source rows in turn with them; return the mean loss.

    Raises
    ------
    FloatingPointError
        If the loss was NaN or infinite.
    """
    objective = cast(JointObjective, trainer.objective)
    partners = draw_partners(len(objective.source), len(rows), n_rounds, n_partners, trainer.generators[0])
    total = 0.0
    for some in partners:
        objective.partners = some
        total += trainer.run_epoch(rows).item()
    return total / n_rounds
