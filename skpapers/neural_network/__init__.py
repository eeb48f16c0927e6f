"""Multi-layer perceptrons, and the steps that train them."""

from skpapers.neural_network._displays import LossLandscapeDisplay, TrainingCurveDisplay
from skpapers.neural_network._sam_estimators import SAMMLPClassifier, SAMMLPRegressor
from skpapers.neural_network._sam_optimizer import SAM

__all__ = ["SAM", "LossLandscapeDisplay", "SAMMLPClassifier", "SAMMLPRegressor", "TrainingCurveDisplay"]
