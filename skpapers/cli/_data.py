"""The table that the options name, as the arguments of `compare`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from skpapers.cli._parser import FORMATS, ROLES, option_name, words

if TYPE_CHECKING:
    import pandas as pd

    from skpapers.comparison._cells import FileFormat

# Signs that a shell makes hard to write.
_SIGNS = {"tab": "\t", "\\t": "\t", "space": " "}
UNIQUENESS = "uniqueness"


def _file_format(options: argparse.Namespace) -> FileFormat:
    """Return the options that describe a .csv file."""
    from skpapers.comparison._cells import FileFormat

    signs = {name: getattr(options, name) for name in ("sep", "decimal", "thousands")}
    return FileFormat(
        **{name: _SIGNS.get(sign, sign) for name, sign in signs.items()},
        na=tuple(words(options.na) or ()),
        date_format=options.date_format,
    )


def _metadata(text: str | None) -> dict[str, str]:
    """Return the columns of the metadata by their names."""
    pairs = [] if text is None else [pair.partition("=") for pair in text.split(",")]
    found = {name.strip(): column.strip() for name, _, column in pairs}
    if len(found) < len(pairs) or not all(sign and name.strip() for name, sign, _ in pairs):
        raise ValueError(f"--metadata {text}: must be NAME=COLUMN, or several of them with commas, each NAME once.")
    return found


def _check_columns(frame: pd.DataFrame, named: dict[str, str]) -> None:
    """Refuse a column that the table does not have; `named` has the columns by the keys of their options."""
    for role, column in named.items():
        if column not in frame:
            names = ", ".join(map(str, frame.columns))
            found = (
                f"the columns are {names}" if len(frame.columns) > 1 else f"the only column is {names!r} (see --sep)"
            )
            option = f"--{role}" if role.startswith("metadata ") else option_name(role)
            raise ValueError(f"{option}: there is no column {column!r}; {found}.")


def own_table(options: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Return compare's arguments that hold data from the user's file, and notes about it."""
    from skpapers.comparison._files import read_table

    if options.target is None:
        raise ValueError("--target COLUMN is needed: the column to predict.")
    metadata = _metadata(options.metadata)
    named = {role: getattr(options, role) for role in ROLES if getattr(options, role) is not None}
    named |= {f"metadata {name}": column for name, column in metadata.items()}
    frame, notes = read_table(options.table, list(named.values()), _file_format(options))
    if options.weights == UNIQUENESS and UNIQUENESS not in frame:
        del named["weights"]
    _check_columns(frame, named)
    weights = named.get("weights")
    given = [options.target, weights, *{options.time_column, options.groups, *metadata.values()}]
    used = [column for column in given if column is not None]
    if len(set(used)) < len(used):
        raise ValueError("--target and --weights must each name a column that no other option names.")
    # the columns that order the rows, and the assets, are named to compare, which decides what becomes a feature
    kept = (options.time_column, options.label_end, options.assets)
    data = {
        "X": frame.drop(columns=[column for column in used if column not in kept]),
        "y": frame[options.target],
        "time": options.time_column,
        "label_end": options.label_end,
        "assets": options.assets,
        "groups": None if options.groups is None else frame[options.groups],
        "sample_weight": options.weights if weights is None else frame[weights],
        "metadata": {name: frame[column] for name, column in metadata.items()} or None,
    }
    return {name: value for name, value in data.items() if value is not None}, notes


def built_in_tables(options: argparse.Namespace) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """Return the same for the tables of the package, by their names."""
    for role in (*ROLES, "metadata", "drop"):
        if getattr(options, role) is not None:
            raise ValueError(f"{option_name(role)} names a column of TABLE; there is no TABLE.")
    for name in FORMATS:
        if getattr(options, name) is not None:
            raise ValueError(f"{option_name(name)} describes TABLE; there is no TABLE.")
    if options.task != "auto" or options.metric is not None:
        raise ValueError("--task and --metric need a TABLE: the built-in tables are one of each task.")
    from skpapers.datasets import load_concrete, load_raisin

    loaded = {"raisin": load_raisin(as_frame=True), "concrete": load_concrete(as_frame=True)}
    return {name: ({"X": bunch.data, "y": bunch.target}, []) for name, bunch in loaded.items()}
