"""Optimal single splits on both sides of sixteen root thresholds at once: the inner loops of depth-two trees.

A scan walks through the rows in the order of a child feature g. For each of `LANES` root splits (f_k, t_k), of the same
root feature or not, it keeps the statistics of the rows seen so far that lie left of t_k; those right of it follow by
subtraction, or are kept beside them. `code[row]` is ``label << 16 | sides``, where bit k of `sides` says that the row
lies left of t_k. Every scan judges a split behind the last row of each value of g, marked by the lowest bit of `order`.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

LANES = 16
# Kinds of loss.
TWO_CLASSES, CLASSES, SQUARED, SQUARED_MULTI = 0, 1, 2, 3


@njit(cache=True, nogil=True)
def scan_two_classes(order, n, code, weighted, val, st, left, right):
    """Weight of the heavier sides, less that of the lighter ones, after the best split on g.

    `st` is one array with constant offsets: only then does the compiler know that its parts do not overlap.
    """
    number = st.dtype.type
    zero = number(0)
    for k in range(5 * LANES):
        st[k] = zero
    total = zero
    for i in range(n):
        o = order[i]
        row = o >> 1
        sides = np.int32(code[row])
        w = val[row, 0] if weighted else number(1)
        s = w if sides >> 16 else number(-w)
        total = number(total + s)
        if o & 1:
            for k in range(LANES):
                a = number(st[k] + s * ((sides >> k) & 1))
                st[k] = a
                st[LANES + k] = max(st[LANES + k], a)
                st[2 * LANES + k] = min(st[2 * LANES + k], a)
                b = number(total - a)
                st[3 * LANES + k] = max(st[3 * LANES + k], b)
                st[4 * LANES + k] = min(st[4 * LANES + k], b)
        else:
            for k in range(LANES):
                st[k] = number(st[k] + s * ((sides >> k) & 1))
    # The best split ends the prefix P with the largest or the smallest sum: |P| + |S - P| = 2 P - S or S - 2 P there.
    for k in range(LANES):
        a = st[k]
        left[k] = max(2 * st[LANES + k] - a, a - 2 * st[2 * LANES + k])
        b = total - a
        right[k] = max(2 * st[3 * LANES + k] - b, b - 2 * st[4 * LANES + k])


@njit(cache=True, nogil=True, error_model="numpy")
def scan_squared(order, n, code, val, st, total, left, right):
    """Reduction of the squared error by the best split on g; `val` holds w and w y.

    `total` holds the sums of both left of each split, and in its last row over all rows. A split of a node (W, S)
    into (A, B) removes (S_A W - W_A S)^2 / (W_A W_B W). Fractions are compared by cross-multiplication: sixteen
    multiplications cost less than a division.
    """
    for k in range(LANES):
        st[k] = 0.0
        st[LANES + k] = 0.0
        st[2 * LANES + k] = 0.0
        st[3 * LANES + k] = 1.0
        st[4 * LANES + k] = 0.0
        st[5 * LANES + k] = 1.0
        st[6 * LANES + k] = total[k, 0]
        st[7 * LANES + k] = total[k, 1]
        st[8 * LANES + k] = total[LANES, 0] - total[k, 0]
        st[9 * LANES + k] = total[LANES, 1] - total[k, 1]
        # A side whose weight is rounding error is empty.
        st[10 * LANES + k] = 1e-13 * st[6 * LANES + k] ** 2
        st[11 * LANES + k] = 1e-13 * st[8 * LANES + k] ** 2
    W = 0.0
    S = 0.0
    for i in range(n):
        o = order[i]
        row = o >> 1
        sides = np.int64(code[row])
        w = val[row, 0]
        s = val[row, 1]
        W += w
        S += s
        if o & 1:
            for k in range(LANES):
                wa = st[k] + (w if (sides >> k) & 1 else 0.0)
                sa = st[LANES + k] + (s if (sides >> k) & 1 else 0.0)
                st[k] = wa
                st[LANES + k] = sa
                num = sa * st[6 * LANES + k] - wa * st[7 * LANES + k]
                num *= num
                den = wa * (st[6 * LANES + k] - wa)
                better = (den > st[10 * LANES + k]) & (num * st[3 * LANES + k] > st[2 * LANES + k] * den)
                st[2 * LANES + k] = num if better else st[2 * LANES + k]
                st[3 * LANES + k] = den if better else st[3 * LANES + k]
                wa = W - wa
                sa = S - sa
                num = sa * st[8 * LANES + k] - wa * st[9 * LANES + k]
                num *= num
                den = wa * (st[8 * LANES + k] - wa)
                better = (den > st[11 * LANES + k]) & (num * st[5 * LANES + k] > st[4 * LANES + k] * den)
                st[4 * LANES + k] = num if better else st[4 * LANES + k]
                st[5 * LANES + k] = den if better else st[5 * LANES + k]
        else:
            for k in range(LANES):
                st[k] += w if (sides >> k) & 1 else 0.0
                st[LANES + k] += s if (sides >> k) & 1 else 0.0
    for k in range(LANES):
        left[k] = st[2 * LANES + k] / (st[3 * LANES + k] * st[6 * LANES + k]) if st[6 * LANES + k] > 0.0 else 0.0
        right[k] = st[4 * LANES + k] / (st[5 * LANES + k] * st[8 * LANES + k]) if st[8 * LANES + k] > 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def scan_squared_multi(order, n, code, val, st, total, left, right):
    """The same for several outputs, summed: `val` and `total` hold w and w y_1, ..., w y_m."""
    m = val.shape[1] - 1
    sums = st[: (m + 1) * LANES].reshape(m + 1, LANES)
    sums[:] = 0.0
    run = np.zeros(m + 1)
    best_left = np.zeros(LANES)
    best_right = np.zeros(LANES)
    a = np.empty(LANES)
    b = np.empty(LANES)
    for i in range(n):
        o = order[i]
        row = o >> 1
        sides = np.int64(code[row])
        for j in range(m + 1):
            s = val[row, j]
            run[j] += s
            for k in range(LANES):
                sums[j, k] += s if (sides >> k) & 1 else 0.0
        if o & 1:
            a[:] = 0.0
            b[:] = 0.0
            for j in range(1, m + 1):
                for k in range(LANES):
                    d = sums[j, k] * total[k, 0] - sums[0, k] * total[k, j]
                    a[k] += d * d
                    wt = total[LANES, 0] - total[k, 0]
                    d = (run[j] - sums[j, k]) * wt - (run[0] - sums[0, k]) * (total[LANES, j] - total[k, j])
                    b[k] += d * d
            for k in range(LANES):
                wt = total[k, 0]
                den = sums[0, k] * (wt - sums[0, k]) * wt
                if den > 1e-13 * wt**3 and a[k] > best_left[k] * den:
                    best_left[k] = a[k] / den
                wt = total[LANES, 0] - total[k, 0]
                w = run[0] - sums[0, k]
                den = w * (wt - w) * wt
                if den > 1e-13 * wt**3 and b[k] > best_right[k] * den:
                    best_right[k] = b[k] / den
    for k in range(LANES):
        left[k] = best_left[k]
        right[k] = best_right[k]


class _Vectors:
    """LANES neighbours in an array at once, in LLVM's words: its own vectoriser gives up where a class is an offset."""

    def __init__(self, context, builder, number):
        self.context, self.builder = context, builder
        self.integer = isinstance(number, types.Integer)
        self.align = number.bitwidth // 8
        self.type = ir.VectorType(context.get_data_type(number), LANES)

    def at(self, array_type, array, start, shift):
        data = self.context.make_array(array_type)(self.context, self.builder, array).data
        place = self.builder.add(start, ir.Constant(ir.IntType(64), shift))
        return self.builder.bitcast(self.builder.gep(data, [place]), self.type.as_pointer())

    def load(self, pointer):
        return self.builder.load(pointer, align=self.align)

    def store(self, value, pointer):
        self.builder.store(value, pointer, align=self.align)

    def add(self, a, b):
        return self.builder.add(a, b) if self.integer else self.builder.fadd(a, b)

    def max(self, a, b):
        compare = self.builder.icmp_signed if self.integer else self.builder.fcmp_ordered
        return self.builder.select(compare(">", a, b), a, b)

    def repeat(self, value, vector_type):
        blank = ir.Constant(vector_type, ir.Undefined)
        first = self.builder.insert_element(blank, value, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(first, blank, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


ZERO = ir.Constant(ir.IntType(64), 0)


@intrinsic
def _count_row(typingctx, counts, start, peaks, sides, weight):
    """counts[start:] += weight, in the left half where bit k of sides is set, else in the right; peaks keep maxima."""

    def codegen(context, builder, signature, args):
        v = _Vectors(context, builder, counts.dtype)
        lanes = ir.VectorType(ir.IntType(32), LANES)
        bits = builder.and_(v.repeat(args[3], lanes), ir.Constant(lanes, [1 << k for k in range(LANES)]))
        is_left = builder.icmp_signed("!=", bits, ir.Constant(lanes, [0] * LANES))
        weights, nothing = v.repeat(args[4], v.type), ir.Constant(v.type, [0] * LANES)
        steps = builder.select(is_left, weights, nothing), builder.select(is_left, nothing, weights)
        for half, step in enumerate(steps):
            cell = v.at(signature.args[0], args[0], args[1], half * LANES)
            peak = v.at(signature.args[2], args[2], ZERO, half * LANES)
            value = v.add(v.load(cell), step)
            v.store(value, cell)
            v.store(v.max(value, v.load(peak)), peak)
        return context.get_dummy_value()

    return types.void(counts, types.int64, peaks, types.int32, counts.dtype), codegen


@intrinsic
def _keep_row(typingctx, peaks, heaviest, start):
    """heaviest[start:] = peaks."""

    def codegen(context, builder, signature, args):
        v = _Vectors(context, builder, peaks.dtype)
        for half in range(2):
            value = v.load(v.at(signature.args[0], args[0], ZERO, half * LANES))
            v.store(value, v.at(signature.args[1], args[1], args[2], half * LANES))
        return context.get_dummy_value()

    return types.void(peaks, heaviest, types.int64), codegen


@intrinsic
def _judge_row(typingctx, peaks, heaviest, start):
    """best = max(best, peaks + heaviest[start:]); best stands behind the peaks."""

    def codegen(context, builder, signature, args):
        v = _Vectors(context, builder, peaks.dtype)
        for half in range(2):
            mine = v.load(v.at(signature.args[0], args[0], ZERO, half * LANES))
            other = v.load(v.at(signature.args[1], args[1], args[2], half * LANES))
            best = v.at(signature.args[0], args[0], ZERO, (2 + half) * LANES)
            v.store(v.max(v.add(mine, other), v.load(best)), best)
        return context.get_dummy_value()

    return types.void(peaks, heaviest, types.int64), codegen


@njit(cache=True, nogil=True)
def scan_classes(order, n, code, weighted, val, st, counts, heaviest, left, right):
    """Weight of the heaviest classes of both sides after the best split on g, for any number of classes.

    The heaviest class of a growing set changes with the class of the new row alone, so that a pass from the front and
    one from the back find both sides' heaviest classes in a time that does not depend on the number of classes.
    `counts` (2 LANES for each class) and `heaviest` (2 LANES for each row) are working space.
    """
    number = st.dtype.type
    # mypy counts the typing context of an intrinsic among its arguments.
    counts[:] = 0
    st[: 4 * LANES] = 0
    m = 0
    for i in range(n):
        o = order[i]
        c = code[o >> 1]
        w = val[o >> 1, 0] if weighted else number(1)
        _count_row(counts, np.int64(c >> 16) * 2 * LANES, st, np.int32(c & 0xFFFF), w)  # type: ignore[call-arg]
        if o & 1:
            _keep_row(st, heaviest, m * 2 * LANES)
            m += 1
    counts[:] = 0
    st[: 2 * LANES] = 0
    for i in range(n - 1, -1, -1):
        o = order[i]
        if o & 1:
            m -= 1
            _judge_row(st, heaviest, m * 2 * LANES)  # type: ignore[call-arg]
        c = code[o >> 1]
        w = val[o >> 1, 0] if weighted else number(1)
        _count_row(counts, np.int64(c >> 16) * 2 * LANES, st, np.int32(c & 0xFFFF), w)  # type: ignore[call-arg]
    for k in range(LANES):
        left[k] = st[2 * LANES + k]
        right[k] = st[3 * LANES + k]
