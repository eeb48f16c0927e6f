r"""Quant-BnB: optimal decision trees of fixed depth on continuous features, by branch and bound over thresholds.

Mazumder, Meng and Wang, ICML 2022. For rows x_i, y_i of weight w_i and a loss l the tree T minimises

    sum_i w_i l(y_i, T(x_i)) + c |T|    over all trees T of depth d, with c the cost of a leaf.                      (1)

Let OPT_d(R) be the least cost for the rows R, and L(f, t), R(f, t) the rows on both sides of the split (f, t). Then

    OPT_d(R) = min over (f, t) of OPT_{d-1}(L(f, t)) + OPT_{d-1}(R(f, t)), or a leaf,                                (2)
    any t in (a, b):  cost >= OPT_{d-1}(L(f, a)) + OPT_{d-1}(R(f, b)),                                               (3)
    any t, misclassification:  cost >= OPT_{d-1}(L(f, a)) + OPT_{d-1}(R(f, a)) - weight between a and t.             (4)

The numbers are those of this file. (3) holds since fewer rows never cost more; it is W_0 in the paper, which drops the
rows between the quantiles a and b. Step by step, with the names of the official code where it has one:

    step of the paper                                        here
    -------------------------------------------------------  -----------------------------------------------------------
    QuantBnB_2D: branch and bound on trees of depth 2        run_two (_quant_bnb_depth_two)
    sort every feature once                                  make_columns (_quant_bnb_columns)
    AL: root feature, interval, child features still open    Two.open_*, Two.live (_quant_bnb_layout); Frame.interval
                                                             (_quant_bnb_search_layout)
    quantiles: cut each interval                             choose_batch, spread_lanes (_quant_bnb_intervals); deeper
                                                             trees: select, absorb (_quant_bnb_frames)
    one_pass_search: best single splits beside a quantile    scan (_quant_bnb_lane_bounds), scan_* (_quant_bnb_scans)
    lower bound (3) of each interval and child feature       open_between (_quant_bnb_intervals), push
                                                             (_quant_bnb_frames)
    ub: best tree at the quantiles                           judge (_quant_bnb_depth_two), absorb (_quant_bnb_frames)
    remove what the bounds exclude                           close_intervals, trim_interval (4) (_quant_bnb_intervals)
    QuantBnB_3D: the same around depth 2                     run_job, run_rounds (_quant_bnb_search), any depth here
    the tree                                                 finish_two (_quant_bnb_depth_two), make_solution
                                                             (_quant_bnb_solution)

The paper's tighter bounds W_1 and W_2 add a bound on the loss of the rows in between (lower_bound_mid). They are not
used here: scans of sixteen thresholds soon make intervals short, and (4) trims them.

This file prepares the rows, chooses the search, and turns its answer into a tree.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from skpapers.tree._quant_bnb_clock import Clock, Report
from skpapers.tree._quant_bnb_columns import make_columns
from skpapers.tree._quant_bnb_jobs import extract
from skpapers.tree._quant_bnb_losses import CLASSES, Rows, Settings, value_of_leaf
from skpapers.tree._quant_bnb_problem import BUDGET, Found, Problem
from skpapers.tree._quant_bnb_solution import Solution, make_solution


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
        clock.send(alone.objective, alone.objective)
        return alone._replace(lower_bound=alone.objective)
    found = search(problem, max_depth, ahead, clock)
    solution = make_solution(X, target, w, loss, leaf_cost, columns, found.tree)
    bound = np.nan
    proved = False
    if ahead == max_depth:
        # Nothing that was left out can be better, or only by fewer leaves of the same loss.
        bound = min(problem.scale.of_bound(found.bound), solution.objective)
        proved = bool(found.bound >= found.cost - problem.scale.margin or bound == solution.objective)
        bound = solution.objective if proved else bound
    clock.send(solution.objective, bound)
    explored = problem.explored
    return solution._replace(lower_bound=bound, n_nodes_explored=explored, finished=found.finished, proved=proved)


def centre(target: NDArray, weight: NDArray[np.float64] | None) -> NDArray:
    """The target less its mean, output by output; exactly 0 where an output is constant."""
    centred = target - np.average(target, axis=0, weights=weight)
    centred -= np.average(centred, axis=0, weights=weight)  # what rounding left of a mean far from 0
    centred[:, target.min(axis=0) == target.max(axis=0)] = 0.0
    return centred


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
        middle = 0.5 * sum(value_of_leaf(side, len(side.base), settings, problem.width) for side in sides)
        limits = [(low, min(high, middle)), (max(low, middle), high)][::sign]
    left, right = (
        roll(problem, side, depth - 1, lookahead, clock, coarse=coarse, low=a, high=b)
        for side, (a, b) in zip(sides, limits, strict=True)
    )
    cost = left.cost + right.cost
    finished = left.finished and right.finished
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
        extract(rows, n, f, start, stop, labelled, settings.weighted, np.empty(n, np.int32), out)
        yield out


def search(problem: Problem, depth: int, lookahead: int, clock: Clock) -> Found:
    """Find the best tree for all rows; one that is quickly found comes first where the search may take long."""
    rows = problem.rows
    if lookahead < depth:
        return roll(problem, rows, depth, lookahead, clock)
    start = None
    # the first pass of a short search is over before a greedy tree would be
    one_pass = problem.q * len(rows.base)
    quick = clock.limit == np.inf or (one_pass < BUDGET and problem.q * one_pass < 10 * BUDGET)
    short = depth == 1 or (depth == 2 and quick)
    if not short and not problem.settings.monotonic.any():
        quiet = Clock(clock.limit, None, clock.root_cost, problem.scale, clock.begin)
        start = roll(problem, rows, depth, min(2, depth - 1), quiet, coarse=True)
        clock.tick(start.cost, -np.inf)
    found = problem.solve(rows, depth, clock, start)
    return found if start is None or found.cost <= start.cost else found._replace(tree=start.tree, cost=start.cost)
