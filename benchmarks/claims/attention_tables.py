"""Columns of tables as tokens: Performers, RFA and FLASH beside an MLP and gradient-boosted trees."""

import time
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._sequence_models import METHODS, Run, model, score_cell, scores, seconds_cell
from benchmarks.claims._statistics import interval
from benchmarks.tables import load_shuffled
from skpapers.neural_network import SAMMLPClassifier, SAMMLPRegressor

REGRESSION = ("concrete", "fish", "diabetes")
CLASSIFICATION = ("raisin", "segment", "breast_cancer")
TABLES = (*REGRESSION, *CLASSIFICATION)
MAX_ROWS = 1500
NETWORKS = {**METHODS, "softmax": "softmax"}
PEERS = ("SAMMLP", "HistGradientBoosting")


def peer(name: str, regression: bool, seed: int) -> Any:
    if name == "SAMMLP":
        kind = SAMMLPRegressor if regression else SAMMLPClassifier
        return kind(random_state=seed, device="cpu")
    trees = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return trees(random_state=seed)


def fitted_table(name: str, method: str, seed: int) -> Run:
    """Fit a method on three quarters of a table and score it on the rest."""
    torch.set_num_threads(1)
    regression = name in REGRESSION
    X, y = load_shuffled(name, MAX_ROWS)
    strata = None if regression else y
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=strata)
    task = "regression" if regression else "classification"
    if method in NETWORKS:
        made = model(method, task, seed, tokenize="features")
    else:
        made = peer(method, regression, seed)
    start = time.process_time()
    made.fit(X_train, y_train)
    spent = time.process_time() - start
    return Run(float(made.score(X_test, y_test)), spent)


@claim(
    "attention_tables",
    paper="performer",
    statement="A transformer over the columns of a table is as good as an MLP (not a claim of the paper).",
    seeds=3,
    packages=("torch",),
)
def attention_tables(seeds: int, jobs: int) -> Result:
    methods = (*NETWORKS, *PEERS)
    tasks = [(name, method, seed) for name in TABLES for method in methods for seed in range(seeds)]
    done = Parallel(n_jobs=jobs)(delayed(fitted_table)(*task) for task in tasks)
    found: dict[tuple[str, str], list[Run]] = {}
    for (name, method, _), one in zip(tasks, done, strict=True):
        found.setdefault((name, method), []).append(one)
    means = {method: np.array([scores(found[name, method]).mean() for name in TABLES]) for method in methods}
    gains = {method: 100.0 * (means[method] - means["SAMMLP"]) for method in methods}
    low, high = interval(gains["performer"])
    shows: Shows = "does not show" if high < 0 else "shows" if gains["performer"].mean() >= 0 else "mixed"
    names = [*NETWORKS.values(), *PEERS]
    cells = [[name, *(score_cell(found[name, method]) for method in methods)] for name in TABLES]
    cells.append(["mean", *(f"{means[method].mean():.3f}" for method in methods)])
    times = [[name, *(seconds_cell(found[name, method]) for method in methods)] for name in TABLES]
    against = ", ".join(
        f"{label} {gains[method].mean():+.1f}"
        for label, method in zip(names, methods, strict=True)
        if method != "SAMMLP"
    )
    return Result(
        shows,
        f"Points of R² or accuracy over an MLP, in the mean over {len(TABLES)} tables: {against}. For the Performer "
        f"the interval over the tables is [{low:+.1f}, {high:+.1f}].",
        f"{', '.join(TABLES)}; at most {MAX_ROWS} rows, a quarter of them to test, another split for each seed",
        "The estimators' defaults with `tokenize='features'`: a column is a token. The MLP is SAMMLP with its "
        "defaults. It shows if the Performer's mean over the tables is no lower than the MLP's, and is mixed if the "
        "95 % interval over the tables includes 0",
        [
            Table("R² (first three tables) or accuracy, mean and range over the seeds", ["data", *names], cells),
            Table("CPU time of a fit on one thread, median", ["data", *names], times),
        ],
        {
            "gain": float(gains["performer"].mean()),
            "low": low,
            "high": high,
            **{m: float(means[m].mean()) for m in methods},
        },
    )
