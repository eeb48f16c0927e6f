"""Statistics by date of out-of-fold predictions, against loops over dates."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skpapers.comparison._backtest import deflated_sharpe_ratio, overfitting_probability
from skpapers.comparison._by_date import backtest, label_horizon, rank_ic_by_date, spread_by_date, t_values
from skpapers.comparison._information_coefficient import newey_west_t
from skpapers.comparison._records import Key
from tests.comparison._fits import Row, make_fits, panel, regression

PROBLEM = panel(n_assets=6, n_dates=36, scoring=["rank_ic", "sharpe"], horizon=3)
ROWS = [
    Row("good", skill=0.6),
    Row("bad", skill=0.1),
    Row("base", kind="baseline"),
    Row("ridge", kind="reference", skill=0.3),
]


def prediction_of(fits, name):
    """Return the out-of-fold predictions by row number."""
    found = [fits.outcomes[Key(name, fold)].prediction for fold in range(5)]
    return pd.Series(np.concatenate([p.values for p in found]), index=np.concatenate([p.rows for p in found]))


def test_rank_ic_of_every_date():
    candidates, fits = make_fits(PROBLEM, ROWS)
    ours = rank_ic_by_date(PROBLEM, candidates, fits)
    assert list(ours) == ["good", "bad", "ridge"]
    assert ours.index.tolist() == PROBLEM.times.unique()[6:].tolist()
    prediction = prediction_of(fits, "good")
    for time, value in ours["good"].items():
        rows = np.flatnonzero(PROBLEM.times == time)
        assert value == pytest.approx(stats.spearmanr(prediction[rows], PROBLEM.y[rows]).statistic)
    # the fold's score is the mean over its dates
    assert fits.scores("good", "rank_ic", None, 5).mean() == pytest.approx(ours["good"].mean())
    spread = spread_by_date(PROBLEM, candidates, fits)
    assert spread["good"].mean() > spread["bad"].mean()


def test_a_date_of_several_folds_has_the_mean_and_one_without_is_missing():
    first, second, *others = PROBLEM.plan.folds
    problem = replace(PROBLEM, plan=replace(PROBLEM.plan, folds=[first, first, second, *others]))
    candidates, fits = make_fits(problem, [Row("a", skill=0.4), Row("b", skill=0.4)])
    apart = []
    for fold in (0, 1):
        chosen = replace(fits, outcomes={key: value for key, value in fits.outcomes.items() if key.fold == fold})
        apart.append(rank_ic_by_date(problem, candidates, chosen)["a"])
    both = rank_ic_by_date(problem, candidates, fits)["a"]
    np.testing.assert_allclose(both[:6], (apart[0][:6] + apart[1][:6]) / 2)
    assert apart[0][6:].isna().all()
    assert both.notna().all()


def test_a_fold_with_a_prediction_that_is_not_finite_is_missing():
    candidates, fits = make_fits(PROBLEM, ROWS)
    fits.outcomes[Key("good", 4)].prediction.values[3] = np.inf
    ours = rank_ic_by_date(PROBLEM, candidates, fits)["good"]
    assert ours.isna().tolist() == [False] * 24 + [True] * 6


def test_horizon():
    assert label_horizon(PROBLEM) == 3
    assert label_horizon(panel(n_assets=2, n_dates=12)) == 1
    assert label_horizon(replace(PROBLEM, plan=replace(PROBLEM.plan, label_end=None, gap=4))) == 4


def test_t_values_take_the_lag_from_the_horizon():
    problem = panel(n_assets=6, n_dates=66, horizon=9)
    candidates, fits = make_fits(problem, ROWS)
    frame = rank_ic_by_date(problem, candidates, fits)
    ours = t_values(problem, frame)
    assert ours["good"] == newey_west_t(frame["good"].to_numpy(), 8)
    assert ours["good"] > ours["bad"]


def test_backtest_counts_all_rows():
    candidates, fits = make_fits(PROBLEM, [*ROWS, Row("failed", error="ValueError: no")])
    found = backtest(PROBLEM, candidates, fits)
    assert list(found.returns) == ["good", "bad", "ridge"]
    returns = found.returns.to_numpy()
    expected = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    np.testing.assert_allclose(found.sharpe, expected)
    assert found.deflated["good"] == pytest.approx(deflated_sharpe_ratio(returns[:, 0], expected, horizon=3))
    assert found.overfitting == overfitting_probability(returns)


def test_overfitting_is_of_the_rows_with_every_date():
    candidates, fits = make_fits(PROBLEM, ROWS)
    whole = backtest(PROBLEM, candidates, fits)
    del fits.outcomes[Key("bad", 4)]
    found = backtest(PROBLEM, candidates, fits)
    assert found.returns["bad"].isna().sum() == 6
    assert found.overfitting == overfitting_probability(whole.returns[["good", "ridge"]].to_numpy())
    assert len(found.sharpe) == 3


def test_signs_without_assets():
    problem = regression(scoring=["r2", "sharpe"], cv="time", time=True)
    candidates, fits = make_fits(problem, [Row("a", skill=0.9)])
    returns = backtest(problem, candidates, fits).returns["a"]
    prediction = prediction_of(fits, "a").sort_index()
    np.testing.assert_allclose(returns, np.sign(prediction) * problem.y[prediction.index])
