"""The options of the command line."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

import skpapers

# Roles of columns, and what describes a .csv file; both need a TABLE.
ROLES = ("target", "time_column", "groups", "weights", "label_end", "assets")
FORMATS = ("sep", "decimal", "thousands", "na", "date_format")
# Options whose values are lists: given several times, or with commas between the values.
REPEATED = ("metric", "reference")
LISTS = ("drop", "methods", "references", "na")

_DEFAULTS: dict[str, Any] = {"task": "auto", "gap": 0}


class Parser(argparse.ArgumentParser):
    """Report a wrong option in one line, as every other error."""

    def error(self, message: str) -> NoReturn:
        """Raise what the command line reports."""
        raise ValueError(message)


def make_parser() -> tuple[Parser, Parser]:
    """Return the parser of the command line, and that of the command `compare`.

    An option that is not given is absent from the namespace: see :func:`complete`.
    """
    parser = Parser(prog="skpapers", description="Machine-learning papers as scikit-learn estimators.")
    parser.add_argument("--version", action="version", version=f"skpapers {skpapers.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    compare = commands.add_parser(
        "compare",
        help="cross-validate every method, its baseline and reference models on a table",
        description="Cross-validate every method that fits the task, its baseline, and reference models on a table. "
        "Without TABLE: on two built-in tables.",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    compare.add_argument("table", nargs="?", metavar="TABLE", help="a .csv or .parquet file")
    for add_options in (_add_columns, _add_folds, _add_candidates, _add_run, _add_output, _add_format):
        add_options(compare)
    commands.add_parser("papers", help="list the papers, their estimators and what they are for")
    return parser, compare


def _add_columns(parser: Parser) -> None:
    add = parser.add_argument_group("columns of the table").add_argument
    add("--target", metavar="COLUMN", help="the column to predict")
    add("--task", choices=("auto", "classification", "regression"), help="default: auto")
    add("--time-column", metavar="COLUMN", help="what orders the rows; default: the only date column that is complete")
    add("--assets", metavar="COLUMN", help="what each row of a date belongs to, such as a ticker: a panel")
    add("--groups", metavar="COLUMN", help="keep rows of one group together")
    add("--weights", metavar="COLUMN|uniqueness", help="sample weights; uniqueness: that of overlapping labels")
    add("--drop", metavar="A,B", help="columns that are no features, such as identifiers")
    add(
        "--metadata", metavar="NAME=COLUMN", help="values per row for the methods whose fit takes NAME; A=B,C=D for two"
    )


def _add_folds(parser: Parser) -> None:
    add = parser.add_argument_group("folds").add_argument
    add(
        "--cv",
        metavar="5|time|walk-forward|purged",
        help="number of folds; expanding windows in time (the default as soon as a date column is complete); rolling "
        "windows; combinatorial windows",
    )
    add("--gap", type=int, metavar="N", help="distinct timestamps between training and test rows")
    add("--horizon", type=int, metavar="N", help="distinct timestamps that the target looks ahead; overlaps are purged")
    add("--label-end", metavar="COLUMN", help="the time at which each label is known, instead of --horizon")
    add("--embargo", type=int, metavar="N", help="distinct timestamps left out after a test window, with --cv purged")
    add("--train-size", type=int, metavar="N", help="distinct timestamps to train on, with --cv walk-forward")
    add("--step", type=int, metavar="N", help="distinct timestamps of a test window, with --cv walk-forward")


def _add_candidates(parser: Parser) -> None:
    add = parser.add_argument_group("what is compared").add_argument
    add(
        "--metric",
        action="append",
        metavar="NAME",
        help="r2, mae, log_loss, roc_auc, or any scikit-learn scorer; may be given several times, the first decides",
    )
    add("--methods", metavar="A,B", help="names of the methods to run; default: all")
    add("--references", metavar="A,B", help="names of the reference models to run, or none; default: all")
    add(
        "--reference",
        action="append",
        metavar="module:object|FILE",
        help="an estimator of your own, from Python, joblib or skops; may be given several times",
    )


def _add_run(parser: Parser) -> None:
    add = parser.add_argument_group("the run").add_argument
    add("--time-budget", type=float, metavar="SECONDS", help="for the whole run; default: 600")
    add("--n-jobs", type=int, metavar="N", help="worker processes; -1: all cores")
    add("--checkpoint", metavar="DIR", help="keep finished fits there; default: DIR/checkpoint with --out DIR")
    add("--resume", action="store_true", help="go on with the fits of the checkpoint")
    add("--config", metavar="FILE", help="a .toml file of options; those of the command line win")


def _add_output(parser: Parser) -> None:
    add = parser.add_argument_group("output").add_argument
    add("--out", metavar="DIR", help="write the result there, as .csv, .md, .png and .html, and the options as .toml")
    add("--save", metavar="DIR", help="write the best pipeline, fitted on all rows, and a script that predicts with it")


def _add_format(parser: Parser) -> None:
    add = parser.add_argument_group("how a .csv file is written (inferred by default)").add_argument
    add("--sep", metavar="SIGN", help="separator of the columns; tab: a tab")
    add("--decimal", metavar="SIGN", help="decimal sign, . or ,")
    add("--thousands", metavar="SIGN", help="sign between groups of three digits; space: a space")
    add("--na", metavar="A,B", help="values that are missing in every column")
    add("--date-format", metavar="FORMAT", help="the format of dates, such as %%d/%%m/%%y")


def option_name(key: str) -> str:
    """Return the option of a key: ``"--time-column"``."""
    return f"--{key.replace('_', '-')}"


def option_keys(compare: Parser) -> list[str]:
    """Return the keys of all options of `compare`, with "table"."""
    return [action.dest for action in compare._actions if action.dest not in ("help", "config")]


def complete(given: dict[str, Any], compare: Parser) -> argparse.Namespace:
    """Return the options with their defaults, None if there is no other."""
    return argparse.Namespace(**dict.fromkeys(option_keys(compare)) | _DEFAULTS | given)


def words(text: str | None) -> list[str] | None:
    """Split a text at its commas."""
    return None if text is None else [word.strip() for word in text.split(",")]
