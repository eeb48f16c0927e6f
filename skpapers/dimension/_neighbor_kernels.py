"""Compiled loops of the neighbour search: candidates from products, exact distances, and a hash of rows.

`collect` and `refine` are compiled for float32 and for float64, since data is not copied to another type.
"""

import numpy as np
from numba import njit

# Products that are compared with their thresholds before any of them is looked at: a few vector registers.
LANES = 32
# Sums of squares outside this range are computed again from scaled differences.
SMALLEST = 1e-290
LARGEST = 1e290


@njit(cache=True, nogil=True)
def comes_before(value, place, other_value, other_place):
    """Return whether a candidate comes before another one in a list."""
    return value < other_value or (value == other_value and place < other_place)


@njit(cache=True, nogil=True)
def insert(values, places, i, value, place):
    """Insert a candidate into row i of the lists, which are ascending; the last entry drops out.

    Equal values are in the order of their places, so that the order of the search does not matter.
    """
    entry = values.shape[1] - 1
    while entry > 0 and comes_before(value, place, values[i, entry - 1], places[i, entry - 1]):
        values[i, entry] = values[i, entry - 1]
        places[i, entry] = places[i, entry - 1]
        entry -= 1
    values[i, entry] = value
    places[i, entry] = place


@njit(cache=True, nogil=True)
def collect(G, h_rows, h_columns, start_row, start_column, values, places, both):
    """Enter a tile of products into the lists of its rows, and with `both` into those of its columns.

    The value of the pair (x, y) in the list of x is ``|y|^2 / 2 - x.y``, which orders the rows y by their distance from
    x. A tile off the diagonal of the symmetric search serves the lists of its rows and of its columns.
    """
    n_rows, n_columns = G.shape
    limits = np.full(n_columns, -np.inf, G.dtype)
    if both:
        limits[:] = values[start_column : start_column + n_columns, -1]
    for i in range(n_rows):
        limit = values[start_row + i, -1]
        h = h_rows[i]
        for start in range(0, n_columns, LANES):
            stop = min(start + LANES, n_columns)
            hits = np.int32(0)
            for j in range(start, stop):
                hits += np.int32((h_columns[j] - G[i, j] < limit) | (h - G[i, j] < limits[j]))
            if hits == 0:
                continue
            for j in range(start, stop):
                value = h_columns[j] - G[i, j]
                if value < limit:
                    insert(values, places, start_row + i, value, start_column + j)
                    limit = values[start_row + i, -1]
                value = h - G[i, j]
                if value < limits[j]:
                    insert(values, places, start_column + j, value, start_row + i)
                    limits[j] = values[start_column + j, -1]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def squared_distance(x, y):
    """Return the sum of squared differences in float64, in an order that depends on the number of columns alone."""
    total = 0.0
    for c in range(x.shape[0]):
        difference = np.float64(x[c]) - np.float64(y[c])
        total += difference * difference
    return total


@njit(cache=True, nogil=True)
def distance(x, y):
    """Return the distance of two rows. It is positive for rows that differ, however close or far they are."""
    total = squared_distance(x, y)
    if SMALLEST < total < LARGEST:
        return np.sqrt(total)
    largest = 0.0
    for c in range(x.shape[0]):
        largest = max(largest, abs(np.float64(x[c]) - np.float64(y[c])))
    if largest == 0.0 or np.isinf(largest):
        return largest
    total = 0.0
    for c in range(x.shape[0]):
        ratio = (np.float64(x[c]) - np.float64(y[c])) / largest
        total += ratio * ratio
    return largest * np.sqrt(total)


@njit(cache=True, nogil=True)
def least_distance(norm, value, farthest, d, u, tiny):
    """Return (2) of `_neighbors.py`: no row of this value that is closer than `farthest` is closer than this.

    Numbers below the smallest normal one, `tiny`, may be lost; they enter as an absolute error.
    """
    norm += np.sqrt(d * tiny)
    reach = 2.0 * norm + farthest
    rounding = (d + 8) * (u * reach * reach + tiny)
    squared = norm * norm + 2.0 * value - rounding
    return np.sqrt(max(squared, 0.0)) - 2.0 * u * reach - np.sqrt(d * tiny)


@njit(cache=True, nogil=True)
def refine(Q, X, norms, values, candidates, scale, u, tiny, distances, places):
    """Write the K nearest candidates of each row of Q by their exact distances, and return which rows are proven.

    `values` are ascending and of rows that were multiplied by `scale`, as `norms` are. Candidates that cannot be among
    the K nearest are passed over.
    """
    K = distances.shape[1]
    proven = np.ones(len(Q), np.bool_)
    d = float(X.shape[1])
    for i in range(len(Q)):
        distances[i] = np.inf
        places[i] = len(X)
        for entry in range(candidates.shape[1]):
            worst = distances[i, -1] * scale
            if entry >= K and least_distance(norms[i], float(values[i, entry]), worst, d, u, tiny) > worst:
                break
            place = candidates[i, entry]
            found = distance(Q[i], X[place])
            if comes_before(found, place, distances[i, -1], places[i, -1]):
                insert(distances, places, i, found, place)
        if candidates.shape[1] < len(X):
            worst = distances[i, -1] * scale
            # not >=: a row at the same distance may have an earlier place
            proven[i] = least_distance(norms[i], float(values[i, -1]), worst, d, u, tiny) > worst
    return proven


@njit(cache=True, nogil=True)
def largest_value(norm, farthest, d, u, tiny):
    """Return the value above which `least_distance` exceeds `farthest`."""
    norm += np.sqrt(d * tiny)
    reach = 2.0 * norm + farthest
    rounding = (d + 8) * (u * reach * reach + tiny)
    least = farthest + 2.0 * u * reach + np.sqrt(d * tiny)
    return 0.5 * (least * least - norm * norm) + rounding


@njit(cache=True, nogil=True)
def complete(Q, X, start, G, h, limits, distances, places):
    """Enter all rows of a block whose values are within the limits into the lists, by their exact distances.

    `G` are the products of Q with the rows of X from `start`, and `h` half of the squared lengths of the latter.
    """
    for i in range(G.shape[0]):
        for j in range(G.shape[1]):
            if h[j] - G[i, j] <= limits[i]:
                found = distance(Q[i], X[start + j])
                if comes_before(found, start + j, distances[i, -1], places[i, -1]):
                    insert(distances, places, i, found, start + j)


@njit(cache=True, nogil=True)
def all_distances(Q, X, K):
    """Return the K smallest distances of each row of Q from the rows of X, and their places, without any shortcut."""
    values = np.full((Q.shape[0], K), np.inf)
    places = np.zeros((Q.shape[0], K), np.int64)
    for i in range(Q.shape[0]):
        for j in range(X.shape[0]):
            found = distance(Q[i], X[j])
            if found < values[i, -1]:
                insert(values, places, i, found, j)
    return values, places


@njit(cache=True, nogil=True)
def mixed(bits, column):
    """Return a 64-bit hash of one number and its column (the finaliser of splitmix64)."""
    z = np.uint64(bits) + (np.uint64(column) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True)
def hash_rows(bits, zeros):
    """Return a hash of each dense row. `zeros` are the bits of 0 and -0, which count as equal."""
    found = np.zeros(bits.shape[0], np.uint64)
    for i in range(bits.shape[0]):
        total = np.uint64(0)
        for j in range(bits.shape[1]):
            if bits[i, j] != zeros[0] and bits[i, j] != zeros[1]:
                total += mixed(bits[i, j], j)
        found[i] = total
    return found


@njit(cache=True, nogil=True)
def hash_sparse_rows(bits, indices, indptr, zeros):
    """Return the hash of each row of a CSR matrix: that of the dense row."""
    found = np.zeros(indptr.shape[0] - 1, np.uint64)
    for i in range(found.shape[0]):
        total = np.uint64(0)
        for entry in range(indptr[i], indptr[i + 1]):
            if bits[entry] != zeros[0] and bits[entry] != zeros[1]:
                total += mixed(bits[entry], indices[entry])
        found[i] = total
    return found
