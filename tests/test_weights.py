"""Row weights: the parameter by which a wrapped estimator takes them, and weights made of class weights."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from skpapers._weights import weigh_classes, weight_parameter
from skpapers.tree import HierarchicalShrinkageClassifier
from tests._instances import estimator_names, small


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (Ridge(), "sample_weight"),
        (KNeighborsClassifier(), None),
        (make_pipeline(StandardScaler(), GaussianNB()), "gaussiannb__sample_weight"),
        (make_pipeline(make_pipeline(GaussianNB())), "pipeline__gaussiannb__sample_weight"),
        (GridSearchCV(Ridge(), {}), "sample_weight"),
        (GridSearchCV(make_pipeline(KNeighborsClassifier()), {}), None),
    ],
    ids=str,
)
def test_without_routing_a_pipeline_names_its_step(estimator, name):
    assert weight_parameter(estimator) == name


def test_with_routing_it_is_what_was_requested():
    with sklearn.config_context(enable_metadata_routing=True):
        asked, refused = (LogisticRegression().set_fit_request(sample_weight=said) for said in (True, False))
        assert weight_parameter(LogisticRegression()) == "sample_weight"
        assert weight_parameter(asked) == weight_parameter(make_pipeline(asked)) == "sample_weight"
        assert weight_parameter(refused) is None
        assert weight_parameter(make_pipeline(refused)) is None
        assert weight_parameter(make_pipeline(LogisticRegression())) is None
        assert weight_parameter(GridSearchCV(make_pipeline(StandardScaler(), asked), {})) == "sample_weight"


def weighing_classifiers():
    """Return small instances of all public estimators with a `class_weight`."""
    found = [small(name) for name in estimator_names()]
    found = [model for model in found if "class_weight" in model.get_params()]
    assert len(found) >= 4
    return found


WEIGHING = pytest.mark.parametrize("model", weighing_classifiers(), ids=lambda model: type(model).__name__)
WRONG = [
    (dict.fromkeys(range(3), 1.0) | {1: value}, "class_weight must be finite and at least 0, got .* for class 1")
    for value in (-1.0, -1e-300, np.nan, np.inf, -np.inf, "heavy", None, 10**400)
]
WRONG += [
    (dict.fromkeys(range(3), 0.0), "leaves no row with a weight above 0"),
    ({0: 1.0, 1: 1.0, 7: np.nan}, "for class 7"),
    ({0: 1.0, 1: 1.0, 7: 1.0}, r"The classes, \[2\], are not in class_weight"),
]


@WEIGHING
@pytest.mark.parametrize(("class_weight", "message"), WRONG, ids=str)
def test_wrong_class_weights_raise_one_error_and_change_nothing(model, class_weight, message):
    model = type(model)(**model.get_params()).set_params(class_weight=class_weight)
    X, y = load_iris(return_X_y=True)
    before = dict(vars(model))
    for weight in (None, np.ones(len(y))):
        with pytest.raises(ValueError, match=message):
            model.fit(X, y, sample_weight=weight)
        assert vars(model) == before


@WEIGHING
def test_class_weights_are_row_weights_at_any_size(model):
    X, y = load_iris(return_X_y=True)
    X = X[:, :3]
    rows = np.random.default_rng(0).permutation(len(y))[:90]
    X = X[rows]
    y = y[rows]
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    new = lambda **kwargs: type(model)(**{**model.get_params(), **kwargs})  # noqa: E731
    expected = new().fit(X, y, sample_weight=weight * np.array([1.0, 3.0, 0.5])[y]).predict_proba(X)
    for factor, of_rows in ((1.0, 1.0), (2.0**1000, 2.0**1000), (2.0**-600, 2.0**-600), (2.0**664, 1.0)):
        by_class = {0: factor, 1: 3.0 * factor, 2: 0.5 * factor}
        found = new(class_weight=by_class).fit(X, y, sample_weight=weight * of_rows).predict_proba(X)
        assert_allclose(found, expected, rtol=1e-5, atol=1e-6, err_msg=f"{factor=}")
    total = np.bincount(y, weights=weight)
    expected = new().fit(X, y, sample_weight=weight / total[y]).predict_proba(X)
    found = new(class_weight="balanced").fit(X, y, sample_weight=weight * 1e200).predict_proba(X)
    assert_allclose(found, expected, atol=0.02)


@pytest.mark.filterwarnings("ignore:invalid value")  # of the booster itself
def test_class_weights_of_a_wrapped_booster_are_checked_where_they_are_read():
    X, y = load_iris(return_X_y=True)
    for value in (-1.0, np.nan, np.inf):
        booster = HistGradientBoostingClassifier(max_iter=2, class_weight={0: value, 1: 1.0, 2: 1.0})
        with pytest.raises(ValueError, match="class_weight must be finite"):
            HierarchicalShrinkageClassifier(booster).fit(X, y)


def test_weigh_classes_is_what_scikit_learn_computes():
    rng = np.random.default_rng(0)
    classes = np.array(["a", "b", "c"])
    codes = rng.integers(0, 3, 50)
    weight = rng.uniform(size=50)
    assert weigh_classes(None, classes, codes) is None
    assert weigh_classes(None, classes, codes, weight) is weight
    for class_weight in ({"a": 2, "b": np.float32(0.5), "c": 0}, {}, {"a": 3, "b": 2, "c": 1, "unseen": 1e300}):
        by_class = compute_class_weight(class_weight, classes=classes, y=classes[codes])
        assert_array_equal(weigh_classes(class_weight, classes, codes), by_class[codes])
        assert_array_equal(weigh_classes(class_weight, classes, codes, weight), by_class[codes] * weight)
    by_class = compute_class_weight("balanced", classes=classes, y=classes[codes], sample_weight=weight)
    assert_allclose(weigh_classes("balanced", classes, codes, weight), by_class[codes] * weight, rtol=1e-14)


@pytest.mark.parametrize("class_weight", [{0: 0.0, 1: 1.0}, "balanced"])
def test_weights_that_are_all_zero(class_weight):
    codes = np.zeros(3, dtype=int)
    weight = np.zeros(3) if class_weight == "balanced" else None
    with pytest.raises(ValueError, match="leaves no row with a weight above 0"):
        weigh_classes(class_weight, np.arange(2), codes, weight)
    assert_array_equal(weigh_classes(class_weight, np.arange(2), codes, weight, allow_all_zero=True), np.zeros(3))


def test_balanced_weights_leave_out_classes_without_weight_and_keep_the_total():
    codes = np.array([0, 0, 1, 2, 2])
    weight = np.array([1.0, 3.0, 0.0, 1.0, 1.0])
    found = weigh_classes("balanced", np.arange(4), codes, weight)
    assert_allclose(found, [0.75, 2.25, 0.0, 1.5, 1.5])
    for factor in (1e300, 1e-300, 1.7e308):
        found = weigh_classes("balanced", np.arange(4), codes, weight / 3 * factor)
        assert_allclose(found / found.max(), np.array([0.75, 2.25, 0.0, 1.5, 1.5]) / 2.25)
        assert np.isfinite(found.sum())
    found = weigh_classes("balanced", np.arange(2), np.array([0, 1]), np.array([1.0, 5e-324]))
    assert found[0] == found[1] > 0
