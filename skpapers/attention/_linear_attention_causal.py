r"""The causal pass of linear attention, chunk by chunk (see `_linear_attention_blocks.py` for the symbols).

A chunk adds the products of its own queries and keys, a lower triangle, to what its queries take from the sums
:math:`\bar S` of the chunks before it. A scaled pass divides by the largest exponents in the whole chunk, so a later
key could push earlier ones below the smallest number. A chunk where that can happen is halved, and its halves are
looked at again.

The backward pass has two scans. The first one repeats the forward sums and gives the gradients of queries. The second
one runs from the end with :math:`T_t = \sum_{s \ge t} \phi(q_s) \bar\gamma_s^\top`, for gradients
:math:`\bar\gamma` of :math:`\bar o`, and gives those of keys and values. Thus no sums are
stored for each chunk. Short sequences store them, and have one scan.
"""

from __future__ import annotations

import torch
from torch import Tensor

from skpapers.attention._linear_attention_blocks import Group
from skpapers.attention._linear_attention_gradients import Grads, Trace

EXPONENT_GAP = 40.0  # between keys of one chunk; what lies so far below the largest one may be lost
DECAY_GAP = 25.0  # of the logarithms of gates in one chunk


def causal_forward(
    group: Group, S: Tensor, M: Tensor | None, out: Tensor, inverse: Tensor | None
) -> tuple[Trace, Tensor, Tensor | None]:
    """Fill the outputs of a group; return its trace, the sums after the last row, and their scale."""
    trace = Trace(S.clone() if group.of.training else S, M, group.of.keeps_features)
    carried: Tensor | None = None  # factor of the sums that the gates of the chunk before give
    L = group.of.q.shape[2]
    size = group.of.chunk_size
    pending = [slice(start, min(start + size, L)) for start in range(0, L, size)][::-1]
    while pending:
        rows = pending.pop()
        decay = _decays(group, rows)
        exponents = None if M is None else group.key_exponents(rows)
        if rows.stop - rows.start > 1 and _unsafe(group, rows, exponents, M, decay):
            middle = (rows.start + rows.stop) // 2
            pending += [slice(middle, rows.stop), slice(rows.start, middle)]
            continue
        if exponents is None:
            factor = carried
            K = group.keys(rows, None)
        else:
            assert M is not None
            before = M
            M = torch.maximum(before, exponents.amax(1))
            factor = torch.exp(before - M)[..., None]
            K = exponents.sub_(M[:, None]).exp_()
        if factor is not None:
            S.mul_(factor)
        trace.chunks.append(rows)
        trace.scales.append(M)
        trace.factors.append(factor)
        Q = group.queries(rows, M)
        weights = torch.bmm(Q, K.mT).tril_()
        if trace.keeps:
            trace.keep(trace.K, rows, K)
            trace.keep(trace.Q, rows, Q)
            trace.keep(trace.sums, rows, S.clone())
            trace.keep(trace.weights, rows, weights)
        v, _ = group.value_rows(rows, decay)
        extended = torch.bmm(weights, v).baddbmm_(Q, S)
        if decay is not None and _outer_decay(group):
            extended.mul_(torch.exp(decay))
        group.put_outputs(rows, extended, out, inverse)
        S.baddbmm_(K.mT, v)
        if decay is not None:
            if M is None:
                carried = torch.exp(decay[:, -1:])
            else:
                M = M + decay[:, -1]
    if carried is not None:
        S.mul_(carried)
    return trace, S, M


def _decays(group: Group, rows: slice) -> Tensor | None:
    """Return c of shape (n, r, 1): sums of the logarithms of the gates from the first row of a chunk."""
    return None if group.of.log_gate is None else group.scalars(group.of.log_gate, rows).cumsum(1)


def _outer_decay(group: Group) -> bool:
    """Return whether outputs need the factor exp(c_t); in a quotient of scaled sums it cancels."""
    return not (group.of.normalized and group.of.scaled)


def _unsafe(group: Group, rows: slice, exponents: Tensor | None, M: Tensor | None, decay: Tensor | None) -> bool:
    """Return whether one scale for a whole chunk could push its first rows below the smallest number."""
    if decay is not None and bool((decay[:, -1] < -DECAY_GAP).any()):
        return True
    if exponents is None or M is None:
        return False
    first = exponents[:, 0]
    if group.of.padding is not None:
        valid = ~group.of.padding[group.batch, rows]
        index = valid.to(torch.uint8).argmax(1).repeat_interleave(group.of.q.shape[1])
        first = exponents[torch.arange(group.n, device=index.device), index]
    least = torch.maximum(M, first)
    return bool((torch.maximum(M, exponents.amax(1)) - least > EXPONENT_GAP).any())


def causal_backward(
    group: Group, trace: Trace, gradient: Tensor, out: Tensor, inverse: Tensor | None, to: Grads
) -> None:
    """Fill the gradients of a group: queries in a scan from the start, keys and values in one from the end.

    If the sums before each chunk are kept, the scan from the end does both.
    """
    if not trace.keeps:
        _scan_from_start(group, trace, gradient, out, inverse, to)
    T = torch.zeros_like(trace.S)
    for rows, M, factor in zip(trace.chunks[::-1], trace.scales[::-1], trace.factors[::-1], strict=True):
        decay = _decays(group, rows)
        Q = trace.Q[rows.start] if trace.keeps else group.queries(rows, M)
        K = trace.K[rows.start] if trace.keeps else group.keys(rows, M)
        weights = trace.weights[rows.start] if trace.keeps else torch.bmm(Q, K.mT).tril_()
        v, omega = group.value_rows(rows, decay)
        gamma, of_factor = _row_gradients(group, rows, gradient, out, inverse, decay)
        of_weights = torch.bmm(gamma, v.mT).tril_()
        if trace.keeps:
            S = trace.sums[rows.start]
            to.query(group, rows, Q, torch.bmm(of_weights, K).baddbmm_(gamma, S.mT))
            to.factor(group, rows, of_factor)
        to.value(group, rows, torch.bmm(weights.mT, gamma).baddbmm_(K, T), omega, decay)
        to.key(group, rows, K, torch.bmm(of_weights.mT, Q).baddbmm_(v, T.mT))
        T.baddbmm_(Q.mT, gamma)
        if factor is not None:
            T.mul_(factor)


def _scan_from_start(
    group: Group, trace: Trace, gradient: Tensor, out: Tensor, inverse: Tensor | None, to: Grads
) -> None:
    """Repeat the forward sums, and fill the gradients of the queries."""
    S = trace.S.clone()
    for rows, M, factor in zip(trace.chunks, trace.scales, trace.factors, strict=True):
        if factor is not None:
            S.mul_(factor)
        decay = _decays(group, rows)
        Q = group.queries(rows, M)
        K = group.keys(rows, M)
        v, _ = group.value_rows(rows, decay)
        gamma, of_factor = _row_gradients(group, rows, gradient, out, inverse, decay)
        of_weights = torch.bmm(gamma, v.mT).tril_()
        to.query(group, rows, Q, torch.bmm(of_weights, K).baddbmm_(gamma, S.mT))
        to.factor(group, rows, of_factor)
        S.baddbmm_(K.mT, v)


def _row_gradients(
    group: Group, rows: slice, gradient: Tensor, out: Tensor, inverse: Tensor | None, decay: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the gradients of the extended outputs of a chunk, and of the logarithm of their factor exp(c)."""
    factor = torch.exp(decay) if decay is not None and _outer_decay(group) else None
    return group.output_gradients(rows, gradient, out, inverse, factor)
