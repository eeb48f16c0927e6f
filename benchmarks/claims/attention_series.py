"""Claims about Performers, RFA and FLASH on real series, beside softmax attention, MiniRocket and DTW."""

import time
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.metrics import r2_score

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._sequence_models import METHODS, Run, model, run, score_cell, scores, seconds_cell
from benchmarks.series import CLASSIFICATION, REGRESSION, UNEQUAL, Series, load_series

TABLES = (*CLASSIFICATION, *REGRESSION)
PEERS = ("softmax", "MiniRocket", "DTW")
DONE: dict[tuple[str, str, int], Run] = {}  # so that claims of one process share the runs of the other methods
CLOSE = 5.0  # points of accuracy below MiniRocket's
LEVEL = 2.0  # points of accuracy below softmax attention's


def fitted_series(name: str, method: str, seed: int) -> Run:
    """Fit a method on the published training part and score it on the test part."""
    if method == "MiniRocket":
        return minirocket(load_series(name, equal_length=True), name in REGRESSION, seed)
    if method == "DTW":
        return nearest_neighbour(load_series(name), name in REGRESSION)
    series = load_series(name)
    task = "regression" if name in REGRESSION else "classification"
    settings: dict[str, Any] = {"mask_nan": True} if name in UNEQUAL else {}
    made = model(method, task, seed, **settings)
    return run(made, series.X_train, series.y_train, series.X_test, series.y_test)


def minirocket(series: Series, regression: bool, seed: int) -> Run:
    """Return MiniRocket's features with a ridge model, as aeon joins them; fitted twice, since the first compiles."""
    from aeon.classification.convolution_based import MiniRocketClassifier  # the pages are written without aeon
    from aeon.regression.convolution_based import MiniRocketRegressor

    kind = MiniRocketRegressor if regression else MiniRocketClassifier
    X = channels_first(series.X_train)
    kind(random_state=seed).fit(X, series.y_train)
    start = time.process_time()
    fitted = kind(random_state=seed).fit(X, series.y_train)
    spent = time.process_time() - start
    return Run(score(series.y_test, fitted.predict(channels_first(series.X_test)), regression), spent)


def nearest_neighbour(series: Series, regression: bool) -> Run:
    """Return the nearest neighbour by dynamic time warping without a window; the time is that of predicting."""
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier
    from aeon.regression.distance_based import KNeighborsTimeSeriesRegressor

    kind = KNeighborsTimeSeriesRegressor if regression else KNeighborsTimeSeriesClassifier
    fitted = kind(distance="dtw").fit(without_padding(series.X_train), series.y_train)
    X_test = without_padding(series.X_test)
    fitted.predict(X_test[:2])
    start = time.process_time()
    predicted = fitted.predict(X_test)
    return Run(score(series.y_test, predicted, regression), time.process_time() - start)


def channels_first(X: NDArray) -> NDArray:
    return np.ascontiguousarray(X.transpose(0, 2, 1))


def without_padding(X: NDArray) -> list[NDArray]:
    return [np.ascontiguousarray(window[~np.isnan(window).any(axis=1)].T) for window in X]


def score(y: NDArray, predicted: NDArray, regression: bool) -> float:
    return float(r2_score(y, predicted) if regression else np.mean(y == predicted))


def measure(key: str, seeds: int, jobs: int) -> dict[tuple[str, str], list[Run]]:
    """Return the runs by table and method; DTW has one, as no seed changes it."""
    repeats = {key: seeds, **dict.fromkeys(PEERS, seeds), "DTW": 1}
    tasks = [(name, method, seed) for name in TABLES for method, n in repeats.items() for seed in range(n)]
    left = [task for task in tasks if task not in DONE]
    DONE.update(zip(left, Parallel(n_jobs=jobs)(delayed(fitted_series)(*task) for task in left), strict=True))
    found: dict[tuple[str, str], list[Run]] = {}
    for name, method, seed in tasks:
        found.setdefault((name, method), []).append(DONE[name, method, seed])
    return found


def series(key: str, seeds: int, jobs: int) -> Result:
    found = measure(key, seeds, jobs)
    methods = (key, *PEERS)
    mean = {
        method: 100.0 * float(np.mean([scores(found[name, method]).mean() for name in CLASSIFICATION]))
        for method in methods
    }
    behind = mean["MiniRocket"] - mean[key]
    below = mean["softmax"] - mean[key]
    shows: Shows = "shows" if behind <= CLOSE else "mixed" if below <= LEVEL else "does not show"
    names = [METHODS[key], "softmax", "MiniRocket", "1-NN DTW"]
    cells = [[name, *(score_cell(found[name, method]) for method in methods)] for name in TABLES]
    times = [[name, *(seconds_cell(found[name, method]) for method in methods)] for name in TABLES]
    covid = {method: float(scores(found[REGRESSION[0], method]).mean()) for method in methods}
    lost = [n for n in CLASSIFICATION if scores(found[n, key]).mean() < scores(found[n, "MiniRocket"]).mean()]
    return Result(
        shows,
        f"{METHODS[key]} classifies {mean[key]:.1f} % of the test windows, in the mean over {len(CLASSIFICATION)} "
        f"tables; softmax attention {mean['softmax']:.1f} %, MiniRocket {mean['MiniRocket']:.1f} %, the nearest "
        f"neighbour by DTW {mean['DTW']:.1f} %. It is below MiniRocket on {', '.join(lost) or 'none of them'}. "
        f"R² on {REGRESSION[0]}: " + ", ".join(f"{names[i]} {covid[m]:.2f}" for i, m in enumerate(methods)) + ".",
        "six tables of classes and one of numbers from the UCR, UEA and TSER archives that ship with aeon, published "
        "split: 36 to 270 windows to train, of 24 to 427 steps and 1 to 12 channels, one table of unequal lengths",
        "The estimators' defaults, linear attention at every length; no setting was chosen on test data. MiniRocket "
        "with a ridge model gets the windows of unequal length at the one length of their publishers. It shows if the "
        f"mean accuracy is at most {CLOSE:.0f} points below MiniRocket's, and is mixed if it is at most {LEVEL:.0f} "
        "points below softmax attention's",
        [
            Table(
                "Accuracy (Covid3Month: R²) on the test part, mean and range over the seeds", ["data", *names], cells
            ),
            Table("CPU time of a fit on one thread, median; for DTW that of predicting", ["data", *names], times),
        ],
        {"accuracy": mean[key], **{method: mean[method] for method in methods[1:]}},
    )


@claim(
    "performer_series",
    paper="performer",
    statement="Linear attention is competitive with other efficient sequence models on real data.",
    seeds=3,
    packages=("torch", "aeon"),
)
def performer_series(seeds: int, jobs: int) -> Result:
    return series("performer", seeds, jobs)


@claim(
    "rfa_series",
    paper="rfa",
    statement="Random feature attention is as accurate as softmax attention or better, and competitive on real series.",
    seeds=3,
    packages=("torch", "aeon"),
)
def rfa_series(seeds: int, jobs: int) -> Result:
    return series("rfa", seeds, jobs)


@claim(
    "flash_series",
    paper="flash",
    statement="FLASH has the quality of transformers with full attention, and is competitive on real series.",
    seeds=3,
    packages=("torch", "aeon"),
)
def flash_series(seeds: int, jobs: int) -> Result:
    return series("flash", seeds, jobs)
