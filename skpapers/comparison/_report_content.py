"""What the report says, in the order of its sections: numbers as text, and the values that its charts draw."""

from __future__ import annotations

import ast
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline

from skpapers.comparison._call import with_argument
from skpapers.comparison._layout import best_reference, further_metrics, table_columns
from skpapers.comparison._records import Candidate, Fits
from skpapers.comparison._report_charts import Axis, written

if TYPE_CHECKING:
    from skpapers.comparison._result import Comparison

# How the command of a comparison begins that was made in Python.
CALL = "skpapers.compare("
_KINDS = {"method": "paper", "reference": "reference", "own": "your estimator"}


@dataclass(frozen=True)
class Point:
    """The value of a fold."""

    fold: int
    value: float
    text: str


@dataclass(frozen=True)
class Difference:
    """A paired difference with its interval; positive is better."""

    against: str
    value: float
    low: float
    high: float
    text: str
    interval: str
    p_value: str


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    name: str
    kind: str
    estimator: str
    paper: str
    rows: str
    score: float
    score_text: str
    sd_text: str
    further: list[tuple[float, str]]
    baseline: Difference | None
    reference: Difference | None
    is_best_reference: bool
    fit_seconds: float
    fit_text: str
    certificate: str
    notes: str
    script: str
    baseline_script: str
    command: str
    folds: list[Point] = field(default_factory=list)
    paired: list[Point] = field(default_factory=list)


@dataclass(frozen=True)
class Axes:
    """The axes that the rows share."""

    baseline: Axis
    reference: Axis
    folds: Axis
    paired: Axis


def _modules(code: str) -> list[str]:
    """Return the modules that an expression of dotted names needs."""
    found = set()
    for node in ast.walk(ast.parse(code, mode="eval")):
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
            node = node.value
        if names and isinstance(node, ast.Name):
            found.add(".".join([node.id, *names[:-1]]))
    return sorted(name for name in found if not any(other.startswith(f"{name}.") for other in found))


def _class_imports(candidate: Candidate) -> list[str]:
    """Return the imports of classes that the code names without their modules, as the code of a user's estimator."""
    calls = [node.func for node in ast.walk(ast.parse(candidate.code, mode="eval")) if isinstance(node, ast.Call)]
    names = {function.id for function in calls if isinstance(function, ast.Name)}
    estimator = candidate.estimator
    parts = [] if estimator is None else [estimator, *estimator.get_params().values()]
    classes = {type(part).__name__: type(part).__module__ for part in parts}
    return [f"from {_public(classes[name], name)} import {name}" for name in sorted(names) if name in classes]


def _public(module: str, name: str) -> str:
    """Return the package that has the name, such as "sklearn.tree" for "sklearn.tree._classes"."""
    package = module.partition("._")[0]
    return package if hasattr(sys.modules.get(package), name) else module


def script(candidate: Candidate) -> str:
    """Return the lines that build a candidate's estimator, "" if its code is no expression."""
    try:
        modules = _modules(candidate.code)
    except SyntaxError:
        return ""
    lines = [*(f"import {name}" for name in modules), *_class_imports(candidate)]
    return "\n".join([*lines, "", f"model = {candidate.code}"]).strip()


def command_of(name: str, command: str) -> str:
    """Return the command, or the call, that runs one method and its baseline; "" if the comparison has neither."""
    if command.startswith(CALL):
        return with_argument(command, "methods", [name])
    return f"{command} --methods {shlex.quote(name)}" if command else ""


def _p_value(value: float) -> str:
    if not np.isfinite(value):
        return ""
    text = "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _differences(frame: pd.DataFrame, cells: _Cells, head: str, against: str) -> list[Difference | None]:
    """Return one of the two kinds of differences of the table."""
    names = [f"{head}difference"] + [f"{head or 'interval_'}{end}" for end in ("low", "high")]
    p_values = [np.nan] * len(frame) if head else frame["p_value"]
    found: list[Difference | None] = []
    for number, (value, low, high) in enumerate(frame[names].to_numpy(dtype=np.float64)):
        if not frame[against][number] or not np.isfinite(value):
            found.append(None)
            continue
        text = cells.at(f"{head}difference", number)
        interval = cells.at(f"{head}interval", number)
        found.append(Difference(frame[against][number], value, low, high, text, interval, _p_value(p_values[number])))
    return found


class _Cells:
    """The text of the table's cells, the same as on a terminal."""

    def __init__(self, result: Comparison) -> None:
        columns = table_columns(result.frame, result.problem.metrics[0].label)
        self._cells = {column.key: column.cells for column in columns}

    def at(self, key: str, number: int) -> str:
        """Return the text of a column in a row, "" in a column that is left out."""
        text = self._cells[key][number] if key in self._cells else ""
        return text.replace("-", "\N{MINUS SIGN}")


def _points(values: NDArray[np.float64], spread: float, *, signed: bool = False) -> list[Point]:
    texts = written(values, spread, signed=signed)
    points = zip(range(1, len(values) + 1), map(float, values), texts, strict=True)
    return [Point(*point) for point in points if np.isfinite(point[1])]


def _fold_points(result: Comparison) -> dict[str, tuple[list[Point], list[Point]]]:
    """Return the scores of the folds of each row, in the units of the metric, and the differences to its baseline."""
    metric = result.problem.metrics[0]
    n_folds = len(result.problem.plan.folds)
    fits: Fits = result.fits
    found = {}
    for name, baseline in zip(result.frame["method"], result.frame["baseline"], strict=True):
        max_rows = fits.shown.get(name)
        scores = fits.scores(name, metric.name, max_rows, n_folds)
        shown = np.array([metric.shown(score) for score in scores])
        paired = np.full(n_folds, np.nan)
        if baseline:
            paired = scores - fits.scores(baseline, metric.name, max_rows, n_folds)
        spread = np.nanstd(shown) if np.isfinite(shown).any() else np.nan
        found[name] = (_points(shown, spread), _points(paired, spread, signed=True))
    return found


def make_rows(result: Comparison) -> list[Row]:
    """Return the rows of the table, in its order."""
    frame = result.frame
    candidates = {candidate.name: candidate for candidate in result.candidates}
    labels = further_metrics(frame)
    cells = _Cells(result)
    baseline = _differences(frame, cells, "", "baseline")
    reference = _differences(frame, cells, "reference_", "reference")
    points = _fold_points(result)
    rows = []
    for number, record in enumerate(frame.to_dict("records")):
        name = record["method"]
        score, _, deviation = cells.at("score", number).partition(" ± ")
        rows.append(
            Row(
                name=name,
                kind=_KINDS.get(record["kind"], record["kind"]),
                estimator=record["estimator"],
                paper=record["paper"],
                rows=record["rows"],
                score=record["score"],
                score_text=score,
                sd_text=deviation,
                further=[(record[label], cells.at(f"metric {label}", number)) for label in labels],
                baseline=baseline[number],
                reference=reference[number],
                is_best_reference=name == best_reference(frame),
                fit_seconds=record["fit_seconds"],
                fit_text=cells.at("fit_seconds", number),
                certificate=record["certificate"],
                notes=record["notes"],
                script=script(candidates[name]),
                baseline_script=script(candidates[record["baseline"]]) if record["baseline"] in candidates else "",
                command=command_of(name, result.command) if record["kind"] == "method" else "",
                folds=points[name][0],
                paired=points[name][1],
            )
        )
    return rows


def make_axes(rows: list[Row]) -> Axes:
    """Return the axes on which the rows are drawn."""

    def of_differences(differences: list[Difference]) -> Axis:
        ends = [(difference.low, difference.high) for difference in differences]
        return Axis.of([difference.value for difference in differences], ends, zero=True)

    return Axes(
        baseline=of_differences([row.baseline for row in rows if row.baseline]),
        reference=of_differences([row.reference for row in rows if row.reference]),
        folds=Axis.of([point.value for row in rows for point in row.folds]),
        paired=Axis.of([point.value for row in rows for point in row.paired], zero=True),
    )


@dataclass(frozen=True)
class OutOfFold:
    """The predictions of a candidate for the test rows of all folds."""

    rows: NDArray[np.intp]
    values: NDArray
    probabilities: NDArray[np.float64] | None


def out_of_fold(result: Comparison, name: str) -> OutOfFold | None:
    """Return the stored predictions that a row of the table reports, None without any."""
    outcomes = result.fits.of(name, result.fits.shown.get(name), len(result.problem.plan.folds))
    found = [outcome.prediction for outcome in outcomes if outcome is not None and outcome.prediction is not None]
    if not found:
        return None
    probabilities = [prediction.probabilities for prediction in found if prediction.probabilities is not None]
    return OutOfFold(
        np.concatenate([prediction.rows for prediction in found]),
        np.concatenate([prediction.values for prediction in found]),
        np.concatenate(probabilities) if len(probabilities) == len(found) else None,
    )


def shown_rows(rows: list[Row], candidates: Sequence[Candidate]) -> list[str]:
    """Return the names of the rows in the figures: the best, the best reference and the best method of a paper.

    A candidate that predicts the same for every row is left out.
    """
    constant = {candidate.name for candidate in candidates if is_constant(candidate.estimator)}
    able = [row for row in rows if row.name not in constant and np.isfinite(row.score)]
    names = [row.name for row in able[:1]]
    names += [row.name for row in able if row.kind == "reference"][:1]
    names += [row.name for row in able if row.kind == "paper"][:1]
    return list(dict.fromkeys(names))


def is_constant(estimator: Any) -> bool:
    """Whether the estimator, or the last step of the Pipeline, is a dummy of scikit-learn."""
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    return isinstance(last, DummyClassifier | DummyRegressor)
