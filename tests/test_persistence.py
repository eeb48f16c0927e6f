"""A fitted estimator comes back from pickle, joblib and skops, and says the same."""

import io
import pickle

import joblib
import pytest
import skops.io
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes

from tests._asserts import assert_same_predictions
from tests._instances import small_instances

INSTANCES = small_instances()
# The one type of scikit-learn that skops does not know of itself; whatever else needs trust is the package's own.
TRUSTED = {"sklearn.tree._tree.Tree"}


def fitted(estimator):
    X, y = load_breast_cancer(return_X_y=True) if is_classifier(estimator) else load_diabetes(return_X_y=True)
    return clone(estimator).fit(X, y), X


@pytest.mark.parametrize("estimator", INSTANCES, ids=str)
def test_pickle(estimator):
    model, X = fitted(estimator)
    assert_same_predictions(pickle.loads(pickle.dumps(model)), model, X)


@pytest.mark.parametrize("estimator", INSTANCES, ids=str)
def test_joblib(estimator):
    model, X = fitted(estimator)
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    assert_same_predictions(joblib.load(file), model, X)


@pytest.mark.parametrize("estimator", INSTANCES, ids=str)
def test_skops(estimator):
    model, X = fitted(estimator)
    data = skops.io.dumps(model)
    unknown = set(skops.io.get_untrusted_types(data=data))
    foreign = {name for name in unknown if not name.startswith(("skpapers.", "sklearn."))}
    assert foreign == set()
    assert {name for name in unknown if "._tree." in name} <= TRUSTED
    assert_same_predictions(skops.io.loads(data, trusted=sorted(unknown)), model, X)
