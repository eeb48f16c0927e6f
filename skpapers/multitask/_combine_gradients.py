"""Gradient Vaccine as a function for your own training loop."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from skpapers.multitask._gradient_vaccine import combine

Gradients = TypeVar("Gradients", NDArray, Tensor)
METHODS = ("gradvac", "pcgrad", "sum")


def combine_gradients(
    gradients: Gradients,
    target_similarity: ArrayLike | None = None,
    *,
    method: str = "gradvac",
    beta: float = 0.01,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Gradients, NDArray[np.float64]]:
    """Combine the gradients of several tasks into one (Gradient Vaccine, PCGrad, or their sum).

    For your own training loop. :class:`GradVacClassifier` and :class:`GradVacRegressor` do the same inside.

    Parameters
    ----------
    gradients : array-like or Tensor of shape (n_tasks, n_parameters)
        One row for each task, of the parameters that the tasks share.

    target_similarity : array-like of shape (n_tasks, n_tasks), default=None
        Targets of the cosines, as returned by the previous step; None starts at 0. With `beta=0` they do not change.

    method : {"gradvac", "pcgrad", "sum"}, default="gradvac"
        "pcgrad" removes from each gradient what points against another one: the targets are always 0. "sum" is
        the plain sum.

    beta : float, default=0.01
        Share of a measured cosine in its target after the step.

    random_state : int, RandomState instance or None, default=None
        Decides in which order a gradient meets the others, if there are more than two tasks. Give the same RandomState
        to all steps of a loop.

    Returns
    -------
    gradient : ndarray or Tensor of shape (n_parameters,)
        The combined gradient; a tensor if the gradients are one, on their device and of their dtype, or of float64 for
        integers.

    target_similarity : ndarray of shape (n_tasks, n_tasks)
        The targets after the step. Row i belongs to the gradient of task i, which is corrected; its diagonal is unused.

    Raises
    ------
    ValueError
        If the gradients are not a matrix of finite numbers, or another argument is outside its range.

    See Also
    --------
    GradVacClassifier : A network for several tasks of classes.
    GradVacRegressor : A network for several targets.

    Notes
    -----
    A gradient that is 0 has no direction: it is left out, and its targets do not change. Cosines are computed in
    float64 and clipped at 1 - 1e-6 in absolute value.

    Cost: O(m^2 p + m^3) for m tasks and p parameters.

    References
    ----------
    .. [1] Z. Wang, Y. Tsvetkov, O. Firat, Y. Cao, "Gradient Vaccine: Investigating and Improving Multi-task
       Optimization in Massively Multilingual Models", ICLR 2021. https://arxiv.org/abs/2010.05874
    .. [2] T. Yu, S. Kumar, A. Gupta, S. Levine, K. Hausman, C. Finn, "Gradient Surgery for Multi-Task Learning",
       NeurIPS 2020. https://arxiv.org/abs/2001.06782

    Examples
    --------
    Two gradients that point against each other. PCGrad makes each orthogonal to the other before they are summed:

    >>> import numpy as np
    >>> from skpapers.multitask import combine_gradients
    >>> gradients = np.array([[1.0, 0.0], [-1.0, 1.0]])
    >>> gradient, _ = combine_gradients(gradients, method="pcgrad")
    >>> gradient
    array([0.5, 1.5])
    >>> gradient, target = combine_gradients(gradients, beta=0.5)
    >>> target.round(3)
    array([[ 0.   , -0.354],
           [-0.354,  0.   ]])
    """
    J = _checked_gradients(gradients)
    target = _checked_target(target_similarity, len(J))
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}, got {method!r}.")
    if not isinstance(beta, Real) or not 0.0 <= beta <= 1.0:
        raise ValueError(f"beta must be between 0 and 1, got {beta!r}.")
    if method == "sum":
        combined = J.sum(axis=0)
    elif method == "pcgrad":
        combined, target = combine(J, np.zeros_like(target), _draw_order(len(J), random_state), 0.0)
    else:
        combined, target = combine(J, target, _draw_order(len(J), random_state), float(beta))
    if isinstance(gradients, Tensor):
        dtype = gradients.dtype if gradients.is_floating_point() else torch.float64
        return torch.from_numpy(combined).to(gradients.device, dtype), target
    return combined, target


def _checked_gradients(gradients: NDArray | Tensor) -> NDArray[np.float64]:
    values = gradients.detach().cpu().double().numpy() if isinstance(gradients, Tensor) else gradients
    J = np.asarray(values, dtype=np.float64)
    if J.ndim != 2 or len(J) == 0:
        raise ValueError(f"gradients must be a matrix with one row for each task, got shape {J.shape}.")
    if not np.isfinite(J).all():
        raise ValueError("gradients hold NaN or infinity; finite numbers are needed.")
    return J


def _checked_target(target_similarity: ArrayLike | None, m: int) -> NDArray[np.float64]:
    if target_similarity is None:
        return np.zeros((m, m))
    target = np.array(target_similarity, dtype=np.float64)
    if target.shape != (m, m):
        raise ValueError(f"target_similarity must have shape ({m}, {m}), got {target.shape}.")
    if not (np.abs(target) <= 1.0).all():
        raise ValueError("target_similarity must hold cosines, between -1 and 1.")
    return target


def _draw_order(m: int, random_state: int | np.random.RandomState | None) -> NDArray[np.int64]:
    """Return a random order of the tasks for each task."""
    if not isinstance(random_state, np.random.RandomState):
        whole = isinstance(random_state, Integral) and 0 <= random_state < 2**32
        if random_state is not None and not whole:
            raise ValueError(
                f"random_state must be None, an integer from 0 to 2**32 - 1 or a RandomState, got {random_state!r}."
            )
        random_state = np.random.RandomState(random_state)
    return np.argsort(random_state.random_sample((m, m)), axis=1)
