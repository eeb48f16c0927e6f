"""The result as text for a terminal, a pipe or a file, in any encoding."""

import io
import re
import sys

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from skpapers.comparison._markup import markdown
from skpapers.comparison._text import code_lines, how_to_read, print_result, result_text, shortened
from tests.comparison._shown import ROWS, against, row, shown

WIDTHS = [80, 100, 120, 200]
LONG = "a method with a very long name that would leave no room for numbers at all"


def text_of(result, width, name="concrete"):
    return result_text(result, name, Console(width=width, file=io.StringIO(), highlight=False))


def table_lines(text):
    """Return the lines of the table, below its rule."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if "──" in line)
    return lines[start + 1 : lines.index("", start)]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("metrics", [(), ("MAE",), ("MAE", "RMSE", "pinball 0.9", "median absolute error")])
@pytest.mark.parametrize("cut", ["", "on 20,000 rows"])
def test_one_line_a_method_at_every_width(width, metrics, cut):
    text = text_of(shown([ROWS[0] | {"rows": cut}, *ROWS[1:]], metrics), width)
    assert max(map(len, text.splitlines())) <= width
    lines = table_lines(text)
    assert len(lines) == len(ROWS)
    for line, known in zip(lines, ROWS, strict=True):
        assert line.strip().startswith(known["method"])
    for piece in ("0.917", "[-0.0142, +0.0061]", "failed", "optimal", "-0.460"):
        assert piece in "\n".join(lines) or (piece in ("optimal", "-0.460") and cut and width == 80)
    assert ("20,000" in lines[0]) == bool(cut)


@pytest.mark.parametrize("width", WIDTHS)
def test_long_names_leave_room_for_the_numbers(width):
    rows = [ROWS[0] | {"method": LONG, "baseline": LONG, "code": f"a.{'B' * 90}()"}, *ROWS[1:]]
    text = text_of(shown(rows), width)
    assert max(map(len, text.splitlines())) <= width
    lines = table_lines(text)
    assert len(lines) == len(rows)
    assert "[-0.0142, +0.0061]" in lines[0]
    assert lines[0].strip().startswith("a method wit")


@pytest.mark.parametrize("width", WIDTHS)
def test_wide_characters_count_twice(width):
    rows = [ROWS[0] | {"method": "表" * 30}, *ROWS[1:]]
    text = text_of(shown(rows), width, name="表")
    assert max(map(cell_len, text.splitlines())) <= width
    assert "[-0.0142, +0.0061]" in table_lines(text)[0]


def test_what_is_below_the_table():
    text = text_of(shown(), 120)
    order = [
        "concrete: 1030 rows, 8 columns, regression, R2, 5 folds in order (KFold)",
        "  method ",
        "  SAM network           skpapers.SAMMLPRegressor(",
        "Best: SAM network and HistGradientBoosting cannot be told apart on these folds.",
        "A difference is the gain over the method's baseline, and over the best reference (HistGradientBoosting)",
        "convex gated ReLU: failed: ValueError: [no] convergence",
        "Note: column 'id' looks like a row number.",
    ]
    places = [text.index(piece) for piece in order]
    assert places == sorted(places)


def test_code_takes_the_longest_form_that_fits():
    frame = shown().frame
    widest = list(code_lines(frame, 250))
    assert widest[2].endswith("Hierarchical Shrinkage, ICML 2022")
    assert "n_jobs=-1, random_state=0))" in widest[2]
    cut = list(code_lines(frame, 120))
    assert cut[4].endswith("Fast Convex Optimization for Two-Layer…, ICML 2022")
    assert "skpapers.HierarchicalShrinkageRegressorCV(...)" in cut[2]
    middle = list(code_lines(frame, 140))
    assert "skpapers.HierarchicalShrinkageRegressorCV(...)" in middle[2]
    assert "skpapers.QuantBnBTree(max_depth=2)" in middle[3]
    assert middle[3].endswith("Quant-BnB, ICML 2022")
    narrow = list(code_lines(frame, 80))
    assert narrow[2].endswith("ICML 2022")
    assert "Hierarchical Shrinkage," not in narrow[2]
    assert narrow[0].startswith("SAM network           skpapers.SAMMLPRegressor(")
    assert list(code_lines(frame, 70))[2].endswith("skpapers.HierarchicalShrinkageRegressorCV(...)")
    assert all(len(line) <= 40 for line in code_lines(frame, 40))


def test_the_last_step_of_a_pipeline_is_named():
    code = "sklearn.pipeline.Pipeline(steps=[('a', x.Scale()), ('b', sklearn.linear_model.RidgeCV(alphas=(1, 2)))])"
    frame = shown([row("ridge", "reference", code)]).frame
    long = row("logistic", "reference", code.replace("RidgeCV", "LogisticRegressionOfAVeryLongNameCV"))
    lines = list(code_lines(shown([*ROWS, long]).frame, 80))
    assert lines[0].endswith("ICLR 2021")
    assert lines[-1].endswith("…")
    assert len(lines[-1]) <= 80
    assert list(code_lines(frame, 80)) == ["ridge  Pipeline(..., sklearn.linear_model.RidgeCV(...))"]


def test_long_names_of_baselines_are_cut_before_they_are_left_out():
    rows = [ROWS[0] | {"baseline": "MLP (100,), early stopping"}, *ROWS[1:]]
    assert "MLP (100,), early stopping" in text_of(shown(rows), 200)
    assert "MLP (100,), early s…" in text_of(shown(rows), 120)
    assert "MLP (" not in text_of(shown(rows[:1]), 80)


def test_colour_is_an_addition():
    better = row("a", "method", "a.B()", 0.9, 0.01, **against("b", 0.1, 0.05, 0.15))
    worse = row("c", "method", "a.B()", 0.9, 0.01, **against("b", -0.1, -0.15, -0.05))
    console = Console(width=120, file=io.StringIO(), force_terminal=True, color_system="standard", highlight=False)
    coloured = result_text(shown([better, worse]), "t", console)
    assert re.search(r"\x1b\[32m\[\+0\.050, \+0\.150\]", coloured)
    assert re.search(r"\x1b\[31m\[-0\.150, -0\.050\]", coloured)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in plain.splitlines()] == text_of(shown([better, worse]), 120, "t").splitlines()


def test_markup_and_links_in_names_stay_text():
    text = text_of(shown([ROWS[0] | {"method": "[red]mine[/red]"}]), 120)
    assert "[red]mine[/red]" in text


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_encodings(monkeypatch, encoding, width):
    monkeypatch.setenv("COLUMNS", str(width))
    data = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(data, encoding=encoding))
    print_result("tafel_ß_表", shown([ROWS[0] | {"method": LONG}, ROWS[-1] | {"notes": "failed: größer als 表"}]))
    text = data.getvalue().decode(encoding)
    assert max(map(len, text.splitlines())) <= width
    if width == 120:
        assert ("0.917 +- 0.017" if encoding == "ascii" else "0.917 ± 0.017") in text
    header = text.splitlines()[0]
    note = next(line for line in text.splitlines() if line.startswith("convex gated ReLU: "))
    assert header.startswith({"ascii": "tafel_?_?: ", "utf-8": "tafel_ß_表: "}.get(encoding, "tafel_ß_?: "))
    assert note.endswith({"ascii": "gr??er als ?", "utf-8": "größer als 表"}.get(encoding, "größer als ?"))
    rest = "".join(line for line in text.splitlines() if line not in (header, note))
    assert ("…" in rest) == (encoding in ("utf-8", "cp1252"))
    assert "?" not in rest  # rules, "±" and "…" have replacements of their own


def test_shortened():
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("ab cdef", 4) == "ab…"
    assert shortened("abcdef", 5, "...") == "ab..."


def test_a_pipe_is_120_columns_wide(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    print_result("t", shown())
    assert 80 < max(map(len, capsys.readouterr().out.splitlines())) <= 120


def test_what_differences_mean_is_said_where_there_are_some():
    frame = shown().frame
    both = how_to_read(frame)
    assert both.startswith("A difference is the gain over the method's baseline, and over the best reference (Hist")
    assert "Intervals are corrected" in both
    bounds = ["interval_low", "interval_high", "reference_low", "reference_high"]
    one_fold = frame.assign(**dict.fromkeys(bounds, np.nan))
    assert "Intervals" not in how_to_read(one_fold)
    references = how_to_read(frame.assign(difference=np.nan))
    assert references.startswith("A difference is the gain over the best reference (Hist")
    assert how_to_read(frame.assign(difference=np.nan, reference_difference=np.nan)) == ""


def test_rows_with_the_same_notes_share_a_line():
    rows = [row | {"notes": "not fitted: no time"} for row in ROWS[:2]] + [ROWS[2] | {"notes": "slow"}]
    result = shown(rows)
    line = "SAM network, HistGradientBoosting: not fitted: no time"
    assert line in text_of(result, 120)
    assert f"- {line}\n- HS forest: slow" in markdown(result)


def test_a_note_that_asks_ends_with_its_question_mark():
    result = shown(notes=("is that known?", "dropped: a"))
    for text in (text_of(result, 120), markdown(result)):
        assert "Note: is that known?\n" in text
        assert "Note: dropped: a." in text
