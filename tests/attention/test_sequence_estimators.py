"""Estimators on windows of series and on tables: what they share, for every kind of attention."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skpapers.attention import (
    FLASHClassifier,
    FLASHRegressor,
    PerformerClassifier,
    PerformerRegressor,
    RFAClassifier,
    RFARegressor,
    _sequence_base,
)
from skpapers.attention._performer import GENERALIZED

TINY = {"d_model": 8, "n_layers": 2, "max_iter": 2, "random_state": 0, "device": "cpu"}
RNG = np.random.default_rng(0)
N = 21
WINDOWS = RNG.normal(size=(N, 12, 2))
TARGET = WINDOWS[:, :, 0].mean(axis=1) + WINDOWS[:, -1, 1]
LABELS = np.array(["down", "flat", "up"])[np.digitize(TARGET, [-0.5, 0.5])]
KINDS = [
    (PerformerRegressor, {"attention": "linear"}),
    (PerformerRegressor, {"attention": "softmax"}),
    (RFARegressor, {"attention": "linear", "n_features": 8}),
    (RFARegressor, {"gate": True, "causal": True, "n_features": 8}),
    (FLASHRegressor, {"chunk_size": 5, "d_query": 4}),
]
IDS = ["performer", "softmax", "rfa", "rfa with a gate", "flash"]
POOLS = ["mean", "last", "cls"]
every_kind = pytest.mark.parametrize(("kind", "more"), KINDS, ids=IDS)


def streamed(model, X, method="partial_predict"):
    """Return the predictions after each step, of shape (L, n, ...), from states that went through pickle."""
    state = model.init_state(len(X))
    found = []
    for step in X.transpose(1, 0, 2):
        prediction, state = getattr(model, method)(step, pickle.loads(pickle.dumps(state)))
        found.append(prediction)
    return np.array(found)


def until(X, n):
    """Return windows whose steps from n on are missing."""
    X = X.copy()
    X[:, n:] = np.nan
    return X


def predicted_so_far(model, X):
    """Return the predictions for the windows of the first 1, 2, ... steps, of shape (L, n)."""
    windows = [until(X, n + 1) for n in range(X.shape[1])]
    return model.predict(np.concatenate(windows)).reshape(len(windows), -1)


class TestRows:
    @every_kind
    def test_flat_rows_are_windows_in_the_order_of_time(self, kind, more):
        shaped = kind(**TINY, **more).fit(WINDOWS, TARGET)
        flat = kind(**TINY, **more, n_channels=2).fit(WINDOWS.reshape(N, -1), TARGET)
        assert_array_equal(shaped.predict(WINDOWS), flat.predict(WINDOWS.reshape(N, -1)))
        assert_array_equal(shaped.predict(WINDOWS), shaped.predict(WINDOWS.reshape(N, -1)))

    def test_columns_that_are_no_multiple_of_the_channels_are_an_error(self):
        with pytest.raises(ValueError, match="X has 24 columns, which is not a multiple of n_channels=5"):
            PerformerRegressor(**TINY, n_channels=5).fit(WINDOWS.reshape(N, -1), TARGET)

    @every_kind
    def test_several_horizons_and_windows_of_one_step(self, kind, more):
        Y = np.column_stack([TARGET, -TARGET, np.full(N, 3.0)])
        model = kind(**TINY, **more).fit(WINDOWS[:, :1], Y)
        assert model.predict(WINDOWS[:, :1]).shape == (N, 3)
        assert_array_equal(model.predict(WINDOWS[:, :1])[:, 2], 3.0)

    @pytest.mark.parametrize("pool", POOLS)
    @every_kind
    def test_missing_steps_count_for_nothing(self, kind, more, pool):
        """A window is the same wherever its missing steps are, and whatever other windows are beside it."""
        model = kind(**TINY, **more, pool=pool, mask_nan=True).fit(WINDOWS, TARGET)
        for n in (1, 5, 12):
            X = until(WINDOWS, n)
            moved = np.full_like(X, np.nan)
            moved[:, np.sort(RNG.permutation(12)[:n])] = X[:, :n]
            expected, found = np.split(model.predict(np.concatenate([X, moved])), 2)
            assert_allclose(found, expected, rtol=0, atol=1e-12)
            assert_allclose(model.predict(X[:1]), expected[:1], rtol=0, atol=1e-12)

    @every_kind
    def test_windows_of_other_lengths_are_padded(self, kind, more):
        """A model of short windows and one of the same windows, padded in training and prediction, are the same."""
        padded = np.concatenate([WINDOWS, np.full((N, 4, 2), np.nan)], axis=1)
        long = kind(**TINY, **more, mask_nan=True, dtype="float64", positions="sinusoidal").fit(padded, TARGET)
        short = kind(**TINY, **more, mask_nan=True, dtype="float64", positions="sinusoidal").fit(WINDOWS, TARGET)
        assert_allclose(long.predict(padded), short.predict(WINDOWS), rtol=0, atol=1e-9)

    def test_a_missing_channel_counts_as_its_mean(self):
        model = PerformerRegressor(**TINY, mask_nan=True, scaling="standard").fit(WINDOWS, TARGET)
        X = WINDOWS.copy()
        X[:, 3, 1] = np.nan
        filled = WINDOWS.copy()
        filled[:, 3, 1] = WINDOWS[:, :, 1].mean()
        assert_allclose(model.predict(X), model.predict(filled), rtol=0, atol=1e-12)

    def test_nan_is_an_error_unless_it_is_asked_for(self):
        with pytest.raises(ValueError, match="NaN"):
            PerformerRegressor(**TINY).fit(until(WINDOWS, 5), TARGET)
        model = PerformerRegressor(**TINY).fit(WINDOWS, TARGET)
        with pytest.raises(ValueError, match="NaN"):
            model.predict(until(WINDOWS, 5))

    @every_kind
    def test_windows_without_any_step_and_channels_that_were_not_observed(self, kind, more):
        X = until(WINDOWS, 0)
        X[5:, :, 0] = WINDOWS[5:, :, 0]
        for scaling in ("robust", "standard", None):
            model = kind(**TINY, **more, mask_nan=True, scaling=scaling).fit(X, TARGET)
            assert np.isfinite(model.predict(X)).all()
            assert len(np.unique(model.predict(X[:5]))) == 1
            assert np.isfinite(model.predict(WINDOWS)).all()

    def test_partial_fits_with_missing_values(self):
        """A channel that is observed for the first time in the second call is scaled from there on."""
        X = WINDOWS.copy()
        X[:10, :, 1] = np.nan
        model = PerformerRegressor(**TINY, mask_nan=True)
        model.partial_fit(X[:10], TARGET[:10])
        first = model.predict(X[:10])
        model.partial_fit(X[10:], TARGET[10:])
        assert np.isfinite(model.predict(X)).all()
        assert np.abs(model.predict(X[:10]) - first).max() > 0


class TestColumns:
    X = np.column_stack([RNG.normal(size=60), RNG.integers(0, 3, size=60), RNG.normal(size=60) * 1e6])
    y = np.array([5.0, -2.0, 1.0])[X[:, 1].astype(int)] + X[:, 0]

    def model(self, **more):
        settings = {**TINY, "d_model": 16, "n_layers": 1, "batch_size": 20, "tokenize": "features"}
        return PerformerRegressor(**{**settings, **more})

    @pytest.fixture(scope="class")
    @classmethod
    def learned(cls):
        return cls().model(categorical_features=[1], max_iter=60).fit(cls.X, cls.y)

    def test_codes_are_learned(self, learned):
        assert learned.score(self.X, self.y) > 0.9

    def test_codes_are_names_and_not_numbers(self):
        """Codes may be renamed; places, masks and names of columns are the same."""
        plain = self.model(categorical_features=[1]).fit(self.X, self.y)
        renamed = self.X.copy()
        renamed[:, 1] = renamed[:, 1] * 1000 - 7
        same = self.model(categorical_features=[False, True, False]).fit(renamed, self.y)
        assert_allclose(same.predict(renamed), plain.predict(self.X), rtol=0, atol=1e-9)
        frame = pd.DataFrame(self.X, columns=["a", "b", "c"])
        named = self.model(categorical_features=["b"]).fit(frame, self.y)
        assert_array_equal(named.predict(frame), plain.predict(self.X))

    def test_unknown_codes_share_a_vector(self, learned):
        rows = np.repeat(self.X[:1], 4, axis=0)
        rows[:, 1] = [-1.0, 3.0, 99.0, 0.5]
        assert len(np.unique(learned.predict(rows))) == 1
        rows[:3, 1] = [0.0, 1.0, 2.0]
        assert len(np.unique(learned.predict(rows))) == 4

    def test_the_vector_of_unknown_codes_stays_that_of_no_code(self, learned):
        """It is drawn as 0 and never trained: an unknown code adds nothing to the token of its column."""
        table = learned._fitted.weights["tokens.table"]
        assert_array_equal(table[0], 0.0)
        assert (table[1:] != 0.0).all()

    def test_later_calls_know_the_codes_of_the_first(self):
        model = self.model(categorical_features=[1]).partial_fit(self.X, self.y)
        more = self.X[:4].copy()
        more[:, 1] = 17
        model.partial_fit(more, self.y[:4])
        assert np.isfinite(model.predict(more)).all()

    def test_a_missing_column_is_no_token(self):
        X = self.X.copy()
        X[::3, 0] = np.nan
        X[1::3, 1] = np.nan
        model = self.model(categorical_features=[1], mask_nan=True, max_iter=40).fit(X, self.y)
        assert model.score(X, self.y) > 0.6
        assert np.isfinite(model.predict(np.full((1, 3), np.nan))).all()

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ({"categorical_features": [0]}, "Column 0 is among categorical_features, and holds .*: codes must be"),
            ({"categorical_features": [3]}, "categorical_features has column 3; X has 3 columns"),
            ({"categorical_features": ["b"]}, "categorical_features has names, and X has none"),
            ({"categorical_features": [True]}, r"mask of shape \(1,\); X has 3 columns"),
            ({"categorical_features": [0.5]}, "must hold integers, names of columns, or a mask"),
            ({"categorical_features": [1], "tokenize": "steps"}, 'categorical_features is for tokenize="features"'),
            ({"n_channels": 3}, 'n_channels=3 is for tokenize="steps"'),
        ],
    )
    def test_wrong_columns_are_errors(self, more, message):
        with pytest.raises(ValueError, match=message):
            self.model(**more).fit(self.X, self.y)

    @pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, lambda data: pd.DataFrame(data).to_numpy()])
    def test_words_are_errors_that_say_what_to_give(self, make):
        """In training and in prediction, for every column: they would have to be coded alike."""
        rows = {"size": self.X[:, 0], "city": np.array(["Rome", "Oslo", "Bonn"])[self.X[:, 1].astype(int)]}
        words = make(rows)
        name = "'city'" if hasattr(words, "columns") else "1"
        message = f"^Column {name} holds '(Rome|Oslo|Bonn)': categories must be integer codes, as .*OrdinalEncoder"
        for chosen in (["city"], [1], None):
            with pytest.raises(ValueError, match=message):
                self.model(categorical_features=chosen).fit(words, self.y)
        codes = make({**rows, "city": self.X[:, 1].astype(int)})
        model = self.model(categorical_features=[1], max_iter=1).fit(codes, self.y)
        with pytest.raises(ValueError, match=message):
            model.predict(words)

    def test_categories_of_pandas_that_are_integers_are_codes(self):
        frame = pd.DataFrame(self.X, columns=["a", "b", "c"])
        model = self.model(categorical_features=["b"], max_iter=1).fit(frame, self.y)
        coded = frame.astype({"b": int}).astype({"b": "category"})
        assert_array_equal(model.predict(coded), model.predict(frame))
        words = frame.astype({"b": int}).astype({"b": str})
        assert_array_equal(model.predict(words), model.predict(frame))


class TestStreams:
    @pytest.mark.parametrize("pool", POOLS)
    @every_kind
    def test_every_step_predicts_the_window_so_far(self, kind, more, pool):
        model = kind(**{**TINY, **more, "pool": pool, "causal": True, "mask_nan": True}).fit(WINDOWS, TARGET)
        assert_allclose(streamed(model, WINDOWS), predicted_so_far(model, WINDOWS), rtol=0, atol=1e-9)

    @pytest.mark.parametrize("pool", POOLS)
    @every_kind
    def test_a_series_without_a_step_stays_where_it_is(self, kind, more, pool):
        model = kind(**{**TINY, **more, "pool": pool, "causal": True, "mask_nan": True}).fit(WINDOWS, TARGET)
        X = WINDOWS.copy()
        X[RNG.random(X.shape[:2]) < 0.4] = np.nan
        assert_allclose(streamed(model, X), predicted_so_far(model, X), rtol=0, atol=1e-9)

    @pytest.mark.parametrize("kind", [PerformerClassifier, RFAClassifier, FLASHClassifier])
    def test_labels_and_probabilities(self, kind):
        model = kind(**TINY, causal=True).fit(WINDOWS, LABELS)
        assert_array_equal(streamed(model, WINDOWS)[-1], model.predict(WINDOWS))
        found = streamed(model, WINDOWS, "partial_predict_proba")[-1]
        assert_allclose(found, model.predict_proba(WINDOWS), rtol=0, atol=1e-9)

    def test_a_stream_without_a_state_begins_and_states_stay_as_they_are(self):
        model = PerformerRegressor(**TINY, causal=True).fit(WINDOWS, TARGET)
        before = pickle.dumps(model)
        first, state = model.partial_predict(WINDOWS[:, 0])
        kept = pickle.dumps(state)
        twice = [model.partial_predict(WINDOWS[:, 1], state)[0] for _ in range(2)]
        assert_array_equal(*twice)
        assert_array_equal(first, model.partial_predict(WINDOWS[:, 0], model.init_state(N))[0])
        assert pickle.dumps(state) == kept
        assert pickle.dumps(model) == before

    def test_a_new_fit_has_a_new_stream(self):
        model = PerformerRegressor(**TINY, causal=True).fit(WINDOWS, TARGET)
        first, _ = model.partial_predict(WINDOWS[:, 0])
        other, _ = model.fit(WINDOWS, -TARGET).partial_predict(WINDOWS[:, 0])
        assert np.abs(first - other).max() > 0.01

    def test_positions_beyond_the_windows(self):
        twice = np.concatenate([WINDOWS, WINDOWS], axis=1)
        learned = PerformerRegressor(**TINY, causal=True).fit(WINDOWS, TARGET)
        with pytest.raises(ValueError, match="fitted on windows of 12 steps"):
            streamed(learned, twice)
        for positions in ("sinusoidal", None):
            model = PerformerRegressor(**TINY, causal=True, positions=positions).fit(WINDOWS, TARGET)
            assert np.isfinite(streamed(model, twice)).all()

    @pytest.mark.parametrize(
        ("more", "x_t", "message"),
        [
            ({"causal": False}, WINDOWS[:, 0], "need a model fitted with causal=True"),
            ({"causal": True, "tokenize": "features"}, WINDOWS[:, 0], "need a model fitted with causal=True"),
            ({"causal": True}, WINDOWS[:, 0, :1], r"x_t has shape \(21, 1\); it must be \(21, 2\)"),
            ({"causal": True}, np.full((N, 2), np.nan), "Input x_t contains NaN"),
        ],
    )
    def test_wrong_steps_are_errors(self, more, x_t, message):
        X = WINDOWS[:, 0] if "tokenize" in more else WINDOWS
        model = PerformerRegressor(**TINY, **more).fit(X, TARGET)
        with pytest.raises(ValueError, match=message):
            model.partial_predict(x_t)

    @pytest.mark.parametrize(
        ("n_rows", "error"), [(-1, ValueError), (0, ValueError), (2.5, TypeError), ("a", TypeError)]
    )
    def test_wrong_numbers_of_series_are_errors(self, n_rows, error):
        model = PerformerRegressor(**TINY, causal=True).fit(WINDOWS, TARGET)
        with pytest.raises(error, match="n_rows"):
            model.init_state(n_rows)

    def test_states_of_other_models_are_errors(self):
        settings = {**TINY, "causal": True}
        model = PerformerRegressor(**settings).fit(WINDOWS, TARGET)
        others = [
            RFARegressor(**settings, gate=True).fit(WINDOWS, TARGET),
            PerformerRegressor(**{**settings, "d_model": 4}).fit(WINDOWS, TARGET),
            PerformerRegressor(**{**settings, "n_layers": 1}).fit(WINDOWS, TARGET),
        ]
        for state in ("state", *(other.init_state(N) for other in others)):
            with pytest.raises(ValueError, match="state must be what init_state or partial_predict of this model"):
                model.partial_predict(WINDOWS[:, 0], state)


class TestParameters:
    def test_short_windows_get_exact_attention(self):
        found = {
            name: PerformerRegressor(**TINY, attention=name).fit(WINDOWS, TARGET).predict(WINDOWS)
            for name in ("auto", "softmax", "linear")
        }
        assert_array_equal(found["auto"], found["softmax"])
        assert np.abs(found["linear"] - found["softmax"]).max() > 1e-4

    @pytest.mark.parametrize("kernel", GENERALIZED)
    def test_every_kernel_of_generalised_attention(self, kernel):
        model = PerformerRegressor(**TINY, attention="linear", kernel=kernel).fit(WINDOWS, TARGET)
        assert np.isfinite(model.predict(WINDOWS)).all()

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ({"gate": True}, "set causal=True"),
            ({"gate": True, "causal": True, "attention": "softmax"}, 'set attention="linear" or "auto"'),
            ({"n_heads": 3}, "n_heads=3"),
        ],
    )
    def test_impossible_combinations_are_errors(self, more, message):
        with pytest.raises(ValueError, match=message):
            RFARegressor(**TINY, **more).fit(WINDOWS, TARGET)

    def test_the_half_life_is_that_of_the_mean_gate(self):
        model = RFARegressor(**TINY, gate=True, causal=True).fit(WINDOWS, TARGET)
        assert model.half_life_.shape == (2, 2)
        assert (model.half_life_ > 0.5).all()
        assert not hasattr(RFARegressor(**TINY).fit(WINDOWS, TARGET), "half_life_")
        assert not hasattr(RFARegressor(**TINY), "half_life_")

    def test_the_half_life_counts_every_step_once(self):
        """Windows of one step and of twelve: the mean is over steps, each with the weight of its window."""
        settings = {**TINY, "gate": True, "causal": True, "mask_nan": True, "learning_rate_init": 1e-9, "n_layers": 1}
        settings = {**settings, "positions": None, "scaling": None}
        X = WINDOWS.copy()
        X[:9, 1:] = np.nan
        model = RFARegressor(**settings).fit(X, TARGET)
        steps = X[~np.isnan(X).all(axis=2)][:, np.newaxis]
        alone = RFARegressor(**settings).fit(steps, np.resize(TARGET, len(steps)))
        assert_allclose(model.half_life_, alone.half_life_, rtol=1e-5)
        weight = RNG.integers(1, 4, size=N)
        weighted = RFARegressor(**settings).fit(X, TARGET, sample_weight=weight)
        repeated = RFARegressor(**settings).fit(np.repeat(X, weight, axis=0), np.repeat(TARGET, weight))
        assert_allclose(weighted.half_life_, repeated.half_life_, rtol=1e-5)

    def test_the_learned_token_is_no_step_of_the_half_life(self):
        settings = {**TINY, "gate": True, "causal": True, "mask_nan": True, "learning_rate_init": 1e-9}
        for X in (WINDOWS, until(WINDOWS, 5)):
            mean, cls = (RFARegressor(**settings, pool=pool).fit(X, TARGET) for pool in ("mean", "cls"))
            shared = {name: value for name, value in mean._fitted.weights.items() if name != "mean_gates"}
            cls._fitted.weights.update(shared)
            cls = cls.set_params(warm_start=True).fit(X, TARGET)
            assert_allclose(cls.half_life_, mean.half_life_, rtol=1e-5)

    def test_the_half_life_after_a_partial_fit_is_that_of_its_rows(self):
        settings = {**TINY, "gate": True, "causal": True, "learning_rate_init": 1e-9, "scaling": None}
        model = RFARegressor(**settings).partial_fit(WINDOWS[:9], TARGET[:9]).partial_fit(WINDOWS[9:], TARGET[9:])
        later = RFARegressor(**settings).fit(WINDOWS[9:], TARGET[9:])
        assert_allclose(model.half_life_, later.half_life_, rtol=1e-5)

    def test_windows_without_any_step_have_no_gate(self):
        settings = {**TINY, "gate": True, "causal": True, "mask_nan": True, "learning_rate_init": 1e-9}
        alone = RFARegressor(**settings).fit(WINDOWS, TARGET)
        weight = RNG.uniform(0.5, 2, size=2 * N)
        X = np.concatenate([WINDOWS, until(WINDOWS, 0)])
        beside = RFARegressor(**settings).fit(X, np.tile(TARGET, 2))
        assert_allclose(beside.half_life_, alone.half_life_, rtol=1e-5)
        weighted = RFARegressor(**settings).fit(X, np.tile(TARGET, 2), sample_weight=weight)
        expected = RFARegressor(**settings).fit(WINDOWS, TARGET, sample_weight=weight[:N])
        assert_allclose(weighted.half_life_, expected.half_life_, rtol=1e-5)
        assert np.isnan(RFARegressor(**settings).fit(until(WINDOWS, 0), TARGET).half_life_).all()

    @pytest.mark.parametrize("longer", [False, True])
    @pytest.mark.parametrize(
        ("kind", "causal", "break_even"),
        [(PerformerRegressor, False, 256), (RFARegressor, False, 512), (PerformerRegressor, True, 1024)],
    )
    def test_long_windows_get_linear_attention(self, kind, causal, break_even, longer):
        X = RNG.normal(size=(2, break_even if longer else break_even - 1))
        settings = {**TINY, "causal": causal, "max_iter": 1}
        found = [
            kind(**settings, attention=name).fit(X, [0.0, 1.0]).predict(X)
            for name in ("auto", "linear" if longer else "softmax")
        ]
        assert_array_equal(*found)

    @pytest.mark.parametrize(
        ("kind", "change", "was"),
        [
            (PerformerRegressor, {"tokenize": "features"}, "steps"),
            (PerformerRegressor, {"mask_nan": True}, False),
            (PerformerRegressor, {"n_channels": 3}, 1),
            (PerformerRegressor, {"causal": True}, False),
            (PerformerRegressor, {"pool": "last"}, "mean"),
            (PerformerRegressor, {"positions": None}, "sinusoidal"),
            (PerformerRegressor, {"n_heads": 4}, 2),
            (PerformerRegressor, {"attention": "linear"}, "softmax"),
            (PerformerRegressor, {"kernel": "relu"}, "softmax"),
            (PerformerRegressor, {"first_norm": True}, False),
            (PerformerRegressor, {"d_model": 4}, 8),
            (RFARegressor, {"gate": True, "causal": True}, False),
            (RFARegressor, {"normalizer": None}, "count"),
            (FLASHRegressor, {"activation": "laplace"}, "relu2"),
        ],
    )
    def test_a_fitted_network_is_continued_as_it_is(self, kind, change, was):
        X = WINDOWS[:, :, 0]
        model = kind(**{**TINY, "max_iter": 1, "positions": "sinusoidal"}, warm_start=True).fit(X, TARGET)
        before = pickle.dumps(model._fitted)
        model.set_params(**change)
        for method in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match=f"The network was fitted with .*{was!r} and cannot continue with "):
                method(X, TARGET)
        assert pickle.dumps(model._fitted) == before
        model.set_params(warm_start=False).fit(X, TARGET)

    def test_a_fitted_network_keeps_its_categories(self):
        X = np.column_stack([RNG.normal(size=N), RNG.integers(0, 3, size=(N, 2))])
        settings = {**TINY, "max_iter": 1, "tokenize": "features", "warm_start": True}
        model = PerformerRegressor(**settings, categorical_features=[1]).fit(X, TARGET)
        model.set_params(categorical_features=[False, True, False]).fit(X, TARGET)
        for other in ([1, 2], None):
            model.set_params(categorical_features=other)
            for method in (model.fit, model.partial_fit):
                with pytest.raises(
                    ValueError, match=r"fitted with categorical_features=\[1\] and cannot continue with"
                ):
                    method(X, TARGET)

    def test_what_training_alone_depends_on_may_change(self):
        model = RFARegressor(**TINY, attention="linear", n_features=4, warm_start=True).fit(WINDOWS, TARGET)
        model.set_params(dropout=0.1, redraw_interval=2, sigma=2.0, n_channels=2).fit(WINDOWS, TARGET)
        model.partial_fit(WINDOWS, TARGET)

    def test_the_generator_of_torch_is_left_alone(self):
        torch.manual_seed(3)
        before = torch.get_rng_state()
        RFARegressor(**TINY, dropout=0.1).fit(WINDOWS, TARGET).predict(WINDOWS)
        assert torch.equal(torch.get_rng_state(), before)

    def test_small_tables_get_enough_steps(self, monkeypatch):
        assert _sequence_base.FEWEST_STEPS == 600
        monkeypatch.setattr(_sequence_base, "FEWEST_STEPS", 20)
        model = PerformerRegressor(**{**TINY, "max_iter": "auto", "batch_size": 8, "n_layers": 1})
        assert model.fit(WINDOWS[:, :2], TARGET).n_iter_ == 7  # three steps for each
