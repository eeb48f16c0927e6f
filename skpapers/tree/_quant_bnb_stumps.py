"""Best single splits of one node, or of one side of a root threshold, that keep every constraint.

The scans of sixteen thresholds know neither bounds on leaf values nor the rule for ties. A threshold that they find
promising is judged here.
"""

import numpy as np
from numba import njit

from skpapers.tree._quant_bnb_lanes import LANES
from skpapers.tree._quant_bnb_layout import BEST
from skpapers.tree._quant_bnb_losses import TWO_CLASSES, add_rows, leaf_loss, leaf_second, leaf_value


@njit(cache=True, nogil=True, error_model="numpy")
def scan_stump(rows, n, settings, g, code, lane, is_left, whole, count, low, high, num, at):
    """Improve the single split (num, at) on one side of a threshold by one on g that keeps every constraint."""
    kind = settings.kind
    a = np.zeros(whole.size)
    b = np.empty(whole.size)
    monotonic = settings.monotonic[g]
    order = rows.order[g]
    label = rows.label
    val = rows.val
    weighted = settings.weighted
    W = whole[0]
    S = whole[1]
    W_a = 0.0
    S_a = 0.0
    n_a = 0
    last = -1
    worst = num[0] + settings.tie - 2.0 * settings.leaf_cost
    better = num[0] - settings.tie - 2.0 * settings.leaf_cost
    for i in range(n):
        row = order[i] >> 1
        mine = ((code[row] >> lane) & 1 == 1) == is_left
        if kind == TWO_CLASSES:
            # no branch: the processor could not predict it
            w = np.float64(val[row, 0] if weighted else 1) * mine
            W_a += w
            S_a += w if label[row] else -w
        elif mine:
            add_rows(kind, weighted, order, i, i + 1, label, val, a)
        n_a += mine
        last = row if mine else last
        if order[i] & 1:
            if n_a < settings.min_leaf:
                continue
            if count - n_a < settings.min_leaf:
                break
            if kind == TWO_CLASSES:
                # if one class is rare, most splits cost the same: go on only with one of less impurity
                W_b = W - W_a
                S_b = S - S_a
                cost = 0.5 * (W - abs(S_a) - abs(S_b))
                if cost > worst:
                    continue
                if cost > better:
                    second = 0.5 * (W_a - S_a * S_a / W_a) + 0.5 * (W_b - S_b * S_b / W_b)
                    if second >= num[1] - settings.tie and (second > num[1] + settings.tie or g >= at[0]):
                        continue
                a[0] = W_a
                a[1] = S_a
            for j in range(b.size):
                b[j] = whole[j] - a[j]
            cost = leaf_loss(kind, a) + leaf_loss(kind, b) + 2.0 * settings.leaf_cost
            if cost > num[0] + settings.tie:
                continue
            va = leaf_value(kind, a)
            vb = leaf_value(kind, b)
            slack = settings.value_tie
            if min(va, vb) < low - slack or max(va, vb) > high + slack or (vb - va) * monotonic < -slack:
                continue
            second = leaf_second(kind, a) + leaf_second(kind, b)
            tied = second <= num[1] + settings.tie and g < at[0]
            if cost < num[0] - settings.tie or second < num[1] - settings.tie or tied:
                num[0] = cost
                num[1] = second
                num[2] = min(va, vb)
                num[3] = max(va, vb)
                at[0] = g
                at[1] = rows.base[last]
                worst = cost + settings.tie - 2.0 * settings.leaf_cost
                better = cost - settings.tie - 2.0 * settings.leaf_cost


@njit(cache=True, nogil=True)
def best_stump(rows, n, settings, code, lane, is_left, whole, count, floor, low, high, cutoff, num, at):
    """Set (num, at) to the best single split, or leaf, of the rows on one side of a threshold.

    at[0] is -2 if no leaf costs less than `cutoff` and no split at most as much. Return how many features were scanned.
    `floor[g]` is a lower bound for the feature g: features that cannot win are not scanned, the most promising one goes
    first. Among equal costs the lower secondary cost wins, then the lower feature, then the lower threshold.
    """
    q = settings.monotonic.size
    num[0] = cutoff
    num[1] = np.inf
    at[0] = -2
    if count >= settings.min_leaf:
        cost = leaf_loss(settings.kind, whole) + settings.leaf_cost
        value = leaf_value(settings.kind, whole)
        if cost < cutoff and low - settings.value_tie <= value <= high + settings.value_tie:
            num[0] = cost
            num[1] = leaf_second(settings.kind, whole)
            num[2] = value
            num[3] = value
            at[0] = -1
    first = np.argmin(floor[:q])
    scanned = 0
    for j in range(-1, q):
        g = first if j < 0 else j
        if j != first and floor[g] <= num[0] + settings.tie:
            scan_stump(rows, n, settings, g, code, lane, is_left, whole, count, low, high, num, at)
            scanned += 1
    return scanned


@njit(cache=True, nogil=True)
def solve_stump(two, rows, n, settings, low, high):
    """Find the best tree of depth one."""
    two.code[:n] = 1
    whole = two.total[LANES]
    whole[:] = 0.0
    add_rows(settings.kind, settings.weighted, rows.order[0], 0, n, rows.label, rows.val, whole)
    floor = np.zeros(settings.monotonic.size)
    num = two.stump_num[0]
    at = two.stump_at[0]
    best_stump(rows, n, settings, two.code, 0, True, whole, n, floor, low, high, np.inf, num, at)
    two.num[BEST] = num[0]
    two.tree[:, 0] = -1
    two.tree[0] = at
