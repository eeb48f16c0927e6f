"""Where an adaptation stands: the layers, the recent rows, the decision, and what was measured on the way."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil, nan

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.chunks import chunk_length
from skpapers._torch.modules import Linear
from skpapers.adaptation._adaptation_evidence import (
    AdaptationReport,
    ClassGeometry,
    balanced_rows,
    effective_classes,
    top_share,
)
from skpapers.adaptation._tent import TentSettings, Visit, adapt, predicted_codes, row_entropy
from skpapers.adaptation._tent_state import TentState, put_arrays

COLLAPSED = 0.95  # share of one class from which the predictions are said to have collapsed
SPREAD = 0.8  # share up to which those of the source have not
FEWEST = 32  # rows below which a collapse is not judged
ENOUGH = 64  # rows to judge it by, where a call brings fewer
EVIDENCE = 256  # largest number of rows of a report; streams of 400 rows were decided no better by all of them


@dataclass(frozen=True, eq=False)
class Monitor:
    """What was measured on each batch of rows, before the step.

    Parameters
    ----------
    entropy, shift : ndarray of shape (n_batches,)
        See `Visit`.

    rows : ndarray of int of shape (n_batches,)
        Length of each batch.

    uses_adapted : ndarray of bool of shape (n_batches,)
        Whether the adapted model predicts after the batch.
    """

    entropy: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    shift: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    rows: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    uses_adapted: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def after(self, visits: list[Visit], uses_adapted: bool) -> "Monitor":
        """Return the monitor with further batches."""
        return Monitor(
            np.append(self.entropy, [visit.entropy for visit in visits]),
            np.append(self.shift, [visit.shift for visit in visits]),
            np.append(self.rows, [len(visit.codes) for visit in visits]),
            np.append(self.uses_adapted, [uses_adapted] * len(visits)),
        )


@dataclass(frozen=True, eq=False)
class Progress:
    """Where an adaptation stands.

    Parameters
    ----------
    state : TentState
        The layers.

    recent : ndarray of shape (m, ...) or None
        Recent rows, as the network takes them.

    codes : ndarray of int of shape (m,)
        Classes that the adapted model predicted for them when they came.

    undecided : int
        Rows since the last report.

    report : AdaptationReport or None
        The last one; made with `adapt="auto"` only.

    collapsed : bool
        Whether the predictions have fallen into one class.

    n_resets : int
        How often that brought back the source.

    monitor : Monitor
        What was measured.
    """

    state: TentState = field(default_factory=TentState)
    recent: NDArray | None = None
    codes: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    undecided: int = 0
    report: AdaptationReport | None = None
    collapsed: bool = False
    n_resets: int = 0
    monitor: Monitor = field(default_factory=Monitor)

    def uses_adapted(self, mode: str) -> bool:
        """Whether the adapted model predicts."""
        if mode == "auto":
            return self.report is not None and self.report.keep
        return mode == "always" and self.recent is not None


@dataclass(frozen=True, eq=False)
class Adapter:
    """A network of the source, and how it adapts.

    Parameters
    ----------
    make : callable
        Return a new network with the weights of the source, on its device.

    settings : TentSettings
        How it adapts.

    device : torch.device
        Where it is.

    geometries : tuple of ClassGeometry
        Of the training rows in the features of each member; empty if one of them is undefined, see `class_geometry`.

    batch_size : int
        Largest number of rows of a step.

    n_recent : int
        Rows that are kept for the report.
    """

    make: Callable[[], nn.Module]
    settings: TentSettings
    device: torch.device
    geometries: tuple[ClassGeometry, ...]
    batch_size: int
    n_recent: int

    def adapted(self, state: TentState, X: NDArray) -> tuple[TentState, list[Visit]]:
        """Return the state after rows of a stream, and what was measured; batches differ by one row at most."""
        batches = np.array_split(X, ceil(len(X) / self.batch_size))
        return adapt(self.make, state, (torch.from_numpy(batch).to(self.device) for batch in batches), self.settings)

    def after(self, progress: Progress, X: NDArray, mode: str, *, resets: bool = False) -> Progress:
        """Return the progress after further rows."""
        state, visits = self.adapted(progress.state, X)
        codes = np.concatenate([progress.codes, *(visit.codes for visit in visits)])
        recent = X if progress.recent is None else np.concatenate([progress.recent, X])
        kept = self._kept(len(recent), len(X))
        changes = [number for number, visit in enumerate(visits) if visit.changed]
        if changes:  # rows before a change are no evidence for what follows
            kept = kept[kept >= len(recent) - sum(len(visit.codes) for visit in visits[changes[-1] :])]
        after = replace(
            progress, state=state, recent=recent[kept], codes=codes[kept], undecided=progress.undecided + len(X)
        )
        after = replace(after, collapsed=self._collapsed(after, max(ENOUGH, len(X))))
        if after.collapsed and resets:
            after = Progress(n_resets=progress.n_resets + 1, collapsed=True, monitor=progress.monitor)
        elif mode != "auto":
            after = replace(after, report=None)  # one of earlier rows does not describe these
        elif after.report is None or 2 * after.undecided >= len(after.codes):
            after = replace(after, report=self.report(after), undecided=0)
        return replace(after, monitor=progress.monitor.after(visits, after.uses_adapted(mode)))

    def _kept(self, n: int, n_new: int) -> NDArray[np.intp]:
        """Return which of n rows are kept: the last ones, or rows from all parts of a single large batch."""
        if n_new > self.n_recent:
            return n - n_new + _spread(n_new, self.n_recent)
        return np.arange(max(0, n - self.n_recent), n)

    def _collapsed(self, progress: Progress, n: int) -> bool:
        """Whether the adapted model predicts one class for the recent rows, which the source spreads over several.

        That is asked if it predicted one class for the last n rows. They may be of one class, the recent rows hardly.
        """
        codes = progress.codes[-n:]
        if len(codes) < FEWEST or top_share(codes) < COLLAPSED:
            return False
        of_source, of_adapted = (
            top_share(predicted_codes(self._run(state, progress.recent)[1])) for state in (TentState(), progress.state)
        )
        return of_adapted >= COLLAPSED and of_source < SPREAD

    def report(self, progress: Progress) -> AdaptationReport:
        """Return source and adapted model beside each other on recent rows, at most EVIDENCE of them."""
        assert progress.recent is not None
        X = progress.recent[_spread(len(progress.recent), EVIDENCE)]
        figures: dict[str, float] = {}
        codes = {}
        for name, state in (("source", TentState()), ("adapted", progress.state)):
            features, outputs = self._run(state, X)
            codes[name] = predicted_codes(outputs)
            figures[f"ratio_{name}"] = self._ratio(features)
            figures[f"entropy_{name}"] = row_entropy(outputs).mean().item()
            figures[f"n_classes_{name}"] = effective_classes(codes[name])
        if not self.geometries:
            return AdaptationReport(len(X), nan, agreement_source=nan, agreement_adapted=nan, **figures)
        balanced = self._balanced_codes(X, codes["source"])
        for name, of_model in codes.items():
            figures[f"agreement_{name}"] = float(np.mean(balanced == of_model))
        ratio_training = float(np.mean([geometry.ratio for geometry in self.geometries]))
        return AdaptationReport(len(X), ratio_training, **figures)

    def _balanced_codes(self, X: NDArray, codes: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the classes that the balanced copy predicts, for classes that the source predicts.

        It pools the selection whatever the rule is: by "ema", or from the last of several batches, it would not be
        balanced.
        """
        chosen = X[balanced_rows(codes, self.geometries[0].shares)]
        settings = replace(self.settings, rule=replace(self.settings.rule, name="prior"), n_steps=0)
        state, _ = replace(self, settings=settings, batch_size=len(chosen)).adapted(TentState(), chosen)
        return predicted_codes(self._run(state, X)[1])

    def _ratio(self, features: NDArray) -> float:
        """Return R, the mean over rows and members."""
        if not self.geometries:
            return nan
        pairs = zip(self.geometries, features, strict=True)
        return float(np.mean([geometry.ratios(h).mean() for geometry, h in pairs]))

    def _run(self, state: TentState, X: NDArray | None) -> tuple[NDArray, Tensor]:
        """Return features (K, n, d) and outputs of rows under a state."""
        assert X is not None
        network = self.make()
        put_arrays(network, state.norms)
        return features_and_outputs(network, torch.from_numpy(X))


def _spread(n: int, most: int) -> NDArray[np.intp]:
    """Return the numbers of `most` of n rows, from all parts; of all rows if there are no more."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(np.intp)


@torch.no_grad()
def features_and_outputs(network: nn.Module, X: Tensor) -> tuple[NDArray, Tensor]:
    """Return the inputs of the last linear layer, of shape (K, n, d), and the outputs, in evaluation mode.

    Of a network without linear layers the outputs are the features.
    """
    inputs: list[Tensor] = []

    def record(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        inputs[:] = given

    hooks = [m.register_forward_pre_hook(record) for m in network.modules() if isinstance(m, Linear | nn.Linear)]
    network.eval()
    device = next(network.parameters()).device
    features = []
    outputs = []
    for rows in torch.split(X, chunk_length(network)):
        outputs.append(network(rows.to(device)).cpu())
        found = inputs[0].cpu() if inputs else outputs[-1]
        features.append(found if found.ndim == 3 else found[None])
    for hook in hooks:
        hook.remove()
    return torch.cat(features, dim=1).double().numpy(), torch.cat(outputs, dim=-2)
