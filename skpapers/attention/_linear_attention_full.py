"""The pass of linear attention over all keys (see `_linear_attention_blocks.py` for the symbols)."""

from __future__ import annotations

import torch
from torch import Tensor

from skpapers.attention._linear_attention_blocks import Group
from skpapers.attention._linear_attention_gradients import Grads, Trace


def full_forward(group: Group, S: Tensor, M: Tensor | None, out: Tensor, inverse: Tensor | None) -> Trace:
    """Fill the outputs of a group, and return the sums over the keys and those of the state S, M."""
    trace = Trace(S, M, group.of.keeps_features)
    for rows in group.blocks(group.of.k):
        if M is None:
            K = group.keys(rows, None)
            trace.keep(trace.K, rows, K)
        else:
            exponents = group.key_exponents(rows)
            before = M
            M = torch.maximum(M, exponents.amax(1))
            S.mul_(torch.exp(before - M)[..., None])
            K = exponents.sub_(M[:, None]).exp_()
        v, _ = group.value_rows(rows)
        S.baddbmm_(K.mT, v)
    for rows in group.blocks(group.of.q):
        Q = group.queries(rows, M)
        trace.keep(trace.Q, rows, Q)
        group.put_outputs(rows, torch.bmm(Q, S), out, inverse)
    trace.M = M
    return trace


def full_backward(group: Group, trace: Trace, gradient: Tensor, out: Tensor, inverse: Tensor | None, to: Grads) -> None:
    """Fill the gradients of a group."""
    T = torch.zeros_like(trace.S)
    for rows in group.blocks(group.of.q):
        gamma, _ = group.output_gradients(rows, gradient, out, inverse, None)
        Q = trace.Q[rows.start] if trace.keeps else group.queries(rows, trace.M)
        T.baddbmm_(Q.mT, gamma)
        to.query(group, rows, Q, torch.bmm(gamma, trace.S.mT))
    for rows in group.blocks(group.of.k):
        K = trace.K[rows.start] if trace.keeps else group.keys(rows, trace.M)
        v, omega = group.value_rows(rows)
        to.key(group, rows, K, torch.bmm(v, T.mT))
        to.value(group, rows, torch.bmm(K, T), omega, None)
