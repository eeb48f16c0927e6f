"""The fit around the solver: certificates, warnings, progress, callbacks, threads, and fits that fail.

The solver is replaced by one that says what a test wants it to say.
"""

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import ConvergenceWarning

from skpapers.tree import QuantBnBTree, QuantBnBTreeClassifier, _optimal_tree
from skpapers.tree._quant_bnb_solution import Solution
from tests._asserts import assert_same_predictions

X = np.arange(8.0).reshape(-1, 1)
Y = np.array([0.0, 0, 0, 0, 2, 2, 2, 4])
# The solver sees Y over 2^3, so that its range is below 1, and returns losses in the square of this unit.
UNIT = 4.0**3


def stump(objective=3.0, lower_bound=3.0, root_loss=15.0, *, finished=True, proved=None):
    """Return a solution with one split in the middle of X; it is proved if finished, unless `proved` is given."""
    return Solution(
        children_left=np.array([1, -1, -1]),
        children_right=np.array([2, -1, -1]),
        feature=np.array([0, -2, -2]),
        threshold=np.array([3.5, -2.0, -2.0]),
        missing_go_to_left=np.array([True, False, False]),
        loss=objective / UNIT,
        objective=objective / UNIT,
        lower_bound=lower_bound / UNIT,
        root_loss=root_loss / UNIT,
        n_nodes_explored=17,
        finished=finished,
        proved=finished if proved is None else proved,
    )


@pytest.fixture
def say(monkeypatch):
    """Return a function that sets the solver's answer (or error) and reports, and a dict of what it was asked."""
    asked = {}

    def set_answer(answer=None, reports=()):
        def solve(X, target, weight, *, report=None, **settings):
            order = np.argsort(X[:, 0])  # the rows come in an order of their own
            weight = None if weight is None else weight[order]
            asked.update(settings, X=X[order], target=target[order], weight=weight, report=report)
            for figures in reports if report else ():
                report(*figures)
            if isinstance(answer, BaseException):
                raise answer
            return stump() if answer is None else answer

        monkeypatch.setattr(_optimal_tree, "solve", solve)
        return asked

    return set_answer


class TestCertificate:
    def test_a_proved_optimum(self, say):
        say()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = QuantBnBTree().fit(X, Y)
        assert tree.objective_ == tree.lower_bound_ == 3.0 / 8
        assert tree.gap_ == 0.0
        assert tree.is_optimal_ is True
        assert tree.n_nodes_explored_ == 17

    @pytest.mark.parametrize(("finished", "word"), [(False, "time_limit=2 s"), (True, "tol=0.5")])
    def test_a_search_that_was_ended(self, say, finished, word):
        say(stump(objective=3.0, lower_bound=1.0, finished=finished, proved=False))
        with pytest.warns(ConvergenceWarning) as caught:
            tree = QuantBnBTree(time_limit=2, tol=0.5).fit(X, Y)
        (warning,) = caught
        assert warning.filename == __file__
        for part in (word, "14.29%", "lower bound 0.125", "objective of 0.375"):
            assert part in str(warning.message)
        assert (tree.objective_, tree.lower_bound_) == (3.0 / 8, 1.0 / 8)
        assert tree.gap_ == pytest.approx(2.0 / 14.0)  # of what could be removed from the root
        assert tree.is_optimal_ is False

    def test_a_time_limit_that_came_with_the_proof(self, say):
        say(stump(finished=False, proved=True))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert QuantBnBTree(time_limit=2).fit(X, Y).is_optimal_

    @pytest.mark.parametrize("finished", [True, False])
    def test_lookahead_proves_nothing(self, say, finished):
        say(stump(lower_bound=np.nan, finished=finished, proved=False))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            tree = QuantBnBTree(3, lookahead=2, time_limit=2).fit(X, Y)
        assert [warning.category for warning in caught] == ([] if finished else [ConvergenceWarning])
        assert all("an unknown gap" in str(warning.message) for warning in caught)
        assert np.isnan(tree.gap_)
        assert np.isnan(tree.lower_bound_)
        assert tree.is_optimal_ is False

    def test_nothing_to_remove(self, say):
        say(stump(0.0, 0.0, 0.0))
        assert QuantBnBTree().fit(X, np.zeros(8)).gap_ == 0.0

    def test_a_single_leaf_of_which_nothing_is_known(self, say):
        leaf = {name: getattr(stump(), name)[2:] for name in Solution._fields[:5]}
        say(stump(15.0, 0.0, 15.0, finished=False)._replace(**leaf))
        with pytest.warns(ConvergenceWarning, match="100.00%"):
            assert QuantBnBTree(time_limit=1).fit(X, Y).gap_ == 1.0

    @pytest.mark.parametrize(("objective", "root_loss"), [(3.0, 15.0), (15.0 + 1e-14, 15.0), (3.0, 3.0), (0.0, 0.0)])
    @pytest.mark.parametrize("error", [-1e-12, -1e-15, 0.0, 1e-15, 1e-12])
    def test_what_is_proved_does_not_depend_on_rounding(self, say, objective, root_loss, error):
        say(stump(objective, objective + error, root_loss))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = QuantBnBTree().fit(X, Y)
        assert tree.lower_bound_ == tree.objective_ == objective / 8
        assert tree.gap_ == 0.0
        assert tree.is_optimal_ is True

    @pytest.mark.parametrize("root_loss", [3.0 - 1e-14, 3.0, 15.0])
    @pytest.mark.parametrize("missing", [1e-12, 1.0, 3.0])
    def test_a_gap_is_between_0_and_1(self, say, root_loss, missing):
        say(stump(3.0, 3.0 - missing, root_loss, finished=False))
        with pytest.warns(ConvergenceWarning):
            tree = QuantBnBTree(time_limit=1).fit(X, Y)
        assert 0.0 < tree.gap_ <= 1.0
        assert tree.lower_bound_ < tree.objective_
        assert tree.is_optimal_ is False


class TestWhatTheSolverIsAsked:
    def test_settings(self, say):
        asked = say()
        cst = [1]
        model = QuantBnBTree(3, lookahead=2, min_samples_leaf=2, monotonic_cst=cst, time_limit=9.0, tol=0.1)
        model.fit(X, Y)
        assert asked["loss"] == "squared_error"
        assert (asked["max_depth"], asked["lookahead"], asked["min_samples_leaf"]) == (3, 2, 2)
        assert (asked["time_limit"], asked["tol"], asked["n_jobs"]) == (9.0, 0.1, 1)
        assert asked["monotonic_cst"].dtype == np.int8
        assert asked["weight"] is None
        assert asked["report"] is None
        assert_array_equal(asked["target"], (Y - Y.mean())[:, np.newaxis] / 2.0**3)

    def test_lookahead_of_the_whole_depth_is_none(self, say):
        asked = say()
        QuantBnBTree(2, lookahead=2).fit(X, Y)
        assert asked["lookahead"] is None

    @pytest.mark.parametrize(("fraction", "rows"), [(0.25, 2), (0.26, 3), (0.01, 1)])
    def test_a_fraction_of_the_rows_in_each_leaf(self, say, fraction, rows):
        asked = say()
        QuantBnBTree(min_samples_leaf=fraction).fit(X, Y)
        assert asked["min_samples_leaf"] == rows

    def test_even_weights_are_none_at_all(self, say):
        asked = say()
        tree = QuantBnBTree(ccp_alpha=0.5).fit(X, Y, np.full(8, 3.0))
        assert asked["weight"] is None
        assert asked["leaf_cost"] == 0.5 * 8 / UNIT
        assert tree.objective_ == 3.0 / 8 + 0.5 * 2
        assert_array_equal(tree.tree_.weighted_n_node_samples, [24, 12, 12])

    def test_rows_of_weight_zero_are_not_there(self, say):
        asked = say()
        QuantBnBTree(ccp_alpha=0.5).fit(X, Y, [0, 1, 1, 1, 2, 2, 0, 1])
        assert_array_equal(asked["X"][:, 0], [1, 2, 3, 4, 5, 7])
        assert_array_equal(asked["weight"] / asked["weight"][0], [1, 1, 1, 2, 2, 1])
        assert asked["leaf_cost"] == 0.5 * asked["weight"].sum() / UNIT

    def test_classes_that_lost_their_rows_are_not_there(self, say):
        labels = np.array(["a", "b", "c"])[[0, 0, 1, 1, 2, 2, 2, 2]]
        for criterion, expected in (
            ("misclassification", [0, 0, 1, 1, 1, 1]),
            ("gini", [[0], [0], [1], [1], [1], [1]]),
        ):
            asked = say()
            tree = QuantBnBTreeClassifier(criterion=criterion, class_weight={"a": 1, "b": 0, "c": 1}).fit(X, labels)
            assert_array_equal(asked["target"], expected)
            assert_array_equal(tree.classes_, ["a", "b", "c"])
            assert_array_equal(tree.predict_proba(X[[0, 7]]), [[1, 0, 0], [0, 0, 1]])

    def test_the_cost_of_a_leaf_in_the_solvers_unit(self, say):
        asked = say()
        QuantBnBTree(ccp_alpha=0.5).fit(X, np.column_stack([Y, Y, Y]))
        assert asked["leaf_cost"] == pytest.approx(0.5 * 8 * 3 / UNIT)
        QuantBnBTreeClassifier(ccp_alpha=0.5, criterion="gini").fit(X, Y > 1)
        assert asked["leaf_cost"] == 0.5 * 8 / 2  # one column of two

    def test_threads(self, say):
        asked = say()
        QuantBnBTree(n_jobs=-1).fit(X, Y)
        assert asked["n_jobs"] == joblib.effective_n_jobs(-1)
        with joblib.parallel_config("threading", n_jobs=3):
            QuantBnBTree().fit(X, Y)
        assert asked["n_jobs"] == 3


class TestProgress:
    REPORTS = (
        (8.0, 0.0, 0.5, 0.05),
        (8.0, 1.0, 0.4, 0.5),
        (4.0, 1.0, 0.2, 1.05),
        (4.0, 3.0, 0.1, 1.6),
        (3.0, 3.0, 0.0, 2.2),
    )
    REPORTS = tuple((best / UNIT, bound / UNIT, *rest) for best, bound, *rest in REPORTS)

    @pytest.mark.parametrize(("verbose", "n_lines"), [(0, 0), (1, 3), (2, 6)])
    def test_lines(self, say, capsys, verbose, n_lines):
        say(reports=self.REPORTS)
        QuantBnBTree(verbose=verbose).fit(X, Y)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == n_lines
        if verbose:
            assert any(
                line.startswith("[QuantBnBTree] search, objective 0.5, lower bound 0.125, gap 0.2, ") for line in lines
            )
            assert lines[-2].startswith("[QuantBnBTree] search, objective 0.375, lower bound 0.375, gap 0, ")
            assert lines[-1].startswith("[QuantBnBTree] optimal, objective 0.375, lower bound 0.375, gap 0, ")
            assert lines[-1].endswith(" s")

    def test_the_last_line_of_a_search_that_was_ended(self, say, capsys):
        say(stump(lower_bound=1.0, finished=False))
        with pytest.warns(ConvergenceWarning):
            QuantBnBTree(time_limit=1, verbose=1).fit(X, Y)
        assert "[QuantBnBTree] ended, objective 0.375, lower bound 0.125, gap " in capsys.readouterr().out

    def test_callbacks_get_every_report(self, say):
        class Recorder:
            def __init__(self):
                self.seen = []
                self.fitted = None

            def setup(self, estimator, context):
                self.seen.append(context.max_subtasks)

            def on_fit_task_begin(self, estimator, context):
                pass

            def on_fit_task_end(self, estimator, context, *, metadata=None, fitted_estimator=None):
                self.seen.append((context.task_name, metadata))
                self.fitted = fitted_estimator

            def teardown(self, estimator, context):
                self.seen.append("teardown")

        recorder = Recorder()
        say(reports=self.REPORTS)
        tree = QuantBnBTree().set_callbacks(recorder).fit(X, Y)
        steps = [
            ("search", {"objective": best * UNIT / 8, "lower_bound": bound * UNIT / 8, "gap": gap, "seconds": seconds})
            for best, bound, gap, seconds in self.REPORTS
        ]
        assert recorder.seen == [None, *steps, ("fit", {}), "teardown"]
        assert_same_predictions(recorder.fitted, tree, X)
        assert recorder.fitted.objective_ == tree.objective_

    def test_callbacks_of_scikit_learn(self, say, capsys):
        say(reports=self.REPORTS)
        monitor = ScoringMonitor(scoring="r2")
        QuantBnBTree().set_callbacks(ProgressBar(), monitor).fit(X, Y)
        assert "QuantBnBTree" in capsys.readouterr().out
        assert "r2" in monitor.get_logs().data_as_pandas.columns


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), ValueError("no")], ids=repr)
class TestAFitThatFails:
    def test_leaves_an_unfitted_estimator_unfitted(self, say, error):
        say(error)
        model = QuantBnBTree()
        before = dict(vars(model))
        with pytest.raises(type(error)):
            model.fit(X, Y)
        assert vars(model) == before

    def test_leaves_the_fit_before_it(self, say, error):
        say()
        frame = pd.DataFrame(X, columns=["a"])
        model = QuantBnBTreeClassifier().fit(frame, Y > 1)
        before = dict(vars(model))
        say(error)
        with pytest.raises(type(error)):
            model.fit(np.column_stack([X, X]), Y)
        assert vars(model) == before
        assert_array_equal(model.predict(frame), Y > 1)


def test_a_warning_that_is_an_error_leaves_the_estimator_unfitted(say):
    say(stump(lower_bound=1.0, finished=False))
    model = QuantBnBTree(time_limit=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning):
            model.fit(X, Y)
    assert not hasattr(model, "tree_")
    assert not hasattr(model, "n_features_in_")
