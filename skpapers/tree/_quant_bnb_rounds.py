"""The rounds of a deep search, in one thread or several, until the search ends or the time is up."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skpapers.tree._quant_bnb_clock import PERIOD, Clock
from skpapers.tree._quant_bnb_frames import absorb, lower_bound
from skpapers.tree._quant_bnb_jobs import start_job
from skpapers.tree._quant_bnb_layout import BEST
from skpapers.tree._quant_bnb_losses import Rows, Settings
from skpapers.tree._quant_bnb_search import next_round, run_job, run_rounds
from skpapers.tree._quant_bnb_search_layout import BOUND, COST, COUNT, HAS_PAIR, IN_HAND, Frame, Job, Worker, job_at


class Rounds(NamedTuple):
    """A deep search: the frame of its root, the jobs of the round in hand, and what they are about."""

    frame: Frame
    jobs: Job
    state: NDArray[np.int64]
    rows: Rows
    n: int
    depth: int
    settings: Settings
    tol: float
    root_cost: float

    def lower_bound(self) -> float:
        """Return a lower bound on the cost of every tree, from what the search has found so far."""
        in_work = self.jobs.num[: self.state[COUNT], BOUND]
        return float(min(lower_bound(self.frame), in_work.min(initial=np.inf)))


def run(rounds: Rounds, workers: list[Worker], clock: Clock, budget: int) -> tuple[float, bool]:
    """Run a search with a thread for each worker; return the bound, and whether the search ended before the time."""
    frame = rounds.frame
    jobs = rounds.jobs
    alone = len(workers) == 1
    done: list[int] = []
    steps = _in_one_thread(rounds, workers[0], budget) if alone else _in_threads(rounds, workers, done, budget)
    finished = True
    with closing(steps):
        for _ in steps:
            taken = range(rounds.state[IN_HAND]) if alone else done
            pairs = [float(jobs.num[i, COST]) for i in taken if jobs.at[i, HAS_PAIR]]
            if clock.tick(min([float(frame.num[BEST]), *pairs]), rounds.lower_bound()):
                finished = False
                break
    bound = rounds.lower_bound()
    if not finished:
        for i in range(rounds.state[IN_HAND]) if alone else sorted(done):
            absorb(frame, rounds.rows, rounds.settings, job_at(jobs, i))
    return bound, finished


def _in_one_thread(rounds: Rounds, worker: Worker, budget: int) -> Generator[None]:
    while not run_rounds(worker, *rounds, budget):
        yield


def _in_threads(rounds: Rounds, workers: list[Worker], done: list[int], budget: int) -> Generator[None]:
    frame, jobs, state, rows, n, depth, settings, tol, root_cost = rounds
    stop = False

    def work(worker: Worker, waiting: list[int]) -> None:
        while not stop:
            try:
                i = waiting.pop()
            except IndexError:
                return
            start_job(worker)
            job = job_at(jobs, i)
            while not run_job(worker, rows, n, depth, job, settings, budget):
                if stop:
                    return
            done.append(i)

    with ThreadPoolExecutor(len(workers)) as pool:
        try:
            while next_round(frame, jobs, state, rows, settings, tol, root_cost):
                done.clear()
                waiting = list(range(state[COUNT]))[::-1]
                running = {pool.submit(work, worker, waiting) for worker in workers}
                while running:
                    ended, running = wait(running, timeout=PERIOD)
                    for future in ended:
                        future.result()
                    yield
        finally:
            stop = True
