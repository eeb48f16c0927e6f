"""The choice of alpha by cross-validation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, TimeSeriesSplit

from skpapers.convex import (
    ConvexReLUClassifier,
    ConvexReLUClassifierCV,
    ConvexReLURegressor,
    ConvexReLURegressorCV,
    convex_relu_path,
)
from tests._asserts import assert_same_predictions

OPTIONS = {"n_gates": 30, "n_refine": 0, "tol": 1e-5, "random_state": 0}


def test_scores_are_those_of_models_of_the_training_folds():
    X, y = load_breast_cancer(return_X_y=True)
    cv = KFold(3)
    alphas = [0.3, 0.1, 0.03]
    model = ConvexReLUClassifierCV("gated_relu", alphas[::-1], cv=cv, **OPTIONS).fit(X, y)
    assert_array_equal(model.alphas_, alphas)
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    single = ConvexReLUClassifier("gated_relu", **OPTIONS | {"random_state": seed})
    scorer = get_scorer("neg_log_loss")
    for k, (train, test) in enumerate(cv.split(X)):
        for i, alpha in enumerate(alphas):
            one = clone(single).set_params(alpha=alpha).fit(X[train], y[train])
            found = model.cv_results_[f"split{k}_test_score"][i]
            assert_allclose(found, scorer(one, X[test], y[test]), rtol=1e-2)
    mean = model.cv_results_["mean_test_score"]
    assert model.alpha_ == alphas[np.argmax(mean)]
    assert model.best_score_ == mean.max()
    refit = clone(single).set_params(alpha=model.alpha_).fit(X, y)
    assert_allclose(model.objective_, refit.objective_, rtol=2e-5)


@pytest.mark.parametrize("cv", [3, TimeSeriesSplit(3, gap=5)])
def test_any_number_of_jobs_gives_the_same_model(cv):
    X, y = load_diabetes(return_X_y=True)
    options = {"alphas": 4, "eps": 0.05, "cv": cv, "n_gates": 20, "random_state": 0}
    one, two = (ConvexReLURegressorCV(n_jobs=n, **options).fit(X, y) for n in (1, 2))
    assert_same_predictions(one, two, X)
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])


def test_weights_of_classes_count_in_scores_too():
    X, y = load_breast_cancer(return_X_y=True)
    options = {"alphas": [0.3, 0.02], "cv": KFold(3), **OPTIONS}
    plain = ConvexReLUClassifierCV("gated_relu", **options).fit(X, y)
    heavy = ConvexReLUClassifierCV("gated_relu", class_weight={0: 1000.0, 1: 1e-3}, **options).fit(X, y)
    assert (heavy.predict(X) == 0).mean() > (plain.predict(X) == 0).mean()


def test_folds_may_lack_classes():
    X, y = load_iris(return_X_y=True)
    rows = np.r_[0:20, 50:70, 100:103]
    X, y = X[rows], np.array(["a", "b", "c"])[y[rows]]
    folds = [(np.r_[0:10, 20:43], np.arange(10, 20)), (np.r_[0:15, 20:35], np.r_[15:20, 35:43])]
    model = ConvexReLUClassifierCV("gated_relu", [0.1, 0.02], cv=folds, **OPTIONS).fit(X, y)
    assert_array_equal(model.classes_, ["a", "b", "c"])
    assert np.isfinite(model.cv_results_["mean_test_score"]).all()
    # three of the 13 rows of the second fold are of a class that has no probability at all
    impossible = -3 / 13 * np.log(np.finfo(np.float64).eps)
    assert (model.cv_results_["split1_test_score"] < -impossible).all()
    assert (model.cv_results_["split1_test_score"] > -impossible - 1.0).all()


@pytest.mark.parametrize("alphas", [[], [0.1, -1.0], [np.nan], [[0.1]], ["a"]])
def test_bad_alphas_are_named(alphas):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match=r"alphas must be|'alphas' parameter"):
        ConvexReLURegressorCV(alphas=alphas).fit(X, y)


def test_exports_of_a_chosen_model():
    X, y = load_diabetes(return_X_y=True)
    model = ConvexReLURegressorCV("gated_relu", 3, eps=0.1, cv=2, n_gates=20, random_state=0).fit(X, y)
    assert_allclose(model.to_relu().predict(X), model.predict(X), rtol=1e-6)
    assert_allclose(model.to_sklearn_mlp().predict(X), model.predict(X), rtol=1e-6)


def test_a_constant_target_leaves_nothing_to_choose():
    X, _ = load_diabetes(return_X_y=True)
    for value in (1.0, 0.1, -3e12):
        model = ConvexReLURegressorCV("relu", 3, n_gates=10, random_state=0).fit(X, np.full(len(X), value))
        assert_allclose(model.predict(X), value)


def test_nothing_is_exported_before_the_fit():
    for method in ("to_relu", "to_torch", "to_sklearn_mlp"):
        with pytest.raises(NotFittedError):
            getattr(ConvexReLURegressorCV("gated_relu"), method)()


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
@pytest.mark.parametrize("kind", [ConvexReLUClassifierCV, ConvexReLURegressorCV])
def test_a_time_limit_still_scores_every_alpha(kind, activation):
    X, y = load_breast_cancer(return_X_y=True)
    alphas = [0.3, 0.1, 0.03]
    model = kind(activation, alphas, cv=3, **OPTIONS | {"n_refine": 1}, time_limit=1e-9)
    with pytest.warns(ConvergenceWarning, match=r"time_limit=1e-09 s ended \d of 9 fits of the folds") as caught:
        model.fit(X, y)
    assert [warning.filename for warning in caught] == [__file__]
    assert np.isfinite(model.cv_results_["mean_test_score"]).all()
    assert model.alpha_ in alphas
    assert not model.converged_
    options = {"gates": model.gates_, "n_refine": 0, "tol": 1e-6}
    best = kind._single(activation, model.alpha_, **options).fit(X, y)
    assert model.lower_bound_ <= best.objective_ * (1 + 1e-9)
    assert model.objective_ >= best.lower_bound_
    assert model.gap_ > 0.0


def test_a_long_time_limit_changes_nothing():
    X, y = load_diabetes(return_X_y=True)
    model = ConvexReLURegressorCV(alphas=3, eps=0.1, cv=3, **OPTIONS)
    free = clone(model).fit(X, y)
    assert_array_equal(free.coef_, clone(model).set_params(time_limit=1e6).fit(X, y).coef_)


def test_only_the_last_fit_is_printed(capsys):
    X, y = load_diabetes(return_X_y=True)
    model = ConvexReLURegressorCV("gated_relu", 3, eps=0.1, cv=2, n_gates=20, random_state=0, verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"[ConvexReLURegressorCV] round {number}" for number in range(1, len(model.history_) + 1)
    ]


@pytest.mark.parametrize(("tol", "of_folds"), [(1e-4, 2e-3), (0.01, 0.05), (0.1, 0.1)])
def test_folds_are_solved_as_roughly_as_documented(tol, of_folds):
    X, y = load_diabetes(return_X_y=True)
    cv = KFold(2)
    alphas = [0.1, 0.03, 0.01]
    options = OPTIONS | {"random_state": np.random.RandomState(0).randint(np.iinfo(np.int32).max)}
    single = ConvexReLURegressor(**options | {"tol": of_folds})
    model = ConvexReLURegressorCV(alphas=alphas, cv=cv, **OPTIONS | {"tol": tol}).fit(X, y)
    for k, (train, test) in enumerate(cv.split(X)):
        _, models, _ = convex_relu_path(single, X[train], y[train], alphas=alphas)
        assert_array_equal(model.cv_results_[f"split{k}_test_score"], [one.score(X[test], y[test]) for one in models])
    assert model.gap_ <= tol
