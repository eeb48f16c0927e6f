"""The objective of a fitted network, from its predictions and weights."""

import numpy as np
from scipy.special import xlogy


def loss_of(model, X, y, weight=None):
    """Return the loss from what the model predicts alone."""
    weight = np.full(len(X), 1 / len(X)) if weight is None else weight / weight.sum()
    if hasattr(model, "predict_proba"):
        p = model.predict_proba(X)[np.arange(len(X)), np.searchsorted(model.classes_, y)]
        return -weight @ xlogy(1.0, p)
    if hasattr(model, "classes_"):
        scores = model.decision_function(X).reshape(len(X), -1)
        signs = 2.0 * (y[:, np.newaxis] == (model.classes_[1:] if scores.shape[1] == 1 else model.classes_)) - 1.0
        return 0.5 * weight @ ((scores - signs) ** 2).sum(axis=1)
    return 0.5 * weight @ (((model.predict(X) - y).reshape(len(X), -1) / model.target_scale_) ** 2).sum(axis=1)


def penalty_of(model, X, alpha, weight=None):
    """Return alpha times the norms of the neurons in standardised columns."""
    weight = np.full(len(X), 1 / len(X)) if weight is None else weight / weight.sum()
    mean = weight @ X
    deviation = np.sqrt(weight @ (X - mean) ** 2)
    hidden = np.vstack([model.coef_ * deviation[:, np.newaxis], model.coef_intercept_ + mean @ model.coef_])
    second = np.linalg.norm(model.out_coef_ / model.target_scale_, axis=1)
    return alpha * (np.linalg.norm(hidden, axis=0) * second).sum()
