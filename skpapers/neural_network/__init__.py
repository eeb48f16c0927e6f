"""Multi-layer perceptrons, and the steps that train them."""

from skpapers._torch.sam_optimizer import SAM
from skpapers.neural_network._displays import LossLandscapeDisplay, TrainingCurveDisplay
from skpapers.neural_network._sam_estimators import SAMMLPClassifier, SAMMLPRegressor

__all__ = ["SAM", "LossLandscapeDisplay", "SAMMLPClassifier", "SAMMLPRegressor", "TrainingCurveDisplay"]
