"""The proof of the shared floor: two methods of few lines that use all of it, and behave as scikit-learn asks."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks

from skpapers._torch.losses import quantiles
from tests._torch._toys import ToyForecaster, ToyImageClassifier

RNG = np.random.default_rng(0)
TASK = np.arange(90) % 3
WINDOWS = RNG.normal(size=(90, 6, 2)) + TASK[:, None, None]
AHEAD = WINDOWS[:, -1:, 0] + WINDOWS[:, -2:, 1]
DIGITS, LABEL = load_digits(return_X_y=True)
IMAGES = DIGITS.reshape(-1, 1, 8, 8) / 16.0
WINDOW_FIT = {"X": WINDOWS, "y": AHEAD, "task": TASK}
IMAGE_FIT = {"X": IMAGES[:300], "y": LABEL[:300]}
TOYS = [(ToyForecaster(max_iter=15), WINDOW_FIT), (ToyImageClassifier(max_iter=3), IMAGE_FIT)]


def equal_states(a, b):
    return all(np.array_equal(a._fitted.weights[name], b._fitted.weights[name]) for name in a._fitted.weights)


def images_draw(estimator):
    if isinstance(estimator, ToyForecaster):
        return {}
    why = "masks of dropout and batches are drawn row by row, and batch statistics count rows, not weights"
    return {"check_sample_weight_equivalence_on_dense_data": why}


@parametrize_with_checks([ToyForecaster(), ToyImageClassifier()], expected_failed_checks=images_draw, xfail_strict=True)
def test_scikit_learn_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


# Rows that travel together --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("early_stopping", [False, True])
def test_tasks_stay_with_their_rows(early_stopping):
    seen = []

    class Watched(ToyForecaster):
        scaling = None

        def by_task(self, memory, network, objective, batch):
            seen.append((batch.X[:, 0, 0].numpy().copy(), batch.extra["task"].numpy().copy()))
            return super().by_task(memory, network, objective, batch)

    X = WINDOWS.copy()
    X[:, 0, 0] = TASK
    weight = np.where(np.arange(90) % 5 == 0, 0.0, 1.0)  # every fifth row goes
    model = Watched(max_iter=3, batch_size=16, early_stopping=early_stopping)
    model.fit(X, AHEAD, weight, task=TASK)
    model.set_params(early_stopping=False).partial_fit(X, AHEAD, weight, task=TASK)
    for first, task in seen:
        assert_array_equal(first, task)
    n_train = np.count_nonzero(weight[:81] if early_stopping else weight)
    assert sum(len(task) for _, task in seen) == model.n_iter_ * n_train - n_train + np.count_nonzero(weight)


def test_gradients_of_the_tasks_add_up_to_that_of_all_rows():
    together, apart = (ToyForecaster(max_iter=10).fit(WINDOWS, AHEAD, task=task) for task in (None, TASK))
    assert_allclose(apart.predict(WINDOWS), together.predict(WINDOWS), rtol=1e-8)


def test_tasks_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="task has 3 entries, and X has 90 rows"):
        ToyForecaster().fit(WINDOWS, AHEAD, task=[0, 1, 2])


@pytest.mark.parametrize(
    "change",
    [
        lambda task: task[::-1].copy()[::-1],
        lambda task: task.astype(">i8"),
        lambda task: task.astype("f8"),
        lambda task: np.broadcast_to(task, (2, 90))[0],  # read-only
        list,
    ],
)
def test_dtype_and_memory_order_of_tasks_do_not_matter(change):
    seen = []

    class Watched(ToyForecaster):
        def by_task(self, memory, network, objective, batch):
            seen.append(batch)
            return super().by_task(memory, network, objective, batch)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Watched(max_iter=2, dtype="float32").fit(WINDOWS, AHEAD[:, 0], task=change(TASK))
    assert_array_equal(seen[0].extra["task"], TASK[seen[0].indices])
    assert seen[0].extra["task"].dtype in (torch.float32, torch.int64)
    assert model.loss_ == ToyForecaster(max_iter=2, dtype="float32").fit(WINDOWS, AHEAD[:, 0], task=TASK).loss_


def test_weights_are_repeated_windows():
    count = 1 + np.arange(90) % 3
    weighted = ToyForecaster(max_iter=20).fit(WINDOWS, AHEAD, count, task=TASK)
    repeated = ToyForecaster(max_iter=20).fit(
        np.repeat(WINDOWS, count, axis=0), np.repeat(AHEAD, count, axis=0), task=np.repeat(TASK, count)
    )
    assert_allclose(weighted.predict(WINDOWS), repeated.predict(WINDOWS), rtol=1e-6)


# Shapes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("toy", "given"), TOYS, ids=str)
def test_flat_rows_are_the_same_rows(toy, given):
    model = clone(toy).fit(**given)
    X = given["X"]
    flat = X.reshape(len(X), -1)
    assert_array_equal(model.predict(flat), model.predict(X))
    assert model.n_features_in_ == flat.shape[1]
    assert model._fitted.setup.inputs.shape == X.shape[1:]
    with pytest.raises(ValueError, match=r"Each row of X has shape \(\d, .*\); it must be \(\d, "):
        model.predict(X[..., :1])


def test_channels_are_scaled_alike():
    model = ToyForecaster(max_iter=1).fit(WINDOWS * [1.0, 1000.0], AHEAD)
    center = model._fitted.setup.scaling.layer().center
    assert_allclose(center, (WINDOWS * [1.0, 1000.0]).reshape(-1, 2).mean(axis=0))
    assert_allclose(
        model.predict(WINDOWS * [1.0, 1000.0]), ToyForecaster(max_iter=1).fit(WINDOWS, AHEAD).predict(WINDOWS)
    )


def test_outputs_are_quantiles_of_horizons():
    model = ToyForecaster().fit(**WINDOW_FIT)
    found = model.predict_quantiles(WINDOWS)
    assert found.shape == (90, 2, 3)
    assert model.to_torch()(torch.from_numpy(WINDOWS.reshape(90, -1))).shape == (90, 2, 3)
    below = (AHEAD[:, :, None] < found).mean(axis=(0, 1))
    assert_allclose(below, [0.1, 0.5, 0.9], atol=0.08)
    loss = quantiles((0.1, 0.9))(torch.tensor([[[1.0, 4.0]]]).double(), torch.tensor([[2.0]]).double())
    assert_allclose(loss, [(0.1 * 1.0 + 0.1 * 2.0) / 2.0])


# Steps ----------------------------------------------------------------------------------------------------------------


def test_the_rate_warms_up_and_then_falls():
    seen = []

    class Watched(ToyForecaster):
        def _update(self, run):
            return lambda network, optimizer: seen.append(optimizer.param_groups[0]["lr"])

    Watched(max_iter=20, learning_rate_init=1.0).fit(**WINDOW_FIT)
    assert seen[:3] == [0.5, 1.0, 1.0]
    assert_allclose(seen[2:], 0.5 + 0.5 * np.cos(np.pi * np.arange(18) / 18))


def test_the_gradient_remembers_from_call_to_call():
    whole, broken = (ToyForecaster().partial_fit(**WINDOW_FIT) for _ in range(2))
    broken = pickle.loads(pickle.dumps(broken))
    for model in (whole, broken):
        model.partial_fit(**WINDOW_FIT)
    assert equal_states(whole, broken)
    assert {"memory.mean.0", "memory.mean.1"} <= whole._fitted.training.keys()
    forgetful = ToyForecaster().partial_fit(**WINDOW_FIT)
    for name in ("memory.mean.0", "memory.mean.1"):
        del forgetful._fitted.training[name]
    assert not equal_states(forgetful.partial_fit(**WINDOW_FIT), whole)


def test_statistics_are_adapted_while_dropout_is_off():
    model = ToyImageClassifier(max_iter=20).fit(**IMAGE_FIT)
    shifted = 0.25 * IMAGES[800:] + 0.5
    before = model.score(shifted, LABEL[800:])
    weights = dict(model._fitted.weights)
    models = [pickle.loads(pickle.dumps(model)).set_params(random_state=seed).adapt(shifted) for seed in (0, 1)]
    assert models[0].score(shifted, LABEL[800:]) > before + 0.05
    for name, values in models[0]._fitted.weights.items():
        assert_allclose(values, models[1]._fitted.weights[name], rtol=0, atol=1e-4, err_msg="a mask was drawn")
        assert np.array_equal(values, weights[name]) is not name.startswith("norm.")


# As every estimator ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("toy", "given"), TOYS, ids=str)
def test_early_stopping_keeps_the_best_epoch(toy, given):
    weight = np.where(np.arange(len(given["y"])) % 4 == 0, 0.0, 2.0)
    model = clone(toy).set_params(early_stopping=True).fit(**given, sample_weight=weight)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.validation_scores_[model.best_iter_ - 1] == model.best_validation_score_
    assert np.isfinite(model.predict(given["X"])).all()


@pytest.mark.parametrize(("toy", "given"), TOYS, ids=str)
def test_callbacks_score_every_epoch(toy, given):
    monitor = ScoringMonitor(scoring="r2" if isinstance(toy, ToyForecaster) else "accuracy")
    flat = {**given, "X": given["X"].reshape(len(given["X"]), -1)}
    model = clone(toy).set_callbacks(monitor).fit(**flat)
    logs = monitor.get_logs().data
    assert len(logs) == model.n_iter_ + 1
    assert logs[-1][monitor._scoring[0]] == pytest.approx(model.score(flat["X"], flat["y"]))


@pytest.mark.parametrize(("toy", "given"), TOYS, ids=str)
def test_pickles_hold_numpy_and_predict_the_same(toy, given):
    model = clone(toy).fit(**given)
    text = pickle.dumps(model)
    assert b"torch" not in text.replace(b"skpapers._torch", b"").replace(b"tests._torch", b"")
    assert_array_equal(pickle.loads(text).predict(given["X"]), model.predict(given["X"]))


@pytest.mark.parametrize(("toy", "given"), TOYS, ids=str)
def test_a_warm_start_continues_and_one_seed_repeats_itself(toy, given):
    model = clone(toy).set_params(warm_start=True).fit(**given)
    again = clone(toy).fit(**given)
    assert equal_states(model, again)
    first = model.loss_curve_[0]
    assert model.fit(**given).loss_curve_[0] < first
