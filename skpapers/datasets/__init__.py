"""Small real tables that ship with the package."""

from skpapers.datasets._real import load_concrete, load_raisin

__all__ = ["load_concrete", "load_raisin"]
