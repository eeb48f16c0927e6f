"""Multi-layer perceptrons whose matrices are dense or Monarch matrices, layer by layer, and changes between the two.

Activations are feature-major, (n, b), or (K, n, b) for K stacked members: the network transposes once at its start and
once at its end, and no layer does.
"""

from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.modules import ACTIVATIONS, BatchNorm, Dropout, PeriodicEmbedding
from skpapers._torch.networks import Generators
from skpapers.neural_network._monarch import monarch_dense, monarch_multiply, project
from skpapers.neural_network._monarch_shape import MonarchShape, monarch_shape

Blocks = tuple[int, int, int]  # k, l and rank of a Monarch matrix
Form = tuple[Blocks | None, ...]  # of the layers; None is a dense one
LEAST_SAVING = 1.25  # a Monarch matrix has so many times fewer parameters than the dense one, or the layer stays dense
FEW_INPUTS = 128  # below them the first layer stays dense: on tables of ten columns it is worth several points


class FeatureMajorLinear(nn.Module):
    """W x + b for each member, where W is the transpose of `weight`, or the Monarch matrix of `L` and `R`.

    Parameters
    ----------
    n_inputs, n_outputs, n_members : int
        Sizes.

    blocks : tuple of int, or None
        k, l and rank; None for a dense matrix.

    dtype : torch.dtype
        Of the parameters.
    """

    def __init__(
        self, n_inputs: int, n_outputs: int, n_members: int, blocks: Blocks | None, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.n_outputs = n_outputs
        members = () if n_members == 1 else (n_members,)
        self.bias = nn.Parameter(torch.zeros(*members, *() if n_members == 1 else (1,), n_outputs, dtype=dtype))
        if blocks is None:
            self.padding = 0
            self.weight: nn.Parameter | None = nn.Parameter(torch.zeros(*members, n_inputs, n_outputs, dtype=dtype))
            return
        shape = MonarchShape(n_inputs, n_outputs, *blocks)
        self.padding = shape.k * shape.p - n_inputs
        self.weight = None
        self.L = nn.Parameter(torch.zeros(*members, *shape.L, dtype=dtype))
        self.R = nn.Parameter(torch.zeros(*members, *shape.R, dtype=dtype))

    def matrices(self) -> list[nn.Parameter]:
        """Return the dense weight, or both factors."""
        return [self.R, self.L] if self.weight is None else [self.weight]

    def forward(self, x: Tensor) -> Tensor:
        bias = self.bias.unsqueeze(-1) if self.bias.ndim == 1 else self.bias.transpose(-1, -2)
        if self.weight is not None:
            return (torch.addmm if self.weight.ndim == 2 else torch.baddbmm)(bias, self.weight.transpose(-1, -2), x)
        x = F.pad(x, (0, 0, 0, self.padding)) if self.padding else x
        y = monarch_multiply(self.L, self.R, x)
        # in place where y is whole: a new tensor costs as much as a product of small blocks
        return y.add_(bias) if y.shape[-2] == self.n_outputs else y.narrow(-2, 0, self.n_outputs) + bias


class MonarchMLP(nn.Module):
    """A perceptron in one of its forms; see :class:`skpapers._torch.networks.Network`.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Columns of the input and of the output.

    hidden_layer_sizes : tuple of int
        Width of each hidden layer.

    form : tuple of (tuple of int, or None)
        For each layer the blocks of its matrix.

    activation : str
        A key of `ACTIVATIONS`.

    residual : bool
        Whether a hidden layer as wide as the one before it adds to the values of that one.

    n_members : int
        Stacked networks.

    batch_norm : bool
        Normalise before each activation.

    dropout : float
        Probability of zeroing what an activation returns.

    numeric_embedding : {"none", "periodic"}
        How features enter the first layer.

    dtype : torch.dtype
        Of all parameters.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden_layer_sizes: tuple[int, ...],
        n_outputs: int,
        form: Form,
        *,
        activation: str,
        residual: bool,
        n_members: int,
        batch_norm: bool,
        dropout: float,
        numeric_embedding: str,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.n_members = n_members
        self.n_inputs = n_inputs
        self.activation = ACTIVATIONS[activation]
        self.residual = residual
        self.embedding = PeriodicEmbedding(n_inputs, n_members, dtype) if numeric_embedding == "periodic" else None
        self.sizes = layer_widths(n_inputs, hidden_layer_sizes, n_outputs, numeric_embedding)
        self.layers = nn.ModuleList(
            FeatureMajorLinear(a, b, n_members, blocks, dtype)
            for (a, b), blocks in zip(pairwise(self.sizes), form, strict=True)
        )
        self.norms = nn.ModuleList(BatchNorm(size, n_members, dtype) for size in hidden_layer_sizes if batch_norm)
        self.dropout = Dropout(dropout, n_members) if dropout > 0 else None

    def draw(self, generators: Generators) -> "MonarchMLP":
        """Draw each member's weights from its generator, on the CPU; biases stay 0.

        Dense matrices and both factors of Monarch matrices are uniform of variance 1 / fan-in, and a quarter of that in
        the last layer, as in all networks of this package.
        """
        for k, generator in enumerate(generators):
            if self.embedding is not None:
                self.embedding.draw(k, generator)
            for i, layer in enumerate(self.layers):
                gain = 1.0 if i + 1 < len(self.layers) else 0.5
                fan_in = -1 if layer.weight is None else -2
                for matrix in layer.matrices():  # type: ignore[operator]
                    values = matrix.data if self.n_members == 1 else matrix.data[k]
                    limit = gain * sqrt(3.0 / matrix.shape[fan_in])
                    drawn = torch.empty(values.shape, dtype=values.dtype)
                    values.copy_(drawn.uniform_(-limit, limit, generator=generator))
        return self

    def row_size(self) -> int:
        """Return how many numbers of a row are in memory at once in a forward pass without gradients."""
        embedded = 0 if self.embedding is None else self.embedding.row_size()
        return self.n_members * (embedded + self.n_inputs + 5 * max(self.sizes))

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Matrices and factors with weight decay; biases, normalisation, frequencies and shifts without."""
        decaying = [matrix for layer in self.layers for matrix in layer.matrices()]  # type: ignore[operator]
        decaying += [] if self.embedding is None else [self.embedding.weight]
        known = {id(p) for p in decaying}
        learning = [p for p in self.parameters() if p.requires_grad]
        return [
            {"params": [p for p in learning if id(p) in known], "decay": 1.0},
            {"params": [p for p in learning if id(p) not in known], "decay": 0.0},
        ]

    def forward(self, x: Tensor) -> Tensor:
        if self.n_members > 1 and x.ndim == 2:
            x = x.expand(self.n_members, *x.shape)
        if self.embedding is not None:
            x = self.embedding(x)
        x = x.transpose(-1, -2).contiguous()
        for i, layer in enumerate(self.layers[:-1]):
            z = layer(x)
            if len(self.norms):
                z = self.norms[i](z.transpose(-1, -2)).transpose(-1, -2).contiguous()
            z = self.activation(z)
            if self.dropout is not None:
                z = self.dropout(z)
            x = x + z if self.residual and i > 0 and self.sizes[i] == self.sizes[i + 1] else z
        return self.layers[-1](x).transpose(-1, -2).contiguous()


def layer_widths(
    n_inputs: int, hidden_layer_sizes: tuple[int, ...], n_outputs: int, numeric_embedding: str
) -> tuple[int, ...]:
    """Return the widths between the layers, from that of the embedded features to that of the outputs."""
    width = 4 if numeric_embedding == "periodic" else 1
    return (n_inputs * width, *hidden_layer_sizes, n_outputs)


def dense_form(sizes: tuple[int, ...]) -> Form:
    """Return the form of a network without Monarch matrices."""
    return (None,) * (len(sizes) - 1)


def monarch_form(
    sizes: tuple[int, ...], n_blocks: int | str, rank: int | None, min_compression: float | None = None
) -> Form:
    """Return the blocks of all layers but the last, the first one of few inputs, and those that would save too little.

    Parameters
    ----------
    sizes : tuple of int
        Widths between the layers.

    n_blocks : int or "sqrt"
        Number of blocks of each factor; at most the smaller size of a layer.

    rank : int or None
        Rank of the submatrices; at most the largest one of a layer. None: see `min_compression`.

    min_compression : float or None
        The largest rank whose factors have so many times fewer parameters, and 1 if no rank does; None for the rank
        of `monarch_shape`.
    """
    form: list[Blocks | None] = []
    for n_in, n_out in pairwise(sizes[:-1]):
        within = n_blocks if n_blocks == "sqrt" else min(int(n_blocks), n_in, n_out)
        shape = monarch_shape(n_in, n_out, within)
        chosen = shape.rank if rank is None else rank
        of_rank_one = shape.n_parameters // shape.rank
        if rank is None and min_compression is not None:
            chosen = int(n_in * n_out / (min_compression * of_rank_one))
        chosen = min(max(chosen, 1), shape.largest_rank)
        saves = n_in * n_out >= LEAST_SAVING * of_rank_one * chosen
        few = len(form) == 0 and n_in < FEW_INPUTS
        form.append((shape.k, shape.l, chosen) if saves and not few else None)
    return (*form, None)


def n_matrix_parameters(sizes: tuple[int, ...], form: Form) -> int:
    """Return the number of entries of the matrices of one member, biases excluded."""
    return sum(
        a * b if blocks is None else MonarchShape(a, b, *blocks).n_parameters
        for (a, b), blocks in zip(pairwise(sizes), form, strict=True)
    )


def converted(weights: dict[str, NDArray], sizes: tuple[int, ...], old: Form, new: Form) -> dict[str, NDArray]:
    """Return the weights of a network in another form.

    Monarch matrices are multiplied out, which does not change the function of the network; dense ones are projected.
    Weights of layers whose form stays are the same arrays.
    """
    made = dict(weights)
    for i, ((n_in, n_out), before, after) in enumerate(zip(pairwise(sizes), old, new, strict=True)):
        if before == after:
            continue
        W = _dense_weight(made, f"layers.{i}.", n_in, n_out, before)
        if after is None:
            made[f"layers.{i}.weight"] = np.ascontiguousarray(W.swapaxes(-1, -2))
            continue
        shape = MonarchShape(n_in, n_out, *after)
        factors = [project(A, shape) for A in W.reshape(-1, n_out, n_in)]
        made[f"layers.{i}.L"] = np.stack([f.L for f in factors]).reshape(*W.shape[:-2], *shape.L)
        made[f"layers.{i}.R"] = np.stack([f.R for f in factors]).reshape(*W.shape[:-2], *shape.R)
    return made


def _dense_weight(
    weights: dict[str, NDArray], prefix: str, n_in: int, n_out: int, blocks: Blocks | None
) -> NDArray[np.float64]:
    """Take the matrix of a layer, or its factors, from the weights, and return the matrix, of shape (n_out, n_in)."""
    if blocks is None:
        return weights.pop(f"{prefix}weight").astype(np.float64).swapaxes(-1, -2)
    L, R = (torch.from_numpy(weights.pop(f"{prefix}{name}").astype(np.float64)) for name in "LR")
    return monarch_dense(L, R)[..., :n_out, :n_in].numpy()
