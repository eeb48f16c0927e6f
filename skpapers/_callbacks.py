"""A training loop as scikit-learn's callbacks see it."""

from collections.abc import Callable, Mapping
from typing import Any

from sklearn.callback import CallbackContext


def begin_fit(estimator: Any, n_steps: int | None, X: Any, y: Any) -> CallbackContext:
    """Tell the callbacks that a fit begins; `n_steps` is how many steps it reports, None if unknown."""
    context = estimator._init_callback_context(max_subtasks=n_steps)
    return context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)


def is_watched(estimator: Any) -> bool:
    """Return whether the estimator has callbacks: steps are recorded only while one is attached."""
    return bool(getattr(estimator, "_skl_callbacks", None))


def begin_task(
    estimator: Any, context: CallbackContext, name: str, n_steps: int | None, X: Any, y: Any
) -> CallbackContext:
    """Tell the callbacks that a task inside a fit begins; `n_steps` is how many steps it has, None if unknown."""
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

    `fitted` returns the fitted attributes as they would be if the fit ended here. Callbacks that score need it, and X
    and y.
    """
    return task.call_on_fit_task_end(estimator=estimator, X=X, y=y, metadata=metadata, reconstruction_attributes=fitted)
