"""The command line: what it prints, what it writes, and one line for every error."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import skpapers
from skpapers import cli
from skpapers.comparison import Comparison


def result(**changes):
    """Return a comparison of two methods as if it had run."""
    frame = pd.DataFrame(
        {
            "method": ["A", "B"],
            "paper": ["VENUE 2000: A long title of a paper that goes on"] * 2,
            "score": [0.8765, np.nan],
            "sd": [0.0123, np.nan],
            "baseline": ["DecisionTreeClassifier"] * 2,
            "baseline_score": [0.8, 0.8],
            "difference": [0.0765, np.nan],
            "interval_low": [-0.0235, np.nan],
            "interval_high": [0.1765, np.nan],
            "fit_seconds": [0.0123, np.nan],
            "baseline_fit_seconds": [12.3, 12.3],
            "certificate": ["", ""],
            "notes": ["", "failed: ValueError: [no]"],
        }
    ).assign(**changes)
    return Comparison(frame, frame[["method"]], "classification", "accuracy", "5 folds", 100, 3, ("beware",))


@pytest.fixture
def calls(monkeypatch):
    """Record the calls of compare; nothing runs."""
    made = []

    def compare(X, y, **options):
        made.append({"X": X, "y": y} | options)
        return result()

    monkeypatch.setattr(skpapers.comparison, "compare", compare)
    return made


@pytest.fixture
def table(tmp_path):
    """Write a table with every role, return its path."""
    frame = pd.DataFrame(
        {
            "x": [1.5, None, 3.0],
            "day": ["2024-01-01", "2024-01-02", "2024-01-03"],
            "who": ["a", "b", "b"],
            "w": [1, 2, 3],
            "y": [0.5, 1.5, 2.5],
        }
    )
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return str(path)


def test_version_and_help(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"skpapers {skpapers.__version__}\n"
    assert cli.main(["compare", "--help"]) == 0
    out = capsys.readouterr().out
    for option in ("--target", "--cv", "--time-column", "--gap", "--groups", "--weights", "--metric", "--out"):
        assert option in out


def test_options_become_arguments(calls, table):
    options = "--target y --task regression --cv time --time-column day --gap 2 --groups who --weights w"
    more = "--metric neg_mean_squared_error --n-jobs 2 --time-budget 9"
    assert cli.main(["compare", table, *options.split(), *more.split(), "--methods", "A one, B"]) == 0
    (call,) = calls
    assert call["X"].columns.tolist() == ["x", "day"]
    assert call["y"].tolist() == [0.5, 1.5, 2.5]
    assert call["groups"].tolist() == ["a", "b", "b"]
    assert call["sample_weight"].tolist() == [1, 2, 3]
    expected = {
        "task": "regression",
        "cv": "time",
        "time": "day",
        "gap": 2,
        "scoring": "neg_mean_squared_error",
        "methods": ["A one", "B"],
        "n_jobs": 2,
        "time_budget": 9.0,
        "verbose": 1,
    }
    assert {name: call[name] for name in expected} == expected


def test_defaults(calls, table):
    assert cli.main(["compare", table, "--target", "y", "--cv", "5"]) == 0
    (call,) = calls
    assert call["X"].columns.tolist() == ["x", "day", "who", "w"]
    assert call["X"]["day"].dtype.kind == "M"
    assert call["cv"] == 5
    for name in ("time", "groups", "sample_weight", "scoring", "methods", "n_jobs", "time_budget"):
        assert call[name] is None


def test_csv_types_come_from_all_rows_and_blanks_are_missing(tmp_path):
    rows = ["1,a\n"] * 600_000 + ["0.5,\n"]
    (tmp_path / "long.csv").write_text("x,word\n" + "".join(rows))
    frame = cli.read_table(str(tmp_path / "long.csv"))
    assert frame["x"].dtype == np.float64
    assert frame["word"].isna().sum() == 1


def test_parquet_keeps_a_date_index_and_drops_a_counting_one(tmp_path):
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [1, 2]}, index=pd.date_range("2024-01-01", periods=2, name="day"))
    frame.to_parquet(tmp_path / "dated.parquet")
    frame.reset_index(drop=True).set_axis([5, 7]).to_parquet(tmp_path / "counted.parquet")
    dated = cli.read_table(str(tmp_path / "dated.parquet"))
    assert dated["day"].dtype.kind == "M"
    assert cli.read_table(str(tmp_path / "counted.parquet")).columns.tolist() == ["x", "y"]


@pytest.mark.parametrize("width", [100, 120, None])
def test_print_fits_the_width(calls, table, capsys, monkeypatch, width):
    if width is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(width))
    assert cli.main(["compare", table, "--target", "y"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert max(map(len, lines)) <= (width or 120)
    assert lines[0].startswith("table.csv | 100 rows, 3 columns | classification | 5 folds | accuracy")
    for piece in ("0.88 ± 0.01", "DecisionTreeClassifier", "+0.08", "[-0.02, +0.18]", "B: failed: ValueError: [no]"):
        assert piece.replace("0.88 ± 0.01", "0.876 ± 0.012") in captured.out
    assert "Note: beware." in captured.out
    assert "difference = score of the method minus score of its baseline" in captured.out
    assert "certificate" not in captured.out


@pytest.mark.parametrize("width", [80, 100, 112, 120])
def test_print_shows_certificates_where_there_are_any(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    cli._print("t", result(certificate=["optimal", ""]))
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    for piece in (
        "0.876 ± 0.012",
        "+0.08",
        "[-0.02, +0.18]",
        "fit s",
        "optimal",
        "proof" if width < 112 else "certificate",
    ):
        assert piece in shown


def test_out_writes_table_and_picture(calls, table, tmp_path):
    folder = tmp_path / "new" / "folder"
    assert cli.main(["compare", table, "--target", "y", "--out", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["comparison.csv", "comparison.png"]
    assert pd.read_csv(folder / "comparison.csv")["method"].tolist() == ["A", "B"]
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_built_in_tables(calls, capsys, tmp_path):
    assert cli.main(["compare", "--out", str(tmp_path)]) == 0
    assert [call["X"].shape for call in calls] == [(900, 7), (1030, 8)]
    out = capsys.readouterr().out
    assert out.index("raisin | ") < out.index("concrete | ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["concrete.csv", "concrete.png", "raisin.csv", "raisin.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("train", "invalid choice: 'train'"),
        ("compare TABLE --target y --speed 3", "unrecognized arguments: --speed 3"),
        ("compare TABLE --target y --task ranking", "argument --task: invalid choice: 'ranking'"),
        ("compare TABLE --target y --gap two", "argument --gap: invalid int value: 'two'"),
        ("compare TABLE --target y --gap -1", "gap=-1 must be a whole number of timestamps"),
        ("compare TABLE --target y --cv weekly", "--cv weekly: must be a number of folds or time"),
        ("compare TABLE --target y --cv 1", "cv=1 is not a number of folds"),
        ("compare TABLE --target y", "cv='time' with gap=0 needs more distinct timestamps for 5 windows; there are 3"),
        ("compare TABLE --target y --cv 2 --n-jobs 0", "n_jobs=0 must be a whole number of workers"),
        ("compare TABLE --target y --cv 2 --time-budget -1", "time_budget=-1.0 must be a number of seconds above 0"),
        ("compare TABLE --target y --cv 2 --metric best", "Metric 'best' is unknown; usual for regression: r2"),
        ("compare TABLE --target y --cv 2 --metric accuracy", "Metric 'accuracy' does not apply to this regression"),
        ("compare TABLE --target y --cv 2 --methods HAL", "methods: unknown for regression: HAL; choose among "),
        ("compare TABLE --target who --task regression --cv 2", "task='regression' needs numbers"),
        ("compare TABLE", "--target COLUMN is needed"),
        ("compare TABLE --target z", "--target: there is no column 'z'; the columns are x, day, who, w, y"),
        ("compare TABLE --target y --groups z", "--groups: there is no column 'z'; the columns are x, day"),
        ("compare TABLE --target y --weights z", "--weights: there is no column 'z'; the columns are x, day"),
        ("compare TABLE --target y --time-column z", "--time-column: there is no column 'z'; the columns are x, day"),
        ("compare TABLE --target y --weights y", "must name different columns"),
        ("compare TABLE --target y --out TABLE", "cannot be made (File exists)"),
        ("compare --target y", "--target names a column of TABLE; there is no TABLE"),
        ("compare --metric r2", "--task and --metric need a TABLE"),
        ("compare nowhere.csv --target y", "nowhere.csv: there is no such file"),
        ("compare table.xlsx --target y", "table.xlsx: a table is a .csv or .parquet file"),
        ("compare EMPTY --target y", "cannot be read (Empty CSV file)"),
        ("compare HEADER --target y", "the table is empty (0 rows, 2 columns)"),
        ("compare TWICE --target y", "column names must be unique; x stands more than once"),
        ("compare BROKEN --target y", "broken.parquet: cannot be read ("),
        ("compare NOTARGET --target y", "The target is missing in every row"),
        ("compare DATES --target y", "X has several date columns (day, due); name the one that orders the rows"),
    ],
)
def test_errors_are_one_line(arguments, message, table, tmp_path, capsys):
    texts = {
        "EMPTY": ("empty.csv", ""),
        "HEADER": ("header.csv", "x,y\n"),
        "TWICE": ("twice.csv", "x,x,y\n1,2,3\n"),
        "BROKEN": ("broken.parquet", "not a parquet file"),
        "NOTARGET": ("notarget.csv", "x,y\n1,\n2,\n"),
        "DATES": ("dates.csv", "day,due,x,y\n2024-01-01,2024-02-01,1,0\n2024-01-02,2024-02-02,2,1\n"),
    }
    paths = {"TABLE": table}
    for name, (file, text) in texts.items():
        paths[name] = str(tmp_path / file)
        Path(paths[name]).write_text(text)
    assert cli.main([paths.get(word, word) for word in arguments.split()]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"skpapers: error: .*\n", captured.err)
    assert message in captured.err


def test_a_folder_that_cannot_be_written_to(table, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "access", lambda *args: False)
    assert cli.main(["compare", table, "--target", "y", "--out", str(tmp_path)]) == 2
    assert "cannot be written to" in capsys.readouterr().err


def test_interrupt(calls, table, capsys, monkeypatch):
    def interrupted(X, y, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(skpapers.comparison, "compare", interrupted)
    assert cli.main(["compare", table, "--target", "y"]) == 130
    assert capsys.readouterr().err == "skpapers: interrupted\n"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_ctrl_c_leaves_one_line_and_no_worker(tmp_path):
    """Ctrl-C reaches the whole process group, as a terminal sends it, while a worker fits."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(20_000, 10)), columns=list("abcdefghij"))
    frame.to_parquet(tmp_path / "table.parquet")
    process = subprocess.Popen(
        [sys.executable, "-m", "skpapers", "compare", str(tmp_path / "table.parquet"), "--target", "a"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    while not list(tmp_path.glob("skpapers-*/[0-9]*")):  # the mark of a running fit
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "skpapers: interrupted\n")
    assert not list(tmp_path.glob("skpapers-*"))
    for _ in range(100):  # what watches over the workers ends a moment after its parent
        if not living(process.pid):
            break
        time.sleep(0.1)
    assert living(process.pid) == []


def living(group):
    """Return the processes of a group that are no zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = path.read_text().rsplit(")", 1)
        except (OSError, ValueError):
            continue
        state, _, process_group = rest.split()[:3]
        if int(process_group) == group and state != "Z":
            found.append(name)
    return found
