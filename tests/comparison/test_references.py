"""Reference estimators, and estimators of the user from objects, modules and files."""

import re
from importlib import import_module

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import RandomForestClassifier, StackingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skpapers import HierarchicalShrinkageRegressor
from skpapers.comparison import _references
from skpapers.comparison._labelled_classifier import LabelledClassifier
from skpapers.comparison._references import (
    check_estimators,
    chosen_references,
    load_reference,
    prefers_raw_columns,
    references,
)
from skpapers.papers import PAPERS

NAMES = {
    "classification": ["majority", "logistic", "HistGradientBoosting", "LightGBM", "XGBoost", "RandomForest"],
    "regression": ["mean", "ridge", "HistGradientBoosting", "LightGBM", "XGBoost", "RandomForest"],
}


@pytest.mark.parametrize("task", list(NAMES))
def test_references_of_a_task_fit(task, recwarn):
    """Labels are strings, as in a table of the user."""
    known = references(task)
    assert [reference.name for reference in known] == NAMES[task]
    if task == "regression":
        X, y = make_regression(80, 4, random_state=0)
    else:
        X, y = make_classification(80, 4, random_state=0)
        y = np.array(["no", "yes"])[y]
    for reference in known:
        model = reference.spec.build()
        assert (is_regressor if task == "regression" else is_classifier)(model)
        assert reference.trivial == (reference.name in ("mean", "majority"))
        score = r2_score if task == "regression" else accuracy_score
        assert reference.trivial or score(y, model.fit(X, y).predict(X)) > 0.7, reference.name
    assert not [warning for warning in recwarn if issubclass(warning.category, FutureWarning)]


def test_packages_that_are_not_installed_have_no_reference(monkeypatch):
    monkeypatch.setattr(_references, "find_spec", lambda name: None if name == "lightgbm" else True)
    assert "LightGBM" not in [reference.name for reference in references("regression")]
    with pytest.raises(ValueError, match="not installed: LightGBM; choose among mean, ridge"):
        chosen_references("regression", ["LightGBM", "mean"])


@pytest.mark.parametrize("task", list(NAMES))
def test_the_forest_is_the_baseline_of_the_papers_forest(task):
    (forest,) = (c.baseline for p in PAPERS for c in p.contests if (c.name, c.task) == ("HS forest", task))
    assert chosen_references(task, "RandomForest")[0].spec == forest


def test_references_are_chosen_in_their_own_order():
    assert [reference.name for reference in chosen_references("regression", ["ridge", "mean"])] == ["mean", "ridge"]
    assert chosen_references("regression", []) == []


def test_ridge_shrinks_noise_to_the_mean():
    """Its largest penalty is of the order of the rows of a large panel."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 20))
    y = rng.normal(size=2000)
    ridge = references("regression")[1].spec.build().fit(X, y)
    assert np.std(ridge.predict(X)) < 0.3 * np.std(LinearRegression().fit(X, y).predict(X))


def test_labels_are_numbered_and_restored():
    X, y = make_classification(60, 4, random_state=0)
    words = np.array(["b", "a"])[y]
    model = LabelledClassifier(RandomForestClassifier(10, random_state=0)).fit(X, words, sample_weight=1.0 + y)
    plain = RandomForestClassifier(10, random_state=0).fit(X, 1 - y, sample_weight=1.0 + y)
    np.testing.assert_array_equal(model.predict(X), np.array(["a", "b"])[plain.predict(X)])
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), rtol=1e-12)
    assert model.classes_.tolist() == ["a", "b"]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module of the user into the current folder."""
    (tmp_path / "users_models.py").write_text(
        "from sklearn.linear_model import Ridge\n"
        "fitted = Ridge(alpha=3.0).fit([[0.0], [1.0]], [0.0, 1.0])\n"
        "def make():\n    return Ridge(alpha=5.0)\n"
        "def fails():\n    raise RuntimeError('no data')\n"
        "class Holder:\n    inner = Ridge(alpha=7.0)\n"
        "number = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return "users_models"


@pytest.mark.parametrize(
    ("what", "name", "alpha"),
    [("fitted", "fitted", 3.0), ("make", "make", 5.0), ("Holder.inner", "inner", 7.0)],
)
def test_modules(module, what, name, alpha):
    found, model = load_reference(f"{module}:{what}")
    assert (found, model.alpha, hasattr(model, "coef_")) == (name, alpha, False)
    assert load_reference(f"mine = {module}:{what}".replace(" = ", "="))[0] == "mine"


def test_a_class_is_built():
    name, model = load_reference("sklearn.linear_model:Ridge")
    assert (name, type(model)) == ("Ridge", Ridge)


@pytest.mark.parametrize("model", [Ridge(alpha=3.0), make_pipeline(StandardScaler(), HierarchicalShrinkageRegressor())])
def test_files(tmp_path, model):
    joblib.dump(model, tmp_path / "a.joblib")
    skops.io.dump(model, tmp_path / "b.skops")
    for name in ("a.joblib", "b.skops"):
        found, loaded = load_reference(str(tmp_path / name))
        assert (found, repr(loaded)) == (name[0], repr(model))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", "must be module:object, or a file that ends in .joblib, .pkl, .pickle, .skops"),
        ("no_such_module:x", "'no_such_module' cannot be imported"),
        ("users_models:absent", "'users_models' has no 'absent'"),
        ("users_models:number", "is no scikit-learn estimator with fit, predict and get_params; got int"),
        ("users_models:fails", r"the function failed \(RuntimeError: no data\)"),
        ("absent.joblib", "there is no such file"),
        ("broken.joblib", "cannot be read"),
        ("broken.skops", "cannot be read"),
        ("sklearn.model_selection:GridSearchCV", "GridSearchCV cannot be built without arguments"),
    ],
)
def test_wrong_references_are_one_line(module, tmp_path, text, message):
    for name in ("broken.joblib", "broken.skops"):
        (tmp_path / name).write_bytes(b"no model")
    with pytest.raises(ValueError, match=f"^--reference {text}.*{message}") as error:
        load_reference(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("estimators", "message"),
    [
        ([Ridge()], "estimators must be a dict of names and estimators, got list"),
        ({"": Ridge()}, "'' is no valid name"),
        ({"mine": StandardScaler()}, "estimators['mine'] is no scikit-learn estimator"),
    ],
)
def test_wrong_estimators_are_one_line(estimators, message):
    with pytest.raises(ValueError, match="estimators") as error:
        check_estimators(estimators)
    assert message in str(error.value)


def test_own_estimators_are_copied():
    model = Ridge().fit([[0.0], [1.0]], [0.0, 1.0])
    (copy,) = check_estimators({"mine": model}).values()
    assert not hasattr(copy, "coef_")
    assert check_estimators(None) == {}


def test_a_stacking_estimator_predicts_after_fit_only():
    model = StackingRegressor([("tree", DecisionTreeRegressor(max_depth=2))])
    assert not hasattr(model, "predict")
    assert repr(check_estimators({"mine": model})["mine"]) == repr(model)


def test_raw_columns_are_tried():
    frame = pd.DataFrame({"x": np.arange(100.0), "c": list("ab") * 50})
    y = np.arange(100.0)
    encoded = make_pipeline(make_column_transformer((OneHotEncoder(), ["c"])), Ridge())
    assert prefers_raw_columns(encoded, frame, y)
    assert not prefers_raw_columns(Ridge(), frame, y)
    assert prefers_raw_columns(Ridge(), frame[["x"]], y)
    frame.loc[51, "x"] = np.nan  # none of the evenly spaced rows
    assert not prefers_raw_columns(Ridge(), frame[["x"]], y)


def test_the_code_of_references_builds_them():
    for task in NAMES:
        for reference in references(task):
            for module in re.findall(r"[\w.]+(?=\.\w+\()", reference.spec.code):
                import_module(module)
            names = {name: import_module(name) for name in ("skpapers", "sklearn", "lightgbm", "xgboost")}
            assert repr(eval(reference.spec.code, names)) == repr(reference.spec.build())
