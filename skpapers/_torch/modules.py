"""Multi-layer perceptrons whose K members share one set of tensors.

With one member the tensors have no member axis, and the layers are the plain ones: ``addmm``. With K members parameters
have shape (K, ...), and inputs (K, b, p), or (b, p) where all members see the same rows.
"""

from itertools import pairwise
from math import pi, sqrt
from numbers import Integral
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn

from skpapers._torch.networks import Generators

ACTIVATIONS = {
    "identity": lambda x: x,
    "logistic": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "silu": F.silu,
    "softplus": F.softplus,
}


def layer_sizes(hidden_layer_sizes: ArrayLike, *, fewest: int = 0) -> tuple[int, ...]:
    """Return the widths of the hidden layers that a parameter gives: one number, or one for each layer."""
    given = np.atleast_1d(np.asarray(hidden_layer_sizes, dtype=object))
    whole = all(isinstance(size, Integral) and int(size) >= 1 for size in given.ravel())
    if given.ndim != 1 or len(given) < fewest or not whole:
        raise ValueError(f"hidden_layer_sizes must hold integers from 1, got {hidden_layer_sizes!r}.")
    return tuple(int(size) for size in given)


class Linear(nn.Module):
    """x W + b, for each member."""

    def __init__(self, n_inputs: int, n_outputs: int, n_members: int, dtype: torch.dtype) -> None:
        super().__init__()
        members = () if n_members == 1 else (n_members,)
        self.weight = nn.Parameter(torch.zeros(*members, n_inputs, n_outputs, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(*members, *() if n_members == 1 else (1,), n_outputs, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        return (torch.addmm if self.weight.ndim == 2 else torch.baddbmm)(self.bias, x, self.weight)


class BatchNorm(nn.Module):
    """Batch normalisation of (b, h, ...), or of (K, b, h) member by member; a single row uses the stored statistics.

    Parameters
    ----------
    n_features : int
        h.

    n_members : int
        K; 1 for no member axis.

    dtype : torch.dtype
        Of parameters and statistics.

    momentum : float
        Share of a batch in the stored statistics after it; it may be changed at any time.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, n_features: int, n_members: int, dtype: torch.dtype, momentum: float = 0.1) -> None:
        super().__init__()
        self.n_members = n_members
        self.momentum = momentum
        shape = (n_features,) if n_members == 1 else (n_members, n_features)
        self.weight = nn.Parameter(torch.ones(shape, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(shape, dtype=dtype))
        self.register_buffer("running_mean", torch.zeros(shape, dtype=dtype))
        self.register_buffer("running_var", torch.ones(shape, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        if self.n_members == 1:
            return self.wide(x)
        return self.wide(x.transpose(0, 1).flatten(1)).reshape(-1, *self.weight.shape).transpose(0, 1)

    def wide(self, x: Tensor) -> Tensor:
        """Normalise (b, K h, ...), the members side by side."""
        mean, var, weight, bias = (t.reshape(-1) for t in (self.running_mean, self.running_var, self.weight, self.bias))
        of_batch = self.training and len(x) > 1
        return F.batch_norm(x, mean, var, weight, bias, training=of_batch, momentum=self.momentum)


class Dropout(nn.Module):
    """Zero each value with probability p, in training; each member draws from a generator of its own.

    Parameters
    ----------
    p : float
        The probability.

    n_members : int
        Length of the first axis of the values; 1 for no member axis.
    """

    def __init__(self, p: float, n_members: int = 1) -> None:
        super().__init__()
        self.p = p
        self.n_members = n_members
        self.generators: Generators = ()

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        keep = 1.0 - self.p
        shape = x.shape if self.n_members == 1 else x.shape[1:]
        masks = [
            torch.rand(shape, dtype=x.dtype, device=x.device, generator=generator).lt_(keep).div_(keep)
            for generator in self.generators  # half the time of bernoulli_
        ]
        return x * (masks[0] if self.n_members == 1 else torch.stack(masks))


class PeriodicEmbedding(nn.Module):
    r"""Each feature, followed by learned periodic functions of it: :math:`x_j` and :math:`A_j \cos(f_j x_j + c_j)`.

    The embedding of Gorishniy et al. (2022) with the shift and the unmixed feature of Holzmüller et al. (2024). It
    starts small compared with the feature, and its weights decay as those of the layers do: a target that is smooth
    in a feature is left to the feature itself.

    Parameters
    ----------
    n_features, n_members : int
        Columns and members.

    n_frequencies : int
        Length of :math:`f_j`.

    width : int
        Outputs for each feature, the feature itself among them.

    scale : float
        Standard deviation of the frequencies at the start, in periods for a unit of the feature.
    """

    def __init__(
        self,
        n_features: int,
        n_members: int,
        dtype: torch.dtype,
        *,
        n_frequencies: int = 16,
        width: int = 4,
        scale: float = 0.3,
    ) -> None:
        super().__init__()
        self.n_features = n_features
        self.n_members = n_members
        self.width = width
        self.scale = scale
        shape = (n_features,) if n_members == 1 else (n_members, n_features)
        self.frequency = nn.Parameter(torch.zeros(*shape, n_frequencies, 1, dtype=dtype))
        self.shift = nn.Parameter(torch.zeros(*shape, n_frequencies, 1, dtype=dtype))
        self.weight = nn.Parameter(torch.zeros(*shape, width - 1, n_frequencies, dtype=dtype))

    def draw(self, k: int, generator: torch.Generator) -> None:
        """Draw the start of member k."""
        of = (lambda p: p.data) if self.n_members == 1 else (lambda p: p.data[k])
        _normal(of(self.frequency), 2.0 * pi * self.scale, generator)
        _uniform(of(self.shift), pi, generator)
        _uniform(of(self.weight), 0.1 / sqrt(self.weight.shape[-1]), generator)

    def row_size(self) -> int:
        """Return how many numbers each row needs: the waves, their arguments, and the outputs, copied twice."""
        return self.n_features * (2 * self.weight.shape[-1] + 3 * self.width)

    def forward(self, x: Tensor) -> Tensor:
        columns = x.transpose(-1, -2)  # rows last: sums and products over them are contiguous, a third faster
        frequency, shift, weight = (p.reshape(-1, *p.shape[-2:]) for p in (self.frequency, self.shift, self.weight))
        waves = torch.cos(torch.addcmul(shift, frequency, columns.reshape(-1, 1, x.shape[-2])))
        embedded = torch.bmm(weight, waves)  # (K p, width - 1, b): features and members are one batch axis
        embedded = embedded.reshape(*x.shape[:-2], -1, x.shape[-2])
        return torch.cat([columns, embedded], dim=-2).transpose(-1, -2)


class MLP(nn.Module):
    """Linear layers with an activation between them, after an optional embedding of the features.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Columns of the input and of the output.

    hidden_layer_sizes : tuple of int
        Width of each hidden layer.

    activation : str
        A key of `ACTIVATIONS`.

    n_members : int
        Stacked networks.

    batch_norm : bool
        Normalise before each activation.

    dropout : float
        Probability of zeroing a hidden value.

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
        *,
        activation: str = "relu",
        n_members: int = 1,
        batch_norm: bool = False,
        dropout: float = 0.0,
        numeric_embedding: str = "none",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.n_members = n_members
        self.n_inputs = n_inputs
        self.activation = ACTIVATIONS[activation]
        self.embedding = None
        width = n_inputs
        if numeric_embedding == "periodic":
            self.embedding = PeriodicEmbedding(n_inputs, n_members, dtype)
            width *= self.embedding.width
        sizes = (width, *hidden_layer_sizes, n_outputs)
        self.linears = nn.ModuleList(Linear(a, b, n_members, dtype) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(BatchNorm(size, n_members, dtype) for size in hidden_layer_sizes if batch_norm)
        self.dropout = Dropout(dropout, n_members) if dropout > 0 else None

    def matrices(self) -> list[nn.Parameter]:
        """Return the weights of the linear layers."""
        return [linear.weight for linear in self.linears]  # type: ignore[misc]

    def draw(self, generators: Generators) -> "MLP":
        """Draw each member's weights from its generator, on the CPU: uniform of variance 1 / fan-in; biases stay 0."""
        for k, generator in enumerate(generators):
            if self.embedding is not None:
                self.embedding.draw(k, generator)
            for i, matrix in enumerate(self.matrices()):
                gain = 1.0 if i + 1 < len(self.linears) else 0.5
                weight = matrix.data if self.n_members == 1 else matrix.data[k]
                _uniform(weight, gain * sqrt(3.0 / matrix.shape[-2]), generator)
        return self

    def row_size(self) -> int:
        """Return how many numbers of a row are in memory at once in a forward pass without gradients."""
        embedded = 0 if self.embedding is None else self.embedding.row_size()
        widest = max(matrix.shape[-1] for matrix in self.matrices())
        return self.n_members * (embedded + self.n_inputs + 3 * widest)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Matrices with weight decay; biases, normalisation, frequencies and shifts without."""
        decaying = self.matrices() + ([] if self.embedding is None else [self.embedding.weight])
        known = {id(p) for p in decaying}
        learning = [p for p in self.parameters() if p.requires_grad]
        return [
            {"params": [p for p in learning if id(p) in known], "decay": 1.0},
            {"params": [p for p in learning if id(p) not in known], "decay": 0.0},
        ]

    def features(self, x: Tensor) -> Tensor:
        """Return the values of the last hidden layer, or the inputs of the only layer."""
        if self.n_members > 1 and x.ndim == 2:
            x = x.expand(self.n_members, *x.shape)
        if self.embedding is not None:
            x = self.embedding(x)
        for i, linear in enumerate(self.linears[:-1]):
            x = linear(x)
            if len(self.norms):
                x = self.norms[i](x)
            x = self.activation(x)
            if self.dropout is not None:
                x = self.dropout(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.linears[-1](self.features(x))


def _uniform(tensor: Tensor, limit: float, generator: torch.Generator) -> None:
    tensor.copy_(torch.empty(tensor.shape, dtype=tensor.dtype).uniform_(-limit, limit, generator=generator))


def _normal(tensor: Tensor, scale: float, generator: torch.Generator) -> None:
    tensor.copy_(torch.empty(tensor.shape, dtype=tensor.dtype).normal_(0.0, scale, generator=generator))
