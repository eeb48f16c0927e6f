"""What a comparison reads from an estimator and sets on it, also inside a Pipeline. CONTRIBUTING lists it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from skpapers._validation import is_made_by_make_scorer


def parameters_named(estimator: BaseEstimator, name: str) -> list[str]:
    """Return the parameters of an estimator, and of those inside it, that have this name."""
    return [path for path in estimator.get_params() if path.rpartition("__")[2] == name]


def fit_paths(estimator: BaseEstimator, name: str) -> list[str]:
    """Return the names under which `fit` takes per-row values of this name; a Pipeline takes them for its steps."""
    if isinstance(estimator, Pipeline):
        parts = [(step, part) for step, part in estimator.steps if hasattr(part, "fit")]
        return [f"{step}__{path}" for step, part in parts for path in fit_paths(part, name)]
    return [name] if has_fit_parameter(estimator, name) else []


def last_step(estimator: Any) -> Any:
    """Return the estimator that predicts: the last step of a Pipeline."""
    return last_step(estimator[-1]) if isinstance(estimator, Pipeline) else estimator


def predict_names(estimator: BaseEstimator, method: str, names: Iterable[str]) -> list[str]:
    """Return those of the names that a method of prediction takes."""
    taken = inspect.signature(getattr(last_step(estimator), method)).parameters
    return [name for name in names if name in taken]


def takes_groups(estimator: BaseEstimator) -> bool:
    """Whether fit takes `groups`, by name or among its metadata."""
    parameters = inspect.signature(estimator.fit).parameters.values()
    return has_fit_parameter(estimator, "groups") or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in parameters
    )


def time_limits(estimator: BaseEstimator, seconds: float) -> dict[str, float]:
    """Return the parameters that share the seconds among all `time_limit` that are None."""
    own = estimator.get_params()
    open_ones = [path for path in parameters_named(estimator, "time_limit") if own[path] is None]
    return {path: seconds / len(open_ones) for path in open_ones}


def selections(estimator: BaseEstimator, scoring: Any, inner: list[dict[str, Any]]) -> tuple[dict[str, Any], bool]:
    """Return the `scoring` parameters that get the metric, and whether each that is None can use it.

    `inner` holds the parameters that are set for single folds, with the splitters among them.
    """
    own = estimator.get_params()
    open_ones = [path for path in parameters_named(estimator, "scoring") if own[path] is None]
    able = [path for path in open_ones if all(_can_select(scoring, _cv_beside(path, own | fold)) for fold in inner)]
    return dict.fromkeys(able, scoring), len(able) == len(open_ones)


def _cv_beside(path: str, params: dict[str, Any]) -> Any:
    return params.get(path.removesuffix("scoring") + "cv")


def _can_select(scoring: Any, cv: Any) -> bool:
    """Whether a metric can choose a parameter: out-of-bag rows have predictions, but no model that a callable asks.

    `scoring` is None for a metric by date, which the folds inside an estimator cannot compute.
    """
    if scoring is None:
        return False
    return not isinstance(cv, str) or isinstance(scoring, str) or is_made_by_make_scorer(scoring)


class EarlyStopping(NamedTuple):
    """The share of the rows that an estimator holds back, and whether `fit` takes such rows as `X_val`, `y_val`."""

    fraction: float
    takes_rows: bool


# scikit-learn's gradient boosting stops early above this number of rows if `early_stopping` is "auto"
_AUTO_ROWS = 10_000


def early_stopping(estimator: BaseEstimator, n_rows: int) -> EarlyStopping | None:
    """Return how an estimator stops early on so many rows, None if it does not.

    An estimator with `X_val` but without `early_stopping` does not stop by itself.
    """
    model = last_step(estimator)
    own = model.get_params(deep=False)
    stops = own.get("early_stopping", False)
    if stops is True or (stops == "auto" and n_rows > _AUTO_ROWS):
        held = own.get("validation_fraction")
        fraction = 0.1 if held is None else float(held) if held < 1 else held / n_rows
        return EarlyStopping(fraction, "X_val" in inspect.signature(model.fit).parameters)
    every = estimator.get_params()
    inside = [path for path in parameters_named(estimator, "early_stopping") if every[path] is True]
    inside = [path for path in inside if every.get(path.removesuffix("early_stopping") + "validation_split") != "last"]
    return EarlyStopping(0.1, False) if inside else None


def certificate(model: Any) -> tuple[float, bool]:
    """Return the relative gap of a fitted model, NaN if it has none, and whether it is proved to be optimal."""
    model = last_step(model)
    gap = getattr(model, "gap_", None)
    if gap is None or np.ndim(gap) or np.isnan(gap):
        return np.nan, False
    tol = getattr(model, "tol", 0.0)
    within = gap <= (tol if isinstance(tol, int | float) else 0.0)
    # `is_optimal_` decides if there is one. Without it, a gap within the tolerance is optimal.
    return float(gap), bool(getattr(model, "is_optimal_", within))
