"""The losses of convex networks: value, gradient, curvature, best intercept and Fenchel conjugate.

Every loss is F(Z) = sum_i omega_i l(Z_i, Y_i) for scores Z of shape (n, c) and weights omega > 0 that sum to one.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlogy

Array = NDArray[np.float64]
TINY = np.finfo(np.float64).tiny
FLOOR = 1e-9  # of probabilities, where a quadratic model divides by them


class Loss(ABC):
    """What the solvers ask of a loss; `weight` is omega, `Y` the target of shape (n, c).

    Parameters
    ----------
    Y : ndarray of shape (n, c)

    weight : ndarray of shape (n,)
        Positive, of sum one.

    intercept : bool
        Whether every output has an intercept that is not penalised.
    """

    separable = False  # whether the outputs are problems of their own
    quadratic = False  # whether the curvature is the same everywhere
    smoothness = 1.0  # the largest second derivative of l

    def __init__(self, Y: Array, weight: Array, intercept: bool) -> None:
        self.Y = Y
        self.weight = weight
        self.intercept = intercept
        self.column = weight[:, np.newaxis]

    @abstractmethod
    def value(self, Z: Array) -> float:
        """Return F(Z)."""

    @abstractmethod
    def gradient(self, Z: Array) -> Array:
        """Return the gradient of F, of the shape of Z."""

    @abstractmethod
    def model(self, Z: Array, outputs: range) -> tuple[Array, Array]:
        """Return the Hessian Q of F in some outputs of every row, of shape (n, q, q), and Q^+ times the gradient."""

    @abstractmethod
    def best_intercept(self, Z: Array, start: Array) -> Array:
        """Return the minimiser b of F(Z + b); zeros without an intercept."""

    @abstractmethod
    def dual(self, U: Array, most: Array) -> tuple[float, Array]:
        """Return -F*(s U) and s, for scales s <= `most`, one an output: the best ones where they are cheap to find."""


class SquaredError(Loss):
    """F(Z) = 1/2 sum_i omega_i ||Z_i - Y_i||²."""

    separable = True
    quadratic = True

    def value(self, Z: Array) -> float:
        return 0.5 * float(np.einsum("i,ik,ik->", self.weight, Z - self.Y, Z - self.Y))

    def gradient(self, Z: Array) -> Array:
        return self.column * (Z - self.Y)

    def model(self, Z: Array, outputs: range) -> tuple[Array, Array]:
        (k,) = outputs
        return self.weight[:, np.newaxis, np.newaxis], (Z - self.Y)[:, k : k + 1]

    def best_intercept(self, Z: Array, start: Array) -> Array:
        return self.weight @ (self.Y - Z) if self.intercept else np.zeros(Z.shape[1])

    def dual(self, U: Array, most: Array) -> tuple[float, Array]:
        square = (U * U / self.column).sum(axis=0)
        inner = (U * self.Y).sum(axis=0)
        scale = np.minimum(np.maximum(-inner, 0.0) / np.maximum(square, TINY), most)
        return float((-0.5 * scale**2 * square - scale * inner).sum()), scale


class LogLoss(Loss):
    """F(z) = sum_i omega_i (log(1 + exp(z_i)) - y_i z_i) for y in {0, 1}."""

    smoothness = 0.25

    def value(self, Z: Array) -> float:
        return float(self.weight @ (np.logaddexp(0.0, Z) - self.Y * Z)[:, 0])

    def gradient(self, Z: Array) -> Array:
        return self.column * (expit(Z) - self.Y)

    def model(self, Z: Array, outputs: range) -> tuple[Array, Array]:
        p = expit(Z)
        q = np.maximum(p * expit(-Z), FLOOR)
        return (self.column * q)[:, :, np.newaxis], (p - self.Y) / q

    def best_intercept(self, Z: Array, start: Array) -> Array:
        b = start.copy()
        if not self.intercept:
            return np.zeros_like(b)
        low = -np.inf
        high = np.inf
        for _ in range(100):  # Newton, inside the bracket that the sign of the slope gives
            slope = self.gradient(Z + b).sum()
            low, high = (low, b[0]) if slope > 0 else (b[0], high)
            p = expit(Z[:, 0] + b)
            step = slope / max(self.weight @ (p * (1.0 - p)), TINY)
            new = b[0] - np.clip(step, -4.0, 4.0)
            if not low <= new <= high:
                new = 0.5 * (low + high)
            if abs(new - b[0]) <= 1e-15 * max(1.0, abs(new)):
                break
            b[0] = new
        return b

    def dual(self, U: Array, most: Array) -> tuple[float, Array]:
        scale = np.minimum(1.0, most)
        p = np.clip(self.Y + scale * U / self.column, 0.0, 1.0)
        return -float(self.weight @ (xlogy(p, p) + xlogy(1.0 - p, 1.0 - p))[:, 0]), scale


def softmax(Z: Array) -> Array:
    """Return the softmax of every row, several times as fast as scipy's for few rows."""
    exponential = np.exp(Z - Z.max(axis=1, keepdims=True))
    return exponential / exponential.sum(axis=1, keepdims=True)


class MultinomialLogLoss(Loss):
    """F(Z) = sum_i omega_i (log sum_k exp(Z_ik) - Z_iy) for one-hot Y."""

    smoothness = 0.5

    def value(self, Z: Array) -> float:
        top = Z.max(axis=1)
        total = np.exp(Z - top[:, np.newaxis]).sum(axis=1)
        return float(self.weight @ (np.log(total) + top - (self.Y * Z).sum(axis=1)))

    def gradient(self, Z: Array) -> Array:
        return self.column * (softmax(Z) - self.Y)

    def model(self, Z: Array, outputs: range) -> tuple[Array, Array]:
        p = np.maximum(softmax(Z), FLOOR)
        p /= p.sum(axis=1, keepdims=True)
        Q = -p[:, :, np.newaxis] * p[:, np.newaxis, :]
        every = np.arange(p.shape[1])
        Q[:, every, every] += p
        return self.weight[:, np.newaxis, np.newaxis] * Q, (p - self.Y) / p  # Q^+ u, up to what Q takes to zero

    def best_intercept(self, Z: Array, start: Array) -> Array:
        b = start - start.mean()
        if not self.intercept:
            return np.zeros_like(b)
        for _ in range(100):
            p = softmax(Z + b)
            slope = self.weight @ (p - self.Y)
            # the Hessian has the vector of ones as its null space, along which F does not change
            hessian = np.diag(self.weight @ p) - (p * self.column).T @ p + 1.0 / b.size
            step = np.linalg.solve(hessian + 1e-14 * np.eye(b.size), slope)
            step -= step.mean()
            length = np.abs(step).max()
            unit = max(1.0, np.abs(b).max())
            if length <= 1e-6 * unit:  # where values differ by rounding, and Newton's method needs no safeguard
                b = b - step
                if length <= 1e-9 * unit:
                    break
                continue
            step /= max(1.0, length / 4.0)
            value = self.value(Z + b)
            for _ in range(30):
                if self.value(Z + b - step) <= value:
                    break
                step /= 2.0
            b = b - step
        return b

    def dual(self, U: Array, most: Array) -> tuple[float, Array]:
        scale = np.full(most.size, min(1.0, most.min()))
        p = np.maximum(self.Y + scale * U / self.column, 0.0)
        return -float(np.einsum("i,ik->", self.weight, xlogy(p, p))), scale
