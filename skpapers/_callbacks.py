"""A training loop as scikit-learn's callbacks see it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.callback import CallbackContext


def begin_fit(estimator: Any, n_steps: int, X: Any, y: Any) -> CallbackContext:
    """Open the root task of a fit that will report `n_steps` steps."""
    context = estimator._init_callback_context(max_subtasks=n_steps)
    return context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)


@contextmanager
def report_step(estimator: Any, context: CallbackContext, name: str) -> Iterator[None]:
    """Tell the callbacks when one step of the fit begins and ends."""
    task = context.subcontext(task_name=name).call_on_fit_task_begin(estimator=estimator)
    yield
    task.call_on_fit_task_end(estimator=estimator)


def end_fit(estimator: Any, context: CallbackContext, X: Any, y: Any, fitted: Callable[[], dict[str, Any]]) -> None:
    """Close the root task; `fitted` gives the attributes that make the estimator ready to predict."""
    context.call_on_fit_task_end(estimator=estimator, X=X, y=y, reconstruction_attributes=fitted)
