"""Convolutional networks for images and series: blind spots from padding, and the rows that they need."""

from skpapers.convolution._convnet_estimators import ConvNetClassifier, ConvNetRegressor
from skpapers.convolution._foveation import effective_receptive_field, foveation_map
from skpapers.convolution._padding_artifacts import FeatureMapBias, KernelAsymmetry, feature_map_bias, kernel_asymmetry
from skpapers.convolution._padding_displays import FoveationDisplay, PositionAccuracyDisplay
from skpapers.convolution._padding_report import padding_report, valid_image_sizes
from skpapers.convolution._padding_table import LayerPadding, PaddingReport
from skpapers.convolution._position_accuracy import PositionAccuracy, position_accuracy
from skpapers.convolution._sample_complexity import SampleComplexityCurve, sample_complexity_curve
from skpapers.convolution._sample_complexity_display import SampleComplexityDisplay
from skpapers.convolution._sample_efficiency import equivariance_gap, fit_perceptron

__all__ = [
    "ConvNetClassifier",
    "ConvNetRegressor",
    "FeatureMapBias",
    "FoveationDisplay",
    "KernelAsymmetry",
    "LayerPadding",
    "PaddingReport",
    "PositionAccuracy",
    "PositionAccuracyDisplay",
    "SampleComplexityCurve",
    "SampleComplexityDisplay",
    "effective_receptive_field",
    "equivariance_gap",
    "feature_map_bias",
    "fit_perceptron",
    "foveation_map",
    "kernel_asymmetry",
    "padding_report",
    "position_accuracy",
    "sample_complexity_curve",
    "valid_image_sizes",
]
