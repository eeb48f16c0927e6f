"""A training loop as scikit-learn's callbacks see it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sklearn.callback import CallbackContext


def begin_fit(estimator: Any, n_steps: int | None, X: Any, y: Any) -> CallbackContext:
    """Open the root task of a fit that will report `n_steps` steps; None where the number is not known beforehand."""
    context = estimator._init_callback_context(max_subtasks=n_steps)
    return context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)


def is_watched(estimator: Any) -> bool:
    """Return whether the estimator has callbacks: steps are recorded only while one is attached."""
    return bool(getattr(estimator, "_skl_callbacks", None))


@contextmanager
def report_step(
    estimator: Any, context: CallbackContext, name: str, metadata: dict[str, Any] | None = None
) -> Iterator[CallbackContext]:
    """Tell the callbacks when one step of the fit begins and ends, and what is known of it (`metadata`)."""
    task = context.subcontext(task_name=name).call_on_fit_task_begin(estimator=estimator)
    yield task
    task.call_on_fit_task_end(estimator=estimator, metadata=metadata)


def end_fit(estimator: Any, context: CallbackContext, X: Any, y: Any, fitted: Callable[[], dict[str, Any]]) -> None:
    """Close the root task; `fitted` gives the attributes that make the estimator ready to predict."""
    context.call_on_fit_task_end(estimator=estimator, X=X, y=y, reconstruction_attributes=fitted)


def begin_task(
    estimator: Any, context: CallbackContext, name: str, n_steps: int | None, X: Any, y: Any
) -> CallbackContext:
    """Tell the callbacks that a task of a fit begins; `n_steps` is how many tasks it has itself, None if unknown."""
    task = context.subcontext(task_name=name, max_subtasks=n_steps)
    return task.call_on_fit_task_begin(estimator=estimator, X=X, y=y)


def end_task(
    estimator: Any,
    task: CallbackContext,
    X: Any,
    y: Any,
    metadata: Mapping[str, Any],
    fitted: Callable[[], dict[str, Any]] | None,
) -> bool:
    """Tell the callbacks that a task has ended, and return whether one of them asks to stop.

    `fitted` returns what the estimator's attributes would be if the fit ended here. Callbacks that score need it, X and
    y.
    """
    return task.call_on_fit_task_end(estimator=estimator, X=X, y=y, metadata=metadata, reconstruction_attributes=fitted)
