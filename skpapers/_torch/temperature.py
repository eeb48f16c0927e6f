"""Temperature scaling toward the class frequencies, fitted to the log loss of rows held back.

After On Calibration of Modern Neural Networks (Guo et al., ICML 2017), whose temperature moves probabilities toward
equal ones.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

FRACTION = 0.2  # of the weight of each class, for the rows held back
FEWEST = 20  # rows below which none are held back
FEWEST_HELD = 4  # number of validation rows of early stopping below which no temperature is fitted
MANY_ROWS = 10_000  # rows from which the automatic settings leave a network hardly overconfident
HOTTEST = 1000.0
PSEUDO_ROWS = 0.5
LEAST_FACTOR = 0.5  # of 1 / temperature: less would cost weak signals more than it gains on noise


def rows_held_back(y: NDArray, weight: NDArray | None, order: NDArray) -> tuple[NDArray, NDArray]:
    """Return the rows that train and the rows held back: of each class the last fifth, in the given order.

    A row is held back if the rows of its class before it have four fifths of the weight of the class, so that the first
    row of a class always trains. Of fewer than `FEWEST` rows none is held back.
    """
    if len(y) < FEWEST:
        return np.arange(len(y)), np.array([], dtype=int)
    weight = np.ones(len(y)) if weight is None else weight / weight.max()
    held = np.zeros(len(y), dtype=bool)
    for k in np.unique(y):
        rows = order[y[order] == k]
        before = np.concatenate([[0.0], np.cumsum(weight[rows])])
        enough = before[:-1] >= (1.0 - FRACTION - 1e-9) * before[-1]
        held[rows] = enough & (before[:-1] > 0.0)  # tiny weights may be 0 in this unit
    return np.flatnonzero(~held), np.flatnonzero(held)


def class_shares(y: NDArray, weight: NDArray | None, n_classes: int) -> NDArray:
    """Return the weighted frequency of each class, at least the smallest normal number."""
    weight = None if weight is None else weight / weight.max()
    total = np.bincount(y, weight, minlength=n_classes)
    return np.maximum(total / total.sum(), np.finfo(np.float64).tiny)


def calibration(temperature: float, prior: NDArray) -> tuple[NDArray, NDArray]:
    """Return what is added to logits, and what they are multiplied by first.

    The calibrated logits are log prior + (logits - log prior) / temperature. Of two classes there is one logit, the
    log-odds of the second.
    """
    log_prior = np.log(prior)
    center = log_prior[1:] - log_prior[:1] if len(prior) == 2 else log_prior
    return (1.0 - 1.0 / temperature) * center, np.array(1.0 / temperature)


def fit_temperature(logits: NDArray, y: NDArray, weight: NDArray | None, prior: NDArray) -> float:
    """Return a temperature from 1 to `HOTTEST`: that of the smallest mean log loss, raised where the evidence is weak.

    The temperature moves probabilities toward the prior, see :func:`calibration`, and not toward equal ones as in the
    paper: a network that has learned nothing should predict the frequencies of the classes.

    The loss is convex in 1 / temperature: bisection of its derivative. Half a row with the probabilities of the prior
    is added to the targets, as in Platt's scaling: a network that is right on all of few rows may err on the next. Let
    m be the gain in log loss over the prior, and s its standard error. 1 / temperature is shrunk by the factor
    max(1/2, 1 - (s / m)^2), much as a mean is by James and Stein: a network trained on noise gains by chance, and
    loses as much on other rows.

    Parameters
    ----------
    logits : ndarray of shape (n,) or (n, n_classes)
        Log-odds of the second of two classes, or the logits of each class.

    y : ndarray of int of shape (n,)
        Classes.

    weight : ndarray of shape (n,) or None
        Row weights.

    prior : ndarray of shape (n_classes,)
        Frequencies of the classes among the training rows, each above 0.
    """
    logits = np.column_stack([np.zeros(len(logits)), logits]) if logits.ndim == 1 else logits
    log_prior = np.log(prior)
    logits = logits - log_prior
    of_class = logits[np.arange(len(y)), y]
    weight = np.ones(len(y)) if weight is None else weight / weight.max()
    weight = weight / weight.sum()
    share = PSEUDO_ROWS * (weight**2).sum()  # in units of the effective number of rows
    inverse = _best_inverse(logits, (1.0 - share) * of_class + share * (logits @ prior), weight, log_prior)
    gain = inverse * of_class - logsumexp(inverse * logits + log_prior, axis=1)
    mean = weight @ gain
    square_error = (weight**2) @ (gain - mean) ** 2
    factor = max(LEAST_FACTOR, 1.0 - square_error / mean**2) if mean > 0 else LEAST_FACTOR
    return float(1.0 / max(inverse * factor, 1.0 / HOTTEST))


def _best_inverse(logits: NDArray, targets: NDArray, weight: NDArray, log_prior: NDArray) -> float:
    def slope(inverse: float) -> float:
        probabilities = softmax(inverse * logits + log_prior, axis=1)
        return float(weight @ ((probabilities * logits).sum(axis=1) - targets))

    low = 1.0 / HOTTEST
    high = 1.0
    if slope(high) <= 0.0:
        return high
    for _ in range(50):
        middle = (low + high) / 2.0
        low, high = (low, middle) if slope(middle) > 0.0 else (middle, high)
    return low
