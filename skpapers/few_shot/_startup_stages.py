"""The stages of one fit of STARTUP: teacher, student, final classifier, and what the model would be after any epoch."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.callback import CallbackContext
from sklearn.utils import check_random_state
from torch import Tensor, nn

from skpapers._callbacks import begin_step, end_step, is_watched
from skpapers._torch.chunks import chunk_length, in_chunks, network_inputs, to_tensor
from skpapers._torch.losses import cross_entropy
from skpapers._torch.rows import Rows as TensorRows
from skpapers._torch.running import mean_weight
from skpapers._torch.scaling_layers import FixedScaling
from skpapers._torch.schedules import cosine
from skpapers._torch.state import choose_device, load_arrays, own_modes, to_arrays
from skpapers._torch.steps import Objective, supervised
from skpapers._torch.training import Trainer, batch_starts
from skpapers.few_shot._startup import Features, FewShotNetwork, StudentObjective, rounds, student_epoch
from skpapers.few_shot._views import View, given_view, named_view

AUTO_BATCH_SIZE = 128


class Rows(NamedTuple):
    """Rows that go into one stage, with their labels where these are used, and weights or None."""

    X: NDArray[np.float64]
    y: NDArray
    weight: NDArray[np.float64] | None

    def of(self, which: NDArray[np.bool_]) -> "Rows":
        """Return some of them; all are not copied."""
        if which.all():
            return self
        return Rows(self.X[which], self.y[which], None if self.weight is None else self.weight[which])


class Stages:
    """One fit.

    Parameters
    ----------
    est : STARTUPClassifier
        Its parameters are read.

    told : dict
        What is known of the fitted estimator before: architecture, scaling, classes.

    source, target, labelled : Rows
        Rows of the teacher, of the student, of the final classifier.

    weight_name : str or None
        The name under which the final classifier takes weights.
    """

    def __init__(
        self,
        est: Any,
        told: dict[str, Any],
        source: Rows,
        target: Rows,
        labelled: Rows,
        weight_name: str | None,
    ) -> None:
        self.est, self.told, self.weight_name = est, told, weight_name
        self.source, self.target, self.labelled = source, target, labelled
        self.batch_size = AUTO_BATCH_SIZE if est.batch_size == "auto" else est.batch_size
        self.dtype, self.device = getattr(torch, est.dtype), choose_device(est.device)
        seeds = check_random_state(est.random_state).randint(np.iinfo(np.int32).max, size=5)
        self.teacher_seeds, self.student_seeds, self.view_seed = seeds[:2], seeds[2:4], seeds[4]
        self.teaches = len(source.X) > 0
        self.distill_weight = est.distill_weight if self.teaches else 0.0
        self.learns = len(target.X) > 0 and (self.distill_weight > 0 or est.ssl_weight > 0)
        self.n_steps = 1 + self.teaches + self.learns
        self.teacher: FewShotNetwork | None = None
        self.student: FewShotNetwork | None = None
        self.curves: dict[str, list[NDArray]] = {"teacher": [], "student": []}
        self.start = perf_counter()

    @own_modes()
    def run(self, context: CallbackContext) -> None:
        """Train the networks."""
        X = y = weight = None
        if self.teaches:
            X = self._inputs(self.source.X)
            y = torch.as_tensor(np.searchsorted(self.told["source_classes_"], self.source.y), device=self.device)
            weight = self._mean_one(self.source.weight)
            self.teacher = self._network(0, self.teacher_seeds[0])
            trainer = self._trainer(self.teacher, supervised(cross_entropy()), self.teacher_seeds[1], len(X), 1)
            self._epochs("teacher", context, lambda: trainer.run_epoch(TensorRows(X, y, weight)).cpu().double().numpy())
            self.teacher.eval()
        if self.learns:
            self._run_student(context, X, y, weight)

    def _run_student(self, context: CallbackContext, X: Tensor | None, y: Tensor | None, weight: Tensor | None) -> None:
        est, n = self.est, len(self.target.X)
        target, view = self._views()
        q = torch.zeros(n, 0, dtype=self.dtype, device=self.device)
        if self.teacher is not None:
            with torch.no_grad():
                inputs = torch.split(self._inputs(self.target.X), chunk_length(self.teacher))
                q = torch.cat([torch.softmax(self.teacher(part), dim=-1) for part in inputs])
        self.student = self._network(est.projection_dim if est.ssl_weight > 0 else 0, self.student_seeds[0])
        if self.teacher is not None and est.init == "teacher":
            self.student.start_from(self.teacher)
        objective = StudentObjective(
            X,
            y,
            weight,
            view,
            distill_weight=self.distill_weight,
            ssl_weight=est.ssl_weight,
            temperature=est.temperature,
        )
        n_rounds, _ = rounds(len(self.source.X), n, self.batch_size)
        trainer = self._trainer(self.student, objective, self.student_seeds[1], n, n_rounds)
        of_target = self._mean_one(self.target.weight)
        self._epochs("student", context, lambda: student_epoch(trainer, target, q, of_target).numpy())
        self.student.eval()

    def fit_final(self, context: CallbackContext | None) -> Any:
        """Return the final classifier, fitted on the features as they are; the callbacks are told where given."""
        est, model = self.est, clone(self.est._unfitted())
        X = applied(features_module(self.told, self._states()["_student_state"]), self.labelled.X)
        y, weight = self.labelled.y, self.labelled.weight
        params = {} if weight is None or self.weight_name is None else {self.weight_name: weight}
        if context is None:
            return model.fit(X, y, **params)
        task = context.subcontext(task_name="final estimator").call_on_fit_task_begin(estimator=est, X=X, y=y)
        with task.propagate_callback_context(model):
            model.fit(X, y, **params)
        task.call_on_fit_task_end(estimator=est, X=X, y=y)
        return model

    def fitted(self, final: Any = None) -> dict[str, Any]:
        """Return the attributes of the estimator, as if the fit ended here."""
        losses = np.array(self.curves["student"]).reshape(-1, 3)
        found = {
            "teacher_loss_curve_": [float(loss[0]) for loss in self.curves["teacher"]],
            "loss_curve_": [float(self._student_loss(parts)) for parts in losses],
            "student_losses_": losses,
            "n_iter_": sum(map(len, self.curves.values())),
            "final_estimator_": self.fit_final(None) if final is None else final,
        }
        return self.told | self._states() | found

    def _states(self) -> dict[str, dict[str, NDArray]]:
        """Return the networks as arrays, without the projection; no teacher is an empty one."""
        teacher, student = ({} if net is None else to_arrays(net) for net in (self.teacher, self.student))
        kept = {name: value for name, value in student.items() if not name.startswith("projection")}
        return {"_teacher_state": teacher, "_student_state": kept or teacher}

    def _student_loss(self, parts: NDArray) -> float:
        return parts @ [1.0, self.distill_weight, self.est.ssl_weight]

    def _epochs(self, stage: str, context: CallbackContext, epoch: Callable[[], NDArray]) -> None:
        """Run the epochs of a stage, and tell the callbacks of each; one of them may end the stage."""
        est, curve = self.est, self.curves[stage]
        task = begin_step(est, context, stage, n_steps=est.max_iter)
        for _ in range(est.max_iter):
            step = begin_step(est, task, "epoch") if is_watched(est) else None
            try:
                curve.append(epoch())
            except FloatingPointError:
                softer = f", raise temperature={est.temperature}" if stage == "student" else ""
                raise ValueError(
                    f"STARTUPClassifier: the loss became NaN or infinite in epoch {len(curve) + 1} of the {stage}; "
                    f"lower learning_rate_init={est.learning_rate_init}{softer}, or scale X (scaling={est.scaling!r})."
                ) from None
            if est.verbose:
                self._print(stage, curve)
            if step is not None and end_step(est, step, self.labelled.X, self.labelled.y, self.fitted):
                break
        end_step(est, task, self.labelled.X, self.labelled.y, self.fitted)

    def _print(self, stage: str, curve: list[NDArray]) -> None:
        loss, parts = float(curve[-1][0]), ""
        if stage == "student":
            loss = self._student_loss(curve[-1])
            named = zip(("cross-entropy", "distillation", "self-supervision"), curve[-1], strict=True)
            parts = " (" + ", ".join(f"{name} {value:.4g}" for name, value in named) + ")"
        seconds = perf_counter() - self.start
        print(f"STARTUPClassifier: {stage}, epoch {len(curve)}, loss {loss:.6g}{parts}, {seconds:.1f} s")

    # Pieces ---------------------------------------------------------------------------------------------------------

    def _inputs(self, X: NDArray) -> Tensor:
        """Return raw rows as the network takes them: scaled in float64, whatever the network's own dtype."""
        return network_inputs(scaling_module(self.told), self.device, self.dtype)(X)

    def _mean_one(self, weight: NDArray | None) -> Tensor | None:
        if weight is None or weight.min() == weight.max():
            return None
        return torch.tensor(weight / mean_weight(weight)).to(self.device, self.dtype)

    def _network(self, projection_dim: int, seed: int) -> FewShotNetwork:
        network = FewShotNetwork(**self.told["_fitted_architecture"], projection_dim=projection_dim, dtype=self.dtype)
        return network.draw((torch.Generator().manual_seed(int(seed)),)).to(self.device)

    def _trainer(self, network: nn.Module, objective: Objective, seed: int, n: int, n_rounds: int) -> Trainer:
        """Return the trainer of n rows that are visited `n_rounds` times in an epoch."""
        est = self.est
        return Trainer(
            network,
            objective,
            learning_rate=est.learning_rate_init,
            schedule=cosine(est.max_iter * n_rounds * (len(batch_starts(n, self.batch_size)) - 1)),
            batch_size=self.batch_size,
            generators=(torch.Generator(self.device).manual_seed(int(seed)),),
            alpha=est.alpha,
        )

    def _views(self) -> tuple[Tensor, View]:
        """Return the target rows as views are made of them, and what makes a view."""
        if callable(self.est.augment):
            rng = np.random.default_rng(self.view_seed)
            return to_tensor(self.target.X).to(self.device), given_view(self.est.augment, self._inputs, rng)
        return self._inputs(self.target.X), named_view(self.est.augment)


def scaling_module(told: Mapping[str, Any]) -> FixedScaling | None:
    """Return the first, fixed layer."""
    return None if told["_scaling"] is None else FixedScaling(**told["_scaling"])


@own_modes()
def features_module(told: Mapping[str, Any], state: dict[str, NDArray]) -> Features:
    """Return what makes features of raw rows, in float64 and evaluation mode."""
    network = FewShotNetwork(**told["_fitted_architecture"], projection_dim=0, dtype=torch.float64)
    load_arrays(network, state)
    return Features(scaling_module(told), network, told["_normalize"]).eval()


@own_modes()
def applied(features: Features, X: NDArray, *heads: nn.Module) -> NDArray[np.float64]:
    """Return the features of rows, or what some heads make of them, a chunk at a time."""
    with torch.no_grad():
        return in_chunks(nn.Sequential(features, *heads), X, chunk_length(features.network)).numpy()
