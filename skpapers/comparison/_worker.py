"""One fit in a worker process."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

_QUIET = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning)
_WARM_ROWS = 40
_WATCH_SECONDS = 1.0
_warm: set[tuple[str, int]] = set()


@dataclass(frozen=True)
class Table:
    """What every job reads: written once to a file, read once by each worker."""

    frame: pd.DataFrame
    y: np.ndarray
    sample_weight: np.ndarray | None
    groups: np.ndarray | None
    preprocessing: ColumnTransformer
    score_weighted: bool


@dataclass(frozen=True)
class Job:
    """An estimator and a fold. `entrant` and `fold` number them; `fit_params` name what fit receives."""

    entrant: int
    fold: int
    estimator: BaseEstimator
    train: np.ndarray
    test: np.ndarray
    fit_params: tuple[str, ...]
    scorer: Callable[..., float]


@dataclass(frozen=True)
class Outcome:
    """What came of a job: `seconds` in all, `gap` NaN without a certificate, `error` empty when all went well."""

    score: float = np.nan
    fit_seconds: float = np.nan
    seconds: float = 0.0
    gap: float = np.nan
    optimal: bool = False
    warnings: dict[str, int] = field(default_factory=dict)
    error: str = ""


def initialize(parent: int, temporary: str) -> None:
    """Leave Ctrl-C to the parent, which ends its workers itself; end when the parent is gone.

    Parameters
    ----------
    parent : int
        Id of the process that started this one.

    temporary : str
        Where the folders of its jobs stand, see :func:`folder_prefix`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.name == "posix":  # elsewhere a process keeps the parent's id when the parent is gone
        Thread(target=_end_with, args=(parent, temporary), daemon=True).start()


def folder_prefix(parent: int) -> str:
    """Return how the names of the folders begin in which a process keeps what its workers read."""
    return f"skpapers-{parent}-"


def _end_with(parent: int, temporary: str) -> None:
    """Wait until the parent is gone; leave no copy of the user's table behind it."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    for folder in Path(temporary).glob(folder_prefix(parent) + "*"):
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


@lru_cache(maxsize=1)
def _read(path: str) -> Table:
    with open(path, "rb") as file:
        return pickle.load(file)


def first_line(error: BaseException) -> str:
    """Return the type and the first line of an exception's message."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__


def _fit(table: Table, job: Job, estimator: BaseEstimator, rows: np.ndarray) -> Pipeline:
    params = {f"model__{name}": getattr(table, name)[rows] for name in job.fit_params}
    pipeline = Pipeline([("preprocessing", clone(table.preprocessing)), ("model", estimator)])
    return pipeline.fit(table.frame.iloc[rows], table.y[rows], **params)


def _warm_up(table: Table, job: Job, key: tuple[str, int]) -> None:
    """Fit a few rows once in each worker, so that no fit is timed with imports and compilation in it."""
    if key in _warm:
        return
    estimator = clone(job.estimator)
    if "time_limit" in estimator.get_params():
        estimator.set_params(time_limit=1.0)
    few = np.linspace(0, len(job.train) - 1, min(_WARM_ROWS, len(job.train))).astype(np.intp)
    with suppress(Exception):  # a few rows may lack a class or a fold; the fit that counts tells
        _fit(table, job, estimator, job.train[few])
    _warm.add(key)


def _certificate(model: Any) -> tuple[float, bool]:
    """Return the relative gap of a fitted model, NaN where it has none, and whether it is proved to be optimal."""
    gap, tol = getattr(model, "gap_", None), getattr(model, "tol", 0.0)
    if gap is None or np.ndim(gap) or np.isnan(gap):
        return np.nan, False
    # What a model says of itself counts; of others a gap of at most their tolerance is as good as none.
    return float(gap), bool(getattr(model, "is_optimal_", gap <= (tol if isinstance(tol, int | float) else 0.0)))


def run_job(path: str, mark: str, job: Job) -> Outcome:
    """Fit and score. The file `mark` is touched when the clock starts: for the few rows, and again for the fold."""
    table = _read(path)
    if "torch" in sys.modules:  # batches are small: more threads gain little, and cost twenty times on a busy machine
        sys.modules["torch"].set_num_threads(1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Path(mark).touch()
        _warm_up(table, job, (path, job.entrant))
        caught.clear()
        Path(mark).touch()
        start = time.perf_counter()
        try:
            pipeline = _fit(table, job, job.estimator, job.train)
            fit_seconds = time.perf_counter() - start
            weights = {"sample_weight": table.sample_weight[job.test]} if table.score_weighted else {}  # type: ignore[index]
            score = float(job.scorer(pipeline, table.frame.iloc[job.test], table.y[job.test], **weights))
            gap, optimal = _certificate(pipeline[-1])
        except Exception as error:
            return Outcome(seconds=time.perf_counter() - start, error=first_line(error))
        seconds = time.perf_counter() - start
    names = Counter(
        warning.category.__name__
        for warning in caught
        if not issubclass(warning.category, _QUIET) and "Found unknown categories" not in str(warning.message)
    )
    return Outcome(score, fit_seconds, seconds, gap, optimal, dict(names))
