r"""Gradient Vaccine on the cosines of the tasks' gradients (Wang, Tsvetkov, Firat, Cao; ICLR 2021, Algorithm 1).

There are m tasks with gradients g_1, ..., g_m of the shared parameters. The equations have numbers of this file's own.
For each task i the gradient g_i' starts as g_i and meets the other gradients g_j in a random order. With

    phi = cos(g_i', g_j)                                                                               (1)

and a target t_ij, a similarity below the target is raised to the target,

    g_i' <- g_i' + a g_j,    a = ||g_i'|| (t_ij sqrt(1 - phi^2) - phi sqrt(1 - t_ij^2))
                                 / (||g_j|| sqrt(1 - t_ij^2))    if phi < t_ij,                        (2)

and the target then follows what was measured before the correction,

    t_ij <- (1 - beta) t_ij + beta phi.                                                                (3)

The step follows the sum of all g_i'. The targets start at 0, so that beta = 0 leaves them there. (2) then takes from
g_i' what points against g_j, which is PCGrad (Yu et al., NeurIPS 2020).

Every g_i' is a combination of g_1, ..., g_m. Only the Gramian of the gradients enters (1) to (3), so that a step needs
O(m^3) operations on numbers once the Gramian is known. Let u_k = g_k / ||g_k|| and S_jk = u_j' u_k. The lengths cancel:
with g_i' = ||g_i|| sum_k c_ik u_k the recursion of c_i depends on S alone, and c_i starts as the i-th unit vector.

=================================  =============================
Step of Algorithm 1                Function
=================================  =============================
gradients to cosines and lengths   :func:`cosines`
(1), (2) and (3), all pairs        :func:`vaccinate`
the sum of all g_i'                :func:`weights_of_gradients`
one step, by groups of parameters  :func:`weights_of_groups`
one step on a matrix of gradients  :func:`combine`
=================================  =============================
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

LARGEST_COSINE = 1.0 - 1e-6  # cosines are clipped here: (2) divides by sqrt(1 - t^2)
SHORTEST = 1e-7  # a g_i' that is shorter, relative to g_i, has no direction beyond rounding


@njit(cache=True)
def cosines(gramians: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the cosines of gradients, and their lengths.

    Parameters
    ----------
    gramians : ndarray of shape (n_groups, m, m)
        Products of the gradients in each group of parameters.

    Returns
    -------
    S : ndarray of shape (n_groups, m, m)
        Cosines. The row and the column of a gradient of length 0, which has no direction, hold NaN.

    lengths : ndarray of shape (n_groups, m)
        Lengths of the gradients.
    """
    n_groups, m, _ = gramians.shape
    S = np.full(gramians.shape, np.nan)
    lengths = np.zeros((n_groups, m))
    for group in range(n_groups):
        length = lengths[group]
        for i in range(m):
            length[i] = np.sqrt(max(gramians[group, i, i], 0.0))
            if length[i] > 0.0:
                S[group, i, i] = 1.0
                for j in range(i):
                    if length[j] > 0.0:
                        cosine = gramians[group, i, j] / length[i] / length[j]
                        S[group, i, j] = min(max(cosine, -1.0), 1.0)
                        S[group, j, i] = S[group, i, j]
    return S, lengths


@njit(cache=True)
def vaccinate(
    S: NDArray[np.float64], target: NDArray[np.float64], order: NDArray[np.int64], beta: float
) -> NDArray[np.float64]:
    """Return the coefficients of the corrected gradients, and move the targets.

    Parameters
    ----------
    S : ndarray of shape (n_groups, m, m)
        Cosines of the gradients in each group of parameters; NaN where a gradient is 0.

    target : ndarray of shape (n_groups, m, m)
        t of each group. It is changed in place by (3).

    order : ndarray of shape (m, m)
        Row i is the order in which g_i' meets the gradients; its own number is skipped.

    beta : float
        Share of a measured similarity in the target.

    Returns
    -------
    C : ndarray of shape (n_groups, m, m)
        c_ik. The row and the column of a gradient of length 0 hold 0.
    """
    n_groups, m, _ = S.shape
    C = np.zeros_like(S)
    for group in range(n_groups):
        cosine = S[group]
        for i in range(m):
            if np.isnan(cosine[i, i]):
                continue
            c = C[group, i]
            c[i] = 1.0
            products = cosine[i].copy()  # of g_i' with every u_k, in units of the length of g_i
            length = 1.0
            for j in order[i]:
                if j == i or np.isnan(cosine[j, j]) or length < SHORTEST:
                    continue
                phi = min(max(products[j] / length, -LARGEST_COSINE), LARGEST_COSINE)
                t = min(target[group, i, j], LARGEST_COSINE)
                target[group, i, j] = (1.0 - beta) * target[group, i, j] + beta * phi
                if phi < t:
                    a = length * (t * np.sqrt((1.0 - phi * phi) / (1.0 - t * t)) - phi)
                    c[j] += a
                    square = 0.0
                    for k in range(m):
                        if not np.isnan(cosine[k, k]):
                            products[k] += a * cosine[j, k]
                            square += c[k] * products[k]
                    length = np.sqrt(max(square, 0.0))
    return C


@njit(cache=True)
def weights_of_gradients(C: NDArray[np.float64], lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return w of shape (n_groups, m) such that the sum of all g_i' is sum_k w_k g_k; 1 for a gradient of length 0."""
    n_groups, m = lengths.shape
    w = np.ones((n_groups, m))
    for group in range(n_groups):
        for k in range(m):
            if lengths[group, k] > 0.0:
                total = 0.0
                for i in range(m):
                    total += lengths[group, i] * C[group, i, k]
                w[group, k] = total / lengths[group, k]
    return w


@njit(cache=True)
def weights_of_groups(
    gramians: NDArray[np.float64],
    target: NDArray[np.float64],
    order: NDArray[np.int64],
    beta: float,
    similarity_sum: NDArray[np.float64],
    similarity_count: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the weights of the gradients in each group of parameters, and count the cosines of all parameters.

    Parameters
    ----------
    gramians : ndarray of shape (n_groups, m, m)
        Products of the gradients in each group.

    target, order, beta
        See :func:`vaccinate`; the targets are changed in place.

    similarity_sum, similarity_count : ndarray of shape (m, m)
        Sums and numbers of the cosines before the correction, to which those of this step are added in place. A
        gradient of length 0 does not count.

    Returns
    -------
    w : ndarray of shape (n_groups, m)
        See :func:`weights_of_gradients`.
    """
    n_groups, m, _ = gramians.shape
    sums = np.empty((n_groups + 1, m, m))  # the last one is of all groups
    sums[:n_groups] = gramians
    sums[n_groups] = gramians.sum(axis=0)
    S, lengths = cosines(sums)
    for i in range(m):
        for j in range(m):
            if not np.isnan(S[n_groups, i, j]):
                similarity_sum[i, j] += S[n_groups, i, j]
                similarity_count[i, j] += 1.0
    C = vaccinate(S[:n_groups], target, order, beta)
    return weights_of_gradients(C, lengths[:n_groups])


def combine(
    J: NDArray[np.float64], target: NDArray[np.float64], order: NDArray[np.int64], beta: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the combined gradient and the new targets, for one group of parameters.

    Parameters
    ----------
    J : ndarray of shape (m, p)
        Row i is g_i.

    target, order : ndarray of shape (m, m)
        See :func:`vaccinate`; both are left as they are.

    beta : float
        See there.

    Returns
    -------
    gradient : ndarray of shape (p,)
        The sum of all g_i'.

    target : ndarray of shape (m, m)
        The targets after the step.
    """
    unit = np.abs(J).max(axis=1, initial=0.0)  # squares of tiny and of huge gradients may under- or overflow
    scaled = J / np.where(unit > 0.0, unit, 1.0)[:, np.newaxis]
    S, lengths = cosines((scaled @ scaled.T)[np.newaxis])
    moved = target[np.newaxis].copy()
    C = vaccinate(S, moved, order, beta)[0]
    directions = np.divide(scaled.T, lengths[0], out=np.zeros_like(scaled.T), where=lengths[0] > 0.0).T
    return (C * (unit * lengths[0])[:, np.newaxis]).sum(axis=0) @ directions, moved[0]
