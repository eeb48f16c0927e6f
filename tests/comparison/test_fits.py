"""The comparisons made by hand are what they say."""

import numpy as np
import pytest

from tests.comparison._fits import Row, classification, make_fits, panel, regression


@pytest.mark.parametrize("problem", [regression(), regression(time=True), classification(), panel(horizon=2)])
def test_skill_shows_in_every_metric(problem):
    n_folds = len(problem.plan.folds)
    candidates, fits = make_fits(problem, [Row("good", skill=0.9), Row("bad", kind="baseline", skill=0.0)])
    assert [candidate.kind for candidate in candidates] == ["method", "baseline"]
    for metric in problem.metrics:
        good, bad = (fits.scores(name, metric.name, None, n_folds).mean() for name in ("good", "bad"))
        assert good > bad


def test_given_scores():
    problem = regression(cv=2)
    rows = [
        Row("cut", scores=[0.1, None], max_rows=50, more={None: [0.3, 0.4]}, notes=["cut short"]),
        Row("failed", error="ValueError: no"),
    ]
    candidates, fits = make_fits(problem, rows)
    np.testing.assert_array_equal(fits.scores("cut", "r2", 50, 2), [0.1, np.nan])
    np.testing.assert_array_equal(fits.scores("cut", "r2", None, 2), [0.3, 0.4])
    assert fits.shown == {"cut": 50}
    assert fits.notes["cut"] == ["cut short"]
    assert candidates[1].estimator is None


def test_panel():
    problem = panel(n_assets=4, n_dates=30, horizon=3)
    assert [metric.label for metric in problem.metrics] == ["rank IC", "spread", "R2", "MAE"]
    assert len(np.unique(problem.assets)) == 4
    assert problem.times is not None
    assert problem.times.nunique() == 30
    np.testing.assert_array_equal(problem.plan.label_end - problem.plan.ranks, 3)
