"""The papers' claims. Every file of this folder is loaded, so that its claims are registered."""

from importlib import import_module
from pathlib import Path

from benchmarks.claims._registry import CLAIMS, Claim, Result, claim

__all__ = ["CLAIMS", "Claim", "Result", "claim"]

for _file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    import_module(f"benchmarks.claims.{_file.stem}")
