"""Column generation: patterns that the sampled program lacks.

`_violators.py` finds neurons that would improve the solution. From there a local search over the network itself, where
neurons may cross from one pattern into the next, shows which patterns are worth having: the program with the patterns
of a network's neurons has an optimum no worse than the network's objective.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from skpapers.convex._clock import Clock
from skpapers.convex._losses import Loss

Array = NDArray[np.float64]
SEARCH = {"maxiter": 300, "maxcor": 20, "gtol": 1e-9}
FLAT = 1e-9  # relative progress of a step at which the search ends


def descend_network(
    X: Array,
    loss: Loss,
    W: Array,
    A: Array,
    free: NDArray[np.bool_],
    b: Array,
    alpha: float,
    clock: Clock,
    flat: float = FLAT,
) -> tuple[Array, Array, float]:
    """Go down from a network to a local minimum of its regularised objective, by L-BFGS.

    minimise F((X W')_+ A + b) + alpha / 2 (||W||² + ||A||²)

    Parameters
    ----------
    X : ndarray of shape (n, d)

    loss : Loss

    W : ndarray of shape (m, d)

    A : ndarray of shape (m, c)
        Weights of the second layer.

    free : ndarray of bool of shape (m, c)
        Which of them may change; the others are zero.

    b : ndarray of shape (c,)
        Intercepts to start from; the best ones are taken at every step.

    alpha : float

    clock : Clock

    flat : float, default=1e-9
        The search ends at a step that lowers the objective by less than this part of it.

    Returns
    -------
    W : ndarray of shape (m, d)

    A : ndarray of shape (m, c)

    objective : float
    """
    size = W.size
    second = np.zeros(A.shape)

    def objective(theta: Array) -> tuple[float, Array]:
        nonlocal b
        V = theta[:size].reshape(W.shape)
        second[free] = theta[size:]
        hidden = np.maximum(X @ V.T, 0.0)
        Z = hidden @ second
        b = loss.best_intercept(Z, b)
        U = loss.gradient(Z + b)
        value = loss.value(Z + b) + 0.5 * alpha * float(theta @ theta)
        back = (U @ second.T) * (hidden > 0)
        return value, np.concatenate([(back.T @ X).ravel(), (hidden.T @ U)[free]]) + alpha * theta

    def look(_: Array) -> None:
        if clock.is_over:
            raise StopIteration

    start = np.concatenate([W.ravel(), A[free]])
    done = minimize(objective, start, jac=True, method="L-BFGS-B", callback=look, options={**SEARCH, "ftol": flat})
    second[free] = done.x[size:]
    return done.x[:size].reshape(W.shape), second, float(done.fun)
