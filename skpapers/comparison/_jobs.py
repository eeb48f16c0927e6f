"""Worker processes, each of which can be ended without the others.

A fit that overruns is ended with its process, since Python cannot interrupt a compiled loop. So every worker is an
executor of its own: the fits of the others go on.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cloudpickle
from joblib import cpu_count
from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

from skpapers.comparison._records import Key, Outcome
from skpapers.comparison._signals import deferred_signals
from skpapers.comparison._worker import Job, Table, first_line, folder_prefix, initialize, run_job

POLL_SECONDS = 0.1
_IDLE_SECONDS = 300
_THREAD_VARIABLES = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA", "NUMEXPR")
_DIED = "its worker process died (out of memory, or a crash)"
_executors: dict[tuple, Any] = {}


def _executor(place: int, n_workers: int) -> Any:
    """Return the running executor of a place, or a new one. Processes are started afresh, never forked."""
    key = (os.getpid(), n_workers, os.getcwd(), tuple(sys.path), place)
    if key not in _executors:
        for other in [other for other in _executors if other[:-1] != key[:-1]]:
            _end_executor(other, kill=False)
        threads = str(max(1, cpu_count() // n_workers))
        env = {f"{name}_NUM_THREADS": os.environ.get(f"{name}_NUM_THREADS", threads) for name in _THREAD_VARIABLES}
        # what joblib, and so n_jobs=-1, takes for the number of cores
        env["LOKY_MAX_CPU_COUNT"] = os.environ.get("LOKY_MAX_CPU_COUNT", threads)
        _executors[key] = ProcessPoolExecutor(
            1, timeout=_IDLE_SECONDS, initializer=initialize, initargs=(os.getpid(), tempfile.gettempdir()), env=env
        )
    return _executors[key]


def _end_executor(key: tuple, kill: bool = True) -> None:
    executor = _executors.pop(key)
    if key[0] == os.getpid():
        executor.shutdown(wait=True, kill_workers=kill)


def _end_place(place: int) -> None:
    for key in [key for key in _executors if key[-1] == place]:
        _end_executor(key)


class Workers:
    """The workers of one comparison, at most one fit in each.

    Parameters
    ----------
    n_workers : int
    folder : Path
        Where the table and the marks of running fits are.

    Attributes
    ----------
    running : dict of Key to int
        The place of the worker of every fit under way.
    """

    def __init__(self, n_workers: int, folder: Path) -> None:
        self.n_workers = n_workers
        self.folder = folder
        self.running: dict[Key, int] = {}
        self._futures: dict[Future, Key] = {}
        self._jobs: dict[Key, Job] = {}
        self._numbers: dict[str, int] = {}
        self._died: set[Key] = set()

    def is_free(self) -> bool:
        """Whether a worker waits for a fit."""
        return len(self.running) < self.n_workers

    def submit(self, job: Job) -> None:
        """Give a fit to a free worker."""
        place = min(set(range(self.n_workers)) - set(self.running.values()))
        self._mark(job.key).unlink(missing_ok=True)
        arguments = (run_job, str(self.folder / "table.pickle"), str(self._mark(job.key)), job)
        with deferred_signals():  # it starts a process
            try:
                future = _executor(place, self.n_workers).submit(*arguments)
            except RuntimeError:  # the executor of an earlier call broke while it was idle
                _end_place(place)
                future = _executor(place, self.n_workers).submit(*arguments)
            self.running[job.key] = place
            self._futures[future] = job.key
            self._jobs[job.key] = job

    def collect(self) -> Iterator[tuple[Key, Outcome]]:
        """Wait a moment and yield what is done. A fit whose worker died runs once more: another may be the reason."""
        for future in wait(self._futures, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED).done:
            key = self._futures.pop(future)
            place = self.running.pop(key)
            job = self._jobs.pop(key)
            try:
                outcome = future.result()
            except BrokenProcessPool:
                _end_place(place)
                if key not in self._died:
                    self._died.add(key)
                    self.submit(job)
                    continue
                outcome = Outcome(error=_DIED)
            except Exception as error:
                outcome = Outcome(error=first_line(error))
            yield key, outcome

    def end(self, keys: Collection[Key]) -> None:
        """End the workers of these fits; the next fit starts new ones."""
        futures = [future for future, key in self._futures.items() if key in keys]
        # loky's manager trips over a job that is killed between its submission and its queue (tens of milliseconds)
        for _ in range(100):
            if all(future.running() or future.done() for future in futures):
                break
            time.sleep(0.01)
        for future in futures:
            key = self._futures.pop(future)
            self._jobs.pop(key)
            _end_place(self.running.pop(key))

    def seconds(self, preparation: float) -> dict[Key, float]:
        """Return the seconds of every fit under way.

        Parameters
        ----------
        preparation : float
            Seconds for imports and compilation on few rows, which do not count.
        """
        return {key: self._elapsed(key, preparation) for key in self.running}

    def _elapsed(self, key: Key, preparation: float) -> float:
        try:
            status = self._mark(key).stat()
        except FileNotFoundError:
            return 0.0
        elapsed = time.time() - status.st_mtime
        return max(elapsed if status.st_size else elapsed - preparation, 0.0)

    def n_preparing(self) -> int:
        """Return the number of fits that wait for imports and compilation."""
        marks = [self._mark(key) for key in self.running]
        return sum(not mark.exists() or mark.stat().st_size == 0 for mark in marks)

    def _mark(self, key: Key) -> Path:
        number = self._numbers.setdefault(key.candidate, len(self._numbers))
        return self.folder / f"{number}-{key.fold}-{key.max_rows}"


@contextmanager
def workers(table: Table, n_workers: int) -> Iterator[Workers]:
    """Write the table where workers read it; in the end remove it, and end those whose fits are still under way."""
    prefix = folder_prefix(os.getpid())
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder, warnings.catch_warnings():
        # loky replaces a worker whose memory has grown, as it does with a large table, and says so
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given", category=UserWarning)
        team = Workers(n_workers, Path(folder))
        with open(team.folder / "table.pickle", "wb") as file:
            cloudpickle.dump(table, file)  # a metric may be a function of a notebook
        try:
            yield team
        finally:
            team.end(list(team.running))
