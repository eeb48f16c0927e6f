"""Every estimator inside a Pipeline inside a search, with two jobs and routed weights."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from sklearn.base import clone, is_classifier
from sklearn.callback import ProgressBar
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter

from tests._instances import CASES, estimator_names, small, table_for


@pytest.mark.parametrize("name", estimator_names())
def test_a_search_with_routed_weights(name):
    with sklearn.config_context(enable_metadata_routing=True):
        model = clone(small(name))
        if has_fit_parameter(model, "sample_weight"):
            model.set_fit_request(sample_weight=True)
        if getattr(model, "estimator", None) is not None:  # a router: the estimator inside is asked as well
            model.estimator.set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        classes = is_classifier(model)
        X, _, y = table_for(model, 150)
        weight = np.random.default_rng(0).uniform(0.1, 3.0, size=len(y))
        grid = {f"model__{key}": values for key, values in CASES[name].grid.items()}
        steps = [("scale", scaler), ("model", model)]
        if not hasattr(model, "predict"):
            steps.append(("last", Ridge().set_fit_request(sample_weight=True)))
        search = GridSearchCV(Pipeline(steps), grid, cv=3, n_jobs=2)
        scorer = sklearn.metrics.get_scorer("accuracy" if classes else "r2").set_score_request(sample_weight=True)
        search.set_params(scoring=scorer).fit(X, y, sample_weight=weight)
        heavy = search.best_estimator_
        assert len(search.cv_results_["params"]) == np.prod([len(v) for v in grid.values()])
        plain = GridSearchCV(search.estimator, grid, cv=3, n_jobs=1, scoring=scorer).fit(X, y, sample_weight=weight)
    assert_allclose(search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"], rtol=1e-12)
    assert_allclose(heavy.predict(X), plain.best_estimator_.predict(X), rtol=1e-12)


@pytest.mark.parametrize("name", estimator_names())
def test_cross_validation_in_worker_processes(name):
    model = small(name)
    X, _, y = table_for(model)
    model = model if hasattr(model, "predict") else make_pipeline(model, Ridge())
    alone, together = (cross_val_score(model, X, y, cv=3, n_jobs=n) for n in (1, 2))
    assert_allclose(alone, together, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in estimator_names() if name.endswith("CV")])
def test_callbacks_reach_an_estimator_inside_a_search(name, capsys):
    model = small(name)
    X, _, y = table_for(model)
    grid = GridSearchCV(model, CASES[name].grid, cv=2).set_callbacks(ProgressBar(max_propagation_depth=None))
    plain = GridSearchCV(small(name), CASES[name].grid, cv=2).fit(X, y)
    assert_allclose(grid.fit(X, y).predict(X), plain.predict(X))
    assert name in capsys.readouterr().out
