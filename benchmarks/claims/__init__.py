"""The papers' claims, one file a paper or two. A new file is imported here."""

from benchmarks.claims import (
    convex_relu,
    convex_relu_figures,
    distribution_calibration,
    hierarchical_shrinkage,
    mixup,
    quant_bnb,
    sam,
    startup,
)
from benchmarks.claims._registry import CLAIMS, Claim, Result, claim

__all__ = [
    "CLAIMS",
    "Claim",
    "Result",
    "claim",
    "convex_relu",
    "convex_relu_figures",
    "distribution_calibration",
    "hierarchical_shrinkage",
    "mixup",
    "quant_bnb",
    "sam",
    "startup",
]
