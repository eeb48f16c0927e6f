"""Every estimator supports scikit-learn's callbacks; `test_fitting.py` tests the calls one by one."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import is_classifier
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_breast_cancer

from tests._asserts import assert_same_predictions, output
from tests._instances import estimator_names, small, table_for


class Watcher:
    """A callback that records its calls, and what the fitted estimator of the last task predicts."""

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        self.seen.append("setup")

    def teardown(self, estimator, context):
        self.seen.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.seen.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.seen.append(f"end {context.task_name}")
        if fitted_estimator is not None:
            self.predicted = output(fitted_estimator, X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", estimator_names())
def test_every_estimator_calls_its_callbacks(name):
    model = small(name)
    X, _, y = table_for(model, 60)
    X = X[:, :4]
    watcher = Watcher()
    model.set_callbacks(watcher).fit(X, y)
    assert watcher.seen[:2] == ["setup", "begin fit"]
    assert watcher.seen[-2:] == ["end fit", "teardown"]
    steps = watcher.seen[2:-2]
    assert steps
    assert len([one for one in steps if one.startswith("begin ")]) == len(steps) / 2
    assert_array_equal(watcher.predicted, output(model, X))
    assert_same_predictions(model, small(name).fit(X, y), X)  # callbacks change nothing
    assert not hasattr(model.set_callbacks(), "_skl_callbacks")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", [name for name in estimator_names() if is_classifier(small(name))])
def test_callbacks_score_labels_of_any_type(name):
    X, y = load_breast_cancer(return_X_y=True)
    X = X[:60, :4]
    y = np.array(["no", "yes"])[y[:60]]
    monitor = ScoringMonitor(scoring="accuracy")
    model = small(name).set_callbacks(monitor).fit(X, y)
    logs = monitor.get_logs().data
    # codes instead of the labels would score 0
    assert min(log["accuracy"] for log in logs) > 0.5
    # A network scales its probabilities after the last epoch, so that only the whole fit has the score of the model.
    (whole,) = (log for log in logs if not log["parent_task_id_path"])
    assert whole["accuracy"] == model.score(X, y)
