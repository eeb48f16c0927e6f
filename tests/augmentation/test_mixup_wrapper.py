"""MixupWrapper: what the wrapped estimator is given, and what comes through of it."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.callback import CallbackSupportMixin, ProgressBar, ScoringMonitor, with_callbacks
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_multilabel_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags

from skpapers._fitting import Fitting
from skpapers._weights import weight_parameter
from skpapers.augmentation import MixupWrapper
from tests.augmentation._networks import NetworkClassifier

IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


class _Records(BaseEstimator):
    """Remembers what it was fitted on, and predicts the first target."""

    def _remember(self, X, y, **params):
        self.X_ = X
        self.y_ = y
        self.params_ = params
        return self

    def predict(self, X):
        return np.repeat(np.asarray(self.y_)[:1], len(X), axis=0)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class WeightedClassifier(ClassifierMixin, _Records):
    def fit(self, X, y, sample_weight=None, groups=None, mode="x"):
        self.classes_ = np.unique(y)
        return self._remember(X, y, sample_weight=sample_weight, groups=groups, mode=mode)


class PlainClassifier(ClassifierMixin, _Records):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self._remember(X, y)


class WeightedRegressor(RegressorMixin, _Records):
    def fit(self, X, y, sample_weight=None):
        return self._remember(X, y, sample_weight=sample_weight)


class PlainRegressor(RegressorMixin, _Records):
    def fit(self, X, y):
        return self._remember(X, y)


X = np.column_stack([np.arange(6.0), np.arange(6.0) ** 2])
LABELS = np.array(["a", "b", "a", "c", "b", "a"])


def fitted(estimator, X=X, y=LABELS, sample_weight=None, *, fit_params=None, **kwargs):
    wrapper = MixupWrapper(estimator, random_state=0, **kwargs)
    wrapper.fit(X, y, sample_weight=sample_weight, **(fit_params or {}))
    return wrapper.estimator_


class TestTheRowsThatAreFitted:
    def test_originals_come_first_and_every_row_carries_its_weight(self):
        weight = np.array([1.0, 2.0, 0.5, 1.0, 4.0, 1.0])
        inner = fitted(WeightedClassifier(), sample_weight=weight, n_augment=3)
        assert_array_equal(inner.X_[:6], X)
        assert_array_equal(inner.y_[:6], LABELS)
        assert_allclose(inner.params_["sample_weight"][:6], weight / 4)
        assert_allclose(inner.params_["sample_weight"].sum(), weight.sum())
        assert 24 < len(inner.X_) < 42

    def test_soft_labels_are_two_weighted_rows(self):
        inner = fitted(WeightedClassifier(), n_augment=50, alpha=1, keep_original=False)
        weight = inner.params_["sample_weight"] * 50
        rows, places, counts = np.unique(inner.X_, axis=0, return_inverse=True, return_counts=True)
        assert set(counts) == {1, 2} or counts.max() > 2  # originals may repeat where a row is its own partner
        for place in np.flatnonzero(counts == 2):
            pair = np.flatnonzero(places.ravel() == place)
            if inner.y_[pair[0]] != inner.y_[pair[1]]:
                assert_allclose(weight[pair].sum(), 1)
                assert weight[pair].max() >= 0.5
        # the mean of the mixed labels is that of the labels
        share = [weight[inner.y_ == label].sum() / 300 for label in "abc"]
        assert_allclose(share, [1 / 2, 1 / 3, 1 / 6], atol=0.03)
        assert len(rows) > 200

    def test_the_dominant_label_is_that_of_the_larger_share(self):
        table = np.array([[0.0], [10.0]])
        y = np.array(["low", "high"])
        inner = fitted(PlainClassifier(), table, y, n_augment=200, alpha=1, keep_original=False)
        assert inner.X_.shape == (400, 1)
        assert_array_equal(inner.y_ == "high", inner.X_[:, 0] > 5)

    def test_the_hard_label_stays_where_it_was_and_is_noisy(self):
        table = np.array([[0.0], [10.0]])
        y = np.array(["low", "high"])
        inner = fitted(PlainClassifier(), table, y, label_mode="hard", n_augment=4000, alpha=1, keep_original=False)
        assert_array_equal(inner.y_, np.tile(y, 4000))
        share = np.where(inner.y_ == "high", inner.X_[:, 0], 10 - inner.X_[:, 0]) / 10
        share = share[share < 1]  # mixed with another row: Beta(2, 1), so that a quarter has the smaller share
        assert_allclose(np.mean(share), 2 / 3, atol=0.01)
        assert_allclose(np.mean(share < 0.5), 1 / 4, atol=0.02)

    def test_numbers_are_mixed_as_the_rows_are(self):
        inner = fitted(WeightedRegressor(), X, 3 * X[:, 0] + 1, n_augment=5)
        assert_allclose(inner.y_, 3 * inner.X_[:, 0] + 1)
        assert_allclose(inner.params_["sample_weight"], 1 / 6)
        both = np.column_stack([X[:, 0], -X[:, 1]])
        inner = fitted(PlainRegressor(), X, both)
        assert_allclose(inner.y_, inner.X_ * [1, -1])
        integers = fitted(PlainRegressor(), X, np.arange(6))
        assert integers.y_.dtype == np.float64
        assert not np.all(integers.y_ == integers.y_.round())

    def test_numbers_may_keep_the_target_of_one_partner(self):
        for mode in ("hard", "dominant"):
            inner = fitted(PlainRegressor(), X, X[:, 0] * 10, label_mode=mode)
            assert_array_equal(inner.y_, np.tile(X[:, 0] * 10, 5))

    def test_no_mixing_is_the_plain_fit(self):
        for keep in (True, False):
            inner = fitted(WeightedClassifier(), alpha=0, keep_original=keep)
            assert_array_equal(inner.X_, X)
            assert inner.params_["sample_weight"] is None
        tree = DecisionTreeRegressor(random_state=0)
        same = MixupWrapper(tree, alpha=0).fit(*DIABETES)
        assert_array_equal(same.predict(DIABETES[0]), clone(tree).fit(*DIABETES).predict(DIABETES[0]))

    def test_within_class_keeps_classes_apart(self):
        table = np.array([[0.0], [1.0], [100.0], [101.0]])
        inner = fitted(WeightedClassifier(), table, np.array([0, 0, 1, 1]), within_class=True, n_augment=50)
        assert_array_equal(inner.X_[:, 0] > 50, inner.y_ == 1)
        assert len(inner.X_) == 4 * 51  # a pair of one class is a single row
        assert np.unique(inner.X_).size > 60

    def test_near_partners_have_near_targets(self):
        y = np.array([0.0, 0.1, 0.2, 100.0, 100.1, 100.2])
        inner = fitted(PlainRegressor(), X, y, bandwidth=0.1, n_augment=50)
        assert not np.any((inner.y_ > 1) & (inner.y_ < 99))

    @pytest.mark.parametrize("mode", ["dominant", "hard"])
    def test_every_class_stays(self, mode):
        rng = np.random.default_rng(0)
        y = np.append(np.zeros(40), 1)
        weight = np.append(np.ones(40), 1e-9)  # drawn in proportion to weight the last row would not appear
        table = rng.normal(size=(41, 2))
        inner = fitted(PlainClassifier(), table, y, weight, label_mode=mode, keep_original=False)
        assert set(inner.y_) == {0, 1}

    def test_rows_are_drawn_by_weight_where_the_estimator_takes_none(self):
        weight = np.array([3.0, 1.0, 0.0, 2.0, 2.0, 0.0])
        inner = fitted(PlainRegressor(), X, X[:, 0], weight, n_augment=2)
        counts = np.bincount(inner.X_[:4, 0].astype(int), minlength=6)
        assert np.all(np.abs(counts - weight / 2) < 1)
        assert len(inner.X_) == 12  # as if there were four rows
        anchors_and_partners = inner.X_[4:]
        assert not np.any(anchors_and_partners[:, 0] > 4)  # the last row has no weight

    def test_partners_are_drawn_by_weight(self):
        weight = np.array([1.0, 1.0, 1e-12, 1.0, 1.0, 1e-12])
        inner = fitted(WeightedRegressor(), np.eye(6), np.zeros(6), weight, n_augment=30, keep_original=False)
        heavy = inner.params_["sample_weight"] > 1e-6
        assert np.all(inner.X_[heavy][:, [2, 5]] == 0)

    def test_several_outputs(self):
        table, y = make_multilabel_classification(n_samples=60, n_classes=3, random_state=0)
        inner = fitted(RandomForestClassifier(5, random_state=0), table, y)
        assert len(inner.classes_) == 3
        words = np.array([["a", "x"], ["b", "x"], ["a", "y"], ["c", "x"], ["b", "y"], ["a", "y"]])
        wrapper = MixupWrapper(DecisionTreeClassifier(random_state=0), random_state=0).fit(X, words)
        assert [list(classes) for classes in wrapper.classes_] == [["a", "b", "c"], ["x", "y"]]
        assert wrapper.predict(X).shape == (6, 2)
        for other in (KNeighborsClassifier(1), MultiOutputClassifier(LogisticRegression()), MLPClassifier(max_iter=20)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert MixupWrapper(other, random_state=0).fit(table, y).predict(table).shape == y.shape

    def test_single_precision_stays(self):
        assert fitted(PlainRegressor(), X.astype(np.float32), X[:, 0]).X_.dtype == np.float32

    def test_the_draws_are_decided_by_random_state_alone(self):
        first, second, other = (
            MixupWrapper(DecisionTreeRegressor(random_state=0), random_state=seed).fit(*DIABETES).predict(DIABETES[0])
            for seed in (0, 0, 1)
        )
        assert_array_equal(first, second)
        assert not np.array_equal(first, other)


IMPUTES = make_pipeline(SimpleImputer(), Ridge())
IMPUTES_CLASSES = make_pipeline(SimpleImputer(), LogisticRegression())
BOOSTING = HistGradientBoostingRegressor(max_iter=3, random_state=0)


class TestMissingValues:
    """What the wrapped estimator takes and refuses, whatever its tag says."""

    table = np.where(DIABETES[0] > 0.1, np.nan, DIABETES[0])

    @pytest.mark.parametrize(
        "estimator",
        [
            BOOSTING,
            IMPUTES,
            make_pipeline(StandardScaler(), SimpleImputer(), Ridge()),  # the first step passes them on
            make_pipeline(StandardScaler(), BOOSTING),
            make_pipeline("passthrough", FunctionTransformer(np.nan_to_num), Ridge()),
            make_pipeline(make_column_transformer((SimpleImputer(), slice(0, 10))), Ridge()),
            TransformedTargetRegressor(BOOSTING),
            TransformedTargetRegressor(IMPUTES),
            GridSearchCV(IMPUTES, {"ridge__alpha": [1.0, 2.0]}, cv=2),
            BaggingRegressor(IMPUTES, 2, random_state=0),
            StackingRegressor([("a", IMPUTES), ("b", BOOSTING)], final_estimator=Ridge(), cv=2),
            VotingRegressor([("a", IMPUTES), ("b", BOOSTING)]),
            IMPUTES_CLASSES,
            OneVsRestClassifier(IMPUTES_CLASSES),
            CalibratedClassifierCV(IMPUTES_CLASSES, cv=2),
            TunedThresholdClassifierCV(IMPUTES_CLASSES, cv=2),
            StackingClassifier([("a", IMPUTES_CLASSES)], cv=2),
            MixupWrapper(IMPUTES_CLASSES, random_state=0),
        ],
        ids=lambda estimator: "".join(str(estimator).split())[:60],
    )
    def test_taken(self, estimator):
        y = DIABETES[1] > 140 if is_classifier(estimator) else DIABETES[1]
        assert np.isfinite(estimator.fit(self.table, y).predict(self.table)).all()
        wrapper = MixupWrapper(estimator, n_augment=1, random_state=0).fit(self.table, y)
        assert np.isfinite(wrapper.predict(self.table)).all()
        same = MixupWrapper(estimator, alpha=0).fit(self.table, y).predict(self.table)
        assert_array_equal(same, estimator.predict(self.table))

    @pytest.mark.parametrize(
        "estimator",
        [
            Ridge(),
            make_pipeline(StandardScaler(), Ridge()),
            BaggingRegressor(Ridge(), 2),
            TransformedTargetRegressor(Ridge()),
            GridSearchCV(Ridge(), {}, cv=2),
            KNeighborsRegressor(),
        ],
        ids=lambda estimator: "".join(str(estimator).split())[:60],
    )
    @pytest.mark.filterwarnings("ignore:Scoring failed", "ignore:Some fits failed")
    def test_refused(self, estimator):
        wrapper = MixupWrapper(estimator, random_state=0)
        with pytest.raises(ValueError, match="NaN"):
            wrapper.fit(self.table, DIABETES[1])
        assert not hasattr(wrapper, "n_features_in_")

    def test_infinite_values_are_refused_whatever_the_estimator_takes(self):
        table = self.table.copy()
        table[5, 3] = np.inf
        for estimator in (BOOSTING, IMPUTES, DummyRegressor()):
            with pytest.raises(ValueError, match="infinity"):
                MixupWrapper(estimator).fit(table, DIABETES[1])

    @pytest.mark.parametrize(
        "column",
        [
            pd.Series([1, None, 3, 4, None, 6], dtype="Int64"),
            pd.Series([1.0, None, 3.0, 4.0, None, 6.0], dtype="Float32"),
            pd.Series([True, None, False, True, None, False], dtype="boolean"),
            pd.Series([1.0, None, 3.0, 4.0, None, 6.0], dtype=object),
            pl.Series([1, None, 3, 4, None, 6]),
        ],
        ids=lambda column: f"{type(column).__module__.split('.')[0]} {column.dtype}",
    )
    def test_of_every_type_of_column(self, column):
        frame = (pl if isinstance(column, pl.Series) else pd).DataFrame({"a": column, "b": X[:, 0]})
        inner = fitted(WeightedRegressor(), frame, X[:, 0], n_augment=3)
        mixed = np.asarray(inner.X_["a"], dtype=float)
        assert_array_equal(np.flatnonzero(np.isnan(mixed[:6])), [1, 4])
        assert 0 < np.isnan(mixed[6:]).mean() < 0.7

    @pytest.mark.parametrize(
        "kind",
        [
            pd.Categorical(["u", None, "v", "u", None, "v"]),
            pd.array(["u", None, "v", "u", None, "v"], dtype="str"),
            np.array(["u", None, "v", "u", np.nan, "v"], dtype=object),
            ["u", None, "v", "u", None, "v"],
        ],
        ids=["category", "string", "object", "polars"],
    )
    def test_in_columns_that_are_not_mixed(self, kind):
        frame = (pl if isinstance(kind, list) else pd).DataFrame({"a": X[:, 0], "kind": kind})
        encoder = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
        wrapper = MixupWrapper(make_pipeline(encoder, Ridge()), categorical_features=["kind"], random_state=0)
        assert np.isfinite(wrapper.fit(frame, X[:, 0]).predict(frame)).all()
        assert wrapper.estimator_[0].named_transformers_["onehotencoder"].categories_[0].size == 3

    def test_in_an_array_of_objects(self):
        table = np.column_stack([X[:, 0].astype(object), ["u", None, "v", "u", np.nan, "v"]])
        inner = fitted(WeightedRegressor(), table, X[:, 0], categorical_features=[1])
        assert set(inner.X_[:, 1]) >= {"u", "v", None}


class TestCategoricalFeatures:
    @pytest.mark.parametrize("given", [[1], [False, True], ["kind"]])
    @pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
    def test_text_is_taken_from_the_dominant_partner(self, given, frame):
        table = frame({"size": np.linspace(0.0, 1.0, 40), "kind": ["low"] * 20 + ["high"] * 20})
        y = np.arange(40.0)
        encoder = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
        wrapper = MixupWrapper(make_pipeline(encoder, Ridge()), categorical_features=given, random_state=0)
        wrapper.fit(table, y)
        assert_array_equal(wrapper.feature_names_in_, ["size", "kind"])
        assert wrapper.predict(table).shape == (40,)
        inner = fitted(PlainRegressor(), table, y, categorical_features=given, alpha=1)
        assert type(inner.X_) is frame
        assert list(inner.X_.columns) == ["size", "kind"]
        kinds = np.asarray(inner.X_["kind"])
        sizes = np.asarray(inner.X_["size"])
        assert set(kinds) == {"low", "high"}
        assert np.any((sizes > 0.25) & (sizes < 0.75) & ~np.isin(sizes, np.linspace(0.0, 1.0, 40)))
        assert_array_equal(kinds[sizes < 0.2], "low")
        assert_array_equal(kinds[sizes > 0.8], "high")

    def test_types_of_columns_stay(self):
        table = pd.DataFrame({"size": np.arange(6), "kind": pd.Categorical(list("abcabc"))}, index=list("uvwxyz"))
        inner = fitted(PlainRegressor(), table, X[:, 0], categorical_features=["kind"])
        assert inner.X_["kind"].dtype == table["kind"].dtype
        assert inner.X_["size"].dtype == np.float64
        assert_array_equal(inner.X_["size"][:6], table["size"])

    def test_arrays(self):
        codes = np.column_stack([X[:, 0], [3, 1, 3, 7, 1, 7]])
        inner = fitted(PlainRegressor(), codes, X[:, 0], categorical_features=[1], alpha=1)
        assert set(inner.X_[:, 1]) == {1, 3, 7}
        mixed = np.array([[0.0, "u"], [1.0, "v"], [2.0, "v"]], dtype=object)
        inner = fitted(PlainRegressor(), mixed, X[:3, 0], categorical_features=[1])
        assert inner.X_.dtype == object
        assert set(inner.X_[:, 1]) == {"u", "v"}
        assert isinstance(inner.X_[-1, 0], float)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ([True], "mask of shape"),
            ([2], "indices must be from 0 to 1"),
            ([-1], "indices must be from 0 to 1"),
            (["kind"], r"categorical_features has \['kind'\]"),
            ([True, True], "nothing to mix"),
        ],
    )
    def test_what_is_no_column(self, given, message):
        with pytest.raises(ValueError, match=message):
            fitted(PlainRegressor(), X, X[:, 0], categorical_features=given)

    def test_a_column_that_is_no_name(self):
        with pytest.raises(ValueError, match=r"categorical_features has \['king'\]"):
            fitted(PlainRegressor(), pd.DataFrame(X, columns=["a", "b"]), X[:, 0], categorical_features=["king"])


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "table",
        [
            pd.DataFrame({"a": X[:, 0], "kind": list("uvwxyz")}),
            pd.DataFrame({"a": X[:, 0], "kind": pd.Categorical([1, 2, 3, 1, 2, 3])}),
            pd.DataFrame({"a": X[:, 0], "kind": pd.date_range("2024", periods=6)}),
            pl.DataFrame({"a": X[:, 0], "kind": list("uvwxyz")}),
            np.array([[0.0, "u"]] * 6, dtype=object),
            [[0.0, "u"]] * 6,
        ],
    )
    def test_columns_between_whose_values_is_nothing(self, table):
        with pytest.raises(ValueError, match="cannot be mixed: name it in categorical_features"):
            fitted(PlainRegressor(), table, X[:, 0])

    def test_sparse_and_precomputed_input(self):
        with pytest.raises(TypeError, match="Sparse data was passed"):
            fitted(LogisticRegression(), sparse.csr_array(X))
        assert not get_tags(MixupWrapper(LogisticRegression())).input_tags.sparse
        with pytest.raises(ValueError, match="precomputed kernel"):
            fitted(SVC(kernel="precomputed"), X @ X.T)

    def test_sparse_targets(self):
        with pytest.raises(TypeError, match=r"y is sparse.*toarray"):
            fitted(KNeighborsClassifier(), X, sparse.csr_array(np.eye(3, dtype=int)[np.arange(len(X)) % 3]))

    @pytest.mark.parametrize(
        "estimator",
        [
            KMeans(),
            FrozenEstimator(LogisticRegression()),
            make_pipeline(StandardScaler()),
            make_pipeline(StandardScaler(), "passthrough"),
        ],
    )
    def test_estimators_that_learn_from_no_target_or_not_at_all(self, estimator):
        with pytest.raises(TypeError, match="MixupWrapper"):
            fitted(estimator)

    def test_parameters_without_a_meaning(self):
        with pytest.raises(ValueError, match="within_class=True is for classifiers"):
            fitted(Ridge(), X, X[:, 0], within_class=True)
        with pytest.raises(ValueError, match="bandwidth is for regressors"):
            fitted(LogisticRegression(), bandwidth=1.0)
        with pytest.raises(ValueError, match='label_mode="soft" needs row weights'):
            fitted(KNeighborsClassifier(1), label_mode="soft")

    def test_methods_before_the_fit(self):
        wrapper = MixupWrapper(LogisticRegression())
        for method in (wrapper.predict, wrapper.predict_proba, wrapper.decision_function):
            with pytest.raises(NotFittedError):
                method(X)
        assert not hasattr(wrapper, "classes_")
        assert not hasattr(wrapper, "transform")


class TestWhatComesThrough:
    @pytest.mark.parametrize(
        "estimator",
        [
            LogisticRegression(),
            make_pipeline(StandardScaler(), SVC()),
            LinearSVC(),
            SGDClassifier(random_state=0),
            GaussianNB(),
            KNeighborsClassifier(),
            LinearDiscriminantAnalysis(),
            RandomForestClassifier(10, random_state=0),
            HistGradientBoostingClassifier(max_iter=10),
            BaggingClassifier(KNeighborsClassifier(), 3, random_state=0),
            GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2),
            MLPClassifier(max_iter=200, random_state=0),
        ],
        ids=lambda estimator: type(estimator).__name__,
    )
    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    def test_of_classifiers(self, estimator):
        table, y = IRIS
        words = np.array(["se", "ve", "vi"])[y]
        wrapper = MixupWrapper(estimator, alpha=0.2, random_state=0).fit(table, words)
        assert is_classifier(wrapper)
        assert wrapper.score(table, words) > 0.8
        assert_array_equal(wrapper.classes_, ["se", "ve", "vi"])
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform"):
            assert hasattr(wrapper, method) == hasattr(wrapper.estimator_, method)
            if hasattr(wrapper, method):
                assert_array_equal(getattr(wrapper, method)(table), getattr(wrapper.estimator_, method)(table))
        for name in ("coef_", "intercept_", "feature_importances_", "n_outputs_"):
            assert hasattr(wrapper, name) == hasattr(wrapper.estimator_, name)
        assert not hasattr(estimator, "classes_")

    @pytest.mark.parametrize(
        "estimator",
        [
            LinearRegression(),
            SVR(),
            KNeighborsRegressor(),
            RandomForestRegressor(10, random_state=0),
            TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
            make_pipeline(StandardScaler(), GaussianProcessRegressor(alpha=1.0)),
        ],
        ids=lambda estimator: type(estimator).__name__,
    )
    def test_of_regressors(self, estimator):
        table = DIABETES[0][:100]
        y = DIABETES[1][:100]
        wrapper = MixupWrapper(estimator, random_state=0).fit(table, y)
        assert is_regressor(wrapper)
        assert_array_equal(wrapper.predict(table), wrapper.estimator_.predict(table))
        assert wrapper.score(table, y) == wrapper.estimator_.score(table, y)
        weight = np.arange(100.0)
        assert wrapper.score(table, y, sample_weight=weight) == wrapper.estimator_.score(table, y, sample_weight=weight)

    @pytest.mark.parametrize(
        "estimator",
        [
            StackingClassifier([("tree", DecisionTreeClassifier(max_depth=2))]),  # no `predict` before its fit
            TunedThresholdClassifierCV(LogisticRegression()),
        ],
    )
    def test_estimators_around_estimators(self, estimator):
        table, y = load_breast_cancer(return_X_y=True)
        wrapper = MixupWrapper(make_pipeline(StandardScaler(), estimator), n_augment=1, random_state=0)
        assert wrapper.fit(table[::2], y[::2]).score(table[1::2], y[1::2]) > 0.85

    def test_parameters_of_predict(self):
        wrapper = MixupWrapper(GaussianProcessRegressor(alpha=1.0), n_augment=1).fit(X, X[:, 0])
        mean, deviation = wrapper.predict(X, return_std=True)
        assert mean.shape == deviation.shape == (6,)

    def test_a_transformer_s_names_and_a_network(self):
        wrapper = MixupWrapper(LinearDiscriminantAnalysis()).fit(*IRIS)
        assert wrapper.transform(IRIS[0]).shape == (150, 2)
        assert len(wrapper.get_feature_names_out()) == 2
        network = MixupWrapper(NetworkClassifier()).fit(*IRIS)
        assert network.to_torch() is network.estimator_.module_
        assert not hasattr(wrapper, "to_torch")

    def test_importances_select_features(self):
        forest = RandomForestRegressor(10, random_state=0)
        kept = SelectFromModel(MixupWrapper(forest, random_state=0)).fit(*DIABETES).get_support()
        assert 0 < kept.sum() < 10

    def test_tags(self):
        inner = HistGradientBoostingClassifier()
        tags = get_tags(MixupWrapper(inner))
        of_inner = get_tags(inner)
        assert tags.input_tags.allow_nan
        assert tags.classifier_tags == of_inner.classifier_tags
        assert get_tags(MixupWrapper(RandomForestRegressor())).target_tags.multi_output


class TestWeights:
    @pytest.mark.parametrize(
        ("estimator", "name"),
        [
            (LogisticRegression(), "sample_weight"),
            (KNeighborsClassifier(), None),
            (make_pipeline(StandardScaler(), Ridge()), "ridge__sample_weight"),
            (make_pipeline(StandardScaler(), KNeighborsClassifier()), None),
            (
                make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), Ridge())),
                "pipeline__ridge__sample_weight",
            ),
            (GridSearchCV(Ridge(), {}), "sample_weight"),
            (GridSearchCV(KNeighborsClassifier(), {}), None),
            (GridSearchCV(make_pipeline(Ridge()), {}), "ridge__sample_weight"),
            (MultiOutputClassifier(LogisticRegression()), "sample_weight"),
            (MultiOutputClassifier(KNeighborsClassifier()), None),
            (MultiOutputClassifier(make_pipeline(LogisticRegression())), None),
            (BaggingClassifier(), "sample_weight"),
            (TunedThresholdClassifierCV(LogisticRegression()), None),  # only with metadata routing
            (MixupWrapper(Ridge()), "sample_weight"),
        ],
        ids=lambda value: "".join(str(value).split()),
    )
    def test_the_name_that_fit_takes_them_by(self, estimator, name):
        assert weight_parameter(estimator) == name
        mode = MixupWrapper(estimator)._mode(name, np.zeros(1))
        assert mode == ("dominant" if name is None else "soft")

    @pytest.mark.parametrize(
        "estimator",
        [
            KNeighborsClassifier(1),
            GaussianNB(),
            LogisticRegression(),
            DecisionTreeClassifier(random_state=0),
            make_pipeline(StandardScaler(), LogisticRegression()),
            make_pipeline(StandardScaler(), KNeighborsClassifier(1)),
            GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2),
            BaggingClassifier(random_state=0),
        ],
        ids=lambda estimator: "".join(str(estimator).split())[:60],
    )
    @pytest.mark.parametrize("params", [{}, {"label_mode": "hard"}, {"within_class": True}, {"keep_original": False}])
    def test_rows_that_weigh_nothing_are_as_if_they_were_not_there(self, estimator, params):
        table, y = IRIS
        weight = np.where(y == 0, 0.0, np.random.default_rng(0).integers(0, 3, size=150))
        weighs = weight > 0
        order = np.random.default_rng(1).permutation(150)  # the rows without weight stand among the others
        table = table[order]
        y = y[order]
        weight = weight[order]
        weighs = weighs[order]
        wrapper = MixupWrapper(estimator, random_state=0, **params).fit(table, y, sample_weight=weight)
        without = MixupWrapper(estimator, random_state=0, **params)
        without.fit(table[weighs], y[weighs], sample_weight=weight[weighs])
        assert_array_equal(wrapper.classes_, [1, 2])
        assert_array_equal(wrapper.predict_proba(table), without.predict_proba(table))

    @pytest.mark.parametrize("params", [{}, {"bandwidth": 0.5}, {"alpha": 0}])
    @pytest.mark.parametrize("estimator", [KNeighborsRegressor(), DecisionTreeRegressor(random_state=0), Ridge()])
    def test_rows_that_weigh_nothing_have_no_part_in_a_regression(self, estimator, params):
        table, y = DIABETES
        weight = np.where(y > 200, 0.0, 1.0)
        spoilt = np.where(y > 200, 1e9, y)
        first, second = (
            MixupWrapper(estimator, random_state=0, **params).fit(table, target, weight).predict(table)
            for target in (y, spoilt)
        )
        assert_array_equal(first, second)
        assert first.max() <= 250

    def test_other_parameters_of_fit_stay_with_the_rows_that_weigh_something(self):
        weight = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 1.0])
        inner = fitted(WeightedClassifier(), sample_weight=weight, fit_params={"groups": np.arange(6)}, n_augment=2)
        assert set(inner.params_["groups"]) == {0, 2, 4, 5}
        assert_array_equal(inner.params_["groups"][:4], inner.X_[:4, 0])
        assert len(inner.params_["sample_weight"]) == len(inner.X_)

    @pytest.mark.parametrize("scale", [1e200, 1e306, 1e-200, 1e-310])
    @pytest.mark.parametrize("params", [{}, {"within_class": True}, {"keep_original": False}])
    def test_a_common_factor_changes_no_draw(self, scale, params):
        weight = 2.0 ** np.random.default_rng(0).integers(-3, 3, size=150)
        first, second = (
            MixupWrapper(KNeighborsClassifier(), random_state=0, **params).fit(*IRIS, of).predict_proba(IRIS[0])
            for of in (weight, weight * scale)
        )
        assert_array_equal(first, second)
        plain, scaled = (
            MixupWrapper(KNeighborsRegressor(), bandwidth=0.5, random_state=0).fit(*DIABETES, of).predict(DIABETES[0])
            for of in (np.ones(442), np.full(442, scale))
        )
        assert_array_equal(plain, scaled)

    def test_they_reach_the_last_step_of_a_pipeline(self):
        table, y = IRIS
        weight = np.random.default_rng(0).uniform(size=150)
        pipeline = make_pipeline(StandardScaler(), WeightedClassifier())
        wrapper = MixupWrapper(pipeline, random_state=0).fit(table, y, sample_weight=weight)
        assert wrapper.label_mode_ == "soft"
        seen = wrapper.estimator_[-1].params_["sample_weight"]
        assert_allclose(seen.sum(), weight.sum())
        # or by the name that the Pipeline takes them by
        again = MixupWrapper(pipeline, random_state=0).fit(table, y, weightedclassifier__sample_weight=weight)
        assert_array_equal(again.estimator_[-1].params_["sample_weight"], seen)
        with pytest.raises(TypeError, match="weights were given twice"):
            wrapper.fit(table, y, sample_weight=weight, weightedclassifier__sample_weight=weight)

    def test_a_search_inside_and_weights_that_matter(self):
        table, y = load_breast_cancer(return_X_y=True)
        weight = np.where(y == 1, 100.0, 1.0)
        search = GridSearchCV(LogisticRegression(max_iter=5000), {"C": [0.01]}, cv=2)
        for estimator in (search, make_pipeline(StandardScaler(), KNeighborsClassifier())):
            plain = MixupWrapper(estimator, random_state=0).fit(table, y)
            heavy = MixupWrapper(estimator, random_state=0).fit(table, y, sample_weight=weight)
            assert heavy.predict(table).mean() > plain.predict(table).mean() + 0.01

    def test_the_scale_of_the_weights_is_that_of_the_rows(self):
        """So that regularisation keeps its meaning: with no mixing to speak of the fit is the plain one."""
        table, y = DIABETES
        mixed = MixupWrapper(Ridge(alpha=5.0), alpha=1e-9, random_state=0).fit(table, y)
        assert_allclose(mixed.coef_, Ridge(alpha=5.0).fit(table, y).coef_, rtol=0.25, atol=10)
        unscaled = Ridge(alpha=5.0).fit(np.tile(table, (5, 1)), np.tile(y, 5)).coef_
        assert np.abs(mixed.coef_ - unscaled).max() > 50


class TestFitParameters:
    def test_those_of_a_row_follow_the_dominant_partner(self):
        groups = np.arange(6) * 10
        inner = fitted(
            WeightedClassifier(), label_mode="dominant", fit_params={"groups": groups, "mode": "y"}, n_augment=2
        )
        assert inner.params_["mode"] == "y"
        assert_array_equal(inner.params_["groups"], np.tile(groups, 3))

    def test_routing(self):
        weight = np.arange(1.0, 7.0)
        groups = np.arange(6)
        with sklearn.config_context(enable_metadata_routing=True):
            asked = WeightedClassifier().set_fit_request(sample_weight=True, groups=True)
            wrapper = MixupWrapper(asked, random_state=0, n_augment=1)
            inner = wrapper.fit(X, LABELS, sample_weight=weight, groups=groups).estimator_
            assert_allclose(inner.params_["sample_weight"].sum(), weight.sum())
            assert_array_equal(inner.params_["groups"][:6], groups)
            with pytest.raises(UnsetMetadataPassedError, match="WeightedClassifier"):
                MixupWrapper(WeightedClassifier()).fit(X, LABELS, sample_weight=weight)
            with pytest.raises(TypeError, match="unexpected argument"):
                wrapper.fit(X, LABELS, nonsense=groups)
            refused = WeightedClassifier().set_fit_request(sample_weight=False)
            wrapper = MixupWrapper(refused, random_state=0).fit(X, LABELS, sample_weight=weight)
            assert wrapper.label_mode_ == "dominant"
            assert wrapper.estimator_.params_["sample_weight"] is None
            # nothing was said, and no weights are given: the wrapper may still make its own
            wrapper = MixupWrapper(WeightedClassifier(), random_state=0).fit(X, LABELS)
            assert wrapper.label_mode_ == "soft"
            assert MixupWrapper(KNeighborsClassifier(1)).fit(X, LABELS).label_mode_ == "dominant"

    def test_routing_through_a_pipeline_and_a_search(self):
        table, y = IRIS
        weight = np.random.default_rng(0).uniform(size=150)
        with sklearn.config_context(enable_metadata_routing=True):
            asked = LogisticRegression(max_iter=500).set_fit_request(sample_weight=True)
            asked.set_score_request(sample_weight=True)
            scaler = StandardScaler().set_fit_request(sample_weight=False)
            wrapper = MixupWrapper(make_pipeline(scaler, asked), random_state=0).set_fit_request(sample_weight=True)
            search = GridSearchCV(wrapper, {"alpha": [0.1, 1.0]}, cv=2).fit(table, y, sample_weight=weight)
            assert search.best_estimator_.label_mode_ == "soft"
            unasked = make_pipeline(scaler, LogisticRegression(max_iter=500))
            assert MixupWrapper(unasked, random_state=0).fit(table, y).label_mode_ == "dominant"
            fitted_wrapper = wrapper.fit(table, y, sample_weight=weight)
            expected = fitted_wrapper.estimator_.score(table, y, sample_weight=weight)
            assert fitted_wrapper.score(table, y, sample_weight=weight) == expected


class Loop(CallbackSupportMixin, RegressorMixin, BaseEstimator):
    """A regressor that reports two steps."""

    @with_callbacks
    def fit(self, X, y):
        fitting = Fitting(self)
        fitting.begin(X, y, 2)
        for number in (1, 2):
            with fitting.step("epoch", number):
                pass
        return fitting.publish({"mean_": np.mean(y)})

    def predict(self, X):
        return np.full(len(X), self.mean_)


class TestCallbacks:
    def test_they_reach_the_wrapped_estimator(self, capsys):
        wrapper = MixupWrapper(Loop(), random_state=0).set_callbacks(ProgressBar(max_propagation_depth=None))
        wrapper.fit(*DIABETES)
        shown = capsys.readouterr().out
        assert "MixupWrapper" in shown
        assert "Loop" in shown
        assert not hasattr(wrapper.estimator_, "_skl_callbacks")

    def test_scores_are_of_the_wrapper(self):
        monitor = ScoringMonitor(scoring="r2")
        wrapper = MixupWrapper(DecisionTreeRegressor(random_state=0), random_state=0).set_callbacks(monitor)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            wrapper.fit(*DIABETES)
        logged = monitor.get_logs().data_as_pandas
        assert_allclose(logged["r2"].iloc[-1], wrapper.score(*DIABETES))

    def test_inside_a_search(self, capsys):
        search = GridSearchCV(MixupWrapper(Loop(), random_state=0), {"alpha": [0.1, 1.0]}, cv=2)
        search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(*DIABETES)
        assert "Loop" in capsys.readouterr().out


def test_a_fit_that_is_interrupted_leaves_no_model():
    class Interrupted(RegressorMixin, BaseEstimator):
        def fit(self, X, y):
            raise KeyboardInterrupt

        def predict(self, X):
            return X[:, 0]

    wrapper = MixupWrapper(Interrupted())
    with pytest.raises(KeyboardInterrupt):
        wrapper.fit(*DIABETES)
    with pytest.raises(NotFittedError):
        wrapper.predict(DIABETES[0])


def test_a_fit_that_fails_leaves_the_model_before_it():
    rows, target = DIABETES
    wrapper = MixupWrapper(Ridge(), random_state=0).fit(rows, target)
    before = wrapper.predict(rows)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        wrapper.fit(rows[:, :3], target[:-1])
    assert wrapper.n_features_in_ == rows.shape[1]
    np.testing.assert_array_equal(wrapper.predict(rows), before)


def test_a_tree_gains_on_diabetes():
    tree = DecisionTreeRegressor(random_state=0)
    plain = cross_val_score(tree, *DIABETES, cv=10)
    mixed = cross_val_score(MixupWrapper(tree, alpha=1.0, random_state=0), *DIABETES, cv=10)
    assert np.mean(mixed - plain) > 0.08
