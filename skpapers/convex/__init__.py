"""Networks with one hidden layer, trained to the certified optimum of a convex program."""

from skpapers.convex._convex_relu_classifier import ConvexReLUClassifier
from skpapers.convex._convex_relu_cv import ConvexReLUClassifierCV, ConvexReLURegressorCV
from skpapers.convex._convex_relu_path import convex_relu_path
from skpapers.convex._convex_relu_regressor import ConvexReLURegressor

__all__ = [
    "ConvexReLUClassifier",
    "ConvexReLUClassifierCV",
    "ConvexReLURegressor",
    "ConvexReLURegressorCV",
    "convex_relu_path",
]
