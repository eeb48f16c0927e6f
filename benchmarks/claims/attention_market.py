"""Performers, RFA and FLASH on daily prices: the volatility of the next day, beside ridge regression on the lags."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._sequence_models import METHODS, Run, model, run, scores, seconds_cell
from benchmarks.claims._statistics import interval

LAST_YEAR = 2022
LENGTH = 64  # days of a window
YEARS = 8  # of training before each test year
STRIDE = 5  # days between the training windows of a stock
PURGED = 5  # trading days before the test year from which no training target comes
FLOOR = 1e-3  # added to the absolute return before the logarithm
CAUSAL = {"pool": "last", "causal": True}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "RFA, gate": ("rfa", {**CAUSAL, "gate": True, "positions": None}),
    "RFA": ("rfa", CAUSAL),
    "Performer": ("performer", CAUSAL),
    "FLASH": ("flash", CAUSAL),
    "softmax": ("softmax", CAUSAL),
}
LINEAR = ("ridge on lags", "means of 1, 5 and 22 days")
LAGS = LINEAR[0]


@dataclass(frozen=True)
class Panel:
    """Windows of all stocks that end on the days before their targets.

    Parameters
    ----------
    X : ndarray of shape (n_days, n_stocks, length, 3)
        Channels: the stock's log volatility, its return, and the mean log volatility of all stocks.

    y : ndarray of shape (n_days, n_stocks)
        Log volatility of the day after the window.

    years : ndarray of shape (n_days,)
        The year of that day.
    """

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    years: NDArray[np.int64]


@cache
def panel() -> Panel:
    """Return the windows of skfolio's daily prices of 20 stocks; a window holds no day after its end."""
    from skfolio.datasets import load_sp500_dataset  # the pages of results are written without skfolio

    prices = load_sp500_dataset()
    returns = np.diff(np.log(prices.to_numpy()), axis=0)
    volatility = np.log(np.abs(returns) + FLOOR)
    market = np.broadcast_to(volatility.mean(axis=1, keepdims=True), returns.shape)
    channels = np.stack([volatility, returns, market], axis=-1)
    windows = np.lib.stride_tricks.sliding_window_view(channels, LENGTH, axis=0)[:-1]  # (day, stock, channel, step)
    years = prices.index.year.to_numpy()[1 + LENGTH :]
    return Panel(windows.transpose(0, 1, 3, 2), volatility[LENGTH:], years)


def parts(year: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return windows whose targets lie in the years before `year`, less a gap, and those whose targets lie in it."""
    data = panel()
    test = np.flatnonzero(data.years == year)
    start = np.flatnonzero(data.years == year - YEARS)[0]
    train = np.arange(start, test[0] - PURGED, STRIDE)
    flat = (-1, *data.X.shape[2:])
    return data.X[train].reshape(flat), data.y[train].ravel(), data.X[test].reshape(flat), data.y[test].ravel()


def lags(X: NDArray) -> NDArray:
    return X.reshape(len(X), -1)


def past_means(X: NDArray) -> NDArray:
    """Return the means of both volatilities over the last 1, 5 and 22 days (Corsi's HAR)."""
    return np.hstack([X[:, -n:, (0, 2)].mean(axis=1) for n in (1, 5, 22)])


def fitted_year(name: str, seed: int) -> tuple[Run, NDArray | None]:
    """Fit one model for the test year of a seed; also return the half-lives that a gate has learned."""
    X, y, X_test, y_test = parts(LAST_YEAR - seed)
    if name == LAGS:
        alphas = np.logspace(0, 5, 11)
        made = make_pipeline(FunctionTransformer(lags), StandardScaler(), RidgeCV(alphas))
    elif name in LINEAR:
        made = make_pipeline(FunctionTransformer(past_means), LinearRegression())
    else:
        method, settings = NETWORKS[name]
        made = model(method, "regression", seed, **settings)
    one = run(made, X, y, X_test, y_test)
    return one, getattr(made, "half_life_", None)


@claim(
    "attention_market",
    paper="rfa",
    statement="The learned gate gives random feature attention a bias to recent steps, which suits sequences in which "
    "locality matters (the market is not the paper's).",
    seeds=8,
    packages=("torch", "skfolio"),
)
def attention_market(seeds: int, jobs: int) -> Result:
    methods = (*NETWORKS, *LINEAR)
    tasks = [(name, seed) for seed in range(seeds) for name in methods]
    done = Parallel(n_jobs=jobs)(delayed(fitted_year)(*task) for task in tasks)
    found: dict[str, list[Run]] = {name: [] for name in methods}
    half_lives = []
    for (name, _), (one, lives) in zip(tasks, done, strict=True):
        found[name].append(one)
        if lives is not None:
            half_lives.append(lives.ravel())
    gains = {name: scores(found[name]) - scores(found[LAGS]) for name in methods}
    bounds = {name: interval(gains[name]) for name in methods}
    gated = "RFA, gate"
    better = bounds[gated][0] > 0
    shows: Shows = "shows" if better else "mixed" if gains[gated].mean() > 0 else "does not show"
    below = [name for name in NETWORKS if gains[name].mean() < 0]
    lives = np.concatenate(half_lives)
    rows = [
        [
            name,
            f"{scores(runs).mean():.3f}",
            f"{gains[name].mean():+.4f} [{bounds[name][0]:+.4f}, {bounds[name][1]:+.4f}]",
            f"{int((gains[name] > 0).sum())} of {seeds}",
            seconds_cell(runs),
        ]
        for name, runs in found.items()
    ]
    by_year = [
        [str(LAST_YEAR - seed), *(f"{found[name][seed].score:.3f}" for name in methods)] for seed in range(seeds)
    ]
    low, high = bounds[gated]
    return Result(
        shows,
        f"R² of the next day's log volatility: gated RFA {scores(found[gated]).mean():.3f}, ridge on lags "
        f"{scores(found[LAGS]).mean():.3f}; the gain is {gains[gated].mean():+.4f} [{low:+.4f}, {high:+.4f}]. Below "
        f"ridge in the mean: {', '.join(below) or 'no network'}. The half-lives of the gates are {lives.min():.1f} to "
        f"{lives.max():.1f} days, median {np.median(lives):.1f}.",
        "daily prices of 20 stocks, 1990 to 2022, packaged with skfolio (stocks that survived); the target is the "
        f"logarithm of the next day's absolute return + {FLOOR}",
        f"Windows of {LENGTH} days with three channels: own log volatility, own return, mean log volatility of all "
        f"stocks. {METHODS['rfa']} and the others with their defaults, causal, read at the last day. Each seed is a "
        f"test year, the last one {LAST_YEAR}; the {YEARS} years before it train, every {STRIDE}th day of each stock, "
        f"without targets of the last {PURGED} days. Ridge sees the same {3 * LENGTH} lags, its alpha by leave-one-out "
        "on the training rows. It shows if the gain of gated RFA over ridge is above 0 beyond the 95 % interval over "
        "years, and is mixed if its mean is above 0",
        [
            Table(
                f"R² over {seeds} test years",
                ["model", "R²", "over ridge on lags, 95 %", "better in", "CPU"],
                rows,
            ),
            Table("R² by year", ["year", *methods], by_year),
        ],
        {"gain": float(gains[gated].mean()), "low": low, "high": high, "ridge": float(scores(found[LAGS]).mean())},
    )
