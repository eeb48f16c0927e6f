"""Leaks are named, and honest columns are not."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from skpapers.comparison._leaks import Target, by_reason, find_leaks, leak_notes
from skpapers.comparison._tables import clean_features
from skpapers.datasets import load_concrete, load_raisin, make_returns

N = 600
RNG = np.random.default_rng(0)
Y = RNG.normal(size=N)
CLASSES = np.array(["no", "yes"])[(Y > 0.3).astype(int)]
NOISE = RNG.normal(size=N)
SHUFFLED = RNG.permutation(N)


def leaks(columns, y=Y, *, ranks=None, assets=None, horizon=0):
    """Return the leaks of a table."""
    frame, kinds, _ = clean_features(pd.DataFrame(columns))
    task = "classification" if np.asarray(y).dtype.kind in "OU" else "regression"
    return find_leaks(frame, kinds, Target.of(np.asarray(y), task, ranks, assets), horizon)


def shifted(values, k):
    """Return the values of k rows later (earlier, if k is negative), NaN where there are none."""
    return pd.Series(values).shift(-k).to_numpy()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (Y, "is the target"),
        (1 - 2.5 * Y, "is the target, up to scale"),
        (np.where(NOISE > 1.5, np.nan, Y / 7), "is the target, up to scale"),
        (np.exp(Y), "determines the target almost perfectly (rank correlation 1.0000)"),
        (Y + 0.01 * NOISE, "determines the target almost perfectly (rank correlation 0.9999)"),
    ],
)
def test_numbers_that_hold_the_target(values, reason):
    assert leaks({"x": NOISE, "bad": values}) == {"bad": reason}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.where(CLASSES == "yes", 3, 8), "is the target under other names"),
        (np.where(CLASSES == "yes", "gone", "here"), "is the target under other names"),
        (np.where(CLASSES == "yes", "2024-01-05", None), "is missing exactly where the target is 'no'"),
        (np.where(CLASSES == "no", "here", None), "is missing exactly where the target is 'yes'"),
        (Y, "separates the classes almost perfectly (ROC AUC 1.0000)"),
        (-Y + 0.005 * NOISE, "separates the classes almost perfectly (ROC AUC 1.0000)"),
        (np.where(CLASSES == "yes", RNG.integers(0, 4, N), RNG.integers(4, 9, N)), "determines the class"),
        (np.where(CLASSES == "yes", RNG.integers(0, 2, N) * 5, RNG.integers(1, 5, N)), "determines the class"),
    ],
)
def test_columns_that_hold_the_class(values, reason):
    assert leaks({"x": NOISE, "bad": values}, CLASSES) == {"bad": reason}


def test_numbers_that_follow_from_a_value():
    code = RNG.integers(0, 12, N)
    y = RNG.normal(size=12)[code] + 1e-3 * NOISE
    assert leaks({"code": [f"c{i}" for i in code]}, y) == {"code": "determines the target almost perfectly"}


@pytest.mark.parametrize("shift", [1, 3, 5])
def test_targets_of_later_rows(shift):
    times = np.arange(N)
    found = {"bad": f"is the target of {shift} row{'s' * (shift > 1)} later"}
    assert leaks({"x": NOISE, "bad": shifted(2 * Y, shift)}) == found
    assert leaks({"bad": shifted(Y, shift)}, ranks=times) == found
    assert leaks({"bad": shifted(CLASSES, shift)}, CLASSES, ranks=times) == found


def test_targets_of_earlier_rows_leak_until_their_label_is_known():
    times = np.arange(N)
    columns = {f"lag {k}": shifted(Y, -k) for k in (1, 4, 5, 8)}
    assert leaks(columns, ranks=times) == {}
    assert leaks(columns, ranks=times, horizon=5) == {
        f"lag {k}": f"is the target of {k} row{'s' * (k > 1)} before, which is known only after 5 timestamps"
        for k in (1, 4)
    }


def test_a_panel_is_shifted_asset_by_asset():
    ranks = np.repeat(np.arange(100), 6)
    assets = np.array(list("abcdef") * 100)
    frame = pd.DataFrame({"asset": assets, "y": Y})
    bad = frame.groupby("asset")["y"].shift(-2).fillna(0.5)
    assert leaks({"bad": bad}, ranks=ranks, assets=assets) == {"bad": "is the target of 2 rows of its asset later"}
    assert leaks({"bad": bad}, ranks=ranks) == {}  # nobody knows which row follows which
    assert leaks({"ok": shifted(Y, 2)}, ranks=ranks, assets=assets) == {}


def test_honest_columns_of_a_series_of_prices():
    steps = RNG.normal(size=20000)
    price = 1000 + np.cumsum(steps)
    columns = {
        "price": price[1:-1],  # today's, for tomorrow's
        "rounded": np.round(price[1:-1]),
        "yesterday": price[:-2],
        "mean": pd.Series(price).rolling(5, min_periods=1).mean().to_numpy()[1:-1],
        "day": np.arange(19998.0),
    }
    assert leaks(columns, price[2:], ranks=np.arange(19998)) == {}
    found = leaks({"bad": price[2:] + 0.01 * steps[1:-1]}, price[2:], ranks=np.arange(19998))
    assert list(found) == ["bad"]


def test_honest_columns_of_a_panel():
    rng = np.random.default_rng(1)
    ranks = np.repeat(np.arange(200), 30)
    assets = np.tile([f"A{i}" for i in range(30)], 200)
    market = rng.normal(size=200)[ranks]
    steps = market + rng.normal(size=6000)
    y = pd.Series(steps).groupby(assets).transform(lambda s: s[::-1].rolling(5).sum()[::-1].shift(-1)).fillna(0.0)
    columns = {
        "past": pd.Series(steps).groupby(assets).transform(lambda s: s.rolling(5).sum()),
        "market": market,
        "sector": [f"s{int(a[1:]) % 5}" for a in assets],
        "month": ranks // 21,
        "z": pd.Series(steps).groupby(ranks).transform(lambda s: (s - s.mean()) / s.std()),
    }
    assert leaks(columns, y.to_numpy(), ranks=ranks, assets=assets, horizon=5) == {}
    up = np.where(y > 0, "up", "down")
    assert leaks(columns, up, ranks=ranks, assets=assets, horizon=5) == {}


def test_classes_that_hardly_change_say_nothing_about_other_rows():
    y = np.repeat(["a", "b", "a", "b"], N // 4)
    assert leaks({"x": shifted(y, 1)}, y) == {}


@pytest.mark.parametrize("rare", [1, 10])
def test_a_rare_class_is_no_evidence(rare):
    y = np.where(np.arange(N) < rare, "rare", "common")
    assert leaks({"x": np.arange(N) + 0.5, "c": np.where(np.arange(N) < 2 * rare, "p", "q")}, y) == {}
    third = np.where(np.arange(N) < rare, "p", np.where(NOISE > 0, "q", "r"))
    assert leaks({"c": third[SHUFFLED]}, y[SHUFFLED]) == {}


def test_whatever_tells_dates_apart_determines_the_target_of_a_date():
    rng = np.random.default_rng(2)
    ranks = np.repeat(np.arange(50), 40)
    market = rng.normal(size=51)
    columns = {"today": market[ranks], "day": ranks, "week": ranks // 5, "code": [f"d{i * 7 % 50}" for i in ranks]}
    assert leaks(columns, market[ranks + 1], ranks=ranks) == {}
    up = np.where(market > 0, "up", "down")[ranks + 1]
    assert leaks(columns, up, ranks=ranks) == {}
    mixed = rng.permutation(2000)
    assert leaks(pd.DataFrame(columns).iloc[mixed], market[ranks + 1][mixed], ranks=ranks[mixed]) == {}
    assert leaks(pd.DataFrame(columns).iloc[mixed], up[mixed], ranks=ranks[mixed]) == {}


def test_three_classes():
    y = np.array(["p", "q", "r"])[RNG.integers(0, 3, N)]
    first = np.where(NOISE > 0, "a", "b")
    columns = {
        "names": np.where(y == "p", 7, np.where(y == "q", 2, 4)),
        "merged": np.where(y == "p", "a", "b"),
        "split": pd.Series(np.where(y == "p", first, "c")).where(y != "r"),
    }
    assert leaks(columns, y) == {"names": "is the target under other names", "split": "determines the class"}


def test_rows_that_are_sorted_by_a_column():
    regime = np.repeat(np.arange(6), 100)
    assert leaks({"regime": regime}, np.array([0.0, 2.0, 1.0, 4.0, 3.0, 9.0])[regime] + 1e-3 * NOISE) == {}


def test_tables_without_leaks():
    for load in (load_concrete, load_raisin, load_iris, load_wine, load_breast_cancer):
        X, y = load(return_X_y=True, as_frame=True)
        assert leaks(X, y if load is load_concrete else y.astype(str).to_numpy(dtype=object)) == {}
    X, y = make_returns(3000, random_state=0)
    assert leaks(X, y, ranks=np.arange(3000)) == {}
    assert leaks(X, np.where(y > 0, "up", "down"), ranks=np.arange(3000)) == {}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_huge_and_tiny_values(scale):
    assert leaks({"x": NOISE * scale, "bad": Y * scale}) == {"bad": "is the target, up to scale"}
    code = np.arange(N) % 12
    bad = leaks({"code": code[SHUFFLED]}, scale * (Y[:12][code] + 1e-3 * NOISE)[SHUFFLED])
    assert bad == {"code": "determines the target almost perfectly"}


def test_a_column_that_is_missing_in_most_rows_is_no_evidence():
    code = np.arange(N) % 12
    y = RNG.normal(size=12)[code] + 1e-3 * NOISE
    for share in (0.4, 0.6):
        hidden = RNG.random((N, 1)) > np.full(3, share)
        numbers = pd.DataFrame({"linear": 2 * y, "monotone": np.exp(y), "code": code * 7 % 12}).mask(hidden)
        classes = pd.DataFrame(
            {"names": CLASSES, "separates": Y, "value": np.where(CLASSES == "yes", code % 2, code % 3 + 2)}
        ).mask(hidden)
        found = list(leaks(numbers, y)), list(leaks(classes, CLASSES))
        assert found == (([], []) if share < 0.5 else (list(numbers), list(classes)))


@pytest.mark.filterwarnings("error")
def test_a_column_that_is_known_where_the_target_is_constant():
    few = np.arange(N) < 0.7 * N
    assert leaks({"x": np.where(few, np.arange(N) % 3, np.nan)}, np.where(few, 0.5, Y)) == {}


def test_notes_gather_columns():
    found = dict.fromkeys("abcdefg", "is the target")
    assert by_reason(found) == [("columns 'a', 'b', 'c', 'd', 'e' and 2 more", "is the target")]
    assert leak_notes({"a": "is the target"}) == [
        "possible leak: column 'a': is the target; is that known when the prediction is made?"
    ]
