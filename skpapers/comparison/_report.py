"""The report: one HTML file with the table, its pictures and the code of every row, which needs no network."""

from __future__ import annotations

import base64
import hashlib
import platform
import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from skpapers.comparison._layout import best_reference, further_metrics
from skpapers.comparison._report_content import CALL, make_axes, make_rows
from skpapers.comparison._report_sections import all_notes, figure_groups, importance_section, tree_section
from skpapers.comparison._summary import metric_columns

if TYPE_CHECKING:
    from skpapers.comparison._result import Comparison

_FOLDER = "_report_template"
# A name with a longer word is broken anywhere.
_LONG_WORD = 22


def _text(name: str) -> str:
    return (files("skpapers.comparison") / _FOLDER / name).read_text(encoding="utf-8")


def breakable(name: str) -> Markup:
    """Allow a line break inside a name such as HistGradientBoosting or interest_rate."""
    return Markup(re.sub(r"(?<=[a-z])(?=[A-Z][a-z])|(?<=_)(?=[^_])", "<wbr>", str(escape(name))))


@cache
def _environment() -> Environment:
    """Return the environment of the templates, which escapes every string that it is given."""
    environment = Environment(
        loader=PackageLoader("skpapers.comparison", _FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["breakable"] = breakable
    environment.tests["awkward"] = lambda name: max(map(len, re.split(r"[\s_]", name))) > _LONG_WORD
    environment.tests["finite"] = lambda value: value is not None and bool(np.isfinite(value))
    return environment


def _versions() -> str:
    packages = ("skpapers", "scikit-learn", "numpy")
    return ", ".join([*(f"{name} {version(name)}" for name in packages), f"Python {platform.python_version()}"])


def _is_sorted(scores: Sequence[float], *, ascending: bool) -> bool:
    """Whether the scores are in order; those of rows that lack a fold come after the others."""
    known = np.array([score for score in scores if np.isfinite(score)])
    steps = np.diff(known) if ascending else -np.diff(known)
    return bool(len(known) and (steps >= 0).all() and np.isfinite(scores[: len(known)]).all())


def render(result: Comparison, name: str) -> str:
    """Return the report as HTML."""
    rows = make_rows(result)
    metrics = result.problem.metrics
    columns = metric_columns(result.problem)
    losses = {columns[metric.name] for metric in metrics[1:] if metric.loss}
    script = _text("report.js")
    context: dict[str, Any] = {
        "name": name,
        "title": result.title,
        "verdict": result.verdict,
        "metric": metrics[0].label,
        "loss": metrics[0].loss,
        "is_sorted": _is_sorted([row.score for row in rows], ascending=metrics[0].loss),
        "labels": [{"text": label, "loss": label in losses} for label in further_metrics(result.frame)],
        "rows": rows,
        "axes": make_axes(rows),
        "n_folds": len(result.problem.plan.folds),
        "has_baselines": any(row.baseline for row in rows),
        "has_pairs": any(row.paired for row in rows),
        "best_reference": best_reference(result.frame) if any(row.reference for row in rows) else "",
        "has_certificates": any(row.certificate for row in rows),
        "how_to_read": result.how_to_read,
        "groups": figure_groups(result, rows),
        "importances": importance_section(result, rows),
        "tree": tree_section(result),
        "notes": all_notes(result),
        "command": result.command,
        "is_call": result.command.startswith(CALL),
        "versions": _versions(),
        "css": Markup(_text("report.css")),
        "js": Markup(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
    return _environment().get_template("report.html").render(context)


def write_report(result: Comparison, path: str | Path, name: str) -> Path:
    """Write the report of a comparison.

    Parameters
    ----------
    result : Comparison
    path : str or Path
        The file; its folder must exist.
    name : str
        The heading.

    Returns
    -------
    Path
    """
    file = Path(path)
    if file.is_dir():
        raise ValueError(f"report: {file} is a folder; give the path of a file, such as {file / 'report.html'}.")
    if not file.parent.is_dir():
        raise ValueError(f"report: the folder {file.parent} does not exist.")
    file.write_text(render(result, name), encoding="utf-8")
    return file
