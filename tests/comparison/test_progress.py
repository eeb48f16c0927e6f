"""What a run reports on standard error."""

import io
import re

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress as RichProgress
from rich.progress import TextColumn

from skpapers.comparison import _progress
from skpapers.comparison._progress import Bar, Log, Silence, duration, on_rows, progress
from skpapers.comparison._records import Key, Metric, Outcome

LOSS = Metric("neg_mean_absolute_error", None, "MAE", loss=True)
DONE = [Outcome({LOSS.name: -score}, fit_seconds=2.0, seconds=2.5) for score in (0.1, 0.3)]


def tell(report):
    """Report a short run."""
    report.advanced(0, 3, 100.0)
    report.started(Key("tree", 0, 2000))
    report.fitted(Key("tree", 0, 2000), DONE[0])
    report.fitted(Key("tree", 1), Outcome(error="ValueError: no"))
    report.estimated(260.0, 600.0, 11, 5)
    report.estimated(7500.0, 600.0, 11, 5)
    report.row("tree", 2000, DONE)
    report.row("tree", None, [Outcome(error="ValueError: no")])
    report.stopped("slow", "stopped on all rows after 3 min")


ROWS = [
    "about 4 min for 11 methods x 5 folds",
    "about 2.1 h for 11 methods x 5 folds on all rows; slow ones run on samples within 10 min",
    "tree: MAE 0.2 +- 0.14, fit 2 s, on 2,000 rows",
    "tree: no MAE",
    "slow: stopped on all rows after 3 min",
]


def test_lines_of_a_log(capsys):
    tell(Log(LOSS))
    out, err = capsys.readouterr()
    assert out == ""
    lines = [re.fullmatch(r"\[ *[\d.]+ s\] (?:= )?(.*)", line)[1] for line in err.splitlines()]
    fits = ["tree, fold 1, on 2,000 rows: 2.5 s, MAE 0.1", "tree, fold 2: 0.00 s, failed, ValueError: no"]
    assert lines == fits + ROWS


def test_a_bar_prints_rows_and_shows_the_fit():
    file = io.StringIO()
    console = Console(file=file, width=120, force_terminal=True, color_system=None)
    columns = (TextColumn("{task.completed} of {task.total}"), TextColumn("{task.fields[left]} {task.description}"))
    with RichProgress(*columns, console=console, transient=True, auto_refresh=False) as display:
        tell(Bar(LOSS, display))
        display.refresh()
    text = re.sub(r"\x1b\[[0-9?]*[A-Za-z]", "", file.getvalue())
    assert all(row in text for row in ROWS)
    assert "0 of 3 2 min left tree, fold 1, on 2,000 rows" in text


def test_brackets_in_names_are_no_markup():
    file = io.StringIO()
    with RichProgress(console=Console(file=file, width=80), transient=True, auto_refresh=False) as display:
        Bar(LOSS, display).row("tree [bold]", None, DONE)
    assert "tree [bold]: MAE 0.2" in file.getvalue()


def test_silence(capsys):
    with progress(LOSS, 0) as report:
        assert isinstance(report, Silence)
        tell(report)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("terminal", "kind"), [(True, Bar), (False, Log)])
def test_a_terminal_has_a_bar(monkeypatch, terminal, kind):
    console = Console(file=io.StringIO(), force_terminal=terminal)
    monkeypatch.setattr("rich.console.Console", lambda stderr: console)
    with _progress.progress(LOSS, 1) as report:
        assert type(report) is kind


def test_words_for_numbers():
    assert [duration(s) for s in (0.5, 54.0, 89, 3600, 5400)] == ["0.50 s", "54 s", "1 min", "60 min", "1.5 h"]
    assert [on_rows(n) for n in (None, 200, 20_000)] == ["", "on 200 rows", "on 20,000 rows"]
    assert duration(np.inf) == "inf h"
