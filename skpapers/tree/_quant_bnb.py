"""Quant-BnB: optimal decision trees of fixed depth on continuous features, by branch and bound over thresholds.

Mazumder, Meng and Wang, ICML 2022, bound the cost of all trees whose thresholds lie between quantiles, and refine what
the bounds leave open. Here depth two is solved by scans of sixteen thresholds at once (`_quant_bnb_depth_two`), and
each further level by a search over intervals of root thresholds (`_quant_bnb_search`). This file prepares the rows,
drives the search, and turns its answer into a tree.
"""

import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from skpapers.tree import _quant_bnb_depth_two as two_
from skpapers.tree import _quant_bnb_search as search_
from skpapers.tree._quant_bnb_depth_two import Rows, Settings
from skpapers.tree._quant_bnb_scans import CLASSES, SQUARED, SQUARED_MULTI, TWO_CLASSES

# Rows that a kernel looks at before it returns: some ten milliseconds.
BUDGET = 2_000_000
# A report about as often as this many seconds.
PERIOD = 0.05
# Leaf values closer than this, relative to the range of y, may be one and the same number, rounded.
VALUE_TIE = 1e-10
MAX_CLASSES = 65535

BEST = two_.BEST

Report = Callable[[float, float, float, float], None]
# A split: candidate feature, last row on the left, left branch, right branch. None is a leaf.
Tree = tuple[int, int, "Tree", "Tree"] | None


class Solution(NamedTuple):
    """A tree in depth-first order, left child first, with its cost and a bound on that of every admissible tree.

    `finished` says that the search ran to its end, `proved` that no tree is better: what it left out was left out
    because it cannot be, and not because of `tol` or the time limit. Then the bound is the objective.
    """

    children_left: NDArray[np.int64]
    children_right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    missing_go_to_left: NDArray[np.bool_]
    loss: float
    objective: float
    lower_bound: float
    root_loss: float
    n_nodes_explored: int
    finished: bool
    proved: bool


class Columns(NamedTuple):
    """Candidate features: a column with missing values is two of them, NaN before all values and NaN after them."""

    order: NDArray[np.int32]
    column: NDArray[np.int64]
    missing_first: NDArray[np.bool_]


class Found(NamedTuple):
    """The result of a search on one node."""

    tree: Tree
    cost: float
    bound: float
    finished: bool


class Scale(NamedTuple):
    """What tells the costs of two trees apart.

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


class Clock:
    """Time limit and reports of a search."""

    def __init__(
        self, limit: float | None, report: Report | None, root_cost: float, scale: Scale, begin: float | None = None
    ) -> None:
        self.begin = time.perf_counter() if begin is None else begin
        self.limit = np.inf if limit is None else limit
        self.report, self.root_cost, self.scale = report, root_cost, scale
        self.last = self.begin
        self.bound = 0.0

    def tick(self, best: float, bound: float) -> bool:
        """Report at times, given a cost and a bound of the search; True when the time is up."""
        now = time.perf_counter()
        self.bound = max(self.bound, min(bound, best))
        if self.report is not None and now - self.last >= PERIOD:
            self.last = now
            self.tell(self.scale.of_tree(best), self.scale.of_bound(self.bound))
        return now - self.begin >= self.limit

    def tell(self, best: float, bound: float) -> None:
        """Report an objective and a bound on it."""
        if self.report is not None:
            gap = relative_gap(best, bound, self.root_cost)
            self.report(best, bound, gap, time.perf_counter() - self.begin)

    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.perf_counter() - self.begin >= self.limit


def relative_gap(best: float, bound: float, root_cost: float) -> float:
    """Share of the loss that a tree could remove at most, beyond what this one removes."""
    return 0.0 if best <= bound else (best - bound) / (max(best, root_cost) - bound)


@njit(cache=True, nogil=True)
def _pack(order, column, start, out):
    """Rows in order from the position `start` on, wrapping round, each with a mark where a value ends."""
    n = order.size
    distinct = 0
    for k in range(n):
        i = start + k if start + k < n else start + k - n
        row = order[i]
        last = 1
        if k < n - 1:
            value, after = column[row], column[order[i + 1 if i + 1 < n else 0]]
            last = 0 if value == after or (np.isnan(value) and np.isnan(after)) else 1
        out[k] = row << 1 | last
        distinct += last
    return distinct


def make_columns(X: NDArray[np.float64]) -> Columns:
    """Sort every column; columns with a single value are left out."""
    n, p = X.shape
    order = np.empty((p, n), np.int32)
    extra, columns, missing_first = [], [], []
    k = 0
    for j in range(p):
        column = np.ascontiguousarray(X[:, j])
        rows = np.argsort(column)
        if _pack(rows, column, 0, order[k]) == 1:
            continue
        k += 1
        columns.append(j)
        missing_first.append(False)
        if np.isnan(column[rows[-1]]):
            known = n - np.count_nonzero(np.isnan(column))
            extra.append((j, rows, column, known))
    order = order[:k]
    if extra:
        order = np.concatenate([order, np.empty((len(extra), n), np.int32)])
        for j, rows, column, known in extra:
            _pack(rows, column, known, order[k])
            k += 1
            columns.append(j)
            missing_first.append(True)
    return Columns(order, np.array(columns, np.int64), np.array(missing_first, bool))


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
        weighted = weight is not None
        if loss == "misclassification":
            n_classes = int(target.max()) + 1
            if n_classes > MAX_CLASSES:
                raise ValueError(f"misclassification allows up to {MAX_CLASSES} classes; there are {n_classes}.")
            kind, self.width = (TWO_CLASSES, 2) if n_classes <= 2 else (CLASSES, n_classes + 1)
            label = target.astype(np.uint16)
            val = np.ones((1, 1), np.int32) if weight is None else weight[:, None].copy()
            largest = float(n if weight is None else weight.sum())
            spread = 1.0
        else:
            n_classes, weighted = 0, True
            m = target.shape[1]
            w = np.ones(n) if weight is None else weight
            kind, self.width = (SQUARED if m == 1 else SQUARED_MULTI), m + 2
            label = np.zeros(1, np.uint16)
            val = np.column_stack([w, target * w[:, None]])
            largest = float((target * target * w[:, None]).sum())
            spread = float(np.ptp(target))
        self.scale = Scale.of(n, largest, depth, val.dtype == np.int32 and leaf_cost == 0.0)
        monotonic = np.zeros(q, np.int8) if monotonic_cst is None else monotonic_cst[columns.column].astype(np.int8)
        self.settings = Settings(
            kind,
            n_classes,
            weighted,
            weight is None,
            leaf_cost + self.scale.extra,
            self.scale.margin,
            self.scale.tie,
            VALUE_TIE * spread,
            min_samples_leaf,
            monotonic,
        )
        # A tree that is to grow further splits on ties, too, where the extra would keep a leaf.
        margin = 1.0 - 1e-6 if self.scale.whole else self.scale.margin
        self.growing = self.settings._replace(leaf_cost=float(leaf_cost), margin=margin)
        self.rows = Rows(columns.order, np.arange(n, dtype=np.int32), label, val)
        self.tol, self.n_jobs, self.q = tol, n_jobs, q
        self.explored = 0

    def make_two(self, n: int) -> two_.Two:
        """Working space of a depth-two search."""
        kind, n_classes = self.settings.kind, self.settings.n_classes
        return two_.make_two(n, self.q, self.width, n_classes, kind, self.rows.val.dtype.type)

    def leaf(self, rows: Rows) -> float:
        """Cost of one leaf for some rows."""
        return two_.cost_of_leaf(rows, len(rows.base), self.settings, self.width)

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

    def search(self, depth: int, lookahead: int, clock: Clock) -> Found:
        """Find the best tree for all rows; one that is quickly found comes first where the search may take long."""
        if lookahead < depth:
            return roll(self, self.rows, depth, lookahead, clock)
        start = None
        # the first pass of a short search is over before a greedy tree would be
        one_pass = self.q * len(self.rows.base)
        quick = clock.limit == np.inf or (one_pass < BUDGET and self.q * one_pass < 10 * BUDGET)
        short = depth == 1 or (depth == 2 and quick)
        if not short and not self.settings.monotonic.any():
            quiet = Clock(clock.limit, None, clock.root_cost, self.scale, clock.begin)
            start = roll(self, self.rows, depth, min(2, depth - 1), quiet, coarse=True)
            clock.tick(start.cost, -np.inf)
        found = self.solve(self.rows, depth, clock, start)
        return found if start is None or found.cost <= start.cost else found._replace(tree=start.tree, cost=start.cost)

    def solve_stump(self, rows: Rows, settings: Settings, low: float, high: float) -> Found:
        """Find the best single split."""
        two, n = self.make_two(len(rows.base)), len(rows.base)
        two_.solve_stump(two, rows, n, settings, low, high)
        self.explored += 1
        cost = float(two.num[BEST])
        return Found(heap_to_tree(two.tree), cost, cost, True)

    def solve_two(self, rows: Rows, settings: Settings, clock: Clock, coarse: bool, low: float, high: float) -> Found:
        """Find the best tree of depth two; `coarse` stops after some thresholds of each root feature."""
        two, n = self.make_two(len(rows.base)), len(rows.base)
        root_cost = self.leaf(rows)
        limit = self.q if coarse else two_.NO_LIMIT
        two_.start_two(two, rows, n, settings, np.inf, low, high, np.zeros(self.q + 1), limit, 0)
        while True:
            margin = max(settings.margin, self.tol * (root_cost - two.num[BEST]))
            done = two_.run_two(two, rows, settings._replace(margin=margin), BUDGET)
            bound = float(two_.bound_two(two))
            if done or clock.tick(float(two.num[BEST]), bound):
                break
        two_.finish_two(two, rows, settings)
        self.explored += int(two.at[two_.EXPLORED])
        return Found(heap_to_tree(two.tree), float(two.num[BEST]), bound, bool(done))

    def solve_deep(
        self, rows: Rows, s: Settings, depth: int, clock: Clock, start: Found | None, low: float, high: float
    ) -> Found:
        """Find the best tree of depth three or more."""
        n, q = len(rows.base), self.q
        size = 2**depth - 1
        frame = search_.frame_at(search_.make_frame(1, search_.capacity(n, q), q, size), 0)
        search_.start_frame(frame, rows, n, depth, s, np.inf, low, high, np.zeros(q + 1), 0)
        root_cost = float(frame.bounds[q])
        if start is not None and start.cost < frame.num[BEST]:
            frame.num[BEST] = start.cost
            tree_to_heap(start.tree, frame.tree)
        jobs = search_.make_job(search_.ROUND, q, size)
        state = np.array([0, 0, 1])
        columns = rows.val.shape[1] if s.weighted else 0
        workers = [
            search_.make_worker(
                n, q, depth, self.width, s.n_classes, s.kind, rows.val.dtype.type, columns, self.make_two(n)
            )
            for _ in range(min(self.n_jobs, search_.ROUND))
        ]
        common = (frame, jobs, state, rows, n, depth, s, self.tol, root_cost)
        done: list[int] = []
        steps = self._one_thread(workers[0], *common) if self.n_jobs == 1 else self._threads(workers, done, *common)
        finished = True
        with closing(steps):
            for _ in steps:
                taken = range(state[search_.IN_HAND]) if self.n_jobs == 1 else done
                pairs = [float(jobs.num[i, search_.COST]) for i in taken if jobs.at[i, search_.HAS_PAIR]]
                if clock.tick(min([float(frame.num[BEST]), *pairs]), self._bound(frame, jobs, state)):
                    finished = False
                    break
        bound = self._bound(frame, jobs, state)
        if not finished:
            for i in range(state[search_.IN_HAND]) if self.n_jobs == 1 else sorted(done):
                search_.absorb(frame, rows, s, search_.job_at(jobs, i))
        self.explored += sum(int(worker.at[search_.LOOKED] + worker.two.at[two_.EXPLORED]) for worker in workers)
        return Found(heap_to_tree(frame.tree), float(frame.num[BEST]), bound, finished)

    @staticmethod
    def _bound(frame: search_.Frame, jobs: search_.Job, state: NDArray[np.int64]) -> float:
        in_work = jobs.num[: state[search_.COUNT], search_.BOUND]
        return float(min(search_.lower_bound(frame), in_work.min(initial=np.inf)))

    @staticmethod
    def _one_thread(worker: search_.Worker, *common: Any) -> Generator[None]:
        frame, jobs, state, rows, n, depth, settings, tol, root_cost = common
        while not search_.run_rounds(worker, frame, jobs, state, rows, n, depth, settings, tol, root_cost, BUDGET):
            yield

    @staticmethod
    def _threads(workers: list[search_.Worker], done: list[int], *common: Any) -> Generator[None]:
        frame, jobs, state, rows, n, depth, settings, tol, root_cost = common
        stop = False

        def work(worker: search_.Worker, waiting: list[int]) -> None:
            while not stop:
                try:
                    i = waiting.pop()
                except IndexError:
                    return
                search_.start_job(worker)
                job = search_.job_at(jobs, i)
                while not search_.run_job(worker, rows, n, depth, job, settings, BUDGET):
                    if stop:
                        return
                done.append(i)

        with ThreadPoolExecutor(len(workers)) as pool:
            try:
                while search_.next_round(frame, jobs, state, rows, settings, tol, root_cost):
                    done.clear()
                    waiting = list(range(state[search_.COUNT]))[::-1]
                    running = {pool.submit(work, worker, waiting) for worker in workers}
                    while running:
                        ended, running = wait(running, timeout=PERIOD)
                        for future in ended:
                            future.result()
                        yield
            finally:
                stop = True


def heap_to_tree(heap: NDArray[np.int64], i: int = 0) -> Tree:
    """A tree numbered as a heap, as nested tuples."""
    if i >= len(heap) or heap[i, 0] < 0:
        return None
    return int(heap[i, 0]), int(heap[i, 1]), heap_to_tree(heap, 2 * i + 1), heap_to_tree(heap, 2 * i + 2)


def tree_to_heap(tree: Tree, heap: NDArray[np.int64], i: int = 0) -> None:
    """Write nested tuples into a heap."""
    if tree is None:
        if i < len(heap):
            heap[i, 0] = -1
    else:
        heap[i] = tree[:2]
        tree_to_heap(tree[2], heap, 2 * i + 1)
        tree_to_heap(tree[3], heap, 2 * i + 2)


def roll(
    problem: Problem,
    rows: Rows,
    depth: int,
    lookahead: int,
    clock: Clock,
    *,
    coarse: bool = False,
    low: float = -np.inf,
    high: float = np.inf,
) -> Found:
    """Grow a tree whose every node splits as the root of the best tree of depth `lookahead` for its rows does.

    When the time is up, what is left to grow stays a leaf.
    """
    leaf = Found(None, problem.leaf(rows), np.nan, True)
    if clock.is_over() and rows is not problem.rows:
        return leaf._replace(finished=False)
    if depth <= lookahead:
        return problem.solve(rows, depth, clock, coarse=coarse, low=low, high=high)
    settings = problem.growing
    found = problem.solve(rows, lookahead, clock, settings=settings, coarse=coarse, low=low, high=high)
    if found.tree is None:
        return leaf._replace(finished=found.finished)
    if not (found.finished or coarse):
        return found._replace(bound=np.nan)
    f = found.tree[0]
    sides = list(split_rows(rows, settings, *found.tree[:2]))
    limits = [(low, high), (low, high)]
    sign = settings.monotonic[f]
    if sign:
        # As in scikit-learn: what lies halfway between the children's values parts those of their descendants.
        middle = 0.5 * sum(two_.value_of_leaf(side, len(side.base), settings, problem.width) for side in sides)
        limits = [(low, min(high, middle)), (max(low, middle), high)][::sign]
    left, right = (
        roll(problem, side, depth - 1, lookahead, clock, coarse=coarse, low=a, high=b)
        for side, (a, b) in zip(sides, limits, strict=True)
    )
    cost, finished = left.cost + right.cost, left.finished and right.finished
    if leaf.cost <= cost:  # no use was found for the split
        return leaf._replace(finished=finished)
    return Found((*found.tree[:2], left.tree, right.tree), cost, np.nan, finished)


def split_rows(rows: Rows, settings: Settings, f: int, row: int) -> Iterator[Rows]:
    """The rows left and right of a split."""
    n = len(rows.base)
    place = int(np.flatnonzero(rows.base[rows.order[f] >> 1] == row)[0]) + 1
    labelled = settings.kind <= CLASSES
    for start, stop in ((0, place), (place, n)):
        m = stop - start
        out = Rows(
            np.empty((len(rows.order), m), np.int32),
            np.empty(m, np.int32),
            np.empty(m if labelled else 1, np.uint16),
            np.empty((m if settings.weighted else 1, rows.val.shape[1]), rows.val.dtype),
        )
        search_.extract(rows, n, f, start, stop, labelled, settings.weighted, np.empty(n, np.int32), out)
        yield out


def solve(
    X: NDArray[np.float64],
    target: NDArray,
    weight: NDArray[np.float64] | None,
    *,
    loss: str,
    max_depth: int,
    lookahead: int | None = None,
    min_samples_leaf: int = 1,
    leaf_cost: float = 0.0,
    monotonic_cst: NDArray[np.int8] | None = None,
    time_limit: float | None = None,
    tol: float = 0.0,
    n_jobs: int = 1,
    report: Report | None = None,
) -> Solution:
    """Find the decision tree with the least total loss plus `leaf_cost` for each leaf.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Features; NaN is a missing value.

    target : ndarray of shape (n_samples, n_outputs), or (n_samples,) for misclassification
        Values, or class codes 0, 1, ...

    weight : ndarray of shape (n_samples,) or None
        Positive weights of the rows; None for ones.

    loss : {"squared_error", "misclassification"}
        Weighted squared error summed over outputs, or the weight of rows outside their leaf's heaviest class.

    max_depth, lookahead : int
        Depth of the tree; with a smaller `lookahead` every split is that of the best tree of this depth for the node.

    min_samples_leaf, leaf_cost, monotonic_cst
        Least number of rows in a leaf; cost of a leaf; sign of every column's influence, where at a split on a
        constrained column every leaf's value on the lower side is at most every one on the upper side.

    time_limit, tol : float
        Seconds; gap, relative to the loss that trees can remove, at which the search may end.

    n_jobs : int
        Number of threads. The answer does not depend on it.

    report : callable
        Called about every 50 ms with the best cost, the bound, their gap, and the seconds so far.

    Returns
    -------
    Solution
    """
    n = len(target)
    columns = make_columns(X)
    w = np.ones(n) if weight is None else weight
    if loss == "squared_error":
        target = centre(target, weight)
    alone = make_solution(X, target, w, loss, leaf_cost, columns, None)
    ahead = max_depth if lookahead is None else min(lookahead, max_depth)
    problem = Problem(columns, target, weight, loss, min_samples_leaf, leaf_cost, monotonic_cst, tol, n_jobs, ahead)
    clock = Clock(time_limit, report, alone.root_loss, problem.scale)
    if len(columns.column) == 0 or n < 2 * min_samples_leaf or alone.loss <= leaf_cost:
        clock.tell(alone.objective, alone.objective)
        return alone._replace(lower_bound=alone.objective)
    found = problem.search(max_depth, ahead, clock)
    solution = make_solution(X, target, w, loss, leaf_cost, columns, found.tree)
    bound, proved = np.nan, False
    if ahead == max_depth:
        # Nothing that was left out can be better, or only by fewer leaves of the same loss.
        bound = min(problem.scale.of_bound(found.bound), solution.objective)
        proved = bool(found.bound >= found.cost - problem.scale.margin or bound == solution.objective)
        bound = solution.objective if proved else bound
    clock.tell(solution.objective, bound)
    explored = problem.explored
    return solution._replace(lower_bound=bound, n_nodes_explored=explored, finished=found.finished, proved=proved)


def centre(target: NDArray, weight: NDArray[np.float64] | None) -> NDArray:
    """The target less its mean, output by output; exactly 0 where an output is constant."""
    centred = target - np.average(target, axis=0, weights=weight)
    centred -= np.average(centred, axis=0, weights=weight)  # what rounding left of a mean far from 0
    centred[:, target.min(axis=0) == target.max(axis=0)] = 0.0
    return centred


def make_solution(
    X: NDArray[np.float64],
    target: NDArray,
    w: NDArray[np.float64],
    loss: str,
    leaf_cost: float,
    columns: Columns,
    tree: Tree,
) -> Solution:
    """Lay a tree out in depth-first order, with thresholds halfway between the values of each node's rows."""
    nodes: list[list] = []
    losses: list[float] = []
    pending = [(tree, np.arange(len(target)), -1, 0)]
    while pending:
        node, rows, parent, side = pending.pop()
        if parent >= 0:
            nodes[parent][side] = len(nodes)
        if node is None or not nodes:
            lost = weight_lost(target, rows, w) if loss == "misclassification" else squared_error(target[rows], w[rows])
            if not nodes:
                root_loss = lost
        if node is None:
            losses.append(lost)
            nodes.append([-1, -1, -2, -2.0, False])
            continue
        f, row, left, right = node
        j = columns.column[f]
        left_rows, right_rows, threshold, missing_left = split_node(X, j, rows, X[row, j], columns.missing_first[f], w)
        if np.isnan(X[row, j]):
            left, right = right, left
        me = len(nodes)
        nodes.append([-1, -1, j, threshold, missing_left])
        pending += [(right, right_rows, me, 1), (left, left_rows, me, 0)]
    left_nodes, right_nodes, features, thresholds, missing = zip(*nodes, strict=True)
    return Solution(
        np.array(left_nodes, np.int64),
        np.array(right_nodes, np.int64),
        np.array(features, np.int64),
        np.array(thresholds, np.float64),
        np.array(missing, bool),
        float(np.sum(losses)),
        float(np.sum(losses) + leaf_cost * len(losses)),
        np.nan,
        float(root_loss + leaf_cost),
        0,
        True,
        True,
    )


def squared_error(y: NDArray, w: NDArray[np.float64]) -> float:
    """Weighted squared error of some rows around their mean."""
    mean = w @ y / w.sum()
    mean += w @ (y - mean) / w.sum()  # exact where all values are equal
    return float((w[:, None] * (y - mean) ** 2).sum())


@njit(cache=True, nogil=True)
def weight_lost(target, rows, w):
    """Weight of the rows outside their heaviest class."""
    by_class = np.zeros(target.max() + 1)
    for row in rows:
        by_class[target[row]] += w[row]
    by_class[by_class.argmax()] = 0.0  # not a difference of sums: 0 where all rows are of one class
    return by_class.sum()


@njit(cache=True, nogil=True)
def split_node(X, j, rows, value, missing_first, w):
    """Rows of a node that go left and right, the threshold, and whether NaN goes left.

    `value` is the last one on the left. If it is NaN, NaN alone was on the left; scikit-learn's trees say this the
    other way round: every value goes left, NaN right.
    """
    left, right = np.empty_like(rows), np.empty_like(rows)
    n_left = n_right = n_missing = 0
    after = np.inf
    w_left = w_right = 0.0
    for row in rows:
        x = X[row, j]
        if np.isnan(x):
            n_missing += 1
            is_left = missing_first and not np.isnan(value)
        else:
            is_left = np.isnan(value) or x <= value
        if is_left:
            left[n_left] = row
            n_left += 1
            w_left += w[row]
        else:
            right[n_right] = row
            n_right += 1
            w_right += w[row]
            if x < after:
                after = x
    threshold = np.inf
    if after < np.inf:
        threshold = 0.5 * value + 0.5 * after
        if not value <= threshold < after:
            threshold = value
    missing_left = missing_first and not np.isnan(value)
    if n_missing == 0:
        missing_left = w_left >= w_right
    return left[:n_left], right[:n_right], threshold, missing_left
