"""Continual learning: networks that learn task after task without forgetting."""

from skpapers.continual._forgetting_display import ForgettingDisplay
from skpapers.continual._gpm_classifier import GPMClassifier
from skpapers.continual._gpm_regressor import GPMRegressor
from skpapers.continual._task_scores import average_score, backward_transfer, score_by_task

__all__ = [
    "ForgettingDisplay",
    "GPMClassifier",
    "GPMRegressor",
    "average_score",
    "backward_transfer",
    "score_by_task",
]
