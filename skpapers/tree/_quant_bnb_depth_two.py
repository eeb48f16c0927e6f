"""Optimal trees of depth two: branch and bound over intervals of root thresholds, sixteen thresholds at a time.

For a root split (f, t) the two subtrees are single splits, found for sixteen root splits at once by the scans. Between
two judged thresholds a < b of f any tree with a root threshold in (a, b) costs at least OPT1(left of a) + OPT1(right of
b), since fewer rows never cost more; for misclassification also at least what t = a costs, less the weight between a
and t. The first bound is kept for each child feature, so that a feature that cannot win in an interval is not scanned
there again. The open intervals with the least bounds, of whatever root feature, share the next sixteen thresholds.

The state of a search is kept in arrays: `run_two` returns when its budget is spent, and goes on when it is called
again. To pass dozens of arrays to a function takes as long as some dozen rows, so what is called for each interval or
scan is inlined.
"""

import numpy as np
from numba import njit

from skpapers.tree._quant_bnb_borrow import borrow
from skpapers.tree._quant_bnb_intervals import choose_batch, has_end, open_between, possible_thresholds
from skpapers.tree._quant_bnb_lane_bounds import add_bounds, begin_own, begin_scan, scan
from skpapers.tree._quant_bnb_lanes import LANES
from skpapers.tree._quant_bnb_layout import (
    BATCH,
    BEST,
    CAP,
    CHOOSE,
    DONE,
    EXPLORED,
    EXTRA,
    FOUND,
    HIGH,
    JUDGE,
    LIMIT,
    LOW,
    NB,
    OPEN,
    OWN,
    PASSES,
    PHASE,
    ROOT,
    SCAN,
    SECOND,
    SECONDS,
    SPLIT,
    TREE_HIGH,
    TREE_LOW,
    WORK,
    G,
    K,
    N,
)
from skpapers.tree._quant_bnb_losses import SQUARED_MULTI, add_rows, leaf_loss, leaf_second, leaf_value
from skpapers.tree._quant_bnb_stumps import best_stump


@njit(cache=True, nogil=True)
def start_two(two, rows, n, settings, cutoff, low, high, floor, limit, extra):
    """Begin a search for trees that cost less than `cutoff`; `floor` is a lower bound for each root feature.

    Bounds hold for sets of rows with up to `extra` more rows, too.
    """
    at = two.at
    num = two.num
    q = settings.monotonic.size
    at[N] = n
    at[PHASE] = CHOOSE
    at[OPEN] = 0
    at[BATCH] = 0
    at[FOUND] = 0
    at[ROOT] = -1
    at[LIMIT] = limit
    at[PASSES] = 0
    at[SECONDS] = 0
    at[EXTRA] = extra
    num[BEST] = cutoff
    num[SECOND] = np.inf
    num[LOW] = low
    num[HIGH] = high
    whole = two.total[LANES]
    whole[:] = 0.0
    add_rows(settings.kind, settings.weighted, rows.order[0], 0, n, rows.label, rows.val, whole)
    leaf = leaf_loss(settings.kind, whole)
    value = leaf_value(settings.kind, whole)
    inside = low - settings.value_tie <= value <= high + settings.value_tie
    if leaf + settings.leaf_cost < cutoff and n >= settings.min_leaf and inside:
        at[FOUND] = 1
        num[BEST] = leaf + settings.leaf_cost
        num[SECOND] = leaf_second(settings.kind, whole)
        num[TREE_LOW] = value
        num[TREE_HIGH] = value
        two.tree[:, 0] = -1
    two.bounds[:q] = floor[:q]
    two.bounds[q] = leaf + settings.leaf_cost
    target = num[BEST] - settings.margin
    first, last = possible_thresholds(n, settings, extra)
    for f in range(q):
        two.left_out[f] = np.inf
        two.constant[f] = not has_end(rows.order[f], -1, n - 1)
        if two.constant[f]:
            continue
        bound = max(floor[f], 2.0 * settings.leaf_cost)
        if bound > target:
            two.left_out[f] = bound
            continue
        i = at[OPEN]
        at[OPEN] = i + 1
        two.open_at[i, 0] = f
        two.open_at[i, 1] = first
        two.open_at[i, 2] = last
        two.open_l[i] = 2.0 * settings.leaf_cost
        two.open_r[i] = 2.0 * settings.leaf_cost
        two.open_l[i, q] = settings.leaf_cost
        two.open_r[i, q] = settings.leaf_cost
        two.open_ends[i] = -np.inf
        two.open_bound[i] = bound


@njit(cache=True, nogil=True)
def run_two(two, rows, settings, budget):
    """Go on with the search until it ends (True) or has scanned about `budget` rows (False)."""
    two = borrow(two)
    rows = borrow(rows)
    settings = borrow(settings)
    at = two.at
    n = at[N]
    q = settings.monotonic.size
    effort = n * (two.total.shape[1] - 2) if settings.kind == SQUARED_MULTI else n
    work = 0
    while at[PHASE] != DONE:
        if at[PHASE] == CHOOSE:
            if at[PASSES] == at[LIMIT] or not choose_batch(two, rows, settings):
                at[PHASE] = DONE
                break
            at[PASSES] += 1
            if at[BATCH] == 0:
                continue
            begin_scan(two, rows, settings)
            work += n
            at[PHASE] = SCAN
        while at[PHASE] == SCAN:
            if work >= budget:
                return False
            if two.live[at[G]]:
                scan(two, rows, settings, at[G])
                work += effort
                at[WORK] += effort
            at[G] += 1
            if at[G] < q:
                continue
            if at[OWN]:
                add_bounds(two, two.own_l, two.own_r, two.own_l_min, two.own_r_min)
            else:
                add_bounds(two, two.l, two.r, two.l_min, two.r_min)
                if settings.min_leaf > 1 and begin_own(two, settings):
                    continue
            begin_judging(two)
            at[PHASE] = JUDGE
        more = True
        while more:
            if work >= budget:
                return False
            more, scanned = judge(two, rows, settings)
            work += scanned * effort
            at[WORK] += scanned * effort
        for b in range(at[BATCH]):
            open_between(two, settings, b)
        at[BATCH] = 0
        at[PHASE] = CHOOSE
    # A tree for more rows than these may split on a feature that is constant here, and is no cheaper for it.
    least = bound_two(two)
    if settings.min_leaf - at[EXTRA] > 1:
        # Not here: a split that leaves all of these rows on one side has too few rows on the other.
        two.bounds[:q] = np.maximum(two.bounds[:q], two.left_out)
        return True
    for f in range(q):
        found = least if two.constant[f] else for_more_rows(two.left_out[f], least, settings.leaf_cost, 1)
        two.bounds[f] = max(two.bounds[f], found)
    return True


@njit(cache=True, nogil=True, inline="always")
def begin_judging(two):
    """Make the thresholds that were scanned ready to be judged."""
    nb = two.at[NB]
    two.at[EXPLORED] += nb
    l_min, r_min = (two.own_l_min, two.own_r_min) if two.at[OWN] else (two.l_min, two.r_min)
    for k in range(nb):
        f = two.lane_f[k]
        two.left_out[f] = min(two.left_out[f], l_min[k] + r_min[k])
    two.pending[:nb] = 1
    two.at[K] = -1


@njit(cache=True, nogil=True)
def judge(two, rows, settings):
    """Judge the most promising of the scanned thresholds, or go on with one. Return False if none can win.

    Also return how many features were scanned for it.
    """
    l_min, r_min = (two.own_l_min, two.own_r_min) if two.at[OWN] else (two.l_min, two.r_min)
    k = two.at[K]
    if k < 0:
        for i in range(two.at[NB]):
            if two.pending[i] and (k < 0 or l_min[i] + r_min[i] < l_min[k] + r_min[k] - settings.tie):
                k = i
        if k < 0 or l_min[k] + r_min[k] > two.num[BEST] - settings.margin:
            return False, 0
        two.pending[k] = 0
        if is_free(two, settings):
            two.num[BEST] = l_min[k] + r_min[k]
            two.at[FOUND] = 1
            two.at[ROOT] = two.lane_f[k]
            two.at[SPLIT] = two.pos[k]
            two.root_l[:] = two.own_l[k] if two.at[OWN] else two.l[k]
            two.root_r[:] = two.own_r[k] if two.at[OWN] else two.r[k]
            return False, 0
        two.num[CAP] = two.num[HIGH]
    ended, scanned = judge_threshold(two, rows, settings, two.lane_f[k], k, l_min[k], r_min[k])
    two.at[K] = -1 if ended else k
    return True, scanned


@njit(cache=True, nogil=True)
def is_free(two, settings):
    """Whether no constraint holds, so that the bound of a threshold is the cost of its best tree."""
    free = (settings.min_leaf == 1 or two.at[EXTRA] == 0) and two.num[LOW] == -np.inf and two.num[HIGH] == np.inf
    return free and not settings.monotonic.any()


@njit(cache=True, nogil=True)
def judge_threshold(two, rows, settings, f, k, l_min, r_min):
    """Find the best pair of subtrees at threshold k that keeps every constraint, and take it if it is better.

    If f is monotonic, each call finds one pair and leaves the next cap for the lower side's values in num[CAP]. Return
    whether there are no more pairs, and how many features were scanned.
    """
    num = two.num
    n = two.at[N]
    low = num[LOW]
    high = num[HIGH]
    sign = settings.monotonic[f]
    rest = two.total[LANES] - two.total[k]
    n_left = two.pos[k] + 1
    # With an increasing feature every value on the left is to be at most every value on the right. Lower sides are
    # found in the order of their cost, each with a largest value below that of the one before: no pair is missed.
    lower_is_left = sign >= 0
    scanned = 0
    for turn in range(2):
        is_left = lower_is_left == (turn == 0)
        floor = two.own_l[k] if is_left else two.own_r[k]
        if not two.at[OWN]:
            floor = two.l[k] if is_left else two.r[k]
        other = (r_min if is_left else l_min) if turn == 0 else two.stump_num[0, 0]
        scanned += best_stump(
            rows,
            n,
            settings,
            two.code,
            k,
            is_left,
            two.total[k] if is_left else rest,
            n_left if is_left else n - n_left,
            floor,
            low if turn == 0 or sign == 0 else max(low, two.stump_num[0, 3]),
            num[CAP] if turn == 0 else high,
            num[BEST] - other + settings.tie,
            two.stump_num[turn],
            two.stump_at[turn],
        )
        if two.stump_at[turn, 0] == -2:
            break
    if two.stump_at[0, 0] == -2:
        return True, scanned
    if two.stump_at[1, 0] != -2:
        cost = two.stump_num[0, 0] + two.stump_num[1, 0]
        second = two.stump_num[0, 1] + two.stump_num[1, 1]
        tied = two.at[FOUND] and cost <= num[BEST] + settings.tie and second < num[SECOND] - settings.tie
        if cost < num[BEST] - settings.tie or tied:
            two.at[FOUND] = 1
            num[BEST] = cost
            num[SECOND] = second
            num[TREE_LOW] = min(two.stump_num[0, 2], two.stump_num[1, 2])
            num[TREE_HIGH] = max(two.stump_num[0, 3], two.stump_num[1, 3])
            two.tree[0, 0] = f
            two.tree[0, 1] = rows.base[rows.order[f, two.pos[k]] >> 1]
            two.tree[1] = two.stump_at[0 if lower_is_left else 1]
            two.tree[2] = two.stump_at[1 if lower_is_left else 0]
    num[CAP] = below(two.stump_num[0, 3], settings)
    return sign == 0, scanned


@njit(cache=True, nogil=True)
def below(value, settings):
    """The largest cap that leaves out a leaf value and what may be the same number, rounded."""
    return np.nextafter(value - 2.0 * settings.value_tie, -np.inf)


@njit(cache=True, nogil=True)
def finish_two(two, rows, settings):
    """Write the best tree, of which a search without constraints keeps the root only. The search cannot go on."""
    f = two.at[ROOT]
    if not two.at[FOUND] or f < 0:
        return
    two.at[NB] = 1
    two.lane_f[0] = f
    two.pos[0] = two.at[SPLIT]
    begin_scan(two, rows, settings)
    two.l[0] = two.root_l - 1e3 * settings.tie
    two.r[0] = two.root_r - 1e3 * settings.tie
    # Splits that cost more are passed over, unless rounding keeps the best one from being found again.
    two.num[BEST] = two.root_l.min() + two.root_r.min() + 0.5 * settings.margin + 1e3 * settings.tie
    two.num[CAP] = two.num[HIGH]
    two.tree[0, 0] = -2
    judge_threshold(two, rows, settings, f, 0, two.root_l.min(), two.root_r.min())
    if two.tree[0, 0] == -2:
        two.num[BEST] = np.inf
        judge_threshold(two, rows, settings, f, 0, 0.0, 0.0)


@njit(cache=True, nogil=True)
def bound_two(two):
    """Return a lower bound on the cost of every tree, from what the search has found so far."""
    q = two.left_out.size
    bound = min(two.num[BEST], two.bounds[q])
    for f in range(q):
        if not two.constant[f]:
            bound = min(bound, max(two.left_out[f], two.bounds[f]))
    for i in range(two.at[OPEN]):
        bound = min(bound, two.open_bound[i])
    for b in range(two.at[BATCH]):
        bound = min(bound, two.batch_bound[b])
    return bound


@njit(cache=True, nogil=True)
def for_more_rows(bound, least, leaf_cost, leaves):
    """Turn the bound of a root feature into one that holds for more rows, too.

    Their split may leave all of these rows on one side. The other side then costs a leaf, and this side at least what
    any tree costs, and no less than the bound without the leaves that a split would have added.
    """
    return min(bound, max(least + leaf_cost, bound - leaves * leaf_cost))
