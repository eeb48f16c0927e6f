"""DistributionCalibratedFewShot: which classes are calibrated, what the classifier is fitted on, and what comes out."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skpapers.few_shot import DistributionCalibratedFewShot, TargetDomainSplit
from tests._asserts import assert_rows_are_independent, assert_same_predictions, assert_unchanged_by

PAPER = {"mean_prior": "paper", "alpha": 0.21, "alpha_mode": "full", "n_generate": 750}
LETTERS = np.array(list("abcdefgh"))


class Records(ClassifierMixin, BaseEstimator):
    """Remembers what it was fitted on."""

    def fit(self, X, y, sample_weight=None):
        self.X_ = X
        self.y_ = y
        self.weight_ = sample_weight
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


class WithoutWeights(Records):
    def fit(self, X, y):
        return super().fit(X, y)


def table(sizes=(40, 30, 50, 2, 5), d=3, seed=0):
    """Return shuffled rows of classes a, b, ... of these sizes."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    means = 3 * rng.normal(size=(len(sizes), d))
    return means[codes] + rng.normal(size=(len(codes), d)) @ rng.normal(size=(d, d)), LETTERS[codes]


X, Y = table()
DOMAIN = np.where(np.isin(Y, ["a", "b", "c"]), 1, -1)


def model(estimator=None, **kwargs):
    return DistributionCalibratedFewShot(estimator, **{"random_state": 0, **kwargs})


class TestTheRowsThatAreFitted:
    def test_originals_come_first_and_rare_classes_are_filled_up_to_the_median(self):
        fitted = model(Records()).fit(X, Y)
        inner = fitted.estimator_
        assert_array_equal(inner.X_[: len(X)], X)
        assert_array_equal(inner.y_[: len(X)], Y)
        labels, counts = np.unique(inner.y_, return_counts=True)
        assert dict(zip(labels, counts, strict=True)) == {"a": 40, "b": 30, "c": 50, "d": 40, "e": 40}
        assert inner.weight_ is None
        assert_array_equal(fitted.base_classes_, ["a", "b", "c"])
        assert_array_equal(fitted.calibrated_labels_, ["d"] * 2 + ["e"] * 5)
        assert_array_equal(fitted.classes_, ["a", "b", "c", "d", "e"])

    def test_a_number_of_rows_for_each_rare_class(self):
        inner = model(Records(), n_generate=31).fit(X, Y).estimator_
        drawn = inner.y_[len(X) :]
        assert_array_equal(np.unique(drawn, return_counts=True)[1], [31, 31])
        plain = model(Records(), n_generate=0).fit(X, Y).estimator_
        assert_array_equal(plain.X_, X)

    def test_draws_have_the_calibrated_moments(self):
        fitted = model(Records(), n_generate=50_000, mean_prior=2.0, alpha=0.3).fit(X, Y)
        rare = fitted.calibrated_labels_
        drawn = fitted.estimator_.X_[len(X) :]
        for label in "de":
            of = rare == label
            part = drawn[fitted.estimator_.y_[len(X) :] == label]
            means = fitted.calibrated_means_[of]
            S = fitted.calibrated_covariances_[of].mean(axis=0) + np.cov(means.T, ddof=0)
            scale = np.sqrt(np.diag(S).max())
            assert_allclose(part.mean(axis=0), means.mean(axis=0), atol=0.03 * scale)
            assert_allclose(np.cov(part.T), S, atol=0.04 * scale**2)

    def test_the_papers_recipe_is_a_loop_over_support_rows(self):
        fitted = model(Records(), **PAPER).fit(X, Y)
        means = {c: X[c == Y].mean(axis=0) for c in "abc"}
        covariances = {c: np.cov(X[c == Y].T) for c in "abc"}
        support = [(c, x) for c in "de" for x in sorted(X[c == Y].tolist())]
        assert len(fitted.calibrated_means_) == 7
        for i, (label, x) in enumerate(support):
            nearest = sorted("abc", key=lambda c, x=x: np.linalg.norm(means[c] - x))[:2]
            assert fitted.calibrated_labels_[i] == label
            assert_array_equal(fitted.nearest_base_[i], nearest)
            assert_allclose(fitted.calibrated_means_[i], (means[nearest[0]] + means[nearest[1]] + x) / 3)
            between = (covariances[nearest[0]] + covariances[nearest[1]]) / 2 + 0.21
            assert_allclose(fitted.calibrated_covariances_[i], between)

    def test_the_default_prior_is_one_row(self):
        fitted = model(Records()).fit(X, Y)
        row = X[Y == "e"][np.lexsort(X[Y == "e"].T[::-1])][0]
        prior = np.mean([X[c == Y].mean(axis=0) for c in fitted.nearest_base_[2]], axis=0)
        assert_allclose(fitted.calibrated_means_[2], (5 * row + prior) / 6)

    def test_tukey_transforms_everything(self):
        counts = np.random.default_rng(0).poisson(np.abs(X) + 1)
        fitted = model(Records(), tukey=0.5).fit(counts, Y)
        assert_array_equal(fitted.estimator_.X_[: len(X)], np.sqrt(counts))
        plain = model(Records()).fit(np.sqrt(counts), Y)
        assert_array_equal(fitted.calibrated_means_, plain.calibrated_means_)
        logs = model(tukey=0).fit(counts + 1.0, Y)
        assert_array_equal(logs.predict(counts + 1.0), model().fit(np.log(counts + 1.0), Y).predict(np.log(counts + 1)))
        with pytest.raises(ValueError, match=r"needs non-negative features and got -"):
            fitted.predict(X)
        predicted = logs.predict(counts + 1.0)
        assert_array_equal(logs.set_params(tukey=2).predict(counts + 1.0), predicted)  # as it was fitted

    def test_units_of_the_features_do_not_matter(self):
        a, b = (model(Records()).fit(scale * X, Y) for scale in (1.0, 1000.0))
        assert_allclose(1000 * a.estimator_.X_, b.estimator_.X_, rtol=1e-9)

    def test_the_order_of_the_rows_does_not_matter(self):
        order = np.random.default_rng(1).permutation(len(X))
        a = model(Records()).fit(X, Y)
        b = model(Records()).fit(X[order], Y[order])
        assert_allclose(a.estimator_.X_[len(X) :], b.estimator_.X_[len(X) :], rtol=1e-10)
        assert_array_equal(a.calibrated_labels_, b.calibrated_labels_)


class TestWhoIsRare:
    def test_without_a_rare_class_it_is_the_wrapped_classifier(self):
        few = model(min_base_samples=2).fit(X, Y)
        assert_array_equal(few.predict_proba(X), LogisticRegression(max_iter=1000).fit(X, Y).predict_proba(X))
        assert few.calibrated_means_.shape == (0, 3)
        assert few.calibrated_covariances_.shape == (0, 3, 3)

    def test_without_a_base_class_rows_keep_their_place(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fitted = model(Records(), min_base_samples=51).fit(X, Y)
        assert len(fitted.base_classes_) == 0
        assert fitted.nearest_base_.shape == (len(X), 0)
        assert_array_equal(np.unique(fitted.calibrated_means_, axis=0), np.unique(X, axis=0))
        within = sum(np.cov(X[c == Y].T) * (np.sum(c == Y) - 1) for c in "abcde") / (len(X) - 5)
        S = within + 0.1 * np.trace(within) / 3 * np.eye(3)
        assert_allclose(fitted.calibrated_covariances_, np.broadcast_to(S, (len(X), 3, 3)), rtol=1e-10)
        assert_array_equal(np.unique(fitted.estimator_.y_, return_counts=True)[1], [50] * 5)

    def test_more_neighbours_than_base_classes(self):
        assert model(n_neighbors=9).fit(X, Y).nearest_base_.shape == (7, 3)

    def test_a_domain_overrides_the_sizes(self):
        fitted = model(Records(), min_base_samples=10_000).fit(X, Y, sample_domain=DOMAIN)
        assert_array_equal(fitted.base_classes_, ["a", "b", "c"])
        by_size = model(Records()).fit(X, Y)
        assert_array_equal(fitted.estimator_.X_, by_size.estimator_.X_)
        turned = model(Records()).fit(X, Y, sample_domain=-2 * DOMAIN)
        assert_array_equal(turned.base_classes_, ["d", "e"])

    def test_a_label_of_both_domains(self):
        domain = np.where(Y == "a", np.where(np.arange(len(Y)) % 4 == 0, -1, 1), DOMAIN)
        fitted = model(Records()).fit(X, Y, sample_domain=domain)
        assert_array_equal(fitted.base_classes_, ["a", "b", "c"])
        assert set(fitted.calibrated_labels_) == {"a", "d", "e"}
        narrow = model(Records(), predict_base=False).fit(X, Y, sample_domain=domain)
        assert_array_equal(narrow.classes_, ["a", "d", "e"])
        assert_array_equal(narrow.estimator_.X_[: np.sum(domain < 0)], X[domain < 0])
        closed = model(method="closed_form").fit(X, Y, sample_domain=domain)
        assert_array_equal(closed.classes_, ["a", "b", "c", "d", "e"])

    def test_the_base_classes_need_not_be_predicted(self):
        fitted = model(predict_base=False).fit(X, Y)
        assert_array_equal(fitted.classes_, ["d", "e"])
        assert set(fitted.predict(X)) <= {"d", "e"}
        assert fitted.predict_proba(X).shape == (len(X), 2)
        for kwargs in ({"sample_domain": np.ones(len(X))}, {}):
            with pytest.raises(ValueError, match="leaves no class to predict"):
                model(predict_base=False, min_base_samples=2).fit(X, Y, **kwargs)

    def test_source_classes_of_a_single_row(self):
        domain = np.where(Y == "d", 1, -1)
        domain[np.flatnonzero(Y == "d")[0]] = -1
        fitted = model(Records()).fit(X, Y, sample_domain=domain)
        assert_array_equal(fitted.base_classes_, ["d"])
        assert np.isfinite(fitted.estimator_.X_).all()


class TestClosedForm:
    @pytest.mark.parametrize("kwargs", [{}, {**PAPER, "n_neighbors": 1}, {"mean_prior": 0.0, "alpha": 0.5}])
    def test_it_is_what_many_draws_tend_to(self, kwargs):
        closed = model(method="closed_form", predict_base=False, **{**kwargs, "n_generate": 100_000}).fit(X, Y)
        sampled = clone(closed).set_params(method="sample", estimator=QuadraticDiscriminantAnalysis()).fit(X, Y)
        near = X[np.isin(Y, ["d", "e"])]
        assert_allclose(closed.predict_proba(near), sampled.predict_proba(near), atol=0.03)
        assert_allclose(closed.estimator_.means_, sampled.estimator_.means_, atol=0.05)

    def test_without_rare_classes_and_alpha_it_is_quadratic_discriminant_analysis(self):
        keep = np.isin(Y, ["a", "b", "c"])
        closed = model(method="closed_form", alpha=0.0).fit(X[keep], Y[keep])
        qda = QuadraticDiscriminantAnalysis().fit(X[keep], Y[keep])
        # scikit-learn's covariances are divided by n, those of the paper by n - 1
        qda.scalings_ = [scaling * n / (n - 1) for scaling, n in zip(qda.scalings_, (40, 30, 50), strict=True)]
        assert_allclose(closed.predict_proba(X), qda.predict_proba(X), rtol=1e-8, atol=1e-12)
        assert_allclose(closed.decision_function(X), qda.decision_function(X), rtol=1e-8)

    def test_base_classes_are_widened_like_the_others(self):
        closed = model(method="closed_form", alpha=0.2).fit(X, Y)
        inner = closed.estimator_
        found = (inner.rotations_[0] * inner.scalings_[0]) @ inner.rotations_[0].T
        own = np.cov(X[Y == "a"].T)
        assert_allclose(found, own + 0.2 * np.trace(own) / 3 * np.eye(3), rtol=1e-10)
        assert_allclose(inner.priors_, np.array([40, 30, 50, 40, 40]) / 200)
        assert isinstance(inner, QuadraticDiscriminantAnalysis)

    def test_constant_features_do_no_harm(self):
        flat = np.column_stack([X, np.ones(len(X))])
        for alpha in (0.0, 0.1):
            p = model(method="closed_form", alpha=alpha).fit(flat, Y).predict_proba(flat)
            assert np.isfinite(p).all()
        assert np.isfinite(model(method="closed_form").fit(0 * X, Y).predict_proba(X)).all()


@pytest.mark.parametrize("value", [0.1, 0.0, -3.0, 1e9 + 0.1])
class TestConstantColumns:
    """One that is constant has no distribution, and changes nothing about those of the others."""

    def with_constant(self, value, n=None):
        return np.insert(X if n is None else X[:n], 1, value, axis=1)

    @pytest.mark.parametrize("params", [{}, PAPER, {"alpha": 0.0}, {"min_base_samples": 100}])
    def test_rows_drawn_have_its_value(self, value, params):
        fitted, plain = (model(Records(), **params).fit(table, Y) for table in (self.with_constant(value), X))
        assert_array_equal(fitted.estimator_.X_[:, 1], value)
        assert_array_equal(np.delete(fitted.estimator_.X_, 1, axis=1), plain.estimator_.X_)
        assert_array_equal(fitted.calibrated_means_[:, 1], value)
        assert_array_equal(fitted.calibrated_covariances_[:, 1], 0.0)
        assert_array_equal(fitted.calibrated_covariances_[:, :, 1], 0.0)
        narrow = np.delete(np.delete(fitted.calibrated_covariances_, 1, axis=1), 1, axis=2)
        assert_array_equal(narrow, plain.calibrated_covariances_)
        drawn, _ = fitted._sample(20, np.random.RandomState(0))
        assert_array_equal(drawn[:, 1], value)

    def test_the_closed_form_ignores_it_whatever_comes_later(self, value):
        wide, plain = (model(method="closed_form").fit(table, Y) for table in (self.with_constant(value), X))
        assert_allclose(wide.predict_proba(self.with_constant(value)), plain.predict_proba(X), rtol=1e-9, atol=1e-12)
        assert_array_equal(
            wide.predict_proba(self.with_constant(value)), wide.predict_proba(self.with_constant(value + 7.0))
        )

    def test_rounding_does_not_make_it_vary(self, value):
        table = self.with_constant(value)
        table[::2, 1] = value * (1 + np.finfo(float).eps)
        wide = model(method="closed_form").fit(table, Y)
        plain = model(method="closed_form").fit(X, Y)
        assert_allclose(wide.predict_proba(table), plain.predict_proba(X), rtol=1e-6, atol=1e-9)


def test_tables_of_constant_columns_alone():
    for method in ("sample", "closed_form"):
        p = model(method=method).fit(np.full_like(X, 0.1), Y).predict_proba(np.full_like(X, 0.1))
        assert np.isfinite(p).all()


@pytest.mark.parametrize("method", ["sample", "closed_form"])
@pytest.mark.parametrize("unit", [2.0**330, 2.0**-330])
def test_the_unit_of_the_columns_scales_the_covariances_of_small_classes(unit, method):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [6, 6, 2])  # fewer rows than columns: fourth powers decide how far covariances are shrunk
    rows = rng.normal(size=(14, 9)) + y[:, None]
    plain, scaled = (model(Records(), method=method, min_base_samples=5).fit(s * rows, y) for s in (1.0, unit))
    assert_array_equal(scaled.calibrated_covariances_ / unit**2, plain.calibrated_covariances_)
    if method == "closed_form":
        assert_allclose(scaled.predict_proba(unit * rows), plain.predict_proba(rows), rtol=1e-9)


@pytest.mark.parametrize("unit", [1.0, 2.0**200])
def test_huge_weights_draw_no_more_than_the_limit(unit):
    fitted = model(Records()).fit(unit * X, Y, np.full(len(Y), 2.0**660), sample_domain=DOMAIN)
    assert np.isfinite(fitted.estimator_.X_).all()
    assert len(fitted.estimator_.X_) <= len(X) + 2 * 10_000


def test_values_and_weights_that_overflow_are_refused():
    with pytest.raises(ValueError, match=r"X holds values as large as 1e\+200, whose covariances overflow"):
        model().fit(np.where(X.max() == X, 1e200, X), Y)
    with pytest.raises(ValueError, match="sample_weight adds up to infinity"):
        model().fit(X, Y, sample_weight=np.full(len(Y), 1e308))


class TestWeights:
    def test_weights_are_repeated_rows(self):
        times = np.random.default_rng(0).integers(0, 4, size=len(X))
        rows = np.repeat(np.arange(len(X)), times)
        for kwargs in ({}, PAPER, {"method": "closed_form"}):
            exact = model(LogisticRegression(solver="newton-cholesky", tol=1e-10), min_base_samples=25, **kwargs)
            weighted = clone(exact).fit(X, Y, sample_weight=times)
            repeated = exact.fit(X[rows], Y[rows])
            assert_array_equal(weighted.base_classes_, repeated.base_classes_)
            assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-8)

    def test_they_reach_the_classifier(self):
        weight = np.random.default_rng(0).uniform(0.5, 1.5, size=len(X))
        inner = model(make_pipeline(StandardScaler(), Records())).fit(X, Y, sample_weight=weight).estimator_[-1]
        assert_array_equal(inner.weight_[: len(X)], weight)
        totals = [inner.weight_[inner.y_ == c].sum() for c in "abcde"]
        assert_allclose(totals[3:], np.median(totals[:3]))
        with pytest.raises(TypeError, match="KNeighborsClassifier takes none here"):
            model(KNeighborsClassifier()).fit(X, Y, sample_weight=weight)

    def test_rows_of_weight_zero_are_not_there(self):
        weight = np.where(Y == "d", 0, 1)
        a = model().fit(X, Y, sample_weight=weight)
        b = model().fit(X[Y != "d"], Y[Y != "d"])
        assert_array_equal(a.classes_, b.classes_)
        assert_array_equal(a.predict_proba(X), b.predict_proba(X))

    def test_large_weights_do_not_draw_without_end(self):
        heavy = model(Records(), min_base_samples=25 * 10**9)
        inner = heavy.fit(X, Y, sample_weight=np.full(len(X), 1e9)).estimator_
        assert len(inner.X_) == len(X) + 20_000
        assert_allclose(inner.weight_[inner.y_ == "d"].sum(), 40e9)
        counted = model(WithoutWeights()).fit(X, Y).estimator_
        assert len(counted.X_) == len(X) + 38 + 35

    @pytest.mark.parametrize(
        ("kwargs", "domain", "least"),
        [({}, None, 20), ({}, DOMAIN, 2), ({}, -np.ones(len(X)), 2), ({"min_base_samples": 1000}, None, 2)],
    )
    def test_weights_of_less_than_the_rows_there_are(self, kwargs, domain, least):
        weight = np.full(len(X), 1 / len(X))
        message = f"By weight no class has {least} rows, though by number some have.*scale them to a mean of 1"
        with pytest.warns(UserWarning, match=message) as warned:
            model(Records(), **kwargs).fit(X, Y, sample_weight=weight, sample_domain=domain)
        assert [warning.filename for warning in warned] == [__file__]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model(Records(), **kwargs).fit(X, Y, sample_weight=len(X) * weight, sample_domain=domain)


class TestInAPipeline:
    def test_a_search_without_routing(self):
        pipeline = make_pipeline(StandardScaler(), model(predict_base=False))
        name = "distributioncalibratedfewshot"
        grid = {f"{name}__mean_prior": [0.0, 1.0, "paper"], f"{name}__alpha": [0.1, 1.0]}
        splits = list(TargetDomainSplit(2).split(X, Y, sample_domain=DOMAIN))
        search = GridSearchCV(pipeline, grid, cv=splits, n_jobs=2, error_score="raise")
        search.fit(X, Y, distributioncalibratedfewshot__sample_domain=DOMAIN)
        assert search.best_score_ > 0.5
        assert_array_equal(search.classes_, ["d", "e"])

    def test_a_search_with_routing_needs_no_request(self):
        with sklearn.config_context(enable_metadata_routing=True):
            pipeline = make_pipeline(StandardScaler(), model(predict_base=False))
            grid = {"distributioncalibratedfewshot__mean_prior": [0.0, "paper"]}
            search = GridSearchCV(pipeline, grid, cv=TargetDomainSplit(2), n_jobs=2, error_score="raise")
            search.fit(X, Y, sample_domain=DOMAIN)
            assert_array_equal(search.classes_, ["d", "e"])
            scores = cross_val_score(
                pipeline, X, Y, cv=TargetDomainSplit(2), params={"sample_domain": DOMAIN}, error_score="raise"
            )
        assert_allclose(scores.mean(), search.cv_results_["mean_test_score"][0], atol=0.3)
        splits = list(TargetDomainSplit(2).split(X, Y, sample_domain=DOMAIN))
        plain = GridSearchCV(pipeline, grid, cv=splits).fit(X, Y, distributioncalibratedfewshot__sample_domain=DOMAIN)
        assert_array_equal(plain.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])

    def test_by_sizes_alone(self):
        scores = cross_val_score(make_pipeline(StandardScaler(), model()), X, Y, cv=2, scoring="balanced_accuracy")
        assert scores.min() > 0.5

    @pytest.mark.parametrize("estimator", [GaussianNB(), KNeighborsClassifier(3), LinearDiscriminantAnalysis(), SVC()])
    def test_any_classifier(self, estimator):
        fitted = model(estimator).fit(X, Y)
        assert fitted.score(X, Y) > 0.7
        assert hasattr(fitted, "predict_proba") == hasattr(estimator, "predict_proba")
        assert hasattr(model(estimator), "decision_function") == hasattr(estimator, "decision_function")

    def test_a_classifier_that_predicts_once_it_is_fitted(self):
        stacked = StackingClassifier([("bayes", GaussianNB()), ("neighbours", KNeighborsClassifier())], cv=2)
        assert not hasattr(stacked, "predict")
        fitted = model(stacked).fit(X, Y)
        assert fitted.score(X, Y) > 0.7
        assert fitted.predict_proba(X).shape == (len(X), 5)

    def test_callbacks_score_frames_by_their_names(self):
        frame = pd.DataFrame(X, columns=[f"column {j}" for j in range(X.shape[1])])
        monitor = ScoringMonitor(scoring="accuracy")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fitted = model().set_callbacks(monitor).fit(frame, Y)
        assert monitor.get_logs().data[-1]["accuracy"] == fitted.score(frame, Y)

    def test_callbacks_reach_the_classifier(self, capsys):
        bar = ProgressBar(max_propagation_depth=None)
        watched = model().set_callbacks(bar).fit(X, Y)
        assert_same_predictions(watched, model().fit(X, Y), X)
        shown = capsys.readouterr().out
        assert "fit-classifier" in shown
        assert "LogisticRegression" in shown


class TestManners:
    def test_determinism(self):
        assert_same_predictions(model().fit(X, Y), model().fit(X, Y), X)
        state = np.random.get_state()[1].copy()  # noqa: NPY002
        drawn = [model(Records(), random_state=seed).fit(X, Y).estimator_.X_ for seed in (0, 1)]
        assert not np.array_equal(*drawn)
        assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002

    @pytest.mark.parametrize("method", ["sample", "closed_form"])
    def test_predictions_are_pure_and_row_by_row(self, method):
        fitted = model(method=method).fit(X, Y)
        assert_unchanged_by(lambda: fitted.predict_proba(X), fitted)
        assert_rows_are_independent(fitted, X)
        assert_same_predictions(pickle.loads(pickle.dumps(fitted)), fitted, X)

    def test_a_failed_fit_leaves_the_model_before_it(self):
        fitted = model().fit(pd.DataFrame(X, columns=list("pqr")), Y)
        before = pickle.dumps(fitted)
        with pytest.raises(ValueError, match="contains NaN"):
            fitted.fit(np.full((4, 2), np.nan), [0, 1, 0, 1])
        with pytest.raises(ValueError, match="class"):
            fitted.fit(X[:, :2], np.zeros(len(X)))
        assert pickle.dumps(fitted) == before
        with pytest.raises(NotFittedError):
            _ = model().calibrated_covariances_

    @pytest.mark.parametrize(
        ("estimator", "error", "message"),
        [
            (LinearRegression(), TypeError, r"takes a classifier.* not LinearRegression"),
            (FrozenEstimator(GaussianNB()), TypeError, "never fitted"),
            (SVC(kernel="precomputed"), ValueError, "no rows can be drawn"),
            (StandardScaler(), TypeError, r"takes a classifier.* not StandardScaler"),
        ],
    )
    def test_what_cannot_be_wrapped(self, estimator, error, message):
        assert type(estimator).__name__ in model(estimator)._repr_html_()  # and a search asks for the tags before fit
        with pytest.raises(error, match=message):
            model(estimator).fit(X, Y)

    def test_frames_and_numbers_as_labels(self):
        frame = pd.DataFrame(X, columns=["p", "q", "r"])
        assert_array_equal(model().fit(frame, Y).feature_names_in_, ["p", "q", "r"])
        codes = np.searchsorted(LETTERS, Y)
        assert_array_equal(LETTERS[model().fit(X, codes).predict(X)], model().fit(X, Y).predict(X))


class TestEffect:
    """Sizes of effect on seeds that chose nothing; the claims measure them in full."""

    def gain(self, m, **kwargs):
        digits, labels = load_digits(return_X_y=True)
        digits = digits / 16
        gains = []
        for seed in range(3):
            rng = np.random.default_rng(seed)
            rare = rng.permutation(10)[:5]
            train = np.concatenate(
                [rng.permutation(np.flatnonzero(labels == c))[: m if c in rare else 80] for c in range(10)]
            )
            test = np.setdiff1d(np.arange(len(labels)), train)
            rivals = LogisticRegression(max_iter=1000, class_weight="balanced"), model(**kwargs)
            scores = [
                balanced_accuracy_score(labels[test], rival.fit(digits[train], labels[train]).predict(digits[test]))
                for rival in rivals
            ]
            gains.append(100 * (scores[1] - scores[0]))
        return np.mean(gains)

    @pytest.mark.parametrize("method", ["sample", "closed_form"])
    def test_rare_digits_are_recognised(self, method):
        assert self.gain(1, method=method) > 4
        assert self.gain(2, method=method) > 2

    def test_ten_rows_are_not_harmed_as_by_the_papers_weight(self):
        assert self.gain(10) > -0.5
        assert self.gain(10) > self.gain(10, mean_prior="paper", alpha=0.0)
