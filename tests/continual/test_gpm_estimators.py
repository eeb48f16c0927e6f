"""Tasks one after another: what is kept, what is learned, and what the arguments mean."""

import pickle
from datetime import date
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skpapers.continual import GPMClassifier, GPMRegressor
from skpapers.continual._learned_tasks import new_id, numbered, read_ids
from tests._asserts import assert_same_predictions, assert_unchanged_by

FAST = {"hidden_layer_sizes": (16,), "max_iter": 6, "learning_rate_init": 0.02, "device": "cpu", "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore:The memory is nearly full")
classifier = partial(GPMClassifier, **FAST)
regressor = partial(GPMRegressor, **FAST)
KINDS = pytest.mark.parametrize("kind", [classifier, regressor], ids=["classes", "numbers"])


def tasks(n=40, p=12, n_tasks=3, classes=3, seed=0):
    """Return rows of tasks that need different columns, in the order of the tasks."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n * n_tasks, p))
    task = np.repeat(np.arange(n_tasks), n)
    slopes = rng.normal(size=(n_tasks, p))
    values = np.sum(X * slopes[task], axis=1)
    return X, values, np.digitize(values, np.quantile(values, np.arange(1, classes) / classes)), task


X, VALUES, LABELS, TASK = tasks()


def target(model):
    return LABELS if isinstance(model, GPMClassifier) else VALUES


def first(model):
    """Return what the first call of `partial_fit` has to know."""
    return {"classes": np.unique(LABELS)} if isinstance(model, GPMClassifier) else {}


def learn(model, order=(0, 1, 2), **kwargs):
    y = target(model)
    for t in order:
        rows = t == TASK
        model.partial_fit(X[rows], y[rows], **(first(model) if t == order[0] else {}), task=TASK[rows], **kwargs)
    return model


class TestTasks:
    @KINDS
    @pytest.mark.parametrize("heads", ["single", "multi"])
    @pytest.mark.parametrize("more", [{}, {"hidden_channels": (4,), "scaling": "standard"}], ids=["mlp", "conv"])
    def test_one_fit_equals_calls_of_partial_fit(self, kind, heads, more):
        model = kind(heads=heads, **more)
        whole = clone(model).fit(X, target(model), task=TASK)
        parts = learn(clone(model))
        assert_same_predictions(whole, parts, X)
        assert_array_equal(whole.predict(X, TASK), parts.predict(X, TASK))
        for a, b in zip(whole.memory_, parts.memory_, strict=True):
            assert_array_equal(a, b)
        assert whole.loss_curve_ == parts.loss_curve_
        assert len(whole.loss_curve_) == whole.n_iter_ == 18

    @KINDS
    def test_without_tasks_a_fit_is_one_and_every_call_is_another(self, kind):
        model = kind()
        y = target(model)
        assert_array_equal(clone(model).fit(X, y).tasks_, [0])
        one = clone(model).partial_fit(X, y, **first(model))
        assert_same_predictions(one, clone(model).fit(X, y), X)
        two = one.partial_fit(X[:40], y[:40])
        assert_array_equal(two.tasks_, [0, 1])
        assert_array_equal(two.partial_fit(X, y, task=np.full(120, 7)).partial_fit(X, y).tasks_, [0, 1, 7, 8])

    def test_order_of_rows_and_tasks(self):
        ids = np.array(["2020", "2008", "2010"])[TASK]
        model = classifier(shuffle=False).fit(X, LABELS, task=ids)
        assert_array_equal(model.tasks_, ["2008", "2010", "2020"])
        order = np.argsort(ids, kind="stable")
        assert_same_predictions(model, classifier(shuffle=False).fit(X[order], LABELS[order], task=ids[order]), X)
        for same in (pd.Series(ids), list(ids), ids.astype(object), ids[:, None][:, 0]):
            assert_same_predictions(model, classifier(shuffle=False).fit(X, LABELS, task=same), X)
        dates = np.array(["2020-01", "2008-01", "2010-01"], dtype="datetime64[M]")[TASK]
        assert_same_predictions(model, classifier(shuffle=False).fit(X, LABELS, task=dates), X)

    def test_new_tasks_come_after_those_that_are_known(self):
        model = learn(classifier(), order=(2, 0, 1))
        assert_array_equal(model.tasks_, [2, 0, 1])
        assert_array_equal(model.partial_fit(X, LABELS, task=TASK + 1).tasks_, [2, 0, 1, 3])

    @pytest.mark.parametrize("solver", ["sgd", "adam", "adamw"])
    @pytest.mark.parametrize("more", [{}, {"heads": "multi"}, {"hidden_channels": (6,), "strides": 2}], ids=str)
    def test_rows_in_the_memory_are_predicted_as_before(self, solver, more):
        """With a threshold of 1 and fewer rows than directions the memory spans every activation of the first task."""
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(3 if "hidden_channels" in more else 10, 36))
        y = rng.normal(size=len(rows))
        options = {"solver": solver, "alpha": 0.01, "threshold": 1.0, "hidden_layer_sizes": (60, 60), "batch_size": 16}
        model = regressor(**options, **more, scaling=None, learning_rate_init=0.005)
        model.partial_fit(rows, y)
        others = rng.normal(size=(200, 36))
        before = model.predict(rows)
        elsewhere = model.predict(others)
        model.partial_fit(others, rng.normal(size=200) * 3.0)
        assert_allclose(model.predict(rows, task=0), before, rtol=0, atol=1e-5)
        assert np.abs(model.predict(others, task=0) - elsewhere).max() > 0.01

    def test_the_last_task_goes_on_freely_and_earlier_ones_in_what_is_left(self):
        full = {"threshold": 1.0, "n_representation_samples": 10**6}
        rows = TASK == 0
        model = classifier(**full).partial_fit(X[rows], LABELS[rows], classes=range(3), task=TASK[rows])
        before = model.predict_proba(X)
        model.partial_fit(X[rows], LABELS[rows], task=TASK[rows])
        assert np.abs(model.predict_proba(X) - before).max() > 0.01
        assert_array_equal(model.tasks_, [0])
        assert model.task_scores_.shape == (2, 1)
        with pytest.warns(UserWarning, match="nearly full"):
            learn(model, order=(1,))
        before = model.predict_proba(X)
        with pytest.warns(UserWarning, match="nearly full"):
            model.partial_fit(X[rows], LABELS[rows], task=TASK[rows])
        assert_allclose(model.predict_proba(X), before, atol=1e-5)

    def test_a_threshold_of_0_is_fine_tuning(self):
        model = learn(classifier(threshold=0))
        assert [M.shape[1] for M in model.memory_] == [0, 0]
        assert_array_equal(model.memory_usage_, [0.0, 0.0])

    @pytest.mark.parametrize("heads", ["single", "multi"])
    def test_memory(self, heads):
        model = learn(classifier(heads=heads, threshold=(0.5, 0.75), threshold_increment=0.1))
        assert [len(M) for M in model.memory_] == [13, 17][: 2 if heads == "single" else 1]
        for M in model.memory_:
            assert_allclose(M.T @ M, np.eye(M.shape[1]), atol=1e-12)
        assert_allclose(model.memory_usage_, [M.shape[1] / len(M) for M in model.memory_])
        more = learn(classifier(heads=heads, threshold=(0.5, 0.75), threshold_increment=0.2))
        assert more.memory_usage_[0] > model.memory_usage_[0]

    def test_the_sample_of_the_memory_is_drawn_by_the_seed(self):
        bases = [learn(classifier(n_representation_samples=n)).memory_[0] for n in (5, 5, 6)]
        assert_array_equal(bases[0], bases[1])
        assert bases[0].shape != bases[2].shape or not np.allclose(bases[0], bases[2])

    def test_the_scaling_is_that_of_the_first_task(self):
        model = regressor(scaling="standard")
        model.partial_fit(X[:40], VALUES[:40])
        center = model.y_center_
        before = model._fitted.setup.scaling_layer()(torch.from_numpy(X))
        model.partial_fit(X[40:] * 5 + 3, VALUES[40:] * 9 + 1)
        assert_array_equal(model.y_center_, center)
        assert torch.equal(model._fitted.setup.scaling_layer()(torch.from_numpy(X)), before)

    def test_a_column_that_varies_later_is_learned(self):
        rows = X.copy()
        rows[:40, 0] = 2.0
        model = regressor(threshold=0.5, max_iter=60, hidden_layer_sizes=(40,)).partial_fit(rows[:40], VALUES[:40])
        model.partial_fit(rows[40:], rows[40:, 0])
        assert model.score(rows[40:], rows[40:, 0]) > 0.7

    def test_a_column_that_varies_later_leaves_rows_in_the_memory(self):
        rows = X.copy()
        rows[:8, 0] = 2.0
        model = regressor(threshold=1.0, hidden_layer_sizes=(40,)).partial_fit(rows[:8], VALUES[:8])
        before = model.predict(rows[:8])
        elsewhere = model.predict(rows[40:])
        model.partial_fit(rows[40:], rows[40:, 0])
        assert_allclose(model.predict(rows[:8]), before, atol=1e-5)
        assert np.abs(model.predict(rows[40:]) - elsewhere).max() > 0.01

    def test_a_target_that_varies_later_keeps_its_constant(self):
        Y = np.column_stack([np.full(60, 5.0), VALUES[:60]])
        model = regressor(threshold=1.0, max_iter=30).partial_fit(X[:8], Y[:8])
        before = model.predict(X[:8])
        assert_array_equal(before[:, 0], 5.0)
        model.partial_fit(X[40:60], Y[40:60] + [95.0, 0.0])
        assert_array_equal(model.y_center_[0], 5.0)
        assert_allclose(model.y_scale_[0], 95.0, rtol=0.05)
        after = model.predict(X[:8])
        assert np.abs(after[:, 0] - 5.0).max() < 0.1 * 95.0
        assert_allclose(after[:, 1], before[:, 1], atol=1e-5)


class TestForgetting:
    """What the method is for, on digits whose pixels are in another order in each task."""

    def test_it_keeps_what_fine_tuning_forgets(self):
        digits, labels = load_digits(return_X_y=True)
        digits = digits[:500] / 16
        labels = labels[:500]
        order = np.random.default_rng(0).permutation(64)
        kept = {}
        for threshold in (0, (0.95, 0.99)):
            model = GPMClassifier(threshold=threshold, scaling=None, max_iter=8, device="cpu", random_state=0)
            model.partial_fit(digits, labels, classes=range(10)).partial_fit(digits[:, order], labels)
            kept[threshold] = model.score(digits, labels)
            assert model.score(digits[:, order], labels) > 0.85
        assert kept[0] < 0.75
        assert kept[(0.95, 0.99)] > 0.85


class TestHeads:
    def test_each_task_has_its_classes(self):
        two = np.where(TASK == 0, LABELS % 2, 1 + LABELS % 2)
        model = classifier(heads="multi", threshold=0.5, max_iter=20).fit(X, two, task=TASK)
        p = model.predict_proba(X, TASK)
        assert np.all(p[TASK == 0, 2] == 0)
        assert np.all(p[TASK > 0, 0] == 0)
        assert_allclose(p.sum(axis=1), 1)
        assert_array_equal(model.classes_[p.argmax(axis=1)], model.predict(X, TASK))
        assert model.score(X, two, task=TASK) > 0.8
        assert_array_equal(model.predict_proba(X), model.predict_proba(X, 2))
        assert_array_equal(model.predict_proba(X[TASK == 1], 1), p[TASK == 1])

    def test_rows_of_several_tasks_in_any_order(self):
        model = learn(regressor(heads="multi"))
        order = np.random.default_rng(0).permutation(len(X))
        assert_allclose(model.predict(X[order], TASK[order]), model.predict(X, TASK)[order], rtol=1e-12, atol=1e-12)
        assert np.abs(model.predict(X, 0) - model.predict(X, 1)).max() > 0.01

    def test_old_heads_stay_bit_for_bit(self):
        model = learn(classifier(heads="multi", alpha=1.0), order=(0, 1))
        old = {name: w for name, w in model._fitted.weights.items() if name.startswith("heads.")}
        learn(model, order=(2,))
        assert sorted(old) == ["heads.0.weight", "heads.1.weight"]
        for name, weight in old.items():
            assert_array_equal(model._fitted.weights[name], weight)
        assert "heads.2.weight" in model._fitted.weights

    def test_several_targets(self):
        Y = np.column_stack([VALUES, -VALUES, X[:, 0]])
        model = regressor(heads="multi").fit(X, Y, task=TASK)
        assert model.predict(X, TASK).shape == (120, 3)
        assert model.task_scores_.shape == (3, 3)

    def test_to_torch_is_the_head_of_the_last_task(self):
        model = learn(regressor(heads="multi"))
        with torch.no_grad():
            assert_allclose(model.to_torch()(torch.from_numpy(X)).numpy(), model.predict(X), rtol=1e-12)


class TestScores:
    @KINDS
    def test_after_each_task_those_of_all_tasks_of_the_call(self, kind):
        model = kind().fit(X, target(kind()), task=TASK)
        assert_array_equal(np.isnan(model.task_scores_), ~np.tri(3, dtype=bool))
        last = [model.score(X[t == TASK], target(model)[t == TASK], task=t) for t in range(3)]
        assert_allclose(model.task_scores_[-1], last, rtol=1e-12)
        parts = learn(kind())
        assert_array_equal(np.isnan(parts.task_scores_), ~np.eye(3, dtype=bool))
        assert_array_equal(parts.task_scores_.diagonal(), model.task_scores_.diagonal())

    def test_weights_count(self):
        weight = np.where(np.arange(120) % 2, 1e200, 3e199)
        model = regressor().fit(X, VALUES, weight, task=TASK)
        expected = model.score(X[TASK == 2], VALUES[TASK == 2], weight[TASK == 2] / 1e200)
        assert_allclose(model.task_scores_[-1, -1], expected)

    def test_one_row_has_no_r2(self):
        model = regressor().partial_fit(X[:1], VALUES[:1])
        assert np.isnan(model.task_scores_).all()
        assert_allclose(model.predict(X), VALUES[0])

    def test_huge_targets(self):
        model = regressor().fit(X, VALUES * 1e290)
        assert np.isfinite(model.task_scores_).all()


class TestInput:
    def test_images_in_every_form(self):
        images = X.reshape(-1, 1, 3, 4)
        options = {"hidden_channels": (4,), "image_shape": (1, 3, 4)}
        flat = classifier(**options).fit(X, LABELS, task=TASK)
        assert_same_predictions(flat, classifier(hidden_channels=4).fit(images, LABELS, task=TASK), X)
        series = classifier(hidden_channels=(4,), image_shape=(2, 6)).fit(X, LABELS)
        assert_array_equal(series.predict(X.reshape(-1, 2, 6)), series.predict(X))

    @KINDS
    def test_weights_of_0_leave_rows_and_whole_tasks_out(self, kind):
        y = target(kind())
        weight = np.where(TASK == 1, 0.0, 1.0)
        model = kind().fit(X, y, weight, task=TASK)
        assert_array_equal(model.tasks_, [0, 2])
        kept = TASK != 1
        assert_same_predictions(model, kind().fit(X[kept], y[kept], task=TASK[kept]), X)

    @KINDS
    def test_weights_count_within_a_task(self, kind):
        y = target(kind())
        weight = np.linspace(1.0, 2.0, 120)
        scaled = weight * np.array([1.0, 2.0**600, 2.0**-600])[TASK]
        a, b = (kind().fit(X, y, w, task=TASK) for w in (weight, scaled))
        assert_same_predictions(a, b, X)

    @pytest.mark.parametrize(
        ("task", "message"),
        [
            (TASK[:-1], "119 entries, and X has 120 rows"),
            (np.where(TASK == 1, np.nan, TASK), "missing or infinite id"),
            ([None] * 120, "numbers, strings or dates"),
            (np.stack([TASK, TASK], axis=1), r"got shape \(120, 2\)"),
        ],
    )
    def test_wrong_ids_are_errors_and_change_nothing(self, task, message):
        model = learn(classifier(heads="multi"))
        for call in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match=message):
                assert_unchanged_by(lambda call=call: call(X, LABELS, task=task), model)
        with pytest.raises(ValueError, match=message):
            assert_unchanged_by(lambda: model.predict(X, task), model)

    @pytest.mark.parametrize(
        ("ids", "expected"),
        [
            (pd.Categorical(["a", "b"]), ["a", "b"]),
            (pd.Categorical([3, 1]), [1, 3]),
            (pd.Series(["a", "b"], dtype="string"), ["a", "b"]),
            (np.array(["a", "b"], dtype=np.dtypes.StringDType()), ["a", "b"]),
            (np.array([1, 2], dtype=object), [1, 2]),
            ([True, False], [0, 1]),
            (np.array([2, 1], dtype=">u2"), [1, 2]),
            (np.array([2, 1], dtype=np.float16), [1.0, 2.0]),
            ([date(2020, 1, 2), date(2008, 1, 2)], np.array(["2008-01-02", "2020-01-02"], dtype="datetime64[us]")),
            (pd.Series(pd.to_datetime(["2008-01-02", "2020-01-02"])), pd.to_datetime(["2008-01-02", "2020-01-02"])),
        ],
        ids=str,
    )
    def test_ids_of_any_type(self, ids, expected):
        found = read_ids(ids, 2)
        assert_array_equal(np.unique(found), expected)
        assert found.dtype.isnative

    @pytest.mark.parametrize(
        "wrong",
        [
            np.array([1, "a"], dtype=object),
            [date(2020, 1, 2), 1],
            pd.Series(pd.to_datetime(["2008-01-02", "2020-01-02"])).dt.tz_localize("UTC"),
            np.array([b"a", b"b"]),
            np.array([1, 2], dtype="m8[D]"),
            np.array([1, 2**63], dtype=np.uint64),
            ["a", None],
        ],
        ids=str,
    )
    def test_ids_of_no_kind(self, wrong):
        with pytest.raises(ValueError, match="numbers, strings or dates without time zones"):
            read_ids(wrong, 2)

    def test_one_id_for_all_rows_is_for_predictions(self):
        with pytest.raises(ValueError, match=r"one id for each row, of shape \(120,\); got shape \(\)"):
            classifier().fit(X, LABELS, task=3)
        days = pd.to_datetime(["2008-01-02", "2020-01-02", "2022-01-03"])
        model = regressor(heads="multi", max_iter=1).fit(X, VALUES, task=days[TASK])
        for day in (days[0], days[0].to_pydatetime(), days[0].date(), np.datetime64("2008-01-02")):
            assert_array_equal(model.predict(X, day), model.predict(X, days[[0] * 120]))

    @pytest.mark.parametrize("one", [2**60 + 1, np.uint64(2**60 + 1)])
    def test_large_integers_stay_distinct(self, one):
        ids = numbered(read_ids([one], 1), read_ids([2**60], 1))[0]
        assert ids.tolist() == [2**60, 2**60 + 1]

    def test_a_new_id_is_always_new(self):
        assert new_id(read_ids(np.array([255, 0], dtype=np.uint8), 2)) == 256
        assert new_id(read_ids([0.5], 1)) == 1.5
        for last in (2**63 - 1, 1e17):
            with pytest.raises(ValueError, match="has no number after it: give the next one by `task`"):
                new_id(read_ids([last], 1))

    def test_unknown_ids(self):
        model = learn(classifier(heads="multi"))
        with pytest.raises(ValueError, match=r"task=5 is unknown; the tasks learned are \[0, 1, 2\]"):
            model.predict(X, 5)
        with pytest.raises(ValueError, match="task holds strings, and the ids of the tasks learned are numbers"):
            model.predict(X, "0")
        named = classifier().fit(X, LABELS, task=np.array(list("abc"))[TASK])
        with pytest.raises(ValueError, match="give the next one by `task`"):
            named.partial_fit(X, LABELS)

    def test_one_head_serves_tasks_that_it_has_never_seen(self):
        model = learn(classifier())
        assert_array_equal(model.predict(X, TASK + 7), model.predict(X))
        assert model.score(X, LABELS, task=TASK + 7) == model.score(X, LABELS)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"threshold": 1.5}, "threshold"),
            ({"threshold": ()}, "threshold must be a number from 0 to 1, or one for each layer"),
            ({"threshold": (0.5, np.nan)}, "threshold must be"),
            ({"hidden_channels": (0,)}, "hidden_channels must hold integers from 1"),
            ({"hidden_channels": 4, "kernel_size": 2}, "kernel_size=2 is even"),
            ({"hidden_channels": 4, "image_shape": (1, 5, 5)}, "needs 25 values in a row; X has 12"),
            ({"image_shape": (1, 3, 4)}, "image_shape is for convolutions"),
            ({"hidden_channels": (4, 4), "strides": (1, 1, 1)}, "strides must be"),
            ({"heads": "many"}, "heads"),
        ],
        ids=str,
    )
    def test_wrong_parameters(self, wrong, message):
        model = classifier(**wrong)
        with pytest.raises(ValueError, match=message):
            assert_unchanged_by(lambda: model.fit(X, LABELS), model)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"heads": "multi"}, "heads='multi', not 'single'"),
            ({"scaling": None}, "scaling=None, not 'standard'"),
            ({"hidden_layer_sizes": (5,)}, r"hidden_layer_sizes=\(5,\), not \(16,\)"),
            ({"activation": "tanh"}, "activation='tanh', not 'relu'"),
            ({"strides": (2, 1)}, r"strides=\(2, 1\), not \(1, 2\)"),
            ({"image_shape": (2, 2, 3)}, r"image_shape=\(2, 2, 3\), not \(1, 3, 4\)"),
        ],
        ids=str,
    )
    def test_settings_of_the_fitted_network_are_kept(self, change, message):
        """Some of these changes leave all shapes as they are, and would change what was learned."""
        options = {"hidden_channels": (2, 2), "strides": (1, 2), "image_shape": (1, 3, 4), "scaling": "standard"}
        model = learn(classifier(**options, max_iter=1), order=(0,)).set_params(**change)
        with pytest.raises(ValueError, match=message):
            assert_unchanged_by(lambda: model.partial_fit(X, LABELS, task=TASK), model)

    def test_image_shape_may_be_left_out_later(self):
        model = learn(classifier(hidden_channels=2, image_shape=(1, 3, 4), max_iter=1), order=(0,))
        assert len(learn(model.set_params(image_shape=None, alpha=0.1, threshold=0.5), order=(1,)).tasks_) == 2

    def test_an_interrupted_call_changes_nothing(self):
        model = learn(classifier(), order=(0,))
        model.set_params(learning_rate_init=1e30)
        with pytest.raises(ValueError, match="NaN or infinite"):
            assert_unchanged_by(lambda: model.partial_fit(X * 1e3, LABELS), model)

    def test_the_first_call_needs_the_classes(self):
        with pytest.raises(ValueError, match="needs classes"):
            classifier().partial_fit(X, LABELS)


def clone_of(model):
    return pickle.loads(pickle.dumps(model))


class TestState:
    @KINDS
    @pytest.mark.parametrize("heads", ["single", "multi"])
    def test_a_model_is_taken_up_again_after_pickling(self, kind, heads):
        model = learn(kind(heads=heads), order=(0, 1))
        again = clone_of(model)
        for one in (model, again):
            y = target(one)
            one.partial_fit(X[TASK == 2], y[TASK == 2], task=TASK[TASK == 2])
        assert_same_predictions(model, again, X)
        for a, b in zip(model.memory_, again.memory_, strict=True):
            assert_array_equal(a, b)

    def test_predictions_change_nothing(self):
        model = learn(classifier(heads="multi"))
        for call in (model.predict, model.predict_proba):
            assert_unchanged_by(lambda call=call: call(X, TASK), model)
        assert_unchanged_by(lambda: model.score(X, LABELS, task=TASK), model)

    def test_generators_of_others_stay(self):
        before = torch.random.get_rng_state()
        drawn = []
        for _ in range(2):
            np.random.seed(0)  # noqa: NPY002
            learn(classifier(n_representation_samples=5))
            drawn.append(np.random.rand())  # noqa: NPY002
        np.random.seed(0)  # noqa: NPY002
        assert drawn == [np.random.rand()] * 2  # noqa: NPY002
        assert torch.equal(torch.random.get_rng_state(), before)

    def test_a_memory_that_is_nearly_full_warns_if_there_are_tasks(self, recwarn):
        full = {"threshold": 1.0, "n_representation_samples": 10**6}
        classifier(**full).fit(X, LABELS)
        assert not [w for w in recwarn if "nearly full" in str(w.message)]
        with pytest.warns(UserWarning, match=r"nearly full in layer 1 \(100%\)") as caught:
            classifier(**full).fit(X, LABELS, task=TASK)
        assert caught[0].filename == __file__

    def test_lines_of_all_epochs(self, capsys):
        classifier(verbose=True, max_iter=2).fit(X, LABELS, task=TASK)
        lines = capsys.readouterr().out.splitlines()
        assert [line.split(",")[0] for line in lines] == [f"[GPMClassifier] epoch {n}" for n in range(1, 7)]

    def test_callbacks_score_during_later_tasks(self):
        monitor = ScoringMonitor(scoring="accuracy")
        model = classifier(heads="multi", max_iter=3).set_callbacks(monitor).fit(X, LABELS, task=TASK)
        logs = monitor.get_logs().data
        assert len(logs) == 10
        assert logs[-1]["accuracy"] == model.score(X, LABELS)

    def test_a_call_that_fails_tears_its_callbacks_down(self):
        ended = []

        class Watcher:
            def setup(self, estimator, context):
                pass

            def teardown(self, estimator, context):
                ended.append(context.task_name)

            def on_fit_task_begin(self, estimator, context):
                pass

            def on_fit_task_end(self, estimator, context):
                pass

        model = regressor(max_iter=1).set_callbacks(Watcher()).partial_fit(X, VALUES)
        with pytest.raises(ValueError, match="NaN or infinite"):
            model.set_params(learning_rate_init=1e30).partial_fit(X * 1e3, VALUES)
        assert len(ended) == 2


class TestRouting:
    def test_a_pipeline_routes_tasks(self):
        plain = classifier(heads="multi").fit(StandardScaler().fit_transform(X), LABELS, task=TASK)
        with config_context(enable_metadata_routing=True):
            pipeline = make_pipeline(StandardScaler(), classifier(heads="multi")).fit(X, LABELS, task=TASK)
            scaled = StandardScaler().fit(X).transform(X)
            assert_array_equal(pipeline.predict(X, task=TASK), plain.predict(scaled, TASK))
            assert_array_equal(pipeline.predict_proba(X, task=TASK), plain.predict_proba(scaled, TASK))
            assert pipeline.score(X, LABELS, task=TASK) == plain.score(scaled, LABELS, task=TASK)

    def test_a_search_routes_tasks_to_fit_and_score(self):
        with config_context(enable_metadata_routing=True):
            found = cross_validate(classifier(heads="multi"), X, LABELS, params={"task": TASK}, cv=3)
            assert np.isfinite(found["test_score"]).all()
            search = GridSearchCV(classifier(heads="multi"), {"threshold": [0.5, 0.99]}, cv=3)
            assert_array_equal(search.fit(X, LABELS, task=TASK).best_estimator_.tasks_, [0, 1, 2])

    def test_tasks_without_routing(self):
        search = GridSearchCV(classifier(), {"threshold": [0.5, 0.99]}, cv=3).fit(X, LABELS, task=TASK)
        assert_array_equal(search.best_estimator_.tasks_, [0, 1, 2])
