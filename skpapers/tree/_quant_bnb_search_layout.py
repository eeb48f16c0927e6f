"""Layout of a search for a tree of depth three or more: frames, jobs and workers, all in arrays."""

from typing import NamedTuple

import numpy as np
from numba import njit

from skpapers.tree._quant_bnb_layout import Two
from skpapers.tree._quant_bnb_losses import CLASSES, Rows


class Frame(NamedTuple):
    """A search on one node: its open intervals and the best tree so far."""

    at: np.ndarray
    num: np.ndarray
    interval: np.ndarray  # (capacity, 3): feature, lo, hi
    l: np.ndarray  # noqa: E741
    r: np.ndarray
    ends: np.ndarray  # costs at lo and hi, where known
    bound: np.ndarray
    bounds: np.ndarray  # (q + 1,): least bound among what was closed, for each root feature; of a leaf
    tree: np.ndarray


class Job(NamedTuple):
    """The judgement of the middle threshold of one interval."""

    at: np.ndarray
    num: np.ndarray
    l: np.ndarray  # noqa: E741
    r: np.ndarray
    side: np.ndarray  # (2, q + 1): bounds found left and right of the threshold
    tree: np.ndarray  # (3, nodes, 2): the best pair, and the subtree found first
    root: np.ndarray  # (2, 2): root feature and position of depth-two subtrees, and their bounds (2, 2, q + 1)
    root_bounds: np.ndarray


class Worker(NamedTuple):
    """Working space of one thread: rows, frames and jobs of every level below the root's."""

    at: np.ndarray
    n: np.ndarray
    order: np.ndarray
    base: np.ndarray
    label: np.ndarray
    val: np.ndarray
    new: np.ndarray
    frames: Frame
    jobs: Job
    two: Two


# Indices of `Frame.at`. Those of `Frame.num` are the ones of depth two.
ROWS = 0  # number of rows
DEPTH = 1  # depth of the tree
OPEN = 2  # open intervals
HAS_TREE = 3  # whether there is a tree
EXTRA = 4  # bounds hold for up to so many more rows

# Indices of `Job.at`.
F = 0  # root feature
LO = 1  # the interval's threshold lies behind this position
HI = 2  # and before this one
T = 3  # position of the threshold being judged
STEP = 4  # the next step, see `advance`
FIRST = 5  # side whose subtree is found first: 0 is the left one
HAS_PAIR = 6  # whether a pair of subtrees was found
JOB_EXTRA = 7  # bounds hold for up to so many more rows

# Indices of `Job.num`.
CUTOFF = 0  # only pairs that cost less count
BOUND = 1  # lower bound of the interval
JOB_LOW = 2  # least leaf value allowed
JOB_HIGH = 3  # largest leaf value allowed
END_LO = 4  # cost at LO, if known
END_HI = 5  # cost at HI, if known
CAP = 6  # largest value allowed on the lower side of a monotonic threshold
COST = 7  # cost of the best pair
COST_SECOND = 8  # its secondary cost
COST_LOW = 9  # its least leaf value
COST_HIGH = 10  # its largest leaf value
FIRST_COST = 11  # the same four of the subtree found first
FIRST_SECOND = 12
FIRST_LOW = 13
FIRST_HIGH = 14
MOVED = 15  # loss of half the interval's rows

# Indices of `Worker.at`.
LEVEL = 0  # level being searched; 0 is the root's
NEXT = 1  # what comes next, see below
LOOKED = 2  # thresholds judged
SPENT = 3  # rows looked at

# What a worker does next.
IN_JOB = 0  # advance a job
IN_FRAME = 1  # go on with a frame
IN_TWO = 2  # go on with a depth-two search

# The narrowest intervals are taken once a frame has room for fewer open intervals than this.
SPARE = 512

# Indices of the state of a round, and the most jobs of one.
COUNT = 0  # jobs of this round
IN_HAND = 1  # the job being worked on, in one thread
LIMIT = 2  # most jobs of the next round
ROUND = 8


def capacity(n, q):
    """Number of open intervals that a frame has room for."""
    return q + n * q // 2000 + 1024 + SPARE


def make_frame(levels, capacity, q, size):
    """Frames of several levels in one; `size` is the number of nodes of a full tree."""
    return Frame(
        at=np.zeros((levels, 5), np.int64),
        num=np.zeros((levels, 6)),
        interval=np.zeros((levels, capacity, 3), np.int64),
        l=np.zeros((levels, capacity, q + 1)),
        r=np.zeros((levels, capacity, q + 1)),
        ends=np.zeros((levels, capacity, 2)),
        bound=np.zeros((levels, capacity)),
        bounds=np.zeros((levels, q + 1)),
        tree=np.zeros((levels, size, 2), np.int64),
    )


def make_job(levels, q, size):
    """Jobs of several levels in one."""
    return Job(
        at=np.zeros((levels, 8), np.int64),
        num=np.zeros((levels, 16)),
        l=np.zeros((levels, q + 1)),
        r=np.zeros((levels, q + 1)),
        side=np.zeros((levels, 2, q + 1)),
        tree=np.zeros((levels, 3, size, 2), np.int64),
        root=np.zeros((levels, 2, 2), np.int64),
        root_bounds=np.zeros((levels, 2, 2, q + 1)),
    )


def make_worker(n, q, depth, width, n_classes, kind, number, columns, two):
    """Working space for the levels below a root with n rows; `columns` is the number of columns of `val`."""
    levels = depth - 2
    size = 2**depth - 1
    return Worker(
        at=np.zeros(4, np.int64),
        n=np.zeros(levels, np.int64),
        order=np.zeros((levels, q, n), np.int32),
        base=np.zeros((levels, n), np.int32),
        label=np.zeros((levels, n if kind <= CLASSES else 1), np.uint16),
        val=np.zeros((levels, n if columns else 1, max(columns, 1)), number),
        new=np.zeros(n, np.int32),
        frames=make_frame(levels, capacity(n, q), q, size),
        jobs=make_job(levels, q, size),
        two=two,
    )


@njit(cache=True, nogil=True)
def frame_at(frames, level):
    """One level's frame."""
    return Frame(
        frames.at[level],
        frames.num[level],
        frames.interval[level],
        frames.l[level],
        frames.r[level],
        frames.ends[level],
        frames.bound[level],
        frames.bounds[level],
        frames.tree[level],
    )


@njit(cache=True, nogil=True)
def job_at(jobs, level):
    """One level's job."""
    return Job(
        jobs.at[level],
        jobs.num[level],
        jobs.l[level],
        jobs.r[level],
        jobs.side[level],
        jobs.tree[level],
        jobs.root[level],
        jobs.root_bounds[level],
    )


@njit(cache=True, nogil=True)
def rows_at(worker, slot):
    """One slot's rows."""
    label = worker.label[min(slot, worker.label.shape[0] - 1)]
    return Rows(worker.order[slot], worker.base[slot], label, worker.val[min(slot, worker.val.shape[0] - 1)])
