"""Row weights: the parameter by which a wrapped estimator takes them, and weights made of class weights."""

from numbers import Real
from sys import float_info
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metadata_routing import MetadataRouter, get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

LARGEST = float_info.max


def _request(estimator: Any) -> bool | None:
    """Return whether sample_weight was requested for an estimator's fit; None if no request was set."""
    try:
        routing = get_routing_for_object(estimator)
    except NotImplementedError:  # some of scikit-learn's ensembles know no routing
        return None
    if routing.consumes("fit", ["sample_weight"]):
        return True
    return None if isinstance(routing, MetadataRouter) else routing.fit.requests.get("sample_weight")


def weight_parameter(estimator: Any) -> str | None:
    """Return the name under which `fit` takes row weights for the estimator that learns from the target, or None."""
    routing = get_config()["enable_metadata_routing"]
    step = ""
    inner = getattr(estimator, "estimator", None)
    if isinstance(estimator, Pipeline):
        step, inner = estimator.steps[-1]
    search = hasattr(estimator, "refit") and hasattr(inner, "fit")
    if search and not routing and isinstance(estimator, TunedThresholdClassifierCV):
        return None  # it passes parameters on with routing only
    if step or search:  # a Pipeline or a search passes them on
        name = weight_parameter(inner)
        if routing:
            return name if name and _request(inner) else None
        return f"{step}__{name}" if name and step else name
    if not has_fit_parameter(estimator, "sample_weight") or (routing and _request(estimator) is False):
        return None
    # an ensemble that takes weights may still need an inner estimator that does
    return "sample_weight" if not hasattr(inner, "fit") or weight_parameter(inner) == "sample_weight" else None


def weigh_classes(
    class_weight: Any,
    classes: NDArray,
    codes: NDArray[np.integer],
    sample_weight: NDArray | None = None,
    *,
    allow_all_zero: bool = False,
) -> NDArray | None:
    """Return the row weights times those of the rows' classes.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        A dict gives every class a finite weight of at least 0. With "balanced" all classes that have a row of positive
        weight get the same total weight, and the total over all rows does not change.

    classes : ndarray of shape (n_classes,)
        All labels.

    codes : ndarray of shape (n_samples,)
        Index of each row's label in `classes`.

    sample_weight : ndarray of shape (n_samples,), default=None
        Row weights, none negative.

    allow_all_zero : bool, default=False
        Whether all weights may be 0 in the end.

    Returns
    -------
    weight : ndarray of shape (n_samples,) or None
        None if neither class weights nor row weights are given. Weights whose products or sums exceed the range of
        float64 are divided by a power of two, since a common factor of all weights has no meaning.

    Raises
    ------
    ValueError
        If a class weight is negative, infinite or not a number, if a class has no weight, or if no row is left with a
        weight above 0 and `allow_all_zero` is False.
    """
    if class_weight is None:
        return sample_weight
    weight, exponent = _scaled(np.ones(len(codes)) if sample_weight is None else sample_weight)
    if isinstance(class_weight, str):
        total = np.bincount(codes, weights=weight, minlength=len(classes))
        unit = np.frexp(total)[1]  # of a class, so that the inverse of a tiny total is finite
        by_class = total.sum() / (max(np.count_nonzero(total), 1) * np.where(total > 0, np.ldexp(total, -unit), 1.0))
        # a factor for each class, and not a quotient for each row: a weight of 3 gets what 3 equal rows get
        weight = np.ldexp(weight, -unit[codes]) * by_class[codes]
    else:
        _check_class_weight(class_weight)
        by_class, of_classes = _scaled(compute_class_weight(class_weight, classes=classes, y=classes))
        weight = weight * by_class[codes]
        exponent += of_classes
    if not (allow_all_zero or weight.any()):
        raise ValueError(f"class_weight={class_weight} leaves no row with a weight above 0.")
    return np.ldexp(weight, exponent) if abs(exponent) < 900 else weight


def _check_class_weight(class_weight: dict) -> None:
    for label, value in class_weight.items():
        # a float of Python's own, which can be compared with an integer of any size
        if not isinstance(value, Real) or not 0 <= value <= LARGEST:  # type: ignore[operator]
            beyond = isinstance(value, int) and value.bit_length() > 1023  # too long to print
            given = "an integer beyond float64" if beyond else repr(value)
            raise ValueError(f"class_weight must be finite and at least 0, got {given} for class {label!r}.")


def _scaled(weight: NDArray) -> tuple[NDArray[np.float64], int]:
    """Return weights divided by a power of two such that the largest is between 1 and 2, and the exponent."""
    exponent = int(np.frexp(weight.max(initial=0.0))[1]) - 1
    return np.ldexp(weight, -exponent), exponent
