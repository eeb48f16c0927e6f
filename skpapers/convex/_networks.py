"""Points of a program as networks, and networks as points of a program that has their patterns."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from skpapers.convex._gates import locate, unique_patterns
from skpapers.convex._products import pack
from skpapers.convex._program import Point, Program, empty_point, gram_of

Array = NDArray[np.float64]


def balanced(program: Program, point: Point) -> tuple[Array, Array]:
    """Return hidden weights (m, d) and second-layer weights (m, c) of the neurons that are not zero.

    Their norms are equal, ||w_j|| = ||a_j||, so that weight decay of alpha / 2 costs what the group norm does.
    """
    slot, side, k = np.nonzero(np.any(point.W, axis=2))
    w = point.W[slot, side, :, k]
    root = np.sqrt(np.linalg.norm(w, axis=1))
    c = point.b.size
    direction = np.eye(c)[k] if program.T is None else program.T[point.pool[slot], k]
    return w / root[:, np.newaxis], direction * ((1.0 - 2.0 * side) * root)[:, np.newaxis]


def extended(program: Program, gates: Array, W: Array, A: Array) -> tuple[Program, Array, NDArray[np.intp]]:
    """Return the program with the patterns of the neurons of a network as well, their gates, and their places.

    The place of a neuron that no row activates is -1. Neurons that serve several outputs have directions, and so
    patterns of their own.
    """
    B_new = pack(program.X @ W.T > 0)
    if not program.shared:
        B, kept = unique_patterns(np.concatenate([program.B, B_new], axis=1))
        bigger = Program(program.X, B, program.loss, True)
        return bigger, np.hstack([gates, W.T])[:, kept], locate(B, B_new)
    live = B_new.any(axis=0)
    P = program.B.shape[1]
    c = A.shape[1]
    T = np.broadcast_to(np.eye(c), (P, c, c)) if program.T is None else program.T
    B = np.ascontiguousarray(np.concatenate([program.B, B_new[:, live]], axis=1))
    bigger = Program(program.X, B, program.loss, True, np.concatenate([T, _completed(A[live])]))
    where = np.where(live, P + np.cumsum(live) - 1, -1)
    return bigger, np.hstack([gates, W[live].T]), where


def _completed(A: Array) -> Array:
    """Return orthogonal matrices whose first rows are the directions of the rows of A: Householder's reflections."""
    c = A.shape[1]
    direction = A / np.linalg.norm(A, axis=1, keepdims=True)
    v = direction - np.eye(c)[0]
    square = (v * v).sum(axis=1)
    T = np.eye(c) - 2.0 * v[:, :, np.newaxis] * v[:, np.newaxis, :] / np.where(square > 0, square, 1.0)[:, None, None]
    T[:, 0] = direction
    return T


def placed(program: Program, W: Array, A: Array, where: NDArray[np.intp], before: Point) -> Point:
    """Return a network as a point of a program that has its patterns at `where`, with the intercepts of `before`."""
    point = empty_point(program)
    point.b = before.b
    point.borders = longer(program, before.borders)
    live = where >= 0
    W = W[live]
    A = A[live]
    where = where[live]
    own = A if program.T is None else np.einsum("mc,mkc->mk", A, program.T[where])
    k = np.abs(own).argmax(axis=1)
    weight = own[np.arange(len(own)), k]
    point.pool, slot = np.unique(where, return_inverse=True)
    point.W = np.zeros((len(point.pool), program.sides, W.shape[1], A.shape[1]))
    side = (weight < 0).astype(int) if program.relu else np.zeros(len(weight), dtype=int)
    weight = np.abs(weight) if program.relu else weight
    # neurons of one pattern, side and output add up to one, since its cone is convex
    np.add.at(np.moveaxis(point.W, 2, 3), (slot, side, k), W * weight[:, np.newaxis])
    return point


def longer(program: Program, borders: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return borders with room for the patterns that were added to a program."""
    more = np.full((program.B.shape[1] - len(borders), *borders.shape[1:]), -1, dtype=np.int64)
    return np.concatenate([borders, more])


def without_idle(program: Program, gates: Array, point: Point, n_given: int) -> tuple[Program, Array, Point]:
    """Drop the patterns after the first `n_given` that have no neuron: the optimum of fewer is not below the bound."""
    kept = np.arange(program.B.shape[1]) < n_given
    kept[point.pool[point.active]] = True
    in_pool = kept[point.pool]
    new_place = np.cumsum(kept) - 1
    smaller_point = replace(
        point,
        pool=new_place[point.pool[in_pool]],
        W=point.W[in_pool],
        borders=point.borders[kept],
        H=gram_of(point, in_pool, program.X.shape[1]),
        step=None,
    )
    T = None if program.T is None else program.T[kept]
    smaller = Program(program.X, program.bits(np.flatnonzero(kept)), program.loss, True, T)
    return smaller, gates[:, kept], smaller_point
