"""Policies in training and in adaptation: which rows are transitions, what changes, and what stays as it was."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skpapers.adaptation import PADPolicyClassifier, PADPolicyRegressor
from tests._asserts import assert_same_predictions, assert_unchanged_by

FAST = {
    "hidden_layer_sizes": (12,),
    "head_layer_sizes": (8,),
    "max_iter": 3,
    "learning_rate_init": 0.01,
    "device": "cpu",
    "random_state": 0,
}
classifier = partial(PADPolicyClassifier, **FAST)
regressor = partial(PADPolicyRegressor, **FAST)
KINDS = pytest.mark.parametrize("kind", [classifier, regressor], ids=["labels", "numbers"])
N = 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4))
FORCE = RNG.normal(size=N)
X_NEXT = 0.9 * X + 0.5 * FORCE[:, None] * np.array([1.0, -1.0, 0.5, 0.2])
VALUES = np.tanh(X @ [1.0, -0.5, 0.2, 0.1])
EPISODE = np.repeat([3, 1, 2], 20)


def expert(model):
    return np.where(VALUES > 0, "right", "left") if isinstance(model, PADPolicyClassifier) else VALUES


def executed(model):
    return np.where(FORCE > 0, "right", "left") if isinstance(model, PADPolicyClassifier) else FORCE


def fitted(kind, **options):
    model = kind(**options)
    return model.fit(X, expert(model), X_next=X_NEXT, action=executed(model))


def adapt(model, rows=slice(None), **more):
    return model.partial_fit(X[rows] * 2.0 + 1.0, X_next=X_NEXT[rows] * 2.0 + 1.0, action=executed(model)[rows], **more)


def weights(model):
    return model._fitted.weights


class TestTransitions:
    @KINDS
    def test_successive_rows_of_an_episode(self, kind):
        """`episode` equals `X_next` where there is a next row, and leaves the last row of each episode out."""
        whole = {"batch_size": N, "dtype": "float64"}
        y = expert(kind())
        model = kind(**whole).fit(X, y, episode=EPISODE)
        shifted = np.vstack([X[1:], X[:1]])
        last = np.append(EPISODE[1:] != EPISODE[:-1], True)
        loss = model.auxiliary_loss(X[~last], X_next=shifted[~last], action=y[~last])
        assert_allclose(model.auxiliary_loss(X, episode=EPISODE, action=y), loss, rtol=1e-12)
        for same in (EPISODE.astype(str), list(EPISODE), pd.Series(EPISODE), EPISODE.astype("datetime64[D]")):
            assert_same_predictions(kind(**whole).fit(X, y, episode=same), model, X)
        changed = X.copy()
        changed[20] += 1.0  # the first row of the second episode is not the successor of the last of the first one
        first_episode = EPISODE == 3
        alone = model.auxiliary_loss(X[first_episode], episode=0, action=y[first_episode])
        mask = model.auxiliary_loss(changed[:21], episode=EPISODE[:21], action=y[:21])
        assert_allclose(mask, alone, rtol=1e-12)

    @KINDS
    def test_episodes_that_take_turns(self, kind):
        """Rows sorted by time, of several episodes: the next row of the same one is the successor."""
        y = expert(kind())
        order = np.arange(N).reshape(3, 20).T.ravel()
        model = kind(batch_size=N, dtype="float64").fit(X, y, episode=EPISODE)
        loss = model.auxiliary_loss(X, episode=EPISODE, action=y)
        for ids in (EPISODE, EPISODE.astype(str), EPISODE.astype(object), EPISODE.astype("datetime64[D]")):
            turns = model.auxiliary_loss(X[order], episode=ids[order], action=y[order])
            assert_allclose(turns, loss, rtol=1e-12)
        model.partial_fit(X[order], episode=EPISODE[order], action=y[order])
        assert model.n_adapted_ == N - 3
        turns = kind(batch_size=N, dtype="float64").fit(X[order], y[order], episode=EPISODE[order])
        assert turns.auxiliary_loss(X[order], episode=EPISODE[order], action=y[order]) > 0

    @KINDS
    def test_the_action_of_the_last_row_of_an_episode_is_not_used(self, kind):
        model = kind()
        y = expert(model)
        action = executed(model)
        other = action.copy()
        other[[19, 39, 59]] = (
            np.where(action == "left", "right", "left")[[19, 39, 59]] if action.dtype != float else 1e60
        )
        model.fit(X, y, action=action, episode=EPISODE)
        same = kind().fit(X, y, action=other, episode=EPISODE)
        assert same.loss_curve_ == model.loss_curve_
        assert_same_predictions(same, model, X)
        model.partial_fit(X + 1.0, action=action, episode=EPISODE)
        assert_same_predictions(same.partial_fit(X + 1.0, action=other, episode=EPISODE), model, X)

    @KINDS
    def test_rows_without_a_successor_have_no_inverse_loss_in_training(self, kind):
        """The loss before the first step has the mean over all rows of the transitions' losses."""
        still = {"batch_size": N, "dtype": "float64", "max_iter": 1, "learning_rate_init": 1e-12}
        y = expert(kind())
        both = kind(**still).fit(X, y, episode=EPISODE)
        policy = kind(**still, auxiliary_weight=0.0).fit(X, y, episode=EPISODE)
        inverse = both.auxiliary_loss(X, action=y, episode=EPISODE)
        assert_allclose(both.loss_ - policy.loss_, inverse * (N - 3) / N, rtol=1e-6)

    @KINDS
    def test_episodes_of_one_row_warn(self, kind):
        model = kind()
        with pytest.warns(UserWarning, match="No row is followed by another one") as caught:
            model.fit(X, expert(model), episode=np.arange(N))
        assert [warning.filename for warning in caught] == [__file__]

    @KINDS
    def test_without_next_rows_and_episodes_the_rows_are_a_table(self, kind):
        model = kind(shuffle=False, batch_size=N)
        y = expert(model)
        model.fit(X, y)
        order = np.random.default_rng(1).permutation(N)
        assert_same_predictions(clone(model).fit(X[order], y[order]), model, X, atol=1e-4)
        with pytest.raises(ValueError, match="fit saw no transitions"):
            adapt(model)
        with pytest.raises(ValueError, match="fit saw no transitions"):
            model.auxiliary_loss(X, X_next=X_NEXT, action=executed(model))

    @KINDS
    def test_the_action_is_the_expert_s_by_default(self, kind):
        y = expert(kind())
        a = kind().fit(X, y, X_next=X_NEXT)
        assert_same_predictions(a, kind().fit(X, y, X_next=X_NEXT, action=y), X)
        assert weights(a).keys() == weights(kind().fit(X, y, X_next=X_NEXT, action=executed(kind()))).keys()
        assert not np.allclose(a.loss_, fitted(kind).loss_)

    def test_actions_of_other_kinds(self):
        """Executed actions may be others than the expert's: more labels, or other numbers."""
        labels = np.resize(["left", "right", "none"], N)
        model = classifier().fit(X, expert(classifier()), X_next=X_NEXT, action=labels)
        assert_array_equal(model.classes_, ["left", "right"])
        model.partial_fit(X, X_next=X_NEXT, action=labels)
        two = np.column_stack([FORCE, -FORCE])
        model = regressor().fit(X, VALUES, X_next=X_NEXT, action=two)
        assert model.predict(X).shape == (N,)
        model.partial_fit(X, X_next=X_NEXT, action=two)
        one = classifier().fit(X, expert(classifier()), X_next=X_NEXT, action=["left"] * N)
        assert one.partial_fit(X, X_next=X_NEXT, action=["left"] * N).adaptation_curve_.max() == 0.0

    def test_the_scale_of_actions_does_not_matter(self):
        a = regressor().fit(X, VALUES, X_next=X_NEXT, action=FORCE)
        b = regressor().fit(X, VALUES, X_next=X_NEXT, action=1e9 * FORCE + 1e12)
        assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-3)

    @KINDS
    def test_rows_of_weight_0_are_left_out(self, kind):
        y = expert(kind())
        keep = np.arange(N) % 3 > 0
        options = {"X_next": X_NEXT, "action": executed(kind())}
        a = kind().fit(X, y, keep.astype(float), **options)
        b = kind().fit(X[keep], y[keep], **{name: values[keep] for name, values in options.items()})
        assert_same_predictions(a, b, X)
        c = kind().fit(X, y, keep * 1e200, **options)
        assert_same_predictions(a, c, X)

    @KINDS
    def test_weights_equal_repeated_rows(self, kind):
        times = np.arange(N) % 3
        whole = {"batch_size": 10**6, "dtype": "float64", "max_iter": 15}
        options = {"X_next": X_NEXT, "action": executed(kind())}
        a = kind(**whole).fit(X, expert(kind()), times, **options)
        repeated = {name: np.repeat(values, times, axis=0) for name, values in options.items()}
        b = kind(**whole).fit(np.repeat(X, times, axis=0), np.repeat(expert(kind()), times), **repeated)
        assert_same_predictions(a, b, X, atol=1e-8)


class TestAdaptation:
    @pytest.mark.parametrize("scope", ["adapter", "encoder", "encoder+head"])
    @pytest.mark.parametrize("auxiliary", ["inverse", "rotation"])
    @KINDS
    def test_it_changes_what_its_scope_names(self, kind, auxiliary, scope):
        model = fitted(kind, auxiliary=auxiliary, adapt_scope=scope)
        before = weights(model)
        adapt(model)
        parts = {"adapter": ("adapter",), "encoder": ("dense",), "encoder+head": ("dense", "auxiliary")}[scope]
        for name, value in weights(model).items():
            assert np.array_equal(value, before[name]) != (name.split(".")[0] in parts), name
        assert model.n_adapted_ == N
        assert model.adaptation_curve_.shape == (N,)

    @KINDS
    def test_rows_in_one_call_equal_calls_one_by_one(self, kind):
        options = {"adapt_window": 7, "adapt_batch_size": 3, "adapt_steps": 2}
        source = fitted(kind, **options)
        one = adapt(source.clone_episode(), slice(0, 20))
        many = source.clone_episode()
        for i in range(0, 20, 5):
            adapt(many, slice(i, i + 5))
        single = source.clone_episode()
        for i in range(20):
            adapt(single, slice(i, i + 1))
        for other in (many, single):
            assert_same_predictions(other, one, X)
            assert_array_equal(other.adaptation_curve_, one.adaptation_curve_)
            assert other.n_adapted_ == 20
        assert one.adaptation_curve_.shape == (40,)

    @KINDS
    def test_the_curve_is_the_self_supervised_loss(self, kind):
        model = fitted(kind, adapt_window=1, dtype="float64")
        for i in range(3):
            row = slice(i, i + 1)
            expected = model.auxiliary_loss(X[row] * 2 + 1, X_next=X_NEXT[row] * 2 + 1, action=executed(model)[row])
            assert_allclose(adapt(model, row).adaptation_curve_[-1], expected, rtol=1e-6)

    @KINDS
    def test_it_lowers_the_loss_and_knows_neither_y_nor_global_state(self, kind):
        model = fitted(kind)
        torch.manual_seed(1)
        state = torch.get_rng_state()
        before = model.auxiliary_loss(X * 2 + 1, X_next=X_NEXT * 2 + 1, action=executed(model))
        other = adapt(pickle.loads(pickle.dumps(model)), y=np.full(N, np.nan))
        adapt(model, y=expert(model))
        assert torch.equal(torch.get_rng_state(), state)
        assert_same_predictions(model, other, X)
        assert model.auxiliary_loss(X * 2 + 1, X_next=X_NEXT * 2 + 1, action=executed(model)) < before

    @KINDS
    @pytest.mark.parametrize("auxiliary", ["inverse", "rotation"])
    def test_a_pickle_in_the_middle_goes_on_as_the_original(self, kind, auxiliary):
        model = adapt(fitted(kind, auxiliary=auxiliary, adapt_window=9), slice(0, 20))
        copy = pickle.loads(pickle.dumps(model))
        assert_same_predictions(adapt(copy, slice(20, N)), adapt(model, slice(20, N)), X)
        assert_array_equal(copy.adaptation_curve_, model.adaptation_curve_)
        assert len(model._adaptation.window) == 9

    @KINDS
    def test_reset_and_clones_start_at_the_source(self, kind):
        model = fitted(kind)
        source = pickle.dumps(model)
        episode = model.clone_episode()
        first = adapt(episode).adaptation_curve_
        assert pickle.dumps(model) == source
        adapt(model)
        assert_same_predictions(episode, model, X)
        second = model.clone_episode()
        assert second.n_adapted_ == 0
        assert model.n_adapted_ == N
        assert_same_predictions(second, pickle.loads(source), X)
        assert_array_equal(adapt(second).adaptation_curve_, first)
        assert model.reset() is model
        assert model.n_adapted_ == len(model.adaptation_curve_) == 0
        assert_same_predictions(model, pickle.loads(source), X)
        assert_array_equal(adapt(model).adaptation_curve_, first)

    def test_the_scope_and_the_dtype_may_change_on_the_way(self):
        model = adapt(fitted(regressor), slice(0, 20))
        after = weights(model)
        model.set_params(adapt_scope="encoder", dtype="float64", adapt_window=3)
        adapt(model, slice(20, 40))
        assert_array_equal(weights(model)["adapter.gain"], after["adapter.gain"])
        assert len(model._adaptation.window) == 3
        assert not np.array_equal(weights(model)["dense.linears.0.weight"], after["dense.linears.0.weight"])

    def test_the_curve_is_bounded(self, monkeypatch):
        monkeypatch.setattr("skpapers.adaptation._pad_base.LONGEST", 50)
        model = fitted(regressor)
        whole = adapt(model, slice(0, 40)).adaptation_curve_
        assert len(whole) == 40
        assert_array_equal(adapt(model, slice(40, 60)).adaptation_curve_[:30], whole[10:])

    def test_another_fit_forgets_the_adaptation(self):
        model = adapt(fitted(regressor))
        model.fit(X, VALUES, X_next=X_NEXT, action=FORCE)
        assert model.n_adapted_ == 0
        assert_same_predictions(model, fitted(regressor), X)


class TestSensors:
    """What the method is for: sensors that drift, whose effect on the actions is still seen."""

    def test_the_adapter_finds_gain_and_offset(self):
        rng = np.random.default_rng(1)
        x = rng.normal(size=(500, 2))
        force = rng.normal(size=(500, 2))
        x_next = x + 0.5 * force
        model = regressor(max_iter=30).fit(x, -x, X_next=x_next, action=force)
        gain = np.array([0.5, 2.0])
        seen = [rows * gain + [0.5, -1.0] for rows in (x, x_next)]
        before = np.mean((model.predict(seen[0]) + x) ** 2)
        loss = model.auxiliary_loss(seen[0], X_next=seen[1], action=force)
        model.set_params(adapt_learning_rate=0.01).partial_fit(seen[0], X_next=seen[1], action=force)
        assert np.mean((model.predict(seen[0]) + x) ** 2) < 0.6 * before
        assert model.auxiliary_loss(seen[0], X_next=seen[1], action=force) < 0.1 * loss


class TestInput:
    @pytest.mark.parametrize("auxiliary", ["inverse", "rotation"])
    @KINDS
    def test_images_in_every_form(self, kind, auxiliary):
        rng = np.random.default_rng(0)
        images = rng.normal(size=(N, 2, 4, 4))
        after = rng.normal(size=images.shape)
        options = {"hidden_channels": (3, 4), "strides": (1, 2), "max_iter": 2, "auxiliary": auxiliary}
        model = kind(**options).fit(images, expert(kind()), X_next=after, action=executed(kind()))
        flat = kind(**options, image_shape=(2, 4, 4))
        flat.fit(images.reshape(N, -1), expert(flat), X_next=after.reshape(N, -1), action=executed(flat))
        assert_same_predictions(model, flat, images.reshape(N, -1), X_b=images.reshape(N, -1))
        model.partial_fit(images[:9], X_next=after[:9], action=executed(model)[:9])
        flat.partial_fit(images.reshape(N, -1)[:9], X_next=after.reshape(N, -1)[:9], action=executed(flat)[:9])
        assert_array_equal(model.predict(images), flat.predict(images.reshape(N, -1)))
        assert weights(model)["adapter.gain"].shape == (2, 2)

    def test_series_and_turns_that_are_impossible(self):
        series = np.random.default_rng(0).normal(size=(N, 2, 6))
        model = regressor(hidden_channels=(3,), auxiliary="rotation").fit(series, VALUES)
        assert model.partial_fit(series[:3]).n_adapted_ == 3
        with pytest.raises(ValueError, match="needs square images; those of image_shape=\\(1, 2, 3\\)"):
            regressor(hidden_channels=(3,), auxiliary="rotation").fit(series[:, :1].reshape(N, 1, 2, 3), VALUES)
        with pytest.raises(ValueError, match="is even"):
            regressor(hidden_channels=(3,), kernel_size=2).fit(series, VALUES)

    BAD = (
        ({"X": X[:, :3]}, "3 features"),
        ({"X": X[:0]}, "0 sample"),
        ({"X": np.where(X > 1, np.nan, X)}, "Input X contains NaN"),
        ({"X_next": X_NEXT[:, :3]}, "X_next has 60 rows of 3 values"),
        ({"X_next": X_NEXT[:9]}, "X_next has 9 rows of 4 values, and X 60 of 4"),
        ({"X_next": np.where(X > 1, np.inf, X)}, "X_next contains infinity"),
        ({"X_next": None}, "needs action, and X_next or episode"),
        ({"action": None}, "needs action, and X_next or episode"),
        ({"action": "short"}, "action has 9 entries, and X has 60 rows"),
        ({"X_next": None, "episode": np.arange(N)}, "No row is followed by another one"),
        ({"X_next": None, "episode": [1, 2]}, "one id for each of the 60 rows"),
        ({"episode": [1, 2, 3]}, "episode has shape \\(3,\\)"),
        ({"X_next": pd.DataFrame(X_NEXT[:, :2])}, "X_next has 60 rows of 2 values"),
        ({"X_next": None, "episode": [None] * N}, "missing id"),
        ({"X": X * 1e60}, "too large for training"),
    )

    @pytest.mark.parametrize(("change", "message"), BAD, ids=[message for _, message in BAD])
    @KINDS
    def test_bad_input_leaves_the_model_as_it_was(self, kind, change, message):
        model = adapt(fitted(kind), slice(0, 9))
        given = {"X": X, "X_next": X_NEXT, "action": executed(model), **change}
        if isinstance(given["action"], str):
            given["action"] = executed(model)[:9]

        def attempt():
            with pytest.raises(ValueError, match=message):
                model.partial_fit(**given)

        assert_unchanged_by(attempt, model)
        if "X" in change or message.startswith(("needs", "No row")):
            return
        fresh = kind()
        more = {name: values for name, values in given.items() if name != "X"}
        with pytest.raises(ValueError, match=message):
            fresh.fit(X, expert(fresh), **more)
        assert not hasattr(fresh, "_fitted")

    def test_actions_that_fit_did_not_see(self):
        model = fitted(classifier)
        with pytest.raises(ValueError, match="action holds 'up', and fit saw the actions \\['left', 'right'\\]"):
            model.partial_fit(X, X_next=X_NEXT, action=["up"] * N)
        with pytest.raises(ValueError, match="action has 2 columns, and fit saw 1"):
            fitted(regressor).partial_fit(X, X_next=X_NEXT, action=np.ones((N, 2)))
        with pytest.raises(ValueError, match="action holds values above"):
            fitted(regressor).partial_fit(X, X_next=X_NEXT, action=np.full(N, 1e305))
        with pytest.raises(ValueError, match="action belongs to a transition"):
            regressor().fit(X, VALUES, action=FORCE)
        with pytest.raises(ValueError, match="action holds values as large as 1e\\+60, too many times their scale"):
            fitted(regressor).partial_fit(X, X_next=X_NEXT, action=np.full(N, 1e60))

    def test_actions_that_are_no_labels(self):
        """In `fit` a missing or a continuous action would otherwise become a class of its own."""
        model = fitted(classifier)
        codes = np.where(FORCE > 0, 1.0, 0.0)
        codes[3] = np.nan
        for missing in (codes, [None, *executed(model)[1:]], pd.Series(codes).astype("Int64")):
            for learn in (model.partial_fit, partial(classifier().fit, y=expert(model))):
                with pytest.raises(ValueError, match="Input action contains NaN"):
                    learn(X, X_next=X_NEXT, action=missing)
        with pytest.raises(ValueError, match="Unknown label type: continuous"):
            classifier().fit(X, expert(model), X_next=X_NEXT, action=FORCE)
        with pytest.raises(ValueError, match="action has shape \\(60, 2\\); it must hold one label for each row"):
            model.partial_fit(X, X_next=X_NEXT, action=np.column_stack([executed(model)] * 2))
        with pytest.raises(ValueError, match="action has shape \\(\\); it must hold"):
            model.partial_fit(X[:1], X_next=X_NEXT[:1], action="left")

    @KINDS
    def test_before_fit_and_with_bad_parameters(self, kind):
        for method in ("partial_fit", "auxiliary_loss"):
            with pytest.raises(NotFittedError):
                getattr(kind(), method)(X)
        for method in ("reset", "clone_episode"):
            with pytest.raises(NotFittedError):
                getattr(kind(), method)()
        model = fitted(kind).set_params(adapt_scope="head")
        with pytest.raises(ValueError, match="adapt_scope"):
            adapt(model)
        for bad in (
            {"hidden_layer_sizes": ()},
            {"hidden_channels": (0,)},
            {"strides": (1, 2), "hidden_channels": (3,)},
        ):
            with pytest.raises(ValueError, match=next(iter(bad))):
                fitted(kind, **bad)

    def test_a_divergence_leaves_the_model_as_it_was(self):
        model = fitted(regressor).set_params(adapt_learning_rate=1e38)

        def attempt():
            with pytest.raises(ValueError, match="lower adapt_learning_rate=1e\\+38"):
                adapt(model)

        assert_unchanged_by(attempt, model)

    @KINDS
    def test_frames_with_names(self, kind):
        names = ["a", "b", "c", "d"]
        model = kind()
        frames = [pd.DataFrame(rows, columns=names) for rows in (X, X_NEXT)]
        model.fit(frames[0], expert(model), X_next=frames[1], action=pd.Series(executed(model)))
        assert_array_equal(model.feature_names_in_, names)
        model.partial_fit(frames[0], X_next=frames[1], action=pd.Series(executed(model)))
        same = fitted(kind).partial_fit(X, X_next=X_NEXT, action=executed(model))
        assert_same_predictions(model, same, frames[0], X_b=X)
        with pytest.raises(ValueError, match="feature names"):
            model.partial_fit(frames[0], X_next=frames[1][names[::-1]], action=executed(model))

    @KINDS
    def test_dtypes_and_layouts(self, kind):
        y = expert(kind())[:12]
        rounded = X[:12].round()
        b = kind().fit(rounded, y, X_next=rounded, action=y)
        b.partial_fit(rounded, X_next=rounded, action=y)
        for rows in (np.asfortranarray(rounded), rounded.astype(int), rounded.astype(np.float32), rounded[::-1][::-1]):
            a = kind().fit(rows, y, X_next=rows, action=y)
            assert_same_predictions(a.partial_fit(rows, X_next=rows, action=y), b, rounded)

    def test_one_row_and_constants(self):
        one = regressor().fit(X[:1], VALUES[:1], X_next=X_NEXT[:1])
        assert_allclose(one.predict(X), VALUES[0])
        constant = regressor().fit(np.ones((9, 2)), np.full(9, 7.0), episode=0)
        assert_array_equal(constant.predict(np.ones((2, 2))), 7.0)
        constant.partial_fit(np.ones((3, 2)), action=np.full(3, 7.0), episode=0)
        assert_array_equal(constant.predict(np.ones((2, 2))), 7.0)
        with pytest.warns(UserWarning, match="No row is followed"):
            alone = regressor().fit(X[:1], VALUES[:1], episode=0)
        assert alone.predict(X[:1]).shape == (1,)

    def test_offsets_of_a_billion(self):
        a = regressor().fit(X, VALUES, X_next=X_NEXT, action=FORCE)
        b = regressor().fit(X + 1e9, VALUES, X_next=X_NEXT + 1e9, action=FORCE)
        assert_allclose(a.predict(X), b.predict(X + 1e9), atol=1e-3)


class TestRouting:
    @KINDS
    def test_a_pipeline_and_a_cross_validation_pass_transitions_on(self, kind):
        model = kind()
        pipeline = make_pipeline(StandardScaler(), model)
        pipeline.fit(X, expert(model), **{f"{type(model).__name__.lower()}__episode": EPISODE})
        assert_same_predictions(pipeline[-1], kind().fit(pipeline[:-1].transform(X), expert(model), episode=EPISODE), X)
        with config_context(enable_metadata_routing=True):
            params = {"X_next": X_NEXT, "action": executed(model), "episode": EPISODE}
            found = cross_validate(model, X, expert(model), params=params, cv=3, return_estimator=True)
            routed = make_pipeline(StandardScaler(), kind()).fit(X, expert(model), episode=EPISODE)
            to_scale = make_pipeline(StandardScaler(), kind(), transform_input=["X_next"])
            to_scale.fit(X, expert(model), X_next=X_NEXT, action=executed(model))
        scaled = [to_scale[0].transform(rows) for rows in (X, X_NEXT)]
        same = kind().fit(scaled[0], expert(model), X_next=scaled[1], action=executed(model))
        assert_same_predictions(to_scale[-1], same, scaled[0])
        assert_same_predictions(routed, pipeline, X)
        train = np.arange(N) >= 20
        if isinstance(model, PADPolicyRegressor):
            given = {name: values[train] for name, values in params.items()}
            expected = kind().fit(X[train], expert(model)[train], **given)
            assert_same_predictions(found["estimator"][0], expected, X)
