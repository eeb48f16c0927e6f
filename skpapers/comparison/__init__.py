"""Cross-validated comparison of the papers' methods with their baselines on a table of the user."""

from skpapers.comparison._compare import compare
from skpapers.comparison._display import ComparisonDisplay
from skpapers.comparison._result import Comparison

__all__ = ["Comparison", "ComparisonDisplay", "compare"]
