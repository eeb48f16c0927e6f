"""Where a wrapped estimator takes row weights."""

from typing import Any

from sklearn import get_config
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRouter, get_routing_for_object
from sklearn.utils.validation import has_fit_parameter


def _request(estimator: Any) -> bool | None:
    """Return whether sample_weight was requested for an estimator's fit; None where nothing was said."""
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
    step, inner = "", getattr(estimator, "estimator", None)
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
