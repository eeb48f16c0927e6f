"""Layout of a search for a tree of depth two: its state and working space, all in arrays, and the names of the numbers.

A search returns when its budget is spent and goes on when it is called again, so its state is kept here.
"""

from typing import NamedTuple

import numpy as np

from skpapers.tree._quant_bnb_lanes import LANES
from skpapers.tree._quant_bnb_losses import CLASSES


class Two(NamedTuple):
    """State and working space of one search for a tree of depth two."""

    at: np.ndarray  # integers, by the indices below
    num: np.ndarray  # numbers, by the indices below
    code: np.ndarray  # of each row: label and the sides of the thresholds it lies on
    st: np.ndarray
    counts: np.ndarray
    heaviest: np.ndarray
    out: np.ndarray
    l: np.ndarray  # noqa: E741  (LANES, q + 1): bounds left of each threshold, by child feature; the last is a leaf's
    r: np.ndarray  # the same right of it
    l_min: np.ndarray
    r_min: np.ndarray
    own_l: np.ndarray  # bounds of each lane's threshold alone, where l and r hold for its neighbours, too
    own_r: np.ndarray
    own_l_min: np.ndarray
    own_r_min: np.ndarray
    fewest: np.ndarray  # (2, LANES): fewest rows of a leaf left and right of each lane's split
    limits: np.ndarray  # between which the scans' counts of rows must lie
    least: np.ndarray  # (2, LANES): which the product of the weights of both sides of a child split must exceed
    pos: np.ndarray  # of each lane's threshold in the order of its feature
    total: np.ndarray  # statistics left of each threshold, and in the last row those of all rows
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


# Indices of `Two.at`, the integers of a search.
N = 0  # number of rows
PHASE = 1  # one of the phases below
G = 2  # child feature to be scanned next
NB = 3  # lanes in use
OPEN = 4  # open intervals
BATCH = 5  # intervals in the batch
FOUND = 6  # whether there is a tree
ROOT = 7  # root feature of the best tree if its branches are not written down yet, else -1
SPLIT = 8  # position of that root's threshold
LIMIT = 9  # most passes
PASSES = 10  # passes so far
WORK = 11  # rows scanned
EXPLORED = 12  # thresholds judged
K = 13  # lane being judged, or -1
EXTRA = 14  # bounds hold for up to so many more rows
COUNTED = 15  # whether the scan limits the rows of a leaf
OWN = 16  # whether each lane has bounds of its own
SECONDS = 17  # passes with a second scan
N_INTEGERS = 18

# Phases.
CHOOSE = 0  # choose the thresholds of the next pass
SCAN = 1  # scan the child features
JUDGE = 2  # judge the scanned thresholds
DONE = 3  # the search has ended

# Indices of `Two.num`, the numbers of a search.
BEST = 0  # best cost so far, at first the cutoff
SECOND = 1  # secondary cost of the best tree
LOW = 2  # least leaf value allowed
HIGH = 3  # largest leaf value allowed
TREE_LOW = 4  # least leaf value of the best tree
TREE_HIGH = 5  # largest leaf value of the best tree
CAP = 6  # largest value allowed on the lower side of the monotonic threshold being judged
N_NUMBERS = 7

NO_LIMIT = 2**62

# Places for open intervals, and how many of them must be free: a batch may add LANES intervals for each time that an
# interval is halved, while the narrowest ones are taken.
ROOM = 512
SPARE = 40 * LANES


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
        at=np.zeros(N_INTEGERS, np.int64),
        num=np.zeros(N_NUMBERS),
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
