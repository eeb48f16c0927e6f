"""The stages of one fit of DAF (Algorithm 1 of the paper is the last): source, copy for the target, joint training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor

from skpapers._fitting import Fitting
from skpapers._torch.chunks import chunk_length
from skpapers._torch.fitted import Arrays
from skpapers._torch.network_base import draw_seeds
from skpapers._torch.partners import rounds
from skpapers._torch.rows import Rows
from skpapers._torch.running import mean_weight
from skpapers._torch.schedules import cosine, warm_up
from skpapers._torch.state import choose_device, own_precision, to_arrays
from skpapers._torch.steps import Objective
from skpapers._torch.stopping import EarlyStopping
from skpapers._torch.training import Trainer, batch_starts
from skpapers.forecasting._daf import LIMIT, scale_history
from skpapers.forecasting._daf_adversarial import Discriminator, JointObjective, SequenceLoss, joint_epoch, step_loss
from skpapers.forecasting._daf_fitted import FittedDAF
from skpapers.forecasting._daf_network import DAFNetwork
from skpapers.forecasting._daf_roll_out import roll_out

if TYPE_CHECKING:
    from skpapers.forecasting._daf_forecaster_estimator import DAFForecaster

STEPS = 300  # of the first stage, at the least
JOINT_STEPS = 100
FEWEST_EPOCHS = 2
JOINT_RATE = 1.0 / 3.0  # of the learning rate, where weights start from those of the source
WARM_UP = 20  # steps, at most a tenth of all
MAX_NORM = 1.0  # of a gradient


@dataclass(frozen=True)
class Roles:
    """The rows of each part, with the place of their domain as `extra["domain"]`.

    Parameters
    ----------
    source, target : Rows
        Rows to train on; either may have none.

    held : Rows or None
        Target rows that judge the epochs.
    """

    source: Rows[NDArray]
    target: Rows[NDArray]
    held: Rows[NDArray] | None


class Stages:
    """One fit.

    Parameters
    ----------
    est : DAFForecaster
        Its parameters are read.

    fitting : Fitting
        Stages and epochs are reported to it.

    roles : Roles
        The rows.

    start : FittedDAF
        All that is known before the first step; its weights are empty.
    """

    def __init__(self, est: DAFForecaster, fitting: Fitting, roles: Roles, start: FittedDAF) -> None:
        self.est = est
        self.fitting = fitting
        self.start = start
        self.device = choose_device(est.device)
        self.dtype = est._torch_dtype()
        self.seeds = draw_seeds(check_random_state(est.random_state), 4)
        self.loss = step_loss(start.levels, est.loss)
        self.sequence = SequenceLoss(self.loss, est.forecast_weight)
        self.source = self._scaled(roles.source)
        self.target = self._scaled(roles.target)
        held = None if roles.held is None else self._scaled(roles.held)
        self.held = held if held is not None and len(held) else None
        self.adapts = len(self.source) > 0
        self.n_steps = 1 + (self.adapts and est.warm_start_target)
        self.before: Arrays = {}
        self.losses: list[float] = []
        self.joint_losses: list[float] = []
        self.scores: list[float] | None = None
        self.accuracies: list[float] = []
        self.best: tuple[float, int] | None = None
        self.network = self._network()

    def _network(self) -> DAFNetwork:
        network = self.est._new_network(self.start.architecture, [self.seeds[0]])
        assert isinstance(network, DAFNetwork)
        return network.to(self.device)

    @own_precision()
    def run(self) -> None:
        """Train the network."""
        self._check_rows()
        if not self.adapts:
            self._plain("training", self.target, self.seeds[1], self.losses, self.held)
            return
        if self.est.warm_start_target:
            self._plain("source", self.source, self.seeds[1], self.losses, None)
            self.network.copy_private(self._best_source())
        self.before = to_arrays(self.network)
        self._joint()

    def _check_rows(self) -> None:
        if len(self.target) + len(self.source) == 0:
            raise ValueError("Every history that is left to train on is constant: it has no scale, and no pattern.")

    # Stages ---------------------------------------------------------------------------------------------------------

    def _plain(self, stage: str, rows: Rows[Tensor], seed: int, losses: list[float], held: Rows[Tensor] | None) -> None:
        """Lower the loss of the rows."""
        steps = len(batch_starts(len(rows), self._batch_size(len(rows)))) - 1
        n_epochs = self._n_epochs(self.est.max_iter, STEPS, steps)
        rate = float(self.est.learning_rate_init)
        trainer = self._trainer(self.sequence, seed, len(rows), n_epochs * steps, rate)
        self._epochs(stage, n_epochs, lambda: trainer.run_epoch(rows).item(), losses, held)

    def _joint(self) -> None:
        """Train on both domains, against the discriminator; the weights before are the first candidate."""
        est = self.est
        rows = self.target
        if not len(rows):
            return
        rate = float(est.learning_rate_init) * (JOINT_RATE if est.warm_start_target else 1.0)
        generator = torch.Generator().manual_seed(int(self.seeds[2]))
        discriminator = None
        if est.adversarial_weight > 0:
            discriminator = Discriminator(
                est.d_model,
                generator,
                rows.X,
                learning_rate=rate,
                max_norm=MAX_NORM,
                alpha=est.alpha,
            )
        objective = JointObjective(
            self.source,
            self.sequence,
            source_weight=est.source_weight,
            discriminator=discriminator,
            adversarial_weight=est.adversarial_weight,
        )
        batch_size = self._batch_size(len(rows))
        n_rounds, n_partners = rounds(len(self.source), len(rows), self._batch_size(len(self.source)))
        steps = n_rounds * (len(batch_starts(len(rows), batch_size)) - 1)
        n_epochs = self._n_epochs(est.adaptation_iter, JOINT_STEPS, steps)
        trainer = self._trainer(objective, self.seeds[3], len(rows), n_epochs * steps, rate)

        def epoch() -> float:
            loss = joint_epoch(trainer, rows, n_rounds, n_partners)
            if objective.accuracies:
                self.accuracies.append(float(np.mean(objective.accuracies)))
                objective.accuracies.clear()
            return loss

        self._epochs("joint", n_epochs, epoch, self.joint_losses, self.held, judges_start=True)

    def _epochs(
        self,
        stage: str,
        n_epochs: int,
        epoch: Callable[[], float],
        losses: list[float],
        held: Rows[Tensor] | None,
        *,
        judges_start: bool = False,
    ) -> None:
        """Run the epochs of a stage, and keep the best weights; a callback may end it."""
        est = self.est
        stopper = None if held is None else EarlyStopping(self.network, est.n_iter_no_change, est.tol)
        if stopper is not None:
            self.scores = []
            if judges_start:
                self._judge(stopper, held)
        with self.fitting.step(stage, n_steps=n_epochs) as task:
            for number in range(1, n_epochs + 1):
                with task.step(f"{stage} epoch", number) as step:
                    try:
                        losses.append(epoch())
                    except FloatingPointError:
                        est._raise_diverged(f"epoch {number} of the {stage} stage", float(est.learning_rate_init))
                    step.figures = {"loss": losses[-1]}
                    stops = stopper is not None and self._judge(stopper, held)
                    if stopper is not None and self.scores:
                        step.figures = {**step.figures, "validation_score": self.scores[-1]}
                    step.fitted = self.fitted
                if stops or step.stopped:
                    break
            if stopper is not None:
                stopper.restore()
                self.best = (stopper.best_score, stopper.best_epoch - judges_start)
            task.fitted = self.fitted

    def _judge(self, stopper: EarlyStopping, held: Rows[Tensor] | None) -> bool:
        assert held is not None
        assert self.scores is not None
        self.scores.append(-self._forecast_loss(held))
        return stopper.update(self.scores[-1])

    def _best_source(self) -> int:
        """Return the source whose private modules forecast the target rows best."""
        n_domains = len(self.start.domains)
        if n_domains == 2 or not len(self.target):
            return 1
        found = []
        for place in range(1, n_domains):
            as_source = torch.full_like(self.target.extra["domain"], place)
            found.append(self._forecast_loss(replace(self.target, extra={"domain": as_source})))
        return 1 + int(np.argmin(found))

    @torch.no_grad()
    def _forecast_loss(self, rows: Rows[Tensor]) -> float:
        """Return the mean loss of forecasts step after step."""
        losses = []
        length = chunk_length(self.network)
        for first in range(0, len(rows), length):
            part = rows.take(torch.arange(first, min(first + length, len(rows)), device=rows.X.device))
            outputs = roll_out(self.network, part.X, part.extra["domain"])
            losses.append(self.loss(outputs, part.y).mean(dim=1))
        found = torch.cat(losses).double().cpu().numpy()
        return float(np.average(found, weights=None if rows.weight is None else rows.weight.double().cpu().numpy()))

    # Result ---------------------------------------------------------------------------------------------------------

    def fitted_network(self) -> FittedDAF:
        """Return the model, as if the fit ended here."""
        weights = to_arrays(self.network)
        if self.adapts and self.est.warm_start_target and not self.before:
            network = self._network()
            network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
            network.copy_private(1)
            weights = to_arrays(network)
        return replace(self.start, weights=weights, before=self.before)

    def fitted(self) -> dict[str, Any]:
        """Return the attributes of the estimator, as if the fit ended here."""
        curve = [*self.losses, *self.joint_losses]
        score, epoch = (None, None) if self.best is None else self.best
        return self.fitting.validated | {
            "horizon_": self.start.architecture["horizon"],
            "history_": self.start.inputs.known_shape[0],
            "domains_": np.array(self.start.domains),
            "kernel_sizes_": self.start.architecture["kernel_sizes"],
            "source_loss_curve_": list(self.losses) if self.adapts else [],
            "loss_curve_": list(self.joint_losses if self.adapts else self.losses),
            "n_iter_": len(curve),
            "validation_scores_": None if self.scores is None else list(self.scores),
            "best_validation_score_": score,
            "best_iter_": epoch,
            "discriminator_accuracies_": list(self.accuracies),
            "_fitted": self.fitted_network(),
        }

    # Pieces ---------------------------------------------------------------------------------------------------------

    def _scaled(self, rows: Rows[NDArray]) -> Rows[Tensor]:
        """Return rows in scales of their histories (1), without those whose history is constant."""
        X = torch.from_numpy(rows.X)
        z, location, scale = scale_history(X)
        moves = (scale[:, 0] > 0).numpy()
        unit = torch.where(scale[:, :1] > 0, scale[:, :1], 1.0)
        y = ((torch.from_numpy(rows.y) - location[:, :1]) / unit).clamp(-LIMIT, LIMIT)
        kept = np.flatnonzero(moves)
        weight = None if rows.weight is None else rows.weight[kept]
        if weight is not None and len(weight):
            weight = None if weight.min() == weight.max() else weight / mean_weight(weight)
        made = None if weight is None else torch.from_numpy(weight).to(self.device, self.dtype)
        domain = torch.from_numpy(rows.extra["domain"][kept]).to(self.device)
        kept_rows = torch.from_numpy(kept)
        return Rows(
            z[kept_rows].to(self.device, self.dtype), y[kept_rows].to(self.device, self.dtype), made, {"domain": domain}
        )

    def _batch_size(self, n: int) -> int:
        return min(int(self.est.batch_size), n)

    def _n_epochs(self, given: int | str, fewest_steps: int, steps: int) -> int:
        return max(ceil(fewest_steps / steps), FEWEST_EPOCHS) if given == "auto" else int(given)

    def _trainer(self, objective: Objective, seed: int, n: int, n_steps: int, learning_rate: float) -> Trainer:
        n_warm = min(WARM_UP, n_steps // 10)
        return self.est._trainer(
            self.network,
            objective,
            [seed],
            batch_size=self._batch_size(n),
            learning_rate=learning_rate,
            schedule=warm_up(n_warm, cosine(max(1, n_steps - n_warm))),
            max_norm=MAX_NORM,
        )
