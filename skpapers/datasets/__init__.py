"""Small real tables that ship with the package, simulated returns, and made windows of series, images and manifolds."""

from skpapers.datasets._images import make_channel_energy, make_glyphs, make_quadratic_halves
from skpapers.datasets._manifolds import make_manifold, make_pixel_noise
from skpapers.datasets._real import load_concrete, load_raisin
from skpapers.datasets._returns import make_returns
from skpapers.datasets._series import make_adding_problem, make_weighted_mean

__all__ = [
    "load_concrete",
    "load_raisin",
    "make_adding_problem",
    "make_channel_energy",
    "make_glyphs",
    "make_manifold",
    "make_pixel_noise",
    "make_quadratic_halves",
    "make_returns",
    "make_weighted_mean",
]
