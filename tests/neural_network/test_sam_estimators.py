"""Sharpness-aware networks as estimators of scikit-learn."""

import pickle
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skpapers.neural_network import SAMMLPClassifier, SAMMLPRegressor
from tests._asserts import assert_rows_are_independent, assert_same_predictions, assert_unchanged_by

# Settings of a short training, whatever the defaults are tuned to.
QUICK = {"hidden_layer_sizes": (16,), "max_iter": 8, "random_state": 0, "device": "cpu"}
QUICK |= {"learning_rate_init": 0.01, "alpha": 0.01, "dropout": 0.0, "rho": 0.05}
IRIS, WINE, DIABETES = (load(return_X_y=True) for load in (load_iris, load_wine, load_diabetes))
CANCER = load_breast_cancer(return_X_y=True)


def classifier(**kwargs):
    return SAMMLPClassifier(**{**QUICK, "calibration": None, **kwargs})  # temperatures: see test_sam_defaults.py


def regressor(**kwargs):
    return SAMMLPRegressor(**{**QUICK, **kwargs})


def weights_of(model):
    return np.concatenate([value.ravel() for value in model._fitted.weights.values()])


KINDS = [
    pytest.param(classifier, WINE, id="three classes"),
    pytest.param(classifier, CANCER, id="two classes"),
    pytest.param(regressor, DIABETES, id="one output"),
    pytest.param(regressor, (DIABETES[0], np.column_stack([DIABETES[1], DIABETES[0][:, 0]])), id="two outputs"),
]
WAYS = [
    {},
    {"rho": 0.0},
    {"adaptive": True, "rho": 0.5},
    {"batch_norm": True, "dropout": 0.2},
    {"numeric_embedding": "none", "scaling": "standard"},
    {"n_ensemble": 3, "mixup_alpha": 0.4},
    {"n_ensemble": 2, "batch_norm": True, "dropout": 0.1, "dtype": "float64"},
    {"solver": "sgd", "learning_rate_init": 0.05},
    {"solver": "adam", "hidden_layer_sizes": 12, "activation": "relu", "batch_size": 17},
    {"early_stopping": True, "validation_split": "random"},
]


# every way with one target of each estimator, the first ones with the other two
WAYS_OF_KINDS = [
    pytest.param(*kind.values, way, id=f"{kind.id}-{way}")
    for kind in KINDS
    for way in (WAYS if kind.id in ("three classes", "two outputs") else WAYS[:1])
]


@pytest.mark.parametrize(("make", "data", "kwargs"), WAYS_OF_KINDS)
def test_every_way_learns_repeats_itself_and_predicts_row_by_row(make, data, kwargs):
    X, y = data
    model = make(**{"max_iter": 25, **kwargs}).fit(X, y)
    assert model.score(X, y) > (0.85 if make is classifier else 0.3)
    assert_rows_are_independent(model, X)
    assert_same_predictions(make(**{"max_iter": 25, **kwargs}).fit(X, y), model, X)
    assert_unchanged_by(lambda: model.predict(X), model)


@pytest.mark.parametrize(("make", "data"), KINDS)
def test_to_torch_is_what_predict_decides_by(make, data):
    X, y = data
    model = make(n_ensemble=2, max_iter=4).fit(X, y)
    module = model.to_torch()
    assert not module.training
    inputs = torch.from_numpy(X).requires_grad_()
    out = module(inputs)
    assert out.dtype == torch.float64
    if make is regressor:
        assert_array_equal(out.detach().numpy(), model.predict(X))
    elif out.ndim == 1:
        assert_allclose(torch.sigmoid(out).detach().numpy(), model.predict_proba(X)[:, 1], atol=1e-12)
    else:
        assert_allclose(torch.softmax(out, dim=1).detach().numpy(), model.predict_proba(X), atol=1e-12)
    out.sum().backward()
    assert inputs.grad.abs().max() > 0
    with torch.no_grad():
        next(module.parameters()).add_(1.0)
    assert_array_equal(model.predict(X), make(n_ensemble=2, max_iter=4).fit(X, y).predict(X))


@pytest.mark.parametrize(("make", "data"), KINDS[1:3])
@pytest.mark.parametrize(
    "kwargs", [{}, {"class_weight": "balanced"}, {"loss": "huber"}, {"loss": "quantile", "quantile": 0.8}]
)
def test_weights_are_repeated_rows_with_whole_batches(make, data, kwargs):
    if next(iter(kwargs), "") not in {"", *make().get_params()}:
        pytest.skip("a parameter of the other kind")
    X = data[0][:200]
    y = data[1][:200]
    counts = np.random.default_rng(0).integers(0, 4, size=len(X))
    whole = {"batch_size": 10**6, "dtype": "float64", "shuffle": False, "learning_rate_init": 0.01}
    a = make(**whole, **kwargs).fit(X, y, sample_weight=counts)
    b = make(**whole, **kwargs).fit(X.repeat(counts, 0), y.repeat(counts))
    assert_allclose(weights_of(a), weights_of(b), atol=1e-8)
    assert a.loss_ == pytest.approx(b.loss_, abs=1e-9)


def test_class_weights_are_sample_weights():
    X, y = WINE
    a = classifier(class_weight={0: 1.0, 1: 2.0, 2: 0.5}).fit(X, y)
    b = classifier().fit(X, y, sample_weight=np.array([1.0, 2.0, 0.5])[y])
    assert_array_equal(weights_of(a), weights_of(b))


def test_balanced_classes_have_equal_weight_and_those_without_rows_none():
    X, y = WINE
    weight = np.arange(1.0, len(y) + 1)
    balanced = weight / np.bincount(y, weights=weight)[y]
    a = classifier(class_weight="balanced", dtype="float64").fit(X, y, sample_weight=weight)
    b = classifier(dtype="float64").fit(X, y, sample_weight=balanced)
    assert_allclose(weights_of(a), weights_of(b), rtol=1e-6)
    two = y < 2
    assert a.sharpness(X[two], y[two], weight[two]) == pytest.approx(
        b.sharpness(X[two], y[two], weight[two] / np.bincount(y[two], weights=weight[two])[y[two]])
    )
    with pytest.raises(ValueError, match="No row of class 2 has a weight above 0"):
        classifier(class_weight="balanced").fit(X, y, sample_weight=two.astype(float))
    with pytest.raises(ValueError, match="No row left to train on has class 2"):
        classifier(class_weight="balanced", early_stopping=True, validation_fraction=0.4).fit(X, y)


@pytest.mark.parametrize(("make", "data"), KINDS)
def test_parameters_set_after_the_fit_leave_the_model_alone(make, data):
    X, y = data
    model = make(n_ensemble=2, batch_norm=True).fit(X, y)
    before = model.predict(X)
    other = {"n_ensemble": 3, "batch_norm": False, "numeric_embedding": "none", "hidden_layer_sizes": (3, 2)}
    model.set_params(**other, activation="relu", scaling=None)
    assert_array_equal(model.predict(X), before)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), before)
    assert model.sharpness(X, y) > 0


@pytest.mark.parametrize("sizes", [(0,), [8, -1], (2.5,), 0])
def test_layers_have_a_unit_or_more(sizes):
    with pytest.raises(ValueError, match=r"hidden_layer_sizes.*\b1\b"):
        classifier(hidden_layer_sizes=sizes).fit(*IRIS)


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_targets_of_any_magnitude(loss, unit):
    X, y = DIABETES
    model = regressor(loss=loss, scaling="standard").fit(X, y)
    other = regressor(loss=loss, scaling="standard").fit(X * unit, y * unit)
    assert_allclose(other.predict(X * unit) / unit, model.predict(X), rtol=1e-3)


def test_a_radius_of_zero_runs_the_base_optimiser_to_the_bit():
    X, y = WINE
    plain = classifier(rho=0.0).fit(X, y)

    class Plain(SAMMLPClassifier):
        def _gradient(self, run):
            from skpapers._torch.steps import backward

            return backward

    other = Plain(**{**QUICK, "rho": 1.0}).fit(X, y)
    assert_array_equal(weights_of(plain), weights_of(other))
    assert not np.array_equal(weights_of(plain), weights_of(classifier(rho=0.05).fit(X, y)))


def test_warm_start_continues_with_the_weights():
    X, y = WINE
    model = classifier(warm_start=True, max_iter=15).fit(X, y)
    cold = model.loss_curve_[0]
    first = model.loss_
    model.fit(X, y)
    assert first < 0.5 * cold
    assert model.loss_curve_[0] < 0.2 * cold
    assert len(model.loss_curve_) == model.n_iter_ == 15
    with pytest.raises(ValueError, match="another shape than the fitted one"):
        model.set_params(hidden_layer_sizes=(3,)).fit(X, y)
    with pytest.raises(ValueError, match="class 7, which is not among the classes known"):
        model.set_params(hidden_layer_sizes=(16,)).fit(X, np.where(y == 2, 7, y))


@pytest.mark.parametrize(("make", "data"), KINDS)
def test_partial_fit_continues_from_a_pickle(make, data):
    X, y = data
    order = np.random.default_rng(0).permutation(len(X))
    X = X[order]
    y = y[order]
    first = {"classes": np.unique(y)} if make is classifier else {}
    kwargs = {"dropout": 0.1, "batch_norm": True, "learning_rate_init": 0.01}
    whole, broken = (make(**kwargs).partial_fit(X[:100], y[:100], **first) for _ in range(2))
    for _ in range(20):
        whole.partial_fit(X, y)
        broken = pickle.loads(pickle.dumps(broken)).partial_fit(X, y)
    assert_array_equal(weights_of(whole), weights_of(broken))
    assert whole.n_iter_ == len(whole.loss_curve_) == 21
    assert whole.score(X, y) > (0.85 if make is classifier else 0.2)


def test_partial_fit_learns_classes_that_come_later():
    X, y = IRIS
    model = classifier(learning_rate_init=0.03).partial_fit(X[:100:2], y[:100:2], classes=[0, 1, 2])
    assert (model.predict(X) < 2).mean() > 0.6
    for _ in range(30):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.9


def test_partial_fit_skips_a_batch_whose_class_weights_are_all_zero():
    X, y = IRIS
    model = classifier(class_weight={0: 1.0, 1: 1.0, 2: 0.0})
    with pytest.raises(ValueError, match="leaves no row with a weight above 0"):
        model.partial_fit(X[100:], y[100:], classes=[0, 1, 2])
    before = model.partial_fit(X, y, classes=[0, 1, 2]).predict_proba(X)
    assert_array_equal(model.partial_fit(X[100:], y[100:]).predict_proba(X), before)


def test_errors_of_partial_fit():
    X, y = IRIS
    with pytest.raises(ValueError, match="The first call of partial_fit needs classes"):
        classifier().partial_fit(X, y)
    with pytest.raises(ValueError, match=r"two classes or more; classes=\[0\]"):
        classifier().partial_fit(X[:50], y[:50], classes=[0])
    model = classifier().partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"classes=\[0, 1\] are not those of the first call, \[0, 1, 2\]"):
        model.partial_fit(X[:100], y[:100], classes=[0, 1])
    with pytest.raises(ValueError, match="early_stopping=True is for fit"):
        classifier(early_stopping=True).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="give a dict"):
        classifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])


def test_early_stopping_returns_the_best_epoch():
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    y = np.where(rng.random(len(y)) < 0.4, rng.integers(10, size=len(y)), y)
    train = slice(0, 300)
    held = slice(300, 600)
    given = classifier(early_stopping=True, max_iter=60, n_iter_no_change=6, learning_rate_init=0.01, rho=0.0)
    last = clone(given).set_params(validation_fraction=0.5)
    given.fit(X[train], y[train], X_val=X[held], y_val=y[held])
    last.fit(X[:600], y[:600])
    assert given.n_iter_ < 60
    assert given.best_iter_ < given.n_iter_
    assert (
        given.best_validation_score_ == max(given.validation_scores_) == given.validation_scores_[given.best_iter_ - 1]
    )
    assert given.score(X[held], y[held]) == pytest.approx(given.best_validation_score_, abs=0.005)  # float32, float64
    assert_allclose(last.validation_scores_, given.validation_scores_)
    assert_array_equal(last.predict(X), given.predict(X))


def test_early_stopping_of_regression_watches_its_own_loss():
    X, y = DIABETES
    model = regressor(early_stopping=True, loss="quantile", quantile=0.9, max_iter=30, dtype="float64").fit(X, y)
    held = slice(len(X) - 45, None)
    over = (y[held] - model.predict(X[held])) / model.y_scale_[0]
    loss = np.maximum(0.9 * over, -0.1 * over).mean()
    assert model.best_validation_score_ == pytest.approx(-loss, rel=1e-9)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_a_wide_network_without_features_finds_the_minimiser_of_its_loss(loss):
    rng = np.random.default_rng(0)
    y = rng.exponential(size=400) * 100 + 7
    X = np.zeros((400, 1))
    kwargs = {
        "rho": 0.0,
        "alpha": 0.0,
        "batch_size": 400,
        "max_iter": 1500,
        "learning_rate_init": 0.01,
        "dtype": "float64",
    }
    model = regressor(loss=loss, quantile=0.8, **kwargs).fit(X, y)
    found = model.predict(X[:1])[0]
    if loss == "huber":
        residual = (y - found) / model.y_scale_[0]
        assert abs(np.clip(residual, -1.35, 1.35).mean()) < 1e-3
    else:
        expected = {"squared_error": y.mean(), "absolute_error": np.median(y), "quantile": np.quantile(y, 0.8)}[loss]
        assert found == pytest.approx(expected, rel=0.01)


def test_early_stopping_of_rows_sorted_by_class_says_what_to_do():
    X, y = IRIS
    model = classifier(early_stopping=True, validation_fraction=0.4)
    with pytest.raises(ValueError, match=r"No row left to train on has class .*2.*validation_split='random'"):
        model.fit(X, y)
    assert not hasattr(model, "classes_")
    model.set_params(validation_split="random").fit(X, y)
    with pytest.raises(ValueError, match="leaves none to train on"):
        classifier(early_stopping=True, validation_fraction=0.99).fit(X[49:51], y[49:51])


def test_errors_of_validation_rows():
    X, y = IRIS
    with pytest.raises(ValueError, match="only one of them was given"):
        classifier(early_stopping=True).fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="early_stopping=True; it is False"):
        classifier().fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="not among the classes known"):
        classifier(early_stopping=True).fit(X, y, X_val=X, y_val=y + 1)
    with pytest.raises(ValueError, match="4 features"):
        classifier(early_stopping=True).fit(X, y, X_val=X[:, :2], y_val=y)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_loss_that_is_not_finite_leaves_the_estimator_as_it_was(make):
    X, y = IRIS
    model = make(solver="sgd", learning_rate_init=1e30, scaling=None)
    with pytest.raises(ValueError, match=r"loss became NaN or infinite in epoch \d+; lower learning_rate_init=1e\+30"):
        model.fit(X, y)
    assert not [name for name in vars(model) if name.endswith("_") or name.startswith("_fitted")]
    good = make().fit(X, y).set_params(solver="sgd", learning_rate_init=1e30)
    before = pickle.dumps(good)
    with pytest.raises(ValueError, match="NaN or infinite"):
        good.fit(X, y)
    assert pickle.dumps(good) == before


def test_an_interrupted_fit_leaves_the_estimator_as_it_was():
    X, y = IRIS

    class Interrupt:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context):
            raise KeyboardInterrupt

    model = classifier().set_callbacks(Interrupt())
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert not hasattr(model, "n_iter_")


def test_callbacks_see_every_epoch_as_a_fitted_estimator():
    X, y = IRIS
    monitor = ScoringMonitor(scoring="accuracy")
    model = classifier().set_callbacks(monitor, ProgressBar()).fit(X, y)
    log = monitor.get_logs().data
    epochs = [entry["accuracy"] for entry in log if entry["task_name"] == "epoch"]
    assert len(epochs) == 8
    assert epochs[-1] == accuracy_score(y, model.predict(X))
    assert epochs[0] < epochs[-1]
    assert_array_equal(model.predict(X), classifier().fit(X, y).predict(X))


def test_a_callback_can_stop_the_fit():
    X, y = IRIS

    class Stop:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context):
            return context.task_name == "epoch" and context.task_id == 2

    assert classifier().set_callbacks(Stop()).fit(X, y).n_iter_ == 3


def test_callbacks_inside_a_search(capsys):
    X, y = IRIS
    monitor = ScoringMonitor(scoring="accuracy")
    model = classifier().set_callbacks(monitor)
    search = (
        GridSearchCV(model, {"rho": [0.0, 0.05]}, cv=3).set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
    )
    assert search.best_score_ > 0.6
    assert "SAMMLPClassifier" in capsys.readouterr().out
    assert sum(entry["task_name"] == "epoch" for entry in monitor.get_logs(select="all")[0].data) % 8 == 0


def test_a_grid_moves_from_scikit_learns_network_by_the_name_of_the_class():
    X, y = IRIS
    grid = {"mlp__alpha": [1e-4, 1e-2], "mlp__hidden_layer_sizes": [(8,), (8, 4)], "mlp__activation": ["relu", "tanh"]}
    common = {
        "solver": "adam",
        "batch_size": 32,
        "learning_rate_init": 0.01,
        "max_iter": 12,
        "shuffle": True,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-8,
        "early_stopping": False,
        "validation_fraction": 0.1,
        "n_iter_no_change": 10,
        "tol": 1e-4,
        "warm_start": False,
        "momentum": 0.9,
        "nesterovs_momentum": True,
        "random_state": 0,
        "verbose": False,
    }
    assert set(MLPClassifier().get_params()) - set(SAMMLPClassifier().get_params()) == {
        "learning_rate",
        "power_t",
        "max_fun",
    }
    pipeline = make_pipeline(StandardScaler(), SAMMLPClassifier(**common))
    pipeline.steps[-1] = ("mlp", pipeline.steps[-1][1])
    assert GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(X, y).best_score_ > 0.8


def test_raw_columns_of_any_unit_give_the_same_network():
    X, y = WINE
    a = classifier().fit(X, y)
    b = classifier().fit(X * 1024.0 + 2.0**20, y)
    assert_allclose(a.predict_proba(X), b.predict_proba(X * 1024.0 + 2.0**20), atol=1e-4)


def test_the_targets_unit_does_not_matter():
    X, y = DIABETES
    a = regressor().fit(X, y)
    b = regressor().fit(X, y * 1024.0)
    assert_allclose(b.predict(X), a.predict(X) * 1024.0, rtol=1e-4)


def test_label_smoothing_and_mixup_make_probabilities_smaller():
    X, y = IRIS
    kwargs = {"max_iter": 80, "rho": 0.0, "learning_rate_init": 0.01}
    plain, smooth, mixed_ = (
        classifier(**kwargs, **more).fit(X, y).predict_proba(X).max(axis=1).mean()
        for more in ({}, {"label_smoothing": 0.3}, {"mixup_alpha": 1.0})
    )
    assert smooth < plain - 0.1
    assert mixed_ < plain - 0.03


@pytest.mark.parametrize("data", [IRIS, CANCER])
def test_the_loss_reported_is_the_mean_log_loss(data):
    X, y = data
    model = classifier(rho=0.0, max_iter=1, batch_size=10**6, dtype="float64", n_ensemble=2)
    model.fit(X, y)  # one step: the loss is that of the start
    start = classifier(rho=0.0, max_iter=1, batch_size=10**6, dtype="float64", n_ensemble=2, learning_rate_init=1e-300)
    start.fit(X, y)
    assert model.loss_ == start.loss_
    members = start.to_torch().network(start.to_torch().scaling(torch.from_numpy(X)))
    per_member = []
    for logits in members.detach():
        p = torch.softmax(logits, dim=1) if logits.shape[1] > 1 else torch.sigmoid(torch.cat([-logits, logits], dim=1))
        per_member.append(-np.log(p.numpy()[np.arange(len(y)), y]).mean())
    assert model.loss_ == pytest.approx(np.mean(per_member), rel=1e-9)


def test_fits_in_threads_do_not_disturb_one_another():
    X, y = WINE
    alone = [classifier(random_state=seed, dropout=0.2).fit(X, y).predict_proba(X) for seed in (0, 1)]
    together = [None, None]

    def fit(seed):
        together[seed] = classifier(random_state=seed, dropout=0.2).fit(X, y).predict_proba(X)

    threads = [threading.Thread(target=fit, args=(seed,)) for seed in (0, 1)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert_array_equal(alone, together)


def test_import_and_fit_leave_torch_as_it_was():
    code = """
        import numpy as np, torch
        torch.manual_seed(3)
        def state():
            return (torch.get_rng_state().tolist(), torch.get_num_threads(), torch.get_num_interop_threads(),
                    torch.get_default_dtype(), np.random.get_state()[1].tolist())
        before = state()
        from skpapers.neural_network import SAMMLPClassifier
        X = np.random.default_rng(0).normal(size=(60, 3))
        model = SAMMLPClassifier((8,), max_iter=2, dropout=0.1, mixup_alpha=1.0, n_ensemble=2, random_state=0)
        model.fit(X, X[:, 0] > 0).partial_fit(X, X[:, 0] > 0)
        model.predict(X), model.sharpness(X, X[:, 0] > 0), model.to_torch()
        print(before == state())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, lambda: torch.device("meta")])
@pytest.mark.parametrize(("make", "data"), KINDS[1:3])
def test_modes_of_torch_around_a_fit_do_not_matter(make, data, mode):
    X, y = data
    kwargs = {"early_stopping": True, "batch_norm": True, "dropout": 0.1, "mixup_alpha": 0.2, "n_ensemble": 2}
    outside = make(**kwargs).fit(X, y)
    with mode():
        inside = make(**kwargs).fit(X, y)
        assert_array_equal(inside.predict(X), outside.predict(X))
        sharpness = inside.sharpness(X, y)
    assert sharpness == outside.sharpness(X, y)
    assert_array_equal(weights_of(inside), weights_of(outside))


def test_what_is_pickled_is_numpy():
    model = classifier(n_ensemble=2, batch_norm=True).fit(*IRIS)
    assert b"torch" not in pickle.dumps(model).replace(b"skpapers._torch", b"")
    cuda = clone(model).set_params(device="cuda")
    cuda.__dict__.update({k: v for k, v in vars(model).items() if k.endswith("_") or k.startswith("_")})
    assert_array_equal(cuda.predict(IRIS[0]), model.predict(IRIS[0]))  # a GPU's model, wherever it is loaded


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_named():
    with pytest.raises(ValueError, match="torch finds no GPU"):
        classifier(device="cuda").fit(*IRIS)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("kwargs", WAYS, ids=str)
def test_a_gpu_trains_the_same_model(kwargs):
    X, y = WINE
    model = classifier(**{"max_iter": 25, **kwargs, "device": "cuda"}).fit(X, y)
    assert model.score(X, y) > 0.9


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="needs two classes or more; y holds one class"):
        classifier().fit(IRIS[0], np.zeros(150))


def test_verbose_prints_a_line_for_each_epoch(capsys):
    classifier(verbose=True, early_stopping=True, validation_split="random", max_iter=3).fit(*IRIS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("[SAMMLPClassifier] epoch 1, loss ")
    assert "validation score" in lines[0]


def test_cross_validation_in_two_processes():
    model = classifier()
    assert_allclose(*(cross_val_score(model, *WINE, cv=3, n_jobs=n) for n in (1, 2)), rtol=1e-12)
