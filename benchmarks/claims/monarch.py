"""Claims of Monarch (Dao et al., ICML 2022), one for each of the three ways to train."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._statistics import interval
from benchmarks.tables import load_shuffled
from skpapers.neural_network import MonarchMLPClassifier

WIDTH = 1024
RATES = (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)
TUNING_SPLITS = 3
WIDE = {"wide 256": (256, 8, 1.0), "wide 512": (512, 16, 2.0)}  # columns, factors behind them, weight of the gates
N_TRAIN = 2400
N_TEST = 5000
WIDE_SEEDS = 3
DATA = ("digits", *WIDE)
WIDER = {f"{name}, 2048 units": name for name in DATA}  # at this width a dense matrix takes most of a step
NETWORK = {
    "activation": "relu",
    "numeric_embedding": "none",
    "scaling": "standard",
    "dropout": 0.0,
    "alpha": 0.01,
    "batch_size": 128,
    "calibration": None,
    "device": "cpu",
}
SOURCES = (
    "digits (1347 rows to train, 450 to test); two made tables of 256 and 512 correlated columns, with interactions of "
    f"twelve of them ({N_TRAIN} and {N_TEST} rows; {WIDE_SEEDS} seeds)"
)


PROTOCOL = (
    f"ReLU networks with two hidden layers of {WIDTH} units, or of the number named; the residual around the second "
    "one, AdamW, batches of 128, cosine; 20 epochs on digits and 15 on the wide tables. For each form and table the "
    f"rate is the best of {RATES} on a quarter of the training rows, in the mean over {TUNING_SPLITS} splits. CPU time "
    "of the fits on one thread. "
)


@dataclass(frozen=True)
class Run:
    """One fit: accuracy in points, CPU seconds, and parameters of the hidden matrix."""

    accuracy: float
    spent: float
    n_hidden: int


@cache
def wide_table(name: str) -> tuple[NDArray, NDArray]:
    """Return correlated columns, and two classes: gates open by six columns let six others through."""
    p, n_factors, weight = WIDE[name]
    rng = np.random.default_rng(p)
    factors = rng.normal(size=(N_TRAIN + N_TEST, n_factors))
    loadings = rng.normal(size=(n_factors, p)) / np.sqrt(n_factors)
    X = factors @ loadings + 0.3 * rng.normal(size=(len(factors), p))
    X /= X.std(axis=0)
    s = X[:, rng.choice(p, 12, replace=False)]
    score = s @ rng.normal(size=12) * 0.75 + weight * np.where(s[:, :6] > 0, s[:, 6:], 0.0).sum(axis=1)
    return X, (score > np.median(score)).astype(int)


def split(name: str, seed: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return training and test rows; the test rows of wide tables are the same for every seed."""
    name = WIDER.get(name, name)
    if name == "digits":
        X, y = load_shuffled(name)
        X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=450, random_state=seed, stratify=y)
        return X_train, y_train, X_test, y_test
    X, y = wide_table(name)
    return X[:N_TRAIN], y[:N_TRAIN], X[N_TRAIN:], y[N_TRAIN:]


def model(name: str, mode: str, rate: float, seed: int, **more: object) -> MonarchMLPClassifier:
    """Return an estimator; dense matrices learn at half of `learning_rate_init`, so that `rate` is that of the form."""
    epochs = 15 if WIDER.get(name, name) in WIDE else 20
    init = 2.0 * rate if mode == "dense" else rate
    width = 2 * WIDTH if name in WIDER else WIDTH
    settings = {**NETWORK, "hidden_layer_sizes": (width, width), "max_iter": epochs, "learning_rate_init": init}
    settings |= {"random_state": seed, **more}
    return MonarchMLPClassifier(mode=mode, **settings)


def run(name: str, seed: int, make: Callable[[], MonarchMLPClassifier]) -> Run:
    X, y, X_test, y_test = split(name, seed)
    fitted = make()
    start = time.process_time()
    fitted.fit(X, y)
    spent = time.process_time() - start
    weights = fitted._fitted.weights
    n_hidden = sum(value.size for key, value in weights.items() if key.startswith("layers.1.") and "bias" not in key)
    return Run(100.0 * fitted.score(X_test, y_test), spent, n_hidden)


@cache
def best_rate(name: str, mode: str, jobs: int) -> float:
    """Return the rate of the best mean accuracy on a quarter of the training rows; the test rows are never seen."""

    def accuracy(rate: float, k: int) -> float:
        torch.set_num_threads(1)
        X, y, _, _ = split(name, 0)
        X_fit, X_val, y_fit, y_val = train_test_split(X, y, test_size=0.25, random_state=k, stratify=y)
        return model(name, mode, rate, k).fit(X_fit, y_fit).score(X_val, y_val)

    tasks = [(rate, k) for rate in RATES for k in range(TUNING_SPLITS)]
    found = Parallel(n_jobs=jobs)(delayed(accuracy)(*task) for task in tasks)
    return RATES[int(np.argmax(np.reshape(found, (len(RATES), TUNING_SPLITS)).mean(axis=1)))]


Makers = dict[str, Callable[[str, int], MonarchMLPClassifier]]


def measure(makers: Makers, seeds: int, jobs: int, data: tuple[str, ...] = DATA) -> dict[str, dict[str, list[Run]]]:
    """Return the runs by table and maker; the makers take turns on each seed."""

    def of_seed(name: str, seed: int) -> list[Run]:
        torch.set_num_threads(1)
        return [run(name, seed, lambda make=make: make(name, seed)) for make in makers.values()]

    tasks = [
        (name, seed)
        for name in data
        for seed in range(min(seeds, WIDE_SEEDS) if WIDER.get(name, name) in WIDE else seeds)
    ]
    done = Parallel(n_jobs=jobs)(delayed(of_seed)(*task) for task in tasks)
    found: dict[str, dict[str, list[Run]]] = {name: {key: [] for key in makers} for name in data}
    for (name, _), runs in zip(tasks, done, strict=True):
        for key, one in zip(makers, runs, strict=True):
            found[name][key].append(one)
    return found


def accuracies(runs: list[Run]) -> NDArray:
    return np.array([one.accuracy for one in runs])


def seconds(runs: list[Run]) -> float:
    return float(np.median([one.spent for one in runs]))


def accuracy_cell(runs: list[Run]) -> str:
    values = accuracies(runs)
    return f"{values.mean():.2f} ± {values.std(ddof=1) if len(values) > 1 else 0.0:.2f}"


def difference_cell(difference: NDArray) -> str:
    low, high = interval(difference)
    return f"{difference.mean():+.2f} [{low:+.2f}, {high:+.2f}]"


def versus_dense(found: dict[str, dict[str, list[Run]]], key: str) -> tuple[list[list[str]], NDArray, NDArray]:
    """Return rows of a table, mean differences in points, and ratios of CPU time."""
    rows = []
    differences = []
    ratios = []
    for name, runs in found.items():
        difference = accuracies(runs[key]) - accuracies(runs["dense"])
        differences.append(difference.mean())
        ratios.append(seconds(runs[key]) / seconds(runs["dense"]))
        rows.append(
            [
                name,
                accuracy_cell(runs["dense"]),
                accuracy_cell(runs[key]),
                difference_cell(difference),
                f"{seconds(runs['dense']):.1f} s",
                f"{seconds(runs[key]):.1f} s",
                f"{ratios[-1]:.2f}",
            ]
        )
    return rows, np.array(differences), np.array(ratios)


def columns(name: str) -> list[str]:
    return ["data", "dense", name, "difference, 95 %", "CPU, dense", f"CPU, {name}", "ratio"]


def rates_table(rates: dict[str, dict[str, float]]) -> Table:
    rows = [[name, *(f"{of[name]:g}" for of in rates.values())] for name in next(iter(rates.values()))]
    return Table("Learning rates that validation rows chose", ["data", *rates], rows)


@claim(
    "monarch_end_to_end",
    paper="monarch",
    statement="Networks trained with Monarch matrices from the start reach the quality of dense ones in half the time.",
    seeds=8,
    packages=("torch",),
)
def monarch_end_to_end(seeds: int, jobs: int) -> Result:
    modes = ("dense", "end_to_end")
    rates = {mode: {name: best_rate(name, mode, jobs) for name in (*DATA, *WIDER)} for mode in modes}
    makers: Makers = {
        mode: lambda name, seed, mode=mode: model(name, mode, rates[mode][name], seed)  # type: ignore[misc]
        for mode in modes
    }
    found = measure(makers, seeds, jobs, (*DATA, *WIDER))
    rows, differences, ratios = versus_dense(found, "end_to_end")
    equal = differences >= -0.3
    fast = ratios <= 0.2
    shows: Shows = "shows" if (equal & fast).all() else "mixed" if (equal & fast).any() else "does not show"
    parts = []
    for names, width in ((DATA, WIDTH), (tuple(WIDER), 2 * WIDTH)):
        spent = ratios[[name in names for name in found]]
        saved = width**2 / found[names[0]]["end_to_end"][0].n_hidden
        parts.append(
            f"{spent.min():.2f} to {spent.max():.2f} of the CPU time at {width} units, where the hidden matrix has "
            f"{saved:.0f} times fewer parameters"
        )
    return Result(
        shows,
        f"Monarch matrices are {differences.min():+.2f} to {differences.max():+.2f} points from dense ones (means over "
        f"seeds). They take {parts[0]}, and {parts[1]}.",
        SOURCES,
        PROTOCOL + "It shows if the mean accuracy is at least that of dense less 0.3 points, in at most a fifth of the "
        "time, on every table",
        [Table("Points of accuracy, and CPU time of a fit", columns("end to end"), rows), rates_table(rates)],
        {"difference": float(differences.mean()), "ratio": float(ratios.max())},
    )


@claim(
    "monarch_sparse_to_dense",
    paper="monarch",
    statement="Reverse sparsification: Monarch matrices for 90 % of the steps and dense ones after it reach the "
    "quality of dense training in half the time.",
    seeds=8,
    packages=("torch",),
)
def monarch_sparse_to_dense(seeds: int, jobs: int) -> Result:
    modes = ("dense", "sparse_to_dense")
    rates = {mode: {name: best_rate(name, mode, jobs) for name in DATA} for mode in modes}
    makers: Makers = {
        **{
            mode: lambda name, seed, mode=mode: model(name, mode, rates[mode][name], seed)  # type: ignore[misc]
            for mode in modes
        },
        "never dense": lambda name, seed: model(name, "end_to_end", rates["sparse_to_dense"][name], seed),
    }
    found = measure(makers, seeds, jobs)
    rows, differences, ratios = versus_dense(found, "sparse_to_dense")
    switched = [
        [name, difference_cell(accuracies(runs["sparse_to_dense"]) - accuracies(runs["never dense"]))]
        for name, runs in found.items()
    ]
    equal = differences.mean() >= -0.3
    fast = bool((ratios <= 0.35).all())
    shows: Shows = "shows" if equal and fast else "mixed" if equal or fast else "does not show"
    return Result(
        shows,
        f"It is {differences.min():+.2f} to {differences.max():+.2f} points from dense training, "
        f"{differences.mean():+.2f} in the mean over the tables, in {ratios.min():.2f} to {ratios.max():.2f} of its "
        "CPU time.",
        SOURCES,
        PROTOCOL
        + "The switch is after 90 % of the epochs. It shows if the mean accuracy over the tables is at least that "
        "of dense less 0.3 points, in at most 0.35 of the time on each",
        [
            Table("Points of accuracy, and CPU time of a fit", columns("sparse to dense"), rows),
            Table("Points of accuracy over never dense", ["data", "difference, 95 %"], switched),
            rates_table(rates),
        ],
        {"difference": float(differences.mean()), "ratio": float(ratios.max())},
    )


@claim(
    "monarch_dense_to_sparse",
    paper="monarch",
    statement="The projection of a trained dense network onto Monarch matrices keeps its quality after fine-tuning.",
    seeds=8,
    packages=("torch",),
)
def monarch_dense_to_sparse(seeds: int, jobs: int) -> Result:
    rates = {name: best_rate(name, "dense", jobs) for name in DATA}
    makers: Makers = {
        "dense": lambda name, seed: model(name, "dense", rates[name], seed),
        "projected": lambda name, seed: model(name, "dense_to_sparse", 2.0 * rates[name], seed, finetune=0.0),
        "fine-tuned": lambda name, seed: model(name, "dense_to_sparse", 2.0 * rates[name], seed),
        "dense, longer": lambda name, seed: longer(name, rates[name], seed),
    }
    found = measure(makers, seeds, jobs)
    rows = []
    kept = []
    for name, runs in found.items():
        share = accuracies(runs["fine-tuned"]).mean() / accuracies(runs["dense"]).mean()
        kept.append(share)
        rows.append([name, *(accuracy_cell(of) for of in runs.values()), f"{100.0 * share:.1f} %"])
    saved = WIDTH**2 / found["digits"]["fine-tuned"][0].n_hidden
    enough = np.array(kept) >= 0.99
    shows: Shows = "shows" if enough.all() and saved >= 8.0 else "mixed" if enough.any() else "does not show"
    return Result(
        shows,
        f"After fine-tuning the networks keep {100.0 * min(kept):.1f} % to {100.0 * max(kept):.1f} % of the accuracy "
        f"of the dense ones, with {saved:.0f} times fewer parameters in the hidden matrix.",
        SOURCES,
        PROTOCOL + "Each projected matrix has the largest rank with which it has 8 times fewer parameters. "
        "Fine-tuning takes 30 % more epochs, at twice the rate; the last column of accuracies is a dense network that "
        "trains as long. It shows if at least 99 % of the accuracy of dense is kept on every table",
        [Table("Accuracy in points", ["data", *makers, "kept"], rows),
         rates_table({"dense": rates})],
        {"kept": float(min(kept)), "saved": float(saved)},
    )  # fmt: skip


def longer(name: str, rate: float, seed: int) -> MonarchMLPClassifier:
    """Return the dense control with the epochs of fine-tuning on top."""
    epochs = 20 if name == "digits" else 15
    return model(name, "dense", rate, seed, max_iter=round(1.3 * epochs))
