"""The classifier that adapts: what it keeps, what it decides, and what it refuses."""

import pickle
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skpapers.adaptation import TentClassifier, tent
from skpapers.adaptation._adaptation_evidence import balanced_rows
from skpapers.adaptation._batch_norm_classifier import BatchNormClassifier
from skpapers.continual import GPMClassifier
from skpapers.convolution import ConvNetClassifier
from skpapers.neural_network import MonarchMLPClassifier, SAMMLPClassifier
from tests._asserts import assert_rows_are_independent, assert_same_predictions, assert_unchanged_by
from tests.adaptation._cases import ENSEMBLE, PERCEPTRON

PIXELS, LABELS = load_digits(return_X_y=True)
ORDER = np.random.default_rng(0).permutation(len(PIXELS))
X = PIXELS[ORDER[:600]]
Y = LABELS[ORDER[:600]]
NEW = PIXELS[ORDER[600:1100]]
Y_NEW = LABELS[ORDER[600:1100]]
FAINT = NEW / 4 + 6
BY_CLASS = np.argsort(Y_NEW, kind="stable")


@pytest.fixture(scope="module")
def source():
    """Return the default estimator, fitted; tests take copies."""
    return TentClassifier(random_state=0).fit(X, Y)


def stream(model, rows=FAINT, size=100):
    for start in range(0, len(rows), size):
        model.partial_fit(rows[start : start + size])
    return model


def errors(model, rows, labels, size=50):
    """Return the error of a stream: each batch is adapted to, and then predicted."""
    wrong = 0
    for start in range(0, len(rows), size):
        batch = slice(start, start + size)
        wrong += np.sum(model.partial_fit(rows[batch]).predict(rows[batch]) != labels[batch])
    return wrong / len(rows)


def test_contrast_is_followed(source):
    model = deepcopy(source)
    before = 1 - model.score(FAINT, Y_NEW)
    after = 1 - stream(model).score(FAINT, Y_NEW)
    assert model.is_adapted_
    assert after <= 0.15 * before
    assert model.score(FAINT[:1], Y_NEW[:1]) == 1.0


def test_a_clean_stream_loses_nothing(source):
    model = stream(deepcopy(source), NEW)
    assert not model.is_adapted_
    assert_same_predictions(model, source, NEW)
    always = stream(deepcopy(source).set_params(adapt="always"), NEW)
    assert always.is_adapted_
    assert always.score(NEW, Y_NEW) > source.score(NEW, Y_NEW) - 0.015


def test_classes_one_after_another_harm_the_last_batch_far_more_than_the_prior(source):
    rows = NEW[BY_CLASS]
    labels = Y_NEW[BY_CLASS]
    of_batch = errors(deepcopy(source).set_params(stats="batch", adapt="always"), rows, labels)
    of_prior = errors(deepcopy(source).set_params(adapt="always"), rows, labels)
    assert of_prior <= 0.5 * of_batch
    assert errors(deepcopy(source), rows, labels) == pytest.approx(1 - source.score(NEW, Y_NEW))


def test_other_proportions_of_the_classes_keep_the_source(source):
    rows = np.concatenate([np.flatnonzero(k == Y_NEW)[: 40 if k < 3 else 2] for k in range(10)])
    rows = np.random.default_rng(0).permutation(rows)
    model = deepcopy(source).partial_fit(NEW[rows])
    assert not model.is_adapted_
    report = model.adaptation_report_
    assert report.agreement_source > report.agreement_adapted + 0.05
    of_source = model.score(NEW[rows], Y_NEW[rows])
    assert model.set_params(adapt="always").score(NEW[rows], Y_NEW[rows]) < of_source - 0.1


def test_the_balanced_copy_adapts_to_the_shares_of_training(source):
    rows = NEW[Y_NEW < 4]
    always = {"adapt": "always", "learning_rate": 0.3}  # of steps, which the balanced copy does not take
    report = deepcopy(source).set_params(**always).partial_fit(rows).adaptation_report_
    codes = np.searchsorted(source.classes_, source.predict(rows))
    chosen = balanced_rows(codes, np.bincount(Y) / len(Y))
    adapted = deepcopy(source).set_params(**always).partial_fit(rows)
    balanced = deepcopy(source).set_params(**always, n_steps=0).partial_fit(rows[chosen])
    assert report.agreement_source == np.mean(balanced.predict(rows) == source.predict(rows))
    assert report.agreement_adapted == np.mean(balanced.predict(rows) == adapted.predict(rows))


def test_a_report_takes_rows_from_all_parts(source):
    report = stream(deepcopy(source), NEW[BY_CLASS], 250).adaptation_report_
    assert report.n_rows == 256
    assert report.n_classes_source > 9


@pytest.mark.parametrize("stats", ["ema", "batch"])
def test_the_balanced_copy_pools_whatever_the_statistics_are(source, stats):
    order = np.argsort(Y_NEW, kind="stable")[::2]
    rows = FAINT[order][:250]
    report = deepcopy(source).set_params(stats=stats, batch_size=32).partial_fit(rows).adaptation_report_
    chosen = balanced_rows(np.searchsorted(source.classes_, source.predict(rows)), np.bincount(Y) / len(Y))
    balanced = deepcopy(source).set_params(adapt="always", n_steps=0, batch_size=250).partial_fit(rows[chosen])
    assert report.agreement_source == np.mean(balanced.predict(rows) == source.predict(rows))


def test_never_measures_and_changes_nothing(source):
    model = stream(deepcopy(source).set_params(adapt="never"))
    assert not model.is_adapted_
    assert_same_predictions(model, source, FAINT)
    assert model.adaptation_report_.keep
    assert len(model.shift_history_) == 5
    assert model.set_params(adapt="always").score(FAINT, Y_NEW) > 0.9


def test_the_history_tells_drift_from_none(source):
    model = stream(stream(deepcopy(source), NEW), FAINT)
    assert_array_equal(model.batch_size_history_, np.full(10, 100))
    assert_array_equal(model.is_adapted_history_[:5], False)
    assert model.is_adapted_history_[-1]
    assert (model.shift_history_[:5] < 3 * np.sqrt(1.5 / 100)).all()
    assert (model.shift_history_[5:] > 1.0).all()
    assert model.entropy_history_.shape == (10,)
    assert (model.entropy_history_[:5] < 0.5).all()


def test_a_jump_after_a_long_time_is_followed_at_once(source):
    model = stream(deepcopy(source), NEW[:400], 50)
    assert model.adaptation_report_.n_rows == 256
    assert len(model._progress.codes) == 400
    for start in range(400, 500, 50):
        rows = slice(start, start + 50)
        assert model.partial_fit(FAINT[rows]).score(FAINT[rows], Y_NEW[rows]) > 0.85
    assert model.is_adapted_history_.tolist() == [False] * 8 + [True] * 2
    assert model.adaptation_report_.n_rows == 100
    fresh = deepcopy(source).partial_fit(FAINT[400:450]).partial_fit(FAINT[450:])
    for name, value in model._progress.state.norms.items():
        if name.startswith("norms.0.running"):  # nothing is left of the rows before
            assert_allclose(value, fresh._progress.state.norms[name], rtol=1e-5)
    seen = model._progress.state.seen
    assert [float(seen[f"norms.{i}.rows"]) for i in range(2)] == [100.0, 100.0]


def test_classes_one_after_another_are_no_jump(source):
    model = stream(deepcopy(source), NEW[BY_CLASS], 50)
    assert len(model._progress.codes) == 500


def test_shift_is_that_of_the_first_layer_before_anything_adapts(source):
    model = deepcopy(source).partial_fit(FAINT)
    network = source.to_torch()
    first = network.network.norms[0]
    seen = []
    hook = network.network.linears[0].register_forward_hook(lambda module, given, out: seen.append(out))
    network(torch.from_numpy(FAINT))
    hook.remove()
    h = np.array_split(seen[0].numpy(force=True), 2)[0]
    mean, deviation = (t.numpy(force=True) for t in (first.running_mean, first.running_var.sqrt()))
    square = ((h.mean(axis=0) - mean) ** 2 + (h.std(axis=0) - deviation) ** 2) / deviation**2
    assert model.shift_history_[0] == pytest.approx(np.sqrt(square.mean()), rel=1e-4)


def test_reset_returns_to_the_source(source):
    model = stream(deepcopy(source)).reset()
    assert not hasattr(model, "adaptation_report_")
    assert len(model.entropy_history_) == 0
    assert_same_predictions(model, source, FAINT)
    assert_same_predictions(stream(model), stream(deepcopy(source)), FAINT)


def test_prediction_is_pure_and_row_by_row(source):
    model = stream(deepcopy(source).set_params(adapt="always"))
    assert_unchanged_by(lambda: (model.predict(NEW), model.predict_proba(NEW), model.adaptation_report_), model)
    assert_rows_are_independent(model, FAINT[:20])


def test_episodes_start_from_the_source_and_leave_no_trace(source):
    model = stream(deepcopy(source), NEW)
    rows = FAINT[:200]
    assert_unchanged_by(lambda: model.predict_adapted(rows), model)
    assert_array_equal(model.predict_adapted(rows), deepcopy(source).partial_fit(rows).predict(rows))
    assert np.mean(model.predict_adapted(rows) == Y_NEW[:200]) > 0.85
    assert_array_equal(model.predict_adapted(NEW[:64]), source.predict(NEW[:64]))


def test_a_pickle_continues_the_stream(source):
    model = stream(deepcopy(source), FAINT[:200])
    loaded = pickle.loads(pickle.dumps(model))
    assert_same_predictions(stream(loaded, FAINT[200:]), stream(model, FAINT[200:]), FAINT)
    assert_array_equal(loaded.shift_history_, model.shift_history_)
    assert loaded.adaptation_report_ == model.adaptation_report_


@pytest.mark.parametrize("stats", ["prior", "ema", "batch", "source"])
def test_streams_repeat_themselves_and_touch_no_generator(source, stats):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (stream(deepcopy(source).set_params(stats=stats, adapt="always")) for _ in range(2))
    assert_same_predictions(first, second, FAINT)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_it_is_the_function_on_the_network(source):
    model = deepcopy(source).set_params(adapt="always", batch_size=50)
    module = source.to_torch()
    network = tent(module.network, module.inputs(torch.from_numpy(FAINT)), batch_size=50)
    new = torch.from_numpy(NEW)
    expected = torch.softmax(network(module.inputs(new)), dim=1).numpy(force=True)
    assert_allclose(model.partial_fit(FAINT).predict_proba(NEW), expected, atol=2e-3)
    assert_allclose(model.predict_proba(NEW), torch.softmax(model.to_torch()(new), dim=1).numpy(force=True))


def test_recent_rows_are_the_last_ones_or_spread_over_a_large_batch(source):
    model = deepcopy(source).set_params(n_recent=100)
    assert model.partial_fit(NEW[:60]).adaptation_report_.n_rows == 60
    model.partial_fit(NEW[60:130])
    progress = model._progress
    assert_allclose(progress.recent, deepcopy(source).partial_fit(NEW[30:130])._progress.recent)
    model.partial_fit(NEW[BY_CLASS])
    assert model.adaptation_report_.n_rows == 100
    assert model.adaptation_report_.n_classes_source > 8


def test_auto_decides_when_half_of_the_rows_are_new(source):
    model = deepcopy(source).set_params(n_recent=200)
    reports = [stream(model, FAINT[start : start + 50], 50).adaptation_report_ for start in range(0, 400, 50)]
    assert [report.n_rows for report in reports] == [50, 100, 100, 200, 200, 200, 200, 200]
    assert reports[3] is reports[4]
    assert reports[4] is not reports[5]


def test_a_report_is_of_the_recent_rows_whatever_adapt_was(source):
    model = deepcopy(source).partial_fit(NEW[:200])
    of_clean_rows = model.adaptation_report_
    model.set_params(adapt="always").partial_fit(FAINT)
    assert len(model._progress.codes) == 500  # those since the jump
    assert model.adaptation_report_.ratio_source > of_clean_rows.ratio_source
    model.set_params(adapt="auto").partial_fit(FAINT[:1])
    assert model.is_adapted_ is model.adaptation_report_.keep


def test_few_rows_decide_nothing(source):
    model = stream(deepcopy(source), NEW[:15], 1)
    assert not model.is_adapted_history_.any()
    assert not deepcopy(source).partial_fit(FAINT[:15]).is_adapted_
    assert deepcopy(source).partial_fit(FAINT[:16]).is_adapted_


COLLAPSING = {"learning_rate": 3.0, "n_steps": 20, "entropy_margin": None, "adapt": "always", "stats": "source"}


def test_a_collapse_warns_once_and_can_reset(source):
    model = deepcopy(source).set_params(**COLLAPSING)
    with pytest.warns(UserWarning, match=r"fallen into one class, .* Call reset\(\)") as caught:
        stream(model, NEW)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert np.unique(model.predict(NEW), return_counts=True)[1].max() > 450
    model = deepcopy(source).set_params(**COLLAPSING, reset_on_collapse=True)
    with pytest.warns(UserWarning, match="It is the source again"):
        stream(model, NEW[:400])
    assert model.n_resets_ == 1
    assert not model.is_adapted_
    assert_same_predictions(model, source, NEW)


@pytest.mark.filterwarnings("error")
def test_classes_one_after_another_are_no_collapse(source):
    stream(deepcopy(source).set_params(adapt="always", prior_samples=1e6), NEW[BY_CLASS], 50)
    model = stream(deepcopy(source).set_params(adapt="always"))
    stream(model, FAINT[BY_CLASS], 25)


MAPS = ConvNetClassifier((16, 32), max_iter=6, learning_rate_init=0.02, random_state=0)
MONARCH = MonarchMLPClassifier((64, 64), batch_norm=True, max_iter=3, random_state=0)


@pytest.mark.parametrize("estimator", [ENSEMBLE, MAPS, MONARCH], ids=["ensemble", "convolutions", "Monarch"])
def test_networks_of_this_package_adapt(estimator):
    model = TentClassifier(estimator, adapt="always").fit(X, Y)
    before = model.score(FAINT, Y_NEW)
    assert stream(model).score(FAINT, Y_NEW) > before + 0.4
    report = model.adaptation_report_
    assert 0 < report.ratio_adapted < report.ratio_source <= 1
    assert model.estimator_.score(FAINT, Y_NEW) == pytest.approx(before)


def test_a_frozen_network_is_taken_as_it_is(source):
    network = BatchNormClassifier(random_state=0).fit(X, Y)
    model = TentClassifier(FrozenEstimator(network)).fit(X[:200], Y[:200])
    assert_same_predictions(model, source, NEW)
    assert stream(model).score(FAINT, Y_NEW) > 0.9
    assert_array_equal(network.predict(NEW), source.predict(NEW))
    with pytest.raises(ValueError, match="y holds class 11, which is not among the classes known"):
        model.fit(X[:5], [0, 1, 2, 3, 11])
    with pytest.raises(NotFittedError):
        TentClassifier(FrozenEstimator(BatchNormClassifier())).fit(X, Y)


def test_weights_of_a_frozen_network_are_repeated_rows(source):
    frozen = FrozenEstimator(source.estimator_)
    times = np.random.default_rng(0).integers(0, 3, len(X))
    weighted = TentClassifier(frozen).fit(X, Y, sample_weight=times * 1e200).partial_fit(FAINT)
    repeated = TentClassifier(frozen).fit(np.repeat(X, times, axis=0), np.repeat(Y, times)).partial_fit(FAINT)
    assert weighted.adaptation_report_.ratio_adapted == pytest.approx(repeated.adaptation_report_.ratio_adapted)
    assert weighted.adaptation_report_.ratio_source == pytest.approx(repeated.adaptation_report_.ratio_source)


def test_early_stopping_of_the_network_takes_its_rows():
    network = SAMMLPClassifier((16,), batch_norm=True, early_stopping=True, max_iter=3, random_state=0)
    model = TentClassifier(network).fit(X, Y, X_val=NEW, y_val=Y_NEW)
    assert len(model.estimator_.validation_scores_) == 3


def test_two_classes_strings_frames_and_images():
    names = np.where(Y < 5, "low", "high")
    frame = pd.DataFrame(X).rename(columns=str)
    model = TentClassifier(PERCEPTRON).fit(frame, names)
    assert_array_equal(model.feature_names_in_, frame.columns)
    faint = pd.DataFrame(FAINT).rename(columns=str)
    assert set(stream(model, faint).predict(faint)) == {"low", "high"}
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(faint[faint.columns[::-1]])
    images = X.reshape(-1, 1, 8, 8)
    model = TentClassifier(MAPS).fit(images, Y)
    flat = deepcopy(model).partial_fit(FAINT)
    assert_same_predictions(model.partial_fit(FAINT.reshape(-1, 1, 8, 8)), flat, FAINT)


def test_rows_of_any_layout_adapt_alike(source):
    expected = deepcopy(source).partial_fit(NEW)
    for rows in (NEW.astype(np.uint8), np.asfortranarray(NEW), NEW[::-1][::-1], NEW.astype(np.float32)):
        assert_same_predictions(deepcopy(source).partial_fit(rows), expected, NEW)


def test_single_rows_adapt(source):
    for stats in ("prior", "ema", "batch"):
        model = stream(deepcopy(source).set_params(stats=stats, adapt="always"), FAINT[:40], 1)
        assert np.isfinite(model.predict_proba(NEW)).all()
        assert len(model.entropy_history_) == 40
    model = deepcopy(source).partial_fit(FAINT[:1])
    assert not model.adaptation_report_.keep
    assert not model.is_adapted_


def test_constant_columns_have_no_evidence_and_no_adaptation():
    model = TentClassifier(PERCEPTRON).fit(np.ones((40, 3)), np.arange(40) % 2)
    model.partial_fit(np.full((20, 3), 5.0))
    assert np.isnan(model.adaptation_report_.ratio_source)
    assert not model.is_adapted_


BAD = [
    (NEW[:, :5], "X has 5 features"),
    (np.where(np.arange(64) == 3, np.nan, NEW), "NaN"),
    (NEW[:0], "0 sample"),
    (NEW * 1e200, "too large"),
]


@pytest.mark.parametrize(("rows", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_rows_leave_the_model_as_it_was(source, rows, message):
    model = deepcopy(source).partial_fit(NEW[:64])

    def bad():
        with pytest.raises(ValueError, match=message):
            model.partial_fit(rows)
        with pytest.raises(ValueError, match=message):
            model.predict_adapted(rows)

    assert_unchanged_by(bad, model)


def test_a_step_that_diverges_leaves_the_model_as_it_was(source):
    model = deepcopy(source).partial_fit(NEW[:64]).set_params(learning_rate=1e300, entropy_margin=None)

    def diverge():
        with pytest.raises(ValueError, match=r"became NaN or infinite; lower learning_rate=1e\+300"):
            model.partial_fit(NEW)

    assert_unchanged_by(diverge, model)


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        (LogisticRegression(), TypeError, "takes a classifier of this package .*; got LogisticRegression"),
        (make_pipeline(FunctionTransformer(), PERCEPTRON), TypeError, "got Pipeline"),
        (SAMMLPClassifier(), ValueError, "SAMMLPClassifier has no batch normalisation here.* batch_norm=True"),
        (SAMMLPClassifier((), batch_norm=True, max_iter=1), ValueError, "no batch normalis.* one hidden layer"),
        (GPMClassifier(), ValueError, "GPMClassifier has no batch normalisation"),
        (FrozenEstimator(ConvNetClassifier(batch_norm=False, max_iter=1).fit(X, Y)), ValueError, "no batch normalis"),
    ],
)
def test_what_cannot_adapt_is_refused(estimator, error, message):
    model = TentClassifier(estimator)
    before = dict(vars(model))
    with pytest.raises(error, match=message):
        model.fit(X, Y)
    assert vars(model) == before


def test_before_fit_there_is_nothing_to_adapt():
    for call in ("partial_fit", "predict", "predict_proba", "predict_adapted"):
        with pytest.raises(NotFittedError):
            getattr(TentClassifier(), call)(X)
    with pytest.raises(NotFittedError):
        TentClassifier().reset()


def test_parameters_are_checked_in_every_call(source):
    model = deepcopy(source).set_params(stats="mean")
    with pytest.raises(ValueError, match="'stats' parameter"):
        model.partial_fit(NEW)
