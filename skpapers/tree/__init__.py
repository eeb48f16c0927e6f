"""Decision trees and ensembles of them."""

from skpapers.tree._hierarchical_shrinkage_cv import (
    HierarchicalShrinkageClassifierCV,
    HierarchicalShrinkageRegressorCV,
)
from skpapers.tree._hierarchical_shrinkage_display import HierarchicalShrinkagePathDisplay
from skpapers.tree._hierarchical_shrinkage_estimators import (
    HierarchicalShrinkageClassifier,
    HierarchicalShrinkageRegressor,
)
from skpapers.tree._quant_bnb_classifier import QuantBnBTreeClassifier
from skpapers.tree._quant_bnb_regressor import QuantBnBTree, QuantBnBTreeRegressor

__all__ = [
    "HierarchicalShrinkageClassifier",
    "HierarchicalShrinkageClassifierCV",
    "HierarchicalShrinkagePathDisplay",
    "HierarchicalShrinkageRegressor",
    "HierarchicalShrinkageRegressorCV",
    "QuantBnBTree",
    "QuantBnBTreeClassifier",
    "QuantBnBTreeRegressor",
]
