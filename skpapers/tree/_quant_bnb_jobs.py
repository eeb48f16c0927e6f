"""Judging one root threshold: the optimal subtrees left and right of it, one after the other.

Each subtree is searched no further than it can matter to this threshold and its neighbours. It is found by the search
of one level below, so a job waits for it: `advance` does the next step when a subtree has been received.
"""

import numpy as np
from numba import njit

from skpapers.tree._quant_bnb_depth_two import below, finish_two, start_two
from skpapers.tree._quant_bnb_frames import start_frame
from skpapers.tree._quant_bnb_layout import FOUND, NO_LIMIT, ROOT, SPLIT
from skpapers.tree._quant_bnb_losses import CLASSES
from skpapers.tree._quant_bnb_search_layout import (
    CAP,
    COST,
    COST_HIGH,
    COST_LOW,
    COST_SECOND,
    CUTOFF,
    FIRST,
    FIRST_COST,
    FIRST_HIGH,
    FIRST_LOW,
    FIRST_SECOND,
    HAS_PAIR,
    HI,
    IN_FRAME,
    IN_JOB,
    IN_TWO,
    JOB_EXTRA,
    JOB_HIGH,
    JOB_LOW,
    LEVEL,
    LO,
    MOVED,
    NEXT,
    STEP,
    F,
    T,
    frame_at,
    rows_at,
)

# How much further than its own threshold needs a subtree is searched, in units of the loss of half the interval's rows,
# or of the best tree's cost where that is less.
SLACK = 1.0


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
        # No branch, since the processor could not predict it: the last row taken is written again with every row, and
        # is the last of its value if such a mark has been passed since, at the last position at the latest.
        k = -1
        taken = 0
        for i in range(n):
            o = order[i]
            row = new[o >> 1]
            k += row >= 0
            taken = (row << 1 if row >= 0 else taken) | (o & 1)
            mine[max(k, 0)] = taken


@njit(cache=True, nogil=True)
def start_job(worker):
    """Make a worker ready for a job of the root."""
    worker.at[LEVEL] = 0
    worker.at[NEXT] = IN_JOB


@njit(cache=True, nogil=True)
def start_branch(worker, rows, n, job, depth, settings, first, last, cutoff, low, high, floor, extra):
    """Copy the rows at positions first, ..., last - 1 one level down, and begin the search for their best subtree."""
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
    f = job.at[F]
    t = job.at[T]
    is_left = (job.at[FIRST] == 0) == (turn == 0)
    sign = settings.monotonic[f]
    low = job.num[JOB_LOW]
    high = job.num[JOB_HIGH]
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
    """Do the next step of a job, once the search that it waited for has ended. Return whether the job is done."""
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
def receive(job, found, cost, second, low, high, tree, bounds):
    """Give a job the subtree that it waited for."""
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
    """Keep the root of a depth-two subtree whose branches are not written yet."""
    side = job.at[FIRST] if job.at[STEP] == 1 else 1 - job.at[FIRST]
    job.root[side, 0] = two.at[ROOT]
    job.root[side, 1] = two.at[SPLIT]
    job.root_bounds[side, 0] = two.root_l
    job.root_bounds[side, 1] = two.root_r


@njit(cache=True, nogil=True)
def write_pair(worker, rows, n, job, depth, settings):
    """Write the two depth-two subtrees of a pair, of which only the roots were kept: few pairs need it."""
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
