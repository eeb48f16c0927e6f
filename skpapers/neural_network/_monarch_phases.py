"""The phases of a training: in each of them the matrices of a network keep their form.

==================  ==================================================================================================
Mode                Phases (Sections 5.1 to 5.3 of Dao et al. 2022)
==================  ==================================================================================================
end to end          all epochs with Monarch matrices
sparse to dense     Monarch matrices up to the share `switch_at` of the epochs, then dense ones that start from the
                    products, on the same cosine ("reverse sparsification")
dense to sparse     all epochs with dense matrices, then a projection of each (Theorem 1) and the share `finetune` of
                    further epochs, with a cosine of their own
dense               all epochs with dense matrices: the control
==================  ==================================================================================================
"""

from dataclasses import dataclass, replace

from skpapers._torch.schedules import Schedule, cosine, warm_up
from skpapers.neural_network._automatic import SAMSettings
from skpapers.neural_network._monarch_network import Form

DENSE_RATE = 0.5  # learning rate of dense matrices, in units of that of Monarch matrices: Adam moves them further
WARM_STEPS = 20


@dataclass(frozen=True)
class Phase:
    """Some epochs in one form.

    Parameters
    ----------
    form : tuple
        Blocks of each layer.

    n_epochs : int
        Epochs of this phase.

    rate : float
        Factor of the learning rate, in addition to the schedule's.

    first : int
        Epochs of the schedule that came before.

    of : int
        Epochs of the whole schedule.
    """

    form: Form
    n_epochs: int
    rate: float = 1.0
    first: int = 0
    of: int = 1


@dataclass(frozen=True)
class MonarchSettings(SAMSettings):
    """Settings of a training in phases.

    Parameters
    ----------
    phases : tuple of Phase
        All of them.

    current : Phase or None
        The one that is being trained.
    """

    phases: tuple[Phase, ...] = ()
    current: Phase | None = None

    @property
    def phase(self) -> Phase:
        """The current phase."""
        assert self.current is not None
        return self.current

    def of_phase(self, phase: Phase) -> "MonarchSettings":
        """Return the settings as the training loop takes them in a phase."""
        return replace(self, current=phase, n_epochs=phase.of)


def phases_of(
    mode: str, n_epochs: int, *, monarch: Form, dense: Form, switch_at: float, finetune: float, start: Form | None
) -> tuple[Phase, ...]:
    """Return the phases of a fit.

    Parameters
    ----------
    mode : {"end_to_end", "sparse_to_dense", "dense_to_sparse", "dense"}
        See the head of this file.

    n_epochs : int
        Epochs before fine-tuning.

    monarch, dense : tuple
        Forms with and without Monarch matrices.

    switch_at : float
        Share of the epochs after which Monarch matrices become dense.

    finetune : float
        Epochs after the projection, as a share of `n_epochs`.

    start : tuple or None
        Form of the fitted network that a warm start continues. One that is dense stays dense, unless the mode ends with
        Monarch matrices that follow dense ones. One that is not keeps its blocks, and is only fine-tuned if the mode is
        "dense_to_sparse".
    """
    starts_dense = start is not None and start == dense
    if start is not None and not starts_dense:
        monarch = start
    rate = DENSE_RATE if monarch == dense else 1.0  # of narrow layers none may be worth a Monarch matrix
    if mode == "dense_to_sparse":
        extra = max(1, round(finetune * n_epochs)) if finetune > 0 else 0
        tuning = Phase(monarch, extra, rate, of=max(1, extra))
        if start is not None and not starts_dense:
            return (tuning,)
        return (Phase(dense, n_epochs, DENSE_RATE, of=n_epochs), tuning)
    sparse = round(switch_at * n_epochs)
    if starts_dense or (mode == "dense" and start is None) or (mode == "sparse_to_dense" and sparse == 0):
        return (Phase(dense, n_epochs, DENSE_RATE, of=n_epochs),)
    if mode != "sparse_to_dense":
        return (Phase(monarch, n_epochs, rate, of=n_epochs),)
    return (
        Phase(monarch, sparse, rate, of=n_epochs),
        Phase(dense, n_epochs - sparse, DENSE_RATE, first=sparse, of=n_epochs),
    )


def schedule_of(phase: Phase, n_steps: int | None) -> Schedule:
    """Return a short warm-up and a cosine over `n_steps`, from the step at which a phase begins, times its rate.

    None for `n_steps` keeps the rate.
    """
    if n_steps is None:
        return lambda step: phase.rate
    n_warm = min(WARM_STEPS, n_steps // 10)
    whole = warm_up(n_warm, cosine(n_steps - n_warm))
    before = steps_before(phase, n_steps)
    return lambda step: phase.rate * whole(step + before)


def steps_before(phase: Phase, n_steps: int) -> int:
    """Return how many of the schedule's steps come before a phase."""
    return n_steps // phase.of * phase.first
