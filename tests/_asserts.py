"""Properties that tests of many estimators share."""

import pickle

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

METHODS = ("predict", "predict_proba", "decision_function", "transform")


def predictions(model, X):
    """Return the output of every method that a fitted estimator has for rows, as one list of arrays."""
    return [getattr(model, method)(X) for method in METHODS if hasattr(model, method)]


def output(model, X):
    """Return the predictions for some rows, or what a transformer makes of them."""
    return predictions(model, X)[0]


def assert_same_predictions(a, b, X, *, atol=0.0, X_b=None):
    """Two fitted estimators predict the same, bit for bit unless `atol` is given."""
    for from_a, from_b in zip(predictions(a, X), predictions(b, X if X_b is None else X_b), strict=True):
        if atol and np.asarray(from_a).dtype.kind == "f":
            assert_allclose(from_a, from_b, rtol=0, atol=atol)
        else:
            assert_array_equal(from_a, from_b)


def assert_unchanged_by(action, estimator):
    """An action leaves an estimator as it was, to the last byte of its pickle."""
    before = pickle.dumps(estimator)
    action()
    assert pickle.dumps(estimator) == before


def assert_rows_are_independent(model, X):
    """The prediction of a row alone is that of the row among others."""
    for method in (name for name in METHODS if hasattr(model, name)):
        together = getattr(model, method)(X)
        for i in range(min(5, len(X))):
            alone = getattr(model, method)(X[i : i + 1])[0]
            if np.asarray(alone).dtype.kind == "f":
                assert_allclose(alone, together[i], rtol=0, atol=1e-12)
            else:
                assert_array_equal(alone, together[i])
