"""Layout of a search for a tree of depth two: its state and working space, all in arrays, and the names of the numbers.

The search stops when its budget is spent and goes on when it is called again, so nothing is kept in local variables.
"""

from typing import NamedTuple

import numpy as np

from skpapers.tree._quant_bnb_lanes import LANES
from skpapers.tree._quant_bnb_losses import CLASSES


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

CHOOSE, SCAN, JUDGE, DONE = range(4)

# Numbers of the machine: best cost so far (the cutoff at first), its secondary cost, bounds on leaf values, least and
# largest leaf value of the best tree, largest value allowed on the lower side of the monotonic threshold in hand.
BEST, SECOND, LOW, HIGH, TREE_LOW, TREE_HIGH, CAP = range(7)

SECONDS = 17

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
