"""Performers, RFA and FLASH on plain tables, where each column is a token, beside a perceptron and boosted trees."""

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._sequence_models import METHODS, Run, model, run, score_cell, scores, seconds_cell
from benchmarks.claims._statistics import split_interval
from benchmarks.tables import load_shuffled
from skpapers.neural_network import SAMMLPClassifier, SAMMLPRegressor

REGRESSION = ("concrete", "fish", "diabetes")
CLASSIFICATION = ("raisin", "segment", "breast_cancer")
TABLES = (*REGRESSION, *CLASSIFICATION)
MAX_ROWS = 1500
TEST_SHARE = 1 / 3
TOKENS = (*METHODS, "softmax")
PEERS: dict[str, tuple[Any, Any]] = {
    "SAMMLP": (SAMMLPClassifier, SAMMLPRegressor),
    "HistGradientBoosting": (HistGradientBoostingClassifier, HistGradientBoostingRegressor),
}
NEAR = 0.01  # of R² or accuracy


def fitted_table(name: str, method: str, seed: int) -> Run:
    """Fit a method on two thirds of the rows, and score it on the others."""
    X, y = load_shuffled(name, MAX_ROWS)
    regression = name in REGRESSION
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=TEST_SHARE, random_state=seed, stratify=None if regression else y
    )
    if method in PEERS:
        made = PEERS[method][regression](random_state=seed)
    else:
        made = model(method, "regression" if regression else "classification", seed, tokenize="features")
    return run(made, X_train, y_train, X_test, y_test)


def gain(found: dict[tuple[str, str], list[Run]], name: str, method: str, over: str) -> NDArray[np.float64]:
    return scores(found[name, method]) - scores(found[name, over])


@claim(
    "attention_tables",
    paper="performer",
    statement="Not a claim of the papers: with columns as tokens, attention in linear time serves plain tables.",
    seeds=3,
    packages=("torch",),
)
def attention_tables(seeds: int, jobs: int) -> Result:
    methods = (*TOKENS, *PEERS)
    tasks = [(name, method, seed) for name in TABLES for seed in range(seeds) for method in methods]
    done = Parallel(n_jobs=jobs)(delayed(fitted_table)(*task) for task in tasks)
    found: dict[tuple[str, str], list[Run]] = {}
    for (name, method, _), one in zip(tasks, done, strict=True):
        found.setdefault((name, method), []).append(one)
    mean = {method: float(np.mean([scores(found[name, method]).mean() for name in TABLES])) for method in methods}
    best = max(METHODS, key=lambda method: mean[method])
    level = [mean[best] >= mean[peer] - NEAR for peer in PEERS]
    shows: Shows = "shows" if all(level) else "mixed" if any(level) else "does not show"
    loses = {
        peer: [name for name in TABLES if gain(found, name, best, peer).mean() < -NEAR] or ["no table"]
        for peer in PEERS
    }
    names = [METHODS.get(method, method) for method in methods]
    differences = []
    for name in TABLES:
        row = [name]
        for peer in PEERS:
            low, high = split_interval(gain(found, name, best, peer), TEST_SHARE / (1 - TEST_SHARE))
            row.append(f"{gain(found, name, best, peer).mean():+.3f} [{low:+.3f}, {high:+.3f}]")
        differences.append(row)
    return Result(
        shows,
        "Mean score over the tables: " + ", ".join(f"{n} {mean[m]:.3f}" for n, m in zip(names, methods, strict=True))
        + f". {METHODS[best]}, the best of the three by these scores, loses more than {NEAR} to "
        + "; to ".join(f"{peer} on {', '.join(tables)}" for peer, tables in loses.items())
        + ".",
        f"{', '.join(REGRESSION)} (R²); {', '.join(CLASSIFICATION)} (accuracy); at most {MAX_ROWS} rows of each",
        "All methods with their defaults; linear attention although columns are few; two thirds of the rows train. It "
        f"shows if the best of the three is at most {NEAR} below both SAMMLP and HistGradientBoosting in the mean "
        "score, and is mixed if below one of them only",
        [
            Table(
                "R² or accuracy on a third of the rows, mean and range over the seeds",
                ["data", *names],
                [[name, *(score_cell(found[name, method]) for method in methods)] for name in TABLES],
            ),
            Table(f"Gain of {METHODS[best]}, mean and corrected 95 % interval", ["data", *PEERS], differences),
            Table(
                "CPU time of a fit on one thread, median",
                ["data", *names],
                [[name, *(seconds_cell(found[name, method]) for method in methods)] for name in TABLES],
            ),
        ],
        {"best": mean[best], **{peer: mean[peer] for peer in PEERS}},
    )  # fmt: skip
