"""Optimal trees of depth two: branch and bound over intervals of root thresholds, sixteen thresholds at a time.

For a root split (f, t) the two subtrees are single splits, found for sixteen t at once by the scans. Between two judged
thresholds a < b any tree with a root threshold t in (a, b) costs at least OPT1(left of a) + OPT1(right of b), since
fewer rows never cost more; for misclassification also at least what t = a costs, less the weight between a and t. Both
are kept for each child feature, so that a feature that cannot win in an interval is not scanned there again.

The search is a machine whose state stands in arrays: `run_two` returns when its budget is spent, and goes on when
called again. One function holds the whole of a step's decisions, since the state they share is what a reader has to see
at once.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from skpapers.tree._quant_bnb_scans import (
    CLASSES,
    LANES,
    SQUARED,
    TWO_CLASSES,
    scan_classes,
    scan_squared,
    scan_squared_multi,
    scan_two_classes,
)


class Rows(NamedTuple):
    """The rows of one node: `order[f]` holds ``row << 1 | last of its value``; `base` names the row among all."""

    order: np.ndarray
    base: np.ndarray
    label: np.ndarray
    val: np.ndarray


class Settings(NamedTuple):
    """The problem: kind of loss, cost of a leaf, least improvement that counts, constraints."""

    kind: int
    n_classes: int
    weighted: bool
    leaf_cost: float
    margin: float
    tie: float
    value_tie: float
    min_leaf: int
    monotonic: np.ndarray


class Two(NamedTuple):
    """State and working space of one search for a tree of depth two."""

    at: np.ndarray  # integers of the machine, see the names below
    num: np.ndarray  # numbers of the machine
    code: np.ndarray
    st: np.ndarray
    counts: np.ndarray
    heaviest: np.ndarray
    out: np.ndarray
    l: np.ndarray  # noqa: E741
    r: np.ndarray
    l_min: np.ndarray
    r_min: np.ndarray
    pos: np.ndarray
    total: np.ndarray
    first_n: np.ndarray
    first_pos: np.ndarray
    first_l: np.ndarray
    first_r: np.ndarray
    open_pos: np.ndarray  # open intervals of the feature in hand, as in the first thresholds' intervals
    open_l: np.ndarray
    open_r: np.ndarray
    open_ends: np.ndarray
    batch_lane: np.ndarray  # intervals whose thresholds are scanned together, each with its first lane
    batch_pos: np.ndarray
    batch_l: np.ndarray
    batch_r: np.ndarray
    batch_ends: np.ndarray
    root_l: np.ndarray
    root_r: np.ndarray
    bounds: np.ndarray  # (q + 1,): cost with root feature f is at least this; the last is that of a leaf
    done: np.ndarray
    live: np.ndarray
    stump_num: np.ndarray
    stump_at: np.ndarray
    tree: np.ndarray  # (3, 2): feature (-1: leaf) and last row on the left, of root, left and right child


OPEN_INTERVALS = 256
# Integers of the machine.
N, PHASE, F, G, NB, OPEN, FOUND, COARSE, WORK, EXPLORED, ROOT, SPLIT, BATCH = range(13)
# Phases.
CHOOSE, SCAN_FIRST, REFINE, SCAN, DONE = range(5)
# What is done for a root feature.
NOTHING, SCANNED, FINISHED, CONSTANT = range(4)
# Numbers of the machine: best cost so far (the cutoff at first), its secondary cost, bounds on leaf values, values of
# the best tree's leaves, the least bound of what was left out of the feature in hand.
BEST, SECOND, LOW, HIGH, TREE_LOW, TREE_HIGH, LEFT_OUT = range(7)


def make_two(n, q, width, n_classes, kind, number):
    """Working space for nodes of up to n rows; `width` is the number of statistics of a set of rows."""
    many = kind == CLASSES
    return Two(
        at=np.zeros(13, np.int64),
        num=np.zeros(7),
        code=np.zeros(n, np.uint16),
        st=np.zeros(max(12, width) * LANES, number),
        counts=np.zeros(2 * LANES * n_classes if many else 1, number),
        heaviest=np.zeros(2 * LANES * n if many else 1, number),
        out=np.zeros((2, LANES)),
        l=np.zeros((LANES, q + 1)),
        r=np.zeros((LANES, q + 1)),
        l_min=np.zeros(LANES),
        r_min=np.zeros(LANES),
        pos=np.zeros(LANES, np.int64),
        total=np.zeros((LANES + 1, width)),
        first_n=np.zeros(q, np.int64),
        first_pos=np.zeros((q, LANES), np.int64),
        first_l=np.zeros((q, LANES, q + 1)),
        first_r=np.zeros((q, LANES, q + 1)),
        open_pos=np.zeros((OPEN_INTERVALS, 2), np.int64),
        open_l=np.zeros((OPEN_INTERVALS, q + 1)),
        open_r=np.zeros((OPEN_INTERVALS, q + 1)),
        open_ends=np.zeros((OPEN_INTERVALS, 2)),
        batch_lane=np.zeros(LANES + 1, np.int64),
        batch_pos=np.zeros((LANES, 2), np.int64),
        batch_l=np.zeros((LANES, q + 1)),
        batch_r=np.zeros((LANES, q + 1)),
        batch_ends=np.zeros((LANES, 2)),
        root_l=np.zeros(q + 1),
        root_r=np.zeros(q + 1),
        bounds=np.zeros(q + 1),
        done=np.zeros(q, np.int8),
        live=np.zeros((2, q + 1), np.int8),
        stump_num=np.zeros((3, 4)),
        stump_at=np.zeros((3, 2), np.int64),
        tree=np.zeros((3, 2), np.int64),
    )


@njit(cache=True, nogil=True)
def leaf_loss(kind, a):
    """Loss of a leaf with statistics a: W and S; W and each class's weight; W, the sums of w y, and that of w y^2."""
    if kind == TWO_CLASSES:
        return 0.5 * (a[0] - abs(a[1]))
    if kind == CLASSES:
        return a[0] - a[1:].max()
    removed = 0.0
    for j in range(1, a.size - 1):
        removed += a[j] * a[j]
    return max(a[a.size - 1] - removed / a[0], 0.0) if a[0] > 0.0 else 0.0


@njit(cache=True, nogil=True)
def leaf_second(kind, a):
    """What decides between equal misclassification losses: the Gini impurity times the weight."""
    if kind == TWO_CLASSES:
        return 0.5 * (a[0] - a[1] * a[1] / a[0])
    if kind == CLASSES:
        return a[0] - (a[1:] * a[1:]).sum() / a[0]
    return 0.0


@njit(cache=True, nogil=True)
def leaf_value(kind, a):
    """The value that monotonic constraints compare: the mean, or the share of the second class."""
    if kind == TWO_CLASSES:
        return 0.5 + 0.5 * a[1] / a[0]
    return a[1] / a[0]


@njit(cache=True, nogil=True)
def add_rows(kind, weighted, order, start, stop, label, val, a):
    """Add the rows at the positions start, ..., stop - 1 of an order to the statistics a."""
    if kind <= CLASSES:
        for i in range(start, stop):
            row = order[i] >> 1
            w = val[row, 0] if weighted else 1.0
            a[0] += w
            if kind == CLASSES:
                a[1 + label[row]] += w
            else:
                a[1] += w if label[row] else -w
    else:
        m = val.shape[1]
        for i in range(start, stop):
            row = order[i] >> 1
            w = val[row, 0]
            square = 0.0
            a[0] += w
            for j in range(1, m):
                a[j] += val[row, j]
                square += val[row, j] * val[row, j]
            a[m] += square / w


@njit(cache=True, nogil=True)
def scan_stump(rows, n, settings, g, code, lane, is_left, whole, count, low, high, num, at):
    """Improve the single split (num, at) on one side of a threshold by one on g that keeps every constraint."""
    kind = settings.kind
    a = np.zeros(whole.size)
    b = np.empty(whole.size)
    monotonic = settings.monotonic[g]
    order, label, val = rows.order[g], rows.label, rows.val
    n_a = 0
    last = -1
    for i in range(n):
        row = order[i] >> 1
        if ((code[row] & 31) <= lane) == is_left:
            add_rows(kind, settings.weighted, order, i, i + 1, label, val, a)
            n_a += 1
            last = row
        if order[i] & 1 and last >= 0:
            row = last
            last = -1
            if n_a < settings.min_leaf:
                continue
            if count - n_a < settings.min_leaf:
                break
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
            if cost < num[0] - settings.tie or second < num[1] or (second == num[1] and g < at[0]):
                num[0] = cost
                num[1] = second
                num[2] = min(va, vb)
                num[3] = max(va, vb)
                at[0] = g
                at[1] = rows.base[row]


@njit(cache=True, nogil=True)
def best_stump(rows, n, settings, code, lane, is_left, whole, count, floor, low, high, cutoff, num, at):
    """Set (num, at) to the best single split, or leaf, of the rows on one side of a threshold; at[0] = -2 if none costs
    less than `cutoff`.

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
    for j in range(-1, q):
        g = first if j < 0 else j
        if j != first and floor[g] <= num[0] + settings.tie:
            scan_stump(rows, n, settings, g, code, lane, is_left, whole, count, low, high, num, at)


@njit(cache=True, nogil=True)
def start_two(two, rows, n, settings, cutoff, low, high, floor, coarse):
    """Begin a search for trees that cost less than `cutoff`; `floor` is a lower bound for each root feature."""
    at, num, q = two.at, two.num, settings.monotonic.size
    at[N] = n
    at[PHASE] = CHOOSE
    at[OPEN] = 0
    at[FOUND] = 0
    at[ROOT] = -1
    at[COARSE] = coarse
    num[BEST] = cutoff
    num[SECOND] = np.inf
    num[LOW] = low
    num[HIGH] = high
    two.bounds[:] = floor
    two.done[:] = NOTHING
    two.code[:n] = 0
    whole = two.total[LANES]
    whole[:] = 0.0
    add_rows(settings.kind, settings.weighted, rows.order[0], 0, n, rows.label, rows.val, whole)
    leaf = leaf_loss(settings.kind, whole)
    two.bounds[q] = leaf + settings.leaf_cost
    value = leaf_value(settings.kind, whole)
    inside = low - settings.value_tie <= value <= high + settings.value_tie
    if leaf + settings.leaf_cost < cutoff and n >= settings.min_leaf and inside:
        at[FOUND] = 1
        num[BEST] = leaf + settings.leaf_cost
        num[SECOND] = leaf_second(settings.kind, whole)
        num[TREE_LOW] = value
        num[TREE_HIGH] = value
        two.tree[:, 0] = -1
    if leaf == 0.0 and settings.leaf_cost == 0.0:
        at[PHASE] = DONE


@njit(cache=True, nogil=True)
def cost_of_leaf(rows, n, settings, width):
    """Cost of one leaf for all rows."""
    whole = np.zeros(width)
    add_rows(settings.kind, settings.weighted, rows.order[0], 0, n, rows.label, rows.val, whole)
    return leaf_loss(settings.kind, whole) + settings.leaf_cost


@njit(cache=True, nogil=True)
def value_of_leaf(rows, n, settings, width):
    """Value of one leaf for all rows."""
    whole = np.zeros(width)
    add_rows(settings.kind, settings.weighted, rows.order[0], 0, n, rows.label, rows.val, whole)
    return leaf_value(settings.kind, whole)


@njit(cache=True, nogil=True)
def solve_stump(two, rows, n, settings, low, high):
    """Find the best tree of depth one."""
    two.code[:n] = 0
    whole = two.total[LANES]
    whole[:] = 0.0
    add_rows(settings.kind, settings.weighted, rows.order[0], 0, n, rows.label, rows.val, whole)
    floor = np.zeros(settings.monotonic.size)
    num, at = two.stump_num[0], two.stump_at[0]
    best_stump(rows, n, settings, two.code, 0, True, whole, n, floor, low, high, np.inf, num, at)
    two.num[BEST] = num[0]
    two.tree[:, 0] = -1
    two.tree[0] = at


@njit(cache=True, nogil=True)
def choose_thresholds(two, rows, settings, f, lo, hi):
    """Spread up to LANES thresholds of f evenly, by weight, strictly between the positions lo and hi."""
    order, val = rows.order[f], rows.val
    ends = 0
    for i in range(lo + 1, hi):
        ends += order[i] & 1
    nb = 0
    if ends <= LANES:
        for i in range(lo + 1, hi):
            if order[i] & 1:
                two.pos[nb] = i
                nb += 1
    elif settings.weighted:
        weight = 0.0
        for i in range(lo + 1, hi + 1):
            weight += val[order[i] >> 1, 0]
        passed = 0.0
        for i in range(lo + 1, hi):
            passed += val[order[i] >> 1, 0]
            if order[i] & 1 and passed * (LANES + 1) >= weight * (nb + 1):
                two.pos[nb] = i
                nb += 1
                if nb == LANES:
                    break
    else:
        for k in range(LANES):
            i = lo + ((hi - lo) * (k + 1) + LANES) // (LANES + 1)
            if nb and i <= two.pos[nb - 1]:
                i = two.pos[nb - 1] + 1
            while i < hi and not order[i] & 1:
                i += 1
            if i >= hi:
                break
            two.pos[nb] = i
            nb += 1
    two.at[NB] = nb


@njit(cache=True, nogil=True)
def write_code(two, rows, settings, f):
    """Mark every row with its lane, and add up the statistics left of every threshold."""
    kind, n, nb = settings.kind, two.at[N], two.at[NB]
    order, label, code, total = rows.order[f], rows.label, two.code, two.total
    run = np.zeros(total.shape[1])
    start = 0
    for k in range(nb + 1):
        stop = two.pos[k] + 1 if k < nb else n
        for i in range(start, stop):
            row = order[i] >> 1
            code[row] = k | np.int64(label[row]) << 5 if kind <= CLASSES else k
        add_rows(kind, settings.weighted, order, start, stop, label, rows.val, run)
        start = stop
        total[k] = run
    for k in range(nb + 1, LANES + 1):
        total[k] = run


@njit(cache=True, nogil=True)
def scan(two, rows, settings, g):
    """Put the cost of the best split on g, left and right of every threshold, into two.l[:, g] and two.r[:, g]."""
    kind, n, order, total, out = settings.kind, two.at[N], rows.order[g], two.total, two.out
    if kind == TWO_CLASSES:
        scan_two_classes(order, n, two.code, settings.weighted, rows.val, two.st, out[0], out[1])
    elif kind == CLASSES:
        scan_classes(order, n, two.code, settings.weighted, rows.val, two.st, two.counts, two.heaviest, out[0], out[1])
    elif kind == SQUARED:
        scan_squared(order, n, two.code, rows.val, two.st, total, out[0], out[1])
    else:
        scan_squared_multi(order, n, two.code, rows.val, two.st, total, out[0], out[1])
    leaves = 2.0 * settings.leaf_cost
    q = two.bounds.size - 1
    for k in range(two.at[NB]):
        if kind <= CLASSES:
            share = 0.5 if kind == TWO_CLASSES else 1.0
            two.l[k, g] = share * (total[k, 0] - out[0, k]) + leaves
            two.r[k, g] = share * (total[LANES, 0] - total[k, 0] - out[1, k]) + leaves
        else:
            two.l[k, g] = max(two.l[k, q] - settings.leaf_cost - out[0, k], 0.0) + leaves
            two.r[k, g] = max(two.r[k, q] - settings.leaf_cost - out[1, k], 0.0) + leaves


@njit(cache=True, nogil=True)
def below(value, settings):
    """The largest cap that leaves out a leaf value and what may be the same number, rounded."""
    return np.nextafter(value - 2.0 * settings.value_tie, -np.inf)


@njit(cache=True, nogil=True)
def judge_threshold(two, rows, settings, f, k, l_min, r_min):
    """Find the best pair of subtrees at threshold k that keeps every constraint, and take it if it is better."""
    num, n = two.num, two.at[N]
    low, high, sign = num[LOW], num[HIGH], settings.monotonic[f]
    rest = two.total[LANES] - two.total[k]
    n_left = two.pos[k] + 1
    # With an increasing feature every value on the left is to be at most every value on the right. Lower sides are
    # found in the order of their cost, each with a largest value below that of the one before: no pair is missed.
    cap = high
    while True:
        lower_is_left = sign >= 0
        for turn in range(2):
            is_left = lower_is_left == (turn == 0)
            floor = two.l[k] if is_left else two.r[k]
            other = (r_min if is_left else l_min) if turn == 0 else two.stump_num[0, 0]
            best_stump(
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
                cap if turn == 0 else high,
                num[BEST] - other + settings.tie,
                two.stump_num[turn],
                two.stump_at[turn],
            )
            if two.stump_at[turn, 0] == -2:
                break
        if two.stump_at[0, 0] == -2:
            return
        if two.stump_at[1, 0] != -2:
            cost = two.stump_num[0, 0] + two.stump_num[1, 0]
            second = two.stump_num[0, 1] + two.stump_num[1, 1]
            tied = two.at[FOUND] and cost <= num[BEST] + settings.tie and second < num[SECOND]
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
        if sign == 0:
            return
        cap = below(two.stump_num[0, 3], settings)


@njit(cache=True, nogil=True)
def is_free(two, settings):
    """Whether no constraint holds, so that the bound of a threshold is the cost of its best tree."""
    free = settings.min_leaf == 1 and two.num[LOW] == -np.inf and two.num[HIGH] == np.inf
    return free and not settings.monotonic.any()


@njit(cache=True, nogil=True)
def finish_two(two, rows, settings):
    """Write down the best tree, of which a free search remembers the root alone."""
    f = two.at[ROOT]
    if not two.at[FOUND] or f < 0:
        return
    two.at[NB] = 1
    two.pos[0] = two.at[SPLIT]
    begin_scan(two, rows, settings, f)
    two.l[0] = two.root_l - 1e3 * settings.tie
    two.r[0] = two.root_r - 1e3 * settings.tie
    two.num[BEST] = np.inf
    judge_threshold(two, rows, settings, f, 0, 0.0, 0.0)


@njit(cache=True, nogil=True)
def find_least(two, q):
    """Least bounds over child features, left and right of each threshold."""
    for k in range(two.at[NB]):
        a, b = two.l[k, q], two.r[k, q]
        for g in range(q):
            a = min(a, two.l[k, g])
            b = min(b, two.r[k, g])
        two.l_min[k] = a
        two.r_min[k] = b


@njit(cache=True, nogil=True)
def judge(two, rows, settings, f):
    """Judge the thresholds that were scanned, the most promising first; return the least bound among them."""
    nb, l_min, r_min = two.at[NB], two.l_min, two.r_min
    two.at[EXPLORED] += nb
    find_least(two, settings.monotonic.size)
    free = is_free(two, settings)
    least = np.inf
    pending = np.ones(LANES, np.int8)
    for turn in range(nb):
        best = -1
        for k in range(nb):
            if pending[k] and (best < 0 or l_min[k] + r_min[k] < l_min[best] + r_min[best] - settings.tie):
                best = k
        cost = l_min[best] + r_min[best]
        if turn == 0:
            least = cost
        if cost > two.num[BEST] - settings.margin:
            break
        pending[best] = 0
        if free:
            two.num[BEST] = cost
            two.at[FOUND] = 1
            two.at[ROOT] = f
            two.at[SPLIT] = two.pos[best]
            two.root_l[:] = two.l[best]
            two.root_r[:] = two.r[best]
            break
        judge_threshold(two, rows, settings, f, best, l_min[best], r_min[best])
    return least


@njit(cache=True, nogil=True)
def trim_interval(two, rows, settings, f, i):
    """Move the ends of an open interval inwards past the thresholds that similarity to the judged ends closes."""
    lo, hi = two.open_pos[i]
    target = two.num[BEST] - settings.margin
    order = rows.order[f]
    for end in range(2):
        while lo < hi - 1:
            row = order[lo + 1 if end == 0 else hi] >> 1
            bound = two.open_ends[i, end] - (rows.val[row, 0] if settings.weighted else 1.0)
            if bound <= target:
                break
            two.open_ends[i, end] = bound
            two.num[LEFT_OUT] = min(two.num[LEFT_OUT], bound)
            if end == 0:
                lo += 1
            else:
                hi -= 1
    two.open_pos[i, 0] = lo
    two.open_pos[i, 1] = hi


@njit(cache=True, nogil=True)
def copy_open(two, i, j):
    """Copy the open interval i to the place j."""
    two.open_pos[j] = two.open_pos[i]
    two.open_l[j] = two.open_l[i]
    two.open_r[j] = two.open_r[i]
    two.open_ends[j] = two.open_ends[i]


@njit(cache=True, nogil=True)
def choose_batch(two, rows, settings, f):
    """Take open intervals of f whose thresholds are scanned together, and spread the lanes over them; False if all are
    closed.

    All of them if there is a lane for each; otherwise those with the least bounds, or, when room runs out, the
    narrowest.
    """
    q = settings.monotonic.size
    target = two.num[BEST] - settings.margin
    order = rows.order[f]
    ends = np.zeros(OPEN_INTERVALS, np.int64)
    rank = np.zeros(OPEN_INTERVALS)
    crowded = two.at[OPEN] > OPEN_INTERVALS - 2 * LANES
    kept = 0
    for i in range(two.at[OPEN]):
        bound = two.open_l[i].min() + two.open_r[i].min()
        if bound > target:
            two.num[LEFT_OUT] = min(two.num[LEFT_OUT], bound)
            continue
        if settings.kind <= CLASSES:
            trim_interval(two, rows, settings, f, i)
        count = 0
        for j in range(two.open_pos[i, 0] + 1, two.open_pos[i, 1]):
            count += order[j] & 1
        if count:
            copy_open(two, i, kept)
            ends[kept] = count
            rank[kept] = count if crowded else bound
            kept += 1
    two.at[OPEN] = kept
    if kept == 0:
        return False
    taken = min(kept, LANES)
    chosen = np.sort(np.argsort(rank[:kept])[:taken]) if kept > LANES else np.arange(kept)
    chosen = chosen[np.argsort(two.open_pos[chosen, 0])]
    total = ends[chosen].sum()
    lane = 0
    for b in range(taken):
        i = chosen[b]
        lanes = ends[i] if total <= LANES else min(ends[i], 1 + (LANES - taken) * ends[i] // total)
        two.batch_lane[b] = lane
        two.batch_pos[b] = two.open_pos[i]
        two.batch_l[b] = two.open_l[i]
        two.batch_r[b] = two.open_r[i]
        two.batch_ends[b] = two.open_ends[i]
        seen = 0
        for j in range(two.open_pos[i, 0] + 1, two.open_pos[i, 1]):
            seen += order[j] & 1
            if order[j] & 1 and seen * (lanes + 1) >= ends[i] * (lane - two.batch_lane[b] + 1):
                two.pos[lane] = j
                lane += 1
                if lane - two.batch_lane[b] == lanes:
                    break
    two.batch_lane[taken] = lane
    two.at[BATCH] = taken
    two.at[NB] = lane
    kept = 0
    gone = np.zeros(OPEN_INTERVALS, np.int8)
    gone[chosen] = 1
    for i in range(two.at[OPEN]):
        if not gone[i]:
            copy_open(two, i, kept)
            kept += 1
    two.at[OPEN] = kept
    two.live[:] = 0
    for b in range(taken):
        l_min, r_min = two.batch_l[b].min(), two.batch_r[b].min()
        for g in range(q):
            if two.batch_l[b, g] + r_min <= target or two.batch_r[b, g] + l_min <= target:
                two.live[0, g] = 1
    return True


@njit(cache=True, nogil=True)
def begin_scan(two, rows, settings, f):
    """Prepare the scans of the chosen thresholds of f: codes, totals, and the costs of leaves on both sides."""
    q = settings.monotonic.size
    write_code(two, rows, settings, f)
    total = two.total
    rest = np.empty(total.shape[1])
    for k in range(two.at[NB]):
        for j in range(rest.size):
            rest[j] = total[LANES, j] - total[k, j]
        two.l[k, q] = leaf_loss(settings.kind, total[k]) + settings.leaf_cost
        two.r[k, q] = leaf_loss(settings.kind, rest) + settings.leaf_cost
    two.at[G] = 0


@njit(cache=True, nogil=True)
def push_between(two, settings, b):
    """Keep the intervals between the judged thresholds of an interval of the batch, unless their bounds close them."""
    l_min, r_min = two.l_min, two.r_min
    target = two.num[BEST] - settings.margin
    start, stop = two.batch_lane[b], two.batch_lane[b + 1]
    for k in range(start, stop + 1):
        lo = two.pos[k - 1] if k > start else two.batch_pos[b, 0]
        hi = two.pos[k] if k < stop else two.batch_pos[b, 1]
        if hi - lo <= 1:
            continue
        l = two.l[k - 1] if k > start else two.batch_l[b]  # noqa: E741
        r = two.r[k] if k < stop else two.batch_r[b]
        bound = (l_min[k - 1] if k > start else l.min()) + (r_min[k] if k < stop else r.min())
        if bound > target:
            two.num[LEFT_OUT] = min(two.num[LEFT_OUT], bound)
            continue
        i = two.at[OPEN]
        two.at[OPEN] = i + 1
        two.open_pos[i, 0] = lo
        two.open_pos[i, 1] = hi
        two.open_l[i] = l
        two.open_r[i] = r
        two.open_ends[i, 0] = l_min[k - 1] + r_min[k - 1] if k > start else two.batch_ends[b, 0]
        two.open_ends[i, 1] = l_min[k] + r_min[k] if k < stop else two.batch_ends[b, 1]


@njit(cache=True, nogil=True)
def first_bound(two, settings, n):
    """The least bound among the intervals between the first thresholds of a feature."""
    nb, alone = two.at[NB], settings.leaf_cost
    least = np.inf
    for k in range(nb + 1):
        if (two.pos[k] if k < nb else n - 1) - (two.pos[k - 1] if k > 0 else -1) > 1:
            least = min(least, (two.l_min[k - 1] if k > 0 else alone) + (two.r_min[k] if k < nb else alone))
    return least


@njit(cache=True, nogil=True)
def push_first(two, settings, f, n):
    """Open the intervals that the first thresholds of f left open."""
    q = settings.monotonic.size
    nb = two.first_n[f]
    two.at[NB] = nb
    two.pos[:] = two.first_pos[f]
    two.l[:] = two.first_l[f]
    two.r[:] = two.first_r[f]
    find_least(two, q)
    two.batch_lane[0] = 0
    two.batch_lane[1] = nb
    two.batch_pos[0, 0] = -1
    two.batch_pos[0, 1] = n - 1
    two.batch_l[0] = 2.0 * settings.leaf_cost
    two.batch_r[0] = 2.0 * settings.leaf_cost
    two.batch_l[0, q] = settings.leaf_cost
    two.batch_r[0, q] = settings.leaf_cost
    two.batch_ends[0] = -np.inf
    push_between(two, settings, 0)


@njit(cache=True, nogil=True)
def run_two(two, rows, settings, budget):
    """Go on with the search until it ends (True) or has scanned about `budget` rows (False)."""
    at, num = two.at, two.num
    n, q = at[N], settings.monotonic.size
    work = 0
    while True:
        target = num[BEST] - settings.margin
        if at[PHASE] == CHOOSE:
            # The feature with the least bound: with nothing known of any, all are scanned a first time before one is
            # refined.
            f = -1
            for g in range(q):
                if two.done[g] <= SCANNED and (f < 0 or two.bounds[g] < two.bounds[f]):
                    f = g
            at[F] = f
            if f < 0 or two.bounds[f] > target:
                at[PHASE] = DONE
            elif two.done[f] == SCANNED:
                at[PHASE] = DONE if at[COARSE] else REFINE
                num[LEFT_OUT] = np.inf
                for k in range(two.first_n[f]):
                    num[LEFT_OUT] = min(num[LEFT_OUT], two.first_l[f, k].min() + two.first_r[f, k].min())
                push_first(two, settings, f, n)
            else:
                choose_thresholds(two, rows, settings, f, -1, n - 1)
                if at[NB] == 0:
                    two.done[f] = CONSTANT
                    continue
                begin_scan(two, rows, settings, f)
                two.live[:] = 1
                work += n
                at[PHASE] = SCAN_FIRST
        elif at[PHASE] == REFINE:
            f = at[F]
            if not choose_batch(two, rows, settings, f):
                two.bounds[f] = max(two.bounds[f], num[LEFT_OUT])
                two.done[f] = FINISHED
                at[PHASE] = CHOOSE
                continue
            begin_scan(two, rows, settings, f)
            work += n
            for b in range(at[BATCH]):
                for k in range(two.batch_lane[b], two.batch_lane[b + 1]):
                    two.l[k, :q] = two.batch_l[b, :q]
                    two.r[k, :q] = two.batch_r[b, :q]
            at[PHASE] = SCAN
        elif at[PHASE] == SCAN_FIRST or at[PHASE] == SCAN:
            while at[G] < q:
                if work >= budget:
                    return False
                if two.live[0, at[G]]:
                    scan(two, rows, settings, at[G])
                    work += n
                    at[WORK] += n
                at[G] += 1
            f = at[F]
            least = judge(two, rows, settings, f)
            if at[PHASE] == SCAN_FIRST:
                nb = at[NB]
                two.first_n[f] = nb
                two.first_pos[f] = two.pos
                two.first_l[f] = two.l
                two.first_r[f] = two.r
                two.bounds[f] = max(two.bounds[f], min(least, first_bound(two, settings, n)))
                two.done[f] = SCANNED
                at[PHASE] = CHOOSE
            else:
                num[LEFT_OUT] = min(num[LEFT_OUT], least)
                for b in range(at[BATCH]):
                    push_between(two, settings, b)
                at[PHASE] = REFINE
        else:
            # A tree for more rows than these may split on a feature that is constant here, and is no cheaper for it.
            least = two.bounds[q]
            for g in range(q):
                if two.done[g] != CONSTANT:
                    least = min(least, two.bounds[g])
            for g in range(q):
                if two.done[g] == CONSTANT:
                    two.bounds[g] = max(two.bounds[g], least)
            return True
