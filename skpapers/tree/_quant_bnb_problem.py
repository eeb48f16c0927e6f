"""One optimisation problem: the arrays that the kernels take, and how a node is solved for a given depth."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skpapers.tree._quant_bnb_clock import Clock
from skpapers.tree._quant_bnb_columns import Columns
from skpapers.tree._quant_bnb_depth_two import bound_two, finish_two, run_two, start_two
from skpapers.tree._quant_bnb_frames import start_frame
from skpapers.tree._quant_bnb_layout import BEST, EXPLORED, NO_LIMIT, Two, make_two
from skpapers.tree._quant_bnb_losses import CLASSES, SQUARED, SQUARED_MULTI, TWO_CLASSES, Rows, Settings, cost_of_leaf
from skpapers.tree._quant_bnb_rounds import Rounds, run
from skpapers.tree._quant_bnb_scale import VALUE_TIE, Scale
from skpapers.tree._quant_bnb_search_layout import (
    LOOKED,
    ROUND,
    capacity,
    frame_at,
    make_frame,
    make_job,
    make_worker,
)
from skpapers.tree._quant_bnb_solution import Tree, heap_to_tree, tree_to_heap
from skpapers.tree._quant_bnb_stumps import solve_stump

# Rows that a kernel looks at before it returns: some ten milliseconds.
BUDGET = 2_000_000
MAX_CLASSES = 65535


class Found(NamedTuple):
    """The result of a search on one node."""

    tree: Tree
    cost: float
    bound: float
    finished: bool


class Encoded(NamedTuple):
    """Targets and weights as the kernels take them, and the sizes that tolerances depend on."""

    kind: int
    n_classes: int
    width: int  # number of statistics of a leaf
    label: NDArray[np.uint16]
    val: NDArray
    largest: float  # the largest sum that occurs
    spread: float  # range of the leaf values


def encode(target: NDArray, weight: NDArray[np.float64] | None, loss: str) -> Encoded:
    """Return class codes or values for the kernels of a loss."""
    if loss == "misclassification":
        n_classes = int(target.max()) + 1
        if n_classes > MAX_CLASSES:
            raise ValueError(f"misclassification allows up to {MAX_CLASSES} classes; there are {n_classes}.")
        kind = TWO_CLASSES if n_classes <= 2 else CLASSES
        width = 2 if n_classes <= 2 else n_classes + 1
        val = np.ones((1, 1), np.int32) if weight is None else weight[:, None].copy()
        total = float(len(target) if weight is None else weight.sum())
        return Encoded(kind, n_classes, width, target.astype(np.uint16), val, total, 1.0)
    m = target.shape[1]
    kind = SQUARED if m == 1 else SQUARED_MULTI
    w = np.ones(len(target)) if weight is None else weight
    val = np.column_stack([w, target * w[:, None]])
    total = float((target * target * w[:, None]).sum())
    return Encoded(kind, 0, m + 2, np.zeros(1, np.uint16), val, total, float(np.ptp(target)))


class Problem:
    """One optimisation problem: its rows, its settings, and how to solve it on a node for a given depth."""

    def __init__(
        self,
        columns: Columns,
        target: NDArray,
        weight: NDArray[np.float64] | None,
        loss: str,
        min_samples_leaf: int,
        leaf_cost: float,
        monotonic_cst: NDArray[np.int8] | None,
        tol: float,
        n_jobs: int,
        depth: int,
    ) -> None:
        n = len(target)
        q = len(columns.column)
        encoded = encode(target, weight, loss)
        is_whole = encoded.val.dtype == np.int32 and leaf_cost == 0.0
        self.scale = Scale.of(n, encoded.largest, depth, is_whole)
        monotonic = np.zeros(q, np.int8) if monotonic_cst is None else monotonic_cst[columns.column].astype(np.int8)
        self.settings = Settings(
            kind=encoded.kind,
            n_classes=encoded.n_classes,
            weighted=weight is not None or encoded.kind > CLASSES,
            unit=weight is None,
            leaf_cost=leaf_cost + self.scale.extra,
            margin=self.scale.margin,
            tie=self.scale.tie,
            value_tie=VALUE_TIE * encoded.spread,
            min_leaf=min_samples_leaf,
            monotonic=monotonic,
        )
        # A tree that is to grow further splits on ties, too, where the extra would keep a leaf.
        margin = 1.0 - 1e-6 if self.scale.whole else self.scale.margin
        self.growing = self.settings._replace(leaf_cost=float(leaf_cost), margin=margin)
        self.rows = Rows(columns.order, np.arange(n, dtype=np.int32), encoded.label, encoded.val)
        self.width = encoded.width
        self.tol = tol
        self.n_jobs = n_jobs
        self.q = q
        self.explored = 0

    def make_two(self, n: int) -> Two:
        """Working space of a depth-two search."""
        kind = self.settings.kind
        n_classes = self.settings.n_classes
        return make_two(n, self.q, self.width, n_classes, kind, self.rows.val.dtype.type)

    def leaf(self, rows: Rows) -> float:
        """Cost of one leaf for some rows."""
        return cost_of_leaf(rows, len(rows.base), self.settings, self.width)

    def solve(
        self,
        rows: Rows,
        depth: int,
        clock: Clock,
        start: Found | None = None,
        *,
        settings: Settings | None = None,
        coarse: bool = False,
        low: float = -np.inf,
        high: float = np.inf,
    ) -> Found:
        """Find the best tree of a depth for some rows, with leaf values between `low` and `high`."""
        settings = self.settings if settings is None else settings
        if depth == 1:
            return self.solve_stump(rows, settings, low, high)
        if depth == 2:
            found = self.solve_two(rows, settings, clock, coarse, low, high)
        else:
            found = self.solve_deep(rows, settings, depth, clock, start, low, high)
        if found.finished and not coarse:
            # Bounds come from the problem without constraints; a search that ended proves more.
            slack = max(settings.margin, self.tol * (self.leaf(rows) - found.cost))
            found = found._replace(bound=max(found.bound, found.cost - slack))
        return found

    def solve_stump(self, rows: Rows, settings: Settings, low: float, high: float) -> Found:
        """Find the best single split."""
        n = len(rows.base)
        two = self.make_two(n)
        solve_stump(two, rows, n, settings, low, high)
        self.explored += 1
        cost = float(two.num[BEST])
        return Found(heap_to_tree(two.tree), cost, cost, True)

    def solve_two(self, rows: Rows, settings: Settings, clock: Clock, coarse: bool, low: float, high: float) -> Found:
        """Find the best tree of depth two; `coarse` stops after some thresholds of each root feature."""
        n = len(rows.base)
        two = self.make_two(n)
        root_cost = self.leaf(rows)
        limit = self.q if coarse else NO_LIMIT
        start_two(two, rows, n, settings, np.inf, low, high, np.zeros(self.q + 1), limit, 0)
        while True:
            margin = max(settings.margin, self.tol * (root_cost - two.num[BEST]))
            done = run_two(two, rows, settings._replace(margin=margin), BUDGET)
            bound = float(bound_two(two))
            if done or clock.tick(float(two.num[BEST]), bound):
                break
        finish_two(two, rows, settings)
        self.explored += int(two.at[EXPLORED])
        return Found(heap_to_tree(two.tree), float(two.num[BEST]), bound, bool(done))

    def solve_deep(
        self, rows: Rows, s: Settings, depth: int, clock: Clock, start: Found | None, low: float, high: float
    ) -> Found:
        """Find the best tree of depth three or more."""
        n = len(rows.base)
        q = self.q
        size = 2**depth - 1
        frame = frame_at(make_frame(1, capacity(n, q), q, size), 0)
        start_frame(frame, rows, n, depth, s, np.inf, low, high, np.zeros(q + 1), 0)
        root_cost = float(frame.bounds[q])
        if start is not None and start.cost < frame.num[BEST]:
            frame.num[BEST] = start.cost
            tree_to_heap(start.tree, frame.tree)
        columns = rows.val.shape[1] if s.weighted else 0
        number = rows.val.dtype.type
        workers = [
            make_worker(n, q, depth, self.width, s.n_classes, s.kind, number, columns, self.make_two(n))
            for _ in range(min(self.n_jobs, ROUND))
        ]
        jobs = make_job(ROUND, q, size)
        rounds = Rounds(frame, jobs, np.array([0, 0, 1]), rows, n, depth, s, self.tol, root_cost)
        bound, finished = run(rounds, workers, clock, BUDGET)
        self.explored += sum(int(worker.at[LOOKED] + worker.two.at[EXPLORED]) for worker in workers)
        return Found(heap_to_tree(frame.tree), float(frame.num[BEST]), bound, finished)
