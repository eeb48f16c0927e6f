"""Multi-layer perceptrons whose K members stand in one set of tensors.

With one member the tensors have no member axis, and the layers are the plain ones: ``addmm``. With K members parameters
have shape (K, ...), and inputs (K, b, p), or (b, p) where all members see the same rows.
"""

from itertools import pairwise
from math import pi, sqrt
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

Generators = tuple[torch.Generator, ...]
HUGE = 1e300  # scaled values are clipped here
ACTIVATIONS = {
    "identity": lambda x: x,
    "logistic": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "silu": F.silu,
    "softplus": F.softplus,
}


class FixedScaling(nn.Module):
    """(x - center) * factor, or a map by rank; then for `limit` the smooth clip z / sqrt(1 + (z / limit)^2).

    Nothing here learns, and every finite value has a finite image, unless `limit` is None.

    Parameters
    ----------
    center, factor : ndarray of shape (n_features,)
        Statistics of the training rows.

    limit : float or None
        Bound of the clipped values; None clips nothing.

    ranked : ndarray of shape (n_ranked,), default=()
        Columns that are mapped by rank; their factor does not count.

    knots, images : ndarray of shape (n_ranked, n_knots), default=()
        Values in increasing order, the last one repeated, and what they are mapped to: linear between them, constant
        outside.
    """

    center: Tensor
    factor: Tensor
    ranked: Tensor
    knots: Tensor
    images: Tensor

    def __init__(
        self,
        center: NDArray,
        factor: NDArray,
        limit: float | None,
        ranked: ArrayLike = (),
        knots: ArrayLike = (),
        images: ArrayLike = (),
    ) -> None:
        super().__init__()
        for name, values in (("center", center), ("factor", factor), ("knots", knots), ("images", images)):
            self.register_buffer(name, torch.from_numpy(np.asarray(values, dtype=np.float64)))
        self.register_buffer("ranked", torch.from_numpy(np.asarray(ranked, dtype=np.int64)))
        self.limit = limit

    def forward(self, X: Tensor) -> Tensor:
        z = (X - self.center).clamp(-HUGE, HUGE) * self.factor
        if len(self.ranked):
            z = z.index_copy(1, self.ranked, self._by_rank(X[:, self.ranked]))
        if self.limit is None:
            return z
        z = z.clamp(-HUGE, HUGE)  # inf / inf would be NaN
        return z / torch.hypot(torch.ones_like(z), z / self.limit)  # a square would overflow where z is huge

    def _by_rank(self, X: Tensor) -> Tensor:
        columns = X.T.contiguous()
        right = torch.searchsorted(self.knots, columns.detach(), right=True).clamp(1, self.knots.shape[1] - 1)
        x0, x1 = self.knots.gather(1, right - 1) / 2.0, self.knots.gather(1, right) / 2.0  # halved: a gap may overflow
        y0, y1 = self.images.gather(1, right - 1), self.images.gather(1, right)
        gap = x1 - x0
        share = ((columns / 2.0 - x0) / torch.where(gap > 0, gap, 1.0)).clamp(0.0, 1.0)
        return (y0 + share * (y1 - y0)).T


class PatchedScaling(nn.Module):
    """A scaling, and others of columns that were constant at first, less what they make of the constant.

    The constant is mapped to 0, as before, so that the function of the network is the same for all rows that have it.

    Parameters
    ----------
    first : FixedScaling
        Of all columns.

    later : list of (FixedScaling, ndarray of shape (n_columns,), ndarray of shape (n_columns,))
        Scalings of some columns, their places, their constants.
    """

    def __init__(self, first: FixedScaling, later: list[tuple[FixedScaling, NDArray, NDArray]]) -> None:
        super().__init__()
        self.first = first
        self.later = nn.ModuleList(scaling for scaling, _, _ in later)
        for i, (_, columns, origin) in enumerate(later):
            self.register_buffer(f"columns_{i}", torch.from_numpy(np.asarray(columns, dtype=np.int64)))
            self.register_buffer(f"origin_{i}", torch.from_numpy(np.asarray(origin, dtype=np.float64)))

    def forward(self, X: Tensor) -> Tensor:
        z = self.first(X)
        for i, scaling in enumerate(self.later):
            columns, origin = self.get_buffer(f"columns_{i}"), self.get_buffer(f"origin_{i}")
            z = z.index_copy(1, columns, scaling(X[:, columns]) - scaling(origin[None]))
        return z


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
    """Batch normalisation of (b, h), or of (K, b, h) member by member; a single row uses the stored statistics."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, n_features: int, n_members: int, dtype: torch.dtype) -> None:
        super().__init__()
        shape = (n_features,) if n_members == 1 else (n_members, n_features)
        self.weight, self.bias = (
            nn.Parameter(torch.ones(shape, dtype=dtype)),
            nn.Parameter(torch.zeros(shape, dtype=dtype)),
        )
        self.register_buffer("running_mean", torch.zeros(shape, dtype=dtype))
        self.register_buffer("running_var", torch.ones(shape, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        wide = x if x.ndim == 2 else x.transpose(0, 1).flatten(1)
        mean, var, weight, bias = (t.reshape(-1) for t in (self.running_mean, self.running_var, self.weight, self.bias))
        wide = F.batch_norm(wide, mean, var, weight, bias, training=self.training and len(wide) > 1)
        return wide if x.ndim == 2 else wide.reshape(-1, *self.weight.shape).transpose(0, 1)


class Dropout(nn.Module):
    """Zero each value with probability p, in training; each member draws from a generator of its own."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generators: Generators = ()

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        keep = 1.0 - self.p
        masks = [
            torch.rand(x.shape[-2:], dtype=x.dtype, device=x.device, generator=generator).lt_(keep).div_(keep)
            for generator in self.generators  # half the time of bernoulli_
        ]
        return x * (masks[0] if x.ndim == 2 else torch.stack(masks))


class PeriodicEmbedding(nn.Module):
    r"""Each feature beside learned periodic functions of it: :math:`x_j` and :math:`A_j \cos(f_j x_j + c_j)`.

    The embedding of Gorishniy et al. (2022) with the shift and the unmixed feature of Holzmüller et al. (2024). It
    starts small beside the feature, and its weights decay as those of the layers do: a target that is smooth in a
    feature is left to the feature itself.

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
        self.n_features, self.n_members, self.width, self.scale = n_features, n_members, width, scale
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
        What stands before the first layer.

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
        self.n_members, self.n_inputs = n_members, n_inputs
        self.activation = ACTIVATIONS[activation]
        self.embedding = None
        width = n_inputs
        if numeric_embedding == "periodic":
            self.embedding = PeriodicEmbedding(n_inputs, n_members, dtype)
            width *= self.embedding.width
        sizes = (width, *hidden_layer_sizes, n_outputs)
        self.linears = nn.ModuleList(Linear(a, b, n_members, dtype) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(BatchNorm(size, n_members, dtype) for size in hidden_layer_sizes if batch_norm)
        self.dropout = Dropout(dropout) if dropout > 0 else None

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
        """Return how many numbers of a row stand in memory at once in a forward pass without gradients."""
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
        """Return the last hidden layer, or what stands before the only one."""
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


def bounded(x: Tensor) -> Tensor:
    """Return inputs whose sums and squares in a network are finite, where a scaling without a clip left them huge."""
    bound = torch.finfo(x.dtype).max ** 0.4
    return x.clamp(-bound, bound)


class Predictor(nn.Module):
    """Raw rows to what is predicted: scaling, network, members combined, the target's own units.

    Parameters
    ----------
    scaling : nn.Module or None
        The first layer.

    network : nn.Module
        Its output has shape (n, units), or (K, n, units) for stacked members.

    combine : {"mean", "probabilities"}
        Members' outputs are averaged, or taken for logits whose probabilities are averaged: the logarithms of the means
        are logits again.

    center, scale : ndarray of shape (units,), optional
        Location and scale of the target.
    """

    center: Tensor | None
    scale: Tensor | None

    def __init__(
        self,
        scaling: nn.Module | None,
        network: nn.Module,
        combine: str,
        center: NDArray | None = None,
        scale: NDArray | None = None,
    ) -> None:
        super().__init__()
        self.scaling, self.network, self.combine = scaling, network, combine
        self.register_buffer("center", None if center is None else torch.from_numpy(np.asarray(center)))
        self.register_buffer("scale", None if scale is None else torch.from_numpy(np.asarray(scale)))

    def forward(self, X: Tensor) -> Tensor:
        outputs = self.network(bounded(X if self.scaling is None else self.scaling(X)))
        if outputs.ndim == 3:
            outputs = self._combined(outputs)
        if self.center is not None:
            outputs = outputs * self.scale + self.center
        return outputs.squeeze(-1) if outputs.shape[-1] == 1 else outputs

    def _combined(self, outputs: Tensor) -> Tensor:
        if self.combine == "mean":
            return outputs.mean(dim=0)
        if outputs.shape[-1] == 1:
            return F.logsigmoid(outputs).logsumexp(dim=0) - F.logsigmoid(-outputs).logsumexp(dim=0)
        return F.log_softmax(outputs, dim=-1).logsumexp(dim=0) - np.log(len(outputs))
