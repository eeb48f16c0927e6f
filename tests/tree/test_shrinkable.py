"""What cannot be shrunk is refused by name."""

import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomTreesEmbedding,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
)

from skpapers.tree import HierarchicalShrinkageClassifier, HierarchicalShrinkageRegressor


@pytest.mark.parametrize(
    "wrong",
    [
        KNeighborsClassifier(),
        AdaBoostClassifier(),
        BaggingClassifier(KNeighborsClassifier()),
        make_pipeline(StandardScaler(), DecisionTreeClassifier()),
        FrozenEstimator(KNeighborsClassifier()),
    ],
    ids=str,
)
def test_a_classifier_that_cannot_be_shrunk_is_refused(wrong):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(TypeError, match=r"cannot shrink.*It can shrink decision trees, extra trees, random forests"):
        HierarchicalShrinkageClassifier(wrong).fit(X, y)


@pytest.mark.parametrize(
    "wrong", [LinearRegression(), DummyRegressor(), IsolationForest(), RandomTreesEmbedding()], ids=str
)
def test_a_regressor_that_cannot_be_shrunk_is_refused(wrong):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises((TypeError, ValueError), match=r"cannot shrink|must be an object implementing"):
        HierarchicalShrinkageRegressor(wrong).fit(X, y)


def test_the_wrong_kind_is_refused():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(TypeError, match="takes a classifier, but DecisionTreeRegressor is not one"):
        HierarchicalShrinkageClassifier(DecisionTreeRegressor()).fit(X, y)
    with pytest.raises(TypeError, match="takes a regressor, but RandomForestClassifier is not one"):
        HierarchicalShrinkageRegressor(RandomForestClassifier()).fit(X, y)
