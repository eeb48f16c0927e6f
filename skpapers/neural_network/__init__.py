"""Multi-layer perceptrons, the steps that train them, and matrices that make them small."""

from skpapers.neural_network._displays import LossLandscapeDisplay, TrainingCurveDisplay
from skpapers.neural_network._monarch import monarch_project
from skpapers.neural_network._monarch_classifier import MonarchMLPClassifier
from skpapers.neural_network._monarch_linear import MonarchLinear
from skpapers.neural_network._monarch_regressor import MonarchMLPRegressor
from skpapers.neural_network._sam_classifier import SAMMLPClassifier
from skpapers.neural_network._sam_optimizer import SAM
from skpapers.neural_network._sam_regressor import SAMMLPRegressor

__all__ = [
    "SAM",
    "LossLandscapeDisplay",
    "MonarchLinear",
    "MonarchMLPClassifier",
    "MonarchMLPRegressor",
    "SAMMLPClassifier",
    "SAMMLPRegressor",
    "TrainingCurveDisplay",
    "monarch_project",
]
