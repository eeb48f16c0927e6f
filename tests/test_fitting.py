"""The transaction of a fit, on an estimator that does little else."""

import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.callback import CallbackSupportMixin, ScoringMonitor, with_callbacks
from sklearn.linear_model import LinearRegression
from sklearn.utils.validation import check_is_fitted, validate_data

from skpapers._fitting import Fitting

X = [[0.0], [1.0], [2.0]]
Y = [0.0, 1.0, 2.0]


class Mean(CallbackSupportMixin, RegressorMixin, BaseEstimator):
    """Halve the distance to the mean of y in each epoch."""

    def __init__(self, n_epochs=3, fail_in=None, error=RuntimeError, verbose=0, ready=True):
        self.n_epochs = n_epochs
        self.fail_in = fail_in
        self.error = error
        self.verbose = verbose
        self.ready = ready

    @with_callbacks
    def fit(self, X, y):
        fitting = Fitting(self)
        rows, target = validate_data(fitting.blank, X, y)
        fitting.begin(X, y, self.n_epochs)
        self.mean_in_fit = getattr(self, "mean_", None)
        value = 0.0
        for number in range(1, self.n_epochs + 1):
            with fitting.step("epoch", number) as step:
                if number == self.fail_in:
                    raise self.error("a step failed")
                value += (target.mean() - value) / 2
                step.figures = {"loss": abs(target.mean() - value), "half_life": 1.0}
                if self.ready:
                    step.fitted = lambda value=value: fitting.validated | {"mean_": value}
            if step.stopped:
                break
        fitted = {"mean_": value, "n_iter_": number}
        if len(rows) > 2:
            fitted["many_"] = True
        return fitting.publish(fitted)

    def partial_fit(self, X, y):
        fitting = Fitting(self, resume=hasattr(self, "mean_"))
        resumed = hasattr(fitting.blank, "mean_")
        _, target = validate_data(fitting.blank, X, y, reset=not resumed)
        return fitting.publish({"mean_": (fitting.validated.get("mean_", 0.0) + target.mean()) / 2})

    def predict(self, X):
        check_is_fitted(self)
        return [self.mean_] * len(validate_data(self, X, reset=False))


class Recorder:
    """A callback that records its calls, and ends the loop at a given step."""

    def __init__(self, stop_at=None):
        self.seen = []
        self.stop_at = stop_at

    def setup(self, estimator, context):
        self.seen.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.seen.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, metadata=None, fitted_estimator=None):
        predicted = None if fitted_estimator is None else fitted_estimator.predict(X)[0]
        self.seen.append((context.task_name, dict(metadata or {}), predicted))
        return context.task_name == "epoch" and context.task_id == self.stop_at

    def teardown(self, estimator, context):
        self.seen.append("teardown")


def test_fitted_attributes_and_those_of_validation_are_published():
    model = Mean().fit(X, Y)
    assert (model.mean_, model.n_iter_, model.n_features_in_) == (0.875, 3, 1)
    assert model.get_params() == Mean().get_params()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_estimator_as_it_was(error):
    model = Mean().fit(X, Y)
    model.set_params(fail_in=2, error=error)
    before = dict(vars(model))
    with pytest.raises(error):
        model.fit([[0.0, 1.0]] * 2, [5.0, 5.0])
    assert vars(model) == before | {"mean_in_fit": 0.875}
    unfitted = clone(model)
    with pytest.raises(error):
        unfitted.fit(X, Y)
    assert not [name for name in vars(unfitted) if name.endswith("_")]


def test_invalid_input_leaves_the_estimator_as_it_was():
    model = Mean().fit(X, Y)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="NaN"):
        model.fit([[float("nan")]] * 3, Y)
    assert vars(model) == before


def test_the_estimator_is_not_touched_before_the_end():
    model = Mean().fit(X, Y)
    model.set_params(n_epochs=1).fit(X, [8.0] * 3)
    assert model.mean_in_fit == 0.875
    assert model.mean_ == 4.0


def test_attributes_of_a_former_fit_disappear():
    pandas = pytest.importorskip("pandas")
    model = Mean().fit(pandas.DataFrame(X, columns=["a"]), Y)
    assert model.many_
    assert_array_equal(model.feature_names_in_, ["a"])
    model.fit(X[:2], Y[:2])
    assert not hasattr(model, "many_")
    assert not hasattr(model, "feature_names_in_")


def test_a_resumed_fit_keeps_what_it_does_not_change():
    model = Mean().fit(X, Y)
    model.partial_fit(X, [2.0] * 3)
    assert (model.mean_, model.n_iter_, model.many_) == (1.4375, 3, True)
    with pytest.raises(ValueError, match="expecting 1 features"):
        model.partial_fit([[0.0, 1.0]] * 2, Y[:2])
    assert model.mean_ == 1.4375


@pytest.mark.parametrize("ready", [True, False])
def test_callbacks_see_every_step_with_a_fitted_estimator_or_its_figures(ready):
    recorder = Recorder()
    Mean(2, ready=ready).set_callbacks(recorder).fit(X, Y)
    figures = [{}, {}] if ready else [{"loss": 0.5, "half_life": 1.0}, {"loss": 0.25, "half_life": 1.0}]
    assert recorder.seen == [
        "setup",
        "begin fit",
        "begin epoch",
        ("epoch", figures[0], 0.5 if ready else None),
        "begin epoch",
        ("epoch", figures[1], 0.75 if ready else None),
        ("fit", {}, 0.75),
        "teardown",
    ]


def test_scoring_monitors_score_steps_that_measure_something():
    monitor = ScoringMonitor(scoring="neg_mean_squared_error")
    Mean(2).set_callbacks(monitor).fit(X, Y)
    assert monitor.get_logs().data[-1]["neg_mean_squared_error"] < 0.0


def test_a_callback_can_end_the_loop():
    model = Mean(5).set_callbacks(Recorder(stop_at=1)).fit(X, Y)
    assert model.n_iter_ == 2


def test_a_step_that_fails_has_no_end_but_a_teardown():
    recorder = Recorder()
    with pytest.raises(RuntimeError, match="a step failed"):
        Mean(fail_in=1).set_callbacks(recorder).fit(X, Y)
    assert recorder.seen == ["setup", "begin fit", "begin epoch", "teardown"]


def test_callbacks_stay_attached_after_the_fit():
    recorder = Recorder()
    model = Mean(1).set_callbacks(recorder).fit(X, Y).fit(X, Y)
    assert recorder.seen.count("setup") == 2
    assert model._skl_callbacks == [recorder]


class Outer(CallbackSupportMixin, BaseEstimator):
    """Fit an inner model inside a step inside a step."""

    def __init__(self, inner=None):
        self.inner = inner

    @with_callbacks
    def fit(self, X, y):
        fitting = Fitting(self)
        fitting.begin(X, y, 1)
        with (
            fitting.step("stage", n_steps=1) as stage,
            stage.step("inner fit", data=(X, y)) as step,
            step.passed_on_to(self.inner),
        ):
            self.inner.fit(X, y)
        return fitting.publish({"inner_": self.inner})

    def predict(self, X):
        return self.inner_.predict(X)


class Followed(Recorder):
    """A recorder that follows the fits of inner models, too."""

    max_propagation_depth = None


def test_steps_inside_steps_and_inner_models_are_followed():
    recorder = Followed()
    Outer(Mean(1)).set_callbacks(recorder).fit(X, Y)
    names = [one if isinstance(one, str) else one[0] for one in recorder.seen]
    assert names == [
        "setup",
        "begin fit",
        "begin stage",
        "begin inner fit",
        "begin fit",
        "begin epoch",
        "epoch",
        "fit",  # scikit-learn takes the inner fit and its step for one task
        "stage",
        "fit",
        "teardown",
    ]
    Outer(LinearRegression()).set_callbacks(Followed()).fit(X, Y)  # an inner model without callbacks


def test_verbose_prints_one_line_a_step(capsys):
    Mean(2, verbose=1).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.rsplit(",", 1)[0] for line in lines] == [
        "[Mean] epoch 1, loss 0.5, half life 1",
        "[Mean] epoch 2, loss 0.25, half life 1",
    ]
    assert all(line.endswith(" s") for line in lines)
    Mean(2).fit(X, Y)
    assert not capsys.readouterr().out


def test_a_silent_step_prints_nothing(capsys):
    fitting = Fitting(Mean(verbose=1))
    with fitting.step("epoch", 1, silent=True) as step:
        step.figures = {"loss": 0.5}
    assert not capsys.readouterr().out


def test_callbacks_detached_during_a_resumed_fit_stay_detached():
    model = Mean().fit(X, Y).set_callbacks(Recorder())
    fitting = Fitting(model, resume=True)
    model.set_callbacks()
    fitting.publish({})
    assert not hasattr(model, "_skl_callbacks")
