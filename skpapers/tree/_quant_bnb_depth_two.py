"""Optimal trees of depth two: branch and bound over intervals of root thresholds, sixteen thresholds at a time.

For a root split (f, t) the two subtrees are single splits, found for sixteen root splits at once by the scans. Between
two judged thresholds a < b of f any tree with a root threshold in (a, b) costs at least OPT1(left of a) + OPT1(right of
b), since fewer rows never cost more; for misclassification also at least what t = a costs, less the weight between a
and t. The first bound is kept for each child feature, so that a feature that cannot win in an interval is not scanned
there again. The open intervals with the least bounds, of whatever root feature, share the next sixteen thresholds.

Where leaves must have m rows, a leaf of the tree may have fewer in the rows left of a, but only as many fewer as there
are rows between a and t: OPT1 is taken over leaves of m less so many rows. A threshold that this does not close is
scanned again, for leaves of m rows. Where the search is for the branch of a larger tree, whose other thresholds send up
to `EXTRA` more rows to this node, bounds hold for these, too, and leaves may have so many rows fewer.

The search is a machine whose state stands in arrays: `run_two` returns when its budget is spent, and goes on when
called again. A call hands over dozens of arrays, which takes as long as some dozen rows: what is called for each
interval or scan is inlined.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from skpapers.tree._quant_bnb_borrow import borrow
from skpapers.tree._quant_bnb_lanes import LANES
from skpapers.tree._quant_bnb_scans import (
    CLASSES,
    SQUARED,
    SQUARED_MULTI,
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
    weighted: bool  # whether val holds weights
    unit: bool  # whether they are all one
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
    own_l: np.ndarray  # bounds of each lane's threshold alone, where l and r hold for its neighbours, too
    own_r: np.ndarray
    own_l_min: np.ndarray
    own_r_min: np.ndarray
    fewest: np.ndarray  # (2, LANES): fewest rows of a leaf left and right of each lane's split
    limits: np.ndarray  # between which the scans' counts of rows must lie
    least: np.ndarray  # (2, LANES): which the product of the weights of both sides of a child split must exceed
    pos: np.ndarray
    total: np.ndarray
    lane_f: np.ndarray  # root feature of each lane
    open_at: np.ndarray  # open intervals: root feature, lo, hi
    open_l: np.ndarray  # bounds left of lo for each child feature, and for a leaf
    open_r: np.ndarray  # the same right of hi
    open_ends: np.ndarray  # costs at lo and hi
    open_bound: np.ndarray
    batch_lane: np.ndarray  # intervals whose thresholds are scanned together, each with its first lane
    batch_at: np.ndarray
    batch_l: np.ndarray
    batch_r: np.ndarray
    batch_ends: np.ndarray
    batch_bound: np.ndarray
    left_out: np.ndarray  # least bound among what was closed, for each root feature
    root_l: np.ndarray
    root_r: np.ndarray
    bounds: np.ndarray  # (q + 1,): cost with root feature f is at least this; the last is that of a leaf
    constant: np.ndarray  # root features with a single value
    pending: np.ndarray  # lanes still to be judged
    live: np.ndarray  # child features to be scanned
    stump_num: np.ndarray
    stump_at: np.ndarray
    tree: np.ndarray  # (3, 2): feature (-1: leaf) and last row on the left, of root, left and right child


# Integers of the machine: rows, phase, next child feature, lanes in use, open intervals, intervals in the batch,
# whether there is a tree, its root where its branches are still to be written down, most passes, passes, rows scanned,
# thresholds judged, the lane in hand, more rows for which bounds hold, whether leaves are limited in the scan in hand,
# whether the lanes have bounds of their own, passes with a second scan.
N, PHASE, G, NB, OPEN, BATCH, FOUND, ROOT, SPLIT, LIMIT, PASSES, WORK, EXPLORED, K, EXTRA, COUNTED, OWN = range(17)
SECONDS = 17
CHOOSE, SCAN, JUDGE, DONE = range(4)
# Numbers of the machine: best cost so far (the cutoff at first), its secondary cost, bounds on leaf values, least and
# largest leaf value of the best tree, largest value allowed on the lower side of the monotonic threshold in hand.
BEST, SECOND, LOW, HIGH, TREE_LOW, TREE_HIGH, CAP = range(7)
NO_LIMIT = 2**62
# Places for open intervals, and how many must be free: a batch may add LANES to those there are, for each halving of an
# interval when the narrowest ones are taken.
ROOM, SPARE = 512, 40 * LANES


def zeros_of_lanes(size, dtype):
    """Return zeros that begin at a cache line: scans of lanes take up to 1.8 times as long where lanes cross lines."""
    line = 64
    longer = np.zeros(size + line // np.dtype(dtype).itemsize, dtype)
    start = -longer.ctypes.data % line // longer.itemsize
    return longer[start : start + size]


def make_two(n, q, width, n_classes, kind, number):
    """Working space for nodes of up to n rows; `width` is the number of statistics of a set of rows."""
    many = kind == CLASSES
    room = 2 * q + ROOM + SPARE
    return Two(
        at=np.zeros(18, np.int64),
        num=np.zeros(7),
        code=np.zeros(n, np.uint32),
        st=zeros_of_lanes(LANES, number),
        counts=zeros_of_lanes(2 * LANES * n_classes if many else 1, number),
        heaviest=zeros_of_lanes(2 * LANES * n if many else 1, number),
        out=np.zeros((2, LANES)),
        l=np.zeros((LANES, q + 1)),
        r=np.zeros((LANES, q + 1)),
        l_min=np.zeros(LANES),
        r_min=np.zeros(LANES),
        own_l=np.zeros((LANES, q + 1)),
        own_r=np.zeros((LANES, q + 1)),
        own_l_min=np.zeros(LANES),
        own_r_min=np.zeros(LANES),
        fewest=np.ones((2, LANES), np.int32),
        limits=np.zeros(4 * LANES, np.int32),
        least=np.zeros((2, LANES)),
        pos=np.zeros(LANES, np.int64),
        total=np.zeros((LANES + 1, width)),
        lane_f=np.zeros(LANES, np.int64),
        open_at=np.zeros((room, 3), np.int64),
        open_l=np.zeros((room, q + 1)),
        open_r=np.zeros((room, q + 1)),
        open_ends=np.zeros((room, 2)),
        open_bound=np.zeros(room),
        batch_lane=np.zeros(LANES + 1, np.int64),
        batch_at=np.zeros((LANES, 3), np.int64),
        batch_l=np.zeros((LANES, q + 1)),
        batch_r=np.zeros((LANES, q + 1)),
        batch_ends=np.zeros((LANES, 2)),
        batch_bound=np.zeros(LANES),
        left_out=np.zeros(q),
        root_l=np.zeros(q + 1),
        root_r=np.zeros(q + 1),
        bounds=np.zeros(q + 1),
        constant=np.zeros(q, np.int8),
        pending=np.zeros(LANES, np.int8),
        live=np.zeros(q, np.int8),
        stump_num=np.zeros((2, 4)),
        stump_at=np.zeros((2, 2), np.int64),
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


@njit(cache=True, nogil=True, error_model="numpy")
def leaf_second(kind, a):
    """What decides between equal misclassification losses: the Gini impurity times the weight."""
    if kind == TWO_CLASSES:
        return 0.5 * (a[0] - a[1] * a[1] / a[0])
    if kind == CLASSES:
        return a[0] - (a[1:] * a[1:]).sum() / a[0]
    return 0.0


@njit(cache=True, nogil=True, error_model="numpy")
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
            a[m] += square if w == 1.0 else square / w


@njit(cache=True, nogil=True, error_model="numpy")
def scan_stump(rows, n, settings, g, code, lane, is_left, whole, count, low, high, num, at):
    """Improve the single split (num, at) on one side of a threshold by one on g that keeps every constraint."""
    kind = settings.kind
    a = np.zeros(whole.size)
    b = np.empty(whole.size)
    monotonic = settings.monotonic[g]
    order, label, val, weighted = rows.order[g], rows.label, rows.val, settings.weighted
    W, S = whole[0], whole[1]
    W_a = S_a = 0.0
    n_a = 0
    last = -1
    worst = num[0] + settings.tie - 2.0 * settings.leaf_cost
    better = num[0] - settings.tie - 2.0 * settings.leaf_cost
    for i in range(n):
        row = order[i] >> 1
        mine = ((code[row] >> lane) & 1 == 1) == is_left
        if kind == TWO_CLASSES:
            # no branch: which rows are on this side is hard to foretell
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
                # where one class is rare, most splits cost the same: only one of less impurity is looked at further
                W_b, S_b = W - W_a, S - S_a
                cost = 0.5 * (W - abs(S_a) - abs(S_b))
                if cost > worst:
                    continue
                if cost > better:
                    second = 0.5 * (W_a - S_a * S_a / W_a) + 0.5 * (W_b - S_b * S_b / W_b)
                    if second >= num[1] - settings.tie and (second > num[1] + settings.tie or g >= at[0]):
                        continue
                a[0], a[1] = W_a, S_a
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
    """Set (num, at) to the best single split, or leaf, of the rows on one side of a threshold; at[0] = -2 if no leaf
    costs less than `cutoff` and no split at most as much. Returns how many features were scanned.

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
def start_two(two, rows, n, settings, cutoff, low, high, floor, limit, extra):
    """Begin a search for trees that cost less than `cutoff`; `floor` is a lower bound for each root feature.

    Bounds hold for sets of rows with up to `extra` more rows, too.
    """
    at, num, q = two.at, two.num, settings.monotonic.size
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
    two.code[:n] = 1
    whole = two.total[LANES]
    whole[:] = 0.0
    add_rows(settings.kind, settings.weighted, rows.order[0], 0, n, rows.label, rows.val, whole)
    floor = np.zeros(settings.monotonic.size)
    num, at = two.stump_num[0], two.stump_at[0]
    best_stump(rows, n, settings, two.code, 0, True, whole, n, floor, low, high, np.inf, num, at)
    two.num[BEST] = num[0]
    two.tree[:, 0] = -1
    two.tree[0] = at


@njit(cache=True, nogil=True, inline="always")
def write_code(two, rows, settings):
    """Mark on which side of each lane's split every row lies, and add up the statistics of the left sides."""
    n, nb, pos, code, label = two.at[N], two.at[NB], two.pos, two.code, rows.label
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
            W, S = run[0], run[1]
            for i in range(start, pos[k] + 1):
                row = order[i] >> 1
                c = code[row]
                code[row] = c | sides
                w = np.float64(rows.val[row, 0] if settings.weighted else 1)
                W += w
                S += w * (2.0 * np.float64(c >> np.uint32(16)) - 1.0)
            run[0], run[1] = W, S
        else:
            for i in range(start, pos[k] + 1):
                code[order[i] >> 1] |= sides
            add_rows(settings.kind, settings.weighted, order, start, pos[k] + 1, label, rows.val, run)
        two.total[k] = run
    two.total[nb:LANES] = 0.0


@njit(cache=True, nogil=True)
def call_scan(two, rows, settings, order, limits):
    """Call the scan of the kind of loss."""
    kind, n, code, total, out = settings.kind, two.at[N], two.code, two.total, two.out
    weighted, val, st, counts, heaviest = settings.weighted, rows.val, two.st, two.counts, two.heaviest
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
    kind, order, total, out = settings.kind, rows.order[g], two.total, two.out
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


@njit(cache=True, nogil=True)
def below(value, settings):
    """The largest cap that leaves out a leaf value and what may be the same number, rounded."""
    return np.nextafter(value - 2.0 * settings.value_tie, -np.inf)


@njit(cache=True, nogil=True)
def judge_threshold(two, rows, settings, f, k, l_min, r_min):
    """Find the best pair of subtrees at threshold k that keeps every constraint, and take it if it is better.

    Where f is monotonic one pair is looked at in each call, and the next cap for the lower side's values is left in
    num[CAP]; True when there are no more. Also returns how many features were scanned.
    """
    num, n = two.num, two.at[N]
    low, high, sign = num[LOW], num[HIGH], settings.monotonic[f]
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
def is_free(two, settings):
    """Whether no constraint holds, so that the bound of a threshold is the cost of its best tree."""
    free = (settings.min_leaf == 1 or two.at[EXTRA] == 0) and two.num[LOW] == -np.inf and two.num[HIGH] == np.inf
    return free and not settings.monotonic.any()


@njit(cache=True, nogil=True)
def finish_two(two, rows, settings):
    """Write down the best tree, of which a free search remembers the root alone. The search cannot go on after this."""
    f = two.at[ROOT]
    if not two.at[FOUND] or f < 0:
        return
    two.at[NB] = 1
    two.lane_f[0] = f
    two.pos[0] = two.at[SPLIT]
    begin_scan(two, rows, settings)
    two.l[0] = two.root_l - 1e3 * settings.tie
    two.r[0] = two.root_r - 1e3 * settings.tie
    # Splits that cost more are passed over. Where rounding keeps the best one from being seen again, none is.
    two.num[BEST] = two.root_l.min() + two.root_r.min() + 0.5 * settings.margin + 1e3 * settings.tie
    two.num[CAP] = two.num[HIGH]
    two.tree[0, 0] = -2
    judge_threshold(two, rows, settings, f, 0, two.root_l.min(), two.root_r.min())
    if two.tree[0, 0] == -2:
        two.num[BEST] = np.inf
        judge_threshold(two, rows, settings, f, 0, 0.0, 0.0)


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


@njit(cache=True, nogil=True, inline="always")
def add_bounds(two, l, r, l_min, r_min):  # noqa: E741
    """Find the least bounds of both sides of each lane's threshold."""
    q = two.bounds.size - 1
    for k in range(two.at[NB]):
        a, b = l[k, q], r[k, q]
        for g in range(q):
            a = min(a, l[k, g])
            b = min(b, r[k, g])
        l_min[k] = a
        r_min[k] = b


@njit(cache=True, nogil=True, inline="always")
def begin_own(two, settings):
    """Prepare a second scan, for each threshold alone; False where it would find what is known, or closed."""
    l_min, r_min, own = two.l_min, two.r_min, max(settings.min_leaf - two.at[EXTRA], 1)
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


@njit(cache=True, nogil=True)
def must_count(settings):
    """Whether the scans must count rows, since their sums do not: without weights that of the squared error does."""
    return settings.kind <= CLASSES or not settings.unit


@njit(cache=True, nogil=True, inline="always")
def limit_scan(two, settings):
    """Tell the scans which splits they must pass over, so that no leaf has fewer rows than it must."""
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
        start, stop = two.batch_lane[b], two.batch_lane[b + 1]
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


@njit(cache=True, nogil=True)
def judge(two, rows, settings):
    """Judge the most promising threshold of those that were scanned, or go on with one; False when none can win.

    Also returns how many features were scanned for it.
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
    """Take the open intervals whose thresholds are scanned together, and spread the lanes over them; False if none is
    open.

    All of them if there is a lane for each; otherwise those with the least bounds, or, when room runs out, the
    narrowest.
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
        l_min, r_min = two.batch_l[b].min(), two.batch_r[b].min()
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
    order, val = rows.order[f], rows.val
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
    l_min, r_min = two.l_min, two.r_min
    target = two.num[BEST] - settings.margin
    start, stop = two.batch_lane[b], two.batch_lane[b + 1]
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
    # Where scans must count, they take half as long again: not worth it while bounds without limits close most passes.
    if settings.min_leaf > 1 and (not must_count(settings) or 4 * two.at[SECONDS] > two.at[PASSES]):
        limit_leaves(two, rows, settings)
    else:
        two.fewest[:] = 1
    limit_scan(two, settings)


@njit(cache=True, nogil=True)
def bound_two(two):
    """What every tree costs at least, as far as the search has come."""
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


@njit(cache=True, nogil=True)
def run_two(two, rows, settings, budget):
    """Go on with the search until it ends (True) or has scanned about `budget` rows (False)."""
    two, rows, settings = borrow(two), borrow(rows), borrow(settings)
    at = two.at
    n, q = at[N], settings.monotonic.size
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
        # Nor may they: a split that leaves all of these rows on one side has too few on the other.
        two.bounds[:q] = np.maximum(two.bounds[:q], two.left_out)
        return True
    for f in range(q):
        found = least if two.constant[f] else for_more_rows(two.left_out[f], least, settings.leaf_cost, 1)
        two.bounds[f] = max(two.bounds[f], found)
    return True
