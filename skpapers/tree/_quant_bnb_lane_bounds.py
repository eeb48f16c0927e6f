"""Costs of the best subtrees beside sixteen root thresholds at once, and lower bounds up to their neighbours.

If leaves must have m rows, a bound for thresholds t in (a, b) must allow for leaves that get some of their rows from
between a and t: OPT1 left of a is taken over leaves of m less that many rows. A threshold that this does not close is
scanned again, for leaves of m rows. In the branch of a larger tree, whose other thresholds send up to `EXTRA` more rows
to this node, bounds hold for these rows, too, and leaves may have that many rows fewer.
"""

import numpy as np
from numba import njit

from skpapers.tree._quant_bnb_lanes import LANES
from skpapers.tree._quant_bnb_layout import BATCH, BEST, COUNTED, EXTRA, NB, OWN, PASSES, SECONDS, G, N
from skpapers.tree._quant_bnb_losses import CLASSES, SQUARED, TWO_CLASSES, add_rows, leaf_loss
from skpapers.tree._quant_bnb_scans import scan_classes, scan_squared, scan_squared_multi, scan_two_classes


@njit(cache=True, nogil=True, inline="always")
def begin_scan(two, rows, settings):
    """Prepare the scans of the chosen thresholds: codes, totals, and the costs of leaves on both sides."""
    q = settings.monotonic.size
    write_code(two, rows, settings)
    total = two.total
    rest = np.empty(total.shape[1])
    for k in range(two.at[NB]):
        for j in range(rest.size):
            rest[j] = total[LANES, j] - total[k, j]
        two.l[k, q] = leaf_loss(settings.kind, total[k]) + settings.leaf_cost
        two.r[k, q] = leaf_loss(settings.kind, rest) + settings.leaf_cost
    two.at[G] = 0
    two.at[OWN] = 0
    # Scans that count take half as long again. That is not worth it while bounds without limits close most passes.
    if settings.min_leaf > 1 and (not must_count(settings) or 4 * two.at[SECONDS] > two.at[PASSES]):
        limit_leaves(two, rows, settings)
    else:
        two.fewest[:] = 1
    limit_scan(two, settings)


@njit(cache=True, nogil=True, inline="always")
def write_code(two, rows, settings):
    """Mark on which side of each lane's split every row lies, and add up the statistics of the left sides."""
    n = two.at[N]
    nb = two.at[NB]
    pos = two.pos
    code = two.code
    label = rows.label
    if settings.kind <= CLASSES:
        for row in range(n):
            code[row] = np.uint32(label[row]) << np.uint32(16)
    else:
        code[:n] = 0
    run = np.zeros(two.total.shape[1])
    for k in range(nb):
        f = two.lane_f[k]
        start = pos[k - 1] + 1 if k > 0 and two.lane_f[k - 1] == f else 0
        if start == 0:
            run[:] = 0.0
        last = k
        while last + 1 < nb and two.lane_f[last + 1] == f:
            last += 1
        sides = np.uint32((1 << (last + 1)) - (1 << k))
        order = rows.order[f]
        if settings.kind == TWO_CLASSES:
            W = run[0]
            S = run[1]
            for i in range(start, pos[k] + 1):
                row = order[i] >> 1
                c = code[row]
                code[row] = c | sides
                w = np.float64(rows.val[row, 0] if settings.weighted else 1)
                W += w
                S += w * (2.0 * np.float64(c >> np.uint32(16)) - 1.0)
            run[0] = W
            run[1] = S
        else:
            for i in range(start, pos[k] + 1):
                code[order[i] >> 1] |= sides
            add_rows(settings.kind, settings.weighted, order, start, pos[k] + 1, label, rows.val, run)
        two.total[k] = run
    two.total[nb:LANES] = 0.0


@njit(cache=True, nogil=True)
def call_scan(two, rows, settings, order, limits):
    """Call the scan of the kind of loss."""
    kind = settings.kind
    n = two.at[N]
    code = two.code
    total = two.total
    out = two.out
    weighted = settings.weighted
    val = rows.val
    st = two.st
    counts = two.counts
    heaviest = two.heaviest
    if kind == TWO_CLASSES:
        scan_two_classes(order, n, code, weighted, val, st, limits, out[0], out[1])
    elif kind == CLASSES:
        scan_classes(order, n, code, weighted, val, st, counts, heaviest, limits, out[0], out[1])
    elif kind == SQUARED:
        scan_squared(order, n, code, val, total, two.least, limits, out[0], out[1])
    else:
        scan_squared_multi(order, n, code, val, total, two.least, limits, out[0], out[1])


@njit(cache=True, nogil=True, inline="always")
def scan(two, rows, settings, g):
    """Put the cost of the best split on g, left and right of every threshold, into l[:, g] and r[:, g]."""
    kind = settings.kind
    order = rows.order[g]
    total = two.total
    out = two.out
    if two.at[COUNTED]:
        call_scan(two, rows, settings, order, two.limits)
    else:
        call_scan(two, rows, settings, order, None)
    leaves = 2.0 * settings.leaf_cost
    q = two.bounds.size - 1
    l, r = (two.own_l, two.own_r) if two.at[OWN] else (two.l, two.r)  # noqa: E741
    for k in range(two.at[NB]):
        if kind <= CLASSES:
            share = 0.5 if kind == TWO_CLASSES else 1.0
            l[k, g] = share * (total[k, 0] - out[0, k]) + leaves
            r[k, g] = share * (total[LANES, 0] - total[k, 0] - out[1, k]) + leaves
        else:
            l[k, g] = max(l[k, q] - settings.leaf_cost - out[0, k], 0.0) + leaves
            r[k, g] = max(r[k, q] - settings.leaf_cost - out[1, k], 0.0) + leaves


@njit(cache=True, nogil=True, inline="always")
def add_bounds(two, l, r, l_min, r_min):  # noqa: E741
    """Find the least bounds of both sides of each lane's threshold."""
    q = two.bounds.size - 1
    for k in range(two.at[NB]):
        a = l[k, q]
        b = r[k, q]
        for g in range(q):
            a = min(a, l[k, g])
            b = min(b, r[k, g])
        l_min[k] = a
        r_min[k] = b


@njit(cache=True, nogil=True)
def must_count(settings):
    """Whether the scans must count rows. The sum of the weights counts them if all weights are one."""
    return settings.kind <= CLASSES or not settings.unit


@njit(cache=True, nogil=True, inline="always")
def limit_scan(two, settings):
    """Set the limits by which the scans pass over splits whose leaves have too few rows."""
    n = two.at[N]
    counted = must_count(settings)
    two.at[COUNTED] = counted and two.fewest.max() > 1
    for k in range(LANES):
        for side in range(2):
            fewest = two.fewest[side, k]
            size = two.pos[k] + 1 if side == 0 else n - two.pos[k] - 1
            two.limits[2 * side * LANES + k] = fewest - 1
            two.limits[(2 * side + 1) * LANES + k] = size - fewest + 1
            weight = two.total[k, 0] if side == 0 else two.total[LANES, 0] - two.total[k, 0]
            # A side whose weight is rounding error is empty.
            two.least[side, k] = 1e-13 * weight**2
            if fewest > 1 and not counted:
                # The weights are numbers of rows, whose product grows with the smaller of them.
                two.least[side, k] = fewest * (weight - fewest) - 0.5 if 2 * fewest <= weight else np.inf


@njit(cache=True, nogil=True, inline="always")
def limit_leaves(two, rows, settings):
    """Find how many rows a leaf has at least, for bounds that hold up to the next thresholds on both sides."""
    own = settings.min_leaf - two.at[EXTRA]
    two.fewest[:] = 1
    for b in range(two.at[BATCH]):
        start = two.batch_lane[b]
        stop = two.batch_lane[b + 1]
        order = rows.order[two.batch_at[b, 0]]
        for k in range(start, stop):
            # the last threshold before the next one that is scanned, and the first one after the one before
            i = (two.pos[k + 1] if k + 1 < stop else two.batch_at[b, 2]) - 1
            stop_at = max(two.pos[k], i - own)
            while i > stop_at and not order[i] & 1:
                i -= 1
            two.fewest[0, k] = max(own - (i - two.pos[k]), 1)
            i = (two.pos[k - 1] if k > start else two.batch_at[b, 1]) + 1
            stop_at = min(two.pos[k], i + own)
            while i < stop_at and not order[i] & 1:
                i += 1
            two.fewest[1, k] = max(own - (two.pos[k] - i), 1)


@njit(cache=True, nogil=True, inline="always")
def begin_own(two, settings):
    """Prepare a second scan, for each threshold alone. Return False if it would find nothing new."""
    l_min = two.l_min
    r_min = two.r_min
    own = max(settings.min_leaf - two.at[EXTRA], 1)
    target = two.num[BEST] - settings.margin
    needed = False
    two.live[:] = 0
    for k in range(two.at[NB]):
        two.own_l[k] = two.l[k]
        two.own_r[k] = two.r[k]
        if l_min[k] + r_min[k] <= target and min(two.fewest[0, k], two.fewest[1, k]) < own:
            needed = True
            for g in range(two.live.size):
                if two.l[k, g] + r_min[k] <= target or two.r[k, g] + l_min[k] <= target:
                    two.live[g] = 1
    if needed:
        two.fewest[:] = own
        limit_scan(two, settings)
        two.at[OWN] = 1
        two.at[SECONDS] += 1
        two.at[G] = 0
    return needed
