"""Attention whose cost is linear in the length of a sequence: layers of torch, and estimators on windows of series."""

from skpapers.attention._attention_layers import FavorAttention, RandomFeatureAttention
from skpapers.attention._flash_layer import FLASH
from skpapers.attention._gated_attention_unit import GatedAttentionUnit
from skpapers.attention._linear_attention import LinearAttentionState, linear_attention

__all__ = [
    "FLASH",
    "FavorAttention",
    "GatedAttentionUnit",
    "LinearAttentionState",
    "RandomFeatureAttention",
    "linear_attention",
]
