"""The settings that are "auto", and the temperature of the probabilities."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.metrics import log_loss

from skpapers._torch.temperature import fit_temperature
from skpapers.neural_network import SAMMLPClassifier, SAMMLPRegressor

WINE = load_wine(return_X_y=True)
ROWS = np.random.default_rng(0).permutation(len(WINE[1]))
TRAIN = ROWS[:90]
TEST = ROWS[90:]
SMALL = {"hidden_layer_sizes": (16,), "max_iter": 30, "random_state": 0, "device": "cpu"}
TOO_SURE = {**SMALL, "learning_rate_init": 0.05, "alpha": 0.0, "dropout": 0.0}


def wrong_labels():
    """Return training rows of which a fifth have a random label."""
    rng = np.random.default_rng(0)
    y = WINE[1][TRAIN]
    return WINE[0][TRAIN], np.where(rng.random(len(y)) < 0.2, rng.integers(3, size=len(y)), y)


def shares(y):
    """Return the frequencies of the classes."""
    return np.bincount(y) / len(y)


def noise(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 10)), rng.integers(2, size=n)


@torch.no_grad()
def logits_of(model, X):
    return model.to_torch()(torch.from_numpy(X)).numpy()


def held_back(y):
    """Return the last fifth of each class, rounded down, and the other rows."""
    held = np.sort(np.concatenate([np.flatnonzero(y == k)[-(np.sum(y == k) // 5) :] for k in np.unique(y)]))
    return held, np.setdiff1d(np.arange(len(y)), held)


def test_temperature_moves_logits_toward_the_frequencies_of_the_classes():
    X, y = wrong_labels()
    model = SAMMLPClassifier(**TOO_SURE).fit(X, y)
    raw = SAMMLPClassifier(**TOO_SURE, calibration=None).fit(X, y)
    assert raw.temperature_ == 1.0
    assert 1.0 < model.temperature_ <= 1000.0
    log_prior = np.log(shares(y))
    logits = log_prior + (logits_of(raw, WINE[0]) - log_prior) / model.temperature_
    assert_allclose(logits_of(model, WINE[0]), logits, atol=1e-12)
    assert_allclose(model.predict_proba(WINE[0]), softmax(logits, axis=1), atol=1e-12)
    assert_array_equal(model.predict(WINE[0]), logits.argmax(axis=1))
    losses = [log_loss(WINE[1][TEST], fitted.predict_proba(WINE[0][TEST])) for fitted in (model, raw)]
    assert losses[0] < losses[1] - 0.1
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(WINE[0]), model.predict_proba(WINE[0]))


@pytest.mark.parametrize(("n_classes", "n_ensemble"), [(2, 1), (2, 2), (3, 2)])
def test_probabilities_of_ensembles_and_modules_have_the_temperature(n_classes, n_ensemble):
    X, y = wrong_labels()
    X = X[y < n_classes]
    y = y[y < n_classes]
    settings = {**TOO_SURE, "n_ensemble": n_ensemble}
    model = SAMMLPClassifier(**settings).fit(X, y)
    assert model.temperature_ > 1.2
    log_prior = np.log(shares(y))
    of_members = np.log(SAMMLPClassifier(**settings, calibration=None).fit(X, y).predict_proba(WINE[0]))
    expected = softmax(log_prior + (of_members - log_prior) / model.temperature_, axis=1)
    assert_allclose(model.predict_proba(WINE[0]), expected, atol=1e-9)
    logits = logits_of(model, WINE[0])
    logits = np.column_stack([np.zeros(len(logits)), logits]) if n_classes == 2 else logits
    assert_allclose(softmax(logits, axis=1), expected, atol=1e-9)


@pytest.mark.parametrize("share", [0.1, 0.02])
def test_a_network_trained_on_noise_predicts_the_frequencies_of_the_classes(share):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 10))
    y = (rng.random(1500) < share).astype(int)
    model = SAMMLPClassifier((64,), random_state=0, device="cpu").fit(X[:500], y[:500])
    prior = np.full(1000, y[:500].mean())
    assert log_loss(y[500:], model.predict_proba(X[500:])) < log_loss(y[500:], prior) + 0.02


def test_balanced_classes_are_moved_toward_equal_probabilities():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 10))
    y = (rng.random(500) < 0.1).astype(int)
    settings = {"class_weight": "balanced", "random_state": 0, "device": "cpu"}
    p = SAMMLPClassifier((64,), **settings).fit(X, y).predict_proba(rng.normal(size=(500, 10)))
    assert_allclose(p[:, 1], 0.5, atol=0.05)


def test_temperature_is_that_of_a_network_which_did_not_see_the_last_rows_of_each_class():
    X, y = wrong_labels()
    held, rest = held_back(y)
    model = SAMMLPClassifier(**TOO_SURE).fit(X, y)
    other = SAMMLPClassifier(**TOO_SURE, calibration=None).fit(X[rest], y[rest])
    assert model.temperature_ == fit_temperature(logits_of(other, X[held]), y[held], None, shares(y)) > 1.5


@pytest.mark.parametrize("order", ["sorted", "shuffled"])
def test_rows_sorted_by_label_are_calibrated_too(order):
    rows = np.argsort(wrong_labels()[1], kind="stable") if order == "sorted" else np.arange(len(TRAIN))
    X, y = wrong_labels()
    assert SAMMLPClassifier(**TOO_SURE).fit(X[rows], y[rows]).temperature_ > 1.5


def test_a_network_trained_on_noise_is_not_sure_of_itself():
    X, y = noise(1500)
    model = SAMMLPClassifier((64,), random_state=0, device="cpu").fit(X[:500], y[:500])
    assert log_loss(y[500:], model.predict_proba(X[500:])) < np.log(2.0) + 0.02


def test_few_rows_are_not_calibrated_and_lone_rows_of_a_class_train():
    X, y = noise(19)
    assert SAMMLPClassifier(**SMALL).fit(X, y).temperature_ == 1.0
    X, y = noise(60)
    y[:1] = 2
    model = SAMMLPClassifier(**SMALL).fit(X, y)
    assert model.temperature_ >= 1.0
    assert model.predict_proba(X).shape == (60, 3)


def test_random_rows_are_held_back_only_if_asked_for_and_by_the_seed():
    X = WINE[0][TRAIN]
    y = WINE[1][TRAIN]
    last, random, again = (
        SAMMLPClassifier(**SMALL, validation_split=split).fit(X, y) for split in ("last", "random", "random")
    )
    assert random.temperature_ == again.temperature_ != last.temperature_
    assert random.loss_curve_ == last.loss_curve_


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_rows_of_early_stopping_give_the_temperature_without_a_second_fit(class_weight):
    X, y = load_breast_cancer(return_X_y=True)
    y = np.where(np.random.default_rng(0).random(len(y)) < 0.2, 1 - y, y)
    train = slice(0, 150)
    held = slice(150, 300)
    validation = {"X_val": X[held], "y_val": y[held]}
    settings = {**TOO_SURE, "early_stopping": True, "class_weight": class_weight}
    model = SAMMLPClassifier(**settings).fit(X[train], y[train], **validation)
    raw = SAMMLPClassifier(**settings, calibration=None).fit(X[train], y[train], **validation)
    weight = None if class_weight is None else 1.0 / np.bincount(y[held])[y[held]]
    prior = shares(y[train]) if class_weight is None else np.array([0.5, 0.5])
    expected = fit_temperature(logits_of(raw, X[held]), y[held], weight, prior)
    assert expected > 1.05
    assert model.temperature_ == pytest.approx(expected, rel=1e-9)


def test_warm_starts_and_partial_fit_keep_the_temperature():
    X = WINE[0][TRAIN]
    y = WINE[1][TRAIN]
    model = SAMMLPClassifier(**SMALL, warm_start=True).fit(X, y)
    before = model.temperature_
    assert model.fit(X, y).temperature_ == before
    assert model.partial_fit(X, y).temperature_ == before
    assert SAMMLPClassifier(**SMALL).partial_fit(X, y, classes=[0, 1, 2]).temperature_ == 1.0


def test_warm_starts_and_partial_fit_without_calibration_end_the_temperature():
    X, y = wrong_labels()
    model = SAMMLPClassifier(**TOO_SURE, warm_start=True).fit(X, y)
    assert model.temperature_ > 1.5
    again = pickle.loads(pickle.dumps(model)).set_params(calibration=None)
    assert again.partial_fit(X, y).temperature_ == 1.0
    assert model.set_params(calibration=None).fit(X, y).temperature_ == 1.0


@pytest.mark.parametrize(("n_held", "calibrated"), [(3, False), (4, True)])
def test_a_few_rows_of_early_stopping_give_no_temperature(n_held, calibrated):
    X, y = wrong_labels()
    model = SAMMLPClassifier(**TOO_SURE, early_stopping=True)
    model.fit(X, y, X_val=X[:n_held], y_val=(y[:n_held] + 1) % 3)  # labels that the network takes for others
    assert (model.temperature_ > 1.0) == calibrated


@pytest.mark.parametrize(("n_positive", "calibrated"), [(3, False), (4, True)])
def test_validation_rows_of_weight_zero_do_not_count(n_positive, calibrated):
    X, y = wrong_labels()
    y = np.r_[y[:-9], (y[-9:] + 1) % 3]  # the nine rows held back have labels that the network takes for others
    weight = np.ones(len(y))
    weight[-9:-n_positive] = 0.0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The rows held back for early_stopping lack class")
        model = SAMMLPClassifier(**TOO_SURE, early_stopping=True).fit(X, y, weight)
    assert (model.temperature_ > 1.0) == calibrated


def test_rows_of_vanishing_weight_give_no_temperature():
    X, y = noise(40)
    weight = np.full(40, 1e-200)
    weight[[np.flatnonzero(y == 0)[0], np.flatnonzero(y == 1)[0]]] = 1e200
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert SAMMLPClassifier(**{**SMALL, "max_iter": 2}).fit(X, y, weight).temperature_ == 1.0


def test_an_interrupt_of_the_second_network_leaves_the_estimator_as_it_was(monkeypatch):
    X, y = wrong_labels()
    model = SAMMLPClassifier(**TOO_SURE).fit(X, y)
    before = pickle.dumps(vars(model))

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("skpapers._torch.network_classifier.fit_temperature", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:60], y[:60])
    assert pickle.dumps(vars(model)) == before


def test_weights_of_any_unit_and_weightless_rows_give_one_temperature():
    X = WINE[0][TRAIN]
    y = WINE[1][TRAIN]
    weight = 1.0 + np.arange(len(y)) % 3
    expected = SAMMLPClassifier(**SMALL).fit(X, y, weight)
    scaled = SAMMLPClassifier(**SMALL).fit(X, y, weight * 2.0**40)
    assert scaled.temperature_ == expected.temperature_
    more = SAMMLPClassifier(**SMALL).fit(np.vstack([X, X[:5]]), [*y, *y[:5]], [*weight, *np.zeros(5)])
    assert more.temperature_ == expected.temperature_


def test_the_second_fit_is_silent_and_as_long_as_the_first(capsys):
    X = WINE[0][TRAIN]
    y = WINE[1][TRAIN]
    model = SAMMLPClassifier(**{**SMALL, "max_iter": 3}, n_ensemble=2, verbose=True).fit(X, y)
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert model.n_iter_ == 3
    assert model.temperature_ >= 1.0


def test_auto_leaves_many_rows_uncalibrated_and_temperature_does_not(monkeypatch):
    X, y = wrong_labels()
    monkeypatch.setattr("skpapers._torch.network_classifier.MANY_ROWS", len(y))
    assert SAMMLPClassifier(**TOO_SURE).fit(X, y).temperature_ == 1.0
    assert SAMMLPClassifier(**TOO_SURE).fit(X[1:], y[1:]).temperature_ > 1.5
    assert SAMMLPClassifier(**TOO_SURE, calibration="temperature").fit(X, y).temperature_ > 1.5


def test_frames_are_calibrated_without_warnings():
    X, y = load_wine(return_X_y=True, as_frame=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SAMMLPClassifier(**TOO_SURE).fit(X.iloc[TRAIN], y.iloc[TRAIN])
    expected = SAMMLPClassifier(**TOO_SURE).fit(WINE[0][TRAIN], WINE[1][TRAIN])
    assert model.temperature_ == expected.temperature_


def test_a_fit_that_a_callback_ends_is_calibrated_by_one_of_equal_length():
    class Stop:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context, **kwargs):
            return context.task_name == "epoch" and context.task_id == 4

    X, y = wrong_labels()
    monitor = ScoringMonitor(scoring="neg_log_loss")
    model = SAMMLPClassifier(**TOO_SURE).set_callbacks(Stop(), monitor).fit(X, y)
    assert model.n_iter_ == 5
    assert [entry["task_name"] for entry in monitor.get_logs().data].count("epoch") == 5
    held, rest = held_back(y)
    other = SAMMLPClassifier(**TOO_SURE, calibration=None).set_callbacks(Stop()).fit(X[rest], y[rest])
    assert model.temperature_ == fit_temperature(logits_of(other, X[held]), y[held], None, shares(y))


@pytest.mark.parametrize("make", [SAMMLPClassifier, SAMMLPRegressor])
def test_auto_is_what_its_numbers_say(make):
    X, y = noise(5000)
    kwargs = {"hidden_layer_sizes": (4,), "numeric_embedding": "none", "random_state": 0, "device": "cpu"}
    kwargs |= {"calibration": None} if make is SAMMLPClassifier else {}
    t = np.log2(5000 / 4000)
    explicit = {"batch_size": 100, "learning_rate_init": 0.005 * 3**t, "sam_fraction": 0.1**t}
    automatic = make(**kwargs, max_iter=3).fit(X, y)
    assert_allclose(automatic.loss_curve_, make(**kwargs, max_iter=3, **explicit).fit(X, y).loss_curve_, rtol=1e-4)
    assert make(**kwargs, batch_size=1000).fit(X, y).n_iter_ == 51


def test_rows_of_weight_zero_do_not_count_for_auto():
    X, y = noise(4400)
    kwargs = {"hidden_layer_sizes": (2,), "numeric_embedding": "none", "rho": 0, "random_state": 0, "device": "cpu"}
    weight = np.repeat([1.0, 0.0], [4000, 400])
    model = SAMMLPRegressor(**kwargs, batch_size=1000).fit(X, y, weight)
    assert model.n_iter_ == 60


def test_partial_fit_takes_no_second_pass_if_none_is_wanted():
    X, y = WINE
    first = {"classes": [0, 1, 2]}
    none, some, plain = (
        SAMMLPClassifier(**{**SMALL, **changes}).partial_fit(X, y, **first)
        for changes in ({"sam_fraction": 0}, {"sam_fraction": 0.5}, {"rho": 0})
    )
    assert none.loss_curve_ == plain.loss_curve_ != some.loss_curve_


def test_the_second_pass_comes_in_the_last_steps():
    X = WINE[0][TRAIN]
    y = WINE[1][TRAIN]
    kwargs = {**SMALL, "calibration": None, "rho": 0.3}
    none, half, full = (SAMMLPClassifier(**kwargs, sam_fraction=share).fit(X, y) for share in (0, 0.5, 1))
    plain = SAMMLPClassifier(**{**kwargs, "rho": 0}).fit(X, y)
    assert none.loss_curve_ == plain.loss_curve_
    assert half.loss_curve_[:15] == plain.loss_curve_[:15]
    assert half.loss_curve_[16] != plain.loss_curve_[16]
    assert full.loss_curve_[1] != plain.loss_curve_[1]
