"""Branch and bound on one node: the open intervals of root thresholds, the best tree, and bounds on what is closed."""

import numpy as np
from numba import njit

from skpapers.tree._quant_bnb_depth_two import for_more_rows
from skpapers.tree._quant_bnb_intervals import has_end, possible_thresholds
from skpapers.tree._quant_bnb_layout import BEST, HIGH, LOW, SECOND, TREE_HIGH, TREE_LOW
from skpapers.tree._quant_bnb_losses import CLASSES, add_rows, leaf_loss, leaf_second, leaf_value
from skpapers.tree._quant_bnb_search_layout import (
    BOUND,
    COST,
    COST_HIGH,
    COST_LOW,
    COST_SECOND,
    CUTOFF,
    DEPTH,
    END_HI,
    END_LO,
    EXTRA,
    HAS_PAIR,
    HAS_TREE,
    HI,
    JOB_EXTRA,
    JOB_HIGH,
    JOB_LOW,
    LO,
    MOVED,
    OPEN,
    ROWS,
    SPARE,
    STEP,
    F,
    T,
)


@njit(cache=True, nogil=True)
def start_frame(frame, rows, n, depth, settings, cutoff, low, high, floor, extra):
    """Begin a search for trees that cost less than `cutoff`; `floor` is a lower bound for each root feature.

    Bounds hold for sets of rows with up to `extra` more rows, too.
    """
    q = settings.monotonic.size
    at = frame.at
    num = frame.num
    at[ROWS] = n
    at[DEPTH] = depth
    at[OPEN] = 0
    at[HAS_TREE] = 0
    at[EXTRA] = extra
    num[BEST] = cutoff
    num[SECOND] = np.inf
    num[LOW] = low
    num[HIGH] = high
    frame.bounds[:] = np.inf
    whole = np.zeros(2 + max(settings.n_classes, rows.val.shape[1]))
    width = (
        settings.n_classes + 1 if settings.kind == CLASSES else 2 if settings.kind < CLASSES else rows.val.shape[1] + 1
    )
    whole = whole[:width]
    add_rows(settings.kind, settings.weighted, rows.order[0], 0, n, rows.label, rows.val, whole)
    cost = leaf_loss(settings.kind, whole) + settings.leaf_cost
    frame.bounds[q] = cost
    value = leaf_value(settings.kind, whole)
    inside = low - settings.value_tie <= value <= high + settings.value_tie
    if cost < cutoff and n >= settings.min_leaf and inside:
        at[HAS_TREE] = 1
        num[BEST] = cost
        num[SECOND] = leaf_second(settings.kind, whole)
        num[TREE_LOW] = value
        num[TREE_HIGH] = value
        frame.tree[0, 0] = -1
    nothing = np.full(q + 1, 2.0 * settings.leaf_cost)
    nothing[q] = settings.leaf_cost
    lo, hi = possible_thresholds(n, settings, extra)
    for f in range(q):
        if has_end(rows.order[f], lo, hi):
            push(frame, settings, f, lo, hi, nothing, nothing, -np.inf, -np.inf, max(floor[f], settings.leaf_cost))
        elif settings.min_leaf - extra <= 1:
            # A tree for more rows than these may split on a feature that is constant here, and is no cheaper for it.
            frame.bounds[f] = -np.inf


@njit(cache=True, nogil=True)
def push(frame, settings, f, lo, hi, l, r, end_lo, end_hi, floor):  # noqa: E741
    """Open an interval, unless its bound closes it at once."""
    bound = max(floor, l.min() + r.min())
    if bound > frame.num[BEST] - settings.margin:
        frame.bounds[f] = min(frame.bounds[f], bound)
        return
    i = frame.at[OPEN]
    frame.at[OPEN] = i + 1
    frame.interval[i, 0] = f
    frame.interval[i, 1] = lo
    frame.interval[i, 2] = hi
    frame.l[i] = l
    frame.r[i] = r
    frame.ends[i, 0] = end_lo
    frame.ends[i, 1] = end_hi
    frame.bound[i] = bound


@njit(cache=True, nogil=True)
def drop(frame, i):
    """Remove an interval from the open ones."""
    last = frame.at[OPEN] - 1
    frame.at[OPEN] = last
    frame.interval[i] = frame.interval[last]
    frame.l[i] = frame.l[last]
    frame.r[i] = frame.r[last]
    frame.ends[i] = frame.ends[last]
    frame.bound[i] = frame.bound[last]


@njit(cache=True, nogil=True)
def select(frame, rows, settings, target, job):
    """Take the open interval with the least bound for a job. Return False if all are closed at `target`."""
    while frame.at[OPEN] > 0:
        i = int(np.argmin(frame.bound[: frame.at[OPEN]]))
        for j in range(i if settings.tie > 0.0 else 0):  # the first of bounds that are equal up to rounding
            if frame.bound[j] <= frame.bound[i] + settings.tie:
                i = j
                break
        if frame.at[OPEN] > frame.bound.size - SPARE:
            # Hardly any room is left: the narrowest interval is finished first.
            for j in range(frame.at[OPEN]):
                if frame.interval[j, 2] - frame.interval[j, 1] < frame.interval[i, 2] - frame.interval[i, 1]:
                    i = j
        f, lo, hi = frame.interval[i]
        bound = frame.bound[i]
        if bound > target:
            frame.bounds[f] = min(frame.bounds[f], bound)
            drop(frame, i)
            continue
        order = rows.order[f]
        if settings.kind <= CLASSES:
            # Near a judged threshold no cost can fall by more than the weight in between.
            for end in range(2):
                while lo < hi - 1:
                    row = order[lo + 1 if end == 0 else hi] >> 1
                    cost = frame.ends[i, end] - (rows.val[row, 0] if settings.weighted else 1.0)
                    if cost <= target:
                        break
                    frame.ends[i, end] = cost
                    frame.bounds[f] = min(frame.bounds[f], cost)
                    if end == 0:
                        lo += 1
                    else:
                        hi -= 1
        if not has_end(order, lo, hi):
            drop(frame, i)
            continue
        job.at[F] = f
        job.at[LO] = lo
        job.at[HI] = hi
        job.at[STEP] = 0
        job.at[HAS_PAIR] = 0
        job.at[JOB_EXTRA] = frame.at[EXTRA]
        job.num[CUTOFF] = target + settings.margin
        job.num[BOUND] = bound
        job.num[JOB_LOW] = frame.num[LOW]
        job.num[JOB_HIGH] = frame.num[HIGH]
        job.num[END_LO] = frame.ends[i, 0]
        job.num[END_HI] = frame.ends[i, 1]
        job.l[:] = frame.l[i]
        job.r[:] = frame.r[i]
        drop(frame, i)
        middle = (lo + hi) // 2
        t = middle
        while t < hi and not order[t] & 1:
            t += 1
        if t >= hi:
            t = middle
            while not order[t] & 1:
                t -= 1
        job.at[T] = t
        job.num[MOVED] = 0.5 * loss_between(rows, settings, f, lo, hi)
        return True
    return False


@njit(cache=True, nogil=True)
def loss_between(rows, settings, f, lo, hi):
    """Weight, or squared error around their mean, of the rows of an interval."""
    if settings.kind <= CLASSES and not settings.weighted:
        return float(hi - lo)
    whole = np.zeros(2 + max(settings.n_classes, rows.val.shape[1]))
    whole = whole[: rows.val.shape[1] + 1] if settings.kind > CLASSES else whole
    add_rows(settings.kind, settings.weighted, rows.order[f], lo + 1, hi + 1, rows.label, rows.val, whole)
    return whole[0] if settings.kind <= CLASSES else leaf_loss(settings.kind, whole)


@njit(cache=True, nogil=True)
def absorb(frame, rows, settings, job):
    """Use the result of a job in its frame: a better tree, tighter bounds, smaller intervals."""
    f = job.at[F]
    lo = job.at[LO]
    hi = job.at[HI]
    t = job.at[T]
    order = rows.order[f]
    bound = job.num[BOUND]
    if job.at[HAS_PAIR]:
        cost = job.num[COST]
        second = job.num[COST_SECOND]
        best = frame.num[BEST]
        tied = frame.at[HAS_TREE] and cost <= best + settings.tie and second < frame.num[SECOND] - settings.tie
        if cost < best - settings.tie or tied:
            frame.at[HAS_TREE] = 1
            frame.num[BEST] = cost
            frame.num[SECOND] = second
            frame.num[TREE_LOW] = job.num[COST_LOW]
            frame.num[TREE_HIGH] = job.num[COST_HIGH]
            frame.tree[0, 0] = f
            frame.tree[0, 1] = rows.base[order[t] >> 1]
            graft(frame.tree, job.tree[0], False)
            graft(frame.tree, job.tree[1], True)
    end = job.side[0].min() + job.side[1].min()
    frame.bounds[f] = min(frame.bounds[f], end)
    if has_end(order, lo, t):
        push(frame, settings, f, lo, t, job.l, job.side[1], job.num[END_LO], end, bound)
    if has_end(order, t, hi):
        push(frame, settings, f, t, hi, job.side[0], job.r, end, job.num[END_HI], bound)


@njit(cache=True, nogil=True)
def graft(tree, branch, is_right):
    """Copy a branch, numbered as a heap, below the root of a tree."""
    first = 1
    for i in range((tree.shape[0] - 1) // 2):
        if i + 1 == 2 * first:
            first *= 2
        tree[2 * first - 1 + (i + 1 - first) + (first if is_right else 0)] = branch[i]


@njit(cache=True, nogil=True)
def lower_bound(frame):
    """Return a lower bound on the cost of every tree of this node."""
    bound = min(frame.num[BEST], frame.bounds[frame.bounds.size - 1])
    for f in range(frame.bounds.size - 1):
        if frame.bounds[f] > -np.inf:
            bound = min(bound, frame.bounds[f])
    for i in range(frame.at[OPEN]):
        bound = min(bound, frame.bound[i])
    return bound


@njit(cache=True, nogil=True)
def close_frame(frame, settings):
    """Bounds for each root feature after the search; constant features cannot be cheaper than the rest."""
    least = lower_bound(frame)
    if settings.min_leaf - frame.at[EXTRA] > 1:
        return  # a split that leaves all of these rows on one side has too few on the other
    for f in range(frame.bounds.size - 1):
        if frame.bounds[f] == -np.inf:
            frame.bounds[f] = least
        else:
            leaves = 2 ** (frame.at[DEPTH] - 1) - 1
            frame.bounds[f] = for_more_rows(frame.bounds[f], least, settings.leaf_cost, leaves)
