"""Optimal trees of depth three and more: branch and bound over intervals of root thresholds, on depth-two searches.

An interval (f, lo, hi) stands for the root thresholds of f strictly between two positions in the order of f. It carries
lower bounds, one for each child feature, of the subtrees left of lo and right of hi, and is closed when their sum
reaches the best cost. The open interval with the least bound has its middle threshold judged: the optimal subtrees left
and right of it are found, each no further than it can matter to this threshold and its neighbours, and the interval is
cut in two.

The subtrees are found by the same search, one level down; the state of all levels stands in arrays, so that `run_job`
can stop and go on. A job judges one threshold; jobs of the same frame may run at the same time in several threads.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from skpapers.tree._quant_bnb_borrow import borrow
from skpapers.tree._quant_bnb_depth_two import (
    BEST,
    FOUND,
    HIGH,
    LOW,
    NO_LIMIT,
    ROOT,
    SECOND,
    SPLIT,
    TREE_HIGH,
    TREE_LOW,
    WORK,
    Rows,
    Two,
    add_rows,
    below,
    finish_two,
    for_more_rows,
    has_end,
    leaf_loss,
    leaf_second,
    leaf_value,
    possible_thresholds,
    run_two,
    start_two,
)
from skpapers.tree._quant_bnb_scans import CLASSES

# How much further than its own threshold needs a subtree is searched, in units of the loss of half the interval's rows,
# or of the best tree's cost where that is less.
SLACK = 1.0


class Frame(NamedTuple):
    """A search on one node: its open intervals and the best tree so far."""

    at: np.ndarray
    num: np.ndarray
    interval: np.ndarray  # (capacity, 3): feature, lo, hi
    l: np.ndarray  # noqa: E741
    r: np.ndarray
    ends: np.ndarray  # costs at lo and hi, where known
    bound: np.ndarray
    bounds: np.ndarray  # (q + 1,): least bound among what was closed, for each root feature; of a leaf
    tree: np.ndarray


class Job(NamedTuple):
    """The judgement of the middle threshold of one interval."""

    at: np.ndarray
    num: np.ndarray
    l: np.ndarray  # noqa: E741
    r: np.ndarray
    side: np.ndarray  # (2, q + 1): bounds found left and right of the threshold
    tree: np.ndarray  # (3, nodes, 2): the best pair, and the subtree found first
    root: np.ndarray  # (2, 2): root feature and position of depth-two subtrees, and their bounds (2, 2, q + 1)
    root_bounds: np.ndarray


class Worker(NamedTuple):
    """Working space of one thread: rows, frames and jobs of every level below the root's."""

    at: np.ndarray
    n: np.ndarray
    order: np.ndarray
    base: np.ndarray
    label: np.ndarray
    val: np.ndarray
    new: np.ndarray
    frames: Frame
    jobs: Job
    two: Two


# Integers of a frame, the last one the number of more rows for which its bounds hold; its numbers are those of depth
# two.
ROWS, DEPTH, OPEN, HAS_TREE, EXTRA = range(5)
# Integers of a job, and its numbers.
F, LO, HI, T, STEP, FIRST, HAS_PAIR, JOB_EXTRA = range(8)
CUTOFF, BOUND, JOB_LOW, JOB_HIGH, END_LO, END_HI, CAP, COST, COST_SECOND, COST_LOW, COST_HIGH = range(11)
FIRST_COST, FIRST_SECOND, FIRST_LOW, FIRST_HIGH, MOVED = range(11, 16)
# Integers of a worker: the level in hand, what comes next, thresholds judged, rows looked at.
LEVEL, NEXT, LOOKED, SPENT = range(4)
IN_JOB, IN_FRAME, IN_TWO = range(3)


# Open intervals that a frame must still have room for when the narrowest ones are taken: some for each halving.
SPARE = 512


def capacity(n, q):
    """Number of open intervals that a frame has room for."""
    return q + n * q // 2000 + 1024 + SPARE


def make_frame(levels, capacity, q, size):
    """Frames of several levels in one; `size` is the number of nodes of a full tree."""
    return Frame(
        at=np.zeros((levels, 5), np.int64),
        num=np.zeros((levels, 6)),
        interval=np.zeros((levels, capacity, 3), np.int64),
        l=np.zeros((levels, capacity, q + 1)),
        r=np.zeros((levels, capacity, q + 1)),
        ends=np.zeros((levels, capacity, 2)),
        bound=np.zeros((levels, capacity)),
        bounds=np.zeros((levels, q + 1)),
        tree=np.zeros((levels, size, 2), np.int64),
    )


def make_job(levels, q, size):
    """Jobs of several levels in one."""
    return Job(
        at=np.zeros((levels, 8), np.int64),
        num=np.zeros((levels, 16)),
        l=np.zeros((levels, q + 1)),
        r=np.zeros((levels, q + 1)),
        side=np.zeros((levels, 2, q + 1)),
        tree=np.zeros((levels, 3, size, 2), np.int64),
        root=np.zeros((levels, 2, 2), np.int64),
        root_bounds=np.zeros((levels, 2, 2, q + 1)),
    )


@njit(cache=True, nogil=True)
def frame_at(frames, level):
    """One level's frame."""
    return Frame(
        frames.at[level],
        frames.num[level],
        frames.interval[level],
        frames.l[level],
        frames.r[level],
        frames.ends[level],
        frames.bound[level],
        frames.bounds[level],
        frames.tree[level],
    )


@njit(cache=True, nogil=True)
def job_at(jobs, level):
    """One level's job."""
    return Job(
        jobs.at[level],
        jobs.num[level],
        jobs.l[level],
        jobs.r[level],
        jobs.side[level],
        jobs.tree[level],
        jobs.root[level],
        jobs.root_bounds[level],
    )


@njit(cache=True, nogil=True)
def rows_at(worker, slot):
    """One slot's rows."""
    label = worker.label[min(slot, worker.label.shape[0] - 1)]
    return Rows(worker.order[slot], worker.base[slot], label, worker.val[min(slot, worker.val.shape[0] - 1)])


@njit(cache=True, nogil=True)
def extract(rows, n, f, start, stop, has_labels, has_values, new, out):
    """Copy the rows at the positions start, ..., stop - 1 of the order of f into `out`, in every feature's order."""
    order = rows.order[f]
    new[:n] = -1
    for i in range(start, stop):
        row = order[i] >> 1
        new[row] = i - start
        out.base[i - start] = rows.base[row]
        if has_labels:
            out.label[i - start] = rows.label[row]
        if has_values:
            for j in range(rows.val.shape[1]):
                out.val[i - start, j] = rows.val[row, j]
    for g in range(rows.order.shape[0]):
        order = rows.order[g]
        mine = out.order[g]
        # No branch, since which rows are taken is hard to foretell: the last one taken is written anew with every row,
        # and is the last of its value if such a mark has been passed since, at the last position at the latest.
        k = -1
        taken = 0
        for i in range(n):
            o = order[i]
            row = new[o >> 1]
            k += row >= 0
            taken = (row << 1 if row >= 0 else taken) | (o & 1)
            mine[max(k, 0)] = taken


@njit(cache=True, nogil=True)
def start_frame(frame, rows, n, depth, settings, cutoff, low, high, floor, extra):
    """Begin a search for trees that cost less than `cutoff`; `floor` is a lower bound for each root feature.

    Bounds hold for sets of rows with up to `extra` more rows, too.
    """
    q = settings.monotonic.size
    at, num = frame.at, frame.num
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
def lower_bound(frame):
    """What every tree of this node costs at least."""
    bound = min(frame.num[BEST], frame.bounds[frame.bounds.size - 1])
    for f in range(frame.bounds.size - 1):
        if frame.bounds[f] > -np.inf:
            bound = min(bound, frame.bounds[f])
    for i in range(frame.at[OPEN]):
        bound = min(bound, frame.bound[i])
    return bound


@njit(cache=True, nogil=True)
def select(frame, rows, settings, target, job):
    """Take the open interval with the least bound for a job; False if all are closed at `target`."""
    while frame.at[OPEN] > 0:
        i = int(np.argmin(frame.bound[: frame.at[OPEN]]))
        for j in range(i if settings.tie > 0.0 else 0):  # of equal bounds the first, whatever rounding made of them
            if frame.bound[j] <= frame.bound[i] + settings.tie:
                i = j
                break
        if frame.at[OPEN] > frame.bound.size - SPARE:
            # Hardly any room left: the narrowest interval is the soonest done with.
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
def graft(tree, branch, is_right):
    """Copy a branch, numbered as a heap, below the root of a tree."""
    first = 1
    for i in range((tree.shape[0] - 1) // 2):
        if i + 1 == 2 * first:
            first *= 2
        tree[2 * first - 1 + (i + 1 - first) + (first if is_right else 0)] = branch[i]


@njit(cache=True, nogil=True)
def absorb(frame, rows, settings, job):
    """Take the result of a job into its frame: a better tree, tighter bounds, smaller intervals."""
    f, lo, hi, t = job.at[F], job.at[LO], job.at[HI], job.at[T]
    order = rows.order[f]
    bound = job.num[BOUND]
    if job.at[HAS_PAIR]:
        cost, second = job.num[COST], job.num[COST_SECOND]
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


def make_worker(n, q, depth, width, n_classes, kind, number, columns, two):
    """Working space for the levels below a root with n rows; `columns` is the number of columns of `val`."""
    levels = depth - 2
    size = 2**depth - 1
    return Worker(
        at=np.zeros(4, np.int64),
        n=np.zeros(levels, np.int64),
        order=np.zeros((levels, q, n), np.int32),
        base=np.zeros((levels, n), np.int32),
        label=np.zeros((levels, n if kind <= CLASSES else 1), np.uint16),
        val=np.zeros((levels, n if columns else 1, max(columns, 1)), number),
        new=np.zeros(n, np.int32),
        frames=make_frame(levels, capacity(n, q), q, size),
        jobs=make_job(levels, q, size),
        two=two,
    )


@njit(cache=True, nogil=True)
def start_branch(worker, rows, n, job, depth, settings, first, last, cutoff, low, high, floor, extra):
    """Take the rows at the positions first, ..., last - 1 one level down, and begin to search their best subtree."""
    level = worker.at[LEVEL]
    out = rows_at(worker, level)
    extract(rows, n, job.at[F], first, last, settings.kind <= CLASSES, settings.weighted, worker.new, out)
    worker.n[level] = last - first
    worker.at[LEVEL] = level + 1
    if depth == 3:
        start_two(worker.two, out, last - first, settings, cutoff, low, high, floor, NO_LIMIT, extra)
        worker.at[NEXT] = IN_TWO
    else:
        frame = frame_at(worker.frames, level + 1)
        start_frame(frame, out, last - first, depth - 1, settings, cutoff, low, high, floor, extra)
        worker.at[NEXT] = IN_FRAME


@njit(cache=True, nogil=True)
def start_side(worker, rows, n, job, depth, settings, turn):
    """Begin the search for the subtree on the side that is treated first (turn 0) or second (turn 1)."""
    f, t = job.at[F], job.at[T]
    is_left = (job.at[FIRST] == 0) == (turn == 0)
    sign = settings.monotonic[f]
    low, high = job.num[JOB_LOW], job.num[JOB_HIGH]
    best = min(job.num[CUTOFF], job.num[COST]) if job.at[HAS_PAIR] else job.num[CUTOFF]
    known = job.l if job.at[FIRST] == 0 else job.r
    other = job.r if job.at[FIRST] == 0 else job.l
    if turn == 0:
        if sign != 0:
            high = job.num[CAP]
        # Beyond what this threshold needs: a higher bound closes more of its neighbours.
        cutoff = best - other.min() + SLACK * min(job.num[MOVED], best)
        floor = known
    else:
        if sign != 0:
            low = max(low, job.num[FIRST_HIGH])
        cutoff = best - job.side[job.at[FIRST]].min() + SLACK * min(job.num[MOVED], best)
        floor = other
    first, last = (0, t + 1) if is_left else (t + 1, n)
    # The bounds are to hold for the other thresholds of the interval, too.
    extra = job.at[JOB_EXTRA] + (job.at[HI] - 1 - t if is_left else t - job.at[LO] - 1)
    start_branch(worker, rows, n, job, depth, settings, first, last, cutoff, low, high, floor, extra)


@njit(cache=True, nogil=True)
def advance(worker, rows, n, job, depth, settings):
    """Do the next step of a job, after the search it waited for, if any, has ended; True when the job is done."""
    step = job.at[STEP]
    f = job.at[F]
    sign = settings.monotonic[f]
    if step == 0:
        job.side[0] = job.l
        job.side[1] = job.r
        job.num[CAP] = job.num[JOB_HIGH]
        if sign != 0:
            # The side whose values are to be the lower ones goes first: see `receive`.
            job.at[FIRST] = 0 if sign > 0 else 1
        else:
            job.at[FIRST] = 0 if 2 * (job.at[T] + 1) >= n else 1
        job.at[STEP] = 1
        start_side(worker, rows, n, job, depth, settings, 0)
        return False
    if step == 1:
        job.at[STEP] = 2
        start_side(worker, rows, n, job, depth, settings, 1)
        return False
    if step == 2 and sign != 0:
        # Lower subtrees come in the order of their cost, each with a largest value below that of the one before: no
        # pair with every lower value at most every upper one is missed.
        job.num[CAP] = below(job.num[FIRST_HIGH], settings)
        job.at[STEP] = 1
        start_side(worker, rows, n, job, depth, settings, 0)
        return False
    if job.at[HAS_PAIR] and job.num[COST] >= job.num[CUTOFF]:
        job.at[HAS_PAIR] = 0
    if job.at[HAS_PAIR] and depth == 3:
        write_pair(worker, rows, n, job, depth, settings)
    return True


@njit(cache=True, nogil=True)
def write_pair(worker, rows, n, job, depth, settings):
    """Write down two depth-two subtrees of which only the roots were remembered: few pairs are worth it."""
    two = worker.two
    t = job.at[T]
    for side in range(2):
        if job.root[side, 0] < 0:
            continue
        first, last = (0, t + 1) if side == 0 else (t + 1, n)
        start_branch(worker, rows, n, job, depth, settings, first, last, np.inf, -np.inf, np.inf, job.side[side], 0)
        worker.at[LEVEL] -= 1
        worker.at[NEXT] = IN_JOB
        two.at[FOUND] = 1
        two.at[ROOT] = job.root[side, 0]
        two.at[SPLIT] = job.root[side, 1]
        two.root_l[:] = job.root_bounds[side, 0]
        two.root_r[:] = job.root_bounds[side, 1]
        finish_two(two, rows_at(worker, worker.at[LEVEL]), settings)
        job.tree[side, :3] = two.tree


@njit(cache=True, nogil=True)
def receive(job, found, cost, second, low, high, tree, bounds):
    """Hand a job the subtree that it waited for."""
    step = job.at[STEP]
    is_first = step == 1
    side = job.at[FIRST] if is_first else 1 - job.at[FIRST]
    job.side[side] = np.maximum(job.side[side], bounds)
    if is_first:
        job.num[FIRST_COST] = cost
        job.num[FIRST_SECOND] = second
        job.num[FIRST_LOW] = low
        job.num[FIRST_HIGH] = high
        job.tree[2, : tree.shape[0]] = tree
        if not found:
            job.at[STEP] = 3
    elif found:
        cost += job.num[FIRST_COST]
        if not job.at[HAS_PAIR] or cost < job.num[COST]:
            job.at[HAS_PAIR] = 1
            job.num[COST] = cost
            job.num[COST_SECOND] = second + job.num[FIRST_SECOND]
            job.num[COST_LOW] = min(low, job.num[FIRST_LOW])
            job.num[COST_HIGH] = max(high, job.num[FIRST_HIGH])
            job.tree[job.at[FIRST]] = job.tree[2]
            job.tree[1 - job.at[FIRST], : tree.shape[0]] = tree


@njit(cache=True, nogil=True)
def remember_root(job, two):
    """Keep the root of a depth-two subtree whose branches are still to be written down."""
    side = job.at[FIRST] if job.at[STEP] == 1 else 1 - job.at[FIRST]
    job.root[side, 0] = two.at[ROOT]
    job.root[side, 1] = two.at[SPLIT]
    job.root_bounds[side, 0] = two.root_l
    job.root_bounds[side, 1] = two.root_r


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


@njit(cache=True, nogil=True)
def start_job(worker):
    """Make a worker ready for a job of the root."""
    worker.at[LEVEL] = 0
    worker.at[NEXT] = IN_JOB


@njit(cache=True, nogil=True)
def run_job(worker, root, n_root, depth, job, settings, budget):
    """Go on with a job of the root until it is done (True) or has looked at about `budget` rows (False)."""
    worker, root, job, settings = borrow(worker), borrow(root), borrow(job), borrow(settings)
    at = worker.at
    two = worker.two
    work = 0
    while work < budget:
        level = at[LEVEL]
        if level == 0:
            rows, n, mine = root, n_root, job
        else:
            rows, n = rows_at(worker, level - 1), worker.n[level - 1]
            mine = job_at(worker.jobs, min(level, worker.jobs.at.shape[0] - 1))
        if at[NEXT] == IN_JOB:
            work += n * rows.order.shape[0]
            if advance(worker, rows, n, mine, depth - level, settings):
                at[LOOKED] += 1
                if level == 0:
                    at[SPENT] += work
                    return True
                absorb(frame_at(worker.frames, level), rows, settings, mine)
                at[NEXT] = IN_FRAME
            continue
        above = job if level == 1 else job_at(worker.jobs, level - 1)
        if at[NEXT] == IN_FRAME:
            frame = frame_at(worker.frames, level)
            if select(frame, rows, settings, frame.num[BEST] - settings.margin, mine):
                at[NEXT] = IN_JOB
                continue
            close_frame(frame, settings)
            receive(
                above,
                frame.at[HAS_TREE],
                frame.num[BEST],
                frame.num[SECOND],
                frame.num[TREE_LOW],
                frame.num[TREE_HIGH],
                frame.tree,
                frame.bounds,
            )
        else:
            before = two.at[WORK]
            ended = run_two(two, rows, settings, budget - work)
            work += two.at[WORK] - before
            if not ended:
                break
            remember_root(above, two)
            low, high = two.num[TREE_LOW], two.num[TREE_HIGH]
            receive(above, two.at[FOUND], two.num[BEST], two.num[SECOND], low, high, two.tree, two.bounds)
            work += n
        at[LEVEL] = level - 1
        at[NEXT] = IN_JOB
    at[SPENT] += work
    return False


# A round of jobs: how many there are, which is in hand, how many there were at most.
COUNT, IN_HAND, LIMIT = range(3)
ROUND = 8


@njit(cache=True, nogil=True)
def next_round(frame, jobs, state, root, settings, tol, root_cost):
    """Take in the results of a round and choose the jobs of the next one; False when no interval is open.

    All jobs of a round see the same best cost, and their results are taken in their order: the outcome does not depend
    on how many threads work on them. Rounds grow when no better tree turns up any more.
    """
    before = frame.num[BEST]
    for i in range(state[COUNT]):
        absorb(frame, root, settings, job_at(jobs, i))
    best = frame.num[BEST]
    target = best - max(settings.margin, tol * (root_cost - best))
    if state[COUNT] and best == before:
        state[LIMIT] = min(2 * state[LIMIT], ROUND)
    state[COUNT] = 0
    state[IN_HAND] = 0
    while state[COUNT] < state[LIMIT] and select(frame, root, settings, target, job_at(jobs, state[COUNT])):
        state[COUNT] += 1
    return state[COUNT] > 0


@njit(cache=True, nogil=True)
def run_rounds(worker, frame, jobs, state, root, n, depth, settings, tol, root_cost, budget):
    """Go on with the search until it ends (True) or has looked at about `budget` rows (False), in one thread."""
    worker, frame, jobs, root, settings = borrow(worker), borrow(frame), borrow(jobs), borrow(root), borrow(settings)
    limit = worker.at[SPENT] + budget
    while worker.at[SPENT] < limit:
        if state[IN_HAND] == state[COUNT]:
            if not next_round(frame, jobs, state, root, settings, tol, root_cost):
                return True
            start_job(worker)
        job = job_at(jobs, state[IN_HAND])
        if run_job(worker, root, n, depth, job, settings, limit - worker.at[SPENT]):
            state[IN_HAND] += 1
            start_job(worker)
    return False
