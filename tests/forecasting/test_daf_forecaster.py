"""The forecaster: roles of the rows, stages, early stopping, intervals, domains in prediction."""

import pickle
from functools import cache

import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score

from skpapers.few_shot import TargetDomainSplit
from skpapers.forecasting import DAFForecaster, _daf_stages, make_windows, normalized_deviation

SMALL = {"d_model": 8, "n_heads": 2, "max_iter": 3, "adaptation_iter": 2, "learning_rate_init": 0.01, "device": "cpu"}
HISTORY = 12
HORIZON = 4


def waves(n, rng, power=1.0):
    steps = np.arange(HISTORY + HORIZON)
    phase = rng.uniform(0.0, 6.0, (n, 1))
    series = np.sin(steps / rng.uniform(1.0, 3.0, (n, 1)) + phase)
    series = np.sign(series) * np.abs(series) ** power
    return 5.0 + rng.uniform(1.0, 4.0, (n, 1)) * series + 0.05 * rng.normal(size=series.shape)


@cache
def two_domains():
    """Return 120 windows of a source and 20 of the target."""
    rng = np.random.default_rng(0)
    series = np.concatenate([waves(120, rng), waves(20, rng, 2.0)])
    return series[:, :HISTORY], series[:, HISTORY:], np.repeat([1.0, -1.0], [120, 20])


@cache
def fitted(**options):
    X, y, domain = two_domains()
    return DAFForecaster(random_state=0, **{**SMALL, **options}).fit(X, y, sample_domain=domain)


class TestOneDomain:
    def test_it_learns(self):
        rng = np.random.default_rng(1)
        series = waves(300, rng)
        new = waves(100, rng)
        model = DAFForecaster(learning_rate_init=0.01, max_iter=12, random_state=0)
        model.fit(series[:, :HISTORY], series[:, HISTORY:])
        found = normalized_deviation(new[:, HISTORY:], model.predict(new[:, :HISTORY]))
        last = normalized_deviation(new[:, HISTORY:], np.repeat(new[:, [HISTORY - 1]], HORIZON, axis=1))
        assert found < 0.35 * last
        assert model.loss_curve_[-1] < 0.6 * model.loss_curve_[0]

    def test_attributes(self):
        X, y, _ = two_domains()
        model = DAFForecaster(random_state=0, **SMALL).fit(X, y)
        assert model.horizon_ == HORIZON
        assert model.history_ == HISTORY
        assert_array_equal(model.domains_, [-1.0])
        assert model.n_iter_ == 3 == len(model.loss_curve_)
        assert model.source_loss_curve_ == model.discriminator_accuracies_ == []
        assert model.validation_scores_ is model.best_iter_ is model.quantiles_ is None

    def test_scale_and_offset_go_through(self):
        X, y, _ = two_domains()
        plain = DAFForecaster(random_state=0, **SMALL).fit(X, y).predict(X[:5])
        moved = DAFForecaster(random_state=0, **SMALL).fit(1e6 * X - 3e8, 1e6 * y - 3e8).predict(1e6 * X[:5] - 3e8)
        assert_allclose(moved, 1e6 * plain - 3e8, rtol=1e-6)

    def test_one_step(self):
        X, y, _ = two_domains()
        model = DAFForecaster(random_state=0, **SMALL).fit(X, y[:, 0])
        assert model.predict(X[:5]).shape == (5,)
        assert model.to_torch()(torch.from_numpy(X[:5])).shape == (5,)

    def test_kernels_longer_than_the_history(self):
        X, y, _ = two_domains()
        model = DAFForecaster(kernel_sizes=(3, 50), random_state=0, **SMALL).fit(X[:, :2], y)
        assert model.kernel_sizes_ == (1, 1)
        assert np.isfinite(model.predict(X[:, :2])).all()

    def test_early_stopping_keeps_the_best_epoch(self):
        X, y, _ = two_domains()
        model = DAFForecaster(early_stopping=True, random_state=0, **{**SMALL, "max_iter": 8}).fit(X, y)
        assert model.best_validation_score_ == max(model.validation_scores_)
        assert model.validation_scores_[model.best_iter_ - 1] == model.best_validation_score_
        held = slice(-28, None)
        scale = X[held].std(axis=1, keepdims=True)
        expected = -np.mean(np.abs(model.predict(X[held]) - y[held]) / scale)
        assert_allclose(model.best_validation_score_, expected, rtol=1e-4)

    def test_patience(self):
        X, y, _ = two_domains()
        options = {**SMALL, "max_iter": 50, "tol": 10.0, "n_iter_no_change": 2}
        model = DAFForecaster(early_stopping=True, random_state=0, **options).fit(X, y)
        assert model.n_iter_ == 3  # the first one improves on nothing


class TestTwoDomains:
    def test_attributes(self):
        model = fitted()
        assert_array_equal(model.domains_, [-1.0, 1.0])
        assert len(model.source_loss_curve_) == 3
        assert len(model.loss_curve_) == 2
        assert model.n_iter_ == 5
        assert len(model.discriminator_accuracies_) == 2
        assert len(model.validation_scores_) == 3

    def test_no_epoch_is_the_source_network(self):
        X, y, domain = two_domains()
        zero = fitted(adaptation_iter=0)
        source = DAFForecaster(random_state=0, **SMALL).fit(X[domain > 0], y[domain > 0])
        target = X[domain < 0]
        assert_array_equal(zero.predict(target), zero.predict(target, sample_domain=np.ones(len(target))))
        # one domain fewer draws other weights: the same quality, and not the same numbers
        errors = [normalized_deviation(y[domain > 0], m.predict(X[domain > 0])) for m in (source,)]
        of_zero = normalized_deviation(y[domain > 0], zero.predict(X[domain > 0], sample_domain=np.ones(120)))
        assert abs(errors[0] - of_zero) < 0.1

    def test_zero_shot_is_a_candidate(self):
        X, y, domain = two_domains()
        options = {**SMALL, "learning_rate_init": 0.01}
        zero = fitted(adaptation_iter=0)
        model = fitted()
        held = np.flatnonzero(domain < 0)[-4:]
        scale = X[held].std(axis=1, keepdims=True)
        expected = -np.mean(np.abs(zero.predict(X[held]) - y[held]) / scale)
        assert_allclose(model.validation_scores_[0], expected, rtol=1e-4)
        assert model.best_validation_score_ >= model.validation_scores_[0]
        # a joint training that only harms leaves the weights before it
        bad = DAFForecaster(random_state=0, **{**options, "adversarial_weight": 1e6, "adaptation_iter": 1})
        bad.fit(X, y, sample_domain=domain)
        if bad.best_iter_ == 0:
            assert_array_equal(bad.predict(X[held]), zero.predict(X[held]))
        assert bad.best_validation_score_ >= bad.validation_scores_[0]

    def test_domains_have_modules_of_their_own(self):
        X, _, _ = two_domains()
        model = fitted(early_stopping=False)
        target = model.predict(X[:3])
        source = model.predict(X[:3], sample_domain=np.ones(3))
        assert not np.allclose(target, source)
        mixed = model.predict(X[:3], sample_domain=[1.0, -1.0, 1.0])
        assert_allclose(mixed, [source[0], target[1], source[2]])

    def test_two_sources(self):
        X, y, domain = two_domains()
        domain = domain.copy()
        domain[:60] = 7.0
        model = DAFForecaster(random_state=0, **SMALL).fit(X, y, sample_domain=domain)
        assert_array_equal(model.domains_, [-1.0, 1.0, 7.0])
        a, b = (model.predict(X[:3], sample_domain=np.full(3, number)) for number in (1.0, 7.0))
        assert not np.allclose(a, b)

    @pytest.mark.parametrize("warm", [True, False])
    def test_weights_of_the_source_learn_slowly_at_the_target(self, warm, monkeypatch):
        settings = {"random_state": 0, "early_stopping": False, "warm_start_target": warm, **SMALL}
        X, y, domain = two_domains()
        third = DAFForecaster(**settings).fit(X, y, sample_domain=domain).predict(X)
        monkeypatch.setattr(_daf_stages, "JOINT_RATE", 1.0)
        whole = DAFForecaster(**settings).fit(X, y, sample_domain=domain).predict(X)
        assert np.array_equal(third, whole) is not warm

    def test_the_target_starts_from_the_better_source(self):
        X, y, domain = two_domains()
        y = y.copy()
        y[:60] = 100.0 - y[:60]  # a source of no use
        for bad in (1.0, 3.0):
            numbers = domain.copy()
            numbers[:60] = bad
            numbers[60:120] = 2.0
            options = {**SMALL, "max_iter": 20, "adaptation_iter": 0}
            model = DAFForecaster(random_state=0, **options).fit(X, y, sample_domain=numbers)
            target = X[domain < 0]
            assert_array_equal(model.predict(target), model.predict(target, sample_domain=np.full(20, 2.0)))

    def test_a_cold_start(self):
        X, y, domain = two_domains()
        X = X.copy()
        X[domain < 0, :5] = np.nan
        model = DAFForecaster(mask_nan=True, random_state=0, **SMALL).fit(X, y, sample_domain=domain)
        assert np.isfinite(model.predict(X)).all()
        whole = model.predict(np.where(np.isnan(X), 1e6, X)[domain > 0], sample_domain=np.ones(120))
        assert_array_equal(whole, model.predict(X[domain > 0], sample_domain=np.ones(120)))

    def test_fine_tuning_and_sharing_differ(self):
        X, _, _ = two_domains()
        made = [
            fitted(early_stopping=False, **options).predict(X[:3])
            for options in ({}, {"adversarial_weight": 0.0}, {"adversarial_weight": 0.0, "source_weight": 0.0})
        ]
        assert not np.allclose(made[0], made[1])
        assert not np.allclose(made[1], made[2])

    def test_from_scratch(self):
        model = fitted(warm_start_target=False)
        assert model.source_loss_curve_ == []
        assert model.n_iter_ == 2

    def test_validation_rows(self):
        X, y, domain = two_domains()
        rows = np.r_[:136]
        model = DAFForecaster(random_state=0, **SMALL)
        model.fit(X[rows], y[rows], sample_domain=domain[rows], X_val=X[136:], y_val=y[136:])
        assert_allclose(model.validation_scores_, fitted().validation_scores_)
        assert_allclose(model.predict(X[:3]), fitted().predict(X[:3]))

    def test_weights_count_within_a_domain(self):
        X, y, domain = two_domains()
        weight = np.where(domain > 0, 1e200, 1e-3)
        model = DAFForecaster(random_state=0, **SMALL).fit(X, y, weight, sample_domain=domain)
        assert_array_equal(model.predict(X[:3]), fitted().predict(X[:3]))

    def test_rows_without_weight_are_left_out(self):
        X, y, domain = two_domains()
        weight = np.ones(len(X))
        weight[::5] = 0.0
        kept = weight > 0
        model = DAFForecaster(random_state=0, **SMALL)
        expected = clone(model).fit(X[kept], y[kept], sample_domain=domain[kept]).predict(X[:3])
        assert_array_equal(model.fit(X, y, weight, sample_domain=domain).predict(X[:3]), expected)


class TestQuantiles:
    def test_order_and_point(self):
        X, _, _ = two_domains()
        model = fitted(quantiles=(0.9, 0.1, 0.5))
        found = model.predict_quantiles(X)
        assert found.shape == (140, HORIZON, 3)
        assert np.all(found[..., 1] <= found[..., 2])
        assert np.all(found[..., 2] <= found[..., 0])
        assert_array_equal(found[..., 2], model.predict(X))

    def test_conformal_moves_the_ends_and_not_the_forecast(self):
        X, y, domain = two_domains()
        options = {"quantiles": (0.2, 0.8), "calibration_fraction": 0.5, "early_stopping": False}
        model = fitted(conformal=True, **options)
        plain = DAFForecaster(random_state=0, **SMALL, quantiles=(0.2, 0.8), early_stopping=False)
        plain.fit(X[:130], y[:130], sample_domain=domain[:130])
        assert_array_equal(model.predict(X[:3]), plain.predict(X[:3]))
        scale = X[130:].std(axis=1)[:, None, None]
        errors = np.sort((y[130:, :, None] - plain.predict_quantiles(X[130:])) / scale, axis=0)
        expected = np.stack([errors[1, :, 0], errors[8, :, 1]], axis=-1)  # ranks 11 * 0.2 and 11 * 0.8, rounded
        moved = plain.predict_quantiles(X[:3]) + expected * X[:3].std(axis=1)[:, None, None]
        point = plain.predict(X[:3])
        moved[..., 0] = np.minimum(moved[..., 0], point)
        moved[..., 1] = np.maximum(moved[..., 1], point)
        assert_allclose(model.predict_quantiles(X[:3]), moved)
        assert_array_equal(
            model.predict_quantiles(X[:3], sample_domain=np.ones(3)),
            plain.predict_quantiles(X[:3], sample_domain=np.ones(3)),
        )

    @pytest.mark.parametrize("quantiles", [(0.0, 0.5), (1.2,), (), ((0.1,),)])
    def test_no_quantiles(self, quantiles):
        X, y, _ = two_domains()
        with pytest.raises(ValueError, match="quantiles must hold numbers between 0 and 1"):
            DAFForecaster(quantiles=quantiles, **SMALL).fit(X, y)

    def test_too_few_windows_to_calibrate(self):
        X, y, domain = two_domains()
        model = DAFForecaster(quantiles=(0.1, 0.9), conformal=True, **SMALL)
        with pytest.raises(ValueError, match=r"holds back 4 target windows, and quantiles=.* need 9"):
            model.fit(X, y, sample_domain=domain)
        with pytest.raises(ValueError, match="conformal=True calibrates quantiles; quantiles is None"):
            DAFForecaster(conformal=True, **SMALL).fit(X, y)
        with pytest.raises(ValueError, match="forecasts no quantiles"):
            fitted().predict_quantiles(X)


class TestRefusals:
    @pytest.mark.parametrize(
        ("numbers", "message"),
        [
            ([1.0] * 4, "no negative number"),
            ([1.0, -1.0, -2.0, 1.0], r"\[-2.0, -1.0\]"),
            ([1.0, 0.0, -1.0, 1.0], "positive for rows of the source and negative"),
            ([1.0, -1.0], "inconsistent numbers of samples"),
        ],
    )
    def test_domains(self, numbers, message):
        X, y, _ = two_domains()
        model = DAFForecaster(**SMALL)
        with pytest.raises(ValueError, match=message):
            model.fit(X[:4], y[:4], sample_domain=numbers)
        assert not hasattr(model, "domains_")

    def test_a_target_without_weight(self):
        X, y, domain = two_domains()
        with pytest.raises(ValueError, match=r"No row of the target .* weight above 0"):
            DAFForecaster(**SMALL).fit(X, y, (domain > 0).astype(float), sample_domain=domain)

    def test_unknown_domain(self):
        X, _, _ = two_domains()
        with pytest.raises(ValueError, match="sample_domain=3 is not one of the domains of the fit"):
            fitted().predict(X[:2], sample_domain=[3.0, -1.0])

    def test_constant_series(self):
        X = np.ones((20, 6))
        with pytest.raises(ValueError, match="Every history that is left to train on is constant"):
            DAFForecaster(**SMALL).fit(X, X[:, :2])
        rng = np.random.default_rng(0)
        X[5:] = rng.normal(size=(15, 6))
        y = rng.normal(size=(20, 2))
        model = DAFForecaster(random_state=0, **SMALL).fit(X, y)
        assert_array_equal(model.predict(np.full((2, 6), 7.5)), np.full((2, 2), 7.5))
        expected = DAFForecaster(random_state=0, **SMALL).fit(X[5:], y[5:])
        assert_array_equal(model.predict(X), expected.predict(X))

    def test_a_constant_target(self):
        X, y, domain = two_domains()
        X = X.copy()
        X[domain < 0] = 3.0
        model = DAFForecaster(random_state=0, **SMALL).fit(X, y, sample_domain=domain)
        assert_array_equal(model.predict(X[-2:]), np.full((2, HORIZON), 3.0))
        assert model.validation_scores_ is None

    def test_one_step_of_history(self):
        with pytest.raises(ValueError, match=r"two steps or more; X has 1 feature\(s\)"):
            DAFForecaster(**SMALL).fit(np.zeros((5, 1)), np.zeros(5))

    def test_a_row_without_values(self):
        X, y, _ = two_domains()
        X = X.copy()
        X[4] = np.nan
        with pytest.raises(ValueError, match="Row 4 of X has no observed value"):
            DAFForecaster(mask_nan=True, **SMALL).fit(X, y)
        X[4, 3:] = 1.0
        model = DAFForecaster(mask_nan=True, **SMALL).fit(X, y)
        X[4] = np.nan
        with pytest.raises(ValueError, match="no observed value"):
            model.predict(X)
        with pytest.raises(ValueError, match="NaN"):
            DAFForecaster(**SMALL).fit(X, y)

    def test_sizes(self):
        X, y, _ = two_domains()
        with pytest.raises(ValueError, match="d_model=8 must be a multiple of n_heads=3"):
            DAFForecaster(**{**SMALL, "n_heads": 3}).fit(X, y)
        for sizes in ((), (0,), (1.5,), [[2]], (2,) * 9):
            with pytest.raises(ValueError, match="kernel_sizes must hold integers from 1"):
                DAFForecaster(kernel_sizes=sizes, **SMALL).fit(X, y)

    def test_nothing_left_to_train_on(self):
        series = np.random.default_rng(0).normal(size=24)
        X, y, _, _ = make_windows(series, HISTORY, HORIZON)
        with pytest.raises(ValueError, match=r"early_stopping=True holds back 0.9 of the n_samples=9 target"):
            DAFForecaster(early_stopping=True, validation_fraction=0.9, **SMALL).fit(X, y)
        with pytest.raises(ValueError, match=r"conformal=True holds back 0.9 of the"):
            DAFForecaster(conformal=True, quantiles=(0.5,), calibration_fraction=0.9, **SMALL).fit(X, y)
        XX, yy, _domain = two_domains()
        both = np.concatenate([XX[:50], X]), np.concatenate([yy[:50], y]), np.repeat([1.0, -1.0], [50, 9])
        model = DAFForecaster(validation_fraction=0.9, **SMALL).fit(*both[:2], sample_domain=both[2])
        assert model.validation_scores_ is None

    def test_validation_rows_without_early_stopping(self):
        X, y, _ = two_domains()
        with pytest.raises(ValueError, match="for early_stopping; it is False"):
            DAFForecaster(early_stopping=False, **SMALL).fit(X, y, X_val=X, y_val=y)
        with pytest.raises(ValueError, match="go together"):
            DAFForecaster(early_stopping=True, **SMALL).fit(X, y, X_val=X)

    def test_divergence(self):
        X, y, _ = two_domains()
        model = DAFForecaster(**{**SMALL, "learning_rate_init": 1e30, "max_iter": 20})
        with pytest.raises(ValueError, match="became NaN or infinite in epoch"):
            model.fit(X, y)
        assert not hasattr(model, "_fitted")


class TestInterfaces:
    def test_three_dimensions_are_flat_rows(self):
        X, y, domain = two_domains()
        table = np.stack([X, X[:, ::-1]], axis=-1)
        deep = DAFForecaster(random_state=0, **SMALL).fit(table, y, sample_domain=domain)
        flat = DAFForecaster(n_channels=2, random_state=0, **SMALL)
        flat.fit(table.reshape(len(X), -1), y, sample_domain=domain)
        assert_array_equal(deep.predict(table[:4]), flat.predict(table[:4].reshape(4, -1)))
        assert_array_equal(deep.predict(table[:4]), deep.predict(table[:4].reshape(4, -1)))

    def test_other_channels_count(self):
        X, y, _ = two_domains()
        table = np.stack([X, X[:, ::-1]], axis=-1)
        model = DAFForecaster(random_state=0, **SMALL).fit(table, y)
        changed = table.copy()
        changed[:, 5, 1] += 1.0
        assert not np.allclose(model.predict(table), model.predict(changed))

    def test_to_torch(self):
        X, _, _ = two_domains()
        for model in (fitted(), fitted(quantiles=(0.1, 0.9))):
            with torch.no_grad():
                assert_allclose(model.to_torch()(torch.from_numpy(X)), model.predict(X), rtol=1e-12)

    def test_pickle_and_determinism(self):
        X, y, domain = two_domains()
        model = fitted(n_layers=2)
        again = DAFForecaster(random_state=0, n_layers=2, **SMALL).fit(X, y, sample_domain=domain)
        state = torch.get_rng_state()
        assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), again.predict(X))
        assert torch.equal(state, torch.get_rng_state())

    def test_float64(self):
        model = fitted(dtype="float64")
        assert np.isfinite(model.predict(two_domains()[0])).all()
        assert all(weights.dtype == np.float64 for weights in model._fitted.weights.values())

    def test_predict_alone_is_predict_among_others(self):
        X, _, _ = two_domains()
        model = fitted(quantiles=(0.1, 0.9))
        rows = np.vstack([model.predict_quantiles(X[[i]]) for i in range(5)])
        assert_allclose(rows, model.predict_quantiles(X)[:5], rtol=1e-10)

    def test_splits_of_target_rows(self):
        X, y, domain = two_domains()
        splits = list(TargetDomainSplit(TimeSeriesSplit(2)).split(X, y, sample_domain=domain))
        with sklearn.config_context(enable_metadata_routing=True):
            search = GridSearchCV(DAFForecaster(random_state=0, **SMALL), {"kernel_sizes": [(2,), (3,)]}, cv=splits)
            search.fit(X, y, sample_domain=domain)
        assert search.best_params_["kernel_sizes"] in ((2,), (3,))

    def test_forward_splits(self):
        series = np.random.default_rng(0).normal(size=(60, 2)).cumsum(axis=0)
        X, y, _, _ = make_windows(series, 8, 3)
        cv = TimeSeriesSplit(3, gap=4)
        scores = cross_val_score(DAFForecaster(random_state=0, **SMALL), X, y, cv=cv, error_score="raise")
        assert len(scores) == 3
        assert len(cross_val_score(Ridge(), X, y, cv=cv)) == 3


class TestAttentionMaps:
    def test_weights_make_the_forecast(self):
        X, _, _ = two_domains()
        model = fitted()
        maps = model.attention_maps(X[:4])
        assert maps.interpolation.shape == (4, 2, HISTORY, HISTORY)
        assert maps.extrapolation.shape == (4, 2, HORIZON, HISTORY + HORIZON)
        assert_allclose(maps.interpolation.sum(axis=-1), 1.0)
        assert_allclose(maps.extrapolation.sum(axis=-1), 1.0)
        assert not maps.interpolation.diagonal(axis1=-2, axis2=-1).any()
        assert not maps.extrapolation[..., :5].any()
        for step in range(HORIZON):
            assert not maps.extrapolation[:, :, step, HISTORY + step :].any()
        module = model.to_torch()
        block = module.network.blocks[0]
        z = (X[:4] - X[:4].mean(axis=1, keepdims=True)) / X[:4].std(axis=1, keepdims=True)
        with torch.no_grad():
            values = block.private[0].values(torch.from_numpy(z)[..., None]).chunk(2, dim=-1)[1]
            weights = torch.from_numpy(maps.extrapolation[:, :, 0, :HISTORY])
            o = torch.einsum("bht,bthd->bhd", weights, values.unflatten(-1, (2, -1))).flatten(1)
            first = block.private[0].decode(block.shared.mixed(o[:, None]))[:, 0, 0].numpy()
        assert_allclose(first * X[:4].std(axis=1) + X[:4].mean(axis=1), model.predict(X[:4])[:, 0])

    def test_missing_steps_have_no_weight(self):
        X, y, domain = two_domains()
        X = X.copy()
        X[domain < 0, :4] = np.nan
        model = DAFForecaster(mask_nan=True, random_state=0, **SMALL).fit(X, y, sample_domain=domain)
        maps = model.attention_maps(X[-3:])
        assert not maps.interpolation[..., :4].any()
        assert not maps.extrapolation[..., :9].any()

    def test_queries(self):
        X, _, _ = two_domains()
        model = fitted(early_stopping=False)
        before = model.queries(X[:3], before=True)
        assert before.shape == (3, HISTORY, 8)
        assert_array_equal(before, model.queries(X[:3], sample_domain=1.0, before=True))
        assert not np.allclose(before, model.queries(X[:3]))
        with pytest.raises(ValueError, match="one domain"):
            DAFForecaster(random_state=0, **SMALL).fit(*two_domains()[:2]).queries(X[:3], before=True)
        with pytest.raises(ValueError, match="not one of the domains"):
            model.queries(X[:3], sample_domain=5.0)


@pytest.mark.slow
def test_a_source_helps_targets_with_few_windows():
    """The mean over four targets: on a single one the ratio lies between .5 and 1."""
    errors = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        source = waves(400, rng)
        target = waves(8, rng, 2.0)
        new = waves(200, rng, 2.0)
        series = np.concatenate([source, target])
        domain = np.repeat([1.0, -1.0], [400, 8])
        options = {"random_state": 0, "device": "cpu"}
        alone = DAFForecaster(**options).fit(target[:, :HISTORY], target[:, HISTORY:])
        helped = DAFForecaster(**options).fit(series[:, :HISTORY], series[:, HISTORY:], sample_domain=domain)
        errors.append([normalized_deviation(new[:, HISTORY:], m.predict(new[:, :HISTORY])) for m in (alone, helped)])
        assert helped.discriminator_accuracies_[-1] < 0.65
    without, with_source = np.mean(errors, axis=0)
    assert with_source < 0.8 * without


def test_repeated_rows_are_weights():
    X, y, domain = two_domains()
    X = X[domain < 0]
    y = y[domain < 0]
    weight = np.arange(len(X)) % 3
    settings = {"d_model": 4, "batch_size": 10**6, "max_iter": 20, "dtype": "float64", "device": "cpu"}
    weighted = DAFForecaster(**settings, random_state=0).fit(X, y, sample_weight=weight)
    repeated = DAFForecaster(**settings, random_state=0).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight, axis=0))
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-7)
