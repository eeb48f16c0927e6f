"""The sampled programs as they stand in the paper, handed to cvxpy and Clarabel: slow, and independent of our
solvers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skpapers.convex._losses import LogLoss, SquaredError
from skpapers.convex._products import unpack
from skpapers.convex._program import Program

Array = NDArray[np.float64]


def solve_with_cvxpy(program: Program, alpha: float, *, tol: float = 1e-8) -> tuple[Array, Array, float]:
    """Solve a sampled program by an interior-point method.

    Parameters
    ----------
    program : Program

    alpha : float

    tol : float, default=1e-8
        Clarabel's tolerances of gap and feasibility.

    Returns
    -------
    W : ndarray of shape (P, sides, d, c)
        The neurons; cones are kept up to `tol`.

    b : ndarray of shape (c,)

    value : float
        The optimal value.

    Raises
    ------
    ImportError
        If cvxpy or Clarabel is missing.
    """
    import cvxpy

    cp: Any = cvxpy  # its functions come from a star import, which type checkers do not see
    X = program.X
    loss = program.loss
    D = unpack(program.B, len(program.X)).astype(np.float64)
    (n, d) = X.shape
    c = loss.Y.shape[1]
    P = D.shape[1]
    A = (D[:, :, np.newaxis] * X[:, np.newaxis, :]).reshape(n, P * d)
    W = [[[cp.Variable(d) for _ in range(c)] for _ in range(program.sides)] for _ in range(P)]
    b = cp.Variable(c)
    columns = []
    for k in range(c):
        net = cp.hstack([W[i][0][k] - W[i][1][k] if program.relu else W[i][0][k] for i in range(P)])
        columns.append(A @ net + (b[k] if loss.intercept else 0.0))
    Z = cp.vstack(columns).T
    problem = cp.Problem(
        cp.Minimize(_loss(cp, loss, Z) + alpha * sum(cp.norm(w) for sides in W for side in sides for w in side)),
        [cp.multiply((2 * D[:, i] - 1)[:, np.newaxis], X) @ w >= 0 for i in range(P) for side in W[i] for w in side]
        if program.relu
        else [],
    )
    problem.solve(cp.CLARABEL, tol_gap_abs=tol, tol_gap_rel=tol, tol_feas=tol)
    found = np.moveaxis(np.array([[[w.value for w in side] for side in sides] for sides in W]), 2, 3)
    intercepts = np.asarray(b.value) if loss.intercept else np.zeros(c)
    return np.ascontiguousarray(found), intercepts, float(problem.value)


def _loss(cp: Any, loss: Any, Z: Any) -> Any:
    if isinstance(loss, SquaredError):
        return 0.5 * cp.sum_squares(cp.multiply(np.sqrt(loss.column), Z - loss.Y))
    if isinstance(loss, LogLoss):
        return loss.weight @ cp.reshape(cp.logistic(Z) - cp.multiply(loss.Y, Z), (len(loss.Y),), order="F")
    return loss.weight @ (cp.log_sum_exp(Z, axis=1) - cp.sum(cp.multiply(loss.Y, Z), axis=1))
