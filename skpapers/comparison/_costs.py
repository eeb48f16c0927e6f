"""What a fit of a candidate costs, from the fits that are done."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

# Seconds that a fit on few rows is taken to need before it is tried.
PRIOR_SECONDS = 1.0
# Seconds grow as a power of the rows: this one until two sizes are known, then one between the bounds.
_EXPONENT = 1.2
_EXPONENTS = (0.8, 1.8)


@dataclass
class Cost:
    """Seconds of one fit of a candidate as a function of its training rows.

    Parameters
    ----------
    fits : dict of int to float
        The longest fit by its number of training rows.
    overhead : float
        The longest time for everything besides the fit, such as the prediction of the test rows.
    """

    fits: dict[int, float] = field(default_factory=dict)
    overhead: float = 0.0

    def add(self, n_rows: int, fit_seconds: float, seconds: float) -> None:
        """Take an observed fit; a fit that failed has NaN `fit_seconds`."""
        fit_seconds = seconds if math.isnan(fit_seconds) else fit_seconds
        self.fits[n_rows] = max(self.fits.get(n_rows, 0.0), fit_seconds)
        self.overhead = max(self.overhead, seconds - fit_seconds)

    def exponent(self) -> float:
        """Return the power of the rows by which the seconds grow, from the two largest sizes."""
        sizes = sorted(self.fits)
        if len(sizes) < 2 or min(self.fits[sizes[-1]], self.fits[sizes[-2]]) <= 0:
            return _EXPONENT
        low = next((size for size in reversed(sizes[:-1]) if size <= sizes[-1] / 1.5), None)
        if low is None:
            return _EXPONENT
        slope = math.log(self.fits[sizes[-1]] / self.fits[low]) / math.log(sizes[-1] / low)
        return min(max(slope, _EXPONENTS[0]), _EXPONENTS[1])

    def seconds(self, n_rows: int) -> float:
        """Return the estimated seconds of a fit and what belongs to it."""
        if not self.fits:
            return PRIOR_SECONDS
        if n_rows in self.fits:
            return self.fits[n_rows] + self.overhead
        known = max(self.fits)
        return self.fits[known] * (n_rows / known) ** self.exponent() + self.overhead
