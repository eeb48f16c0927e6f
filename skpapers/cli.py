"""The command line: ``python -m skpapers compare TABLE --target COLUMN``."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import skpapers

if TYPE_CHECKING:
    import pandas as pd

    from skpapers.comparison import Comparison

_PIPED_WIDTH = 120
# Below this many columns the paper's name is left out and long names of baselines are folded.
_WIDE = 100
_ROLES = ("target", "time_column", "groups", "weights")


class _Parser(argparse.ArgumentParser):
    """Reports a wrong option like every other error: in one line."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _parser() -> _Parser:
    parser = _Parser(prog="skpapers", description="Machine-learning papers as scikit-learn estimators.")
    parser.add_argument("--version", action="version", version=f"skpapers {skpapers.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    compare = commands.add_parser(
        "compare",
        help="cross-validate every method and its baseline on a table",
        description="Cross-validate every method that fits the task, and its baseline, on a table. Without TABLE: on "
        "two built-in tables.",
        allow_abbrev=False,
    )
    add = compare.add_argument
    add("table", nargs="?", metavar="TABLE", help="a .csv or .parquet file")
    add("--target", metavar="COLUMN", help="the column to predict")
    add("--task", default="auto", choices=("auto", "classification", "regression"), help="default: auto")
    add("--cv", metavar="5|time", help="number of folds, or time (the default as soon as there is a date column)")
    add("--time-column", metavar="COLUMN", help="what orders the rows; default: the only date column")
    add("--gap", type=int, default=0, metavar="N", help="distinct timestamps between training and test rows")
    add("--groups", metavar="COLUMN", help="rows of one group never straddle training and test")
    add("--weights", metavar="COLUMN", help="sample weights")
    add("--metric", metavar="NAME", help="any scikit-learn scorer; default: accuracy or r2")
    add("--methods", metavar="A,B", help="names of the methods to run; default: all")
    add("--n-jobs", type=int, metavar="N", help="worker processes; -1: all cores; default: 1")
    add("--time-budget", type=float, metavar="SECONDS", help="for each method, and each baseline, over all folds")
    add("--out", metavar="DIR", help="write the table (.csv) and the picture (.png) there")
    return parser


def read_table(path: str) -> pd.DataFrame:
    """Read a .csv or .parquet file; any failure is a ValueError of one line."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    if Path(path).suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(f"{path}: a table is a .csv or .parquet file.")
    if not Path(path).is_file():
        raise ValueError(f"{path}: there is no such file.")
    # one block, so that a column's type is inferred from all of its rows
    block = csv.ReadOptions(block_size=min(max(os.path.getsize(path), 1 << 20), (1 << 31) - 1))
    nulls = csv.ConvertOptions(strings_can_be_null=True)
    try:
        if path.lower().endswith(".csv"):
            table = csv.read_csv(path, read_options=block, convert_options=nulls)
        else:
            table = parquet.read_table(path)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise ValueError(f"{path}: cannot be read ({str(error).splitlines()[0]}).") from error
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: column names must be unique; {', '.join(twice)} stands more than once.")
    if 0 in table.shape:
        raise ValueError(f"{path}: the table is empty ({table.num_rows} rows, {table.num_columns} columns).")
    frame = table.to_pandas(date_as_object=False, ignore_metadata=True)
    # an unnamed pandas index that counts rows is no feature; one that holds dates orders them
    counts = [name for name in frame if str(name).startswith("__index_level_") and frame[name].dtype.kind in "iu"]
    return frame.drop(columns=counts)


def _cv(text: str | None) -> int | str | None:
    if text is None or text == "time":
        return text
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"--cv {text}: must be a number of folds or time.") from None


def _own_table(options: argparse.Namespace) -> dict[str, Any]:
    """Return compare's X, y, time, groups and sample_weight from the user's file."""
    if options.target is None:
        raise ValueError("--target COLUMN is needed: the column to predict.")
    frame = read_table(options.table)
    for role in _ROLES:
        column = getattr(options, role)
        if column is not None and column not in frame:
            names = ", ".join(map(str, frame.columns))
            raise ValueError(f"--{role.replace('_', '-')}: there is no column {column!r}; the columns are {names}.")
    roles = [options.target, options.weights, *{options.time_column, options.groups}]
    given = [column for column in roles if column is not None]
    if len(set(given)) < len(given):
        raise ValueError("--target, --weights and --time-column or --groups must name different columns.")
    return {
        "X": frame.drop(columns=[column for column in given if column != options.time_column]),
        "y": frame[options.target],
        "time": options.time_column,
        "groups": None if options.groups is None else frame[options.groups],
        "sample_weight": None if options.weights is None else frame[options.weights],
    }


def _tables(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return compare's data arguments by the name of the table."""
    if options.table is not None:
        return {"comparison": _own_table(options)}
    for role in _ROLES:
        if getattr(options, role) is not None:
            raise ValueError(f"--{role.replace('_', '-')} names a column of TABLE; there is no TABLE.")
    if options.task != "auto" or options.metric is not None:
        raise ValueError("--task and --metric need a TABLE: the built-in tables are one of each task.")
    from skpapers.datasets import load_concrete, load_raisin

    loaded = {"raisin": load_raisin(as_frame=True), "concrete": load_concrete(as_frame=True)}
    return {name: {"X": bunch.data, "y": bunch.target} for name, bunch in loaded.items()}


def _out_folder(out: str | None) -> Path | None:
    """Make the folder before anything runs, so that no result is lost for want of a place."""
    if out is None:
        return None
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--out {out}: cannot be made ({error.strerror}).") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"--out {out}: cannot be written to.")
    return folder


def _fixed(values: Sequence[float], spread: float) -> list[str]:
    """Write numbers with as many decimals as show two digits of their spread."""
    known = math.isfinite(spread) and spread > 0
    decimals = min(max(1 - math.floor(math.log10(spread)), 0), 9) if known else 4
    return [f"{value:.{decimals}f}" if math.isfinite(value) else "?" for value in values]


def _cells(row: Any) -> list[str]:
    """Write a row of the result; an estimator without a score leaves its cells empty."""
    score, sd, base = _fixed([row.score, row.sd, row.baseline_score], row.sd)
    half = (row.interval_high - row.interval_low) / 2
    signed = _fixed([row.difference, row.interval_low, row.interval_high], half)
    difference, low, high = (f"+{text}" if text[0] not in "-?" else text for text in signed)
    seconds = [
        f"{value:.2g}" if value < 10 else f"{value:.0f}" for value in (row.fit_seconds, row.baseline_fit_seconds)
    ]
    return [
        row.method,
        row.paper,
        "" if math.isnan(row.score) else f"{score} ± {sd}",
        row.baseline,
        "" if math.isnan(row.baseline_score) else base,
        "" if math.isnan(row.difference) else f"{difference}\n[{low}, {high}]",
        "\n".join("?" if text == "nan" else text for text in seconds),
        row.certificate,
    ]


def _print(name: str, result: Comparison) -> None:
    """Print title, table, notes and how to read it."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(highlight=False, width=_PIPED_WIDTH)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("method", overflow="fold")
    certified = bool(result.frame["certificate"].any())
    wide = console.width >= _WIDE + 12 * certified
    if wide:
        table.add_column("paper", overflow="fold", min_width=12)
    table.add_column("score ± sd", justify="right", no_wrap=True)
    table.add_column("baseline", no_wrap=wide, overflow="fold", min_width=11)
    table.add_column("its\nscore", justify="right", no_wrap=True)
    table.add_column("difference\n[95% interval]", justify="right", no_wrap=True)
    table.add_column("fit s\n/ its", justify="right", no_wrap=True)
    if certified:
        table.add_column("certificate" if wide else "proof", no_wrap=True)
    for row in result.frame.itertuples():
        cells = _cells(row)
        shown = [cells[0], *cells[1:2] * wide, *cells[2:-1], *cells[-1:] * certified]
        table.add_row(*map(escape, shown))
    console.print(f"[bold]{escape(name)}[/bold] | {escape(result.title)}")
    console.print(table)
    for row in result.frame.itertuples():
        if row.notes:
            console.print(escape(f"{row.method}: {row.notes}"))
    for note in result.notes:
        console.print(escape(f"Note: {note}."))
    console.print(f"{result.how_to_read}\n")


def _save(name: str, result: Comparison, folder: Path) -> None:
    """Write the table and its picture."""
    from matplotlib.figure import Figure

    result.to_frame().to_csv(folder / f"{name}.csv", index=False)
    figure = Figure(figsize=(8, 1.4 + 0.5 * len(result.frame)), layout="constrained")
    result.plot(ax=figure.subplots())
    figure.savefig(folder / f"{name}.png", dpi=150)


def _compare(options: argparse.Namespace) -> None:
    cv = _cv(options.cv)
    folder = _out_folder(options.out)
    tables = _tables(options)
    for name, data in tables.items():
        result = skpapers.comparison.compare(
            **data,
            task=options.task,
            cv=cv,
            gap=options.gap,
            scoring=options.metric,
            methods=None if options.methods is None else [m.strip() for m in options.methods.split(",")],
            n_jobs=options.n_jobs,
            time_budget=options.time_budget,
            verbose=1,
        )
        _print(Path(options.table).name if options.table else name, result)
        if folder is not None:
            _save(name, result, folder)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 after an error (one line), 130 after Ctrl-C."""
    try:
        _compare(_parser().parse_args(argv))
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)
    except (ValueError, OSError) as error:
        print(f"skpapers: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("skpapers: interrupted", file=sys.stderr)
        return 130
    return 0
