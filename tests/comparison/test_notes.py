"""What is said about the rows and columns of a table: identifiers, leaks, and panels."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold

from skpapers.comparison._problem import make_problem

TABLES = sorted((Path(__file__).parents[2] / "benchmarks" / "data").glob("*.npz"))
T = 40
TICKERS = ["AAA", "BBB", "CCC"]
N = T * len(TICKERS)
DAYS = pd.date_range("2024-01-01", periods=T).repeat(3)
RNG = np.random.default_rng(0)
PANEL = pd.DataFrame({"day": DAYS, "ticker": TICKERS * T, "x": RNG.normal(size=N)}).sample(frac=1.0, random_state=0)
Y = RNG.normal(size=N)


def problem(X=PANEL, y=Y, **options):
    """Return the problem of a panel whose rows are shuffled."""
    return make_problem(X, y, task="auto", **options)


def test_an_asset_column_that_is_not_named():
    hint = "the rows look like a panel: use --assets ticker if 'ticker' names its assets"
    assert hint in problem().notes
    assert hint in problem(PANEL.set_index(["day", "ticker"])).notes
    assert hint not in problem(assets="ticker").notes


def test_notes_name_what_can_spoil_the_result():
    x = PANEL["x"].to_numpy() * (1 + PANEL["day"].dt.day_of_year.to_numpy())
    shown = PANEL.assign(customer_id=np.arange(N) + 10**6, again=Y * 100, z=(x - x.mean()) / x.std())
    notes = problem(shown, assets="ticker").notes
    assert notes[2:] == (
        "column 'customer_id': numbers the rows, like an identifier; drop it if it is one (--drop)",
        "possible leak: column 'again': is the target, up to scale; is that known when the prediction is made?",
        "possible leak: column 'z': mean 0 over all rows, test rows included; compute it from earlier rows only",
    )
    without_time = problem(shown.drop(columns=["day", "ticker"]), cv=5).notes
    assert any("'again'" in note for note in without_time)
    assert not any("'z'" in note for note in without_time)


def test_an_unnamed_horizon_is_noted():
    steps = np.random.default_rng(0).normal(size=2004)
    y = np.convolve(steps, np.ones(5), mode="valid")
    X = pd.DataFrame({"x": RNG.normal(size=2000)})
    hint = "possible leak: the labels seem to overlap over about 5 timestamps; --horizon 5 leaves out"
    assert any(note.startswith(hint) for note in problem(X, y, cv="time").notes)
    for enough in ({"horizon": 5}, {"horizon": 4}, {"gap": 5}):
        assert problem(X, y, cv="time", **enough).notes == ()
    for too_short in ({"gap": 1}, {"horizon": 2}):
        assert any(note.startswith(hint) for note in problem(X, y, cv="time", **too_short).notes)
    assert problem(X, y, cv=5).notes == ()
    assert problem(X, steps[4:], cv="time").notes == ()


def test_a_lagged_target_leaks_until_its_label_is_known():
    X = PANEL.assign(
        late=pd.Series(Y, PANEL.index).sort_index().groupby(PANEL["ticker"]).shift(2),
        known=pd.Series(Y, PANEL.index).sort_index().groupby(PANEL["ticker"]).shift(6),
    )
    leaks = [note for note in problem(X, assets="ticker", horizon=5).notes if note.startswith("possible leak")]
    assert len(leaks) == 1
    assert leaks[0].startswith("possible leak: column 'late': is the target of 2 rows of its asset before, which is kn")


def test_a_gap_says_nothing_about_when_a_label_is_known():
    X = PANEL.assign(late=pd.Series(Y, PANEL.index).sort_index().groupby(PANEL["ticker"]).shift(1))
    assert not any("leak" in note for note in problem(X, assets="ticker", gap=5).notes)


def test_label_ends_say_when_a_lagged_target_is_known():
    X = PANEL.assign(late=pd.Series(Y, PANEL.index).sort_index().groupby(PANEL["ticker"]).shift(2))
    ends = PANEL["day"] + pd.Timedelta(days=4)
    assert any("'late'" in note for note in problem(X, assets="ticker", time="day", label_end=ends).notes)
    ends = PANEL["day"] + pd.Timedelta(days=1)
    assert not any("'late'" in note for note in problem(X, assets="ticker", time="day", label_end=ends).notes)


def test_an_embargo_is_for_folds_that_train_on_later_rows():
    note = "the embargo changes nothing: no fold trains on rows after its test rows"
    assert note in problem(embargo=2).notes
    assert note not in problem(embargo=0).notes
    assert note not in problem(cv="purged", embargo=2).notes
    assert note not in problem(cv=KFold(3), embargo=2).notes


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_real_tables_raise_no_false_alarm(path):
    table = np.load(path, allow_pickle=True)
    y = table["y"][:, 0] if table["y"].ndim > 1 else table["y"]
    notes = make_problem(table["X"], y, task="auto", cv="time").notes
    alarms = [note for note in notes if "leak" in note or "identifier" in note or "panel" in note]
    if path.stem == "carbon":
        # the coordinates of an atom before the calculation that gives those after it
        assert alarms == [
            "possible leak: column 'x2': determines the target almost perfectly (rank correlation 0.9999); is that "
            "known when the prediction is made?"
        ]
    else:
        assert alarms == []
