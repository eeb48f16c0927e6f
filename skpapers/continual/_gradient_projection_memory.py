"""Gradient Projection Memory (Saha, Garg, Roy; ICLR 2021): a network learns task after task, and keeps what it learned.

A layer multiplies its input :math:`r \\in \\mathbb{R}^d` by :math:`W \\in \\mathbb{R}^{d \\times h}`. The last entry
of r is 1, and the last row of W is the bias. For a convolution r is a patch of the image. The gradient of any loss with
respect to W is a sum of products :math:`r \\delta^\\top`: its columns lie in the span of the inputs. A step
:math:`\\Delta W` that is orthogonal to the inputs of earlier tasks leaves the outputs for these as they were,

.. math:: M^\\top \\Delta W = 0 \\;\\Rightarrow\\; (W + \\Delta W)^\\top M c = W^\\top M c    (1)

for all c, where the columns of M are an orthonormal basis of those inputs. The memory of a layer is M. After a task the
columns of :math:`R \\in \\mathbb{R}^{d \\times n}` are the inputs of the layer for n rows of the task. What M does not
span is

.. math:: \\hat R = R - M M^\\top R = \\sum_i s_i u_i v_i^\\top    (2)

and M gets the first k of the u, where k is the smallest number with

.. math:: \\|R\\|_F^2 - \\|\\hat R\\|_F^2 + \\sum_{i \\le k} s_i^2 \\ge \\epsilon \\|R\\|_F^2.    (3)

The next tasks apply, instead of the step :math:`\\Delta W` of an optimiser,

.. math:: \\Delta W - M M^\\top \\Delta W.    (4)

The equations have numbers of this file; the order of the steps is that of the paper's Algorithm 1.

==========================================  ===========================================================================
Step of Algorithm 1                         Function
==========================================  ===========================================================================
train on the task with projected gradients  `projected`: (4), of the step that is applied
representation matrices of the layers       `GPMNetwork.representations` in `_gpm_network.py`; `representation_matrix`
singular value decomposition of the rest    `extend_basis`: (2)
number of new directions                    `n_directions`: (3)
thresholds of the layers                    `layer_thresholds`
==========================================  ===========================================================================

The paper projects the gradient. With momentum, moments of Adam or weight decay the step is no multiple of the gradient,
and (1) fails. Here the step itself is projected, so that (1) holds under every optimiser.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from skpapers._torch.optimizers import Optimizer
from skpapers._torch.steps import Update

ROUNDING = 1e-12  # relative, of a sum of squares


def representation_matrix(inputs: NDArray, weight: NDArray | None) -> NDArray:
    """Return R of a layer: its inputs as columns, each multiplied by the square root of the weight of its row.

    Parameters
    ----------
    inputs : ndarray of shape (n, places, d)
        For each row the inputs at all places: one for a dense layer, one for each position of a kernel.

    weight : ndarray of shape (n,) or None
        Row weights.
    """
    if weight is not None:
        inputs = inputs * np.sqrt(weight)[:, None, None]
    return inputs.reshape(-1, inputs.shape[-1]).T


def extend_basis(M: NDArray, R: NDArray, threshold: float) -> NDArray:
    """Return the basis of a layer's memory after a task: M and the first left singular vectors of the rest (2), (3).

    Parameters
    ----------
    M : ndarray of shape (d, m)
        Orthonormal columns; m is 0 before the first task. The result begins with them, apart from rounding and signs.

    R : ndarray of shape (d, n)
        The layer's inputs in the task.

    threshold : float
        Epsilon.
    """
    largest = np.abs(R).max()
    if largest == 0.0:
        return M
    n = max(R.shape)
    R = R / largest  # the squares of large inputs may be infinite
    if R.shape[1] > len(R):  # patches: d columns with the same R R^T, whose decomposition costs a fraction
        R = np.asarray(np.linalg.qr(R.T, mode="r")).T
    rest = R - M @ (M.T @ R)
    U, s, _ = np.linalg.svd(rest, full_matrices=False)
    k = min(n_directions(s, np.square(R).sum(), threshold, n), len(M) - M.shape[1])
    if k == 0:
        return M
    return np.linalg.qr(np.hstack([M, U[:, :k]]))[0]  # the columns stay orthonormal over many tasks


def n_directions(s: NDArray, total: float, threshold: float, n: int) -> int:
    """Return k of (3): with fewer directions more than 1 - epsilon of the squared norm of R would be left.

    Parameters
    ----------
    s : ndarray of shape (min(d, n),)
        Singular values of the rest, in descending order.

    total : float
        Squared norm of R.

    threshold : float
        Epsilon. 0 keeps no direction, and 1 every one that is more than rounding.

    n : int
        The larger side of R, by which the rounding of `s` grows.
    """
    left = np.cumsum(np.square(s[::-1]))[::-1]  # of the squared norm, if the first 0, 1, ... directions are kept
    rounding = (n * np.finfo(np.float64).eps) ** 2
    return int(np.sum(left > total * ((1.0 - threshold) * (1.0 + ROUNDING) + rounding)))


def layer_thresholds(threshold: ArrayLike, increment: float, n_layers: int, n_learned: int) -> list[float]:
    """Return epsilon of each layer for the task that follows `n_learned` others; it is at most 1.

    The last of several thresholds is that of all further layers.
    """
    given = np.atleast_1d(np.asarray(threshold, dtype=np.float64))
    padded = np.append(given, np.full(max(0, n_layers - len(given)), given[-1]))[:n_layers]
    return np.minimum(1.0, padded + increment * n_learned).tolist()


def memory_usage(bases: Sequence[NDArray]) -> NDArray:
    """Return for each layer the share of its directions that are in the memory."""
    return np.array([M.shape[1] / M.shape[0] for M in bases])


def projected(bases: Sequence[Tensor]) -> Update:
    """Return an update that takes out of every step of an optimiser what lies in the memory (4).

    The first step finds :math:`M^\\top W`, and every step restores it. Before a step W has this value, so that this is
    the projection of the step; and rounding does not add up over the steps.

    Parameters
    ----------
    bases : sequence of Tensor of shape (d, m)
        M for each of the network's `protected` weights.
    """
    kept: list[Tensor] = []

    def update(network: nn.Module, optimizer: Optimizer) -> None:
        weights = network.protected()  # type: ignore[operator]
        with torch.no_grad():
            if not kept:
                kept.extend(M.T @ W for M, W in zip(bases, weights, strict=True))
            optimizer.step()
            for W, M, of_start in zip(weights, bases, kept, strict=True):
                if M.shape[1]:
                    W.addmm_(M, torch.addmm(of_start, M.T, W, beta=-1.0), alpha=-1.0)

    return update
