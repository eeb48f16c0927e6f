"""The forecasts that the claims of DAF compare, and the series they are made for."""

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.multioutput import MultiOutputRegressor

from benchmarks.claims._statistics import interval
from skpapers.forecasting import DAFForecaster

DAF = "DAF"
TARGET = "target only"
ZERO = "zero-shot"
FINE = "fine-tuned"
JOINT = "joint, no discriminator"
RIDGE = "ridge on lags"
BOOSTING = "HistGradientBoosting on lags"
NAIVE = "seasonal naive"
LAST = "last value"
NBEATS = "N-BEATS (darts), source and target"
FRACAST = "fracast, zero-shot"
HISTORY = 48
HORIZON = 12
KNOWN = 24  # steps of a short history
FEW_SHOT = (LAST, NAIVE, RIDGE, BOOSTING, FRACAST, NBEATS, TARGET, ZERO, FINE, JOINT, DAF)
SHORT = (LAST, NAIVE, RIDGE, BOOSTING, TARGET, ZERO, FINE, DAF)
SETTINGS: dict[str, dict[str, Any]] = {
    ZERO: {"adaptation_iter": 0},
    FINE: {"adversarial_weight": 0.0, "source_weight": 0.0},
    JOINT: {"adversarial_weight": 0.0},
    DAF: {},
}


@dataclass(frozen=True)
class Task:
    """Windows of a source and of a target, and windows to forecast.

    Parameters
    ----------
    source, target, test : tuple of two ndarray, (n, history) and (n, horizon)
        Histories, NaN before a series begins, and what follows.

    season : int or None
        Steps of a season; None: each history says which lag it repeats at.
    """

    source: tuple[NDArray, NDArray]
    target: tuple[NDArray, NDArray]
    test: tuple[NDArray, NDArray]
    season: int | None = None

    @property
    def both(self) -> tuple[NDArray, NDArray, NDArray]:
        """Rows of source and target, and their domains."""
        X, y = (np.concatenate(pair) for pair in zip(self.source, self.target, strict=True))
        return X, y, np.repeat([1.0, -1.0], [len(self.source[0]), len(self.target[0])])


def waves(n: int, rng: np.random.Generator, *, bent: bool, n_steps: int) -> NDArray:
    """Return sine waves, or triangle waves whose values are bent by the exponential function, with noise."""
    turns = np.arange(n_steps) / rng.uniform(7.2, 48.0, (n, 1)) + rng.uniform(0.0, 1.0, (n, 1))
    shape = np.sin(2.0 * np.pi * turns)
    if bent:
        shape = np.exp(2.0 / np.pi * np.arcsin(shape))
    size = rng.uniform(0.5, 5.0, (n, 1))
    level = rng.uniform(-3.0, 3.0, (n, 1))
    return size * shape + level + rng.normal(0.0, 0.2, (n, n_steps))


def wave_task(seed: int, n_source: int, n_target: int, n_test: int, history: int, horizon: int) -> Task:
    rng = np.random.default_rng(seed)
    sizes = ((n_source, False), (n_target, True), (n_test, True))
    parts = [waves(n, rng, bent=bent, n_steps=history + horizon) for n, bent in sizes]
    return Task(*((part[:, :history], part[:, history:]) for part in parts))


def fitted(name: str, task: Task, seed: int, **options: Any) -> DAFForecaster:
    """Return a forecaster with the settings of a method."""
    if name == TARGET:
        return DAFForecaster(random_state=seed, device="cpu", **options).fit(*task.target)
    X, y, domain = task.both
    model = DAFForecaster(random_state=seed, device="cpu", **{**options, **SETTINGS[name]})
    return model.fit(X, y, sample_domain=domain)


def best_lag(window: NDArray) -> int:
    """Return the lag at which a history agrees best with itself, at least 4 steps and at most half of it."""
    z = window[~np.isnan(window)]
    lags = range(4, max(5, len(z) // 2 + 1))
    return min(lags, key=lambda lag: np.mean((z[lag:] - z[:-lag]) ** 2))


def seasonal_naive(task: Task) -> NDArray:
    X, y = task.test
    horizon = y.shape[1]
    made = []
    for window in X:
        lag = task.season or best_lag(window)
        made.append(np.resize(window[-lag:], horizon))
    return np.array(made)


def last_value(task: Task) -> NDArray:
    X, y = task.test
    return np.repeat(X[:, -1:], y.shape[1], axis=1)


def on_lags(model: Any, task: Task) -> NDArray:
    """Return the forecasts of a regressor on scaled windows of the target, less steps that no window has."""
    used = ~np.isnan(task.target[0]).all(axis=0)
    scaled = []
    for X, _ in (task.target, task.test):
        center = X[:, used].mean(axis=1, keepdims=True)
        scale = X[:, used].std(axis=1, keepdims=True)
        scaled.append((center, np.where(scale > 0, scale, 1.0)))
    (c, s), (c_test, s_test) = scaled
    model.fit((task.target[0][:, used] - c) / s, (task.target[1] - c) / s)
    return model.predict((task.test[0][:, used] - c_test) / s_test) * s_test + c_test


def ridge(task: Task) -> NDArray:
    return on_lags(RidgeCV(np.logspace(-3, 3, 13)), task)


def boosting(task: Task) -> NDArray:
    made = HistGradientBoostingRegressor(max_iter=50, min_samples_leaf=2, random_state=0)
    return on_lags(MultiOutputRegressor(made), task)


def nbeats(task: Task, seed: int) -> NDArray:
    """Return the forecasts of darts' N-BEATS, trained on the windows of source and target alike, scaled as ours."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from darts import TimeSeries
        from darts.models import NBEATSModel

        history = task.test[0].shape[1]
        horizon = task.test[1].shape[1]
        X, y, _ = task.both
        quiet = ("enable_progress_bar", "logger", "enable_checkpointing", "enable_model_summary")
        model = NBEATSModel(
            history,
            horizon,
            num_stacks=2,
            num_blocks=1,
            layer_widths=128,
            n_epochs=12,
            batch_size=32,
            optimizer_kwargs={"lr": 1e-3},
            random_state=seed,
            pl_trainer_kwargs={"accelerator": "cpu", **dict.fromkeys(quiet, False)},
        )
        center = X.mean(axis=1, keepdims=True)
        scale = X.std(axis=1, keepdims=True)
        rows = np.hstack([(X - center) / scale, (y - center) / scale]).astype(np.float32)
        model.fit([TimeSeries.from_values(row) for row in rows])
        X = task.test[0]
        center = X.mean(axis=1, keepdims=True)
        scale = X.std(axis=1, keepdims=True)
        windows = [TimeSeries.from_values(row) for row in ((X - center) / scale).astype(np.float32)]
        forecasts = model.predict(horizon, series=windows, verbose=False)
    return np.stack([forecast.values()[:, 0] for forecast in forecasts]) * scale + center


def fracast(task: Task) -> NDArray:
    """Return the medians of fracast with the weights of its package."""
    from fracast import FracastModel

    model = FracastModel.from_pretrained()
    found = model.forecast_batch(task.test[0], horizon=task.test[1].shape[1])
    return found[..., int(np.argmin(np.abs(np.array(model.quantiles) - 0.5)))]


PLAIN: Mapping[str, Callable[[Task], NDArray]] = {
    LAST: last_value,
    NAIVE: seasonal_naive,
    RIDGE: ridge,
    BOOSTING: boosting,
    FRACAST: fracast,
}


def forecasts(task: Task, seed: int, names: tuple[str, ...], **options: Any) -> tuple[dict[str, NDArray], Any]:
    """Return the forecasts of each method for the test windows, and the fitted DAF."""
    torch.set_num_threads(1)
    made = {}
    daf = None
    for name in names:
        if name in PLAIN:
            made[name] = PLAIN[name](task)
        elif name == NBEATS:
            made[name] = nbeats(task, seed)
        else:
            model = fitted(name, task, seed, **options)
            made[name] = model.predict(task.test[0])
            daf = model if name == DAF else daf
    return made, daf


def short(task: Task) -> Task:
    """Return the task with target histories that begin late."""

    def cut(part: tuple[NDArray, NDArray]) -> tuple[NDArray, NDArray]:
        X = part[0].copy()
        X[:, : HISTORY - KNOWN] = np.nan
        return X, part[1]

    return replace(task, target=cut(task.target), test=cut(task.test))


def cell(values: NDArray) -> str:
    if np.ptp(values) == 0:
        return f"{values[0]:.3f}"
    low, high = interval(values)
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"
