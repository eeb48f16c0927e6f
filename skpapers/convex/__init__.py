"""Networks trained by convex optimisation."""

from skpapers.convex._convex_relu_cv import ConvexReLUClassifierCV, ConvexReLURegressorCV, convex_relu_path
from skpapers.convex._convex_relu_estimators import ConvexReLUClassifier, ConvexReLURegressor

__all__ = [
    "ConvexReLUClassifier",
    "ConvexReLUClassifierCV",
    "ConvexReLURegressor",
    "ConvexReLURegressorCV",
    "convex_relu_path",
]
