"""The papers' claims, one file a paper. A new file is imported here."""

from benchmarks.claims import hierarchical_shrinkage, mixup, quant_bnb, sam
from benchmarks.claims._registry import CLAIMS, Claim, Result, claim

__all__ = ["CLAIMS", "Claim", "Result", "claim", "hierarchical_shrinkage", "mixup", "quant_bnb", "sam"]
