"""Multi-layer perceptrons, and the steps that train them."""

from skpapers.neural_network._displays import LossLandscapeDisplay, TrainingCurveDisplay
from skpapers.neural_network._sam_classifier import SAMMLPClassifier
from skpapers.neural_network._sam_optimizer import SAM
from skpapers.neural_network._sam_regressor import SAMMLPRegressor

__all__ = ["SAM", "LossLandscapeDisplay", "SAMMLPClassifier", "SAMMLPRegressor", "TrainingCurveDisplay"]
