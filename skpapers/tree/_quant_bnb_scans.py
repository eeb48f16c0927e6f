"""Optimal single splits on both sides of sixteen root thresholds at once: the inner loops of depth-two trees.

A scan walks through the rows in the order of a child feature g. For each of `LANES` root splits (f_k, t_k), of the same
root feature or not, it keeps the statistics of the rows seen so far that lie left of t_k; those right of it follow by
subtraction, or are kept beside them. `code[row]` is ``label << 16 | sides``, where bit k of `sides` says that the row
lies left of t_k. Every scan judges a split behind the last row of each value of g, marked by the lowest bit of `order`.

Where leaves of few rows are not allowed, the scans also count the rows, and pass over a split unless the number of rows
left of it lies strictly between two limits: `limits` holds both for the rows left of each t_k, then both for those
right of it. Without limits it is None, and numba compiles a scan that does not count.
"""

import numpy as np
from numba import njit

from skpapers.tree._quant_bnb_lanes import (
    LANES,
    above,
    both,
    choose,
    larger,
    load,
    minus,
    pick,
    plus,
    repeat,
    smaller,
    store,
    times,
)


@njit(cache=True, nogil=True)
def scan_two_classes(order, n, code, weighted, val, st, limits, left, right):
    """Weight of the heavier sides, less that of the lighter ones, after the best split on g."""
    number = st.dtype.type
    zero = number(0)
    a = repeat(zero)
    nothing = repeat(zero)
    a_max = a
    a_min = a
    b_max = a
    b_min = a
    total = zero
    n_a = repeat(np.int32(0))
    for i in range(n):
        o = order[i]
        row = o >> 1
        sides = np.int32(code[row])
        w = val[row, 0] if weighted else number(1)
        s = w if sides >> 16 else number(-w)
        total = number(total + s)
        a = plus(a, pick(sides, s))
        if limits is not None:
            n_a = plus(n_a, pick(sides, np.int32(1)))
        if o & 1:
            b = minus(repeat(total), a)
            x = a
            y = b
            if limits is not None:
                # No rows at all are a prefix, too, and its sum that of a leaf.
                x = choose(is_between(n_a, limits, 0), a, nothing)
                y = choose(is_between(minus(repeat(np.int32(i + 1)), n_a), limits, 2), b, nothing)
            a_max = larger(a_max, x)
            a_min = smaller(a_min, x)
            b_max = larger(b_max, y)
            b_min = smaller(b_min, y)
    # The best split ends the prefix P with the largest or the smallest sum: |P| + |S - P| = 2 P - S or S - 2 P there.
    b = minus(repeat(total), a)
    _keep(larger(minus(plus(a_max, a_max), a), minus(a, plus(a_min, a_min))), st, left)
    _keep(larger(minus(plus(b_max, b_max), b), minus(b, plus(b_min, b_min))), st, right)


@njit(cache=True, nogil=True)
def is_between(count, limits, first):
    """Where a count lies strictly between two limits."""
    return both(above(count, load(limits, first * LANES)), above(load(limits, (first + 1) * LANES), count))


@njit(cache=True, nogil=True)
def _keep(lanes, st, out):
    """Write lanes, of whatever type, into an array of numbers."""
    store(lanes, st, 0)
    for k in range(LANES):
        out[k] = st[k]


@njit(cache=True, nogil=True, error_model="numpy")
def scan_squared(order, n, code, val, total, least, limits, left, right):
    """Reduction of the squared error by the best split on g; `val` holds w and w y.

    `total` holds the sums of both left of each split, and in its last row over all rows. A split of a node (W, S)
    into (A, B) removes (S_A W - W_A S)^2 / (W_A W_B W); it counts if W_A W_B is above the number in `least` for its
    side and lane. Fractions are compared by cross-multiplication: sixteen multiplications cost less than a division.
    """
    sums = np.empty((4, LANES))
    for k in range(LANES):
        for j in range(2):
            sums[j, k] = total[k, j]
            sums[2 + j, k] = total[LANES, j] - total[k, j]
    left_w = load(sums[0], 0)
    left_s = load(sums[1], 0)
    right_w = load(sums[2], 0)
    right_s = load(sums[3], 0)
    left_least = load(least[0], 0)
    right_least = load(least[1], 0)
    wa = repeat(0.0)
    sa = repeat(0.0)
    left_num = repeat(0.0)
    right_num = repeat(0.0)
    left_den = repeat(1.0)
    right_den = repeat(1.0)
    W = 0.0
    S = 0.0
    n_a = repeat(np.int32(0))
    for i in range(n):
        o = order[i]
        row = o >> 1
        sides = np.int32(code[row])
        if limits is not None:
            n_a = plus(n_a, pick(sides, np.int32(1)))
        w = np.float64(val[row, 0])  # this is compiled for the whole numbers of classes, too
        s = np.float64(val[row, 1])
        W += w
        S += s
        wa = plus(wa, pick(sides, w))
        sa = plus(sa, pick(sides, s))
        if o & 1:
            root = minus(times(sa, left_w), times(wa, left_s))
            num = times(root, root)
            den = times(wa, minus(left_w, wa))
            better = both(above(den, left_least), above(times(num, left_den), times(left_num, den)))
            if limits is not None:
                better = both(better, is_between(n_a, limits, 0))
            left_num = choose(better, num, left_num)
            left_den = choose(better, den, left_den)
            wb = minus(repeat(W), wa)
            sb = minus(repeat(S), sa)
            root = minus(times(sb, right_w), times(wb, right_s))
            num = times(root, root)
            den = times(wb, minus(right_w, wb))
            better = both(above(den, right_least), above(times(num, right_den), times(right_num, den)))
            if limits is not None:
                better = both(better, is_between(minus(repeat(np.int32(i + 1)), n_a), limits, 2))
            right_num = choose(better, num, right_num)
            right_den = choose(better, den, right_den)
    store(left_num, left, 0)
    store(right_num, right, 0)
    store(times(left_den, left_w), sums[0], 0)
    store(times(right_den, right_w), sums[2], 0)
    for k in range(LANES):
        left[k] = left[k] / sums[0, k] if total[k, 0] > 0.0 else 0.0
        right[k] = right[k] / sums[2, k] if total[LANES, 0] > total[k, 0] else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def scan_squared_multi(order, n, code, val, total, least, limits, left, right):
    """The same for several outputs, summed: `val` and `total` hold w and w y_1, ..., w y_m."""
    m = val.shape[1] - 1
    sums = np.zeros(LANES * (m + 1))  # of the rows so far that lie left
    left_sums = np.empty(LANES * (m + 1))
    right_sums = np.empty(LANES * (m + 1))
    run = np.zeros(m + 1)
    for k in range(LANES):
        for j in range(m + 1):
            left_sums[j * LANES + k] = total[k, j]
            right_sums[j * LANES + k] = total[LANES, j] - total[k, j]
    left_w = load(left_sums, 0)
    right_w = load(right_sums, 0)
    left_least = load(least[0], 0)
    right_least = load(least[1], 0)
    wa = repeat(0.0)
    left_num = repeat(0.0)
    right_num = repeat(0.0)
    left_den = repeat(1.0)
    right_den = repeat(1.0)
    n_a = repeat(np.int32(0))
    for i in range(n):
        o = order[i]
        row = o >> 1
        sides = np.int32(code[row])
        if limits is not None:
            n_a = plus(n_a, pick(sides, np.int32(1)))
        w = np.float64(val[row, 0])
        run[0] += w
        wa = plus(wa, pick(sides, w))
        for j in range(1, m + 1):
            s = np.float64(val[row, j])
            run[j] += s
            store(plus(load(sums, j * LANES), pick(sides, s)), sums, j * LANES)
        if o & 1:
            wb = minus(repeat(run[0]), wa)
            num = repeat(0.0)
            other = repeat(0.0)
            for j in range(1, m + 1):
                sa = load(sums, j * LANES)
                root = minus(times(sa, left_w), times(wa, load(left_sums, j * LANES)))
                num = plus(num, times(root, root))
                sb = minus(repeat(run[j]), sa)
                root = minus(times(sb, right_w), times(wb, load(right_sums, j * LANES)))
                other = plus(other, times(root, root))
            den = times(wa, minus(left_w, wa))
            better = both(above(den, left_least), above(times(num, left_den), times(left_num, den)))
            if limits is not None:
                better = both(better, is_between(n_a, limits, 0))
            left_num = choose(better, num, left_num)
            left_den = choose(better, den, left_den)
            den = times(wb, minus(right_w, wb))
            better = both(above(den, right_least), above(times(other, right_den), times(right_num, den)))
            if limits is not None:
                better = both(better, is_between(minus(repeat(np.int32(i + 1)), n_a), limits, 2))
            right_num = choose(better, other, right_num)
            right_den = choose(better, den, right_den)
    store(left_num, left, 0)
    store(right_num, right, 0)
    store(times(left_den, left_w), sums, 0)
    store(times(right_den, right_w), right_sums, 0)
    for k in range(LANES):
        left[k] = left[k] / sums[k] if total[k, 0] > 0.0 else 0.0
        right[k] = right[k] / right_sums[k] if total[LANES, 0] > total[k, 0] else 0.0


@njit(cache=True, nogil=True)
def scan_classes(order, n, code, weighted, val, st, counts, heaviest, limits, left, right):
    """Weight of the heaviest classes of both sides after the best split on g, for any number of classes.

    The heaviest class of a growing set changes with the class of the new row alone, so that a pass from the front and
    one from the back find both sides' heaviest classes in a time that does not depend on the number of classes.
    `counts` (2 LANES for each class) and `heaviest` (2 LANES for each row) are working space.
    """
    number = st.dtype.type
    counts[:] = 0
    left_top = repeat(number(0))
    right_top = repeat(number(0))
    m = 0
    for i in range(n):
        o = order[i]
        c = code[o >> 1]
        w = val[o >> 1, 0] if weighted else number(1)
        mine = np.int64(c >> 16) * 2 * LANES
        sides = np.int32(c & 0xFFFF)
        count = plus(load(counts, mine), pick(sides, w))
        store(count, counts, mine)
        left_top = larger(left_top, count)
        count = plus(load(counts, mine + LANES), pick(~sides, w))
        store(count, counts, mine + LANES)
        right_top = larger(right_top, count)
        if o & 1:
            store(left_top, heaviest, m)
            store(right_top, heaviest, m + LANES)
            m += 2 * LANES
    counts[:] = 0
    left_best = left_top
    right_best = right_top
    left_top = repeat(number(0))
    right_top = repeat(number(0))
    n_a = repeat(np.int32(0))  # here of the rows behind the split
    for i in range(n - 1, -1, -1):
        o = order[i]
        if o & 1:
            m -= 2 * LANES
            x = plus(left_top, load(heaviest, m))
            y = plus(right_top, load(heaviest, m + LANES))
            if limits is not None:
                x = choose(is_between(n_a, limits, 0), x, left_best)
                y = choose(is_between(minus(repeat(np.int32(n - 1 - i)), n_a), limits, 2), y, right_best)
            left_best = larger(left_best, x)
            right_best = larger(right_best, y)
        c = code[o >> 1]
        w = val[o >> 1, 0] if weighted else number(1)
        mine = np.int64(c >> 16) * 2 * LANES
        sides = np.int32(c & 0xFFFF)
        if limits is not None:
            n_a = plus(n_a, pick(sides, np.int32(1)))
        count = plus(load(counts, mine), pick(sides, w))
        store(count, counts, mine)
        left_top = larger(left_top, count)
        count = plus(load(counts, mine + LANES), pick(~sides, w))
        store(count, counts, mine + LANES)
        right_top = larger(right_top, count)
    _keep(left_best, st, left)
    _keep(right_best, st, right)
