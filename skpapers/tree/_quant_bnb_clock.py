"""Time limit and reports of a search."""

import time
from collections.abc import Callable

import numpy as np

from skpapers.tree._quant_bnb_scale import Scale, relative_gap

Report = Callable[[float, float, float, float], None]

# A report about as often as this many seconds.
PERIOD = 0.05


class Clock:
    """Time limit and reports of a search."""

    def __init__(
        self, limit: float | None, report: Report | None, root_cost: float, scale: Scale, begin: float | None = None
    ) -> None:
        self.begin = time.perf_counter() if begin is None else begin
        self.limit = np.inf if limit is None else limit
        self.report = report
        self.root_cost = root_cost
        self.scale = scale
        self.last = self.begin
        self.bound = 0.0

    def tick(self, best: float, bound: float) -> bool:
        """Report the best cost and the bound about every `PERIOD` seconds. Return whether the time is up."""
        now = time.perf_counter()
        self.bound = max(self.bound, min(bound, best))
        if self.report is not None and now - self.last >= PERIOD:
            self.last = now
            self.send(self.scale.of_tree(best), self.scale.of_bound(self.bound))
        return now - self.begin >= self.limit

    def send(self, best: float, bound: float) -> None:
        """Report an objective and a bound on it."""
        if self.report is not None:
            gap = relative_gap(best, bound, self.root_cost)
            self.report(best, bound, gap, time.perf_counter() - self.begin)

    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.perf_counter() - self.begin >= self.limit
