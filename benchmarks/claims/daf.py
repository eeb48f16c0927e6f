"""Claims of Domain Adaptation for Time Series Forecasting via Attention Sharing (Jin et al.; ICML 2022)."""

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks._report import Table
from benchmarks.claims._forecasts import (
    DAF,
    FEW_SHOT,
    FINE,
    FRACAST,
    HISTORY,
    HORIZON,
    JOINT,
    KNOWN,
    LAST,
    RIDGE,
    SHORT,
    TARGET,
    ZERO,
    Task,
    cell,
    fitted,
    forecasts,
    short,
    wave_task,
)
from benchmarks.claims._registry import Result, Shows, claim
from skpapers.forecasting import make_windows, normalized_deviation, nrmse

REAL = (LAST, RIDGE, FRACAST, TARGET, ZERO, DAF)
FASTER = {"max_iter": 8}
FLOOR = 1e-3  # added to the absolute return before the logarithm
LAST_YEAR = 2022


def table(title: str, found: dict[str, NDArray]) -> Table:
    """Return ND and NRMSE of each method, as means over seeds with 95 % intervals, and the ND of each seed."""
    rows = [
        [name, cell(errors[:, 0]), cell(errors[:, 1]), " ".join(f"{nd:.3f}" for nd in errors[:, 0])]
        for name, errors in found.items()
    ]
    return Table(title, ["method", "ND", "NRMSE", "ND by seed"], rows, "Smaller is better.")


def errors_of(task: Task, seed: int, names: tuple[str, ...], options: dict) -> tuple[NDArray, NDArray]:
    """Return ND and NRMSE of each method, and what the fitted DAF says of itself."""
    made, daf = forecasts(task, seed, names, **options)
    y = task.test[1]
    errors = np.array([(normalized_deviation(y, made[name]), nrmse(y, made[name])) for name in names])
    scores = daf.validation_scores_
    of_daf = (daf.discriminator_accuracies_[-1], daf.best_validation_score_ - scores[0])
    return errors, np.array(of_daf)


def measured(
    tasks: list[Task], names: tuple[str, ...], jobs: int, **options: int
) -> tuple[dict[str, NDArray], NDArray]:
    """Return errors of shape (n_seeds, 2) by method, and accuracy and gain on validation of shape (n_seeds, 2)."""
    done = Parallel(n_jobs=jobs)(delayed(errors_of)(task, seed, names, options) for seed, task in enumerate(tasks))
    errors = np.array([one for one, _ in done])
    return {name: errors[:, i] for i, name in enumerate(names)}, np.array([one for _, one in done])


def ratio(found: dict[str, NDArray], name: str) -> NDArray:
    """Return the ND of DAF over that of another method, for each seed."""
    return found[DAF][:, 0] / found[name][:, 0]


def losses_to(found: dict[str, NDArray]) -> str:
    better = [name for name, errors in found.items() if errors[:, 0].mean() < found[DAF][:, 0].mean()]
    return f"Better than DAF on average: {', '.join(better)}." if better else "No other method is better on average."


@claim(
    "daf_few_shot",
    paper="daf",
    statement="Sharing the attention with a source and aligning its queries and keys forecasts a target of few series "
    "better than the target alone, than fine-tuning, and than sharing without a discriminator.",
    seeds=3,
    packages=("torch", "u8darts", "fracast"),
)
def daf_few_shot(seeds: int, jobs: int) -> Result:
    tasks = [wave_task(seed, 1000, 8, 400, HISTORY, HORIZON) for seed in range(seeds)]
    found, of_daf = measured(tasks, FEW_SHOT, jobs)
    alone = float(np.median(ratio(found, TARGET)))
    fine = ratio(found, FINE)
    joint = float(np.median(ratio(found, JOINT)))
    accuracy = float(of_daf[:, 0].mean())
    kept = bool(np.all(of_daf[:, 1] >= 0))
    met = [alone <= 0.8, bool(np.all(fine <= 1.0)), kept, accuracy <= 0.65, bool(np.all(ratio(found, JOINT) < 1.0))]
    shows: Shows = "shows" if all(met) else "mixed" if alone < 1.0 else "does not show"
    return Result(
        shows,
        f"ND of DAF is x {alone:.2f} that of the target alone (median), x {np.median(fine):.2f} that of fine-tuning "
        f"(better on {np.sum(fine <= 1)} of {seeds} seeds), and x {joint:.2f} that of the joint training without "
        f"discriminator (better on {np.sum(ratio(found, JOINT) < 1)} of {seeds}). The discriminator "
        f"recognises {100 * accuracy:.0f} % of queries and keys at the end. On the "
        f"windows held back it is never worse than zero-shot. {losses_to(found)}",
        f"source: 1000 sine waves; target: 8 triangle waves bent by the exponential function, 400 others to forecast; "
        f"{HISTORY} steps, {HORIZON} ahead, random periods from 7 to 48 steps, noise",
        "ND, the sum of absolute errors over the sum of absolute values. It shows if DAF has at most 0.8 times the ND "
        "of the target alone (median), at most that of fine-tuning and less than that of the joint training without "
        "discriminator on every seed, no worse score than zero-shot on the windows held back, and a discriminator that "
        "is right at most 65 % of the time; mixed, if it is better than the target alone",
        [table("Few series of another shape", found)],
        {"target": alone, "fine": float(np.median(fine)), "joint": joint, "accuracy": accuracy},
    )


@claim(
    "daf_cold_start",
    paper="daf",
    statement="A source helps where the target's histories are short.",
    seeds=3,
    packages=("torch",),
)
def daf_cold_start(seeds: int, jobs: int) -> Result:
    tasks = [short(wave_task(seed, 500, 20, 400, HISTORY, HORIZON)) for seed in range(seeds)]
    found, _ = measured(tasks, SHORT, jobs, mask_nan=True, **FASTER)
    alone = float(np.median(ratio(found, TARGET)))
    ridge = float(np.median(ratio(found, RIDGE)))
    shows: Shows = "shows" if alone <= 0.9 else "mixed" if alone < 1.0 else "does not show"
    return Result(
        shows,
        f"ND of DAF is x {alone:.2f} that of the target alone, and x {ridge:.2f} that of ridge regression on the lags "
        f"(medians). {losses_to(found)}",
        f"the waves of the claim above, with 500 series of the source and 20 of the target, whose histories have "
        f"{KNOWN} steps where the source's have {HISTORY}",
        "ND. It shows if DAF has at most 0.9 times the ND of the target alone (median); mixed, if it is better",
        [table("Short histories", found)],
        {"target": alone, "ridge": ridge},
    )


def covered(seed: int, conformal: bool) -> NDArray:
    """Return the coverage of the interval of 80 % at each step, and its mean width over the scale of the series."""
    task = wave_task(seed, 300, 300, 400, HISTORY, HORIZON)
    options = {"quantiles": (0.1, 0.9), "conformal": conformal, "calibration_fraction": 0.5}
    model = fitted(DAF, task, seed, **options, **FASTER)
    X, y = task.test
    found = model.predict_quantiles(X)
    inside = (y >= found[..., 0]) & (y <= found[..., 1])
    width = (found[..., 1] - found[..., 0]) / X.std(axis=1, keepdims=True)
    return np.array([inside.mean(axis=0), width.mean(axis=0)])


@claim(
    "daf_intervals",
    paper="daf",
    statement="Not of the paper: conformal quantiles of the forecaster hold what they promise.",
    seeds=3,
    packages=("torch",),
)
def daf_intervals(seeds: int, jobs: int) -> Result:
    todo = [(seed, conformal) for conformal in (False, True) for seed in range(seeds)]
    done = Parallel(n_jobs=jobs)(delayed(covered)(*one) for one in todo)
    found = np.array(done).reshape(2, seeds, 2, HORIZON)
    plain, conformal = 100.0 * found[:, :, 0].mean(axis=(1, 2))
    worst = float(100.0 * np.abs(found[1, :, 0].mean(axis=-1) - 0.8).max())
    shows: Shows = "shows" if worst <= 5.0 else "mixed" if abs(conformal - 80.0) <= 5.0 else "does not show"
    rows = [
        [
            name,
            cell(100.0 * found[i, :, 0].mean(axis=-1)),
            cell(100.0 * found[i, :, 0, 0]),
            cell(100.0 * found[i, :, 0, -1]),
            cell(found[i, :, 1].mean(axis=-1)),
        ]
        for i, name in enumerate(("quantiles alone", "conformal"))
    ]
    columns = ["interval", "coverage, %", "first step", "last step", "width, in scales of the history"]
    return Result(
        shows,
        f"Intervals of 80 % cover {conformal:.1f} % of 400 new series at {HORIZON} steps, at worst {worst:.1f} points "
        f"off for a seed; without calibration {plain:.1f} %.",
        "the waves of the first claim, 300 of the source and 300 of the target, half of which calibrate",
        "coverage over all steps; it shows if it is within 5 points of 80 % for every seed",
        [Table("Coverage of intervals of 80 %", columns, rows)],
        {"coverage": float(conformal), "plain": float(plain), "worst": worst},
    )


def volatility_task(seed: int) -> Task:
    """Return windows of daily log volatility: 16 stocks over six years, four with half a year, and the year after."""
    from skfolio.datasets import load_sp500_dataset  # the pages of results are written without skfolio

    prices = load_sp500_dataset()
    log_volatility = np.log(np.abs(np.diff(np.log(prices.to_numpy()), axis=0)) + FLOOR)
    years = prices.index.year.to_numpy()[1:]
    start = int(np.flatnonzero(years == LAST_YEAR - seed)[0])
    stop = int(np.flatnonzero(years == LAST_YEAR - seed)[-1]) + 1
    fresh = np.random.default_rng(seed).permutation(log_volatility.shape[1])[:4]
    known = np.setdiff1d(np.arange(log_volatility.shape[1]), fresh)
    history = 40
    horizon = 5

    def cut(columns: NDArray, first: int, last: int, step: int) -> tuple[NDArray, NDArray]:
        found = make_windows(log_volatility[first:last][:, columns], history, horizon, step=step)
        return found.X, found.y

    source = cut(known, start - 6 * 252, start, 40)
    target = cut(fresh, start - 126, start, 5)
    return Task(source, target, cut(fresh, start - history, stop, 5))


SMALL_SERIES = {"Airline": (24, 6), "Lynx": (24, 6), "solar": (48, 12), "Uschange": (24, 6)}


def small_series(name: str) -> NDArray:
    """Return a series of the aeon package, the first column of a table; level changes of Airline as logarithms."""
    from aeon import datasets  # the pages of results are written without aeon

    loaded = {
        "Airline": datasets.load_airline,
        "Lynx": datasets.load_lynx,
        "solar": datasets.load_solar,
        "Uschange": datasets.load_uschange,
    }[name]()
    values = np.asarray(loaded, dtype=np.float64)
    series = values[np.argmin(values.shape)] if values.ndim == 2 else values
    return np.log(series) if name in ("Airline", "Lynx") else series[:400]


def small_task(name: str, seed: int) -> Task:
    """Return windows of the first 60 % of a series, waves as the source, and windows of the rest."""
    history, horizon = SMALL_SERIES[name]
    series = small_series(name)
    end = int(0.6 * len(series))
    target = make_windows(series[:end], history, horizon)
    test = make_windows(series[end - history :], history, horizon)
    rng_task = wave_task(seed, 500, 1, 1, history, horizon)
    return Task(rng_task.source, (target.X, target.y), (test.X, test.y))


@claim(
    "daf_real_series",
    paper="daf",
    statement="A source helps to forecast real series with a short past.",
    seeds=3,
    packages=("torch", "skfolio", "aeon", "fracast"),
)
def daf_real_series(seeds: int, jobs: int) -> Result:
    found, _ = measured([volatility_task(seed) for seed in range(seeds)], REAL, jobs, **FASTER)
    tables = [table("Log volatility of four stocks with half a year of history; source: 16 others", found)]
    ratios = {"volatility": float(np.median(ratio(found, TARGET)))}
    beaten = {"volatility": losses_to(found)}
    for name in SMALL_SERIES:
        small, _ = measured([small_task(name, seed) for seed in range(seeds)], REAL, jobs, **FASTER)
        tables.append(table(f"{name}; source: 500 sine waves", small))
        ratios[name] = float(np.median(ratio(small, TARGET)))
        beaten[name] = losses_to(small)
    wins = sum(value < 1.0 for value in ratios.values())
    shows: Shows = "shows" if wins == len(ratios) else "mixed" if wins else "does not show"
    listed = "; ".join(f"{name} x {value:.2f}" for name, value in ratios.items())
    return Result(
        shows,
        f"ND of DAF over that of the target alone (median): {listed}. "
        + " ".join(f"{name}: {sentence}" for name, sentence in beaten.items()),
        "daily log volatility from the prices of 20 stocks (skfolio), test years 2022, 2021, 2020, 40 days, 5 ahead; "
        "four small series (aeon), the first 60 % to learn from, the rest to forecast",
        "ND on later windows. It shows if DAF is better than the target alone in the median of every table; mixed, if "
        "in some",
        tables,
        ratios,
    )
