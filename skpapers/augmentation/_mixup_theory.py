"""What mixup does to the loss of a model, as the theory paper expands it."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import roots_jacobi
from sklearn.utils import Bunch

from skpapers.augmentation._differentiable import Differentiable, LogLoss, SquaredError, read_problem
from skpapers.augmentation._mixup import law_of_shares

_NODES = 32


def _checked_alpha(alpha: Any) -> float:
    if not isinstance(alpha, Real) or not 0 < float(alpha) < np.inf:
        raise ValueError(f"alpha must be a positive number, got {alpha!r}.")
    return float(alpha)


def quadrature(alpha: float, mode: str) -> tuple[NDArray, NDArray]:
    """Return shares lambda and their probabilities: Gauss's rule for D ("soft") or for D~ of Lemma 3.1 ("hard")."""
    a, b = law_of_shares(alpha, mode)
    nodes, weights = roots_jacobi(_NODES, b - 1.0, a - 1.0)
    return (1.0 + nodes) / 2.0, weights / weights.sum()


def rewritten_loss(
    model: Differentiable, X: NDArray, losses: LogLoss | SquaredError, shares: NDArray, probabilities: NDArray
) -> float:
    """Return the mean over lambda and all pairs of the loss of lambda x_i + (1 - lambda) x_j under the label y_i."""
    n = len(X)
    total = 0.0
    for share, probability in zip(shares, probabilities, strict=True):
        for partner in X:
            total += probability * losses.values(model.outputs(share * X + (1.0 - share) * partner)).sum()
    return float(total / n**2)


def _spread(X: NDArray) -> NDArray[np.float64]:
    """Return rows u_k with sum_k u_k u_k^T the covariance of X."""
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(X, rowvar=False, bias=True)))
    seen = values > 1e-14 * max(values.max(), 0.0)
    return (vectors[:, seen] * np.sqrt(values[seen])).T


def expansion(
    model: Differentiable, X: NDArray, losses: LogLoss | SquaredError, first: float, second: float
) -> tuple[float, float, float]:
    """Return R1, R2 and R3 of Lemma 3.1, given E[1 - lambda] and E[(1 - lambda)^2]."""
    f = model.outputs(X)
    residual = losses.residual(f)
    jacobian = model.jacobian(X)
    to_mean = X.mean(axis=0) - X
    r1 = first * np.mean(np.sum(model.pull_back(X, residual) * to_mean, axis=1))
    r2 = 0.0
    r3 = 0.0
    # E[(x' - x_i)(x' - x_i)^T] is the covariance and the square of the way to the mean
    for direction in (*(np.broadcast_to(u, X.shape) for u in _spread(X)), to_mean):
        r2 += np.mean(losses.second(f, np.einsum("nkp,np->nk", jacobian, direction)))
        r3 += np.mean(model.curvature(X, residual, direction))
    return float(r1), float(second * r2 / 2.0), float(second * r3 / 2.0)


def glm_penalty(model: Differentiable, X: NDArray, losses: LogLoss | SquaredError) -> float:
    """Return Lemma 3.3's regulariser without its factor E[(1 - lambda)^2 / lambda^2]."""
    f = model.outputs(X)
    jacobian = model.jacobian(X)
    return float(sum(np.mean(losses.second(f, jacobian @ u)) for u in _spread(X)) / 2.0)


def mixup_loss(estimator: Any, X: Any, y: Any, alpha: float = 1.0, *, loss: str = "auto") -> float:
    r"""Compute the loss that mixup minimises, over all pairs of rows and the whole law of the shares.

    Use it to see what training by mixup changes in the objective, and how good :func:`mixup_regularization` is.

    Parameters
    ----------
    estimator : fitted estimator or torch.nn.Module
        A network with `to_torch()`, a module from rows to logits or predictions, or a linear model of scikit-learn.

    X : array-like of shape (n_samples, n_features)
        Rows.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels or numbers. For a module labels are 0, 1, ...

    alpha : float, default=1.0
        Parameter of the shares' law Beta(alpha, alpha), greater than 0.

    loss : {"auto", "log_loss", "squared_error"}, default="auto"
        Whichever fits the model: the log loss for classifiers, and for a module where `y` holds integers.

    Returns
    -------
    loss : float
        The mean over the rows.

    See Also
    --------
    mixup_regularization : Its expansion.
    MixupWrapper : Fits on mixtures.

    Notes
    -----
    By Lemma 3.1 of [1]_ the expectation over mixed labels equals

    .. math:: E_{\lambda \sim \tilde D} \frac{1}{n^2} \sum_{ij} l(f(\lambda x_i + (1 - \lambda) x_j), y_i)

    with :math:`\tilde D = Beta(\alpha + 1, \alpha)`, for the log loss exactly, and for the squared error
    :math:`|f - y|^2 / 2` up to a number that no model changes. It is computed by Gauss's rule of 32 nodes: exact to
    rounding for smooth models, to about 1e-4 for networks with kinks. Cost: 32 n^2 evaluations of the model.

    References
    ----------
    .. [1] L. Zhang, Z. Deng, K. Kawaguchi, A. Ghorbani, J. Zou, "How Does Mixup Help With Robustness and
       Generalization?", ICLR 2021. https://arxiv.org/abs/2010.04819

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skpapers.augmentation import mixup_loss
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> print(f"{mixup_loss(model, X, y, 0.01):.2f} {mixup_loss(model, X, y, 1.0):.2f}")
    0.14 0.88
    """
    model, rows, losses = read_problem(estimator, X, y, loss)
    return rewritten_loss(model, rows, losses, *quadrature(_checked_alpha(alpha), "hard"))


def mixup_regularization(estimator: Any, X: Any, y: Any, alpha: float = 1.0, *, loss: str = "auto") -> Bunch:
    r"""Split the loss of mixup into the plain loss and what mixup adds to it: the terms R1, R2 and R3.

    Use it to see what mixup penalises in a given model. It says nothing of models that were not fitted.

    Parameters
    ----------
    estimator : fitted estimator or torch.nn.Module
        A network with `to_torch()`, a module from rows to logits or predictions, or a linear model of scikit-learn.

    X : array-like of shape (n_samples, n_features)
        Rows.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels or numbers. For a module labels are 0, 1, ...

    alpha : float, default=1.0
        Parameter of the shares' law Beta(alpha, alpha), greater than 0.

    loss : {"auto", "log_loss", "squared_error"}, default="auto"
        Whichever fits the model: the log loss for classifiers, and for a module where `y` holds integers.

    Returns
    -------
    terms : Bunch
        `loss`, the plain mean loss; `r1`, `r2` and `r3`; `total`, their sum; `glm`, the regulariser of Lemma 3.3, NaN
        for a model that is not linear and infinite for `alpha` up to 1.

    See Also
    --------
    mixup_loss : What `total` approximates.
    MixupWrapper : Fits on mixtures.

    Notes
    -----
    For losses :math:`h(f) - y f`, the log loss and half the squared error among them, with
    :math:`\lambda \sim Beta(\alpha + 1, \alpha)` and x' drawn from the rows, Lemma 3.1 of [1]_ says that the loss
    of mixup is the plain loss plus :math:`R_1 + R_2 + R_3` and terms of third order in :math:`1 - \lambda`:

    .. math::
        R_1 &= E[1 - \lambda] \, \frac 1 n \sum_i (h'(f_i) - y_i)^T \nabla f_i \, E[x' - x_i] \\
        R_2 &= E[(1 - \lambda)^2] \, \frac 1 {2n} \sum_i
               E[(\nabla f_i (x' - x_i))^T h''(f_i) \nabla f_i (x' - x_i)] \\
        R_3 &= E[(1 - \lambda)^2] \, \frac 1 {2n} \sum_i (h'(f_i) - y_i)^T
               E[(x' - x_i)^T \nabla^2 f_i (x' - x_i)]

    :math:`R_3` is 0 for linear models, and almost everywhere for networks of ReLU. :math:`R_2` is a ridge penalty that
    adapts to the data: it shrinks along directions of large variance. Since :math:`1 - \lambda` is up to 1, `total`
    is near :func:`mixup_loss` only where f bends little between the rows; a small `alpha` does not make the expansion
    exact, as it makes mixtures rare, not near. For generalised linear models Lemma 3.3 has, with inputs scaled by
    :math:`1 / \lambda` and centred, the regulariser

    .. math:: \frac 1 {2n} \sum_i h''(f_i) \, E[(1 - \lambda)^2 / \lambda^2] \, \theta^T \Sigma_X \theta,

    whose expectation is (alpha + 1) / (alpha - 1) above 1 and infinite below. Cost for networks: n_outputs +
    2 n_features backward passes over the rows; memory n x n_outputs x n_features.

    References
    ----------
    .. [1] L. Zhang, Z. Deng, K. Kawaguchi, A. Ghorbani, J. Zou, "How Does Mixup Help With Robustness and
       Generalization?", ICLR 2021. https://arxiv.org/abs/2010.04819

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skpapers.augmentation import mixup_regularization
    >>> X, y = load_iris(return_X_y=True)
    >>> terms = mixup_regularization(LogisticRegression(max_iter=1000).fit(X, y), X, y, alpha=1.0)
    >>> print(f"{terms.loss:.2f} {terms.r1:.2f} {terms.r2:.2f} {terms.r3:.2f}")
    0.12 0.05 0.42 0.00
    """
    model, rows, losses = read_problem(estimator, X, y, loss)
    alpha = _checked_alpha(alpha)
    mean = alpha / (2.0 * alpha + 1.0)  # of 1 - lambda, which follows Beta(alpha, alpha + 1)
    r1, r2, r3 = expansion(model, rows, losses, mean, mean / 2.0)
    plain = float(losses.values(model.outputs(rows)).mean())
    glm = np.nan
    if model.linear:
        glm = glm_penalty(model, rows, losses)
        glm = glm * (alpha + 1.0) / (alpha - 1.0) if alpha > 1 else np.inf if glm > 0 else 0.0
    return Bunch(loss=plain, r1=r1, r2=r2, r3=r3, total=plain + r1 + r2 + r3, glm=glm)
