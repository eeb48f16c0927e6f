"""The tables against numbers taken from the outcomes by hand."""

import numpy as np
import pandas as pd
import pytest

from skpapers.comparison._by_date import backtest, rank_ic_by_date, t_values
from skpapers.comparison._records import Outcome
from skpapers.comparison._statistics import paired_family
from skpapers.comparison._summary import certificate, fold_scores, summarize
from tests.comparison._fits import Row, classification, make_fits, panel, regression

SAM = [0.50, 0.40, 0.60, 0.55]
SAM_CUT = [0.45, 0.35, 0.50, 0.55]
PLAIN = [0.20, 0.30, 0.10, 0.25]
HS = [0.30, 0.35, 0.25, 0.20]
CART = [0.10, 0.20, 0.30, 0.20]
RIDGE = [0.42, 0.41, 0.38, 0.45]
MEAN = [-0.02, 0.00, -0.01, -0.03]
ROWS = [
    Row("mean", kind="reference", scores=MEAN, fit_seconds=0.1),
    Row("HS tree", baseline="CART", scores=HS, paper="Shrinkage, ICML 2022", code="skpapers.HS(a=pkg.B())"),
    Row("SAM", baseline="MLP", scores=SAM_CUT, max_rows=60, notes=["cut"], gap=0.5),
    Row("CART", kind="baseline", scores=CART, fit_seconds=7.0),
    Row("MLP", kind="baseline", scores=SAM, more={60: PLAIN}, notes=["did not converge"]),
    Row("ridge", kind="reference", scores=RIDGE, gap=0.0, optimal=True),
]


def table(problem, rows):
    return summarize(problem, *make_fits(problem, rows)).set_index("method")


def test_columns_and_order():
    frame = table(regression(cv=4), ROWS)
    assert frame.index.tolist() == ["SAM", "ridge", "HS tree", "mean"]
    assert ["method", *frame.columns] == [
        "method", "kind", "estimator", "code", "paper", "rows", "score", "sd", "MAE", "baseline", "baseline_score",
        "difference", "interval_low", "interval_high", "p_value", "reference", "reference_difference",
        "reference_low", "reference_high", "fit_seconds", "baseline_fit_seconds", "certificate", "notes",
    ]  # fmt: skip


def test_a_row_of_a_method():
    row = table(regression(cv=4), ROWS).loc["HS tree"]
    assert (row["kind"], row["estimator"], row["paper"]) == ("method", "skpapers.HS", "Shrinkage, ICML 2022")
    assert (row["rows"], row["baseline"], row["reference"]) == ("", "CART", "ridge")
    assert (row["certificate"], row["notes"]) == ("", "")
    assert (row["score"], row["sd"]) == pytest.approx((np.mean(HS), np.std(HS, ddof=1)))
    assert (row["fit_seconds"], row["baseline_fit_seconds"]) == (1.0, 7.0)
    assert row["baseline_score"] == pytest.approx(np.mean(CART))


def test_methods_are_a_family_and_a_sample_faces_a_sample():
    frame = table(regression(cv=4), ROWS)
    ratios = np.array([30 / 60, 30 / 90])
    family = paired_family(np.subtract([SAM_CUT, HS], [PLAIN, CART]), ratios)
    columns = ["difference", "interval_low", "interval_high", "p_value"]
    expected = np.column_stack([family.mean, family.low, family.high, family.p_value])
    np.testing.assert_allclose(frame.loc[["SAM", "HS tree"], columns].to_numpy(dtype=float), expected)
    assert frame.loc["SAM", "baseline_score"] == pytest.approx(np.mean(PLAIN))
    assert frame.loc["SAM", "rows"] == "on 60 rows"
    assert frame.loc["SAM", "notes"] == "cut; baseline: did not converge"
    assert frame.loc[["ridge", "mean"], columns].isna().all(axis=None)
    assert frame.loc[["ridge", "mean"], "baseline"].tolist() == ["", ""]


def test_the_best_reference_faces_the_methods_and_the_other_references():
    frame = table(regression(cv=4), ROWS)
    columns = ["reference_difference", "reference_low", "reference_high"]
    methods = paired_family(np.subtract([SAM_CUT, HS], RIDGE), np.array([30 / 60, 30 / 90]))
    expected = np.column_stack([methods.mean, methods.low, methods.high])
    np.testing.assert_allclose(frame.loc[["SAM", "HS tree"], columns].to_numpy(dtype=float), expected)
    alone = paired_family(np.subtract([MEAN], RIDGE), np.array([30 / 90]))
    assert frame.loc["mean", columns].tolist() == pytest.approx([alone.mean[0], alone.low[0], alone.high[0]])
    assert frame.loc["ridge", "reference"] == ""
    assert frame.loc["ridge", columns].isna().all()


def test_losses_are_shown_positive_and_gains_are_positive():
    problem = regression(cv=4, scoring=["mae", "r2"])
    low = [-1.0, -1.2, -0.9, -1.0]
    high = [-2.0, -2.1, -1.9, -2.2]
    rows = [Row("bad", baseline="good", scores=high), Row("good", scores=low, baseline="bad")]
    frame = table(problem, rows)
    assert frame.index.tolist() == ["good", "bad"]
    assert frame.loc["good", "score"] == pytest.approx(1.025)
    assert frame.loc["good", "baseline_score"] == pytest.approx(2.05)
    assert frame.loc["good", "difference"] == pytest.approx(1.025)
    assert frame.loc["bad", "difference"] == pytest.approx(-1.025)
    assert frame.loc["good", "interval_low"] > 0
    zero = table(problem, [Row("perfect", scores=[0.0, 0.0, 0.0, 0.0])]).loc["perfect", "score"]
    assert (zero, np.signbit(zero)) == (0.0, False)


def test_scores_of_further_metrics():
    problem = classification(cv=4)
    scores = {"accuracy": [0.5, 0.6, 0.7, 0.8], "neg_log_loss": [-0.4, -0.5, -0.6, np.nan], "roc_auc": [np.nan] * 4}
    frame = table(problem, [Row("a", scores=scores)])
    assert frame.loc["a", "score"] == pytest.approx(0.65)
    assert frame.loc["a", "log loss"] == pytest.approx(0.5)
    assert np.isnan(frame.loc["a", "ROC AUC"])


def test_a_row_that_lacks_folds_says_so():
    rows = [
        Row("all", scores=SAM),
        Row("two", scores=[0.9, None, 0.8, None]),
        Row("cut", scores=[0.5, None, None, None], max_rows=60),
        Row("undefined", scores=[np.nan, 0.1, 0.2, 0.3]),
        Row("none", scores=[None] * 4),
    ]
    frame = table(regression(cv=4), rows)
    assert frame["rows"].to_dict() == {
        "all": "",
        "two": "2 of 4 folds",
        "cut": "on 60 rows, 1 of 4 folds",
        "undefined": "3 of 4 folds",
        "none": "",
    }


def test_a_metric_named_as_a_column():
    def rows(model, X, y):
        return 0.5

    frame = table(regression(cv=4, scoring=["r2", rows]), [Row("a", skill=0.5)])
    assert frame.loc["a", "rows (metric)"] == 0.5
    assert frame.loc["a", "rows"] == ""


def test_two_assets_are_not_ranked():
    problem = panel(n_assets=2, n_dates=36)
    assert [metric.label for metric in problem.metrics] == ["R2", "MAE"]
    frame = summarize(problem, *make_fits(problem, [Row("bad", skill=0.0), Row("good", skill=0.8)]))
    assert frame["method"].tolist() == ["good", "bad"]


def test_failures():
    rows = [
        Row("failed", error="ValueError: no", baseline="absent", notes=["failed: ValueError: no"]),
        Row("once", scores=[0.5, None, None, None], baseline="base", gap=0.2),
        Row("base", kind="baseline", scores=[0.3, 0.2, 0.2, 0.2]),
    ]
    frame = table(regression(cv=4), rows)
    assert frame.index.tolist() == ["once", "failed"]
    assert frame.loc["once", "difference"] == pytest.approx(0.2)
    assert frame.loc["once", ["interval_low", "p_value", "sd", "reference_difference"]].isna().all()
    assert frame.loc["failed", ["score", "difference", "fit_seconds"]].isna().all()
    assert frame.loc["failed", "notes"] == "failed: ValueError: no"
    assert summarize(regression(cv=4), *make_fits(regression(cv=4), [])).empty


@pytest.mark.parametrize(
    ("gap", "optimal", "expected"),
    [
        (np.nan, False, ""),
        (0.0, True, "optimal"),
        (1e-15, False, "gap <0.01%"),
        (0.01234, False, "gap 1.2%"),
        (3.456, False, "gap 346%"),
        (12.34, False, "gap >1000%"),
        (np.inf, False, "gap >1000%"),
    ],
)
def test_certificates(gap, optimal, expected):
    assert table(regression(cv=4), [Row("a", scores=SAM, gap=gap, optimal=optimal)]).loc["a", "certificate"] == expected


def test_the_certificate_is_that_of_the_worst_fold():
    proved = Outcome(gap=0.0, optimal=True)
    open_ = Outcome(gap=0.02)
    assert certificate([proved, open_, Outcome(gap=0.31), None, Outcome(error="ValueError: no")]) == "gap 31%"
    assert certificate([proved, proved, None]) == "optimal"
    assert certificate([proved, Outcome()]) == ""
    assert certificate([None]) == ""


def test_panel_has_t_values_and_deflated_ratios():
    problem = panel(n_assets=6, n_dates=36, scoring=["rank_ic", "sharpe", "r2"])
    made = make_fits(problem, [Row("bad", skill=0.0), Row("good", skill=0.8), Row("base", kind="baseline")])
    frame = summarize(problem, *made)
    assert frame["method"].tolist() == ["good", "bad"]
    t = t_values(problem, rank_ic_by_date(problem, *made))
    assert frame["rank IC t"].tolist() == [t["good"], t["bad"]]
    deflated = backtest(problem, *made).deflated
    assert frame["deflated Sharpe"].tolist() == [deflated["good"], deflated["bad"]]
    assert frame.columns.get_loc("rank IC t") == frame.columns.get_loc("R2") + 1


def test_fold_scores_are_long():
    problem = regression(cv=4)
    candidates, fits = make_fits(problem, ROWS)
    frame = fold_scores(problem, candidates, fits)
    assert frame.columns.tolist() == [
        "candidate", "kind", "fold", "max_rows", "n_train", "n_test", "metric", "score", "fit_seconds",
    ]  # fmt: skip
    assert len(frame) == (len(ROWS) + 1) * 4 * 2
    cut = frame.query("candidate == 'SAM' and metric == 'R2'")
    assert cut["score"].tolist() == SAM_CUT
    assert cut["max_rows"].tolist() == [60] * 4
    assert cut["n_train"].tolist() == [60] * 4
    whole = frame[(frame["candidate"] == "MLP") & frame["max_rows"].isna() & (frame["metric"] == "R2")]
    assert whole["score"].tolist() == SAM
    assert whole["n_train"].tolist() == [90] * 4
    assert frame["n_test"].unique().tolist() == [30]


def test_fold_scores_without_outcomes_and_of_losses():
    problem = regression(cv=4, scoring="mae")
    rows = [Row("a", scores=[-1.0, None, -3.0, -4.0]), Row("failed", error="ValueError: no")]
    frame = fold_scores(problem, *make_fits(problem, rows))
    assert frame["fit_seconds"].isna().tolist() == frame["score"].isna().tolist()
    pd.testing.assert_series_equal(frame["score"], pd.Series([1.0, np.nan, 3.0, 4.0, *[np.nan] * 4]), check_names=False)
