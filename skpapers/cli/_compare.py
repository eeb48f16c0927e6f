"""The command `compare`: from the options to what is printed and written."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import skpapers
from skpapers.cli._config import command_of, config_text, read_config
from skpapers.cli._data import built_in_tables, own_table
from skpapers.cli._parser import ROLES, Parser, complete, option_name, words

if TYPE_CHECKING:
    from skpapers.comparison import Comparison

_OWN = "comparison"  # name of the files about a table of the user
_SCHEMES = ("time", "walk-forward", "purged")
# Options that are passed on under their own names.
_PASSED_ON = ("task", "gap", "horizon", "embargo", "train_size", "step", "time_budget", "n_jobs", "resume")


class _Folders(NamedTuple):
    """Where the result and the best pipeline are written, None for nowhere."""

    out: Path | None
    save: Path | None


def _cv(text: str) -> int | str:
    if text in _SCHEMES:
        return text
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"--cv {text}: must be a number of folds, {', '.join(_SCHEMES[:-1])} or purged.") from None


def _folder(options: argparse.Namespace, key: str) -> Path | None:
    """Make a folder before anything runs, so that a wrong path loses no result."""
    path = getattr(options, key)
    if path is None:
        return None
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{option_name(key)} {path}: cannot be made ({error.strerror}).") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"{option_name(key)} {path}: cannot be written to.")
    return folder


def _estimators(options: argparse.Namespace) -> dict[str, Any]:
    """Return the estimators of the user by their names."""
    from skpapers.comparison._references import load_reference

    found: dict[str, Any] = {}
    for text in options.reference or []:
        name, estimator = load_reference(text)
        if name in found:
            raise ValueError(f"--reference {text}: {name!r} is given twice; NAME={text} gives it another name.")
        found[name] = estimator
    return found


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return compare's arguments other than the data; what is not given is left out."""
    metrics = options.metric or []
    references = words(options.references)
    settings = {
        **{key: getattr(options, key) for key in _PASSED_ON},
        "cv": None if options.cv is None else _cv(options.cv),
        "scoring": metrics[0] if len(metrics) == 1 else metrics or None,
        "methods": words(options.methods),
        "references": [] if references == ["none"] else references,
        "drop": words(options.drop),
        "estimators": _estimators(options) or None,
        "checkpoint": _checkpoint(options),
    }
    return {key: value for key, value in settings.items() if value is not None}


def _checkpoint(options: argparse.Namespace) -> str | None:
    """Return the folder of finished fits."""
    if options.checkpoint is not None:
        return str(_folder(options, "checkpoint"))
    if options.out is not None:
        return str(Path(options.out) / "checkpoint")
    if options.resume:
        raise ValueError("--resume needs the folder of the finished fits: --checkpoint DIR, or the --out DIR of then.")
    return None


@contextmanager
def _explained(options: argparse.Namespace, notes: list[str]) -> Iterator[None]:
    """Add to an error the notes about columns that have a role."""
    try:
        yield
    except ValueError as error:
        heads = tuple(f"column {getattr(options, role)!r} " for role in ROLES)
        raise ValueError(" ".join([str(error), *(f"Note: {n}." for n in notes if n.startswith(heads))])) from error


def _save(result: Comparison, folder: Path) -> None:
    """Write the best pipeline, fitted on all rows, and say where it is."""
    from skpapers.comparison._save import save_model

    notes = save_model(result.best_estimator_, folder, result.best_method_)
    for line in (f"{result.best_method_} is in {folder}: python {folder / 'predict.py'} TABLE.csv predicts", *notes):
        print(f"skpapers: {line}", file=sys.stderr)


def _write(name: str, heading: str, result: Comparison, folder: Path, config: str) -> None:
    """Write the table as .csv, .md and .png, the report, and the options of the run."""
    from skpapers.comparison._display import figure_of

    result.to_frame().to_csv(folder / f"{name}.csv", index=False)
    (folder / f"{name}.md").write_text(result.to_markdown(), encoding="utf-8")
    figure_of(result).savefig(folder / f"{name}.png", dpi=150)
    (folder / f"{name}.toml").write_text(config, encoding="utf-8")
    result.report(folder / ("report.html" if name == _OWN else f"{name}.html"), name=heading)


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


def _with_notes(result: Comparison, notes: list[str], command: str) -> Comparison:
    """Return the result with the command and the notes about the file; a column that is a category is noted once."""
    noted = {note.split(":")[0] for note in notes}
    rest = (note for note in result.notes if note.split(":")[0] not in noted)
    return replace(result, notes=(*notes, *rest), command=command)


def run_compare(given: dict[str, Any], compare: Parser) -> bool:
    """Run the command.

    Parameters
    ----------
    given : dict
        The options that the user gave.
    compare : Parser

    Returns
    -------
    complete : bool
        False if the run was interrupted.
    """
    path = given.pop("config", None)
    if path is not None:
        given = read_config(path, compare) | given
    options = complete(given, compare)
    folders = _Folders(_folder(options, "out"), _folder(options, "save"))
    settings = _settings(options)
    tables = built_in_tables(options) if options.table is None else {_OWN: own_table(options)}
    checkpoint = settings.get("checkpoint")
    for name, (data, notes) in tables.items():
        heading = Path(options.table).name if options.table else name
        if len(tables) > 1 and checkpoint is not None:
            settings["checkpoint"] = str(Path(checkpoint) / name)
        with _explained(options, notes):
            result = skpapers.comparison.compare(**data, **settings, verbose=1)
        result = _with_notes(result, notes, command_of(given))
        read = False
        try:  # the screen comes first: the report takes a while
            read = _print(heading, result)
        finally:
            _write_all(name, heading, result, folders, config_text(given))
        if result.fits.interrupted:
            return False
        if folders == _Folders(None, None) and not read:
            return True
    return True


def _write_all(name: str, heading: str, result: Comparison, folders: _Folders, config: str) -> None:
    """Write what the user asked for; a run that was interrupted has no best pipeline yet."""
    if folders.out is not None:
        _write(name, heading, result, folders.out, config)
    if folders.save is not None and not result.fits.interrupted and result.best_method_:
        folder = folders.save if name == _OWN else folders.save / name
        folder.mkdir(exist_ok=True)
        _save(result, folder)
