"""The scaling of Nesterov and Todd for constraints ||v|| <= t, which the interior-point method takes its steps in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass
class Norms:
    """The scaling W of Nesterov and Todd for the cones ||v|| <= t: W takes (alpha, zeta) to where W^-1 takes (t, v).

    W = h V, where V is the hyperbolic rotation of (w0, w).
    """

    t: Array
    v: Array
    zeta: Array
    alpha: float

    def __post_init__(self) -> None:
        primal = np.sqrt(np.maximum(self.t**2 - (self.v**2).sum(axis=-1), np.finfo(np.float64).tiny))
        dual = np.sqrt(np.maximum(self.alpha**2 - (self.zeta**2).sum(axis=-1), np.finfo(np.float64).tiny))
        t = self.t / primal
        v = self.v / primal[..., np.newaxis]
        a = self.alpha / dual
        zeta = self.zeta / dual[..., np.newaxis]
        half = np.sqrt(2.0 * (1.0 + a * t + (v * zeta).sum(axis=-1)))
        self.w0 = (t + a) / half
        self.w = (v - zeta) / half[..., np.newaxis]
        self.h = np.sqrt(primal / dual)

    def up(self, x0: Array, x: Array) -> tuple[Array, Array]:
        """Return W (x0, x)."""
        inner = (self.w * x).sum(axis=-1)
        turned = x + self.w * (x0 + inner / (1.0 + self.w0))[..., np.newaxis]
        return self.h * (self.w0 * x0 + inner), self.h[..., np.newaxis] * turned

    def down(self, x0: Array, x: Array) -> tuple[Array, Array]:
        """Return W^-1 (x0, x)."""
        inner = (self.w * x).sum(axis=-1)
        turned = x + self.w * (inner / (1.0 + self.w0) - x0)[..., np.newaxis]
        return (self.w0 * x0 - inner) / self.h, turned / self.h[..., np.newaxis]

    def centred(self, target: float, correction: tuple[Array, Array]) -> tuple[Array, Array]:
        """Return the changes of the multipliers that give products of `target` less `correction` at fixed (t, v)."""
        s0, s = self.down(self.t, self.v)
        y0 = target - correction[0]
        y = -correction[1]
        x0 = (s0 * y0 - (s * y).sum(axis=-1)) / (s0**2 - (s**2).sum(axis=-1))
        first, rest = self.down(x0, (y - x0[..., np.newaxis] * s) / s0[..., np.newaxis])
        return first - self.alpha, rest - self.zeta


def until_longer(t: Array, dt: Array, v: Array, dv: Array) -> float:
    """Return the largest share, at most 1, for which every v + share dv is at most as long as t + share dt."""
    square = dt**2 - (dv**2).sum(axis=-1)
    mixed = t * dt - (v * dv).sum(axis=-1)
    now = np.maximum(t**2 - (v**2).sum(axis=-1), np.finfo(np.float64).tiny)
    inside = mixed**2 - square * now  # of the roots of now + 2 mixed x + square x^2
    fastest = np.where(inside >= 0.0, np.sqrt(np.maximum(inside, 0.0)) - mixed, 0.0) / now
    return 1.0 / max(float(fastest.max()), 1.0)
