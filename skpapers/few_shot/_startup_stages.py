"""The stages of one fit of STARTUP: teacher, student, final classifier, and what the model would be after any epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state
from torch import Tensor, nn

from skpapers._fitting import Fitting
from skpapers._torch.chunks import chunk_length, network_inputs, to_tensor
from skpapers._torch.fitted import Architecture, Arrays
from skpapers._torch.losses import cross_entropy
from skpapers._torch.network_base import draw_seeds
from skpapers._torch.partners import rounds
from skpapers._torch.rows import Rows
from skpapers._torch.running import mean_weight
from skpapers._torch.scaled_columns import Scaling
from skpapers._torch.schedules import cosine
from skpapers._torch.state import choose_device, own_precision, to_arrays
from skpapers._torch.steps import Objective, supervised
from skpapers._torch.training import Trainer, batch_starts
from skpapers.few_shot._startup import FewShotNetwork, StudentObjective, student_epoch
from skpapers.few_shot._views import View, given_view, named_view

if TYPE_CHECKING:
    from skpapers.few_shot._startup_classifier import STARTUPClassifier

AUTO_BATCH_SIZE = 128
PARTS = ("cross_entropy", "distillation", "self_supervision")


@dataclass(frozen=True)
class Roles:
    """The rows of each stage.

    Parameters
    ----------
    source : Rows
        Rows of the teacher.

    target : Rows
        Rows of the student, whose labels it does not see.

    labelled : Rows
        Rows of the final classifier.
    """

    source: Rows[NDArray]
    target: Rows[NDArray]
    labelled: Rows[NDArray]


@dataclass(frozen=True, eq=False)
class FittedNetworks:
    """The networks of a fitted model.

    Parameters
    ----------
    architecture : dict
        What both are built from, without the projection.

    scaling : Scaling
        Of the inputs.

    normalize : bool
        Whether features of a row get norm 1.

    teacher, student : dict of str to ndarray
        Parameters and buffers; empty for the teacher if there are no source rows.
    """

    architecture: Architecture
    scaling: Scaling
    normalize: bool
    teacher: Arrays
    student: Arrays


class Stages:
    """One fit.

    Parameters
    ----------
    est : STARTUPClassifier
        Its parameters are read.

    fitting : Fitting
        Stages and epochs are reported to it.

    roles : Roles
        The rows.

    scaling : Scaling
        Of the inputs.

    classes : ndarray of shape (n_source_classes,)
        Those of the source.

    weight_name : str or None
        The name under which the final classifier takes weights.
    """

    def __init__(
        self,
        est: STARTUPClassifier,
        fitting: Fitting,
        roles: Roles,
        scaling: Scaling,
        classes: NDArray,
        weight_name: str | None,
    ) -> None:
        self.est = est
        self.fitting = fitting
        self.roles = roles
        self.scaling = scaling
        self.classes = classes
        self.weight_name = weight_name
        self.architecture = est._architecture(roles.labelled.X.shape[1], len(classes))
        self.batch_size = AUTO_BATCH_SIZE if est.batch_size == "auto" else int(est.batch_size)
        self.max_iter = int(est.max_iter)
        self.device = choose_device(est.device)
        self.dtype = est._torch_dtype()
        seeds = draw_seeds(check_random_state(est.random_state), 5)
        self.teacher_seeds = seeds[:2]
        self.student_seeds = seeds[2:4]
        self.view_seed = seeds[4]
        self.teaches = len(roles.source) > 0
        self.distill_weight = est.distill_weight if self.teaches else 0.0
        self.learns = len(roles.target) > 0 and (self.distill_weight > 0 or est.ssl_weight > 0)
        self.n_steps = 1 + self.teaches + self.learns
        self.teacher: FewShotNetwork | None = None
        self.student: FewShotNetwork | None = None
        self.teacher_losses: list[float] = []
        self.student_losses: list[NDArray] = []

    @own_precision()
    def run(self) -> None:
        """Train the networks."""
        source = None
        if self.teaches:
            source = self._source_tensors()
            self.teacher = self._network(0, self.teacher_seeds[0])
            trainer = self._trainer(self.teacher, supervised(cross_entropy()), self.teacher_seeds[1], len(source), 1)
            self._epochs("teacher", self._teacher_epoch(trainer, source))
            self.teacher.eval()
        if self.learns:
            self._run_student(source)

    def _run_student(self, source: Rows[Tensor] | None) -> None:
        est = self.est
        n = len(self.roles.target)
        inputs, view = self._views()
        q = torch.zeros(n, 0, dtype=self.dtype, device=self.device)
        if self.teacher is not None:
            with torch.no_grad():
                parts = torch.split(self._inputs(self.roles.target.X), chunk_length(self.teacher))
                q = torch.cat([torch.softmax(self.teacher(part), dim=-1) for part in parts])
        self.student = self._network(est.projection_dim if est.ssl_weight > 0 else 0, self.student_seeds[0])
        if self.teacher is not None and est.init == "teacher":
            self.student.start_from(self.teacher)
        objective = StudentObjective(
            source,
            view,
            distill_weight=self.distill_weight,
            ssl_weight=est.ssl_weight,
            temperature=est.temperature,
        )
        n_rounds, _ = rounds(len(self.roles.source), n, self.batch_size)
        trainer = self._trainer(self.student, objective, self.student_seeds[1], n, n_rounds)
        self._epochs("student", self._student_epoch(trainer, Rows(inputs, q, self._mean_one(self.roles.target.weight))))
        self.student.eval()

    def _teacher_epoch(self, trainer: Trainer, rows: Rows[Tensor]) -> Callable[[], Mapping[str, float]]:
        def epoch() -> Mapping[str, float]:
            self.teacher_losses.append(trainer.run_epoch(rows).cpu().double().item())
            return {"loss": self.teacher_losses[-1]}

        return epoch

    def _student_epoch(self, trainer: Trainer, rows: Rows[Tensor]) -> Callable[[], Mapping[str, float]]:
        def epoch() -> Mapping[str, float]:
            self.student_losses.append(student_epoch(trainer, rows).numpy())
            parts = self.student_losses[-1]
            return {"loss": self._student_loss(parts), **dict(zip(PARTS, parts, strict=True))}

        return epoch

    def fit_final(self, *, silent: bool = False) -> Any:
        """Return the final classifier, fitted on the features as they are now."""
        rows = self.roles.labelled
        model = clone(self.est._unfitted())
        features = self.est._apply(self._networks(), rows.X)
        params = {} if rows.weight is None or self.weight_name is None else {self.weight_name: rows.weight}
        if silent:
            return model.fit(features, rows.y, **params)
        with self.fitting.step("final estimator", data=(features, rows.y)) as step, step.passed_on_to(model):
            return model.fit(features, rows.y, **params)

    def fitted(self, *, silent: bool = True) -> dict[str, Any]:
        """Return the attributes of the estimator, as if the fit ended here; `silent` does not report the final fit."""
        losses = np.array(self.student_losses).reshape(-1, 3)
        return self.fitting.validated | {
            "source_classes_": self.classes,
            "classes_": np.unique(self.roles.labelled.y),
            "teacher_loss_curve_": list(self.teacher_losses),
            "loss_curve_": [self._student_loss(parts) for parts in losses],
            "student_losses_": losses,
            "n_iter_": len(self.teacher_losses) + len(losses),
            "final_estimator_": self.fit_final(silent=silent),
            "_fitted": self._networks(),
        }

    def _networks(self) -> FittedNetworks:
        """Return the networks as arrays, without the projection; a student that does not learn is the teacher."""
        teacher, student = ({} if net is None else to_arrays(net) for net in (self.teacher, self.student))
        kept = {name: value for name, value in student.items() if not name.startswith("projection")}
        return FittedNetworks(self.architecture, self.scaling, self.est.normalize, teacher, kept or teacher)

    def _student_loss(self, parts: NDArray) -> float:
        return float(parts @ [1.0, self.distill_weight, self.est.ssl_weight])

    def _epochs(self, stage: str, epoch: Callable[[], Mapping[str, float]]) -> None:
        """Run the epochs of a stage; a callback may end it."""
        est = self.est
        with self.fitting.step(stage, n_steps=self.max_iter) as task:
            for number in range(1, self.max_iter + 1):
                with task.step(f"{stage} epoch", number) as step:
                    try:
                        step.figures = epoch()
                    except FloatingPointError:
                        more = f", raise temperature={est.temperature}" if stage == "student" else ""
                        est._raise_diverged(f"epoch {number} of the {stage}", float(est.learning_rate_init), more)
                    step.fitted = self.fitted
                if step.stopped:
                    break
            task.fitted = self.fitted

    # Pieces ---------------------------------------------------------------------------------------------------------

    def _inputs(self, X: NDArray) -> Tensor:
        """Return raw rows as the network takes them: scaled in float64, also for a network in float32."""
        return network_inputs(self.scaling.layer(), self.device, self.dtype)(X)

    def _source_tensors(self) -> Rows[Tensor]:
        rows = self.roles.source
        y = torch.from_numpy(np.searchsorted(self.classes, rows.y)).to(self.device)
        return Rows(self._inputs(rows.X), y, self._mean_one(rows.weight))

    def _mean_one(self, weight: NDArray | None) -> Tensor | None:
        if weight is None or weight.min() == weight.max():
            return None
        return torch.from_numpy(weight / mean_weight(weight)).to(self.device, self.dtype)

    def _network(self, projection_dim: int, seed: int) -> FewShotNetwork:
        architecture = {**self.architecture, "projection_dim": projection_dim}
        network = self.est._new_network(architecture, [seed])
        assert isinstance(network, FewShotNetwork)
        return network.to(self.device)

    def _trainer(self, network: nn.Module, objective: Objective, seed: int, n: int, n_rounds: int) -> Trainer:
        """Return the trainer of n rows that are visited `n_rounds` times in an epoch."""
        n_steps = self.max_iter * n_rounds * (len(batch_starts(n, self.batch_size)) - 1)
        return self.est._trainer(
            network,
            objective,
            [seed],
            batch_size=self.batch_size,
            learning_rate=float(self.est.learning_rate_init),
            schedule=cosine(n_steps),
        )

    def _views(self) -> tuple[Tensor, View]:
        """Return the target rows as views are made of them, and what makes a view."""
        X = self.roles.target.X
        if callable(self.est.augment):
            rng = np.random.default_rng(self.view_seed)
            return to_tensor(X).to(self.device), given_view(self.est.augment, self._inputs, rng)
        return self._inputs(X), named_view(self.est.augment)
