"""Products with the operator A = [D_1 X, ..., D_P X] that never form it.

A pattern D_i is a column of bits, eight rows a byte. For every eight rows the 256 partial sums are tabled once, and
each pattern adds the entry of its byte (the "Four Russians"): n P k / 8 additions for k columns. With pairs of
patterns, D_i D_j, the same kernel gives the Gram matrix of A.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bits = NDArray[np.uint8]
LANES = 8  # columns at once
DENSE_CELLS = 1 << 23  # of patterns as floats that are kept between products: 64 MB


@njit(cache=True, nogil=True)
def _pattern_sums(B, first, second, L, M, left, right, out):
    n = L.shape[0]
    table = np.zeros((4, 256, LANES))
    rows = np.empty((8, LANES))
    total = np.empty((first.size, LANES))
    for start in range(0, left.size, LANES):
        width = min(LANES, left.size - start)
        total[:] = 0.0
        rows[:] = 0.0
        for block in range(0, B.shape[0], 4):
            for q in range(4):
                begin = 8 * (block + q)
                for r in range(8):
                    if begin + r < n:
                        for j in range(width):
                            rows[r, j] = L[begin + r, left[start + j]] * M[begin + r, right[start + j]]
                    else:
                        for j in range(width):
                            rows[r, j] = 0.0
                for r in range(8):
                    half = 1 << r
                    for code in range(half):
                        for j in range(LANES):
                            table[q, half + code, j] = table[q, code, j] + rows[r, j]
            for i in range(first.size):
                a = first[i]
                b = second[i]
                b0 = B[block, a] & B[block, b]
                b1 = B[block + 1, a] & B[block + 1, b]
                b2 = B[block + 2, a] & B[block + 2, b]
                b3 = B[block + 3, a] & B[block + 3, b]
                for j in range(LANES):
                    total[i, j] += (table[0, b0, j] + table[1, b1, j]) + (table[2, b2, j] + table[3, b3, j])
        for i in range(first.size):
            for j in range(width):
                out[i, start + j] = total[i, j]


def pack(D: NDArray[np.bool_]) -> Bits:
    """Return the bits of patterns of shape (n, P), eight rows a byte and a multiple of 32 rows, as (n / 8, P)."""
    padding = -len(D) % 32
    return np.packbits(np.pad(D, ((0, padding), (0, 0))), axis=0, bitorder="little")


def unpack(B: Bits, n: int) -> NDArray[np.uint8]:
    """Return the zeros and ones of shape (n, P) that `pack` took."""
    return np.unpackbits(B, axis=0, count=n, bitorder="little")


def adjoint(B: Bits, X: Array, U: Array) -> Array:
    """Return A' U as an array of shape (P, d, c): X' D_i U for every pattern."""
    d = X.shape[1]
    c = U.shape[1]
    P = B.shape[1]
    left = np.repeat(np.arange(d), c)
    right = np.tile(np.arange(c), d)
    if P < 160:  # fewer than pay for the tables
        return _adjoint_by_blas(B, X, U).reshape(P, d, c)
    out = np.empty((P, d * c))
    every = np.arange(P)
    _pattern_sums(B, every, every, X, np.ascontiguousarray(U), left, right, out)
    return out.reshape(P, d, c)


def _adjoint_by_blas(B: Bits, X: Array, U: Array) -> Array:
    out = np.zeros((B.shape[1], X.shape[1] * U.shape[1]))
    for rows, D in chunks(B, len(X)):
        out += D.T @ (X[rows, :, np.newaxis] * U[rows, np.newaxis, :]).reshape(len(D), -1)
    return out


def chunks(B: Bits, n: int, cells: int = 1 << 20):
    """Yield slices of rows and their zeros and ones as floats, about `cells` of them at a time."""
    step = max(1, cells // (32 * max(1, B.shape[1]))) * 4
    for block in range(0, B.shape[0], step):
        rows = slice(8 * block, min(8 * (block + step), n))
        if rows.start < n:
            yield rows, unpack(B[block : block + step], rows.stop - rows.start).astype(np.float64)


def forward(B: Bits, X: Array, W: Array) -> Array:
    """Return A W = sum_i D_i X W_i of shape (n, c), for W of shape (P, d, c)."""
    P, d, c = W.shape
    Z = np.zeros((len(X), c))
    if P:
        flat = np.ascontiguousarray(W).reshape(P, d * c)
        for rows, D in chunks(B, len(X)):
            Z[rows] = np.einsum("nd,ndc->nc", X[rows], (D @ flat).reshape(-1, d, c))
    return Z


class Operator:
    """A and its adjoint for few patterns: A W = rowsum(X * (D W)), A'U = D'(X * U) with D of zeros and ones."""

    def __init__(self, B: NDArray[np.uint8], X: Array) -> None:
        self.B = B
        self.X = X
        self.kept = list(chunks(B, len(X))) if B.shape[1] * len(X) <= DENSE_CELLS else None

    def zeros_and_ones(self) -> Array:
        """Return D, of shape (n, S)."""
        return np.concatenate([D for _, D in self.parts()])

    def parts(self):
        return chunks(self.B, len(self.X)) if self.kept is None else self.kept

    def forward(self, W: Array) -> Array:
        S, d, c = W.shape
        Z = np.empty((len(self.X), c))
        flat = W.reshape(S, d * c)
        for rows, D in self.parts():
            Z[rows] = np.einsum("nd,ndc->nc", self.X[rows], (D @ flat).reshape(-1, d, c))
        return Z

    def adjoint(self, U: Array) -> Array:
        d = self.X.shape[1]
        c = U.shape[1]
        S = self.B.shape[1]
        A = np.zeros((S, d * c))
        for rows, D in self.parts():
            A += D.T @ (self.X[rows, :, np.newaxis] * U[rows, np.newaxis, :]).reshape(len(D), -1)
        return A.reshape(S, d, c)


def blocks(B: Bits, X: Array, weight: Array) -> Array:
    """Return X' D_i diag(weight) X for every pattern, of shape (P, d, d)."""
    d = X.shape[1]
    every = np.arange(B.shape[1])
    left, right = np.triu_indices(d)
    out = np.empty((every.size, left.size))
    full = np.empty((every.size, d, d))
    _pattern_sums(B, every, every, X, weight[:, np.newaxis] * X, left, right, out)
    full[:, left, right] = out
    full[:, right, left] = out
    return full


def gram(B: Bits, X: Array, weight: Array, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Array:
    """Return X' D_i diag(weight) D_j X for i in `rows`, j in `columns`, of shape (rows, columns, d, d)."""
    d = X.shape[1]
    left, right = np.triu_indices(d)
    # D_i D_j is the same pattern in either order
    grid = np.stack(np.broadcast_arrays(rows[:, np.newaxis], columns[np.newaxis, :])).reshape(2, -1)
    low = grid.min(axis=0)
    high = grid.max(axis=0)
    pairs, where = np.unique(low * B.shape[1] + high, return_inverse=True)
    first, second = np.divmod(pairs, B.shape[1])
    out = np.empty((pairs.size, left.size))
    _pattern_sums(B, first, second, X, weight[:, np.newaxis] * X, left, right, out)
    full = np.empty((pairs.size, d, d))
    full[:, left, right] = out
    full[:, right, left] = out
    return full[where].reshape(rows.size, columns.size, d, d)
