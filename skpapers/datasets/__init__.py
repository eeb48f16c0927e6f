"""Small real tables that ship with the package, and simulated returns."""

from skpapers.datasets._real import load_concrete, load_raisin
from skpapers.datasets._returns import make_returns

__all__ = ["load_concrete", "load_raisin", "make_returns"]
