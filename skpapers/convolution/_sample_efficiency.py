r"""Why are convolutional nets more sample-efficient than fully-connected nets? (Li, Zhang, Arora; ICLR 2021).

The equations are numbered here. A training algorithm maps rows X of d columns and labels y to a predictor
:math:`A(X, y)`. It is equivariant to rotations if for every orthogonal matrix U

.. math:: A(X U, y)(U^\top x) = A(X, y)(x)    (1)

in distribution over its own randomness. Gradient descent on a network whose first layer is fully connected and starts
isotropically is: the gradient by its weights W at the rows X U and the weights :math:`U^\top W` is :math:`U^\top`
times that at X and W, so that

.. math:: W_t(X U, U^\top W_0) = U^\top W_t(X, W_0), \qquad t = 0, 1, \dots    (2)

with momentum and weight decay as well. A rule that treats coordinates one by one, such as Adam's, keeps (2) for
permutations only. An algorithm with (1) cannot tell a task from its rotations, of which there are so many that it needs
a number of rows of the order of :math:`d^2` to learn

.. math:: y = \mathrm{sign}\Bigl(\sum_{i \le d/2} x_i^2 - \sum_{i > d/2} x_i^2\Bigr), \qquad x \sim N(0, I_d),    (3)

whereas kernels shared over the columns of a half need a number that does not depend on d.

=============================================  =============================================================
The paper's step                               Function
=============================================  =============================================================
Task (3)                                       :func:`skpapers.datasets.make_quadratic_halves`
Training that starts from turned weights, (2)  :func:`fit_perceptron`
Equivariance (1), by the difference it leaves  :func:`equivariance_gap`
Rows needed for a score, with an interval      :func:`rows_needed`
Exponent of d                                  :func:`exponent_of_dimension`
=============================================  =============================================================
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from torch import nn

from skpapers._torch.losses import log_odds
from skpapers._torch.modules import MLP
from skpapers._torch.rows import Rows
from skpapers._torch.state import own_precision
from skpapers._torch.steps import supervised
from skpapers._torch.training import Trainer

Predictor = Callable[[NDArray], NDArray]
Fit = Callable[[NDArray, NDArray, NDArray], Predictor]


@own_precision()
def fit_perceptron(
    X: ArrayLike,
    y: ArrayLike,
    rotation: ArrayLike | None = None,
    *,
    solver: str = "sgd",
    width: int = 64,
    n_epochs: int = 20,
    batch_size: int = 32,
    learning_rate: float = 0.02,
    momentum: float = 0.9,
    alpha: float = 1e-3,
    random_state: int = 0,
) -> Predictor:
    r"""Train a fully connected network in float64 whose first layer starts from turned weights.

    Use it with :func:`equivariance_gap`. It shows what the theory is about and is not meant for predictions.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.

    y : array-like of shape (n_samples,)
        Labels 0 and 1.

    rotation : array-like of shape (n_features, n_features), default=None
        Orthogonal matrix U: the first layer starts at :math:`U^\top W_0`. None starts at :math:`W_0`.

    solver : {"sgd", "adam", "adamw"}, default="sgd"
        Optimiser.

    width : int, default=64
        Hidden units, with ReLU.

    n_epochs : int, default=20
        Visits of every row.

    batch_size : int, default=32
        Rows of a step.

    learning_rate : float, default=0.02
        Of every step.

    momentum : float, default=0.9
        For "sgd".

    alpha : float, default=0.001
        L2 penalty; decoupled weight decay for "adamw".

    random_state : int, default=0
        Seed of the normal weights :math:`W_0` and of the order of the rows.

    Returns
    -------
    predict : callable
        ``predict(X)`` returns the log-odds of label 1, of shape (n_samples,).

    See Also
    --------
    equivariance_gap : The difference that a rotation of the rows makes.

    Examples
    --------
    >>> from skpapers.convolution import fit_perceptron
    >>> from skpapers.datasets import make_quadratic_halves
    >>> X, y = make_quadratic_halves(300, 4, random_state=0)
    >>> predict = fit_perceptron(X, y)
    >>> bool(((predict(X) > 0) == y).mean() > 0.9)
    True
    """
    rows = torch.from_numpy(np.array(X, dtype=np.float64, order="C"))
    labels = torch.from_numpy(np.array(y, dtype=np.float64))
    start = torch.Generator().manual_seed(random_state)
    network = MLP(rows.shape[1], (width,), 1, dtype=torch.float64).draw((start,))
    matrix = network.linears[0].weight.data
    matrix.normal_(0.0, rows.shape[1] ** -0.5, generator=start)  # type: ignore[operator]
    if rotation is not None:
        matrix.copy_(torch.from_numpy(np.array(rotation, dtype=np.float64)).T @ matrix)  # type: ignore[operator]
    trainer = Trainer(
        network,
        supervised(log_odds),
        solver=solver,
        learning_rate=learning_rate,
        batch_size=batch_size,
        alpha=alpha,
        momentum=momentum,
        generators=(torch.Generator().manual_seed(random_state),),
    )
    for _ in range(n_epochs):
        trainer.run_epoch(Rows(rows, labels))
    return _log_odds_of(network.eval())


def _log_odds_of(network: nn.Module) -> Predictor:
    def predict(X: NDArray) -> NDArray:
        with torch.no_grad():
            return network(torch.from_numpy(np.array(X, dtype=np.float64, order="C"))).squeeze(-1).numpy()

    return predict


def equivariance_gap(fit: Fit | Any, X: ArrayLike, y: ArrayLike, rotation: ArrayLike) -> float:
    r"""Return by how much the predictions change if rows are turned before training and before prediction.

    An algorithm with a gap of 0 for every rotation cannot use that some columns belong together; on tasks such as
    :func:`skpapers.datasets.make_quadratic_halves` it needs a number of rows that grows with the square of the number
    of columns.

    Parameters
    ----------
    fit : callable or estimator
        ``fit(X, y, rotation)`` trains and returns a function of rows. What it draws for the columns at its start must
        be turned by the rotation, as :func:`fit_perceptron` does. A copy of an estimator is fitted; its predictions
        are those of `decision_function`, `predict_proba` or `predict`. Its start must not be random, or not depend
        on the columns.

    X : array-like of shape (n_samples, n_features)
        Rows, to train on and to predict.

    y : array-like of shape (n_samples,)
        Targets.

    rotation : array-like of shape (n_features, n_features)
        Orthogonal matrix U; a permutation matrix asks the weaker question.

    Returns
    -------
    gap : float
        :math:`\max_i |A(X U, y)(U^\top x_i) - A(X, y)(x_i)|`.

    Raises
    ------
    ValueError
        If the rotation is not an orthogonal matrix of the size of a row.

    See Also
    --------
    fit_perceptron : A fully connected network, trained from turned weights.
    sample_complexity_curve : The number of rows that an estimator needs.

    Notes
    -----
    Cost: two fits.

    Examples
    --------
    >>> from scipy.stats import ortho_group
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from skpapers.convolution import equivariance_gap
    >>> from skpapers.datasets import make_quadratic_halves
    >>> X, y = make_quadratic_halves(100, 6, random_state=0)
    >>> U = ortho_group.rvs(6, random_state=0)
    >>> equivariance_gap(Ridge(), X, y, U) < 1e-12
    True
    >>> equivariance_gap(DecisionTreeRegressor(max_depth=3, random_state=0), X, y, U) > 0.1
    True
    """
    X = np.asarray(X, dtype=np.float64)
    U = np.asarray(rotation, dtype=np.float64)
    d = X.shape[1]
    if U.shape != (d, d) or not np.allclose(U @ U.T, np.eye(d), atol=1e-8):
        raise ValueError(f"rotation must be an orthogonal matrix of shape ({d}, {d}); this one has shape {U.shape}.")
    train = fit if callable(fit) else _fit_of(fit)
    y = np.asarray(y)
    plain = train(X, y, np.eye(d))
    turned = train(X @ U, y, U)
    return float(np.abs(turned(X @ U) - plain(X)).max())


def _fit_of(estimator: Any) -> Fit:
    def fit(X: NDArray, y: NDArray, rotation: NDArray) -> Predictor:
        model = deepcopy(estimator).fit(X, y)
        for method in ("decision_function", "predict_proba", "predict"):
            if hasattr(model, method):
                return getattr(model, method)
        raise TypeError(f"{type(estimator).__name__} has no predictions.")

    return fit


def rows_needed(n_samples: ArrayLike, scores: ArrayLike, target: float) -> float:
    """Return the smallest number of rows with a score of the target or more.

    Between two numbers of rows the score is taken to be linear in the logarithm of the number.

    Parameters
    ----------
    n_samples : array-like of shape (n_sizes,)
        Numbers of rows, increasing.

    scores : array-like of shape (n_sizes,)
        A score for each.

    target : float
        The score to reach.

    Returns
    -------
    n : float
        Infinity if no number of rows reaches the target, since the curve is not extrapolated; the smallest number if
        that reaches it already, and the rows needed may then be fewer.
    """
    sizes = np.log(np.asarray(n_samples, dtype=np.float64))
    values = np.asarray(scores, dtype=np.float64)
    reached = np.flatnonzero(values >= target)
    if len(reached) == 0:
        return np.inf
    i = reached[0]
    if i == 0 or np.isneginf(values[i - 1]):
        return float(np.asarray(n_samples)[i])
    share = (target - values[i - 1]) / (values[i] - values[i - 1])
    return float(np.exp(sizes[i - 1] + share * (sizes[i] - sizes[i - 1])))


def mean_interval(values: NDArray, confidence: float) -> tuple[NDArray, NDArray, NDArray]:
    """Return the means over the first axis with the ends of their t intervals, infinite for a single value."""
    n = len(values)
    mean = values.mean(axis=0)
    if n == 1:
        return mean, np.full_like(mean, -np.inf), np.full_like(mean, np.inf)
    half = stats.t.ppf(0.5 + confidence / 2.0, n - 1) * values.std(axis=0, ddof=1) / np.sqrt(n)
    return mean, mean - half, mean + half


def exponent_of_dimension(dims: ArrayLike, rows: NDArray, confidence: float) -> tuple[float, float, float]:
    """Return the slope of the logarithm of the rows needed on that of the dimension, with its t interval.

    Parameters
    ----------
    dims : array-like of shape (n_dims,)
        Numbers of columns.

    rows : ndarray of shape (n_repeats, n_dims)
        Rows needed in each repeat.

    confidence : float
        Of the interval over repeats.

    Returns
    -------
    slope, low, high : float
        NaN if the target was not reached somewhere, or if there is only one dimension.
    """
    if len(np.unique(dims)) < 2 or not np.isfinite(rows).all():
        return np.nan, np.nan, np.nan
    logs = np.log(np.asarray(dims, dtype=np.float64))
    logs = logs - logs.mean()
    slopes = np.log(rows) @ logs / np.sum(logs**2)
    mean, low, high = mean_interval(slopes[:, np.newaxis], confidence)
    return float(mean[0]), float(low[0]), float(high[0])
