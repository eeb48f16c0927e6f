"""The optimal trees as estimators: against every tree there is, against scikit-learn's, and in its tools."""

import re

import numpy as np
import pytest
import shap
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_friedman1
from sklearn.ensemble import AdaBoostClassifier, AdaBoostRegressor, BaggingClassifier, BaggingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import partial_dependence
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, export_text, plot_tree

from skpapers.tree import (
    HierarchicalShrinkageClassifier,
    HierarchicalShrinkageRegressor,
    HierarchicalShrinkageRegressorCV,
    QuantBnBTree,
    QuantBnBTreeClassifier,
    QuantBnBTreeRegressor,
)
from tests._asserts import assert_rows_are_independent, assert_same_predictions, assert_unchanged_by
from tests._oracles import shrunken_prediction
from tests.tree import _optimal_tree_fuzz
from tests.tree._optimal_tree_oracle import fewest_leaves, optimal_objective

TREE_ARRAYS = ("children_left", "children_right", "feature", "n_node_samples")
TREE_NUMBERS = ("threshold", "weighted_n_node_samples", "impurity", "value")


def small_table(seed, n=24, p=2, levels=6, missing=0.0):
    """Tied numbers, three classes, weights."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, levels, size=(n, p)).astype(float)
    X[rng.uniform(size=X.shape) < missing] = np.nan
    y = np.nan_to_num(X[:, 0]) * np.nan_to_num(X[:, 1]) + rng.normal(scale=3, size=n)
    return X, y, np.digitize(y, [2.0, 6.0]), rng.uniform(0.2, 3.0, size=n)


def gini_target(codes):
    return np.eye(codes.max() + 1)[codes]


class TestObjective:
    """`objective_` is the least there is, in the unit that the documentation says."""

    @pytest.mark.parametrize("depth", [1, 2])
    @pytest.mark.parametrize("missing", [0.0, 0.2])
    @pytest.mark.parametrize("seed", range(3))
    def test_squared_error(self, depth, missing, seed):
        X, y, _, weight = small_table(seed, missing=missing)
        alpha = 0.3
        total = weight.sum()
        tree = QuantBnBTree(depth, ccp_alpha=alpha, min_samples_leaf=2).fit(X, y, weight)
        least = optimal_objective(
            X, y[:, None], weight, loss="squared_error", max_depth=depth, min_samples_leaf=2, leaf_cost=alpha * total
        )
        assert tree.objective_ == pytest.approx(least / total, rel=1e-9)
        assert tree.is_optimal_
        mse = np.average((y - tree.predict(X)) ** 2, weights=weight)
        assert tree.objective_ == pytest.approx(mse + alpha * tree.get_n_leaves(), rel=1e-9)

    @pytest.mark.parametrize("seed", range(3))
    def test_several_outputs(self, seed):
        X, y, codes, weight = small_table(seed)
        Y = np.column_stack([y, 3.0 * codes])
        tree = QuantBnBTree(2, ccp_alpha=0.1).fit(X, Y, weight)
        least = optimal_objective(X, Y, weight, loss="squared_error", max_depth=2, leaf_cost=0.1 * weight.sum() * 2)
        assert tree.objective_ == pytest.approx(least / weight.sum() / 2, rel=1e-9)
        mse = np.average(((Y - tree.predict(X)) ** 2).mean(axis=1), weights=weight)
        assert tree.objective_ == pytest.approx(mse + 0.1 * tree.get_n_leaves(), rel=1e-9)

    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize("missing", [0.0, 0.2])
    @pytest.mark.parametrize("seed", range(3))
    def test_misclassification(self, n_classes, missing, seed):
        X, _, codes, weight = small_table(seed, missing=missing)
        codes = np.minimum(codes, n_classes - 1)
        alpha = 0.02
        total = weight.sum()
        tree = QuantBnBTreeClassifier(2, ccp_alpha=alpha).fit(X, codes, weight)
        least = optimal_objective(X, codes, weight, loss="misclassification", max_depth=2, leaf_cost=alpha * total)
        assert tree.objective_ == pytest.approx(least / total, rel=1e-9)
        assert tree.is_optimal_
        wrong = np.average(tree.predict(X) != codes, weights=weight)
        assert tree.objective_ == pytest.approx(wrong + alpha * tree.get_n_leaves(), rel=1e-9)

    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize("seed", range(3))
    def test_gini(self, n_classes, seed):
        X, _, codes, weight = small_table(seed)
        codes = np.minimum(codes, n_classes - 1)
        alpha = 0.02
        total = weight.sum()
        tree = QuantBnBTreeClassifier(2, criterion="gini", ccp_alpha=alpha).fit(X, codes, weight)
        one_hot = gini_target(codes)
        least = optimal_objective(X, one_hot, weight, loss="squared_error", max_depth=2, leaf_cost=alpha * total)
        assert tree.objective_ == pytest.approx(least / total, rel=1e-9)
        assert tree.is_optimal_
        leaf = tree.tree_.children_left == -1
        gini = np.average(tree.tree_.impurity[leaf], weights=tree.tree_.weighted_n_node_samples[leaf])
        assert tree.objective_ == pytest.approx(gini + alpha * leaf.sum(), rel=1e-9)

    @pytest.mark.parametrize("sign", [-1, 1])
    @pytest.mark.parametrize("criterion", ["squared_error", "misclassification", "gini"])
    def test_monotonic_constraints(self, sign, criterion):
        X, y, codes, _ = small_table(5)
        cst = [sign, 0]
        binary = np.minimum(codes, 1)
        if criterion == "squared_error":
            tree = QuantBnBTree(2, monotonic_cst=cst).fit(X, y)
            target = y[:, np.newaxis]
        else:
            tree = QuantBnBTreeClassifier(2, criterion=criterion, monotonic_cst=cst).fit(X, binary)
            target = binary if criterion == "misclassification" else binary[:, np.newaxis].astype(float)
        loss = "misclassification" if criterion == "misclassification" else "squared_error"
        least = optimal_objective(X, target, loss=loss, max_depth=2, monotonic_cst=cst) / len(y)
        assert tree.objective_ == pytest.approx(least * (2 if criterion == "gini" else 1), rel=1e-9)
        assert tree.is_optimal_
        grid = np.stack(np.meshgrid(np.arange(-1, 7.0), np.arange(-1, 7.0)), axis=-1)
        flat = grid.reshape(-1, 2)
        said = tree.predict(flat) if criterion == "squared_error" else tree.predict_proba(flat)[:, 1]
        assert np.all(sign * np.diff(said.reshape(8, 8), axis=1) >= -1e-12)


class TestAgainstCart:
    """Of depth 1, and with a lookahead of 1, the optimum is CART's tree."""

    @staticmethod
    def assert_same_tree(ours, cart):
        for name in TREE_ARRAYS:
            assert_array_equal(getattr(ours.tree_, name), getattr(cart.tree_, name), err_msg=name)
        for name in TREE_NUMBERS:
            assert_allclose(getattr(ours.tree_, name), getattr(cart.tree_, name), rtol=1e-6, atol=1e-9, err_msg=name)
        assert_allclose(ours.feature_importances_, cart.feature_importances_, atol=1e-9)

    @pytest.mark.parametrize("n_outputs", [1, 2])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_a_stump_of_numbers(self, n_outputs, weighted):
        X, y = load_diabetes(return_X_y=True)
        y = y if n_outputs == 1 else np.column_stack([y, 300 * X[:, 2]])
        weight = np.random.default_rng(0).uniform(0.2, 3, size=len(y)) if weighted else None
        cart = DecisionTreeRegressor(max_depth=1, random_state=0).fit(X, y, weight)
        tree = QuantBnBTree(1).fit(X, y, weight)
        self.assert_same_tree(tree, cart)
        assert_allclose(tree.predict(X), cart.predict(X), rtol=1e-9)

    @pytest.mark.parametrize("weighted", [False, True])
    def test_a_stump_of_classes(self, weighted):
        X, y = load_breast_cancer(return_X_y=True)
        names = np.array(["bad", "good"])[y]
        weight = np.random.default_rng(0).uniform(0.2, 3, size=len(y)) if weighted else None
        cart = DecisionTreeClassifier(max_depth=1, random_state=0).fit(X, names, weight)
        tree = QuantBnBTreeClassifier(1, criterion="gini").fit(X, names, weight)
        self.assert_same_tree(tree, cart)
        assert_array_equal(tree.predict(X), cart.predict(X))
        assert_allclose(tree.predict_proba(X), cart.predict_proba(X), rtol=1e-9)
        assert_array_equal(tree.classes_, cart.classes_)
        assert tree.n_classes_ == cart.n_classes_
        assert tree.max_features_ == cart.max_features_

    def test_lookahead_of_one(self):
        rng = np.random.default_rng(0)
        X = rng.integers(-1000, 1000, size=(400, 3)) / 8
        y = X[:, 0] * X[:, 1] + rng.normal(size=400)
        cart = DecisionTreeRegressor(max_depth=4, min_samples_leaf=15, random_state=0).fit(X, y)
        self.assert_same_tree(QuantBnBTree(4, lookahead=1, min_samples_leaf=15).fit(X, y), cart)

    def test_what_stands_in_the_trees_is_not_a_parameter(self):
        for kind, n in ((QuantBnBTree, 10), (QuantBnBTreeClassifier, 11)):
            params = kind().get_params()
            assert len(params) == n
            assert "random_state" not in params
            assert clone(kind(3, lookahead=2)).get_params() == kind(3, lookahead=2).get_params()
        assert isinstance(QuantBnBTree(), DecisionTreeRegressor)
        assert isinstance(QuantBnBTreeClassifier(), DecisionTreeClassifier)

    def test_the_path_of_prunings_is_not_there(self):
        for model in (QuantBnBTree(), QuantBnBTreeClassifier()):
            assert not hasattr(model, "cost_complexity_pruning_path")
            with pytest.raises(AttributeError, match="Search over ccp_alpha"):
                _ = model.cost_complexity_pruning_path


class TestWeights:
    @pytest.mark.parametrize(
        "params", [{}, {"class_weight": "balanced"}, {"class_weight": {0: 2, 1: 0, 2: 1}}], ids=str
    )
    @pytest.mark.parametrize("criterion", ["misclassification", "gini"])
    def test_repeated_rows_of_classes(self, criterion, params):
        X, y = load_iris(return_X_y=True)
        weight = np.random.default_rng(0).integers(0, 4, size=len(y))
        model = QuantBnBTreeClassifier(criterion=criterion, ccp_alpha=0.001, **params)
        by_weight = clone(model).fit(X, y, weight)
        by_rows = clone(model).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
        assert by_weight.objective_ == pytest.approx(by_rows.objective_, rel=1e-12)
        assert_allclose(by_weight.predict_proba(X), by_rows.predict_proba(X), atol=1e-12)

    def test_repeated_rows_of_numbers(self):
        X, y = load_diabetes(return_X_y=True)
        weight = np.random.default_rng(0).integers(0, 4, size=len(y))
        by_weight = QuantBnBTree(ccp_alpha=1.0).fit(X, y, weight)
        by_rows = QuantBnBTree(ccp_alpha=1.0).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
        assert by_weight.objective_ == pytest.approx(by_rows.objective_, rel=1e-12)
        assert_allclose(by_weight.predict(X), by_rows.predict(X), rtol=1e-12)
        assert_array_equal(by_weight.tree_.threshold, by_rows.tree_.threshold)

    def test_class_weights_are_row_weights(self):
        X, y = load_iris(return_X_y=True)
        X = X[20:]
        y = y[20:]
        balanced = (len(y) / (3 * np.bincount(y)))[y]
        for class_weight, weight in (("balanced", balanced), ({0: 1, 1: 3, 2: 0.5}, np.array([1, 3, 0.5])[y])):
            by_class = QuantBnBTreeClassifier(class_weight=class_weight).fit(X, y)
            by_row = QuantBnBTreeClassifier().fit(X, y, weight)
            assert_same_predictions(by_class, by_row, X)
            assert by_class.objective_ == pytest.approx(by_row.objective_, rel=1e-12)

    @pytest.mark.parametrize("scale", [2.0**-1000, 1e-200, 1e-9, 3.0, 1024.0, 1e200, 1e300, 2.0**1015])
    @pytest.mark.parametrize("kind", [QuantBnBTree, QuantBnBTreeClassifier])
    def test_the_scale_of_the_weights_does_not_matter(self, kind, scale):
        X, y = load_iris(return_X_y=True)
        weight = np.random.default_rng(0).uniform(0.1, 1.0, size=len(y))
        one, many = (kind(ccp_alpha=0.01).fit(X, y, factor * weight) for factor in (1.0, scale))
        assert_array_equal(one.tree_.threshold, many.tree_.threshold)
        assert_allclose(many.predict(X), one.predict(X), rtol=1e-12)
        assert many.objective_ == pytest.approx(one.objective_, rel=1e-12)
        assert_allclose(many.tree_.impurity, one.tree_.impurity, rtol=1e-9, atol=1e-15)
        assert_allclose(many.tree_.weighted_n_node_samples / scale, one.tree_.weighted_n_node_samples, rtol=1e-12)
        assert_allclose(many.feature_importances_, one.feature_importances_, rtol=1e-12)
        assert_proved(many)

    @pytest.mark.parametrize("scale", [1e-300, 1e-165, 1e-20, 1e20, 1e150, 1e200, 1e300])
    def test_the_scale_of_the_target_does_not_matter(self, scale):
        X, y = make_friedman1(300, random_state=0)
        weight = np.random.default_rng(0).uniform(0.1, 1.0, size=len(y))
        for w in (None, weight, weight * 1e300):
            one = QuantBnBTree().fit(X, y, w)
            many = QuantBnBTree().fit(X, scale * y, w)
            assert_array_equal(one.tree_.threshold, many.tree_.threshold)
            assert_allclose(many.predict(X) / scale, one.predict(X), rtol=1e-12)
            assert_allclose(many.feature_importances_, one.feature_importances_, rtol=1e-9)
            if 1e-154 < scale < 1e154:  # squares are numbers
                assert many.objective_ == pytest.approx(scale**2 * one.objective_, rel=1e-12)
                assert_allclose(many.tree_.impurity, scale**2 * one.tree_.impurity, rtol=1e-9)
            assert_proved(many)

    @pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, 1e15, 1.7e18, 1e300, -1.7e308])
    def test_each_output_is_judged_on_its_own_scale(self, constant):
        X = np.arange(6.0)[:, np.newaxis]
        for step in (1.0, 1e-9, 1e-200):
            y = np.column_stack([np.full(6, constant), step * np.repeat([0, 1], 3)])
            tree = QuantBnBTree(1).fit(X, y)
            assert tree.tree_.node_count == 3
            assert (tree.objective_, tree.tree_.impurity[1], tree.tree_.impurity[2]) == (0.0, 0.0, 0.0)
            assert_array_equal(tree.predict(X), y)
            assert_proved(tree)

    @pytest.mark.parametrize("offset", [1e9, -1e15, 1e300])
    def test_values_that_differ_in_the_last_digits(self, offset):
        X = np.arange(6.0)[:, np.newaxis]
        y = np.full(6, offset)
        y[3:] = np.nextafter(offset, np.inf)
        tree = QuantBnBTree(2).fit(X, y)
        assert tree.tree_.node_count == 3
        assert tree.objective_ == 0.0
        assert_array_equal(tree.predict(X), y)
        assert_proved(tree)

    def test_targets_of_the_whole_range(self):
        X = np.arange(4.0)[:, np.newaxis]
        y = np.array([-1.7e308, -1.7e308, 1.7e308, 1.7e308])
        tree = QuantBnBTree(2).fit(X, y)
        assert_array_equal(tree.predict(X), y)
        assert tree.feature_importances_ == 1.0
        assert_proved(tree)

    @pytest.mark.parametrize("kind", [QuantBnBTree, QuantBnBTreeClassifier])
    def test_weights_that_rounding_loses_are_no_error(self, kind):
        for seed in range(10):
            rng = np.random.default_rng(seed)
            X = rng.normal(size=(30, 2))
            y = rng.integers(0, 2, size=30)
            tree = kind(3).fit(X, y, rng.choice([1e-20, 1.0], size=30))
            assert np.isfinite(tree.objective_)


class TestFloat64:
    @pytest.mark.parametrize(("offset", "step"), [(0.5, 1e-9), (1e8, 1e-3)])
    def test_values_that_float32_merges_stay_apart(self, offset, step):
        """The tools that see float32, `tree_` itself among them, cannot tell these rows apart; the estimator can."""
        X = offset + step * np.arange(8.0)[:, np.newaxis]
        y = np.array([0, 0, 1, 1, 1, 2, 2, 2])
        classifier = QuantBnBTreeClassifier(2).fit(X, y)
        regressor = QuantBnBTree(2).fit(X, y)
        assert classifier.objective_ == 0.0
        assert_array_equal(classifier.predict(X), y)
        assert_array_equal(classifier.predict_proba(X), np.eye(3)[y])
        assert_allclose(regressor.predict(X), y, atol=1e-12)
        assert len(set(classifier.apply(X))) == 3
        assert_array_equal(classifier.decision_path(X).toarray().sum(axis=0), classifier.tree_.n_node_samples)
        assert len(np.unique(X.astype(np.float32))) == 1
        assert len(set(regressor.tree_.apply(X.astype(np.float32)))) == 1

    def test_tools_agree_where_float32_tells_values_apart(self):
        X, y = load_diabetes(return_X_y=True)
        tree = QuantBnBTree(2).fit(X, y)
        low = X.astype(np.float32)
        assert_array_equal(tree.apply(X), tree.tree_.apply(low))
        assert_array_equal(tree.decision_path(X).toarray(), tree.tree_.decision_path(low).toarray())
        assert_array_equal(tree.predict(X), tree.tree_.predict(low)[:, 0])

    def test_the_kind_of_sparse_matrix_is_scikit_learns(self):
        X, y = load_iris(return_X_y=True)
        cart = DecisionTreeClassifier(max_depth=2).fit(X, y)
        tree = QuantBnBTreeClassifier().fit(X, y)
        for interface in ("spmatrix", "sparray"):
            with sklearn.config_context(sparse_interface=interface):
                assert type(tree.decision_path(X)) is type(cart.decision_path(X))

    def test_unchecked_input(self):
        X, y = load_iris(return_X_y=True)
        plain = QuantBnBTreeClassifier().fit(X, y)
        tree = QuantBnBTreeClassifier().fit(X, y, check_input=False)
        for method in ("predict", "predict_proba", "apply"):
            assert_array_equal(getattr(tree, method)(X, check_input=False), getattr(plain, method)(X))
        with pytest.raises(ValueError, match="expecting 4 features"):
            tree.predict(X[:, :2], check_input=False)

    @pytest.mark.parametrize("n_features", [3, 4])
    def test_unchecked_rows_of_another_type_are_converted(self, n_features):
        X, y = load_iris(return_X_y=True)
        X = X[:, :n_features].astype(np.float32)
        plain = QuantBnBTree().fit(X, y)
        tree = QuantBnBTree().fit(np.asfortranarray(X), y, check_input=False)
        assert_array_equal(tree.tree_.threshold, plain.tree_.threshold)

    def test_warnings_point_at_the_fit_of_a_pipeline(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(500, 5))
        y = rng.normal(size=500)
        model = make_pipeline(StandardScaler(), QuantBnBTree(3, time_limit=1e-9))
        with pytest.warns(ConvergenceWarning, match="time_limit") as caught:
            model.fit(X, y)
        assert caught[0].filename == __file__


def assert_proved(tree):
    assert tree.is_optimal_ is True
    assert tree.gap_ == 0.0
    assert tree.lower_bound_ == tree.objective_


@pytest.mark.filterwarnings("error")
class TestCertificate:
    """A search that ran to its end is a proof, whatever rounding makes of its numbers."""

    def test_a_single_leaf(self):
        for seed in range(10):
            rng = np.random.default_rng(seed)
            X = rng.normal(size=(300, 3))
            y = rng.normal(size=300)
            number = QuantBnBTree(2, ccp_alpha=1.1 * y.var()).fit(X, y)  # a second leaf costs more than it can save
            assert number.objective_ == pytest.approx(2.1 * y.var())
            classes = QuantBnBTreeClassifier(2, ccp_alpha=0.6, class_weight="balanced").fit(X, y > 0)
            assert classes.objective_ == pytest.approx(0.5 + 0.6)
            for tree in (number, classes):
                assert tree.get_n_leaves() == 1
                assert_proved(tree)

    @pytest.mark.parametrize("alpha", [1e200, 1e300])
    def test_leaves_of_any_cost(self, alpha):
        X, y = load_diabetes(return_X_y=True)
        for scale in (1.0, 1e-165):
            tree = QuantBnBTree(ccp_alpha=alpha).fit(X, scale * y)
            assert tree.objective_ == alpha
            assert_proved(tree)

    def test_targets_of_little_signal(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(20_000, 2)).round(1)
        y = rng.normal(size=20_000)
        assert_proved(QuantBnBTree(2, min_samples_leaf=0.05).fit(X, y))

    def test_weights_that_do_not_sum_up_exactly(self):
        X = np.arange(3.0)[:, np.newaxis]
        tree = QuantBnBTreeClassifier(1).fit(X, [1, 0, 1], [0.9, 0.8, 0.9])
        assert tree.objective_ == pytest.approx(0.8 / 2.6, rel=1e-15)
        assert_proved(tree)

    @pytest.mark.parametrize("kind", [QuantBnBTree, QuantBnBTreeClassifier])
    def test_an_optimum_of_no_loss(self, kind):
        X = np.arange(8.0)[:, np.newaxis]
        weight = np.full(8, 0.1) * np.arange(1, 9)
        for y in (np.zeros(8), X[:, 0] // 2, X[:, 0] // 4):
            tree = kind(2).fit(X, y, weight)
            assert tree.objective_ == 0.0
            assert_proved(tree)

    @pytest.mark.parametrize("depth", [1, 2, 3])
    def test_random_fits(self, depth):
        for seed in range(100 * depth, 100 * depth + 100):
            _optimal_tree_fuzz.check(seed)

    @pytest.mark.slow
    def test_many_random_fits(self):
        for seed in range(1000, 11_000):
            _optimal_tree_fuzz.check(seed)


class TestFewestLeaves:
    @pytest.mark.parametrize("depth", [1, 2, 3, 4])
    @pytest.mark.parametrize(
        "model",
        [QuantBnBTreeClassifier(), QuantBnBTreeClassifier(criterion="gini"), QuantBnBTree()],
        ids=["misclassification", "gini", "squared_error"],
    )
    def test_pure_nodes_are_not_split(self, model, depth):
        X = np.arange(4.0)[:, np.newaxis]
        y = np.array([0, 0, 1, 1])
        for weight in (None, [0.1, 0.2, 0.3, 0.7]):
            for alpha in (0.0, 1e-9):
                tree = clone(model).set_params(max_depth=depth, ccp_alpha=alpha).fit(X, y, weight)
                assert (tree.get_depth(), tree.get_n_leaves()) == (1, 2)
                assert tree.objective_ == pytest.approx(2 * alpha, abs=1e-15)

    def test_iris(self):
        X, y = load_iris(return_X_y=True)
        tree = QuantBnBTreeClassifier(2).fit(X, y)
        assert tree.get_n_leaves() == 3
        assert tree.objective_ == 6 / 150

    def test_a_cost_of_leaves_that_equals_what_they_save(self):
        X = np.arange(6.0)[:, np.newaxis]
        y = np.array([0, 0, 0, 0, 0, 1])
        for weight in (None, np.full(6, 0.1), [0.1, 0.2, 0.3, 0.1, 0.2, 0.1]):
            share = np.average(y, weights=weight)
            assert QuantBnBTreeClassifier(2, ccp_alpha=share).fit(X, y, weight).get_n_leaves() == 1
            assert QuantBnBTreeClassifier(2, ccp_alpha=0.99 * share).fit(X, y, weight).get_n_leaves() == 2

    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("depth", [2, 3])
    def test_among_all_trees(self, depth, seed):
        X, y, codes, weight = small_table(seed, levels=3)
        y = y.round(-1)
        for model, target, loss in (
            (QuantBnBTree(depth), y[:, np.newaxis], "squared_error"),
            (QuantBnBTree(depth), np.column_stack([y, codes]), "squared_error"),
            (QuantBnBTreeClassifier(depth), codes, "misclassification"),
            (QuantBnBTreeClassifier(depth, criterion="gini"), codes, "squared_error"),
        ):
            seen = gini_target(codes) if model.criterion == "gini" else target
            for w in (None, weight):
                tree = model.fit(X, target, w)
                assert tree.get_n_leaves() == fewest_leaves(X, seen, w, loss=loss, max_depth=depth)


class TestMissingValues:
    def test_the_direction_is_learned(self):
        rng = np.random.default_rng(0)
        X = rng.uniform(size=(60, 2))
        X[::3, 0] = np.nan
        for side in (0, 1):
            y = np.where(np.isnan(X[:, 0]), side, X[:, 0] > 0.5).astype(int)
            tree = QuantBnBTreeClassifier(1).fit(X, y)
            assert tree.objective_ == 0.0
            assert tree.predict([[np.nan, 0.3]]) == [side]

    def test_missing_or_not_is_a_split(self):
        X = np.array([[1.0], [2], [3], [np.nan], [np.nan], [4]])
        y = np.isnan(X[:, 0]).astype(float)
        tree = QuantBnBTree(1).fit(X, y)
        assert_array_equal(tree.predict(X), y)
        assert_array_equal(tree.predict([[1e300], [-1e300]]), [0, 0])

    @pytest.mark.parametrize(("weight", "side"), [(None, 0), ([1, 1, 1, 5, 1], 1)])
    def test_unseen_missing_values_follow_the_weight(self, weight, side):
        tree = QuantBnBTreeClassifier(1).fit([[1.0], [2], [3], [8], [9]], [0, 0, 0, 1, 1], weight)
        assert tree.predict([[np.nan]]) == [side]

    def test_a_column_without_values_is_not_used(self):
        X, y = load_diabetes(return_X_y=True)
        empty = np.full((len(y), 1), np.nan)
        tree = QuantBnBTree(2).fit(np.hstack([empty, X]), y)
        assert tree.objective_ == pytest.approx(QuantBnBTree(2).fit(X, y).objective_, rel=1e-12)
        assert tree.feature_importances_[0] == 0
        alone = QuantBnBTree(2).fit(empty, y)
        assert alone.tree_.node_count == 1
        assert_allclose(alone.predict([[np.nan], [3.0]]), y.mean())


class TestTools:
    def test_text_and_pictures(self):
        X, y = load_iris(return_X_y=True)
        tree = QuantBnBTreeClassifier(2).fit(X, y)
        assert export_text(tree).count("class:") == tree.get_n_leaves()
        assert "misclassification = 0.667" in plot_tree(tree)[0].get_text()
        X, y = load_diabetes(return_X_y=True)
        assert "squared_error" in plot_tree(QuantBnBTree(2).fit(X, y))[0].get_text()

    @pytest.mark.parametrize("criterion", ["misclassification", "gini"])
    def test_importances(self, criterion):
        X, y = load_iris(return_X_y=True)
        tree = QuantBnBTreeClassifier(2, criterion=criterion).fit(X, y)
        assert tree.feature_importances_.sum() == pytest.approx(1.0)
        used = set(tree.tree_.feature[tree.tree_.feature >= 0])
        assert set(np.flatnonzero(tree.feature_importances_ > 0)) <= used
        assert tree.get_depth() == 2

    def test_shap(self):
        X, y = load_diabetes(return_X_y=True)
        tree = QuantBnBTree(2).fit(X, y)
        explanation = shap.TreeExplainer(tree)(X[:20])
        assert_allclose(explanation.values.sum(axis=1) + explanation.base_values, tree.predict(X[:20]), rtol=1e-6)
        X, y = load_iris(return_X_y=True)
        tree = QuantBnBTreeClassifier(2).fit(X, y)
        explanation = shap.TreeExplainer(tree)(X[:20])
        said = explanation.values.sum(axis=1) + explanation.base_values
        assert_allclose(said, tree.predict_proba(X[:20]), atol=1e-6)

    def test_partial_dependence(self):
        X, y = load_diabetes(return_X_y=True)
        tree = QuantBnBTree(1).fit(X, y)
        (feature,) = np.flatnonzero(tree.feature_importances_)
        fast = partial_dependence(tree, X, [feature], method="recursion")
        brute = partial_dependence(tree, X, [feature], method="brute")
        assert_allclose(fast["average"], brute["average"], rtol=1e-9)

    def test_bagging_and_boosting(self):
        X, y = load_diabetes(return_X_y=True)
        for ensemble in (BaggingRegressor, AdaBoostRegressor):
            model = ensemble(QuantBnBTree(2), n_estimators=5, random_state=0).fit(X, y)
            assert model.score(X, y) > 0.3
            assert all(isinstance(member, QuantBnBTree) for member in model.estimators_)
        X, y = load_iris(return_X_y=True)
        for ensemble in (BaggingClassifier, AdaBoostClassifier):
            model = ensemble(QuantBnBTreeClassifier(2), n_estimators=5, random_state=0).fit(X, y)
            assert model.score(X, y) > 0.9

    @pytest.mark.parametrize("kind", ["regressor", "classifier"])
    def test_shrinkage(self, kind):
        if kind == "regressor":
            X, y = load_diabetes(return_X_y=True)
            tree = QuantBnBTree(2)
            shrink = HierarchicalShrinkageRegressor
            say = "predict"
        else:
            X, y = load_iris(return_X_y=True)
            tree = QuantBnBTreeClassifier(2)
            shrink = HierarchicalShrinkageClassifier
            say = "predict_proba"
        assert_unchanged_by(lambda: shrink(tree, reg_param=9).fit(X, y), tree)
        shrunken = shrink(tree, reg_param=9).fit(X, y)
        assert type(shrunken.estimator_) is type(tree)
        plain = clone(tree).fit(X, y).tree_
        expected = np.array([shrunken_prediction(plain, x, 9) for x in X])
        assert_allclose(getattr(shrunken, say)(X), expected[:, 0] if kind == "regressor" else expected, rtol=1e-9)
        assert_same_predictions(shrink(tree, reg_param=0).fit(X, y), clone(tree).fit(X, y), X)

    def test_chosen_shrinkage(self):
        X, y = load_diabetes(return_X_y=True)
        model = HierarchicalShrinkageRegressorCV(QuantBnBTree(2), reg_params=[0, 10, 1000], cv=3).fit(X, y)
        assert model.cv_results_["mean_test_score"].max() > 0.2
        assert np.ptp(model.cv_results_["mean_test_score"]) > 0


class TestBadInput:
    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"max_depth": 0}, "'max_depth' parameter"),
            ({"max_depth": None}, "'max_depth' parameter"),
            ({"lookahead": 3}, "lookahead=3 must not exceed max_depth=2"),
            ({"lookahead": 0}, "'lookahead' parameter"),
            ({"min_samples_leaf": 0}, "'min_samples_leaf' parameter"),
            ({"min_samples_leaf": 1.0}, "'min_samples_leaf' parameter"),
            ({"ccp_alpha": -1.0}, "'ccp_alpha' parameter"),
            ({"time_limit": 0}, "'time_limit' parameter"),
            ({"tol": -0.1}, "'tol' parameter"),
            ({"criterion": "entropy"}, "'criterion' parameter"),
            ({"monotonic_cst": [1]}, "monotonic_cst has shape (1,) but the input data X has 4 features"),
            ({"monotonic_cst": [1, 2, 0, 0]}, "monotonic_cst must be None or an array-like of -1, 0 or 1"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("kind", [QuantBnBTree, QuantBnBTreeClassifier])
    def test_parameters(self, kind, params, message):
        X, y = load_iris(return_X_y=True)
        with pytest.raises(ValueError, match=re.escape(message)):
            kind(**params).fit(X[:100], y[:100])

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (np.array([0.0, 1.0, np.inf]), "contains infinity"),
            (np.array([0.0, 1.0, np.nan]), "contains NaN"),
            (np.array(["a", "b", np.nan], dtype=object), "contains NaN"),
            (np.array([0.5, 1.0, 2.0]), "Unknown label type"),
        ],
        ids=str,
    )
    def test_labels(self, labels, message):
        with pytest.raises(ValueError, match=message):
            QuantBnBTreeClassifier().fit([[0.0], [1.0], [2.0]], labels)

    @pytest.mark.parametrize("kind", [QuantBnBTree, QuantBnBTreeClassifier])
    def test_rows_and_weights(self, kind):
        X, y = load_iris(return_X_y=True)
        with pytest.raises(ValueError, match="contains infinity"):
            kind().fit(np.where(X > 7, np.inf, X), y)
        with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
            kind().fit(X, y, -np.ones(len(y)))
        with pytest.raises(ValueError, match="at least one non-zero"):
            kind().fit(X, y, np.zeros(len(y)))
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            kind().fit(X, y[:-1])
        with pytest.raises(ValueError, match="contains infinity"):
            kind().fit(X, y).predict([[np.inf, 0, 0, 0]])
        with pytest.raises(TypeError, match="dense data is required"):
            kind().fit(csr_array(X), y)

    def test_monotonic_constraints_that_mean_nothing(self):
        X, y = load_iris(return_X_y=True)
        cst = [1, 0, 0, 0]
        with pytest.raises(ValueError, match="multiclass"):
            QuantBnBTreeClassifier(monotonic_cst=cst).fit(X, y)
        with pytest.raises(ValueError, match="multiple outputs"):
            QuantBnBTree(monotonic_cst=cst).fit(X, np.column_stack([y, y]))
        X[0, 2] = np.nan
        with pytest.raises(ValueError, match="missing values"):
            QuantBnBTree(monotonic_cst=cst).fit(X, y)
        assert QuantBnBTree(monotonic_cst=[0, 0, 0, 0]).fit(X, y).is_optimal_

    def test_classes(self):
        X, y = load_iris(return_X_y=True)
        with pytest.raises(ValueError, match="y should be a 1d array"):
            QuantBnBTreeClassifier().fit(X, np.column_stack([y, y]))
        with pytest.raises(ValueError, match="Unknown label type: continuous"):
            QuantBnBTreeClassifier().fit(X, y + 0.5 * (X[:, 0] > 5))

    @pytest.mark.parametrize("kind", [QuantBnBTree, QuantBnBTreeClassifier])
    def test_little_to_learn_from(self, kind):
        for X, y in (([[1.0]], [3]), ([[1.0], [2.0]], [3, 3]), ([[1.0], [1.0]], [3, 3]), ([[np.nan]], [3])):
            tree = kind().fit(X, y)
            assert tree.tree_.node_count == 1
            assert (tree.objective_, tree.gap_, tree.is_optimal_) == (0.0, 0.0, True)
            assert_array_equal(tree.predict([[0.0], [np.nan]]), [3, 3])


@pytest.mark.parametrize("labels", [[-1, 1, 5], ["x", "y", "z"], [0.0, 2.0, 4.0]], ids=str)
def test_labels_are_names(labels):
    X, y = load_iris(return_X_y=True)
    plain = QuantBnBTreeClassifier().fit(X, y)
    named = QuantBnBTreeClassifier().fit(X, np.array(labels)[y])
    assert_array_equal(named.predict(X), np.array(labels)[plain.predict(X)])
    assert_array_equal(named.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_predictions(n_jobs):
    """A row's prediction is its own, predicting changes nothing, and threads do not change the tree."""
    X, y = load_iris(return_X_y=True)
    tree = QuantBnBTreeClassifier(n_jobs=n_jobs).fit(X, y)
    assert_rows_are_independent(tree, X)
    assert_unchanged_by(lambda: tree.predict_proba(X), tree)
    assert_same_predictions(tree, QuantBnBTreeClassifier().fit(X, y), X)


def test_the_other_name():
    assert QuantBnBTreeRegressor is QuantBnBTree


@pytest.mark.parametrize(
    "model",
    [
        QuantBnBTree(),
        QuantBnBTree(ccp_alpha=0.01),
        QuantBnBTreeClassifier(),
        QuantBnBTreeClassifier(criterion="gini", ccp_alpha=0.01, class_weight="balanced"),
    ],
)
def test_weights_are_repeated_rows(model):
    """Unweighted errors take another way through the code: there the objective and the number of leaves agree."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = rng.uniform(size=(15, 30))
        y = rng.integers(0, 3, size=15)
        weight = rng.integers(0, 5, size=15)
        weighted = clone(model).fit(X, y, sample_weight=weight)
        repeated = clone(model).fit(X.repeat(weight, axis=0), y.repeat(weight))
        assert_allclose(weighted.objective_, repeated.objective_, rtol=1e-12, atol=1e-14)
        assert weighted.get_n_leaves() == repeated.get_n_leaves()
        assert weighted.is_optimal_
        assert repeated.is_optimal_
    X = small_table(0, n=200, p=3, levels=50)[0]
    y = (X[:, 0] > 20) + 2.0 * (X[:, 1] > 30) + 0.01 * X[:, 2]
    weight = np.random.default_rng(0).integers(0, 5, size=200)
    if isinstance(model, QuantBnBTree):
        weighted = clone(model).fit(X, y, sample_weight=weight)
        repeated = clone(model).fit(X.repeat(weight, axis=0), y.repeat(weight))
        assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-12)
