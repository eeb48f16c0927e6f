"""What can be shrunk, and how each kind of model is opened."""

import sys
from typing import Any

import numpy as np
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import BaseDecisionTree
from sklearn.utils.validation import column_or_1d

from skpapers._weights import weigh_classes
from skpapers.tree._booster_trees import LightGBMTrees, XGBoostTrees
from skpapers.tree._sklearn_tree import GRADIENT_BOOSTING, HistGradientBoostingTrees, SklearnTrees

SHRINKABLE = (
    "decision trees, extra trees, random forests, extra-trees forests, bagging of decision trees, GradientBoosting, "
    "HistGradientBoosting, LightGBM (without linear_tree) and XGBoost (gbtree or dart, one value a leaf)"
)
FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor)
BAGGING = (BaggingClassifier, BaggingRegressor)
HIST_GRADIENT_BOOSTING = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)

Opened = SklearnTrees | HistGradientBoostingTrees | LightGBMTrees | XGBoostTrees


def is_shrinkable(estimator: Any) -> bool:
    """Whether a model of this kind, fitted or to be fitted, can be opened."""
    return _opener(estimator) is not None


def carries_weights(model: Any) -> bool:
    """Whether a fitted model knows N(t) by itself, so that it opens without its training rows."""
    return _opener(model) is SklearnTrees


def open_trees(model: Any, X: Any, y: Any, sample_weight: Any) -> Opened:
    """Open a fitted model. `X`, `y` and `sample_weight` are its training rows, which some boosters need for N(t)."""
    opener = _opener(model)
    assert opener is not None
    if opener is not SklearnTrees and getattr(model, "class_weight", None) is not None:
        # the boosters balance classes by the number of rows, whatever their weights
        classes, codes = np.unique(column_or_1d(y), return_inverse=True)
        by_class = weigh_classes(model.class_weight, classes, codes)
        sample_weight = by_class if sample_weight is None else by_class * sample_weight
    return opener(model, X, sample_weight)


def _opener(estimator: Any) -> type[Opened] | None:
    if isinstance(estimator, (BaseDecisionTree, *FORESTS, *GRADIENT_BOOSTING)):
        return SklearnTrees
    if isinstance(estimator, BAGGING) and isinstance(estimator.estimator, BaseDecisionTree | None):
        return SklearnTrees
    if isinstance(estimator, HIST_GRADIENT_BOOSTING):
        return HistGradientBoostingTrees
    if _is_a(estimator, "lightgbm", "LGBMModel") and not estimator.get_params().get("linear_tree"):
        return LightGBMTrees
    if (
        _is_a(estimator, "xgboost", "XGBModel")
        and estimator.booster != "gblinear"
        and estimator.multi_strategy != "multi_output_tree"
    ):
        return XGBoostTrees
    return None


def _is_a(estimator: Any, package: str, name: str) -> bool:
    """Whether the estimator is of a class of a package that is looked at only if it is loaded already."""
    module = sys.modules.get(package)
    return module is not None and isinstance(estimator, getattr(module, name))
