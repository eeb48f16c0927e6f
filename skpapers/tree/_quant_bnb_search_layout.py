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


# Integers of a frame, the last one the number of more rows for which its bounds hold; its numbers are those of depth
# two.
ROWS, DEPTH, OPEN, HAS_TREE, EXTRA = range(5)

# Integers of a job, and its numbers.
F, LO, HI, T, STEP, FIRST, HAS_PAIR, JOB_EXTRA = range(8)

CUTOFF, BOUND, JOB_LOW, JOB_HIGH, END_LO, END_HI, CAP, COST, COST_SECOND, COST_LOW, COST_HIGH = range(11)

FIRST_COST, FIRST_SECOND, FIRST_LOW, FIRST_HIGH, MOVED = range(11, 16)

# Integers of a worker: the level in hand, what comes next, thresholds judged, rows looked at.
LEVEL, NEXT, LOOKED, SPENT = range(4)

IN_JOB, IN_FRAME, IN_TWO = range(3)

# Open intervals that a frame must still have room for when the narrowest ones are taken: some for each halving.
SPARE = 512

# A round of jobs: how many there are, which is in hand, how many there were at most.
COUNT, IN_HAND, LIMIT = range(3)

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
