"""Times of rivals that take turns."""

import gc
import time
from collections.abc import Callable
from functools import partial
from math import ceil
from typing import Any

import numpy as np

SECONDS = 6.0  # of the slowest job that are enough for one row
TURN = 0.4  # of the slowest job, which a turn lasts at least: a short one is repeated, and its rivals as often
SLOW = 20.0  # a job that takes longer runs once


def cpu_seconds(job: Callable[[], Any]) -> float:
    start = time.process_time()
    job()
    return time.process_time() - start


def wall_seconds(job: Callable[[], Any]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def medians(
    jobs: list[Callable[[], Any]], max_rounds: int, clock: Callable[[Callable[[], Any]], float] = cpu_seconds
) -> list[float]:
    """Return the median seconds of each job; the jobs take turns, at least 3 rounds unless one of them is slow."""
    gc.collect()
    gc.freeze()  # what was loaded and compiled before is not searched for garbage again and again
    try:
        return np.median(_rounds(jobs, max_rounds, clock), axis=0).tolist()
    finally:
        gc.unfreeze()


def _rounds(
    jobs: list[Callable[[], Any]], max_rounds: int, clock: Callable[[Callable[[], Any]], float]
) -> list[list[float]]:
    times = [[clock(job) for job in jobs]]
    slowest = max(times[0])
    if slowest < SLOW:
        repeats = ceil(TURN / slowest)
        turns = [partial(repeat, job, repeats) for job in jobs]
        rounds = int(np.clip(SECONDS / (slowest * repeats), 3, max_rounds))
        times = [[clock(turn) / repeats for turn in turns] for _ in range(rounds)]
    return times


def repeat(job: Callable[[], Any], times: int) -> None:
    for _ in range(times):
        job()


def seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 0.1 else f"{1000 * value:.3g} ms"
