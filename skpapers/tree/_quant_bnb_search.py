"""Optimal trees of depth three and more: branch and bound over intervals of root thresholds, on depth-two searches.

An interval (f, lo, hi) stands for the root thresholds of f strictly between two positions in the order of f. It carries
lower bounds, one for each child feature, of the subtrees left of lo and right of hi, and is closed when their sum
reaches the best cost. The open interval with the least bound has its middle threshold judged: the optimal subtrees left
and right of it are found, each no further than it can matter to this threshold and its neighbours, and the interval is
cut in two.

The subtrees are found by the same search, one level down. The state of all levels is kept in arrays, so that `run_job`
can stop and go on. A job judges one threshold; jobs of the same frame may run at the same time in several threads.
"""

from numba import njit

from skpapers.tree._quant_bnb_borrow import borrow
from skpapers.tree._quant_bnb_depth_two import run_two
from skpapers.tree._quant_bnb_frames import absorb, close_frame, select
from skpapers.tree._quant_bnb_jobs import advance, receive, remember_root, start_job
from skpapers.tree._quant_bnb_layout import BEST, FOUND, SECOND, TREE_HIGH, TREE_LOW, WORK
from skpapers.tree._quant_bnb_search_layout import (
    COUNT,
    HAS_TREE,
    IN_FRAME,
    IN_HAND,
    IN_JOB,
    LEVEL,
    LIMIT,
    LOOKED,
    NEXT,
    ROUND,
    SPENT,
    frame_at,
    job_at,
    rows_at,
)


@njit(cache=True, nogil=True)
def run_job(worker, root, n_root, depth, job, settings, budget):
    """Go on with a job of the root. Return True once it is done, False once it has looked at about `budget` rows."""
    worker = borrow(worker)
    root = borrow(root)
    job = borrow(job)
    settings = borrow(settings)
    at = worker.at
    two = worker.two
    work = 0
    while work < budget:
        level = at[LEVEL]
        if level == 0:
            rows = root
            n = n_root
            mine = job
        else:
            rows = rows_at(worker, level - 1)
            n = worker.n[level - 1]
            mine = job_at(worker.jobs, min(level, worker.jobs.at.shape[0] - 1))
        if at[NEXT] == IN_JOB:
            work += n * rows.order.shape[0]
            if advance(worker, rows, n, mine, depth - level, settings):
                at[LOOKED] += 1
                if level == 0:
                    at[SPENT] += work
                    return True
                absorb(frame_at(worker.frames, level), rows, settings, mine)
                at[NEXT] = IN_FRAME
            continue
        above = job if level == 1 else job_at(worker.jobs, level - 1)
        if at[NEXT] == IN_FRAME:
            frame = frame_at(worker.frames, level)
            if select(frame, rows, settings, frame.num[BEST] - settings.margin, mine):
                at[NEXT] = IN_JOB
                continue
            close_frame(frame, settings)
            receive(
                above,
                frame.at[HAS_TREE],
                frame.num[BEST],
                frame.num[SECOND],
                frame.num[TREE_LOW],
                frame.num[TREE_HIGH],
                frame.tree,
                frame.bounds,
            )
        else:
            before = two.at[WORK]
            ended = run_two(two, rows, settings, budget - work)
            work += two.at[WORK] - before
            if not ended:
                break
            remember_root(above, two)
            low = two.num[TREE_LOW]
            high = two.num[TREE_HIGH]
            receive(above, two.at[FOUND], two.num[BEST], two.num[SECOND], low, high, two.tree, two.bounds)
            work += n
        at[LEVEL] = level - 1
        at[NEXT] = IN_JOB
    at[SPENT] += work
    return False


@njit(cache=True, nogil=True)
def next_round(frame, jobs, state, root, settings, tol, root_cost):
    """Use the results of a round and choose the jobs of the next one. Return False if no interval is open.

    All jobs of a round see the same best cost, and their results are used in their order: the outcome does not depend
    on the number of threads. Rounds grow while they find no better tree.
    """
    before = frame.num[BEST]
    for i in range(state[COUNT]):
        absorb(frame, root, settings, job_at(jobs, i))
    best = frame.num[BEST]
    target = best - max(settings.margin, tol * (root_cost - best))
    if state[COUNT] and best == before:
        state[LIMIT] = min(2 * state[LIMIT], ROUND)
    state[COUNT] = 0
    state[IN_HAND] = 0
    while state[COUNT] < state[LIMIT] and select(frame, root, settings, target, job_at(jobs, state[COUNT])):
        state[COUNT] += 1
    return state[COUNT] > 0


@njit(cache=True, nogil=True)
def run_rounds(worker, frame, jobs, state, root, n, depth, settings, tol, root_cost, budget):
    """Go on with the search in one thread. Return True once it ends, False after about `budget` rows."""
    worker = borrow(worker)
    frame = borrow(frame)
    jobs = borrow(jobs)
    root = borrow(root)
    settings = borrow(settings)
    limit = worker.at[SPENT] + budget
    while worker.at[SPENT] < limit:
        if state[IN_HAND] == state[COUNT]:
            if not next_round(frame, jobs, state, root, settings, tol, root_cost):
                return True
            start_job(worker)
        job = job_at(jobs, state[IN_HAND])
        if run_job(worker, root, n, depth, job, settings, limit - worker.at[SPENT]):
            state[IN_HAND] += 1
            start_job(worker)
    return False
