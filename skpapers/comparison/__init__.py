"""Cross-validated comparison of the papers' methods with their baselines on a table of the user."""

from skpapers.comparison._compare import compare
from skpapers.comparison._result import Comparison, ComparisonDisplay

__all__ = ["Comparison", "ComparisonDisplay", "compare"]
