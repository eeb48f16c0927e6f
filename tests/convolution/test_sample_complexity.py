"""Curves of sample complexity: which rows train, what is reported, on learners whose curves are known."""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skpapers.convolution import SampleComplexityCurve, SampleComplexityDisplay, sample_complexity_curve
from skpapers.datasets import make_quadratic_halves


class RowsSeen(RegressorMixin, BaseEstimator):
    """It scores the places of its rows: what it was trained on, and how far the test rows are from there."""

    def __init__(self, what="first"):
        self.what = what

    def fit(self, X, y):
        self.first_ = X[0, 0]
        self.last_ = X[-1, 0]
        self.rows_ = len(X)
        self.sorted_ = bool((np.diff(X[:, 0]) > 0).all())
        return self

    def score(self, X, y):
        return {
            "first": self.first_,
            "ahead": X[0, 0] - self.last_,
            "rows": self.rows_,
            "sorted": float(self.sorted_ and (np.diff(X[:, 0]) > 0).all()),
            "test": X[0, 0],
            "n_test": len(X),
        }[self.what]


PLACES = np.arange(100.0)[:, np.newaxis]


def seen(what, data=(PLACES, PLACES[:, 0]), **options):
    options = {"n_test": 10, "n_repeats": 3, "order": "most_recent", "random_state": 0, **options}
    return sample_complexity_curve(RowsSeen(what), data, [5, 20], 1e9, **options).scores


def test_most_recent_rows_end_where_the_test_rows_begin():
    assert np.array_equal(seen("test"), [[70, 70], [80, 80], [90, 90]])
    assert np.array_equal(seen("first"), [[65, 50], [75, 60], [85, 70]])
    assert np.all(seen("ahead") == 1)
    assert np.all(seen("ahead", gap=4) == 5)
    assert np.array_equal(seen("first", gap=4), [[61, 46], [71, 56], [81, 66]])
    assert np.all(seen("sorted") == 1)
    assert np.array_equal(seen("rows"), [[5, 20]] * 3)
    assert np.all(seen("n_test") == 10)


def test_made_data_is_drawn_anew_for_each_repeat_and_kept_within_it():
    asked = []

    def make(n_samples, random_state):
        asked.append((n_samples, random_state))
        places = np.arange(n_samples, dtype=float)[:, np.newaxis]
        return places, places[:, 0]

    first = seen("first", make, gap=2)
    assert np.array_equal(first, [[15, 0]] * 3)
    assert {n for n, _ in asked} == {32}
    assert len({seed for _, seed in asked}) == 3


def test_random_rows_train_and_test_apart():
    found = seen("sorted", order="random")
    assert np.all(found == 0)
    assert len(np.unique(seen("test", order="random")[:, 0])) == 3

    class Overlap(RowsSeen):
        def fit(self, X, y):
            self.seen_ = set(X[:, 0])
            return self

        def score(self, X, y):
            return float(len(self.seen_ & set(X[:, 0])))

    data = (PLACES, PLACES[:, 0])
    curve = sample_complexity_curve(Overlap(), data, [5, 90], 1, n_test=10, n_repeats=4, random_state=0)
    assert np.all(curve.scores == 0)


def test_older_rows_after_a_change_do_harm():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1300, 3))
    slopes = np.where(np.arange(1300)[:, np.newaxis] < 700, [1.0, 1.0, 1.0], [-1.0, 1.0, 1.0])
    y = np.sum(X * slopes, axis=1) + rng.normal(size=1300)
    curve = sample_complexity_curve(
        LinearRegression(), (X, y), [10, 100, 800], 0.7, n_test=100, n_repeats=5, order="most_recent", random_state=0
    )
    gains = curve.gains()
    assert gains.shape == (2, 3)
    assert gains[0, 1] > 0
    assert gains[1, 2] < 0
    assert curve.censored is None
    assert 10 < curve.rows_needed < 100


def test_rows_needed_are_read_off_the_means_and_off_each_repeat():
    scores = np.array([[0.5, 0.7, 0.9], [0.6, 0.7, 0.8]])
    curve = SampleComplexityCurve(np.array([10, 100, 1000]), scores, 0.8, 0.95)
    assert curve.rows_needed == pytest.approx(100 * 10**0.6667, rel=1e-3)
    assert np.array_equal(curve.rows_needed_of_repeats.round(3), [316.228, 1000.0])
    low, high = curve.rows_interval
    assert low < curve.rows_needed
    assert high == np.inf
    assert repr(curve).endswith("more than 1000] over 2 repeats")
    assert SampleComplexityCurve(np.array([10, 100, 1000]), scores, 0.9, 0.95).censored == "right"
    easy = SampleComplexityCurve(np.array([10, 100, 1000]), scores, 0.5, 0.95)
    assert easy.censored == "left"
    assert repr(easy).startswith("score 0.5: at most 10 rows")


def test_the_interval_covers_the_rows_needed_of_a_known_curve():
    # scores 1 - 1 / sqrt(n) and noise: 0.9 is reached at 100 rows
    sizes = np.array([25, 50, 100, 200, 400])
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        scores = 1 - 1 / np.sqrt(sizes) + rng.normal(scale=0.02, size=(5, len(sizes)))
        low, high = SampleComplexityCurve(sizes, scores, 0.9, 0.9).rows_interval
        covered += low <= 100 <= high
    assert 0.85 < covered / 400 < 0.95


def test_the_curve_repeats_itself_and_seeds_every_part():
    X, y = make_classification(400, random_state=0)
    model = make_pipeline(StandardScaler(), RandomForestClassifier(5))
    options = {"n_test": 100, "n_repeats": 2, "random_state": 0}
    curve = sample_complexity_curve(model, (X, y), [20, 100], 0.8, **options)
    again = sample_complexity_curve(model, (pd.DataFrame(X), pd.Series(y)), [100, 20], 0.8, **options, n_jobs=2)
    assert np.array_equal(curve.scores, again.scores)
    assert model[-1].random_state is None
    assert not hasattr(model[-1], "estimators_")


class Seeds(RowsSeen):
    """Its score is the seed of a part of it."""

    def __init__(self, random_state=None, part=None):
        self.random_state = random_state
        self.part = part

    def score(self, X, y):
        assert self.part is None or self.part.random_state == self.random_state
        return self.random_state


def test_each_repeat_has_a_seed_that_its_fits_share():
    data = (PLACES, PLACES[:, 0])
    options = {"n_test": 10, "n_repeats": 3, "random_state": 0}
    scores = sample_complexity_curve(Seeds(part=Seeds()), data, [5, 20], 1, **options).scores
    assert np.array_equal(scores[:, 0], scores[:, 1])
    assert len(np.unique(scores)) == 3


def test_a_scorer_is_used():
    X, y = make_classification(400, random_state=0)
    options = {"n_test": 100, "n_repeats": 2, "random_state": 0}
    curve = sample_complexity_curve(LogisticRegression(), (X, y), [50], -0.5, scoring="neg_log_loss", **options)
    assert np.all(curve.scores < 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_samples": []}, "n_samples must hold integers from 1"),
        ({"n_samples": [0.5]}, "n_samples must hold integers from 1"),
        ({"n_samples": [0, 3]}, "n_samples must hold integers from 1"),
        ({"n_test": 0}, "n_test must be an integer from 1, not 0"),
        ({"n_repeats": 1.5}, "n_repeats must be an integer from 1, not 1.5"),
        ({"target_score": np.nan}, "target_score must be a finite number"),
        ({"order": "oldest"}, 'order must be "random" or "most_recent"'),
        ({"gap": 3}, 'gap is for order="most_recent"'),
        ({"confidence": 95}, "confidence must lie between 0 and 1"),
        ({"n_samples": [91]}, "The table has 100 rows; 2 repeats of 10 test rows .* need 101"),
        ({"n_samples": [81], "order": "most_recent"}, "The table has 100 rows; 2 repeats of 10 test rows .* need 101"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    arguments = {"n_samples": [5], "target_score": 0.5, "n_test": 10, "n_repeats": 2, **change}
    with pytest.raises(ValueError, match=message):
        sample_complexity_curve(Ridge(), (PLACES, PLACES[:, 0]), **arguments)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PLACES, "make_data must be a function or a tuple .X, y., not ndarray"),
        (None, "make_data must be a function or a tuple .X, y., not NoneType"),
        ((PLACES,), "make_data must be a function or a tuple .X, y., not tuple"),
        ((PLACES, PLACES[1:, 0]), "inconsistent numbers of samples"),
        (lambda n_samples, random_state: (PLACES, PLACES[:, 0]), "returned 100 rows where n_samples=15 was asked for"),
        (lambda n_samples, random_state: (PLACES[:9], PLACES[:9, 0]), "returned 9 rows where n_samples=15"),
    ],
)
def test_other_data_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        sample_complexity_curve(Ridge(), data, [5], 0.5, n_test=10, n_repeats=2)


def test_scores_that_are_nan_are_refused():
    data = (PLACES, PLACES[:, 0])
    with pytest.warns(UserWarning, match="R.2"), pytest.raises(ValueError, match="fit on 5 rows is NaN on 1 test rows"):
        sample_complexity_curve(Ridge(), data, [5], 0.5, n_test=1, n_repeats=2)
    with pytest.raises(ValueError, match="scoring must be one metric"):
        sample_complexity_curve(Ridge(), data, [5], 0.5, n_test=10, scoring=["r2"])


class Oracle(ClassifierMixin, BaseEstimator):
    """A learner whose accuracy is known: the share of test rows min(1, n / columns^2) is right."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.share_ = min(1.0, len(X) / X.shape[1] ** 2)
        return self

    def score(self, X, y):
        return self.share_


def quadratic_curves():
    sizes = [4, 16, 64, 256, 1024]
    return {
        d: sample_complexity_curve(
            Oracle(), partial(make_quadratic_halves, n_features=d), sizes, 1.0, n_test=5, n_repeats=2, random_state=0
        )
        for d in (4, 8, 16, 32)
    }


def test_the_pictures():
    curves = quadratic_curves()
    assert [round(curves[d].rows_needed) for d in curves] == [16, 64, 256, 1024]
    display = SampleComplexityDisplay({"oracle": curves})
    assert np.allclose(display.exponents()["oracle"], 2.0)
    for kind in ("curve", "scaling", "collapse"):
        assert display.plot(kind=kind).ax_.get_legend() is not None
    lines = display.ax_.lines
    collapsed = {(round(x, 9), y) for line in lines for x, y in zip(*line.get_data(), strict=True)}
    assert all(y == min(1.0, x) for x, y in collapsed)
    drawn = SampleComplexityDisplay.from_estimator(
        Oracle(), partial(make_quadratic_halves, n_features=4), [4, 16], 1.0, n_test=5, n_repeats=2, random_state=0
    )
    assert drawn.ax_.get_xscale() == "log"
    with pytest.raises(ValueError, match="Oracle has one curve; give a dict of curves by the number of columns"):
        drawn.plot(kind="scaling")
    with pytest.raises(ValueError, match='kind must be "curve", "scaling" or "collapse"'):
        drawn.plot(kind="other")


def test_targets_that_are_not_reached_are_marked_and_give_no_exponent():
    curves = quadratic_curves()
    hard = {d: SampleComplexityCurve(c.n_samples[:3], c.scores[:, :3], 1.0, 0.95) for d, c in curves.items()}
    display = SampleComplexityDisplay({"oracle": hard}).plot(kind="scaling")
    assert np.isnan(display.exponents()["oracle"]).all()
    (arrows,) = [c for c in display.ax_.collections if len(c.get_offsets()) == 2 and c.get_label().startswith("_")][:1]
    assert np.allclose(arrows.get_offsets()[:, 0], [16, 32])


def test_targets_that_the_fewest_rows_reach_are_marked_and_give_no_exponent():
    curves = quadratic_curves()
    easy = {d: SampleComplexityCurve(c.n_samples[2:], c.scores[:, 2:], 1.0, 0.95) for d, c in curves.items()}
    display = SampleComplexityDisplay({"oracle": easy}).plot(kind="scaling")
    assert np.isnan(display.exponents()["oracle"]).all()
    arrows = display.ax_.collections[-1].get_offsets()
    assert np.allclose(arrows, [[4, 64 / 1.1], [8, 64 / 1.1]])
    plt.close(display.figure_)
