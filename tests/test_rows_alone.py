"""A row's prediction does not depend on the other rows, nor on their number or layout in memory."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import is_classifier
from sklearn.datasets import make_classification
from sklearn.utils import get_tags

from tests._instances import case_of, small_instances

X, LABELS = make_classification(60, 6, n_informative=4, n_classes=3, random_state=0)
X = np.abs(X)
TARGETS = X[:, 0] - 2.0 * X[:, 1] + LABELS
NEW = np.abs(np.random.default_rng(0).normal(size=(9, 6))) * 2.0
METHODS = ("predict", "predict_proba", "decision_function", "transform")


def outputs(model, rows):
    """Return every output of a model for the rows, as columns of one array."""
    found = [getattr(model, method)(rows) for method in METHODS if hasattr(model, method)]
    return np.column_stack([A.reshape(len(rows), -1).astype(float) for A in found])


@pytest.mark.parametrize("model", small_instances(), ids=str)
@pytest.mark.parametrize("far", [False, True], ids=["near zero", "far from zero"])
def test_a_row_is_predicted_as_if_it_were_alone(model, far):
    wraps = case_of(model).passes_rows_on  # the arithmetic is that of the wrapped estimator
    if far and (wraps or not getattr(model, "fit_intercept", True)):
        pytest.skip("a linear function of columns that are not centred loses digits far from zero")
    offset = np.array([0.0, 1e9, 0.0, -1e6, 1.0, 0.0]) if far else np.zeros(6)
    if far and get_tags(model).input_tags.positive_only:
        offset = np.abs(offset)
    new = NEW + offset
    model.fit(X + offset, LABELS if is_classifier(model) else TARGETS)
    before = {key: value for key, value in vars(model).items() if isinstance(value, np.ndarray)}
    before = {key: value.copy() for key, value in before.items()}
    expected = outputs(model, new)
    assert np.isfinite(expected).all()
    options = {"rtol": 1e-12, "atol": 1e-12 * max(1.0, np.abs(expected).max())}
    assert_allclose(np.vstack([outputs(model, row[np.newaxis]) for row in new]), expected, **options)
    for size in (2, 7):
        parts = [outputs(model, new[i : i + size]) for i in range(0, len(new), size)]
        assert_allclose(np.vstack(parts), expected, **options)
    assert_allclose(outputs(model, new[::-1])[::-1], expected, **options)
    assert_allclose(outputs(model, np.asfortranarray(new)), expected, **options)
    assert_allclose(outputs(model, np.asfortranarray(new[:, ::-1])[::-1, ::-1])[::-1], expected, **options)
    many = outputs(model, np.tile(new, (500, 1)))
    assert_allclose(many, np.tile(expected, (500, 1)), **options)
    single = new.astype(np.float32)
    if not wraps:
        assert_allclose(outputs(model, single), outputs(model, single.astype(np.float64)), **options)
    for key, value in before.items():
        assert_array_equal(getattr(model, key), value)
