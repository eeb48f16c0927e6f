"""Rows times a Monarch matrix: what a layer needs between others whose activations are row-major.

The first product takes the rows as they are, as the transpose of a feature-major array. Its result is feature-major, as
in :func:`skpapers.neural_network._monarch.monarch_multiply`, and one transposition at the end makes rows of it.
"""

from inspect import signature
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.forward_ad import unpack_dual

CHUNK = 2**16  # numbers in a chunk: a few arrays of this size fit into the second cache
FEWEST_ROWS = 64  # in a chunk: products of fewer are slow


class Transpose(Function):
    """A contiguous transpose of a contiguous matrix, in a third of the time of ``x.T.contiguous()``.

    A channel shuffle of a single pixel, stored as "channels last", is a transposition, and its kernel moves blocks in
    vector registers. Its own gradient would not be stored so, and would be slow.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        m, n = x.shape
        if m * n == 0:
            return x.T.contiguous()
        pixel = x.reshape(1, 1, 1, m * n).permute(0, 3, 1, 2)
        return torch.channel_shuffle(pixel, m).view(n, m)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return Transpose.apply(g) if torch.is_grad_enabled() else Transpose.forward(g)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent.T.contiguous()


# torch asks for the signature at every call; to find it takes longer than the transposition of a small matrix
Transpose.forward.__signature__ = signature(Transpose.forward)  # type: ignore[attr-defined]


def rows_multiply(x: Tensor, L: Tensor, R: Tensor, bias: Tensor | None, n_out: int) -> Tensor:
    """Return the first `n_out` columns of x M^T, plus the bias.

    Without a gradient many rows are taken a chunk at a time, so that what is between the factors stays in the cache.

    Parameters
    ----------
    x : Tensor of shape (m, n_in)
        Rows; n_in is at most k p, and what is missing counts as 0.

    L, R : Tensor of shape (l, s, r) and (k, q, p)
        The blocks.

    bias : Tensor of shape (n_out,) or None
        What is added.

    n_out : int
        At most s l.
    """
    graph = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, L, R, bias))
    length = max(FEWEST_ROWS, CHUNK // max(x.shape[1], n_out))
    if graph or len(x) <= length:
        return _product(x, L, R, bias, n_out, graph)
    if not _may_write(x, L, R, bias):
        return torch.cat([_product(rows, L, R, bias, n_out, graph) for rows in x.split(length)])
    return _product_in_chunks(x, L, R, bias, n_out, length)


def _may_write(*tensors: Tensor | None) -> bool:
    """Whether products may be written into given arrays: autocast does not cast them, and derivatives are lost."""
    kind = next(t.device.type for t in tensors if t is not None)
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        return False
    if torch._C._are_functorch_transforms_active():
        return False
    return all(t is None or unpack_dual(t).tangent is None for t in tensors)


def _product(x: Tensor, L: Tensor, R: Tensor, bias: Tensor | None, n_out: int, graph: bool) -> Tensor:
    m, n_in = x.shape
    l, s, r = L.shape  # noqa: E741
    k, _, p = R.shape
    x = F.pad(x, (0, k * p - n_in)) if n_in < k * p else x
    z = torch.bmm(R, x.reshape(m, k, p).permute(1, 2, 0))
    y = torch.bmm(L, z.view(r, l, m).transpose(0, 1)).transpose(0, 1).reshape(s * l, m)
    y = y[:n_out] if n_out < s * l else y
    if bias is not None:
        transformed = torch._C._are_functorch_transforms_active()  # vmap may have made an axis of biases
        y = y + bias.unsqueeze(-1) if transformed else y.add_(bias.unsqueeze(-1))
    return Transpose.apply(y) if graph else Transpose.forward(y)


def _product_in_chunks(x: Tensor, L: Tensor, R: Tensor, bias: Tensor | None, n_out: int, length: int) -> Tensor:
    """Return the product without a gradient.

    Arrays are used again: new ones would push others out of the cache.
    """
    l, s, r = L.shape  # noqa: E741
    k, q, p = R.shape
    n_in = x.shape[1]
    made = x.new_empty(len(x), n_out)
    added = x.new_zeros(s * l) if bias is None else F.pad(bias, (0, s * l - n_out))
    added = added.view(s, l, 1)
    scratch = x.new_empty(max(k * q, s * l) * length)
    m = 0
    start = 0
    for rows in x.tensor_split(-(-len(x) // length)):
        if len(rows) != m:  # the last chunks may be one row shorter
            m = len(rows)
            z = scratch[: k * q * m].view(k, q, m)
            swapped = z.view(r, l, m).transpose(0, 1)
            permuted = scratch[: s * l * m].view(s, l, m)
            y = permuted.view(s * l, m)[:n_out]
        columns = Transpose.forward(rows if n_in == k * p else F.pad(rows, (0, k * p - n_in)))
        torch.bmm(R, columns.view(k, p, m), out=z)
        second = columns.view(-1)[: l * s * m].view(l, s, m) if s * l <= k * p else x.new_empty(l, s, m)
        torch.bmm(L, swapped, out=second)
        torch.add(second.transpose(0, 1), added, out=permuted)  # z is used up
        del columns, second
        made[start : start + m] = Transpose.forward(y)
        start += m
    return made
