"""Convolutional networks as estimators: shapes of rows, padding, options of the shared loop."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score

from skpapers.convolution import ConvNetClassifier, ConvNetRegressor
from skpapers.datasets import make_glyphs

X, LABELS = load_digits(return_X_y=True)
X = X[:300]
LABELS = LABELS[:300]
IMAGES = X.reshape(-1, 1, 8, 8)
FEW = {"hidden_channels": (8, 8), "max_iter": 3, "dropout": 0.0, "random_state": 0, "device": "cpu"}


def few(**options):
    return ConvNetClassifier(**{**FEW, **options})


def probabilities(model, rows=IMAGES, labels=LABELS, new=None):
    return model.fit(rows, labels).predict_proba(rows if new is None else new)


@pytest.mark.slow
def test_digits():
    rows, labels = load_digits(return_X_y=True)
    # the folds are not shuffled: the writers of a test fold are not in training
    assert cross_val_score(ConvNetClassifier(random_state=0, device="cpu"), rows, labels, cv=5).mean() >= 0.98


def test_flat_rows_images_and_lists_are_the_same_rows():
    expected = probabilities(few(), X, new=X)
    for rows in (IMAGES, IMAGES.astype(np.uint8), IMAGES.tolist()):
        assert_array_equal(probabilities(few(), rows), expected)
    single = probabilities(few(), IMAGES.astype(np.float32))
    assert_allclose(single, expected, rtol=1e-4, atol=1e-5)
    model = few(image_shape=(1, 8, 8)).fit(X, LABELS)
    assert model.image_shape_ == (1, 8, 8)
    assert model.n_features_in_ == 64
    for rows in (X, IMAGES, X.reshape(-1, 8, 8)):
        assert_array_equal(model.predict_proba(rows), expected)


def test_shapes_of_rows_without_an_image_shape():
    y = np.arange(40) % 2
    rows = np.random.default_rng(0).normal(size=(40, 18))
    assert few().fit(rows, y).image_shape_ == (1, 1, 18)
    assert few().fit(rows[:, :16], y).image_shape_ == (1, 4, 4)
    assert few().fit(rows.reshape(-1, 2, 9), y).image_shape_ == (2, 9)
    assert few().fit(rows.reshape(-1, 2, 3, 3), y).image_shape_ == (2, 3, 3)
    assert few(image_shape=[2, 9]).fit(rows, y).image_shape_ == (2, 9)


@pytest.mark.parametrize(
    ("options", "rows", "message"),
    [
        ({"image_shape": (1, 8, 9)}, X, r"^image_shape=\(1, 8, 9\) needs 72 values in a row; X has 64\.$"),
        ({"image_shape": (2, 4, 8)}, IMAGES, r"^Each row of X has shape \(1, 8, 8\); it must be \(2, 4, 8\), or flat"),
        ({"image_shape": (64,)}, X, r"image_shape must be \(C, H, W\), \(C, L\) or None, of integers from 1; got"),
        ({"image_shape": (1, 0, 8)}, X, r"image_shape must be \(C, H, W\), \(C, L\) or None, of integers from 1"),
        ({"image_shape": (1, 8.0, 8)}, X, r"image_shape must be \(C, H, W\), \(C, L\) or None, of integers from 1"),
        ({}, IMAGES[:, None], r"Each row of X has shape \(1, 1, 8, 8\); it must be \(C, H, W\) or \(C, L\), or flat"),
        ({"hidden_channels": ()}, X, "hidden_channels must hold integers from 1, one for each layer; got"),
        ({"hidden_channels": (8, 0.5)}, X, "hidden_channels must hold integers from 1, one for each layer; got"),
        ({"strides": (1, 2, 2)}, X, "strides must be an integer from 1, or 2 of them, one a layer"),
        ({"strides": (1, 0)}, X, "strides must be an integer from 1, or 2 of them, one a layer"),
        ({"kernel_size": 4}, X, "kernel_size=4 is even and has no centre"),
        ({"kernel_size": 9, "padding_mode": "valid"}, X, "does not fit layer 1: its input has 8 values"),
        (
            {"strides": 2, "even_padding": "raise"},
            X,
            "For images of size 8 x 8 the strides leave .* Use images of size 9 x 9",
        ),
    ],
)
def test_bad_input_gets_one_clear_line_and_changes_nothing(options, rows, message):
    model = few(**options)
    with pytest.raises(ValueError, match=message) as caught:
        model.fit(rows, LABELS)
    assert "\n" not in str(caught.value)
    assert not [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]


def test_predictions_of_another_shape_are_refused():
    model = few().fit(IMAGES, LABELS)
    with pytest.raises(ValueError, match=r"Each row of X has shape \(2, 4, 8\); it must be \(1, 8, 8\), or flat"):
        model.predict(X.reshape(-1, 2, 4, 8))
    with pytest.raises(ValueError, match="X has 63 features, but ConvNetClassifier is expecting 64"):
        model.predict(X[:, 1:])


def test_uneven_padding_is_warned_of_once_raised_or_fixed():
    with pytest.warns(UserWarning, match="Use images of size 9 x 9") as caught:
        few(strides=2, calibration="temperature").fit(X, LABELS)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    fixed = few(strides=2, even_padding="fix").fit(X, LABELS)
    assert fixed.to_torch().network.lines == ((0, 1), (0, 1))
    larger = few(strides=2, padding_mode="replicate", even_padding="fix").fit(X, LABELS)
    with_lines = np.pad(IMAGES, ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge")
    same = few(strides=2, padding_mode="replicate", scaling=None)
    scaled = (IMAGES - X.mean()) / X.std()
    same.fit(np.pad(scaled, ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge"), LABELS)
    scaled_lines = (with_lines - X.mean()) / X.std()
    assert_allclose(larger.predict_proba(IMAGES), same.predict_proba(scaled_lines), rtol=1e-4, atol=1e-5)
    even = few(strides=2).fit(np.pad(IMAGES, ((0, 0), (0, 0), (0, 1), (0, 1))), LABELS)
    assert even.to_torch().network.lines == ((0, 0), (0, 0))
    with pytest.warns(UserWarning, match="For series of size 31 the strides leave .* Use series of size 33, strides=1"):
        few(strides=2).fit(X[:, :62].reshape(-1, 2, 31), LABELS)
    with pytest.warns(UserWarning, match="do not divide the size, so that places on the circle are not read alike"):
        few(strides=2, padding_mode="circular").fit(X[:, :62].reshape(-1, 2, 31), LABELS)
    few(strides=2, padding_mode="circular", even_padding="raise").fit(X, LABELS)


@pytest.mark.parametrize(
    "options",
    [
        {"rho": 0.1},
        {"mixup_alpha": 0.5},
        {"n_ensemble": 2},
        {"dropout": 0.5},
        {"batch_norm": False},
        {"pooling": "max"},
        {"pooling": "flatten"},
        {"activation": "silu"},
        {"kernel_size": 5},
        {"strides": (1, 3), "even_padding": "fix"},
        *({"padding_mode": mode} for mode in ("circular", "reflect", "replicate", "symmetric", "partial", "valid")),
        {"label_smoothing": 0.1},
        {"class_weight": {0: 5.0}},
        {"scaling": "robust"},
        {"dtype": "float64"},
        {"solver": "sgd"},
    ],
    ids=str,
)
def test_every_option_changes_the_network_and_repeats_itself(options):
    found = probabilities(few(**options))
    assert np.abs(found - probabilities(few())).max() > 1e-9
    assert_array_equal(found, probabilities(few(**options)))
    assert_allclose(found.sum(axis=1), 1.0)


def test_sharpness_aware_training_is_the_step_of_the_paper():
    rows = IMAGES[:64]
    options = {"batch_size": 64, "max_iter": 1, "solver": "sgd", "momentum": 0.0, "alpha": 0.0, "dtype": "float64",
               "batch_norm": False, "learning_rate_init": 0.01}  # fmt: skip
    start = few(**{**options, "learning_rate_init": 1e-300}).fit(rows, LABELS[:64])
    model = few(**options, rho=0.05).fit(rows, LABELS[:64])
    network = start.to_torch().network
    inputs = torch.from_numpy((rows - rows.mean()) / rows.std())
    loss = torch.nn.functional.cross_entropy
    learning = list(network.parameters())
    y = torch.from_numpy(LABELS[:64])
    gradient = torch.autograd.grad(loss(network(inputs), y), learning)
    norm = torch.sqrt(sum(g.square().sum() for g in gradient))
    saved = [p.detach().clone() for p in learning]
    with torch.no_grad():
        for p, g in zip(learning, gradient, strict=True):
            p.add_(0.05 * g / norm)
    worst = torch.autograd.grad(loss(network(inputs), y), learning)
    for p, start_value, g in zip(model.to_torch().network.parameters(), saved, worst, strict=True):
        assert torch.allclose(p, start_value - 0.01 * g, rtol=1e-6, atol=1e-10)


def test_early_stopping_holds_back_the_last_rows():
    model = few(early_stopping=True, max_iter=8, n_iter_no_change=2, validation_fraction=0.2).fit(X, LABELS)
    given = few(early_stopping=True, max_iter=8, n_iter_no_change=2)
    given.fit(IMAGES[:240], LABELS[:240], X_val=IMAGES[240:], y_val=LABELS[240:])
    assert model.validation_scores_ == given.validation_scores_
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(X[240:], LABELS[240:]) == pytest.approx(model.best_validation_score_)


def test_partial_fit_and_warm_start_continue():
    model = few(learning_rate_init=0.003)
    for _ in range(6):
        model.partial_fit(IMAGES, LABELS, classes=np.unique(LABELS))
    assert len(model.loss_curve_) == 6
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    warm = few(warm_start=True, max_iter=1).fit(IMAGES, LABELS)
    first = warm.loss_
    assert warm.fit(IMAGES, LABELS).loss_ < first
    with pytest.raises(ValueError, match=r"another shape than the fitted one \(hidden_channels=\(4,\)"):
        warm.set_params(hidden_channels=(4,)).fit(IMAGES, LABELS)
    changed = few(warm_start=True, image_shape=(4, 4, 4), max_iter=1).fit(X, LABELS).set_params(image_shape=(1, 8, 8))
    for continued in (changed.fit, changed.partial_fit):
        with pytest.raises(
            ValueError, match=r"fitted with image_shape=\(4, 4, 4\) and cannot continue with \(1, 8, 8\)"
        ):
            continued(X, LABELS)
    assert changed.image_shape_ == (4, 4, 4)


def test_weights_are_repeated_rows():
    whole = {"batch_norm": False, "batch_size": 10**6, "dtype": "float64"}
    weights = np.arange(len(X)) % 3
    weighted = few(**whole).fit(X, LABELS, sample_weight=weights)
    repeated = few(**whole).fit(np.repeat(X, weights, axis=0), np.repeat(LABELS, weights))
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-8, atol=1e-10)


def test_the_module_takes_flat_rows_and_the_model_travels():
    model = few(n_ensemble=2).fit(IMAGES, LABELS)
    logits = model.to_torch()(torch.from_numpy(X)).detach()
    assert_allclose(logits.softmax(dim=1), model.predict_proba(IMAGES), rtol=1e-10, atol=1e-14)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.image_shape_ == (1, 8, 8)
    assert not hasattr(clone(model), "image_shape_")


def test_glyphs_anywhere_are_learned_by_the_maximum_over_places():
    rows, labels = make_glyphs(600, 12, random_state=0)
    model = ConvNetClassifier((16, 16), pooling="max", max_iter=10, random_state=0, device="cpu")
    assert model.fit(rows[:400], labels[:400]).score(rows[400:], labels[400:]) > 0.95


def test_a_series_is_regressed_on_what_no_linear_model_sees():
    rows = np.random.default_rng(0).normal(size=(600, 2, 16))
    y = np.abs(rows[:, 0]).sum(axis=1) - np.abs(rows[:, 1]).sum(axis=1)
    model = ConvNetRegressor((16, 16), kernel_size=1, max_iter=40, random_state=0, device="cpu")
    assert model.fit(rows[:400], y[:400]).score(rows[400:], y[400:]) > 0.7
    flat = rows.reshape(600, -1)
    assert Ridge().fit(flat[:400], y[:400]).score(flat[400:], y[400:]) < 0.1
    both = np.column_stack([y, -2.0 * y])
    assert model.fit(rows[:400], both[:400]).score(rows[400:], both[400:]) > 0.7
