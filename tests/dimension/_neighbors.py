"""What tests of the dimension share: neighbours by brute force, in extended precision."""

import numpy as np


def brute_force(X, K, Q=None):
    """Return the K smallest distances of each row of Q from the rows of X, by differences of columns."""
    Q = X if Q is None else Q
    differences = Q[:, np.newaxis].astype(np.longdouble) - X[np.newaxis].astype(np.longdouble)
    with np.errstate(over="ignore"):
        distances = np.sqrt(np.square(differences).sum(axis=2))
    return np.sort(distances, axis=1)[:, :K]


def positive(X, k):
    """Return the k smallest positive distances of each row from the others."""
    return brute_force(X, k + 1)[:, 1:].astype(float)
