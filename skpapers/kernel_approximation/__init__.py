"""Random features whose dot products estimate a kernel, in the manner of :mod:`sklearn.kernel_approximation`."""

from skpapers.kernel_approximation._performer_transformer import PositiveOrthogonalFeatures
from skpapers.kernel_approximation._random_feature_attention_transformer import (
    ArcCosineFeatures,
    RandomFourierAttentionFeatures,
)

__all__ = ["ArcCosineFeatures", "PositiveOrthogonalFeatures", "RandomFourierAttentionFeatures"]
