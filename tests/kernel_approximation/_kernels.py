"""Closed forms of the kernels that random features estimate, and unbiasedness of an estimate."""

import numpy as np
from sklearn.base import clone


def softmax_kernel(X, Y, gamma=1.0):
    return np.exp(gamma * X @ Y.T)


def gaussian_kernel(X, Y, gamma=1.0):
    return np.exp(-gamma * np.sum((X[:, None] - Y[None]) ** 2, axis=2))


def arc_cosine_kernel(X, Y):
    """Order 1, half of Cho and Saul's: the expectation of two rectified projections."""
    lengths = np.linalg.norm(X, axis=1)[:, None] * np.linalg.norm(Y, axis=1)
    cosine = np.clip(X @ Y.T / lengths, -1.0, 1.0)
    angle = np.arccos(cosine)
    return lengths / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * cosine)


def rows_on_sphere(n, d, seed=0, length=1.0):
    X = np.random.default_rng(seed).normal(size=(n, d))
    return length * X / np.linalg.norm(X, axis=1, keepdims=True)


def estimates(features, X, Y, n_draws):
    """Return one estimate of the kernel a draw, of shape (n_draws, n_rows_of_X, n_rows_of_Y)."""
    model = clone(features).set_params(random_state=np.random.RandomState(0))
    return np.stack([model.fit(X).transform(X) @ model.transform(Y).T for _ in range(n_draws)])


def standard_errors_off(found, kernel):
    """Return how many standard errors the mean of the estimates is away from the kernel, for every pair."""
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    return np.abs(found.mean(axis=0) - kernel) / np.maximum(error, 1e-12)
