"""Claims about Performers, RFA and FLASH: attention in linear time learns what softmax attention learns."""

from collections.abc import Callable
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._sequence_models import METHODS, Run, model, run, score_cell, scores, seconds_cell
from skpapers.datasets import make_adding_problem, make_weighted_mean

Part = tuple[NDArray, NDArray, NDArray, NDArray]  # X, y, and the same of test rows
Row = tuple[str, str, dict[str, Any]]  # task, method and settings

N_TRAIN = 4000
N_TEST = 1000
LENGTH = 192
ENOUGH = 0.95
FORGETFUL = 0.6  # what a model without positions and without a gate may reach on recency
SECONDS = 40.0
LAST = {"pool": "last"}
RECENCY = {"pool": "last", "causal": True, "positions": None, "n_layers": 1}
GATED = {"gate": True, "causal": True, "n_layers": 1}
DONE: dict[tuple[str, int], Run] = {}  # by the names of common rows: the three claims share their runs


def adding(seed: int) -> Part:
    """Windows of 192 steps: the sum of two marked values, read at the last step."""
    X, y = make_adding_problem(N_TRAIN, LENGTH, random_state=seed)
    return X, y, *make_adding_problem(N_TEST, LENGTH, random_state=10_000 + seed)


def recency(seed: int) -> Part:
    """Windows of 64 steps: their exponentially weighted mean."""
    X, y = make_weighted_mean(N_TRAIN, random_state=seed)
    return X, y, *make_weighted_mean(N_TEST, random_state=10_000 + seed)


def digits(seed: int) -> Part:
    """Images as 64 steps of one pixel; another split each seed."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=450, random_state=seed, stratify=y)
    return X_train, y_train, X_test, y_test


TASKS: dict[str, tuple[Callable[[int], Part], str, dict[str, Any]]] = {
    "adding": (adding, "regression", LAST),
    "recency": (recency, "regression", RECENCY),
    "digits": (digits, "classification", {}),
}
COMMON: dict[str, Row] = {
    "adding: softmax": ("adding", "softmax", {}),
    "adding: no attention": ("adding", "no attention", {}),
    "recency: softmax": ("recency", "softmax", {}),
    "recency: softmax, learned positions": ("recency", "softmax", {"positions": "learned"}),
    "digits: softmax": ("digits", "softmax", {}),
    "digits: no attention": ("digits", "no attention", {}),
}
OWN: dict[str, dict[str, Row]] = {
    "performer": {
        "adding": ("adding", "performer", {}),
        "adding: first normalisation": ("adding", "performer", {"first_norm": True}),
        "adding: features drawn at every step": ("adding", "performer", {"redraw_interval": 1}),
        "recency": ("recency", "performer", {}),
        "recency: learned positions": ("recency", "performer", {"positions": "learned"}),
        "digits": ("digits", "performer", {}),
        "digits: features drawn at every step": ("digits", "performer", {"redraw_interval": 1}),
    },
    "rfa": {
        "adding": ("adding", "rfa", {}),
        "adding: gate, one layer, causal": ("adding", "rfa", GATED),
        "adding: first normalisation": ("adding", "rfa", {"first_norm": True}),
        "adding: the paper's denominator": ("adding", "rfa", {"normalizer": "sum"}),
        "adding: features drawn at every step": ("adding", "rfa", {"redraw_interval": 1}),
        "recency": ("recency", "rfa", {}),
        "recency: gate": ("recency", "rfa", GATED),
        "digits": ("digits", "rfa", {}),
        "digits: the paper's denominator": ("digits", "rfa", {"normalizer": "sum"}),
    },
    "flash": {
        "adding": ("adding", "flash", {}),
        "adding: causal": ("adding", "flash", {"causal": True}),
        "adding: first normalisation": ("adding", "flash", {"first_norm": True}),
        "recency": ("recency", "flash", {}),
        "digits": ("digits", "flash", {}),
    },
}
# The rows that have to reach `ENOUGH` with every seed, and those that may not pass `FORGETFUL`.
REACHES = {
    "performer": ("adding", "digits"),
    "rfa": ("adding", "adding: gate, one layer, causal", "recency: gate", "digits"),
    "flash": ("adding", "adding: causal", "recency", "digits"),
}
FORGETS = {"performer": ("recency",), "rfa": ("recency",), "flash": ()}
DATA = (
    f"the adding problem over {LENGTH} steps, read at the last one; the exponentially weighted mean of 64 steps, read "
    f"at the last one, causal, without positions, one layer ({N_TRAIN} windows to train, {N_TEST} to test); digits as "
    "64 steps of one pixel (1347 and 450)"
)


def fitted_row(row: Row, seed: int) -> Run:
    """Fit and score the model of one row."""
    name, method, settings = row
    part, task, common = TASKS[name]
    return run(model(method, task, seed, **{**common, **settings}), *part(seed))


def measure(key: str, seeds: int, jobs: int) -> dict[str, list[Run]]:
    """Return the runs of each row of a paper, and those of softmax attention and of no attention."""
    rows = {**OWN[key], **COMMON}
    tasks = [(name, seed) for seed in range(seeds) for name in rows]
    new = [task for task in tasks if task not in DONE]
    done = dict(
        zip(new, Parallel(n_jobs=jobs)(delayed(fitted_row)(rows[name], seed) for name, seed in new), strict=True)
    )
    DONE.update({task: one for task, one in done.items() if task[0] in COMMON})
    return {name: [{**DONE, **done}[name, seed] for seed in range(seeds)] for name in rows}


def learning(key: str, seeds: int, jobs: int) -> Result:
    found = measure(key, seeds, jobs)
    least = {name: float(scores(found[name]).min()) for name in REACHES[key]}
    most = {name: float(scores(found[name]).max()) for name in FORGETS[key]}
    slowest = max(one.spent for name in REACHES[key] for one in found[name])
    learnt = [value >= ENOUGH for value in least.values()]
    forgot = [value <= FORGETFUL for value in most.values()]
    shows: Shows = "does not show"
    if any(learnt):
        shows = "shows" if all(learnt) and all(forgot) and slowest <= SECONDS else "mixed"
    rows = [[name, score_cell(runs), seconds_cell(runs)] for name, runs in found.items()]
    forgetting = ", ".join(f"{name} without positions and gate at most {value:.3f}" for name, value in most.items())
    return Result(
        shows,
        f"{METHODS[key]} reaches, in the worst of {seeds} seeds, "
        + ", ".join(f"{value:.3f} ({name})" for name, value in least.items())
        + (f"; {forgetting}" if forgetting else "")
        + f". The slowest of these fits takes {slowest:.0f} s. Softmax attention has "
        f"{scores(found['adding: softmax']).mean():.3f} (adding) and {scores(found['digits: softmax']).mean():.3f} "
        f"(digits), no attention {scores(found['adding: no attention']).mean():.3f} and "
        f"{scores(found['digits: no attention']).mean():.3f}.",
        DATA,
        "The estimators' defaults, linear attention at every length; what a row changes stands in its name. Softmax "
        "attention and no attention are in the same network as the Performer. It shows if each row of the verdict has "
        f"a score of {ENOUGH} or more with every seed, in at most {SECONDS:.0f} CPU seconds on one thread, and recency "
        f"without positions and gate at most {FORGETFUL} where the verdict has it; it is mixed if some rows do",
        [
            Table(
                "R² (adding, recency) or accuracy (digits), mean and range over the seeds; CPU time of a fit, median",
                ["task", "score", "CPU"],
                rows,
            )
        ],
        {**least, "softmax, adding": float(np.mean(scores(found["adding: softmax"]))), "seconds": slowest},
    )


@claim(
    "performer_learning",
    paper="performer",
    statement="Linear attention with positive orthogonal random features trains from scratch to what softmax attention "
    "reaches.",
    seeds=3,
    packages=("torch",),
)
def performer_learning(seeds: int, jobs: int) -> Result:
    return learning("performer", seeds, jobs)


@claim(
    "rfa_learning",
    paper="rfa",
    statement="Random feature attention is as accurate as softmax attention; its gate gives it a bias to recent steps.",
    seeds=3,
    packages=("torch",),
)
def rfa_learning(seeds: int, jobs: int) -> Result:
    return learning("rfa", seeds, jobs)


@claim(
    "flash_learning",
    paper="flash",
    statement="Gated attention in chunks with linear attention across them has the quality of a transformer, causal or "
    "not.",
    seeds=3,
    packages=("torch",),
)
def flash_learning(seeds: int, jobs: int) -> Result:
    return learning("flash", seeds, jobs)
