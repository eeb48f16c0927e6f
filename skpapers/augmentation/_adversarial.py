"""Accuracy under attack: rows moved within a small box so that the loss grows."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import get_tags

from skpapers.augmentation._differentiable import read_problem

ATTACKS = ("fgsm", "pgd")


def adversarial_accuracy(
    estimator: Any,
    X: Any,
    y: Any,
    eps: float,
    attack: str = "fgsm",
    *,
    n_steps: int = 10,
    bounds: tuple[float, float] | None = None,
) -> float:
    r"""Compute a classifier's accuracy on rows that were moved to make it err.

    The attacker knows the model and moves every feature of a row by at most `eps`. Use it to compare the robustness of
    networks: of the same model after training with and without mixup.

    Parameters
    ----------
    estimator : fitted classifier
        A network with `to_torch()`, or a linear model of scikit-learn.

    X : array-like of shape (n_samples, n_features)
        Rows, of features with one unit: `eps` is the same for all.

    y : array-like of shape (n_samples,)
        True labels.

    eps : float
        Radius of the box, in the unit of the features; 0 gives the plain accuracy.

    attack : {"fgsm", "pgd"}, default="fgsm"
        One step of `eps` along the sign of the gradient, or `n_steps` steps of 2.5 `eps` / `n_steps`, each followed by
        a projection into the box.

    n_steps : int, default=10
        Steps of "pgd".

    bounds : tuple of (float, float), default=None
        Least and greatest possible value of a feature, such as (0, 1) for pixels; attacked rows are clipped to them.

    Returns
    -------
    accuracy : float
        Share of the attacked rows that `predict` gets right.

    See Also
    --------
    MixupWrapper : Fits on mixtures, which makes some networks more robust.
    mixup_regularization : What that penalises.

    Notes
    -----
    The attacks ascend the log loss from the row itself, without a random start, so that the result is deterministic. It
    is an upper bound of the accuracy under the best attack. Trees and other piecewise constant models have no gradient
    and are refused, which does not mean that they are robust. Cost: one backward pass over the rows a step.

    References
    ----------
    .. [1] I. Goodfellow, J. Shlens, C. Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015.
       https://arxiv.org/abs/1412.6572
    .. [2] A. Madry, A. Makelov, L. Schmidt, D. Tsipras, A. Vladu, "Towards Deep Learning Models Resistant to
       Adversarial Attacks", ICLR 2018. https://arxiv.org/abs/1706.06083

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skpapers.augmentation import adversarial_accuracy
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X / 16
    >>> model = LogisticRegression().fit(X[:1000], y[:1000])
    >>> print(f"{adversarial_accuracy(model, X[1000:], y[1000:], 0.1):.2f}")
    0.52
    """
    if not isinstance(eps, Real) or not 0 <= eps < np.inf:
        raise ValueError(f"eps must be a number of 0 or more, got {eps!r}.")
    if attack not in ATTACKS:
        raise ValueError(f"attack must be one of {', '.join(map(repr, ATTACKS))}, got {attack!r}.")
    if not isinstance(n_steps, Integral) or n_steps < 1:
        raise ValueError(f"n_steps must be a positive integer, got {n_steps!r}.")
    low, high = (-np.inf, np.inf) if bounds is None else bounds
    if not low <= high:
        raise ValueError(f"bounds must be two numbers, the least and the greatest value, got {bounds!r}.")
    if not hasattr(estimator, "predict") or get_tags(estimator).estimator_type != "classifier":
        raise TypeError(f"adversarial_accuracy takes a fitted classifier, not {type(estimator).__name__}.")
    model, rows, losses = read_problem(estimator, X, y, "log_loss")
    step = eps if attack == "fgsm" else 2.5 * eps / n_steps
    attacked = rows
    for _ in range(1 if attack == "fgsm" else n_steps):
        gradient = model.pull_back(attacked, losses.ascent(model.outputs(attacked)))
        moved = np.clip(attacked + step * np.sign(gradient), rows - eps, rows + eps)
        attacked = np.clip(moved, low, high)
    if hasattr(X, "columns"):
        attacked = type(X)(dict(zip(X.columns, attacked.T, strict=True)))
    return float(np.mean(estimator.predict(attacked) == np.asarray(y)))
