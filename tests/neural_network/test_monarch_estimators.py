"""The estimators with Monarch matrices: modes, changes of form, starts from dense networks."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_diabetes, load_digits, make_classification
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn

from skpapers._fitting import Fitting
from skpapers._torch.fitted import History
from skpapers._torch.supervised_base import SupervisedNetwork
from skpapers.neural_network import (
    MonarchLinear,
    MonarchMLPClassifier,
    MonarchMLPRegressor,
    SAMMLPClassifier,
    SAMMLPRegressor,
    _monarch_base,
    _monarch_phases,
)
from tests._asserts import assert_same_predictions

PLAIN = {"numeric_embedding": "none", "dropout": 0.0, "device": "cpu", "random_state": 0}
STEPS = {"max_iter": 10, "batch_size": 32, "learning_rate_init": 0.03}
SMALL = {"hidden_layer_sizes": (48, 48), "calibration": None, **STEPS, **PLAIN}
MODES = ("end_to_end", "sparse_to_dense", "dense_to_sparse")


def table(n_classes=3, n=240):
    return make_classification(n, 8, n_informative=6, n_redundant=0, n_classes=n_classes, random_state=0)


def form(model):
    return model._fitted.architecture["form"]


def is_dense(model):
    return set(form(model)) == {None}


class TestModes:
    @pytest.mark.parametrize(
        ("mode", "n_epochs", "dense"),
        [("end_to_end", 10, False), ("sparse_to_dense", 10, True), ("dense_to_sparse", 13, False), ("dense", 10, True)],
    )
    def test_epochs_and_form(self, mode, n_epochs, dense):
        model = MonarchMLPClassifier(**SMALL, mode=mode).fit(*table())
        assert model.n_iter_ == len(model.loss_curve_) == n_epochs
        assert is_dense(model) == dense
        assert model.score(*table()) > 0.8
        assert model.loss_ < model.loss_curve_[0]

    def test_the_switch_does_not_change_the_outputs(self):
        X, y = table()
        sparse = MonarchMLPClassifier(**SMALL).fit(X, y)
        dense = MonarchMLPClassifier(**SMALL, mode="sparse_to_dense", switch_at=1.0).fit(X, y)
        assert is_dense(dense)
        difference = np.abs(dense._outputs(X) - sparse._outputs(X)).max()
        assert 0 < difference <= 1e-6 * np.abs(sparse._outputs(X)).max()

    def test_the_dense_phase_trains(self):
        X, y = table()
        half = MonarchMLPClassifier(**SMALL, mode="sparse_to_dense", switch_at=0.5).fit(X, y)
        sparse = MonarchMLPClassifier(**SMALL).fit(X, y)
        assert half.loss_curve_[:5] == sparse.loss_curve_[:5]
        weights = half._fitted.weights["layers.1.weight"]
        assert np.linalg.matrix_rank(weights[:, :8]) > 1
        left_out = _monarch_base.changed(half._fitted, form(sparse))
        assert np.abs(half._outputs(X) - half._outputs_of(left_out, X)).max() > 1e-3  # no Monarch matrix any more

    def test_the_projection_is_that_of_the_dense_network(self):
        X, y = table()
        dense = MonarchMLPClassifier(**SMALL, mode="dense").fit(X, y)
        sparse = MonarchMLPClassifier(**SMALL, mode="dense_to_sparse", finetune=0.0).fit(X, y)
        assert sparse.loss_curve_ == dense.loss_curve_
        projected = _monarch_base.changed(dense._fitted, form(sparse))
        assert_allclose(sparse._outputs(X), dense._outputs_of(projected, X), rtol=1e-5, atol=1e-5)

    def test_fine_tuning_lowers_the_loss(self):
        X, y = table()
        settings = {**SMALL, "mode": "dense_to_sparse", "min_compression": 4.0}
        tuned = MonarchMLPRegressor(**{k: v for k, v in settings.items() if k != "calibration"}).fit(X, y)
        assert tuned.loss_curve_[10] > tuned.loss_curve_[-1]

    @pytest.mark.parametrize("width", [256, 512])
    def test_projected_layers_are_compressed_eight_times(self, width):
        X, y = table(n=40)
        settings = {**SMALL, "hidden_layer_sizes": (width, width), "max_iter": 1}
        model = MonarchMLPClassifier(**settings, mode="dense_to_sparse").fit(X, y)
        sizes = {name: value.size for name, value in model._fitted.weights.items()}
        assert width**2 >= 8 * (sizes["layers.1.L"] + sizes["layers.1.R"])

    def test_modes_repeat_themselves(self):
        X, y = table()
        for mode in MODES:
            settings = {**SMALL, "mode": mode, "dropout": 0.2, "n_ensemble": 2}
            first, second = (MonarchMLPClassifier(**settings).fit(X, y) for _ in range(2))
            assert_same_predictions(first, second, X)

    @pytest.mark.parametrize("mode", MODES)
    def test_the_temperature_is_that_of_a_second_network_in_the_same_phases(self, mode):
        X, y = table()
        model = MonarchMLPClassifier(**{**SMALL, "calibration": "temperature"}, mode=mode).fit(X, y)
        assert model.temperature_ > 1.0
        assert model.n_iter_ == (13 if mode == "dense_to_sparse" else 10)

    def test_the_second_phase_draws_other_orders_and_masks(self, monkeypatch):
        train = SupervisedNetwork._train
        seeds = []

        def recording(self, setup, rows, held, of_phase, *args, **kwargs):
            seeds.append(of_phase)
            return train(self, setup, rows, held, of_phase, *args, **kwargs)

        monkeypatch.setattr(SupervisedNetwork, "_train", recording)
        MonarchMLPClassifier(**{**SMALL, "max_iter": 2}, mode="sparse_to_dense", switch_at=0.5).fit(*table(n=60))
        (weights, first), (same, then) = seeds
        assert weights == same
        assert first != then

    def test_early_stopping_ends_each_phase(self):
        X, y = table()
        settings = {**SMALL, "max_iter": 60, "early_stopping": True, "n_iter_no_change": 3}
        model = MonarchMLPClassifier(**settings, mode="dense_to_sparse").fit(X, y)
        assert model.n_iter_ == len(model.validation_scores_) < 78
        assert not is_dense(model)
        assert model.validation_scores_[model.best_iter_ - 1] == model.best_validation_score_
        assert model.score(X[-24:], y[-24:]) == pytest.approx(model.best_validation_score_)

    @pytest.mark.parametrize("mode", MODES)
    def test_a_callback_that_ends_the_fit_leaves_the_form_of_the_mode(self, mode, monkeypatch):
        step = Fitting.step
        monkeypatch.setattr(Fitting, "step", stopping_after(4, step))
        model = MonarchMLPClassifier(**SMALL, mode=mode).fit(*table())
        assert model.n_iter_ == 4
        assert is_dense(model) == (mode == "sparse_to_dense")

    def test_callbacks_score_both_phases(self):
        monitor = ScoringMonitor(scoring="accuracy")
        model = MonarchMLPClassifier(**SMALL, mode="sparse_to_dense").set_callbacks(monitor).fit(*table())
        assert len(monitor.get_logs().data) >= model.n_iter_


def stopping_after(n, step):
    """Return a `Fitting.step` whose steps ask to stop from the n-th on, as those of a callback do."""
    from contextlib import contextmanager

    @contextmanager
    def stopping(self, name, number=None, **kwargs):
        with step(self, name, number, **kwargs) as inner:
            yield inner
        if number is not None and number >= n:
            inner.stopped = True
            self.stopped = True

    return stopping


class TestParts:
    def test_the_second_pass_comes_in_the_last_steps_of_the_whole_schedule(self, monkeypatch):
        X, y = table()
        passes = []

        def counted(rho, adaptive):
            def gradient(network, objective, batch):
                passes.append(network.layers[1].weight is not None)
                return _monarch_base.backward(network, objective, batch)

            return gradient

        monkeypatch.setattr(_monarch_base, "sharpness_aware", counted)
        settings = {**SMALL, "rho": 0.05, "sam_fraction": 0.3, "batch_size": 60}
        MonarchMLPClassifier(**settings, mode="sparse_to_dense", switch_at=0.8).fit(X, y)
        assert passes == [False] * 4 + [True] * 8  # 40 steps, of which 12 take it, and 8 are dense

    def test_sharpness_aware_minimisation_and_the_curvature(self):
        X, y = table()
        plain, sam = (MonarchMLPClassifier(**{**SMALL, "max_iter": 40}, rho=rho).fit(X, y) for rho in (0.0, 0.3))
        assert 0 < sam.sharpness(X, y) < plain.sharpness(X, y)

    def test_members_are_networks_of_their_own(self):
        X, y = table()
        model = MonarchMLPClassifier(**SMALL, n_ensemble=3).fit(X, y)
        assert model._fitted.weights["layers.1.L"].shape[0] == 3
        single = MonarchMLPClassifier(**SMALL).fit(X, y)
        assert model.n_parameters_ == 3 * single.n_parameters_
        assert model.compression_ == pytest.approx(single.compression_)
        dense = MonarchMLPClassifier(**SMALL, n_ensemble=3).fit(X, y).densify()
        assert_allclose(dense.predict_proba(X), model.predict_proba(X), atol=1e-6)

    def test_mixup_changes_the_training(self):
        X, y = table()
        plain = MonarchMLPClassifier(**SMALL).fit(X, y)
        mixed = MonarchMLPClassifier(**SMALL, mixup_alpha=0.4).fit(X, y)
        assert mixed.loss_ > plain.loss_
        assert mixed.score(X, y) > 0.8

    def test_the_residual(self):
        X, y = table()
        with_it, without = (MonarchMLPClassifier(**SMALL, residual=r).fit(X, y) for r in (True, False))
        assert with_it.n_parameters_ == without.n_parameters_
        assert np.abs(with_it.predict_proba(X) - without.predict_proba(X)).max() > 0.01

    def test_parameters_and_moments_are_those_of_the_factors(self):
        X, y = table(n=60)
        model = MonarchMLPClassifier(**{**SMALL, "hidden_layer_sizes": (256, 256), "max_iter": 1}).fit(X, y)
        assert model.n_parameters_ == 8 * 256 + 2 * 16**3 + 256 * 3 + 256 + 256 + 3
        training = model._fitted.training
        for moment in ("exp_avg", "exp_avg_sq"):
            sizes = [value.size for name, value in training.items() if name.endswith(f".{moment}")]
            assert sum(sizes) == model.n_parameters_
        dense = 8 * 256 + 256**2 + 256 * 3 + 256 + 256 + 3
        assert model.compression_ == pytest.approx(dense / model.n_parameters_)
        assert model.densify().n_parameters_ == dense
        assert model.compression_ == 1.0

    def test_wide_inputs_enter_a_monarch_matrix(self):
        X, y = load_digits(return_X_y=True)
        X = np.hstack([X, X**2])[:300]
        model = MonarchMLPClassifier((96,), **{k: v for k, v in SMALL.items() if k != "hidden_layer_sizes"})
        model.fit(X, y[:300])
        assert form(model)[0] is not None
        assert model.score(X, y[:300]) > 0.9

    def test_targets_of_several_columns(self):
        X, y = load_diabetes(return_X_y=True)
        Y = np.column_stack([y, -2.0 * y + 5.0])
        model = MonarchMLPRegressor((64, 64), max_iter=30, **PLAIN).fit(X[:300], Y[:300])
        assert model.predict(X[300:]).shape == (142, 2)
        assert model.score(X[300:], Y[300:]) > 0.4

    def test_bad_parameters(self):
        X, y = table()
        for bad in ({"mode": "sparse"}, {"switch_at": 1.1}, {"n_blocks": "log"}, {"rank": 0}, {"min_compression": 0.5}):
            with pytest.raises(ValueError, match=f"The '{next(iter(bad))}' parameter"):
                MonarchMLPClassifier(**SMALL, **bad).fit(X, y)

    def test_the_automatic_rate_of_dense_matrices_is_that_of_all_networks(self):
        ours = MonarchMLPClassifier()._settings(1000).learning_rate
        assert ours * _monarch_phases.DENSE_RATE == SAMMLPClassifier()._settings(1000).learning_rate
        assert MonarchMLPClassifier(learning_rate_init=0.1)._settings(1000).learning_rate == 0.1

    @pytest.mark.parametrize("mode", ["end_to_end", "dense"])
    def test_a_diverging_loss_names_the_rate_that_was_given(self, mode):
        X, y = table()
        with pytest.raises(ValueError, match=r"lower learning_rate_init=1e\+20,"):
            MonarchMLPClassifier(**{**SMALL, "learning_rate_init": 1e20, "activation": "relu"}, mode=mode).fit(X, y)

    def test_narrow_networks_are_the_dense_ones(self):
        """No layer is worth a Monarch matrix; the learning rate is that of dense matrices in every call."""
        X, y = table()
        settings = {**SMALL, "hidden_layer_sizes": (8,)}
        narrow, dense = (MonarchMLPClassifier(**settings, mode=mode).fit(X, y) for mode in ("end_to_end", "dense"))
        assert_same_predictions(narrow, dense, X)
        narrow, dense = (MonarchMLPClassifier(**settings, mode=mode) for mode in ("end_to_end", "dense"))
        for _ in range(2):
            narrow.partial_fit(X, y, classes=[0, 1, 2])
            dense.partial_fit(X, y, classes=[0, 1, 2])
        assert_same_predictions(narrow, dense, X)


class TestNumbers:
    """What the common tests do not see: every layer below has a Monarch matrix, in every mode."""

    SETTINGS: ClassVar[dict] = {**STEPS, **PLAIN, "hidden_layer_sizes": (32, 32), "n_blocks": 4, "rank": 1}

    @pytest.mark.parametrize("mode", MODES)
    def test_constant_columns_and_targets_and_one_row(self, mode):
        X, y = table()
        model = MonarchMLPRegressor(**self.SETTINGS, mode=mode)
        assert_allclose(model.fit(np.hstack([X, np.ones((240, 2))]), np.full(240, 3.0)).predict(np.ones((2, 10))), 3.0)
        assert_allclose(model.fit(X[:1], y[:1] + 0.5).predict(X[:1]), y[0] + 0.5)
        assert_allclose(model.fit(X[[0, 0, 1, 1]], [0.0, 2.0, 5.0, 7.0]).predict(X[[0, 1]]), [1.0, 6.0], atol=2.5)

    @pytest.mark.parametrize("mode", MODES)
    def test_sizes_of_weights_columns_and_targets(self, mode):
        X, _ = table()
        y = X[:, 0] - X[:, 1] ** 2
        w = np.linspace(0.5, 1.5, len(y))
        model = MonarchMLPRegressor(**self.SETTINGS, mode=mode)
        expected = model.fit(X, y, sample_weight=w).predict(X)
        assert_allclose(model.fit(X, y, sample_weight=w * 2.0**660).predict(X), expected, rtol=1e-12)  # 4.8e198
        assert_allclose(model.fit(X * 2.0**660, y, sample_weight=w).predict(X * 2.0**660), expected, rtol=1e-6)
        assert_allclose(model.fit(X, y * 2.0**660, sample_weight=w).predict(X) / 2.0**660, expected, rtol=1e-6)
        far = model.fit(X + 1e9, y + 1e9, sample_weight=w).predict(X + 1e9) - 1e9
        assert_allclose(far, expected, atol=0.01)

    @pytest.mark.parametrize("mode", MODES)
    def test_dtypes_and_strides(self, mode):
        X, y = table()
        X = X.astype(np.float16).astype(float)
        model = MonarchMLPClassifier(**self.SETTINGS, calibration=None, mode=mode)
        expected = model.fit(X, y).predict_proba(X)
        for other in (X.astype(np.float16), X.astype(">f4"), np.asfortranarray(X), np.hstack([X, X])[:, :8]):
            assert_array_equal(model.fit(other, y).predict_proba(other), expected)
        assert_array_equal(model.fit(X[::-1][::-1], y).predict_proba(X[::-1])[::-1], expected)


class TestContinuing:
    @pytest.mark.parametrize("mode", MODES)
    def test_partial_fit_keeps_the_form(self, mode):
        X, y = table()
        model = MonarchMLPClassifier(**SMALL, mode=mode).fit(X, y)
        before = form(model)
        n = model.n_iter_
        model.partial_fit(X, y)
        assert form(model) == before
        assert model.n_iter_ == n + 1

    @pytest.mark.parametrize("mode", MODES)
    def test_partial_fit_starts_with_monarch_matrices(self, mode):
        X, y = table()
        model = MonarchMLPClassifier(**SMALL, mode=mode)
        for _ in range(20):
            model.partial_fit(X, y, classes=[0, 1, 2])
        assert not is_dense(model)
        assert model.score(X, y) > 0.8

    def test_densified_models_go_on_dense(self):
        X, y = table()
        model = MonarchMLPClassifier(**SMALL, warm_start=True).fit(X, y)
        outputs = model._outputs(X)
        assert_allclose(model.densify()._outputs(X), outputs, rtol=1e-6, atol=1e-6 * np.abs(outputs).max())
        assert is_dense(model.partial_fit(X, y))
        assert is_dense(model.fit(X, y))
        assert model.n_iter_ == 10

    def test_a_warm_start_of_dense_to_sparse_only_tunes(self):
        X, y = table()
        model = MonarchMLPClassifier(**SMALL, mode="dense_to_sparse", warm_start=True).fit(X, y)
        loss = model.loss_
        before = form(model)
        model.fit(X, y)
        assert model.n_iter_ == 3
        assert form(model) == before
        assert model.loss_ < 1.5 * loss

    def test_another_shape_is_an_error(self):
        X, y = table()
        model = MonarchMLPClassifier(**SMALL, warm_start=True).fit(X, y)
        for sizes in ((48,), (32, 48)):
            with pytest.raises(ValueError, match=r"another shape than the fitted one \(hidden_layer_sizes"):
                model.set_params(hidden_layer_sizes=sizes).fit(X, y)


EXACT = {"n_blocks": 1, "rank": 10**6}  # of full rank: a layer that saves nothing stays dense


def without_a_number(linear):
    """Return the layer with a NaN in its weight."""
    with torch.no_grad():
        linear.weight[0, 1] = float("nan")
    return linear


class TestFromDense:
    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize("activation", ["relu", "tanh"])
    def test_networks_of_scikit_learn(self, n_classes, activation):
        X, y = table(n_classes)
        labels = np.array(["a", "b", "c"])[y]
        dense = MLPClassifier((40, 40), activation=activation, max_iter=30, random_state=0).fit(X, labels)
        same = MonarchMLPClassifier.from_dense(dense, **EXACT, device="cpu")
        assert_allclose(same.predict_proba(X), dense.predict_proba(X), atol=1e-10)
        assert_array_equal(same.classes_, dense.classes_)
        small = MonarchMLPClassifier.from_dense(dense, min_compression=2.5, device="cpu", random_state=0)
        assert small.compression_ > 1.4
        assert small.n_features_in_ == 8
        before = small.score(X, labels)
        small.set_params(max_iter=100, learning_rate_init=0.005).fit(X, labels)
        assert small.n_iter_ == 30
        assert small.score(X, labels) >= max(before, 0.98 * dense.score(X, labels))

    def test_regression_of_scikit_learn(self):
        X, y = load_diabetes(return_X_y=True)
        Y = np.column_stack([y, y**2 / 100.0])
        for target in (y, Y):
            dense = MLPRegressor(hidden_layer_sizes=(30,), max_iter=50, random_state=0).fit(X, target)
            same = MonarchMLPRegressor.from_dense(dense, **EXACT)
            assert_allclose(same.predict(X), dense.predict(X), rtol=1e-9)

    @pytest.mark.parametrize("kwargs", [{}, {"n_ensemble": 2, "batch_norm": True, "numeric_embedding": "periodic"}])
    def test_sharpness_aware_networks(self, kwargs):
        X, y = table()
        settings = {**SMALL, **kwargs, "calibration": "temperature"}
        dense = SAMMLPClassifier(**settings).fit(X, y)
        same = MonarchMLPClassifier.from_dense(dense, **EXACT)
        assert_allclose(same.predict_proba(X), dense.predict_proba(X), atol=1e-12)
        assert same.temperature_ == dense.temperature_
        small = MonarchMLPClassifier.from_dense(dense, min_compression=2.5)
        assert not is_dense(small)
        assert_same_predictions(small.partial_fit(X, y).fit(X, y), small, X)
        assert small.loss_ < small.loss_curve_[0]

    def test_sharpness_aware_regression(self):
        X, y = load_diabetes(return_X_y=True)
        dense = SAMMLPRegressor((32, 32), max_iter=5, **PLAIN).fit(X, y)
        same = MonarchMLPRegressor.from_dense(dense, **EXACT)
        assert_allclose(same.predict(X), dense.predict(X), rtol=1e-9)

    def test_modules_of_torch(self):
        torch.manual_seed(0)
        X, _ = table()
        module = nn.Sequential(nn.Linear(8, 20), nn.Tanh(), nn.Dropout(), nn.Sequential(nn.Linear(20, 20, bias=False)))
        module.extend([nn.Tanh(), nn.Linear(20, 3)])
        model = MonarchMLPClassifier.from_dense(module, classes=["a", "b", "c"], **EXACT)
        expected = module.eval().double()(torch.from_numpy(X)).softmax(dim=1).detach().numpy()
        assert_allclose(model.predict_proba(X), expected, atol=1e-10)
        assert set(model.predict(X)) <= {"a", "b", "c"}
        linear = MonarchMLPRegressor.from_dense(nn.Linear(8, 1).double())
        assert linear.predict(X).shape == (240,)

    def test_parameters_that_were_set_after_the_fit_do_not_count(self):
        X, y = table()
        dense = SAMMLPClassifier(**SMALL, n_ensemble=2).fit(X, y)
        expected = dense.predict_proba(X)
        dense.set_params(n_ensemble=1, batch_norm=True, scaling="standard", hidden_layer_sizes=(3,))
        model = MonarchMLPClassifier.from_dense(dense, **EXACT)
        assert (model.n_ensemble, model.batch_norm, model.scaling) == (2, False, "robust")
        assert_allclose(model.predict_proba(X), expected, atol=1e-12)
        assert model.fit(X, y).n_iter_ == 10 + 3

    def test_identities_are_skipped(self):
        module = nn.Sequential(nn.Identity(), nn.Linear(8, 5), nn.ReLU(), nn.Identity(), nn.Linear(5, 1), nn.Identity())
        X, _ = table()
        model = MonarchMLPRegressor.from_dense(module.double(), **EXACT)
        assert_allclose(model.predict(X), module(torch.from_numpy(X)).detach().numpy()[:, 0], rtol=1e-10, atol=1e-12)
        linear = nn.Sequential(nn.Linear(8, 5), nn.Identity(), nn.Linear(5, 1)).double()
        model = MonarchMLPRegressor.from_dense(linear, **EXACT)
        assert model.activation == "identity"
        assert_allclose(model.predict(X), linear(torch.from_numpy(X)).detach().numpy()[:, 0], rtol=1e-10, atol=1e-12)

    def test_what_cannot_be_read(self):
        X, y = table(2)
        classifier = MLPClassifier((5,), max_iter=2, random_state=0)
        several = MLPClassifier((5,), max_iter=2, random_state=0).fit(X, np.column_stack([y, 1 - y]))
        relu = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
        for dense, kwargs, match in [
            (MLPClassifier(), {}, "not fitted"),
            (several, {}, "several labels"),
            (
                MLPRegressor(hidden_layer_sizes=(5,), max_iter=2).fit(X, y),
                {},
                "predicts numbers, and this estimator classes",
            ),
            (SAMMLPRegressor((5,), max_iter=2, device="cpu").fit(X, y), {}, "predicts numbers"),
            (MonarchMLPClassifier((5,), max_iter=2, device="cpu").fit(X, y), {}, "changes its form by mode"),
            (relu, {}, "one kind of activation"),
            (nn.Sequential(nn.Linear(8, 4), nn.ReLU()), {}, "none before the first and after the last"),
            (nn.Sequential(nn.ReLU(), nn.Linear(8, 4), nn.Linear(4, 1)), {}, "none before the first"),
            (
                nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 1)),
                {},
                "one kind of activation between them",
            ),
            (nn.Sequential(), {}, "it has 0 layers"),
            (nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(5, 1)), {}, "it needs 5 values"),
            (without_a_number(nn.Linear(8, 1)), {}, "Layer 0 of the dense network contains NaN"),
            (nn.Sequential(nn.Conv1d(1, 1, 1)), {}, "cannot read Conv1d"),
            (nn.Sequential(nn.Linear(8, 4), nn.Softplus(beta=2.0), nn.Linear(4, 1)), {}, "cannot read Softplus"),
            (MonarchLinear(8, 3), {}, "cannot read MonarchLinear"),
            (nn.Linear(8, 2), {}, "two classes have one output"),
            (nn.Linear(8, 3), {"classes": [2, 1, 0]}, "must be sorted"),
            (nn.Linear(8, 3), {"classes": [0, 1]}, "do not fit"),
            (classifier.fit(X, y), {"classes": [0, 1]}, "has its own"),
            (classifier, {"hidden_layer_sizes": (3,)}, "hidden_layer_sizes: the dense network decides"),
            (object(), {}, "it got object"),
        ]:
            with pytest.raises(ValueError, match=match):
                MonarchMLPClassifier.from_dense(dense, **kwargs)
        with pytest.raises(ValueError, match="classes is for classifiers"):
            MonarchMLPRegressor.from_dense(nn.Linear(8, 3), classes=[0, 1, 2])


def test_histories_are_joined():
    a = History((3.0, 2.0), (0.1, 0.2), 0.2, 2)
    b = History((1.0,), (0.3,), 0.3, 1)
    assert _monarch_base.joined(a, b) == History((3.0, 2.0, 1.0), (0.1, 0.2, 0.3), 0.3, 3)
    assert _monarch_base.joined(a, History(scores=None, best_score=float("-inf"), best_epoch=0)) == a
    assert _monarch_base.joined(History((3.0,)), History((2.0,))) == History((3.0, 2.0))
