"""The columns of a result: what they hold, and in which order they are left out."""

from itertools import pairwise

from skpapers.comparison._layout import (
    DROP_ORDER,
    best_reference,
    fitting_columns,
    further_metrics,
    interval_side,
    table_columns,
    total_width,
)
from tests.comparison._shown import NAN, ROWS, against, row, shown


def cells(columns):
    return {column.key: column.cells for column in columns}


def test_cells():
    found = cells(table_columns(shown(metrics=["MAE"]).frame, "R2"))
    assert found["score"] == ("0.917 ± 0.017", "0.916 ± 0.012", "0.905 ± 0.015", "0.456 ± 0.093", "failed")
    assert found["baseline"] == ("SAM network, rho=0", "(reference)", "random forest", "CART, depth 2", "MLP, scaled")
    assert found["difference"] == ("-0.0041", "", "+0.0011", "<0.0001", "")
    assert found["interval"] == ("[-0.0142, +0.0061]", "", "[+0.0004, +0.0018]", "[-0.0001, +0.0001]", "")
    assert found["reference_difference"] == ("+0.001", "(best)", "-0.011", "-0.460", "")
    assert found["fit_seconds"] == ("1.4", "0.21", "12", "0.004", "")
    assert found["certificate"] == ("", "", "", "optimal", "")
    assert found["metric MAE"] == ("5.00", "6.00", "7.00", "8.00", "9.00")
    assert "rows" not in found


def test_a_column_without_a_cell_is_not_shown():
    alone = [row("mine", "own", "joblib.load('mine.joblib')", 0.5, 0.1, reference="")]
    columns = table_columns(shown(alone).frame, "R2")
    assert [column.key for column in columns] == ["method", "score", "baseline"]
    assert cells(columns)["baseline"] == ("(yours)",)
    assert best_reference(shown(alone).frame) == ""


def test_what_is_shown_in_the_place_of_a_score():
    notes = ["failed in 5 of 5 folds: ValueError", "stopped after 0 of 5 folds", "not enough memory", ""]
    frame = shown([row(str(i), "method", "a.B()", notes=note) for i, note in enumerate(notes)]).frame
    assert cells(table_columns(frame, "R2"))["score"] == ("failed", "stopped", "no score", "no score")


def test_rows_that_were_cut_short():
    rows = [ROWS[0] | {"rows": "on 20,000 rows"}, *ROWS[1:]]
    (column,) = [c for c in table_columns(shown(rows).frame, "R2") if c.key == "rows"]
    assert column.cells[:2] == ("on 20,000 rows", "")
    assert column.short.cells[:2] == ("20,000", "")


def test_columns_are_left_out_in_the_stated_order():
    rows = [ROWS[0] | {"rows": "on 20,000 rows"}, *ROWS[1:]]
    columns = table_columns(shown(rows, metrics=["MAE", "RMSE"]).frame, "R2")
    assert [c.key for c in columns][:6] == ["method", "score", "rows", "baseline", "difference", "interval"]
    kept = []
    for width in range(total_width(columns, 2), 40, -1):
        found = fitting_columns(columns, width, 2)
        state = {c.key: c.header for c in found}
        if not kept or state != kept[-1]:
            kept.append(state)
        if len(found) > 5:
            assert total_width(found, 2) <= width
    steps = []
    for before, after in pairwise(kept):
        steps += [key for key in before if key not in after]
        steps += [f"short {key}" for key in after if after[key] != before[key]]
    # the short form of names of baselines depends on the screen: `_text` adds it
    assert set(steps) == {"metric RMSE", "metric MAE", *DROP_ORDER} - {"short baseline"}
    assert steps[:2] == ["metric RMSE", "metric MAE"]
    order = ("metric RMSE", "metric MAE", *DROP_ORDER)
    assert sorted(steps[2:], key=order.index) == steps[2:]
    assert set(kept[-1]) == {"method", "score", "rows", "difference", "interval"}


def test_further_metrics_are_found():
    assert further_metrics(shown(metrics=["MAE", "log loss"]).frame) == ["MAE", "log loss"]


def test_sides_of_an_interval():
    assert interval_side("[+0.1, +0.2]") == "better"
    assert interval_side("[-0.2, -0.1]") == "worse"
    assert [interval_side(text) for text in ("[-0.1, +0.1]", "[0, 0]", "", "[-0.0001, +0.0001]")] == [""] * 4


def test_metrics_in_large_units():
    loss = row("a", "method", "a.B()", 123456.7, 2345.6, **against("b", NAN, NAN, NAN))
    found = cells(table_columns(shown([loss]).frame, "MAE"))
    assert found["score"] == ("123457 ± 2346",)


def test_short_rows_leave_room_for_the_baseline():
    texts = ["on 200 rows, 1 of 5 folds", "2 of 5 folds", "on 20,000 rows"]
    rows = [row | {"rows": text} for row, text in zip(ROWS, texts, strict=False)]
    (column,) = [c for c in table_columns(shown(rows).frame, "R2") if c.key == "rows"]
    assert column.short.cells == ("200, 1/5 folds", "2/5 folds", "20,000")
