"""Several tasks in one network: gradients that conflict are corrected before they are summed."""

from skpapers.multitask._combine_gradients import combine_gradients
from skpapers.multitask._gradvac_classifier import GradVacClassifier
from skpapers.multitask._gradvac_regressor import GradVacRegressor
from skpapers.multitask._task_similarity_display import TaskSimilarityDisplay

__all__ = ["GradVacClassifier", "GradVacRegressor", "TaskSimilarityDisplay", "combine_gradients"]
