"""The command line: what it prints, what it writes, and one line for every error."""

import os
import re
import sys
from pathlib import Path

import pandas as pd
import pytest

import skpapers
from skpapers import cli
from skpapers.cli._parser import make_parser, option_keys, option_name
from tests.cli._made import result


def outputs(table="comparison"):
    """Return the names of the files that --out writes."""
    return {f"{table}.{end}" for end in ("csv", "md", "png", "toml")} | {
        "report.html" if table == "comparison" else f"{table}.html"
    }


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
            "end": [2, 3, 4],
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
    for key in option_keys(make_parser()[1]):
        assert (option_name(key) if key != "table" else "TABLE") in out
    assert "%d/%m/%y" in out


def test_options_become_arguments(calls, table):
    options = "--target y --task regression --cv walk-forward --time-column day --gap 2 --groups who --weights w"
    more = "--metadata sample_domain=who --metric neg_mean_squared_error --n-jobs 2 --time-budget 9 --resume"
    times = "--horizon 3 --embargo 1 --train-size 20 --step 4 --label-end end --assets who --drop x"
    lists = ["--methods", "A one, B", "--references", "ridge, mean", "--checkpoint", str(Path(table).parent / "c")]
    assert cli.main(["compare", table, *options.split(), *more.split(), *times.split(), *lists]) == 0
    (call,) = calls
    assert call["X"].columns.tolist() == ["x", "day", "end", "who"]
    assert call["y"].tolist() == [0.5, 1.5, 2.5]
    assert call["groups"].tolist() == ["a", "b", "b"]
    assert call["sample_weight"].tolist() == [1, 2, 3]
    assert {name: column.tolist() for name, column in call["metadata"].items()} == {"sample_domain": ["a", "b", "b"]}
    expected = {
        "task": "regression",
        "cv": "walk-forward",
        "time": "day",
        "gap": 2,
        "horizon": 3,
        "embargo": 1,
        "train_size": 20,
        "step": 4,
        "label_end": "end",
        "assets": "who",
        "drop": ["x"],
        "scoring": "neg_mean_squared_error",
        "methods": ["A one", "B"],
        "references": ["ridge", "mean"],
        "n_jobs": 2,
        "time_budget": 9.0,
        "checkpoint": str(Path(table).parent / "c"),
        "resume": True,
        "verbose": 1,
    }
    assert {name: call[name] for name in expected} == expected


def test_what_is_not_given_is_not_passed_on(calls, table):
    assert cli.main(["compare", table, "--target", "y", "--cv", "5"]) == 0
    (call,) = calls
    assert set(call) == {"X", "y", "task", "cv", "gap", "verbose"}
    assert call["X"].columns.tolist() == ["x", "day", "end", "who", "w"]
    assert call["X"]["day"].dtype.kind == "M"
    assert call["cv"] == 5


def test_several_metrics_and_estimators_of_ones_own(calls, table):
    own = [
        "--reference",
        "sklearn.linear_model:LinearRegression",
        "--reference",
        "tree=sklearn.tree:DecisionTreeRegressor",
    ]
    assert cli.main(["compare", table, "--target", "y", "--metric", "r2", "--metric", "mae", *own]) == 0
    (call,) = calls
    assert call["scoring"] == ["r2", "mae"]
    assert {name: type(model).__name__ for name, model in call["estimators"].items()} == {
        "LinearRegression": "LinearRegression",
        "tree": "DecisionTreeRegressor",
    }
    assert cli.main(["compare", table, "--target", "y", "--references", "none", "--weights", "uniqueness"]) == 0
    assert calls[1]["references"] == []
    assert calls[1]["sample_weight"] == "uniqueness"


def test_options_that_describe_the_file(calls, tmp_path):
    path = tmp_path / "said.csv"
    path.write_text("a\tb\td\ty\n1 200,5\t-999\t01/02/24\t1\n900,5\tk\t02/03/24\t2\n")
    options = "--sep tab --decimal , --thousands space --date-format %d/%m/%y --na=-999,k"
    assert cli.main(["compare", str(path), "--target", "y", *options.split()]) == 0
    X = calls[0]["X"]
    assert X["a"].tolist() == [1200.5, 900.5]
    assert X["b"].isna().all()
    assert X["d"].tolist() == [pd.Timestamp("2024-02-01"), pd.Timestamp("2024-03-02")]


def test_an_error_says_what_was_decided_about_a_column_with_a_role(tmp_path, capsys):
    path = tmp_path / "odd.csv"
    path.write_text("a,z,y\n" + "".join(f"{i},?,{i}.5\n" for i in range(20)) + "20,?,odd\n")
    assert cli.main(["compare", str(path), "--target", "y", "--task", "regression"]) == 2
    message = capsys.readouterr().err
    assert "task='regression' needs numbers" in message
    assert "Note: column 'y' is a category: 20 of 21 values are numbers, the others are 'odd'; --na names" in message
    assert "'z'" not in message


def test_a_category_is_noted_once(tmp_path, capsys):
    path = tmp_path / "zeros.csv"
    path.write_text("id,a,y\n" + "".join(f"0{i:02d},{i % 7},{i % 2}\n" for i in range(30)))
    assert cli.main(["compare", str(path), "--target", "y", "--cv", "2", "--methods", "HS tree"]) == 0
    assert capsys.readouterr().out.count("column 'id' is a category") == 1


def test_without_arguments_help_and_an_error_code(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["skpapers"])
    assert cli.main() == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: skpapers [-h] [--version] COMMAND")
    assert "cross-validate every method, its baseline and reference models" in captured.err


def test_row_numbers_are_dropped_with_a_note(calls, table, capsys):
    pd.read_csv(table).to_csv(table)
    assert cli.main(["compare", table, "--target", "y"]) == 0
    assert calls[0]["X"].columns.tolist() == ["x", "day", "end", "who", "w"]
    assert "Note: column '' is a row number and not a feature.\nNote: beware." in capsys.readouterr().out
    assert cli.main(["compare", table, "--target", "y", "--time-column", ""]) == 0
    assert calls[1]["X"].columns.tolist() == ["", "x", "day", "end", "who", "w"]


@pytest.mark.parametrize("width", [80, 100, 120, None])
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
    assert lines[0].startswith("table.csv: 100 rows, 3 columns, classification (")
    for piece in ("0.876 ± 0.012", "+0.08", "[-0.02, +0.18]", "skpapers.A(depth=2)", "B: failed: ValueError: [no]"):
        assert piece in captured.out
    assert "Note: beware." in captured.out
    assert "certificate" not in captured.out


def test_out_writes_the_result_and_the_options(calls, table, tmp_path):
    folder = tmp_path / "new" / "folder"
    assert cli.main(["compare", table, "--target", "y", "--cv", "3", "--out", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == outputs()
    assert (folder / "report.html").read_text() == Path(table).name
    assert pd.read_csv(folder / "comparison.csv")["method"].tolist() == ["A", "B"]
    assert pd.read_csv(folder / "comparison.csv")["code"].tolist() == ["skpapers.A(depth=2)", "skpapers.B()"]
    assert "| A | 0.876 ± 0.012 | CART |" in (folder / "comparison.md").read_text()
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["compare", "--config", str(folder / "comparison.toml")]) == 0
    first, second = calls
    pd.testing.assert_frame_equal(first.pop("X"), second.pop("X"))
    assert first.pop("y").equals(second.pop("y"))
    assert first.pop("checkpoint") == str(folder / "checkpoint")
    assert first == second


def test_built_in_tables(calls, capsys, tmp_path):
    assert cli.main(["compare", "--out", str(tmp_path)]) == 0
    assert [call["X"].shape for call in calls] == [(900, 7), (1030, 8)]
    assert [Path(call["checkpoint"]).parts[-2:] for call in calls] == [
        ("checkpoint", "raisin"),
        ("checkpoint", "concrete"),
    ]
    out = capsys.readouterr().out
    assert out.index("raisin: ") < out.index("concrete: ")
    tables = ("concrete", "raisin")
    assert {p.name for p in tmp_path.iterdir()} == outputs("concrete") | outputs("raisin")
    assert all((tmp_path / f"{table}.html").read_text() == table for table in tables)


def test_papers_are_listed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    assert cli.main(["papers"]) == 0
    out = capsys.readouterr().out
    assert out == skpapers.papers.table().to_text(70) + "\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train", "invalid choice: 'train'"),
        ("compare TABLE --target y --speed 3", "unrecognized arguments: --speed 3"),
        ("compare TABLE --target y --task ranking", "argument --task: invalid choice: 'ranking'"),
        ("compare TABLE --target y --gap two", "argument --gap: invalid int value: 'two'"),
        ("compare TABLE --target y --gap -1", "gap=-1 must be a whole number of timestamps"),
        ("compare TABLE --target y --metadata who", "--metadata who: must be NAME=COLUMN"),
        (
            "compare TABLE --target y --metadata a=w,a=who",
            "several of them with commas, each NAME once",
        ),
        ("compare TABLE --target y --metadata a_b=no", "--metadata a_b: there is no column 'no'"),
        ("compare TABLE --target y --metadata task=y", "--target and --weights must each name a column that no other"),
        ("compare --metadata task=w", "--metadata names a column of TABLE; there is no TABLE"),
        (
            "compare TABLE --target y --cv weekly",
            "--cv weekly: must be a number of folds, time, walk-forward or purged",
        ),
        ("compare TABLE --target y --cv 1", "cv=1 is not a number of folds"),
        ("compare TABLE --target y", "cv='time' needs more distinct timestamps for 5 windows; there are 3"),
        ("compare TABLE --target y --cv 2 --n-jobs 0", "n_jobs=0 must be a whole number of workers"),
        ("compare TABLE --target y --cv 2 --time-budget -1", "time_budget=-1.0 must be a number of seconds above 0"),
        ("compare TABLE --target y --cv 2 --metric best", "Metric 'best' is unknown; usual for regression: r2"),
        ("compare TABLE --target y --cv 2 --metric accuracy", "Metric 'accuracy' does not apply to this regression"),
        ("compare TABLE --target y --cv 2 --methods HAL", "methods: unknown for regression: HAL; choose among "),
        ("compare TABLE --target who --task regression --cv 2", "task='regression' needs numbers"),
        ("compare TABLE", "--target COLUMN is needed"),
        ("compare TABLE --target z", "--target: there is no column 'z'; the columns are x, day, end, who, w, y"),
        ("compare TABLE --target y --groups z", "--groups: there is no column 'z'; the columns are x, day"),
        ("compare TABLE --target y --weights z", "--weights: there is no column 'z'; the columns are x, day"),
        ("compare TABLE --target y --time-column z", "--time-column: there is no column 'z'; the columns are x, day"),
        ("compare TABLE --target y --weights y", "must each name a column that no other option names"),
        ("compare TABLE --target y --out TABLE", "cannot be made (File exists)"),
        ("compare --target y", "--target names a column of TABLE; there is no TABLE"),
        ("compare --drop y", "--drop names a column of TABLE; there is no TABLE"),
        ("compare TABLE --target y --label-end z", "--label-end: there is no column 'z'; the columns are x, day"),
        ("compare TABLE --target y --assets z", "--assets: there is no column 'z'; the columns are x, day"),
        ("compare TABLE --target y --resume", "--resume needs the folder of the finished fits"),
        ("compare TABLE --target y --reference nowhere", "--reference nowhere: must be module:object, or a file"),
        ("compare TABLE --target y --reference a:b", "--reference a:b: 'a' cannot be imported"),
        (
            "compare TABLE --target y --reference sklearn.svm:SVR --reference sklearn.svm:SVR",
            "'SVR' is given twice; NAME=sklearn.svm:SVR gives it another name",
        ),
        ("compare TABLE --target y --config nowhere.toml", "--config nowhere.toml: there is no such file"),
        ("compare --metric r2", "--task and --metric need a TABLE"),
        ("compare --sep ;", "--sep describes TABLE; there is no TABLE"),
        ("compare TABLE --target y --decimal no", "--decimal 'no': must be '.' or ','"),
        ("compare TABLE --target y --date-format %H", "--date-format %H: no column has dates of this format"),
        ("compare TABLE --target y --sep @", "--target: there is no column 'y'; the only column is"),
        ("compare nowhere.csv --target y", "nowhere.csv: there is no such file"),
        ("compare table.xlsx --target y", "table.xlsx: a table is a .csv or .parquet file"),
        ("compare EMPTY --target y", "cannot be read (Empty CSV file)"),
        ("compare HEADER --target y", "the table is empty (0 rows, 2 columns)"),
        ("compare TWICE --target y", "column names must be unique; 'x' occurs more than once"),
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


def test_options_of_the_command_line_win_over_the_file(calls, table, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text(f'table = "{table}"\ntarget = "y"\ncv = 3\nmetric = ["r2", "mae"]\ngap = 2\n')
    assert cli.main(["compare", "--config", str(config), "--cv", "4", "--metric", "rmse"]) == 0
    (call,) = calls
    assert (call["cv"], call["scoring"], call["gap"]) == (4, "rmse", 2)


def test_save_writes_the_best_pipeline(table, tmp_path, capsys):
    folder = tmp_path / "model"
    options = ["--target", "y", "--cv", "2", "--methods", "HS tree", "--references", "mean", "--time-budget", "20"]
    frame = pd.DataFrame({"x": range(40), "z": ["a", "b"] * 20, "y": [i % 7 + 0.5 for i in range(40)]})
    frame.to_csv(tmp_path / "long.csv", index=False)
    assert cli.main(["compare", str(tmp_path / "long.csv"), *options, "--save", str(folder)]) == 0
    assert {"model.joblib", "predict.py"} <= {path.name for path in folder.iterdir()}
    assert f"python {folder / 'predict.py'} TABLE.csv predicts" in capsys.readouterr().err


def test_an_interrupted_run_saves_no_pipeline(monkeypatch, table, tmp_path):
    monkeypatch.setattr(skpapers.comparison, "compare", lambda X, y, **options: result(interrupted=True))
    assert cli.main(["compare", table, "--target", "y", "--save", str(tmp_path / "model")]) == 130
    assert list((tmp_path / "model").iterdir()) == []
