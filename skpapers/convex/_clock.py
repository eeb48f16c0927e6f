"""The time that a fit may take."""

from math import inf
from time import perf_counter


class Clock:
    """Seconds that are left to a fit, counted from when the clock is made.

    Parameters
    ----------
    limit : float or None, default=None
        None means no limit.
    """

    def __init__(self, limit: float | None = None) -> None:
        self.limited = limit is not None
        self._end = inf if limit is None else perf_counter() + limit

    @property
    def left(self) -> float:
        """Seconds that are left, not below 0."""
        return max(self._end - perf_counter(), 0.0) if self.limited else inf

    @property
    def is_over(self) -> bool:
        return self.limited and perf_counter() >= self._end

    def share(self, parts: float) -> "Clock":
        """Return a clock of its own for one of `parts` equal parts of what is left."""
        return Clock(self.left / parts) if self.limited else self


ENDLESS = Clock()
