"""Small random programs, and what Clarabel says of them."""

from functools import cache

import numpy as np

from skpapers.convex._convex_relu_cvxpy import solve_with_cvxpy
from skpapers.convex._gates import patterns
from skpapers.convex._losses import LogLoss, MultinomialLogLoss, SquaredError
from skpapers.convex._program import Program
from skpapers.convex._sampled_program import alpha_max


def make_program(kind="squared", *, relu=False, intercept=True, seed=0, n=60, d=4, P=15):
    """Return a program with uneven weights; kinds are squared, squared of two outputs, log and softmax."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    X[:, -1] = 1.0
    B, _ = patterns(X, rng.normal(size=(d, P)))
    f = np.maximum(X @ rng.normal(size=d), 0) - np.abs(X[:, 0]) + rng.normal(size=n)
    weight = rng.uniform(0.2, 2.0, n)
    weight /= weight.sum()
    if kind == "squared":
        loss = SquaredError(f[:, np.newaxis], weight, intercept)
    elif kind == "two outputs":
        loss = SquaredError(np.column_stack([f, X[:, 1] + rng.normal(size=n)]), weight, intercept)
    elif kind == "log":
        loss = LogLoss((f[:, np.newaxis] > 0).astype(float), weight, intercept)
    else:
        loss = MultinomialLogLoss(np.eye(3)[np.digitize(f, [-0.7, 0.7])], weight, intercept)
    return Program(X, B, loss, relu)


@cache
def optimum(kind, relu, intercept, fraction):
    """Return a program, alpha, and the optimal value by Clarabel."""
    program = make_program(kind, relu=relu, intercept=intercept)
    alpha = fraction * alpha_max(program)
    return program, alpha, solve_with_cvxpy(program, alpha)[2]


def dense(program):
    """Return A = [D_1 X, ..., D_P X] as one matrix."""
    D = np.unpackbits(program.B, axis=0, count=len(program.X), bitorder="little").astype(float)
    return (D[:, :, np.newaxis] * program.X[:, np.newaxis, :]).reshape(len(program.X), -1)
