"""The intrinsic dimension of data: how many numbers its rows need, whatever their number of columns."""

from skpapers.dimension._dimension_curve import DimensionCurve, dimension_curve
from skpapers.dimension._dimension_display import DimensionDisplay
from skpapers.dimension._intrinsic_dimension_estimator import IntrinsicDimension

__all__ = ["DimensionCurve", "DimensionDisplay", "IntrinsicDimension", "dimension_curve"]
