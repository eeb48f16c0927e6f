r"""Why are convolutional nets more sample-efficient than fully-connected nets? (Li, Zhang, Arora; ICLR 2021).

The equations are numbered here. A training algorithm maps rows X of d columns and labels y to a predictor
:math:`A(X, y)`. It is equivariant to rotations if for every orthogonal matrix U

.. math:: A(X U, y)(U^\top x) = A(X, y)(x)    (1)

in distribution over its own randomness. Gradient descent on a network whose first layer is fully connected and starts
isotropically is: the gradient by its weights W at the rows X U and the weights :math:`U^\top W` is :math:`U^\top`
times that at X and W, so that

.. math:: W_t(X U, U^\top W_0) = U^\top W_t(X, W_0), \qquad t = 0, 1, \dots    (2)

with momentum and weight decay as well. A rule that treats coordinates one by one, such as Adam's, keeps (2) for
permutations only. An algorithm with (1) learns every rotation of a task from the same number of rows. There are so many
rotations that this number is at least of the order of :math:`d^2` for the task

.. math:: y = \mathrm{sign}\Bigl(\sum_{i \le d/2} x_i^2 - \sum_{i > d/2} x_i^2\Bigr), \qquad x \sim N(0, I_d),    (3)

whereas kernels shared over the columns of a half need a number that does not depend on d.

=============================================  =============================================================
The paper's step                               Function
=============================================  =============================================================
Task (3)                                       :func:`skpapers.datasets.make_quadratic_halves`
Training that starts from turned weights, (2)  :func:`fit_perceptron`
Equivariance (1), by the difference it leaves  :func:`equivariance_gap`
Rows needed for a score, with an interval      :func:`_rows_needed.rows_needed`
Exponent of d                                  :func:`_rows_needed.exponent_of_dimension`
=============================================  =============================================================
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from skpapers._torch.losses import log_odds
from skpapers._torch.modules import MLP
from skpapers._torch.rows import Rows
from skpapers._torch.state import own_precision
from skpapers._torch.steps import supervised
from skpapers._torch.training import Trainer

SOLVERS = ("sgd", "adam", "adamw")
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
        Labels 0 and 1, or False and True.

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

    Raises
    ------
    ValueError
        If rows, labels, rotation or settings are not as described.

    FloatingPointError
        If the loss becomes NaN or infinite, as for a learning rate that is too large for the scale of the rows.

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
    table = _checked_rows(X)
    for name, value, least in (("width", width, 1), ("n_epochs", n_epochs, 0), ("batch_size", batch_size, 1)):
        if not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name} must be an integer from {least}, not {value!r}.")
    if solver not in SOLVERS:
        raise ValueError(f'solver must be "sgd", "adam" or "adamw", not {solver!r}.')
    rows = torch.from_numpy(table)
    labels = torch.from_numpy(_checked_labels(y, len(table)))
    start = torch.Generator().manual_seed(random_state)
    network = MLP(rows.shape[1], (width,), 1, dtype=torch.float64).draw((start,))
    matrix = network.linears[0].weight.data
    matrix.normal_(0.0, rows.shape[1] ** -0.5, generator=start)  # type: ignore[operator]
    if rotation is not None:
        turn = torch.from_numpy(_checked_rotation(rotation, rows.shape[1]))
        matrix.copy_(turn.T @ matrix)  # type: ignore[operator]
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

    An algorithm with a gap of 0 for every rotation cannot use that some columns belong together. On tasks such as
    :func:`skpapers.datasets.make_quadratic_halves` it needs a number of rows that grows with the square of the number
    of columns.

    Parameters
    ----------
    fit : callable or estimator
        ``fit(X, y, rotation)`` trains and returns a function of rows. What it draws for the columns at its start must
        be turned by the rotation, as :func:`fit_perceptron` does. A copy of an estimator is fitted; its predictions
        are those of `decision_function`, `predict_proba` or `predict`. Give it a `random_state` if it draws numbers;
        weights that it draws for the columns are not turned, so that the gap contains what this changes.

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
        If X is not a table of finite numbers, or the rotation not an orthogonal matrix of the size of a row.

    TypeError
        If `fit` is neither a function nor an estimator.

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
    X = _checked_rows(X)
    U = _checked_rotation(rotation, X.shape[1])
    if isinstance(fit, type) or not (callable(fit) or hasattr(fit, "fit")):
        raise TypeError(f"fit must be a function fit(X, y, rotation) or an estimator, not {fit!r}.")
    train = fit if callable(fit) else _fit_of(fit)
    y = np.asarray(y)
    plain = train(X, y, np.eye(len(U)))
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


def _checked_rows(X: ArrayLike) -> NDArray[np.float64]:
    rows = np.array(X, dtype=np.float64, order="C")
    if rows.ndim != 2 or rows.size == 0 or not np.isfinite(rows).all():
        raise ValueError(
            f"X must be a table of finite numbers, (n_samples, n_features); this one has shape {rows.shape}."
        )
    return rows


def _checked_labels(y: ArrayLike, n: int) -> NDArray[np.float64]:
    labels = np.asarray(y)
    if labels.shape != (n,) or not np.isin(labels, (0, 1)).all():
        raise ValueError(f"y must hold a label 0 or 1 for each of the {n} rows.")
    return labels.astype(np.float64)


def _checked_rotation(rotation: ArrayLike, d: int) -> NDArray[np.float64]:
    U = np.array(rotation, dtype=np.float64)
    if U.shape != (d, d):
        raise ValueError(f"rotation must be an orthogonal matrix of shape ({d}, {d}); this one has shape {U.shape}.")
    error = float(np.abs(U @ U.T - np.eye(d)).max())
    if not error <= 1e-8:
        raise ValueError(
            f"rotation must be an orthogonal matrix of shape ({d}, {d}); U U^T differs from the identity by "
            f"{error:.2g}."
        )
    return U
