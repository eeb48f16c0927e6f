"""Adaptation after deployment: models that go on learning from rows without labels and without rewards."""

from skpapers.adaptation._adaptation_evidence import AdaptationReport
from skpapers.adaptation._drift_monitor_display import DriftMonitorDisplay
from skpapers.adaptation._pad_classifier import PADPolicyClassifier
from skpapers.adaptation._pad_regressor import PADPolicyRegressor
from skpapers.adaptation._tent_classifier import TentClassifier
from skpapers.adaptation._tent_function import tent

__all__ = [
    "AdaptationReport",
    "DriftMonitorDisplay",
    "PADPolicyClassifier",
    "PADPolicyRegressor",
    "TentClassifier",
    "tent",
]
