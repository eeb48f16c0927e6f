"""Certificates: what a gradient proves of the optimum.

With U the gradient of F at a fit whose intercepts are optimal (so that its columns sum to zero), s U is a point of the
dual problem, maximise -F*(U) subject to sup <A'U, W> <= alpha over the feasible W of norm one, where s is alpha over
the largest of those suprema, or 1. For a gated pattern the supremum is ||X' D_i U||, for a ReLU pattern and a sign it
is the norm of -+X' D_i U after projection onto the cone K_i; the part that
the projection removes is a multiplier of the cone's constraints.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skpapers.convex._losses import Loss

Array = NDArray[np.float64]


class Certificate(NamedTuple):
    """An objective, a bound below the optimum of the sampled program, and their relative distance."""

    objective: float
    lower_bound: float

    @property
    def absolute(self) -> float:
        return max(self.objective - self.lower_bound, 0.0)

    @property
    def gap(self) -> float:
        """The gap, relative to the objective; 0 where that is zero, since no objective is negative."""
        return self.absolute / self.objective if self.objective > 0 else 0.0


def dual_value(loss: Loss, U: Array, norms: Array, alpha: float) -> tuple[float, Array]:
    """Return the value of the best dual point that U can be scaled to, and the scale of every output.

    `norms` are the suprema above, of shape (patterns, sides, outputs); one scale serves all outputs unless they are
    separate problems.
    """
    top = norms.max(axis=(0, 1), initial=0.0)
    if not loss.separable:
        top = np.full_like(top, top.max(initial=0.0))
    # where nothing restricts U, its scale may also exceed 1
    return loss.dual(U, np.divide(alpha, top, out=np.full_like(top, np.inf), where=top > 0))


def screen(
    norms: Array, scale: Array, gap: float, spectral: float, smoothness: float, alpha: float
) -> NDArray[np.bool_]:
    """Return which patterns may be active at the optimum (the Gap Safe rule).

    The dual objective is strongly concave in the norm weighted by 1 / omega, with modulus 1 / `smoothness`: the optimum
    is within sqrt(2 gap smoothness) of s U. `spectral` is the spectral norm of diag(omega)^(1/2) X, and so at least
    that of any D_i X. Projection onto a cone does not increase distances, so that the rule holds for ReLU patterns,
    too.

    Parameters
    ----------
    norms : ndarray of shape (patterns, sides, c)
        The suprema at U, or upper bounds of them.

    scale : ndarray of shape (c,)

    gap : float
        Absolute distance of the dual value of s U to an objective.

    spectral, smoothness, alpha : float

    Returns
    -------
    kept : ndarray of bool of shape (patterns,)
    """
    radius = np.sqrt(2.0 * max(gap, 0.0) * smoothness)
    return (norms * scale + radius * spectral).max(axis=(1, 2)) >= alpha
