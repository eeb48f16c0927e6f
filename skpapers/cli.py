"""The command line: ``python -m skpapers compare TABLE --target COLUMN``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import skpapers

if TYPE_CHECKING:
    from skpapers.comparison import Comparison
    from skpapers.comparison._cells import FileFormat

_ROLES = ("target", "time_column", "groups", "weights")
_FORMATS = ("sep", "decimal", "thousands", "na", "date_format")
# Signs that a shell makes hard to write.
_SIGNS = {"tab": "\t", "\\t": "\t", "space": " "}


class _Parser(argparse.ArgumentParser):
    """Report a wrong option in one line, as every other error."""

    def error(self, message: str) -> NoReturn:
        """Raise what the command line reports."""
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
    add("--cv", metavar="5|time", help="number of folds, or time (the default as soon as a date column is complete)")
    add("--time-column", metavar="COLUMN", help="what orders the rows; default: the only date column that is complete")
    add("--gap", type=int, default=0, metavar="N", help="distinct timestamps between training and test rows")
    add("--groups", metavar="COLUMN", help="keep rows of one group together, where there is no time")
    add("--weights", metavar="COLUMN", help="sample weights")
    add(
        "--metadata", metavar="NAME=COLUMN", help="values per row for the methods whose fit takes NAME; A=B,C=D for two"
    )
    add("--metric", metavar="NAME", help="any scikit-learn scorer; default: accuracy or r2")
    add("--methods", metavar="A,B", help="names of the methods to run; default: all")
    add("--n-jobs", type=int, metavar="N", help="worker processes; -1: all cores; default: 1")
    add("--time-budget", type=float, metavar="SECONDS", help="for each method, and each baseline, over all folds")
    add("--sep", metavar="SIGN", help="separator of the columns of a .csv file; tab: a tab; default: inferred")
    add("--decimal", metavar="SIGN", help="its decimal sign, . or ,; default: inferred for each column")
    add(
        "--thousands", metavar="SIGN", help="its sign between groups of three digits; space: a space; default: inferred"
    )
    add("--na", metavar="A,B", help="values that are missing in every column of it")
    add("--date-format", metavar="FORMAT", help="the format of its dates, such as %%d/%%m/%%y")
    add("--out", metavar="DIR", help="write the table (.csv) and the picture (.png) there")
    return parser


def _cv(text: str | None) -> int | str | None:
    if text is None or text == "time":
        return text
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"--cv {text}: must be a number of folds or time.") from None


def _file_format(options: argparse.Namespace) -> FileFormat:
    """Return the options that describe a .csv file."""
    from skpapers.comparison._cells import FileFormat

    signs = {name: getattr(options, name) for name in ("sep", "decimal", "thousands")}
    return FileFormat(
        **{name: _SIGNS.get(sign, sign) for name, sign in signs.items()},
        na=() if options.na is None else tuple(word.strip() for word in options.na.split(",")),
        date_format=options.date_format,
    )


def _metadata(text: str | None) -> dict[str, str]:
    """Return the columns of the metadata by their names."""
    pairs = [] if text is None else [pair.partition("=") for pair in text.split(",")]
    found = {name.strip(): column.strip() for name, _, column in pairs}
    if len(found) < len(pairs) or not all(sign and name.strip() for name, sign, _ in pairs):
        raise ValueError(f"--metadata {text}: must be NAME=COLUMN, or several of them with commas, each NAME once.")
    return found


def _own_table(options: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Return compare's X, y, time, groups and sample_weight from the user's file, and notes about it."""
    from skpapers.comparison._files import read_table

    if options.target is None:
        raise ValueError("--target COLUMN is needed: the column to predict.")
    metadata = _metadata(options.metadata)
    named = {role: getattr(options, role) for role in _ROLES if getattr(options, role) is not None}
    named |= {f"metadata {name}": column for name, column in metadata.items()}
    frame, notes = read_table(options.table, list(named.values()), _file_format(options))
    for role, column in named.items():
        if column not in frame:
            names = ", ".join(map(str, frame.columns))
            found = (
                f"the columns are {names}" if len(frame.columns) > 1 else f"the only column is {names!r} (see --sep)"
            )
            option = role if role.startswith("metadata ") else role.replace("_", "-")
            raise ValueError(f"--{option}: there is no column {column!r}; {found}.")
    roles = [options.target, options.weights, *{options.time_column, options.groups, *metadata.values()}]
    given = [column for column in roles if column is not None]
    if len(set(given)) < len(given):
        raise ValueError("--target and --weights must each name a column that no other option names.")
    data = {
        "X": frame.drop(columns=[column for column in given if column != options.time_column]),
        "y": frame[options.target],
        "time": options.time_column,
        "groups": None if options.groups is None else frame[options.groups],
        "sample_weight": None if options.weights is None else frame[options.weights],
        "metadata": {name: frame[column] for name, column in metadata.items()},
    }
    return data, notes


def _tables(options: argparse.Namespace) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """Return compare's data arguments, and notes, by the name of the table."""
    if options.table is not None:
        return {"comparison": _own_table(options)}
    for role in (*_ROLES, "metadata"):
        if getattr(options, role) is not None:
            raise ValueError(f"--{role.replace('_', '-')} names a column of TABLE; there is no TABLE.")
    for name in _FORMATS:
        if getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} describes TABLE; there is no TABLE.")
    if options.task != "auto" or options.metric is not None:
        raise ValueError("--task and --metric need a TABLE: the built-in tables are one of each task.")
    from skpapers.datasets import load_concrete, load_raisin

    loaded = {"raisin": load_raisin(as_frame=True), "concrete": load_concrete(as_frame=True)}
    return {name: ({"X": bunch.data, "y": bunch.target}, []) for name, bunch in loaded.items()}


def _out_folder(out: str | None) -> Path | None:
    """Make the folder before anything runs, so that a wrong path loses no result."""
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


def _save(name: str, result: Comparison, folder: Path) -> None:
    """Write the table and its picture."""
    from matplotlib.figure import Figure

    result.to_frame().to_csv(folder / f"{name}.csv", index=False)
    figure = Figure(figsize=(8, 1.4 + 0.5 * len(result.frame)), layout="constrained")
    result.plot(ax=figure.subplots())
    figure.savefig(folder / f"{name}.png", dpi=150)


def _print(name: str, result: Comparison) -> bool:
    """Print the result; return False if the pipe that reads it was closed."""
    from skpapers.comparison._text import print_result

    try:
        print_result(name, result)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # or Python complains when it flushes at its end
        os.close(nowhere)
        return False
    return True


@contextmanager
def _explained(options: argparse.Namespace, notes: list[str]) -> Iterator[None]:
    """Add to an error the notes about columns that have a role."""
    try:
        yield
    except ValueError as error:
        heads = tuple(f"column {getattr(options, role)!r} " for role in _ROLES)
        raise ValueError(" ".join([str(error), *(f"Note: {n}." for n in notes if n.startswith(heads))])) from error


def _compare(options: argparse.Namespace) -> None:
    cv = _cv(options.cv)
    folder = _out_folder(options.out)
    for name, (data, notes) in _tables(options).items():
        with _explained(options, notes):
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
        noted = {note.split(":")[0] for note in notes}  # once is enough for a column that is a category
        result = replace(result, notes=(*notes, *(n for n in result.notes if n.split(":")[0] not in noted)))
        try:
            if folder is not None:
                _save(name, result, folder)
        finally:
            read = _print(Path(options.table).name if options.table else name, result)
        if folder is None and not read:
            return


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the program and its workers as Ctrl-C does."""

    def interrupt(number: int, frame: Any) -> NoReturn:
        raise KeyboardInterrupt(number)

    names = ("SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    before = {}
    for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    code : int
        0, 2 after an error (one line), 130 after Ctrl-C, 128 + n after signal n.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = _parser()
    if not arguments:
        parser.print_help(sys.stderr)
        return 2
    try:
        with _ended_as_by_ctrl_c():
            _compare(parser.parse_args(arguments))
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)
    except (ValueError, OSError) as error:
        print(f"skpapers: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as end:
        with suppress(OSError):  # a terminal that hung up takes no line
            print("skpapers: interrupted", file=sys.stderr)
        return 128 + int(end.args[0] if end.args else signal.SIGINT)
    return 0
