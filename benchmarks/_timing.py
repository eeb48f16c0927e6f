"""Times of rivals that take turns."""

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SECONDS = 6.0  # of the slowest job that are enough for one row
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
    times = [[clock(job) for job in jobs]]
    slowest = max(times[0])
    if slowest < SLOW:
        rounds = int(np.clip(SECONDS / slowest, 3, max_rounds))
        times += [[clock(job) for job in jobs] for _ in range(rounds - 1)]
    return np.median(times, axis=0).tolist()


def seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 0.1 else f"{1000 * value:.3g} ms"
