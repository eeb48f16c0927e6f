"""Machine-learning papers as scikit-learn estimators: exact, certified and fast.

Every public estimator is importable from here and from its topic folder. Nothing but the standard library is loaded
until a name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from skpapers.papers import PAPERS

if TYPE_CHECKING:
    from skpapers import adaptation as adaptation
    from skpapers import attention as attention
    from skpapers import augmentation as augmentation
    from skpapers import comparison as comparison
    from skpapers import continual as continual
    from skpapers import convex as convex
    from skpapers import convolution as convolution
    from skpapers import datasets as datasets
    from skpapers import dimension as dimension
    from skpapers import few_shot as few_shot
    from skpapers import forecasting as forecasting
    from skpapers import kernel_approximation as kernel_approximation
    from skpapers import multitask as multitask
    from skpapers import neural_network as neural_network
    from skpapers import papers as papers
    from skpapers import tree as tree
    from skpapers.adaptation import PADPolicyClassifier as PADPolicyClassifier
    from skpapers.adaptation import PADPolicyRegressor as PADPolicyRegressor
    from skpapers.adaptation import TentClassifier as TentClassifier
    from skpapers.adaptation import tent as tent
    from skpapers.attention import FLASHClassifier as FLASHClassifier
    from skpapers.attention import FLASHRegressor as FLASHRegressor
    from skpapers.attention import PerformerClassifier as PerformerClassifier
    from skpapers.attention import PerformerRegressor as PerformerRegressor
    from skpapers.attention import RFAClassifier as RFAClassifier
    from skpapers.attention import RFARegressor as RFARegressor
    from skpapers.attention import linear_attention as linear_attention
    from skpapers.augmentation import MixupWrapper as MixupWrapper
    from skpapers.augmentation import adversarial_accuracy as adversarial_accuracy
    from skpapers.augmentation import mixup_loss as mixup_loss
    from skpapers.augmentation import mixup_regularization as mixup_regularization
    from skpapers.comparison import Comparison as Comparison
    from skpapers.comparison import compare as compare
    from skpapers.continual import GPMClassifier as GPMClassifier
    from skpapers.continual import GPMRegressor as GPMRegressor
    from skpapers.continual import average_score as average_score
    from skpapers.continual import backward_transfer as backward_transfer
    from skpapers.continual import score_by_task as score_by_task
    from skpapers.convex import ConvexReLUClassifier as ConvexReLUClassifier
    from skpapers.convex import ConvexReLUClassifierCV as ConvexReLUClassifierCV
    from skpapers.convex import ConvexReLURegressor as ConvexReLURegressor
    from skpapers.convex import ConvexReLURegressorCV as ConvexReLURegressorCV
    from skpapers.convex import convex_relu_path as convex_relu_path
    from skpapers.convolution import ConvNetClassifier as ConvNetClassifier
    from skpapers.convolution import ConvNetRegressor as ConvNetRegressor
    from skpapers.convolution import effective_receptive_field as effective_receptive_field
    from skpapers.convolution import equivariance_gap as equivariance_gap
    from skpapers.convolution import feature_map_bias as feature_map_bias
    from skpapers.convolution import fit_perceptron as fit_perceptron
    from skpapers.convolution import foveation_map as foveation_map
    from skpapers.convolution import kernel_asymmetry as kernel_asymmetry
    from skpapers.convolution import padding_report as padding_report
    from skpapers.convolution import position_accuracy as position_accuracy
    from skpapers.convolution import sample_complexity_curve as sample_complexity_curve
    from skpapers.convolution import valid_image_sizes as valid_image_sizes
    from skpapers.dimension import IntrinsicDimension as IntrinsicDimension
    from skpapers.dimension import dimension_curve as dimension_curve
    from skpapers.few_shot import DistributionCalibratedFewShot as DistributionCalibratedFewShot
    from skpapers.few_shot import STARTUPClassifier as STARTUPClassifier
    from skpapers.forecasting import DAFForecaster as DAFForecaster
    from skpapers.forecasting import make_windows as make_windows
    from skpapers.forecasting import normalized_deviation as normalized_deviation
    from skpapers.forecasting import nrmse as nrmse
    from skpapers.kernel_approximation import ArcCosineFeatures as ArcCosineFeatures
    from skpapers.kernel_approximation import PositiveOrthogonalFeatures as PositiveOrthogonalFeatures
    from skpapers.kernel_approximation import RandomFourierAttentionFeatures as RandomFourierAttentionFeatures
    from skpapers.multitask import GradVacClassifier as GradVacClassifier
    from skpapers.multitask import GradVacRegressor as GradVacRegressor
    from skpapers.multitask import combine_gradients as combine_gradients
    from skpapers.neural_network import MonarchMLPClassifier as MonarchMLPClassifier
    from skpapers.neural_network import MonarchMLPRegressor as MonarchMLPRegressor
    from skpapers.neural_network import SAMMLPClassifier as SAMMLPClassifier
    from skpapers.neural_network import SAMMLPRegressor as SAMMLPRegressor
    from skpapers.neural_network import monarch_project as monarch_project
    from skpapers.tree import HierarchicalShrinkageClassifier as HierarchicalShrinkageClassifier
    from skpapers.tree import HierarchicalShrinkageClassifierCV as HierarchicalShrinkageClassifierCV
    from skpapers.tree import HierarchicalShrinkageRegressor as HierarchicalShrinkageRegressor
    from skpapers.tree import HierarchicalShrinkageRegressorCV as HierarchicalShrinkageRegressorCV
    from skpapers.tree import QuantBnBTree as QuantBnBTree
    from skpapers.tree import QuantBnBTreeClassifier as QuantBnBTreeClassifier
    from skpapers.tree import QuantBnBTreeRegressor as QuantBnBTreeRegressor

__version__ = "0.1.0"

_ATTRIBUTES = {name: module for paper in PAPERS for name, module in paper.modules.items()}
_ATTRIBUTES |= dict.fromkeys(("Comparison", "compare"), "skpapers.comparison")
_SUBMODULES = {module.removeprefix("skpapers.") for module in _ATTRIBUTES.values()} | {"datasets", "papers"}

__all__ = sorted({"PAPERS", "__version__"} | _SUBMODULES | set(_ATTRIBUTES))


def __getattr__(name: str) -> object:
    """Load a submodule or a public name when it is first used (PEP 562)."""
    if name in _SUBMODULES:
        return import_module(f"skpapers.{name}")
    if name in _ATTRIBUTES:
        return getattr(import_module(_ATTRIBUTES[name]), name)
    raise AttributeError(f"module 'skpapers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
