"""One transaction for every fit: validate on a blank, report the steps, publish the fitted attributes at the end.

    fitting = Fitting(self)
    X, y = validate_data(fitting.blank, X, y)
    fitting.begin(X, y, n_steps=self.max_iter)
    for number in range(1, self.max_iter + 1):
        with fitting.step("epoch", number) as step:
            step.figures = {"loss": train()}
        if step.stopped:
            break
    return fitting.publish({"coef_": coef})

The estimator is not touched before :meth:`Fitting.publish`. An error or a Ctrl-C leaves it as it was.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from time import perf_counter
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.callback import CallbackContext

from skpapers._callbacks import begin_fit, begin_task, end_task, is_watched

FittedAttributes = dict[str, Any]


@dataclass(eq=False)
class Step:
    """One step of a fit. The body of the ``with`` statement sets `figures` and `fitted`.

    Parameters
    ----------
    figures : mapping of str to float
        What the step measured, by name. It is printed if `verbose` is set. Callbacks receive it as metadata, unless
        `fitted` is set: callbacks that score would pass the metadata on to the metric.

    fitted : callable or None
        It returns the fitted attributes as they would be if the fit ended here. Callbacks that score need it.

    stopped : bool
        Whether a callback asked to end the loop. It is set when the ``with`` statement ends.
    """

    fitting: "Fitting"
    context: CallbackContext | None
    figures: Mapping[str, float] = field(default_factory=dict)
    fitted: Callable[[], FittedAttributes] | None = None
    stopped: bool = False

    def step(self, name: str, number: int | None = None, **options: Any) -> AbstractContextManager["Step"]:
        """Return a step inside this one; see :meth:`Fitting.step`."""
        return self.fitting.step(name, number, parent=self, **options)

    def passed_on_to(self, model: Any) -> AbstractContextManager[None]:
        """Let the callbacks see the fit of an inner model, if the model supports callbacks."""
        if self.context is None or not hasattr(model, "set_callbacks"):
            return nullcontext()
        return self.context.propagate_callback_context(model)


class Fitting:
    """A fit in progress.

    Parameters
    ----------
    estimator : estimator
        It does not change before :meth:`publish`.

    resume : bool, default=False
        Whether the fit continues a former one, as `partial_fit` and a warm start do. The blank then has the fitted
        attributes of that one as well, for ``validate_data(..., reset=False)``.

    Attributes
    ----------
    blank : estimator
        An estimator of the same class and parameters. Validation writes to it instead of to the estimator.

    stopped : bool
        Whether a callback has asked to end a loop.
    """

    def __init__(self, estimator: BaseEstimator, *, resume: bool = False) -> None:
        self.estimator = estimator
        self.stopped = False
        kind: Any = type(estimator)
        self.blank = kind.__new__(kind)
        self._parameters = _parameter_names(kind)
        own = vars(estimator)
        kept = own if resume else self._parameters
        vars(self.blank).update({name: own[name] for name in kept if name in own and not _is_of_scikit_learn(name)})
        self._context: CallbackContext | None = None
        self._given: tuple[Any, Any] = (None, None)
        self._start = perf_counter()

    @property
    def validated(self) -> FittedAttributes:
        """What validation wrote to the blank, such as `n_features_in_`; with `resume` all fitted attributes."""
        return {name: value for name, value in vars(self.blank).items() if name not in self._parameters}

    @property
    def seconds(self) -> float:
        """Seconds since the fit began."""
        return perf_counter() - self._start

    @property
    def is_reported(self) -> bool:
        """Whether steps are reported: `verbose` is set, or a callback is attached."""
        return bool(getattr(self.estimator, "verbose", False)) or is_watched(self.estimator)

    def begin(self, X: Any, y: Any, n_steps: int | None) -> None:
        """Tell the callbacks that the fit begins.

        Parameters
        ----------
        X, y : array-like
            Training data for callbacks that score, as the user gave them: with labels and column names.

        n_steps : int or None
            Number of steps that will follow; None if it is not known.
        """
        self._given = X, y
        self._context = begin_fit(self.estimator, n_steps, X, y)

    @contextmanager
    def step(
        self,
        name: str,
        number: int | None = None,
        *,
        parent: Step | None = None,
        n_steps: int | None = 0,
        data: tuple[Any, Any] | None = None,
        silent: bool = False,
    ) -> Iterator[Step]:
        """Report one step of the fit.

        If the body raises an error, the end of the step is not reported; scikit-learn then calls the callbacks'
        `teardown`. A step with a number is part of a loop, and is recorded only while a callback is attached.

        Parameters
        ----------
        name : str
            What the step is, such as "epoch".

        number : int, default=None
            Number of the step for the printed line, from 1.

        parent : Step, default=None
            The step that this one belongs to; None for a step of the fit itself.

        n_steps : int or None, default=0
            Number of steps inside this one; None if it is not known.

        data : tuple (X, y), default=None
            Data of this step for the callbacks; None for those of the fit.

        silent : bool, default=False
            Whether to print nothing, whatever `verbose` is.
        """
        context = self._context if parent is None else parent.context
        task = None
        if context is not None and (number is None or is_watched(self.estimator)):
            X, y = (None, None) if data is None else data
            task = begin_task(self.estimator, context, name, n_steps, X, y)
        step = Step(self, task)
        yield step
        if step.figures and not silent:
            self.print(name if number is None else f"{name} {number}", step.figures)
        if task is not None:
            X, y = self._given if data is None else data
            metadata = step.figures if step.fitted is None else {}
            step.stopped = end_task(self.estimator, task, X, y, metadata, step.fitted)
            self.stopped |= step.stopped

    def print(self, text: str, figures: Mapping[str, float]) -> None:
        """Print one line, such as ``[SAMMLPRegressor] epoch 3, loss 0.123, 1.2 s``, if `verbose` is set."""
        if not getattr(self.estimator, "verbose", False):
            return
        parts = [f"{name.replace('_', ' ')} {value:.6g}" for name, value in figures.items()]
        print(f"[{type(self.estimator).__name__}] {', '.join([text, *parts])}, {self.seconds:.1f} s")

    def publish(self, fitted: FittedAttributes) -> Any:
        """Give the estimator its fitted attributes, all of them at once, and return it.

        Parameters
        ----------
        fitted : dict
            Fitted attributes by name. Those that validation wrote to the blank are added. Public fitted attributes of a
            former fit that this one lacks are removed.
        """
        fitted = self.validated | fitted
        if self._context is not None:
            X, y = self._given
            end_task(self.estimator, self._context, X, y, {}, lambda: fitted)
        own = vars(self.estimator)
        kept = {name: value for name, value in own.items() if not _is_public_fitted(name)}
        self.estimator.__dict__ = kept | fitted  # one assignment: a Ctrl-C comes before it or after it
        return self.estimator


@cache
def _parameter_names(kind: Any) -> tuple[str, ...]:
    """Return the names of the parameters; reading the signature costs 5 % of a small `partial_fit`."""
    return tuple(kind._get_param_names())


def _is_public_fitted(name: str) -> bool:
    return name.endswith("_") and not name.startswith("_")


def _is_of_scikit_learn(name: str) -> bool:
    """Whether scikit-learn keeps the attribute for the callbacks of a fit in progress."""
    return name.startswith("_skl_callbacks") or name in ("_callback_fit_ctx", "_parent_callback_ctx")
