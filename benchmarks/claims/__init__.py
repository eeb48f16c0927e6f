"""The papers' claims, one file a paper. A new file is imported here."""

from benchmarks.claims import distribution_calibration, hierarchical_shrinkage, mixup, quant_bnb, sam, startup
from benchmarks.claims._registry import CLAIMS, Claim, Result, claim

__all__ = [
    "CLAIMS",
    "Claim",
    "Result",
    "claim",
    "distribution_calibration",
    "hierarchical_shrinkage",
    "mixup",
    "quant_bnb",
    "sam",
    "startup",
]
