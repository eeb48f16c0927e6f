"""Jobs in worker processes, each candidate within its budget of seconds.

A candidate that overruns is ended with its process, since Python cannot interrupt a compiled loop. The other
jobs of the ended processes start again in new ones.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

import cloudpickle
from joblib import cpu_count
from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

from skpapers.comparison._records import Key, Outcome
from skpapers.comparison._worker import Job, Table, first_line, folder_prefix, initialize, run_job

_POLL_SECONDS = 0.1
_IDLE_SECONDS = 300
_THREAD_VARIABLES = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA", "NUMEXPR")
_executors: dict[tuple, Any] = {}


def _executor(n_workers: int) -> Any:
    """Return the running executor, or a new one. Processes are started afresh, never forked."""
    key = (os.getpid(), n_workers, os.getcwd(), tuple(sys.path))
    if key not in _executors:
        _end_workers(kill=False)
        threads = str(max(1, cpu_count() // n_workers))
        env = {f"{name}_NUM_THREADS": os.environ.get(f"{name}_NUM_THREADS", threads) for name in _THREAD_VARIABLES}
        _executors[key] = ProcessPoolExecutor(
            n_workers,
            timeout=_IDLE_SECONDS,
            initializer=initialize,
            initargs=(os.getpid(), tempfile.gettempdir()),
            env=env,
        )
    return _executors[key]


def _end_workers(kill: bool = True) -> None:
    while _executors:
        (pid, *_), executor = _executors.popitem()
        if pid == os.getpid():
            executor.shutdown(wait=True, kill_workers=kill)


class Jobs:
    """The jobs of one comparison.

    Parameters
    ----------
    jobs : sequence of Job
    budgets : mapping of str to float
        Seconds for each candidate, over all its folds.
    n_workers : int
    on_done : callable
        Called without arguments once for every job that ends or will never run.

    Attributes
    ----------
    outcomes : dict of Key to Outcome
    stopped : set of str
        Candidates that overran their budget.
    """

    def __init__(
        self, jobs: Sequence[Job], budgets: dict[str, float], n_workers: int, on_done: Callable[[], object]
    ) -> None:
        self.waiting = list(jobs)
        names = dict.fromkeys(job.key.candidate for job in jobs)
        self.numbers = {name: number for number, name in enumerate(names)}
        self.running: dict[Future, Job] = {}
        # jobs that ran when a worker died; each runs again alone, to find the one that ends its worker
        self.suspects: set[Key] = set()
        self.outcomes: dict[Key, Outcome] = {}
        self.stopped: set[str] = set()
        self.spent: dict[str, float] = defaultdict(float)
        self.budgets = budgets
        self.n_workers = n_workers
        self.on_done = on_done

    def run(self, table: Table) -> None:
        """Run all jobs; on any exception, Ctrl-C among them, end the workers and let it through."""
        prefix = folder_prefix(os.getpid())
        with (
            tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder,
            warnings.catch_warnings(),
        ):
            # loky replaces a worker whose memory has grown, as it does with a large table, and says so
            warnings.filterwarnings(
                "ignore", message="A worker stopped while some jobs were given", category=UserWarning
            )
            self.folder = Path(folder)
            self.path = str(self.folder / "table.pickle")
            with open(self.path, "wb") as file:
                cloudpickle.dump(table, file)  # a metric may be a function of a notebook
            try:
                while self.waiting or self.running:
                    self._submit()
                    self._collect(wait(self.running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED).done)
                    self._enforce_budgets()
            except BaseException:
                self._restart()
                raise

    def _mark(self, job: Job) -> Path:
        return self.folder / f"{self.numbers[job.key.candidate]}-{job.key.fold}-{job.key.max_rows}"

    def _submit(self) -> None:
        """Keep every worker busy with one job; a suspect gets all workers for itself."""
        while self.waiting and len(self.running) < self.n_workers:
            alone = self.waiting[0].key in self.suspects
            if self.running and (alone or any(j.key in self.suspects for j in self.running.values())):
                return
            job = self.waiting.pop(0)
            self._mark(job).unlink(missing_ok=True)
            arguments = (run_job, self.path, str(self._mark(job)), job)
            try:
                future = _executor(self.n_workers).submit(*arguments)
            except RuntimeError:  # the executor of an earlier call broke while it was idle
                _end_workers()
                future = _executor(self.n_workers).submit(*arguments)
            self.running[future] = job

    def _collect(self, done: set[Future]) -> None:
        died: list[Job] = []
        for future in done:
            job = self.running.pop(future)
            try:
                outcome = future.result()
            except BrokenProcessPool:
                died.append(job)
                continue
            except Exception as error:
                outcome = Outcome(error=first_line(error))
            self._record(job, outcome)
        if died:
            died += self.running.values()
            self._restart()
            if len(died) == 1:
                self._record(died[0], Outcome(error="its worker process died (out of memory, or a crash)"))
            else:
                self.suspects |= {job.key for job in died}
                self.waiting = died + self.waiting

    def _record(self, job: Job, outcome: Outcome) -> None:
        self.outcomes[job.key] = outcome
        self.spent[job.key.candidate] += outcome.seconds
        self.on_done()

    def _elapsed(self, job: Job) -> float:
        try:
            return time.time() - self._mark(job).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def _enforce_budgets(self) -> None:
        seconds = dict(self.spent)
        for job in self.running.values():
            seconds[job.key.candidate] = seconds.get(job.key.candidate, 0.0) + self._elapsed(job)
        unfinished = {job.key.candidate for job in [*self.waiting, *self.running.values()]}
        late = {candidate for candidate in unfinished if seconds.get(candidate, 0.0) > self.budgets[candidate]}
        if not late:
            return
        self.stopped |= late
        if any(job.key.candidate in late for job in self.running.values()):
            self.waiting = list(self.running.values()) + self.waiting
            self._restart()
        for job in self.waiting:
            if job.key.candidate in late:
                self.on_done()
        self.waiting = [job for job in self.waiting if job.key.candidate not in late]

    def _restart(self) -> None:
        """End the workers; the next job starts new ones."""
        # loky's manager trips over a job that is killed between its submission and its queue (tens of milliseconds)
        for _ in range(100):
            if all(future.running() or future.done() for future in self.running):
                break
            time.sleep(0.01)
        self.running.clear()
        _end_workers()
