"""Attention whose cost is linear in the length of a sequence: layers of torch, and estimators on windows of series."""

from skpapers.attention._flash_estimators import FLASHClassifier, FLASHRegressor
from skpapers.attention._flash_layer import FLASH
from skpapers.attention._gated_attention_unit import GatedAttentionUnit
from skpapers.attention._linear_attention import linear_attention
from skpapers.attention._linear_attention_state import LinearAttentionState
from skpapers.attention._performer_estimators import PerformerClassifier, PerformerRegressor
from skpapers.attention._performer_layer import FavorAttention
from skpapers.attention._rfa_estimators import RFAClassifier, RFARegressor
from skpapers.attention._rfa_layer import RandomFeatureAttention

__all__ = [
    "FLASH",
    "FLASHClassifier",
    "FLASHRegressor",
    "FavorAttention",
    "GatedAttentionUnit",
    "LinearAttentionState",
    "PerformerClassifier",
    "PerformerRegressor",
    "RFAClassifier",
    "RFARegressor",
    "RandomFeatureAttention",
    "linear_attention",
]
