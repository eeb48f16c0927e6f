"""Classes with few rows, learnt with the help of others."""

from skpapers.few_shot._distribution_calibrated_few_shot import DistributionCalibratedFewShot
from skpapers.few_shot._distribution_calibration_display import DistributionCalibrationDisplay
from skpapers.few_shot._startup_classifier import STARTUPClassifier
from skpapers.few_shot._target_split import TargetDomainSplit

__all__ = ["DistributionCalibratedFewShot", "DistributionCalibrationDisplay", "STARTUPClassifier", "TargetDomainSplit"]
