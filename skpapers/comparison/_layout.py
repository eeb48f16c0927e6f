"""The columns that show a comparison: the same cells on a terminal, in a notebook and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from skpapers.comparison._formats import Difference, difference_texts, score_texts, seconds_text

# What is shown in the place of a baseline, by the kind of the row.
_WITHOUT_BASELINE = {"reference": "(reference)", "own": "(yours)"}
# Columns of `Comparison.frame` that every comparison has; further metrics are between them.
FIXED_COLUMNS = (
    "method",
    "kind",
    "estimator",
    "code",
    "paper",
    "rows",
    "score",
    "sd",
    "baseline",
    "baseline_score",
    "difference",
    "interval_low",
    "interval_high",
    "p_value",
    "reference",
    "reference_difference",
    "reference_low",
    "reference_high",
    "fit_seconds",
    "baseline_fit_seconds",
    "certificate",
    "notes",
)
# On a narrow screen columns are left out in this order, after all further metrics; "short" writes a column in its short
# form, such as a score without its standard deviation. The method, its score, the rows that it was fitted on, the
# difference and its interval are always shown.
DROP_ORDER = (
    "reference_interval",
    "short certificate",
    "short rows",
    "short baseline",
    "baseline",
    "short score",
    "fit_seconds",
    "reference_difference",
    "certificate",
)


@dataclass(frozen=True)
class Column:
    """A column of text.

    Parameters
    ----------
    key : str
    header : str
        With "\\n" between two lines.
    cells : tuple of str
    right : bool, default=False
        Whether the cells are aligned at the right.
    short : Column, default=None
        The same for a narrow screen.
    """

    key: str
    header: str
    cells: tuple[str, ...]
    right: bool = False
    short: Column | None = None

    def width(self, measure: Callable[[str], int] = len) -> int:
        """Return the width of the widest cell or line of the header."""
        return max(map(measure, [*self.header.split("\n"), *self.cells]))


def further_metrics(frame: pd.DataFrame) -> list[str]:
    """Return the labels of the metrics other than the first."""
    return [name for name in frame.columns if name not in FIXED_COLUMNS]


def _score_column(frame: pd.DataFrame, metric: str, plus_minus: str) -> Column:
    """Return the scores of the first metric; or what went wrong."""

    def cells(sign: str) -> tuple[str, ...]:
        texts = score_texts(list(frame["score"]), list(frame["sd"]), sign)
        return tuple(text or _reason(notes) for text, notes in zip(texts, frame["notes"], strict=True))

    short = Column("score", metric, cells(""), right=True)
    return Column("score", f"{metric} {plus_minus} sd", cells(plus_minus), right=True, short=short)


def _reason(notes: str) -> str:
    """Return what is shown in the place of a score."""
    word = notes.replace(":", " ").partition(" ")[0]
    return word if word in ("failed", "stopped") else "no score"


def _differences(frame: pd.DataFrame, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the cells of a difference and of its interval, with the digits that the scores have."""
    differences = []
    for row in frame.to_dict("records"):
        scale = max((abs(row[key]) for key in ("score", "baseline_score", "sd") if pd.notna(row[key])), default=0.0)
        value, low, high = (row[name] for name in names)
        differences.append(Difference(value, low, high, scale))
    texts = difference_texts(differences)
    return tuple(text for text, _ in texts), tuple(interval for _, interval in texts)


def best_reference(frame: pd.DataFrame) -> str:
    """Return the name of the best reference, "" without a reference."""
    names = [name for name in frame["reference"] if name]
    return names[0] if names else ""


def table_notes(notes: Sequence[str]) -> list[str]:
    """Return the notes about the table as sentences; a note may end with a question mark."""
    return [f"Note: {note}{'' if note.endswith(('.', '?')) else '.'}" for note in notes]


def row_notes(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the notes of rows, each with the names of the rows that have it."""
    noted = frame[frame["notes"] != ""]
    groups = noted.groupby("notes", sort=False)["method"]
    return [(", ".join(names), str(notes)) for notes, names in groups]


def table_columns(frame: pd.DataFrame, metric: str, plus_minus: str = "±") -> list[Column]:
    """Return all columns of a comparison's table, in the order in which they are shown.

    Parameters
    ----------
    frame : DataFrame
        See `Comparison.to_frame`.
    metric : str
        Label of the first metric.
    plus_minus : str, default="±"
    """
    gain, interval = _differences(frame, ["difference", "interval_low", "interval_high"])
    reference = best_reference(frame)
    reference_gain, reference_interval = _differences(
        frame, ["reference_difference", "reference_low", "reference_high"]
    )
    best = tuple(
        "(best)" if name == reference else text for name, text in zip(frame["method"], reference_gain, strict=True)
    )
    baselines = tuple(
        name or _WITHOUT_BASELINE.get(kind, "") for name, kind in zip(frame["baseline"], frame["kind"], strict=True)
    )
    certificates = tuple(frame["certificate"])
    rows = tuple(frame["rows"])
    few = tuple(text.removeprefix("on ").replace(" rows", "").replace(" of ", "/") for text in rows)
    columns = [
        Column("method", "method", tuple(frame["method"])),
        _score_column(frame, metric, plus_minus),
        Column("rows", "fitted", rows, short=Column("rows", "rows", few, right=True)),
        Column("baseline", "baseline", baselines),
        Column("difference", "against\nbaseline", gain, right=True),
        Column("interval", "95 % interval", interval, right=True),
        Column("reference_difference", "against\nreference", best if reference else (), right=True),
        Column("reference_interval", "95 % interval", reference_interval, right=True),
        *(_metric_column(frame, name) for name in further_metrics(frame)),
        Column("fit_seconds", "fit s", tuple(map(seconds_text, frame["fit_seconds"])), right=True),
        Column("certificate", "certificate", certificates, short=Column("certificate", "proof", certificates)),
    ]
    return [column for column in columns if any(column.cells) or column.key in ("method", "score")]


def _metric_column(frame: pd.DataFrame, name: str) -> Column:
    """Return a further metric; its digits follow from its spread over the rows."""
    values = list(frame[name].astype(float))
    spread = float(frame[name].std()) / 10
    return Column(f"metric {name}", name, tuple(score_texts(values, [spread] * len(values), "")), right=True)


def interval_side(cell: str) -> str:
    """Return "better" for an interval above 0, "worse" for one below, "" for any other."""
    low, _, high = cell.strip("[]").partition(", ")
    if low.startswith("+") and high.startswith("+"):
        return "better"
    return "worse" if low.startswith("-") and high.startswith("-") else ""


def total_width(columns: Iterable[Column], gap: int, measure: Callable[[str], int] = len) -> int:
    """Return the width of columns side by side."""
    widths = [column.width(measure) for column in columns]
    return sum(widths) + gap * (len(widths) - 1)


def fitting_columns(
    columns: Sequence[Column], width: int, gap: int, measure: Callable[[str], int] = len
) -> list[Column]:
    """Leave out columns, in the order of `DROP_ORDER`, until the rest fits the width."""
    kept = list(columns)
    metrics = [column.key for column in columns if column.key.startswith("metric ")]
    for step in ("", *reversed(metrics), *DROP_ORDER):
        kind, _, key = step.rpartition(" ")
        if kind == "short":
            kept = [column.short if column.key == key and column.short else column for column in kept]
        else:
            kept = [column for column in kept if column.key != step]
        if total_width(kept, gap, measure) <= width:
            break
    return kept
