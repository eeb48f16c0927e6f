"""Features computed over all rows are named, features of single dates or of earlier rows are not."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata
from sklearn.decomposition import PCA

from skpapers.comparison._leaks import Target
from skpapers.comparison._whole_sample import likely_horizon, whole_sample_features, whole_sample_notes
from skpapers.datasets import make_returns

T = 60
A = 12
N = T * A
RNG = np.random.default_rng(0)
RANKS = np.repeat(np.arange(T), A)
ASSETS = np.tile([f"A{i}" for i in range(A)], T)
# a level and a spread that change in time, as those of most features do
X = (RNG.normal(size=N) * (1 + RANKS / T) + RANKS / 20 + RNG.gamma(2.0, size=A)[np.arange(N) % A]).astype(float)


def features(columns, assets=ASSETS, kept=None, ranks=RANKS):
    """Return the features of a table that were computed over all rows."""
    whole = pd.DataFrame(columns)
    kept = np.arange(len(whole)) if kept is None else kept
    return whole_sample_features(whole, kept, ranks[kept], list(whole), assets[kept] if assets is not None else None)


def by_date(values, function):
    """Apply a function to the rows of each date."""
    return pd.Series(values).groupby(RANKS).transform(function).to_numpy()


def by_asset(values, function):
    """Apply a function to the rows of each asset."""
    return pd.Series(values).groupby(ASSETS).transform(function).to_numpy()


def z(values, ddof=0):
    """Standardize."""
    return (values - values.mean()) / values.std(ddof=ddof)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (z(X), "mean 0 over all rows"),
        (z(X, 1), "mean 0 over all rows"),
        (z(X).round(7), "mean 0 over all rows"),
        (np.where(RNG.random(N) < 0.1, np.nan, 1.0), None),
        (X - X.mean(), "mean 0 over all rows"),
        (PCA(1).fit_transform(np.column_stack([X, RNG.normal(size=N)]))[:, 0], "mean 0 over all rows"),
        (by_asset(X, lambda s: (s - s.mean()) / s.std()), "mean 0 over all rows"),
        (rankdata(X), "ranked among all rows"),
        (pd.Series(X.round(2)).rank(pct=True).to_numpy(), "ranked among all rows"),
    ],
)
def test_features_over_all_rows(values, reason):
    assert features({"bad": values}) == ({} if reason is None else {"bad": reason})
    assert features({"bad": values}, None) == ({} if reason is None else {"bad": reason})


def test_missing_values_do_not_hide_it():
    holes = np.where(RNG.random(N) < 0.1, np.nan, X)
    assert features({"bad": (holes - np.nanmean(holes)) / np.nanstd(holes)}) == {"bad": "mean 0 over all rows"}


def test_a_window_over_the_past_has_no_value_in_the_first_rows():
    late = np.where(np.arange(N) < 252, np.nan, X)
    assert features({"bad": (late - np.nanmean(late)) / np.nanstd(late)}) == {"bad": "mean 0 over all rows"}


def test_each_asset_rounded_to_some_digits():
    bad = by_asset(X, lambda s: (s - s.mean()) / s.std()).round(7)
    assert features({"bad": bad}) == {"bad": "mean 0 over all rows of each asset"}


def test_rows_that_are_not_used_count_in_a_mean():
    kept = np.flatnonzero(RANKS < T - 5)  # no target in the last dates
    assert features({"bad": z(X)}, kept=kept) == {"bad": "mean 0 over all rows"}


@pytest.mark.parametrize(
    "values",
    [
        X,
        z(X) + 1e-3,
        by_date(X, lambda s: (s - s.mean()) / s.std()),
        by_date(X, lambda s: s - s.mean()),
        by_date(X, lambda s: s.rank(pct=True)),
        by_asset(X, lambda s: ((s - s.expanding().mean()) / s.expanding().std()).fillna(0.0)),
        np.where(np.arange(N) % 2, 1.0, -1.0),  # a balanced design
        np.arange(N),
        np.arange(N) ^ 1,  # counts, in pairs that are swapped
        RNG.permutation(np.arange(N) % 48),  # a balanced design, too
        RANKS / T,
        np.zeros(N),
        RNG.uniform(size=N),
    ],
)
def test_honest_features(values):
    assert features({"ok": values}) == {}
    assert features({"ok": values}, None) == {}


@pytest.mark.parametrize("n_days", [1, 3, 31])
def test_the_time_of_day_on_a_circle_is_honest(n_days):
    minutes = np.arange(n_days * 480)
    angle = 2 * np.pi * (minutes % 480) / 480
    assert features({"sin": np.sin(angle), "cos": np.cos(angle)}, None, ranks=minutes) == {}


def test_simulated_returns_are_honest():
    X, _ = make_returns(3000, random_state=0)
    assert features(X, None, ranks=np.arange(3000)) == {}


def test_notes():
    assert whole_sample_notes({"a": "mean 0 over all rows"}) == [
        "possible leak: column 'a': mean 0 over all rows, test rows included; compute it from earlier rows only"
    ]


@pytest.mark.parametrize("horizon", [1, 2, 5, 20])
@pytest.mark.parametrize("n_assets", [1, 8])
def test_the_horizon_of_overlapping_sums(n_assets, horizon):
    rng = np.random.default_rng(horizon)
    n_times = 6000 // n_assets
    steps = rng.normal(size=(n_times + horizon, n_assets)) + 0.3 * rng.normal(size=(n_times + horizon, 1))
    sums = np.cumsum(steps, axis=0)
    y = (sums[horizon:] - sums[:-horizon]).ravel()
    ranks = np.repeat(np.arange(n_times), n_assets)
    assets = np.tile(np.arange(n_assets), n_times)
    found = likely_horizon(Target.of(y, "regression", ranks, assets))
    assert abs(found - horizon) <= 0.1 * horizon
    assert likely_horizon(Target.of(y[:900], "regression", ranks[:900], assets[:900])) == 1
    if n_assets > 1:  # nobody knows which row follows which
        assert likely_horizon(Target.of(y, "regression", ranks, None)) == 1


@pytest.mark.parametrize("kept", [0.3, 0.5, 0.8, 0.95, 1.0])
def test_persistent_targets_are_not_sums(kept):
    steps = np.random.default_rng(0).normal(size=5000)
    y = np.empty(5000)
    level = 0.0
    for i, step in enumerate(steps):
        level = kept * level + step
        y[i] = level
    assert likely_horizon(Target.of(y, "regression", np.arange(5000), None)) == 1


def test_a_moving_average_is_no_sum():
    steps = np.random.default_rng(0).normal(size=5001)
    y = steps[1:] + 0.6 * steps[:-1]
    assert likely_horizon(Target.of(y, "regression", np.arange(5000), None)) == 1
