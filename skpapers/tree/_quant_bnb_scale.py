"""Which costs count as equal, and the gap between a cost and a bound."""

from typing import NamedTuple

import numpy as np

# Leaf values closer than this, relative to the range of y, may be one and the same number, rounded.
VALUE_TIE = 1e-10


class Scale(NamedTuple):
    """Tolerances by which the costs of two trees are compared.

    Each leaf costs `extra` more than it should, so that of trees of equal loss the one with the fewest leaves is the
    cheapest. Costs closer than `tie` may be one and the same number, rounded, and costs closer than `margin` count as
    equal in a proof: tie < margin < extra - tie. Where rows are counted, losses are whole numbers, all sums are exact,
    and the extra of all leaves of a tree is at most a quarter.
    """

    whole: bool
    extra: float
    margin: float
    tie: float
    most: float

    @classmethod
    def of(cls, n: int, root_loss: float, depth: int, whole: bool) -> "Scale":
        """The scale of trees of some depth for n rows."""
        if whole:
            extra = 0.25 / 2.0**depth
            return cls(whole, extra, 0.5 * extra, 0.0, 0.25)
        # Rounding errors of sums over n rows grow like the square root of n.
        tie = 2.0 * np.finfo(float).eps * (8.0 + np.sqrt(n)) * root_loss
        return cls(whole, 4.0 * tie, 2.0 * tie, tie, 4.0 * tie * 2.0**depth)

    def of_tree(self, cost: float) -> float:
        """The cost of a tree without the extra, as far as it matters."""
        return float(np.floor(cost)) if self.whole else cost

    def of_bound(self, bound: float) -> float:
        """A bound on costs without the extra, from one on costs with it."""
        bound = max(bound - self.most, 0.0)
        return float(np.ceil(bound)) if self.whole else bound


def relative_gap(best: float, bound: float, root_cost: float) -> float:
    """Share of the loss that a tree could remove at most, beyond what this one removes."""
    return 0.0 if best <= bound else (best - bound) / (max(best, root_cost) - bound)
