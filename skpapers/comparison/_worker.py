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
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from multiprocessing import resource_tracker
from pathlib import Path
from textwrap import shorten
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from skpapers.comparison._contract import certificate, parameters_named, predict_names
from skpapers.comparison._records import Key, Metric, Outcome, Prediction
from skpapers.comparison._scorers import Remembering, class_probabilities, score_all

_QUIET = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning)
_PREDICTIONS = ("predict", "predict_proba", "decision_function")
_WARM_ROWS = 40
_LONGEST_WARNING = 160
_WATCH_SECONDS = 1.0
_warm: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class Table:
    """What every job reads: written once to a file, read once by each worker.

    `dates` are whole numbers in the order of time. `per_row` holds sample_weight, groups and metadata by their names,
    None if they are not given; `metadata` are the names of the last.
    """

    frame: pd.DataFrame
    y: np.ndarray
    classes: np.ndarray | None
    per_row: dict[str, np.ndarray | None]
    metadata: tuple[str, ...]
    preprocessing: ColumnTransformer
    metrics: tuple[Metric, ...]
    dates: np.ndarray | None = None


@dataclass(frozen=True)
class Job:
    """An estimator and a fold.

    `fit_params` maps parameters of fit to names of per-row values. `validation` are the rows by which early stopping
    judges, None if the estimator chooses its own or has none. `raw` estimators prepare the columns themselves.
    """

    key: Key
    estimator: BaseEstimator
    train: np.ndarray
    test: np.ndarray
    fit_params: dict[str, str]
    validation: np.ndarray | None = None
    raw: bool = False


def initialize(parent: int, temporary: str) -> None:
    """Leave Ctrl-C to the parent, which ends its workers; end when the parent has ended.

    Parameters
    ----------
    parent : int
        Id of the process that started this one.

    temporary : str
        The folder that holds those of its jobs, see :func:`folder_prefix`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _start_silent_tracker()
    if os.name == "posix":  # elsewhere the parent's id does not change when the parent ends
        Thread(target=_end_with, args=(parent, temporary), daemon=True).start()


def _start_silent_tracker() -> None:
    """Start a process of this worker that removes its semaphores, without an output.

    numba and tqdm make locks. When the worker is ended in the middle of a fit, the tracker removes them, as it should.
    The parent's, which loky hands on, would report them as leaked on the user's screen.
    """
    tracker = resource_tracker.ResourceTracker()
    for name in ("ensure_running", "register", "unregister", "getfd"):
        setattr(resource_tracker, name, getattr(tracker, name))
    with suppress(OSError, ValueError):
        sys.stderr.flush()
        kept = os.dup(2)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 2)
        try:
            tracker.ensure_running()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(silent)


def folder_prefix(parent: int) -> str:
    """Return the prefix of the folders in which a process keeps the files that its workers read."""
    return f"skpapers-{parent}-"


def _end_with(parent: int, temporary: str) -> None:
    """Wait until the parent has ended, and remove its copy of the user's table."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    for folder in Path(temporary).glob(folder_prefix(parent) + "*"):
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


@lru_cache(maxsize=1)
def _read(path: str) -> Table:
    with open(path, "rb") as file:
        return pickle.load(file)


def first_line(error: BaseException | str, category: type | None = None) -> str:
    """Return the type and the first line of an exception's or a warning's message."""
    name = (category or type(error)).__name__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{name}: {lines[0].strip()}" if lines else name


def fit_pipeline(table: Table, job: Job, estimator: BaseEstimator, rows: np.ndarray) -> Pipeline:
    """Return a fitted Pipeline of the preprocessing and the estimator."""
    params = {f"model__{path}": table.per_row[name][rows] for path, name in job.fit_params.items()}  # type: ignore[index]
    preprocessing = "passthrough" if job.raw else clone(table.preprocessing)
    pipeline = Pipeline([("preprocessing", preprocessing), ("model", estimator)])
    X = table.frame.iloc[rows]
    if job.validation is None:
        return pipeline.fit(X, table.y[rows], **params)
    _fit_validated(pipeline, X, table.y[rows], table.frame.iloc[job.validation], table.y[job.validation], params)
    return pipeline


def _fit_validated(model: Any, X: Any, y: np.ndarray, X_val: Any, y_val: np.ndarray, params: dict[str, Any]) -> None:
    """Fit a model whose last step takes `X_val`. Steps before it are fitted on X alone, and transform both."""
    if not isinstance(model, Pipeline):
        model.fit(X, y, X_val=X_val, y_val=y_val, **params)
        return
    for name, step in model.steps:
        own = {key.removeprefix(f"{name}__"): value for key, value in params.items() if key.startswith(f"{name}__")}
        if step is model.steps[-1][1]:
            _fit_validated(step, X, y, X_val, y_val, own)
        elif step is not None and step != "passthrough":
            X = step.fit_transform(X, y, **own)
            X_val = step.transform(X_val)


def _warm_up(table: Table, job: Job, key: tuple[str, str]) -> None:
    """Fit a few rows once in each worker, so that no fit is timed with imports and compilation in it."""
    if key in _warm:
        return
    estimator = clone(job.estimator)
    estimator.set_params(**dict.fromkeys(parameters_named(estimator, "time_limit"), 1.0))
    few = np.linspace(0, len(job.train) - 1, min(_WARM_ROWS, len(job.train))).astype(np.intp)
    with suppress(Exception):  # a few rows may lack a class or a fold; an error counts in the fit of the fold
        fit_pipeline(table, replace(job, validation=None), estimator, job.train[few])
    _warm.add(key)


class WithMetadata:
    """A fitted Pipeline whose prediction methods get those metadata of the scored rows that they take."""

    def __init__(self, pipeline: Pipeline, metadata: dict[str, np.ndarray]) -> None:
        self._pipeline = pipeline
        self._metadata = metadata

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._pipeline, name)
        names = predict_names(self._pipeline, name, self._metadata) if name in _PREDICTIONS else []
        if not names:
            return found
        params = {key: self._metadata[key] for key in names}

        @wraps(found)
        def predict(X: Any, **own: Any) -> Any:
            return _predict(self._pipeline, name, X, params | own)

        return predict


def _predict(model: Any, method: str, X: Any, params: dict[str, Any]) -> Any:
    """Call a method of the last step with metadata: without routing, `Pipeline.decision_function` refuses them."""
    if not isinstance(model, Pipeline):
        return getattr(model, method)(X, **params)
    for _, step in model.steps[:-1]:
        if step is not None and step != "passthrough":
            X = step.transform(X)
    return _predict(model.steps[-1][1], method, X, params)


def _scored(table: Table, job: Job, pipeline: Pipeline) -> tuple[dict[str, float], Prediction]:
    """Return the scores on the test rows by the names of the metrics, and the predictions."""
    per_row = {name: values[job.test] for name, values in table.per_row.items() if values is not None}
    metadata = {name: per_row[name] for name in table.metadata}
    model = WithMetadata(pipeline, metadata) if metadata else pipeline
    X = table.frame.iloc[job.test]
    y = table.y[job.test]
    weights = per_row.get("sample_weight")
    dates = None if table.dates is None else table.dates[job.test]
    # the metrics and the prediction ask for the same answers
    asked = Remembering(model)
    scores = score_all(table.metrics, asked, X, y, sample_weight=weights, dates=dates)
    probabilities = None
    if table.classes is not None and hasattr(model, "predict_proba"):
        probabilities = class_probabilities(asked, X, table.classes)
    return scores, Prediction(job.test, np.asarray(asked.predict(X)), probabilities)


def run_job(path: str, mark: str, job: Job) -> Outcome:
    """Fit and score. The file `mark` is made when the few rows begin, and gets a text when the fold begins."""
    table = _read(path)
    if "torch" in sys.modules:  # batches are small: more threads gain little, and cost twenty times on a busy machine
        sys.modules["torch"].set_num_threads(1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Path(mark).touch()
        _warm_up(table, job, (path, job.key.candidate))
        caught.clear()
        Path(mark).write_text("fit")
        start = time.perf_counter()
        try:
            pipeline = fit_pipeline(table, job, job.estimator, job.train)
            fit_seconds = time.perf_counter() - start
            scores, prediction = _scored(table, job, pipeline)
            gap, optimal = certificate(pipeline)
        except Exception as error:
            return Outcome(seconds=time.perf_counter() - start, error=first_line(error))
        seconds = time.perf_counter() - start
    texts = Counter(
        shorten(first_line(warning.message, warning.category), _LONGEST_WARNING, placeholder="...")
        for warning in caught
        if not issubclass(warning.category, _QUIET) and "Found unknown categories" not in str(warning.message)
    )
    return Outcome(scores, fit_seconds, seconds, gap, optimal, dict(texts), prediction=prediction)
