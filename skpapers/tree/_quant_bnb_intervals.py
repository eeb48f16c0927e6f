"""Intervals of root thresholds of a depth-two search: which are open, and which share the next sixteen thresholds."""

import numpy as np
from numba import njit

from skpapers.tree._quant_bnb_lanes import LANES
from skpapers.tree._quant_bnb_layout import BATCH, BEST, NB, OPEN, SPARE, N
from skpapers.tree._quant_bnb_losses import CLASSES


@njit(cache=True, nogil=True)
def possible_thresholds(n, settings, extra):
    """The positions between which thresholds leave enough rows on both sides, if there may be `extra` more rows."""
    fewest = max(settings.min_leaf - extra, 1)
    return fewest - 2, n - fewest


@njit(cache=True, nogil=True)
def has_end(order, lo, hi):
    """Whether there is a threshold strictly between two positions."""
    i = lo + 1
    while i < hi and not order[i] & 1:
        i += 1
    return i < hi


@njit(cache=True, nogil=True, inline="always")
def trim_interval(two, rows, settings, i):
    """Move the ends of an open interval inwards past the thresholds that similarity to the judged ends closes."""
    f, lo, hi = two.open_at[i]
    target = two.num[BEST] - settings.margin
    order = rows.order[f]
    for end in range(2):
        while lo < hi - 1:
            row = order[lo + 1 if end == 0 else hi] >> 1
            bound = two.open_ends[i, end] - (rows.val[row, 0] if settings.weighted else 1.0)
            if bound <= target:
                break
            two.open_ends[i, end] = bound
            two.left_out[f] = min(two.left_out[f], bound)
            if end == 0:
                lo += 1
            else:
                hi -= 1
    two.open_at[i, 1] = lo
    two.open_at[i, 2] = hi


@njit(cache=True, nogil=True, inline="always")
def move_open(two, i, j):
    """Copy the open interval i to the place j."""
    two.open_at[j] = two.open_at[i]
    two.open_l[j] = two.open_l[i]
    two.open_r[j] = two.open_r[i]
    two.open_ends[j] = two.open_ends[i]
    two.open_bound[j] = two.open_bound[i]


@njit(cache=True, nogil=True, inline="always")
def close_intervals(two, settings):
    """Drop the open intervals that their bounds close."""
    target = two.num[BEST] - settings.margin
    kept = 0
    for i in range(two.at[OPEN]):
        if two.open_bound[i] > target:
            f = two.open_at[i, 0]
            two.left_out[f] = min(two.left_out[f], two.open_bound[i])
        else:
            if kept < i:
                move_open(two, i, kept)
            kept += 1
    two.at[OPEN] = kept


@njit(cache=True, nogil=True, inline="always")
def choose_batch(two, rows, settings):
    """Take the open intervals whose thresholds are scanned together, and spread the lanes over them.

    All of them if there is a lane for each; otherwise those with the least bounds, or, when room runs out, the
    narrowest. Return False if none is open.
    """
    q = settings.monotonic.size
    close_intervals(two, settings)
    n_open = two.at[OPEN]
    if n_open == 0:
        return False
    if n_open <= LANES:
        chosen = np.arange(n_open)
    elif n_open < two.open_bound.size - SPARE:
        chosen = np.argsort(two.open_bound[:n_open])[:LANES]
    else:
        chosen = np.argsort(two.open_at[:n_open, 2] - two.open_at[:n_open, 1])[:LANES]
    # In the order of features and thresholds: of equal trees the first wins.
    n = two.at[N]
    chosen = chosen[np.argsort(two.open_at[chosen, 0] * n + two.open_at[chosen, 1])]
    taken = 0
    total = 0
    ends = np.zeros(LANES, np.int64)
    for i in chosen:
        if settings.kind <= CLASSES:
            trim_interval(two, rows, settings, i)
        f, lo, hi = two.open_at[i]
        order = rows.order[f]
        count = 0
        for j in range(lo + 1, hi):
            count += order[j] & 1
            if count > LANES:
                break
        if count:
            two.batch_at[taken] = two.open_at[i]
            two.batch_l[taken] = two.open_l[i]
            two.batch_r[taken] = two.open_r[i]
            two.batch_ends[taken] = two.open_ends[i]
            two.batch_bound[taken] = two.open_bound[i]
            ends[taken] = count
            total += count
            taken += 1
        two.open_bound[i] = np.inf
        two.open_at[i, 0] = -1
    kept = 0
    for i in range(n_open):
        if two.open_at[i, 0] >= 0:
            if kept < i:
                move_open(two, i, kept)
            kept += 1
    two.at[OPEN] = kept
    target = two.num[BEST] - settings.margin
    two.live[:] = 0
    lane = 0
    for b in range(taken):
        f, lo, hi = two.batch_at[b]
        two.batch_lane[b] = lane
        lanes = ends[b] if total <= LANES else min(ends[b], 1 + (LANES - taken) * ends[b] // total)
        spread_lanes(two, rows, settings, b, lane, lanes, lanes == ends[b])
        lane = two.batch_lane[b + 1]
        l_min = two.batch_l[b].min()
        r_min = two.batch_r[b].min()
        for g in range(q):
            if two.batch_l[b, g] + r_min <= target or two.batch_r[b, g] + l_min <= target:
                two.live[g] = 1
    two.at[BATCH] = taken
    two.at[NB] = lane
    for b in range(taken):
        for k in range(two.batch_lane[b], two.batch_lane[b + 1]):
            two.l[k] = two.batch_l[b]
            two.r[k] = two.batch_r[b]
    return True


@njit(cache=True, nogil=True, inline="always")
def spread_lanes(two, rows, settings, b, lane, lanes, all_ends):
    """Spread some lanes evenly, by weight, over the thresholds of an interval of the batch, or one over each."""
    f, lo, hi = two.batch_at[b]
    order = rows.order[f]
    val = rows.val
    stop = lane + lanes
    if all_ends or settings.unit:
        i = lo
        for k in range(lanes):
            # Behind the last one, and where the next share of the rows is full.
            i = max(i + 1, lo + 1 if all_ends else lo + ((hi - lo) * (k + 1) + lanes) // (lanes + 1))
            while i < hi and not order[i] & 1:
                i += 1
            if i >= hi:
                break
            two.lane_f[lane] = f
            two.pos[lane] = i
            lane += 1
    else:
        weight = 0.0
        for i in range(lo + 1, hi + 1):
            weight += val[order[i] >> 1, 0]
        passed = 0.0
        for i in range(lo + 1, hi):
            passed += val[order[i] >> 1, 0]
            # less than rounding errors of the sums: the places do not depend on the unit of the weights
            if order[i] & 1 and passed * (lanes + 1) >= weight * (lane - stop + lanes + 1 - 1e-9):
                two.lane_f[lane] = f
                two.pos[lane] = i
                lane += 1
                if lane == stop:
                    break
    if lane == two.batch_lane[b]:
        # The last value holds more than its share: its predecessor is the last threshold there is.
        i = hi - 1
        while not order[i] & 1:
            i -= 1
        two.lane_f[lane] = f
        two.pos[lane] = i
        lane += 1
    two.batch_lane[b + 1] = lane


@njit(cache=True, nogil=True, inline="always")
def open_between(two, settings, b):
    """Open the intervals between the judged thresholds of an interval of the batch, unless their bounds close them."""
    l_min = two.l_min
    r_min = two.r_min
    target = two.num[BEST] - settings.margin
    start = two.batch_lane[b]
    stop = two.batch_lane[b + 1]
    f = two.batch_at[b, 0]
    for k in range(start, stop + 1):
        lo = two.pos[k - 1] if k > start else two.batch_at[b, 1]
        hi = two.pos[k] if k < stop else two.batch_at[b, 2]
        if hi - lo <= 1:
            continue
        left = two.l[k - 1] if k > start else two.batch_l[b]
        right = two.r[k] if k < stop else two.batch_r[b]
        bound = (l_min[k - 1] if k > start else left.min()) + (r_min[k] if k < stop else right.min())
        bound = max(bound, two.batch_bound[b])
        if bound > target:
            two.left_out[f] = min(two.left_out[f], bound)
            continue
        i = two.at[OPEN]
        two.at[OPEN] = i + 1
        two.open_at[i, 0] = f
        two.open_at[i, 1] = lo
        two.open_at[i, 2] = hi
        two.open_l[i] = left
        two.open_r[i] = right
        two.open_ends[i, 0] = l_min[k - 1] + r_min[k - 1] if k > start else two.batch_ends[b, 0]
        two.open_ends[i, 1] = l_min[k] + r_min[k] if k < stop else two.batch_ends[b, 1]
        two.open_bound[i] = bound
