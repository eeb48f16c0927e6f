"""Interior-point steps for the ReLU program of a working set.

If alpha is small many neurons lie on the borders of their cones. First-order methods are slow there, and active-set
methods change their sets many times. Some twenty Newton steps on smoothed optimality conditions suffice. The program

    minimise F(A v + b) + alpha sum_k t_k  subject to  ||v_k|| <= t_k,  s_k = G_k v_k >= 0

has multipliers (alpha, zeta_k), ||zeta_k|| <= alpha, of the norms, and gamma_k >= 0 of the cones; at the optimum, with
U the gradient of F, A_k'U = zeta_k + G_k' gamma_k, and the product of every constraint with its multiplier is zero.
All products are led to zero together: directions of Nesterov and Todd, Mehrotra's predictor and corrector. The Hessian
has a block of d x d for each neuron, and A'QA besides, whose rank is that of the scores: by Woodbury's identity a
system of that size is left.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from skpapers.convex._clock import ENDLESS, Clock
from skpapers.convex._cones import project_all
from skpapers.convex._losses import SquaredError
from skpapers.convex._method import Outcome
from skpapers.convex._nesterov_todd import Norms, until_longer
from skpapers.convex._products import Operator
from skpapers.convex._program import Point, Program, certify, suprema

Array = NDArray[np.float64]
MAX_STEPS = 80
SLACK = 1.0 / 30  # of the cones at the start, over the bound of a norm
SHORTENED = 0.99  # share of the way to the boundary that a step goes
SHORTEST = 1e-8  # a step that is of use
CENTRED = 0.05  # of the goal: what all products may add up to, so that the gradient is near that of the optimum
ROUNDING = 1e-5  # of the goal: products of that size say that more steps are of no use
CHUNK = 1 << 20  # cells of the factor of A M^-1 A' at a time


def interior_point(
    program: Program, point: Point, alpha: float, goal: float, max_iter: int, clock: Clock = ENDLESS
) -> Outcome:
    """Solve the ReLU program of the pool to an absolute duality gap of `goal`, in place of `point`.

    `point.proof` becomes the gradient at the last iterate: it proves more than the gradient at the point, where neurons
    that are almost zero are zero.

    Parameters
    ----------
    program : Program

    point : Point

    alpha, goal : float

    max_iter : int
        Most steps.

    clock : Clock, default=ENDLESS

    Returns
    -------
    outcome : Outcome
    """
    loss = program.loss
    pool = point.pool
    c = point.b.size
    B = program.bits(pool)
    T = None if program.T is None else program.T[pool]
    parts = [slice(k, k + 1) for k in range(c)] if loss.separable else [slice(0, c)]
    U = np.empty_like(loss.Y)
    steps = 0
    useful = True
    for at in parts:
        own = SquaredError(loss.Y[:, at], loss.weight, loss.intercept) if loss.separable else loss
        part = Point(np.arange(len(pool)), point.W[..., at], point.b[at], point.borders[pool][..., at])
        method = _InteriorPoint(Program(program.X, B, own, True, T), part, alpha)
        steps += method.run(goal / len(parts), max_iter - steps, clock)
        useful &= part.proof is not None
        if part.proof is not None:
            point.W[..., at] = part.W
            point.b[at] = part.b
            U[:, at] = part.proof
    point.hard = useful
    point.proof = U if useful else None
    return Outcome(steps, useful)


@dataclass
class _Variables:
    """The variables of the method, or their changes: neurons v, intercepts b, bounds t of norms and their multipliers
    zeta, slacks s of cones and their multipliers gamma."""

    v: Array
    b: Array
    t: Array
    zeta: Array
    s: Array
    gamma: Array

    def moved(self, length: float, change: "_Variables") -> "_Variables":
        """Return the variables after a step."""
        return _Variables(*(start + length * way for start, way in zip(self._all(), change._all(), strict=True)))

    @property
    def is_finite(self) -> bool:
        return all(np.isfinite(values).all() for values in self._all())

    def _all(self) -> tuple[Array, ...]:
        return self.v, self.b, self.t, self.zeta, self.s, self.gamma


class _InteriorPoint:
    """An iterate of the method, for a program whose patterns are the pool. Neurons v are of shape (S, 2c, d)."""

    def __init__(self, program: Program, point: Point, alpha: float) -> None:
        self.program = program
        self.point = point
        self.alpha = alpha
        X = program.X
        loss = program.loss
        n, d = X.shape
        c = point.b.size
        S = program.B.shape[1]
        self.A = Operator(program.B, X)
        self.D = self.A.zeros_and_ones()
        directions = np.broadcast_to(np.eye(c), (S, c, c)) if program.T is None else program.T
        self.O = np.concatenate([directions, -directions], axis=1)  # what a neuron adds to the outputs
        cones = program.cones(point.pool)
        rows = program.lengths > 0
        self.rows = X[rows] / program.lengths[rows, np.newaxis]
        self.signs = cones.signs[:, np.newaxis, rows].astype(np.float64)
        self.upper = np.triu_indices(d)
        self.squares = self.rows[:, self.upper[0]] * self.rows[:, self.upper[1]]
        b = loss.best_intercept(np.zeros((n, c)), np.zeros(c))
        bound = loss.value(np.broadcast_to(b, (n, c))) / (alpha * S * 2 * c)  # of the mean norm at the optimum
        slacks = (S, 2 * c, len(self.rows))
        self.at = _Variables(
            v=np.zeros((S, 2 * c, d)),
            b=b,
            t=np.full((S, 2 * c), bound),
            zeta=np.zeros((S, 2 * c, d)),
            s=np.full(slacks, SLACK * bound),
            gamma=np.full(slacks, alpha),
        )
        self.infeasible = 1e-6 * bound

    def run(self, goal: float, max_iter: int, clock: Clock) -> int:
        """Take steps until the neurons that are not almost zero have a gap of `goal`, and return their number."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # of programs beyond all scales
            self._look()
            for step in range(min(max_iter, MAX_STEPS) + 1):
                feasible = np.abs(self.missing).max(initial=0.0) <= self.infeasible
                if feasible and self.products <= CENTRED * goal and self._offer(goal):
                    break
                last = step == min(max_iter, MAX_STEPS) or clock.is_over
                if last or self.products <= ROUNDING * goal or not self._step():
                    if feasible and CENTRED * goal < self.products <= goal:
                        self._offer(goal)
                    break
        return step

    def _forward(self, v: Array) -> Array:
        return self.A.forward(np.einsum("smd,smc->sdc", v, self.O))

    def _adjoint(self, U: Array) -> Array:
        return np.einsum("sdc,smc->smd", self.A.adjoint(U), self.O)

    def _look(self) -> None:
        """Evaluate the loss and the residuals."""
        loss = self.program.loss
        self.Z = self._forward(self.at.v)
        self.U = loss.gradient(self.Z + self.at.b)
        self.slope = self._adjoint(self.U)
        self.inside = self.signs * (self.at.v @ self.rows.T)
        self.missing = self.inside - self.at.s
        self.products = float((self.alpha * self.at.t + (self.at.v * self.at.zeta).sum(axis=-1)).sum())
        self.products += float((self.at.gamma * self.at.s).sum())
        unmet = self.slope - self.at.zeta - (self.signs * self.at.gamma) @ self.rows
        free = np.abs(self.U.sum(axis=0)).max() if loss.intercept else 0.0
        self.unmet = max(float(np.abs(unmet).max()), float(free))

    def _step(self) -> bool:
        """Take a step; return False if the iterate contains NaN or infinity, or if no step has a length."""
        norms = Norms(self.at.t, self.at.v, self.at.zeta, self.alpha)
        try:
            self._factor(norms)
            change, length = self._corrected(norms)
        except LinAlgError:
            return False
        if not (np.isfinite(length) and change.is_finite):
            return False
        start = self.at
        before = self.unmet
        while length > SHORTEST:
            self.at = start.moved(length, change)
            self._look()
            # a line for a squared error; other gradients may turn away from theirs
            if self.program.loss.quadratic or self.unmet <= 2.0 * before + 1e-3 * self.alpha:
                return bool(np.isfinite(self.products))
            length *= 0.5
        return False

    def _corrected(self, norms: Norms) -> tuple[_Variables, float]:
        """Return the direction and the length of Mehrotra's step."""
        mean = self.products / (self.at.t.size + self.at.s.size)
        change = self._direction(norms, 0.0, 0.0, (0.0, 0.0))
        length = self._length(change)
        left = sum(
            float(((x + length * dx) * (y + length * dy)).sum())
            for (x, dx), (y, dy) in (
                ((self.at.v, change.v), (self.at.zeta, change.zeta)),
                ((self.at.s, change.s), (self.at.gamma, change.gamma)),
                ((self.at.t, change.t), (self.alpha, 0.0)),
            )
        )
        centring = float(np.clip(left / self.products, 0.0, 1.0)) ** 3
        x0, x = norms.down(change.t, change.v)
        y0, y = norms.up(np.zeros_like(self.at.t), change.zeta)
        product = x0 * y0 + (x * y).sum(axis=-1), x0[..., np.newaxis] * y + y0[..., np.newaxis] * x
        change = self._direction(norms, centring * mean, change.s * change.gamma, product)
        return change, min(1.0, SHORTENED * self._length(change))

    def _factor(self, norms: Norms) -> None:
        """Factor the blocks of the neurons, and I + R A M^-1 A'R where R R = Q is the curvature of the loss."""
        program = self.program
        X = self.program.X
        (S, m, d) = self.at.v.shape
        n, c = self.U.shape
        self.ratio = self.at.gamma / self.at.s
        M = np.empty((S, m, d, d))
        M[..., self.upper[0], self.upper[1]] = M[..., self.upper[1], self.upper[0]] = self.ratio @ self.squares
        flat = norms.w * np.sqrt(2.0 / (2.0 * norms.w0**2 - 1.0))[..., np.newaxis]
        M += (np.eye(d) - flat[..., :, np.newaxis] * flat[..., np.newaxis, :]) / (norms.h**2)[..., None, None]
        self.M = M
        jitter = 1e-15 * np.trace(M, axis1=-2, axis2=-1)[..., np.newaxis, np.newaxis]
        root = np.linalg.inv(np.linalg.cholesky(M + jitter * np.eye(d)))
        self.inverse = np.swapaxes(root, -1, -2) @ root
        # the two neurons of a pattern and an output differ in a sign, which does not matter in squares
        factors = np.swapaxes(np.linalg.qr(np.concatenate([root[:, :c], root[:, c:]], axis=2), mode="r"), -1, -2)
        self.Q = program.loss.model(self.Z + self.at.b, range(c))[0]
        if c == 1:
            self.R = np.sqrt(self.Q)
        else:
            values, vectors = np.linalg.eigh(self.Q)
            self.R = (vectors * np.sqrt(np.maximum(values, 0.0))[:, np.newaxis]) @ np.swapaxes(vectors, 1, 2)
        left = np.eye(n * c)
        for start in range(0, S, max(1, CHUNK // (n * c * c * d))):
            some = slice(start, start + max(1, CHUNK // (n * c * c * d)))
            hidden = np.einsum("nd,skde->nske", X, factors[some]) * self.D[:, some, np.newaxis, np.newaxis]
            turned = np.einsum("nab,skb->nask", self.R, self.O[some, :c])
            part = (hidden[:, np.newaxis] * turned[..., np.newaxis]).reshape(n * c, -1)
            left += part @ part.T
        self.left = cho_factor(left, lower=True, overwrite_a=True, check_finite=False)
        ones = self.R.reshape(n * c, c)  # R times intercepts of one
        self.intercepts = ones, cho_solve(self.left, ones, check_finite=False)

    def _solve(self, right: Array) -> tuple[Array, Array]:
        """Return the changes of neurons and intercepts with M dv + A'Q (A dv + db) = right, the columns of U being led
        to a sum of zero."""
        free = -self.U.sum(axis=0)
        dv, db = self._solve_roughly(right, free)
        # refined once: the blocks of neurons that are almost zero are nearly singular
        curved = self._curve(self.Q, self._forward(dv) + db)
        left = right - np.einsum("smde,sme->smd", self.M, dv) - self._adjoint(curved)
        more_v, more_b = self._solve_roughly(left, free - curved.sum(axis=0))
        return dv + more_v, db + more_b

    def _solve_roughly(self, right: Array, free: Array) -> tuple[Array, Array]:
        known = np.einsum("smde,sme->smd", self.inverse, right)
        y = cho_solve(self.left, self._curve(self.R, self._forward(known)).ravel(), check_finite=False)
        if not np.isfinite(y).all():  # LAPACK would print an error
            raise LinAlgError("the numbers are too large or too small")
        db = np.zeros(free.size)
        if self.program.loss.intercept:
            ones, solved = self.intercepts
            # the softmax does not change along the vector of ones
            db = np.linalg.lstsq(ones.T @ solved, free - ones.T @ y, rcond=1e-12)[0]
            y = y + solved @ db
        back = self._curve(self.R, y.reshape(-1, free.size))
        return known - np.einsum("smde,sme->smd", self.inverse, self._adjoint(back)), db

    @staticmethod
    def _curve(Q: Array, Z: Array) -> Array:
        """Return Q_i Z_i for every row."""
        return (Q @ Z[..., np.newaxis])[..., 0]

    def _direction(self, norms: Norms, target: float, of_cones: Array | float, of_norms: tuple) -> _Variables:
        """Return the Newton direction to products of `target`, less corrections of second order."""
        first, rest = norms.centred(target, of_norms)
        # alpha stays what it is, which eliminates t
        corner = (2.0 * norms.w0**2 - 1.0) / norms.h**2
        side = -2.0 * (norms.w0 / norms.h**2)[..., np.newaxis] * norms.w
        wanted = (target - of_cones) / self.at.s - self.at.gamma
        right = self.at.zeta - self.slope + rest - side * (first / corner)[..., np.newaxis]
        right += (self.signs * (self.at.gamma + wanted - self.ratio * self.missing)) @ self.rows
        dv, db = self._solve(right)
        dt = (first - (side * dv).sum(axis=-1)) / corner
        along = (norms.w * dv).sum(axis=-1)[..., np.newaxis]
        dzeta = rest - side * dt[..., np.newaxis] - (dv + 2.0 * along * norms.w) / (norms.h**2)[..., np.newaxis]
        ds = self.signs * (dv @ self.rows.T) + self.missing
        return _Variables(dv, db, dt, dzeta, ds, wanted - self.ratio * ds)

    def _length(self, change: _Variables) -> float:
        """Return the largest step, at most 1, that keeps all constraints."""
        fastest = max(float((-change.s / self.at.s).max()), float((-change.gamma / self.at.gamma).max()), 1.0)
        return min(
            1.0 / fastest,
            until_longer(self.at.t, change.t, self.at.v, change.v),
            until_longer(np.full_like(self.at.t, self.alpha), np.zeros_like(self.at.t), self.at.zeta, change.zeta),
        )

    def _offer(self, goal: float) -> bool:
        """Write the point without the neurons that cost more than they bring, if its gap is at most `goal`."""
        program = self.program
        point = self.point
        loss = self.program.loss
        X = self.program.X
        (S, m, d) = self.at.v.shape
        c = point.b.size
        # to leave a neuron out changes F by this much in the first order, and the penalty too, and F in the second
        gain = self.alpha * np.sqrt((self.at.v**2).sum(axis=-1)) + (self.at.v * self.at.zeta).sum(axis=-1)
        gain += (self.at.gamma * self.inside).sum(axis=-1)
        Q = loss.model(self.Z + self.at.b, range(c))[0]
        curved = np.einsum("nab,sma,smb->nsm", Q, self.O, self.O)
        hidden = (X @ self.at.v.reshape(-1, d).T).reshape(len(X), S, m) ** 2 * self.D[:, :, np.newaxis]
        kept = 0.5 * (curved * hidden).sum(axis=0) > gain
        flat = np.where(kept[..., np.newaxis], self.at.v, 0.0).reshape(-1, d)
        cones = program.cones(np.arange(S))
        which = np.repeat(np.arange(S), m)
        out = np.empty_like(flat)
        norms = np.empty(len(flat))
        borders = np.full((len(flat), d + 2), -1, dtype=np.int64)
        project_all(flat, cones.X, cones.XT, cones.lengths, cones.signs, which, borders, 0.0, out, norms)
        W = np.ascontiguousarray(np.moveaxis(out.reshape(S, 2, c, d), 2, 3))
        offered = Point(point.pool, W, point.b, point.borders)
        Z = program.scores(offered)
        offered.b = loss.best_intercept(Z, self.at.b)
        U = loss.gradient(self.Z + loss.best_intercept(self.Z, self.at.b))  # its columns sum to zero
        suprema_of_U, _ = suprema(program, point.pool, program.B, U, offered, self.alpha)
        if not certify(program, offered, Z, U, suprema_of_U, self.alpha)[0].absolute <= goal:  # NaN is no proof
            return False
        point.W = W
        point.b = offered.b
        point.proof = U
        return True
