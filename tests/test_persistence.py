"""A fitted estimator comes back from pickle, joblib and skops, and says the same."""

import io
import pickle

import joblib
import pytest
import skops.io
from sklearn.base import clone

from tests._asserts import assert_same_predictions
from tests._instances import small_instances, table_for

INSTANCES = small_instances()
# The one type of scikit-learn that skops does not trust by default. All others are those of this package.
TRUSTED = {"sklearn.tree._tree.Tree"}


@pytest.fixture(scope="module", params=INSTANCES, ids=str)
def fitted(request):
    """Return a fitted estimator and its rows."""
    X, _, y = table_for(request.param)
    return clone(request.param).fit(X, y), X


def test_pickle(fitted):
    model, X = fitted
    assert_same_predictions(pickle.loads(pickle.dumps(model)), model, X)


def test_joblib(fitted):
    model, X = fitted
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    assert_same_predictions(joblib.load(file), model, X)


def test_skops(fitted):
    model, X = fitted
    data = skops.io.dumps(model)
    unknown = set(skops.io.get_untrusted_types(data=data))
    foreign = {name for name in unknown if not name.startswith(("skpapers.", "sklearn."))}
    assert foreign == set()
    assert {name for name in unknown if "._tree." in name} <= TRUSTED
    assert_same_predictions(skops.io.loads(data, trusted=sorted(unknown)), model, X)
