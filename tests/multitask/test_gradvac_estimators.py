"""Estimators of Gradient Vaccine: missing labels, stacked rows, mixed tasks, weights, streams, similarities."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skpapers.multitask import GradVacClassifier, GradVacRegressor

SMALL = {"hidden_layer_sizes": (12,), "max_iter": 25, "learning_rate_init": 0.02, "random_state": 0, "device": "cpu"}
WHOLE = {**SMALL, "batch_size": 10**6, "dtype": "float64"}


def regressor(**kwargs):
    return GradVacRegressor(**{**SMALL, **kwargs})


def classifier(**kwargs):
    return GradVacClassifier(**{**SMALL, **kwargs})


def numbers(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.column_stack([X[:, 0] + X[:, 1], 100.0 + 5.0 * X[:, 0], -X[:, 2]])


def labels(n=150, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.column_stack([(X[:, 0] > 0).astype(int), np.digitize(X[:, 1], [-0.5, 0.5]) + 5])


def some_missing(Y, dtype=float):
    Y = Y.astype(dtype)
    Y[::3, 0] = np.nan
    Y[1::3, 1] = np.nan
    Y[5] = np.nan
    return Y


@pytest.mark.parametrize("method", ["gradvac", "pcgrad", "sum"])
@pytest.mark.parametrize("make", [regressor, classifier])
def test_it_learns_all_tasks_with_missing_labels(make, method):
    X, Y = numbers(300) if make is regressor else labels(300)
    model = make(method=method, max_iter=60).fit(X, some_missing(Y))
    assert model.predict(X).shape == Y.shape
    assert model.score(X, Y) > 0.9
    assert model.n_tasks_ == Y.shape[1]
    assert model.score(X, some_missing(Y)) > 0.9


@pytest.mark.parametrize("make", [regressor, classifier])
def test_stacked_rows_are_a_matrix_with_missing_labels(make):
    X, Y = numbers() if make is regressor else labels()
    n, m = Y.shape
    task = np.array(["b", "a", "c"])[np.repeat(np.arange(m), n)]
    stacked = make(**WHOLE).fit(np.tile(X, (m, 1)), Y.T.ravel(), task=task)
    apart = np.full((n * m, m), np.nan)
    order = [1, 0, 2][:m]  # tasks are sorted
    for number in range(m):
        apart[number * n : (number + 1) * n, order[number]] = Y[:, number]
    matrix = make(**WHOLE).fit(np.tile(X, (m, 1)), apart)
    assert stacked.tasks_.tolist() == ["a", "b", "c"][:m]
    np.testing.assert_allclose(stacked.predict(X).astype(float), matrix.predict(X), rtol=1e-9)
    np.testing.assert_array_equal(stacked.predict(X, task="b"), stacked.predict(X)[:, 1])
    np.testing.assert_array_equal(
        stacked.predict(np.tile(X, (m, 1)), task=task), stacked.predict(X)[:, order].T.ravel()
    )
    score = stacked.score(np.tile(X, (m, 1)), Y.T.ravel(), task=task)
    assert score == pytest.approx(stacked.score(X, Y[:, order]))


def test_one_column_is_one_task_without_a_correction():
    X, Y = numbers()
    model = regressor().fit(X, Y[:, 0])
    assert model.predict(X).shape == (120,)
    assert model.similarity_history_ is None
    assert model.target_similarity_ is None
    summed = regressor(method="sum").fit(X, Y[:, 0])
    np.testing.assert_array_equal(model.predict(X), summed.predict(X))


@pytest.mark.parametrize("granularity", ["whole", "layer", "matrix"])
def test_beta_0_is_pcgrad_and_the_targets_stay(granularity):
    X, Y = numbers()
    model = regressor(beta=0.0, granularity=granularity).fit(X, Y)
    by_pcgrad = regressor(method="pcgrad", granularity=granularity).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), by_pcgrad.predict(X))
    assert not model.target_similarity_.any()


def test_similarities_say_which_tasks_agree():
    X, Y = numbers()
    # the last layer turns the sign of a target: the second one needs the same hidden units as the first
    Y = np.column_stack([Y[:, 0], -Y[:, 0] + 0.1 * X[:, 3], X[:, 2]])
    model = regressor(granularity="whole", beta=0.1).fit(X, Y)
    found = model.similarity_history_
    assert found.shape == (25, 3, 3)
    assert found[-10:, 0, 1].mean() > 0.3
    assert found[-10:, 0, 2].mean() < 0.2
    assert model.target_similarity_.shape == (3, 3)
    assert regressor(granularity="layer").fit(X, Y).target_similarity_.shape == (1, 3, 3)
    assert regressor(granularity="matrix").fit(X, Y).target_similarity_.shape == (2, 3, 3)


def test_classes_and_numbers_stand_side_by_side():
    X, Y = numbers(300)
    Y[:, 2] = X[:, 2] > 0
    model = regressor(loss=["squared_error", "huber", "log_loss"], max_iter=60).fit(X, Y)
    found = model.predict(X)
    assert ((found[:, 2] > 0) & (found[:, 2] < 1)).all()
    assert ((found[:, 2] > 0.5) == Y[:, 2]).mean() > 0.95
    assert model.score(X, Y) > 0.8
    np.testing.assert_array_equal(model.y_center_[2], 0.0)
    with pytest.raises(ValueError, match="numbers from 0 to 1"):
        regressor(loss=["squared_error", "squared_error", "log_loss"]).fit(X, 2.0 * Y)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_constant_targets_are_exact_and_leave_the_others_alone(loss):
    X, Y = numbers()
    constant = np.column_stack([Y[:, :2], np.full(len(Y), 1e9 + 0.1)])
    model = regressor(loss=loss, **{k: v for k, v in WHOLE.items() if k not in SMALL}).fit(X, constant)
    assert (model.predict(X)[:, 2] == 1e9 + 0.1).all()
    assert np.isnan(model.similarity_history_[:, 2]).all()
    assert model.y_scale_[2] == 0.0


def test_an_offset_of_the_targets_changes_nothing_but_the_offset():
    X, Y = numbers()
    shifted = regressor(**WHOLE).fit(X, Y + 1e9).predict(X) - 1e9
    np.testing.assert_allclose(shifted, regressor(**WHOLE).fit(X, Y).predict(X), atol=1e-3)


@pytest.mark.parametrize("make", [regressor, classifier])
@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_a_common_factor_of_weights_changes_nothing(make, factor):
    X, Y = numbers() if make is regressor else labels()
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=len(X))
    plain = make().fit(X, some_missing(Y), sample_weight=weight)
    scaled = make().fit(X, some_missing(Y), sample_weight=factor * weight)
    np.testing.assert_allclose(scaled.predict(X), plain.predict(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("make", [regressor, classifier])
def test_a_weight_of_2_is_a_row_twice(make):
    X, Y = numbers() if make is regressor else labels()
    Y = some_missing(Y)
    weight = np.random.default_rng(0).integers(0, 3, size=len(X))
    weighted = make(**WHOLE).fit(X, Y, sample_weight=weight)
    repeated = make(**WHOLE).fit(X.repeat(weight, axis=0), Y.repeat(weight, axis=0))
    if make is regressor:
        np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-6, atol=1e-8)
    else:
        for p, q in zip(weighted.predict_proba(X), repeated.predict_proba(X), strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-6, atol=1e-8)


def test_rows_without_any_label_do_not_count():
    X, Y = numbers()
    far = np.vstack([X, 1e3 + X[:20]])
    model = regressor().fit(far, np.vstack([Y, np.full((20, 3), np.nan)]))
    np.testing.assert_array_equal(model.predict(X), regressor().fit(X, Y).predict(X))


def test_task_weights_favour_a_task():
    X, Y = numbers()
    rng = np.random.default_rng(0)
    Y = np.column_stack([Y[:, 0], rng.normal(size=len(Y))])
    alone = regressor(task_weights=[1.0, 0.0], method="sum", **{"max_iter": 40}).fit(X, Y)
    assert alone.score(X, np.column_stack([Y[:, 0], np.full(len(Y), np.nan)])) > 0.95
    np.testing.assert_array_equal(
        regressor(task_weights=[2.0, 1.0]).fit(X, Y).predict(X), regressor(task_weights=[4.0, 2.0]).fit(X, Y).predict(X)
    )


class TestClasses:
    def test_each_task_has_classes_of_its_own(self):
        X, Y = labels()
        model = classifier().fit(X, Y)
        assert [known.tolist() for known in model.classes_] == [[0, 1], [5, 6, 7]]
        p = model.predict_proba(X)
        assert [of_task.shape for of_task in p] == [(150, 2), (150, 3)]
        for known, of_task, predicted in zip(model.classes_, p, model.predict(X).T, strict=True):
            np.testing.assert_allclose(of_task.sum(axis=1), 1.0)
            np.testing.assert_array_equal(known[of_task.argmax(axis=1)], predicted)

    def test_stacked_rows_have_one_set_of_labels(self):
        X, Y = labels()
        task = np.repeat([0, 1], len(X))
        model = classifier().fit(np.vstack([X, X]), Y.T.ravel(), task=task)
        assert model.classes_.tolist() == [0, 1, 5, 6, 7]
        p = model.predict_proba(np.vstack([X, X]), task=task)
        assert p.shape == (300, 5)
        assert not p[:150, 2:].any()
        assert not p[150:, :2].any()
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
        found = model.classes_[p.argmax(axis=1)]
        np.testing.assert_array_equal(found, model.predict(np.vstack([X, X]), task=task))

    @pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
    @pytest.mark.parametrize("frame", [False, True])
    def test_strings_beside_numbers_with_missing_labels(self, missing, frame):
        X, Y = labels()
        mixed = np.empty(Y.shape, dtype=object)
        mixed[:, 0] = np.array(["down", "up"])[Y[:, 0]]
        mixed[:, 1] = Y[:, 1]
        mixed[::4, 0] = missing
        mixed[1::4, 1] = missing
        given = pd.DataFrame(mixed, columns=["side", "size"]) if frame else mixed
        model = classifier(max_iter=40).fit(X, given)
        assert [known.tolist() for known in model.classes_] == [["down", "up"], [5, 6, 7]]
        assert model.tasks_.tolist() == (["side", "size"] if frame else [0, 1])
        found = model.predict(X)
        assert set(found[:, 0]) == {"down", "up"}
        assert set(found[:, 1]) == {5, 6, 7}
        assert model.score(X, given) > 0.9

    def test_polars_and_nullable_columns(self):
        X, Y = labels()
        columns = {"a": Y[:, 0].tolist(), "b": [None, *Y[1:, 1].tolist()]}
        by_polars = classifier().fit(X, pl.DataFrame(columns)).predict(X)
        by_pandas = classifier().fit(X, pd.DataFrame(columns).astype("Int64")).predict(X)
        np.testing.assert_array_equal(by_polars, by_pandas)

    @pytest.mark.parametrize("class_weight", ["balanced", [{0: 1, 1: 9}, None], [{0: 1, 1: 9}, "balanced"]])
    def test_class_weights(self, class_weight):
        X, Y = labels(400)
        rng = np.random.default_rng(0)
        Y[:, 0] = rng.random(400) < 0.1
        weighted = classifier(class_weight=class_weight, max_iter=5).fit(X, Y)
        plain = classifier(max_iter=5).fit(X, Y)
        assert weighted.predict_proba(X)[0][:, 1].mean() > 2 * plain.predict_proba(X)[0][:, 1].mean()

    def test_labels_that_were_not_trained_are_wrong(self):
        X, Y = labels()
        model = classifier(max_iter=40).fit(X, Y)
        other = Y.copy()
        other[:, 1] = 99
        assert model.score(X, Y) > 0.9
        assert model.score(X, other) == 0.5 * (model.predict(X)[:, 0] == Y[:, 0]).mean()


@pytest.mark.parametrize("make", [regressor, classifier])
class TestStreams:
    def test_partial_fit_continues_with_targets_and_history(self, make):
        X, Y = numbers() if make is regressor else labels()
        first = {} if make is regressor else {"classes": [np.unique(known) for known in Y.T]}
        model = make(beta=0.5)
        for number in range(3):
            model.partial_fit(X, Y, **(first if number == 0 else {}))
        assert len(model.similarity_history_) == 3
        again = pickle.loads(pickle.dumps(model)).partial_fit(X, Y)
        model.partial_fit(X, Y)
        np.testing.assert_array_equal(again.target_similarity_, model.target_similarity_)
        np.testing.assert_array_equal(again.predict(X), model.predict(X))

    def test_a_task_may_be_absent_from_a_call(self, make):
        X, Y = numbers() if make is regressor else labels()
        more = {} if make is regressor else {"classes": np.unique(Y)}
        names = ["x", "y", "z"][: Y.shape[1]]
        model = make().partial_fit(X, Y[:, 0], task=np.full(len(X), "x"), tasks=names, **more)
        before = model.predict(X, task="y")
        assert model.tasks_.tolist() == names
        model.partial_fit(X, Y[:, 1], task=np.full(len(X), "y"))
        assert not np.array_equal(before, model.predict(X, task="y"))
        with pytest.raises(ValueError, match="'w', which is not among the tasks known"):
            model.partial_fit(X, Y[:, 1], task=np.full(len(X), "w"))
        with pytest.raises(ValueError, match="are not those of the first call"):
            model.partial_fit(X, Y[:, 1], task=np.full(len(X), "y"), tasks=[*names, "w"])
        with pytest.raises(ValueError, match="tasks is for stacked rows"):
            make().partial_fit(X, Y, tasks=names, **more)

    def test_weights_are_relative_to_those_of_earlier_calls(self, make):
        X, Y = numbers(600) if make is regressor else labels(600)  # after 512 rows the scaling is fixed
        first = {} if make is regressor else {"classes": [np.unique(known) for known in Y.T]}
        model = make(solver="sgd", momentum=0.0, alpha=0.0, batch_size=1000, learning_rate_init=0.01, dtype="float64")
        model.partial_fit(X, Y, **first)
        before = model.to_torch()(torch.from_numpy(X)).detach()
        lengths = []
        for weight in (None, np.full(600, 1e-3)):
            again = pickle.loads(pickle.dumps(model)).partial_fit(X, Y, sample_weight=weight)
            lengths.append((again.to_torch()(torch.from_numpy(X)).detach() - before).norm())
        assert lengths[1] / lengths[0] == pytest.approx(1e-3, rel=0.05)

    def test_another_granularity_does_not_continue(self, make):
        X, Y = numbers() if make is regressor else labels()
        first = {} if make is regressor else {"classes": [np.unique(known) for known in Y.T]}
        model = make().partial_fit(X, Y, **first).set_params(granularity="matrix")
        with pytest.raises(ValueError, match="granularity='matrix' is not that of the earlier calls"):
            model.partial_fit(X, Y)
        assert make(granularity="matrix").fit(X, Y).set_params(granularity="whole").target_similarity_.ndim == 3


def test_partial_fit_checks_classes():
    X, Y = labels()
    with pytest.raises(ValueError, match="needs classes"):
        classifier().partial_fit(X, Y)
    with pytest.raises(ValueError, match="1 arrays, and there are 2 tasks"):
        classifier().partial_fit(X, Y, classes=[[0, 1]])
    with pytest.raises(ValueError, match="two classes or more"):
        classifier().partial_fit(X, Y, classes=[[0], [5, 6, 7]])
    model = classifier().partial_fit(X, Y, classes=[[0, 1], [5, 6, 7]])
    model.partial_fit(X, Y, classes=[[0, 1], [5, 6, 7]])
    with pytest.raises(ValueError, match="not those of the first call"):
        model.partial_fit(X, Y, classes=[[0, 1], [5, 6, 8]])
    with pytest.raises(ValueError, match="balanced"):
        classifier(class_weight="balanced").partial_fit(X, Y, classes=[[0, 1], [5, 6, 7]])


@pytest.mark.parametrize("make", [regressor, classifier])
def test_early_stopping_takes_the_last_rows_or_those_given(make):
    X, Y = numbers(300) if make is regressor else labels(300)
    model = make(early_stopping=True, max_iter=100, n_iter_no_change=3).fit(X, some_missing(Y))
    assert model.n_iter_ < 100
    assert len(model.similarity_history_) == model.n_iter_
    task = np.arange(300) % Y.shape[1]
    stacked = Y[np.arange(300), task]
    model.fit(X[:200], stacked[:200], task=task[:200], X_val=X[200:], y_val=stacked[200:], task_val=task[200:])
    assert len(model.validation_scores_) == model.n_iter_


def test_routing_passes_the_task():
    X, Y = numbers()
    task = np.repeat([0, 1, 2], len(X))
    X = np.tile(X, (3, 1))
    y = Y.T.ravel()
    pipeline = make_pipeline(StandardScaler(), regressor(max_iter=3))
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(pipeline, {"gradvacregressor__beta": [0.0, 0.1]}, cv=KFold(2, shuffle=True))
        search.fit(X, y, task=task)
        assert np.isfinite(search.score(X, y, task=task))
        assert search.best_estimator_.predict(X, task=task).shape == (360,)


@pytest.mark.parametrize("make", [regressor, classifier])
def test_early_stopping_needs_labels_on_both_sides(make):
    X, Y = numbers() if make is regressor else labels()
    Y = Y.astype(float)
    unlabelled = np.vstack([Y, np.full_like(Y, np.nan)])
    model = make(early_stopping=True).fit(np.tile(X, (2, 1)), unlabelled)
    same = make(early_stopping=True).fit(X, Y)
    np.testing.assert_array_equal(model.validation_scores_, same.validation_scores_)
    with pytest.raises(ValueError, match="validation rows of early_stopping have no label"):
        make(early_stopping=True).fit(X, Y, X_val=X, y_val=np.full_like(Y, np.nan))
    late = Y.copy()
    late[:-12, 1] = np.nan
    with pytest.raises(ValueError, match=r"Task 1 has no label in the rows|No row left to train on has class"):
        make(early_stopping=True).fit(X, late)
    with pytest.raises(ValueError, match=r"Task 1 has no label in the rows|No row of class"):
        make().fit(X, late, sample_weight=np.r_[np.ones(len(X) - 12), np.zeros(12)])


def test_huge_weights_of_validation_rows():
    X, Y = numbers()
    weight = np.arange(1.0, 121.0)
    found = [
        regressor(early_stopping=True, max_iter=3).fit(X, Y, factor * weight).validation_scores_
        for factor in (1.0, 2.0**1016)
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)


@pytest.mark.parametrize("make", [regressor, classifier])
def test_columns_in_another_order_than_the_tasks_are_an_error(make):
    X, Y = numbers() if make is regressor else labels()
    names = ["c", "b", "a"][: Y.shape[1]]
    frame = pd.DataFrame(Y, columns=names)
    model = make(max_iter=2, warm_start=True).fit(X, frame)
    for call in (model.score, model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="The columns of y are"):
            call(X, frame[names[::-1]])
    assert model.score(X, frame) == model.score(X, Y) == model.score(X, pd.DataFrame(Y))
    levels = pd.DataFrame(Y, columns=pd.MultiIndex.from_tuples([("k", name) for name in names]))
    assert make(max_iter=2).fit(X, levels).tasks_.tolist() == [("k", name) for name in names]


@pytest.mark.parametrize("kind", [pd, pl])
def test_missing_numbers_of_data_frames(kind):
    X, Y = numbers()
    Y = some_missing(Y)
    lists = [[None if np.isnan(value) else value for value in column] for column in Y.T]
    frame = kind.DataFrame(dict(zip("abc", lists, strict=True)))
    frame = frame.astype("Float64") if kind is pd else frame
    model = regressor(max_iter=3).fit(X, frame)
    np.testing.assert_array_equal(model.predict(X), regressor(max_iter=3).fit(X, Y).predict(X))
    assert model.score(X, frame) == model.score(X, Y)
    task = np.arange(len(X)) % 2
    stacked = regressor(max_iter=3).fit(X, frame["a"], task=task)
    np.testing.assert_array_equal(stacked.predict(X), regressor(max_iter=3).fit(X, Y[:, 0], task=task).predict(X))
    assert stacked.score(X, frame["a"], task=task) == stacked.score(X, Y[:, 0], task=task)


def test_a_missing_label_among_strings_in_lists_is_no_class():
    X, Y = labels()
    given = [["up" if up else "down", int(size)] for up, size in Y]
    given[0][0] = np.nan
    model = classifier(max_iter=2).fit(X, given)
    assert [known.tolist() for known in model.classes_] == [["down", "up"], [5, 6, 7]]
    assert 0.0 <= model.score(X, given) <= 1.0


@pytest.mark.parametrize("make", [regressor, classifier])
def test_one_task_of_stacked_rows(make, recwarn):
    X, Y = numbers() if make is regressor else labels()
    model = make(max_iter=2).fit(X, Y[:, 0], task=np.full(len(X), "a"))
    assert not recwarn.list
    assert model.predict(X).shape == (len(X), 1)
    np.testing.assert_array_equal(model.predict(X, task="a"), make(max_iter=2).fit(X, Y[:, 0]).predict(X))


def test_a_fitted_task_keeps_the_kind_of_its_loss():
    X, Y = numbers()
    model = regressor(warm_start=True, max_iter=2).fit(X, (Y > 0).astype(float))
    with pytest.raises(ValueError, match="cannot change its loss to or from 'log_loss'"):
        model.set_params(loss="log_loss").fit(X, (Y > 0).astype(float))


@pytest.mark.parametrize("m", [2, 4, 6])
def test_partial_fit_follows_the_paper_step_by_step(m):
    # whole gradients, task by task; with missing labels, row weights and task weights
    X, _ = numbers(40)
    rng = np.random.default_rng(m)
    Y = X @ rng.normal(size=(4, m)) + rng.normal(size=(40, m))
    Y[rng.random(Y.shape) < 0.4] = np.nan
    weight = rng.uniform(0.5, 2.0, size=40)
    tau = np.linspace(0.2, 1.0, m)
    settings = {"solver": "sgd", "momentum": 0.0, "alpha": 0.0, "scaling": None, "batch_size": 40, "dtype": "float64"}
    settings |= {"hidden_layer_sizes": (6, 5), "beta": 0.3, "task_weights": tau}
    net = regressor(**settings, learning_rate_init=1e-300).partial_fit(X, Y, weight).to_torch().network
    model = regressor(**settings, learning_rate_init=0.1)
    generator = torch.Generator().manual_seed(int(np.random.RandomState(0).randint(2**31 - 1, size=2)[1]))
    target = np.zeros((m, m))
    known = ~np.isnan(Y)
    for _ in range(5):
        model.partial_fit(X, Y, weight)
        standardised = torch.from_numpy(np.nan_to_num((Y - model.y_center_) / model.y_scale_))
        w = torch.from_numpy(known * weight[:, None])
        losses = (w * 0.5 * (net(torch.from_numpy(X)) - standardised).square()).sum(dim=0) / w.sum(dim=0)
        parameters = list(net.parameters())
        of_tasks = [torch.autograd.grad(tau[t] * losses[t], parameters, retain_graph=True) for t in range(m)]
        flat = [torch.cat([g.reshape(-1) for g in of_task[:-2]]).numpy() for of_task in of_tasks]
        order = np.argsort(torch.rand(m, m, generator=generator, dtype=torch.float64).numpy(), axis=1)
        total = np.zeros_like(flat[0])
        for i in range(m):
            g = flat[i].copy()
            for j in order[i][order[i] != i]:
                phi = g @ flat[j] / np.linalg.norm(g) / np.linalg.norm(flat[j])
                wanted = target[i, j]
                if phi < wanted:
                    length = np.linalg.norm(g) / np.linalg.norm(flat[j])
                    g += length * (wanted * np.sqrt((1 - phi**2) / (1 - wanted**2)) - phi) * flat[j]
                target[i, j] = 0.7 * wanted + 0.3 * phi
            total += g
        last = [sum(of_task[k] for of_task in of_tasks) for k in (-2, -1)]
        sizes = [p.numel() for p in parameters[:-2]]
        steps = [*torch.from_numpy(total).split(sizes), *last]
        with torch.no_grad():
            for parameter, step in zip(parameters, steps, strict=True):
                parameter -= 0.1 * step.view_as(parameter)
        np.testing.assert_allclose(model.target_similarity_, target, atol=1e-9)
    expected = net(torch.from_numpy(X)).detach().numpy() * model.y_scale_ + model.y_center_
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("make", [regressor, classifier])
def test_a_search_works_on_missing_labels(make):
    X, Y = numbers() if make is regressor else labels()
    search = GridSearchCV(make(max_iter=3), {"method": ["gradvac", "sum"]}, cv=KFold(2)).fit(X, some_missing(Y))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_the_seed_alone_decides_and_torch_is_left_alone():
    X, Y = numbers()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, again, other = (regressor(random_state=seed).fit(X, Y).predict(X) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, ">f8"])
def test_dtypes_and_strides_of_targets(dtype):
    X, Y = numbers()
    Y = np.round(4.0 * Y)
    expected = regressor().fit(X, Y).predict(X)
    np.testing.assert_array_equal(regressor().fit(X, Y.astype(dtype)).predict(X), expected)
    np.testing.assert_array_equal(regressor().fit(X, np.asfortranarray(Y)[::-1][::-1]).predict(X), expected)


def test_a_row_is_predicted_alone_and_predict_changes_nothing():
    X, Y = labels()
    model = classifier().fit(X, some_missing(Y))
    before = pickle.dumps(model)
    together = model.predict_proba(X)
    for number in (0, 17):
        alone = model.predict_proba(X[number : number + 1])
        for p, q in zip(together, alone, strict=True):
            np.testing.assert_allclose(p[number], q[0], rtol=1e-12)
    assert pickle.dumps(model) == before


def test_a_warm_start_continues():
    X, Y = numbers()
    model = regressor(warm_start=True, max_iter=5).fit(X, Y)
    first = model.loss_
    assert model.fit(X, Y).loss_ < first
    with pytest.raises(ValueError, match="2 columns, and the model has 3 tasks"):
        model.fit(X, Y[:, :2])


@pytest.mark.parametrize(
    ("make", "params", "change", "message"),
    [
        (
            regressor,
            {},
            lambda Y: np.column_stack([Y[:, 0], np.full(len(Y), np.nan)]),
            "Task 1 has no label in the rows to train on",
        ),
        (regressor, {}, lambda Y: np.where(Y[:, 0] > 0, np.nan, Y[:, 0]), "labels may be missing only where"),
        (regressor, {}, lambda Y: np.where(Y > 0, np.inf, Y), "infinity"),
        (regressor, {"task_weights": [1.0]}, lambda Y: Y, "task_weights has 1 entries, and there are 3 tasks"),
        (regressor, {"task_weights": [1.0, -1.0, 1.0]}, lambda Y: Y, "task_weights must hold"),
        (regressor, {"task_weights": [0.0, 0.0, 0.0]}, lambda Y: Y, "task_weights must hold"),
        (regressor, {"loss": ["huber", "huber"]}, lambda Y: Y, "loss has 2 entries, and there are 3 tasks"),
        (regressor, {"loss": ["huber", "hinge", "huber"]}, lambda Y: Y, "loss must be one of"),
        (regressor, {"hidden_layer_sizes": ()}, lambda Y: Y, "hidden_layer_sizes must hold"),
        (classifier, {}, lambda Y: np.column_stack([Y[:, 0] > 0, np.ones(len(Y))]), "of task 1 holds one class"),
        (classifier, {}, lambda Y: Y, "Unknown label type"),
        (classifier, {}, lambda Y: np.full((len(Y), 2), np.nan), "of task 0 holds no label"),
        (classifier, {}, lambda Y: np.array([["a", 0], [1, 1]] * 60, dtype=object), "of task 0 mixes strings"),
        (classifier, {"class_weight": [None]}, lambda Y: Y[:, ::2] > 0, "class_weight has 1 entries, and there are 2"),
        (classifier, {"class_weight": ["equal"] * 2}, lambda Y: Y[:, ::2] > 0, "it holds 'equal'"),
        (classifier, {"class_weight": {False: 0, True: 0}}, lambda Y: Y[:, ::2] > 0, "leaves no row"),
        (regressor, {}, lambda Y: pd.DataFrame(Y, columns=["a", "b", "a"]), "several columns of the name 'a'"),
        (
            regressor,
            {"loss": "huber"},
            lambda Y: np.where(np.arange(len(Y))[:, None] == 3, [1e80, np.nan, 0], Y),
            r"as large as 1e\+80",
        ),
    ],
)
def test_bad_input_is_named_and_changes_nothing(make, params, change, message):
    X, Y = numbers()
    model = make(**params)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        model.fit(X, change(Y))
    assert vars(model) == before


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ([0, 1], "one entry for each of 120 rows"),
        ([None] * 120, "missing entries"),
        (None, "requires y"),
        (np.zeros((120, 2)), "one entry for each of 120 rows"),
    ],
)
def test_wrong_tasks_are_named(task, message):
    X, Y = numbers()
    with pytest.raises(ValueError, match=message):
        regressor().fit(X, None if task is None else Y[:, 0], task=np.zeros(120) if task is None else task)


def test_unknown_tasks_and_columns_are_named_in_predict_and_score():
    X, Y = numbers()
    model = regressor(max_iter=2).fit(X, Y)
    with pytest.raises(ValueError, match="7, which is not among the tasks known"):
        model.predict(X, task=7)
    with pytest.raises(ValueError, match="1 columns, and the model has 3 tasks"):
        model.score(X, Y[:, 0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.score(X, Y[:7])
    with pytest.raises(ValueError, match="requires y"):
        model.score(X, None)
    with pytest.raises(ValueError, match="y has no label to score"):
        model.score(X, np.full_like(Y, np.nan))
    with pytest.raises(ValueError, match="Negative values"):
        model.score(X, Y, sample_weight=-np.ones(len(X)))
    with pytest.raises(ValueError, match="fitted with task"):
        classifier(max_iter=2).fit(*labels()).predict_proba(X, task=0)


def test_a_clone_has_the_parameters_and_no_state():
    model = clone(regressor(loss=["huber", "log_loss"], task_weights=[1.0, 2.0]))
    assert model.loss == ["huber", "log_loss"]
    with pytest.raises(AttributeError):
        _ = model.similarity_history_
