"""The sentences, for comparisons whose outcome is plain."""

import numpy as np

from skpapers.comparison._by_date import backtest
from skpapers.comparison._records import Key
from skpapers.comparison._verdict import verdict
from tests.comparison._fits import Row, make_fits, panel, regression

PROBLEM = regression(cv=5)
HIGH = np.array([0.80, 0.82, 0.78, 0.81, 0.79])
ALIKE = HIGH + [0.02, -0.02, 0.01, -0.03, 0.01]
LOW = HIGH - 0.5 + [0.01, -0.01, 0.0, 0.02, 0.0]
NONE = np.array([-0.01, -0.02, 0.0, -0.03, -0.01])


def said(*rows, problem=PROBLEM):
    return verdict(problem, *make_fits(problem, rows))


def test_the_best_and_what_equals_it():
    found = said(
        Row("low", scores=LOW),
        Row("alike", scores=ALIKE),
        Row("ridge", kind="reference", scores=ALIKE - 0.01),
        Row("high", scores=HIGH),
        Row("base", kind="baseline", scores=HIGH),
        Row("short", scores=[0.9, None, None, None, None]),
    )
    assert found == (
        "Best of the 4 with a score on every fold: high, alike and ridge cannot be told apart on these folds; "
        "5 methods were tried. No paper's method beats ridge, the best reference, beyond chance."
    )


def test_one_best():
    ridge = Row("ridge", kind="reference", scores=LOW - [0.1, 0.11, 0.09, 0.12, 0.1])
    found = said(Row("low", scores=LOW), Row("high", scores=HIGH), ridge)
    assert found == (
        "Best: high; the others are worse beyond chance on these folds; 3 methods were tried. "
        "high and low beat ridge, the best reference, beyond chance."
    )


def test_nothing_beats_the_mean():
    mean = Row("mean", kind="reference", scores=NONE)
    noise = NONE + [0.05, -0.02, 0.03, -0.04, 0.01]
    found = said(Row("noisy", scores=noise), mean, Row("worse", scores=NONE - [0.4, 0.42, 0.39, 0.4, 0.41]))
    assert found == (
        "Best: noisy and mean cannot be told apart on these folds; 3 methods were tried. "
        "No method beats the mean beyond chance."
    )
    worse = said(mean, Row("worse", scores=NONE - [0.4, 0.42, 0.39, 0.4, 0.41]))
    assert worse.endswith("2 methods were tried. No method beats the mean.")


def test_the_mean_is_beaten_by_the_reference_alone():
    found = said(
        Row("mean", kind="reference", scores=NONE),
        Row("ridge", kind="reference", scores=HIGH),
        Row("low", scores=NONE - [0.4, 0.42, 0.39, 0.4, 0.41]),
    )
    assert found == (
        "Best: ridge; the others are worse beyond chance on these folds; 3 methods were tried. "
        "No paper's method beats ridge, the best reference."
    )


def test_nobody_is_best():
    rng = np.random.default_rng(0)
    rows = [Row(f"m{i}", scores=0.5 + 0.1 * rng.normal(size=5)) for i in range(9)]
    found = said(*rows)
    assert found.startswith("No method is best: none can be told apart from m")
    assert found.endswith(" on these folds; 9 methods were tried.")
    found = said(*rows, Row("low", scores=np.array([-9, -9.1, -9.2, -9, -9])))
    assert " and 4 others cannot be told apart on these folds; 10 methods were tried." in found


def test_long_lists_are_cut():
    low = Row("low", scores=[-9, -9.1, -9.2, -9, -9])
    rows = [Row(f"m{i}", scores=HIGH) for i in range(7)]
    assert said(*rows[:6], low).startswith("Best: m0, m1, m2, m3, m4 and m5 cannot be told apart")
    assert said(*rows, low).startswith("Best: m0, m1, m2, m3, m4 and 2 others cannot be told apart")


def test_choosing_counts():
    """A difference that one test would find is not enough for one among many."""
    reference = Row("ridge", kind="reference", scores=HIGH)
    gain = HIGH + [0.02, 0.05, 0.03, 0.04, 0.01]
    alone = said(Row("better", scores=gain), reference)
    assert alone.endswith("better beats ridge, the best reference, beyond chance.")
    rng = np.random.default_rng(0)
    others = [Row(f"m{i}", scores=HIGH - 0.1 + 0.1 * rng.normal(size=5)) for i in range(8)]
    many = said(Row("better", scores=gain), reference, *others)
    assert many.endswith("No paper's method beats ridge, the best reference, beyond chance.")
    # so does one that lacks a fold
    short = Row("short", scores=[0.5, 0.7, 0.3, None, 0.6])
    assert said(Row("better", scores=gain), reference, short).endswith(many.partition(". ")[2])
    references = [Row(row.name, kind="reference", scores=row.scores) for row in others]
    assert said(Row("better", scores=gain), reference, *references).endswith(alone.partition(". ")[2])


def test_degenerate_comparisons():
    assert said() == "No method has a score."
    assert said(Row("failed", error="ValueError: no")) == "No method has a score."
    assert said(Row("one", scores=HIGH)) == "Best: one; 1 method was tried."
    split = [(np.arange(80), np.arange(80, 120))]
    assert said(Row("a", scores=[0.5]), Row("b", scores=[0.4]), problem=regression(cv=split)) == (
        "Best: a on this one fold, which cannot show what is chance; 2 methods were tried."
    )
    # the same estimator twice
    same = said(Row("a", scores=HIGH), Row("b", scores=HIGH))
    assert same == "Best: a and b cannot be told apart on these folds; 2 methods were tried."
    # equal differences show no spread, so that they decide nothing
    assert said(Row("a", scores=HIGH), Row("b", scores=HIGH - 0.1)) == same


def test_rows_without_every_fold_cannot_win():
    short = Row("short", scores=[0.9, None, None, None, None])
    ridge = Row("ridge", kind="reference", scores=LOW - [0.1, 0.11, 0.09, 0.12, 0.1], max_rows=1000)
    assert said(short, Row("high", scores=HIGH, max_rows=20000), Row("low", scores=LOW), ridge) == (
        "Best of the 3 with a score on every fold: high (on 20,000 rows); the others of these are worse beyond chance "
        "on these folds; 4 methods were tried. high (on 20,000 rows) and low beat ridge (on 1,000 rows), the best "
        "reference, beyond chance."
    )
    assert said(short, Row("high", scores=HIGH)) == "Only high has a score on every fold; 2 methods were tried."


def test_folds_in_time_are_counted():
    problem = regression(cv="time", time=True)
    found = said(Row("a", scores=HIGH), Row("b", scores=ALIKE), problem=problem)
    assert "on these 5 folds in time" in found
    # a run that was interrupted
    three = [0.4, 0.5, 0.3, None, None]
    found = said(Row("a", scores=three), Row("b", scores=[0.5, 0.3, 0.4, None, None]), problem=problem)
    assert "on these 3 folds in time" in found
    assert said(Row("a", scores=[0.5, *[None] * 4]), Row("b", scores=[0.4, *[None] * 4]), problem=problem) == (
        "Best: a on this one fold, which cannot show what is chance; 2 methods were tried."
    )


def test_dates_decide_whether_a_rank_ic_is_above_zero():
    problem = panel(n_assets=10, n_dates=120)
    good = Row("good", skill=0.5)
    noise = Row("noise", skill=0.0)
    mean = Row("mean", kind="reference", skill=0.0)
    candidates, fits = make_fits(problem, [good, Row("better", skill=0.9), noise, Row("short", skill=0.9)], seed=1)
    del fits.outcomes[Key("short", 4)]
    place = "above 0 beyond chance over 100 test dates (Newey-West"
    expected = f"The rank ICs of better and good are {place}, Holm over 4 methods)."
    assert expected in verdict(problem, candidates, fits)
    assert f"The rank IC of good is {place})." in said(good, problem=problem)
    found = verdict(problem, *make_fits(problem, [noise, mean], seed=1))
    assert f"No method's rank IC is {place}, Holm over 2 methods)." in found
    assert "beats the mean" not in found


def test_returns():
    problem = panel(n_assets=6, n_dates=40, scoring="sharpe")
    rows = [Row("good", skill=0.06), Row("bad", skill=0.02), Row("ridge", kind="reference", skill=0.04)]
    made = make_fits(problem, rows)
    numbers = backtest(problem, *made)
    best = numbers.sharpe.idxmax()
    assert 0.01 < numbers.deflated[best] < 0.99
    assert verdict(problem, *made).endswith(
        f"{best} has the highest Sharpe ratio over all dates, {numbers.sharpe[best]:.2f} per period; with probability "
        f"{numbers.deflated[best]:.2f} its true ratio is above what luck gives the best of 3 methods (deflated Sharpe "
        f"ratio); the probability of backtest overfitting is {numbers.overfitting:.2f}."
    )


def test_the_highest_sharpe_ratio_is_one_over_all_dates():
    problem = panel(n_assets=6, n_dates=40, scoring="sharpe")
    rows = [Row("short", skill=0.9), Row("good", skill=0.2, max_rows=100), Row("flat", skill=0.0)]
    candidates, fits = make_fits(problem, rows)
    del fits.outcomes[Key("short", 4)]
    assert backtest(problem, candidates, fits).sharpe.idxmax() == "short"
    found = verdict(problem, candidates, fits)
    assert "good (on 100 rows) has the highest Sharpe ratio over all dates" in found
    assert "the best of 3 methods" in found


def test_no_probability_is_certain():
    problem = panel(n_assets=6, n_dates=60, scoring="sharpe")
    found = said(Row("good", skill=0.9), Row("bad", skill=0.02), problem=problem)
    assert "with probability above 0.99 its true ratio" in found
    assert found.endswith("the probability of backtest overfitting is below 0.01.")
