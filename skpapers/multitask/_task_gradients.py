"""The gradients of all tasks on one batch by one backward pass, and the step that combines them.

The network has shared layers and a linear last layer, whose outputs belong to one task each. The objective returns the
loss of each task. The last layer has no conflicts: its gradient is that of the summed losses. The shared layers get
the combination of `_gradient_vaccine.py`, Algorithm 1 of Wang et al. (ICLR 2021), in each group of parameters.

    z_l = x_l W_l + b_l,    x_{l+1} = a(z_l),    out = x_L W_L + b_L                                       (1)

with a the activation and dropout, which act on each value alone. Automatic differentiation gives the slopes a'(z_l) and
D = d(sum_t L_t) / d(out), in which an output enters the loss of its own task only. The rest of the backward pass is
written out for all tasks at once, which takes fewer operations than a vectorised walk through the graph:

    E_{t,L-1} = (D on the columns of t) W_L' * a'(z_{L-1}),    E_{t,l} = E_{t,l+1} W_{l+1}' * a'(z_l),      (2)
    d(L_t) / d(W_l) = x_l' E_{t,l},    d(L_t) / d(b_l) = column sums of E_{t,l}.                           (3)

An embedding of the features takes the derivatives of its values as one batch of vectors.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.modules import MLP, Linear
from skpapers._torch.steps import Batch, Gradient, Objective
from skpapers.multitask._gradient_vaccine import weights_of_groups

GRANULARITIES = ("whole", "layer", "matrix")
OUTPUTS = nn.Identity()
ORDERS_AT_ONCE = 64


def shared_parameters(network: MLP) -> dict[str, nn.Parameter]:
    """Return the parameters of all layers but the last, by name."""
    own = {id(parameter) for parameter in network.linears[-1].parameters()}
    return {name: parameter for name, parameter in network.named_parameters() if id(parameter) not in own}


def group_sizes(shared: dict[str, nn.Parameter], granularity: str) -> list[int]:
    """Return the number of parameters in each group; groups follow one another in the order of `shared`.

    Parameters
    ----------
    shared : dict of str to Parameter
        The shared parameters by name.

    granularity : {"whole", "layer", "matrix"}
        All parameters are one group; those of each layer; or each tensor alone.
    """
    group_of = {
        "whole": lambda name: "",
        "layer": lambda name: name.rpartition(".")[0],
        "matrix": lambda name: name,
    }[granularity]
    sizes: dict[str, int] = {}
    for name, parameter in shared.items():
        sizes[group_of(name)] = sizes.get(group_of(name), 0) + parameter.numel()
    return list(sizes.values())


class TaskGradients:
    """The gradients of all tasks on a batch, in memory that is used again in each step.

    Parameters
    ----------
    network : MLP
        Flattened, and without batch normalisation, which ties the rows together.

    columns : ndarray of bool of shape (m, n_outputs)
        Which outputs belong to a task.

    granularity : {"whole", "layer", "matrix"}
        See :func:`group_sizes`.

    Attributes
    ----------
    J : Tensor of shape (m, P)
        Row t is the gradient of task t for :func:`shared_parameters`, one after another.

    parts : list of Tensor of shape (m, ...)
        Views of J, one for each shared parameter.

    groups : tuple of Tensor of shape (m, ...)
        Views of J, one for each group of parameters.
    """

    def __init__(self, network: MLP, columns: NDArray[np.bool_], granularity: str) -> None:
        shared = shared_parameters(network)
        self.network = network
        linears: list[Linear] = list(network.linears)  # type: ignore[arg-type]
        self.layers = [(layer.weight.detach(), layer.bias.detach()) for layer in linears]
        self.last = linears[-1]
        self.columns = torch.from_numpy(columns[:, np.newaxis]).to(self.layers[0][0])
        self.J = self.columns.new_zeros(len(columns), sum(parameter.numel() for parameter in shared.values()))
        self.parts = _views(self.J, shared)
        sizes = group_sizes(shared, granularity)
        self.groups = self.J.split(sizes, dim=1)
        combined = torch.zeros_like(self.J[0])
        self.combined_groups = combined.split(sizes)
        self.combined_parts = _views(combined, shared)
        self.places: list[Tensor] = [parameter.grad for parameter in shared.values()]  # type: ignore[misc]

    def fill(self, objective: Objective, batch: Batch) -> Tensor:
        """Write the gradients of a batch to J, and those of the last layer to its ``.grad``.

        Parameters
        ----------
        objective : callable
            It returns the m losses, each of which depends on outputs of its own.

        batch : Batch
            Rows.

        Returns
        -------
        losses : Tensor of shape (m,)
        """
        embedding = self.network.embedding
        embedded = batch.X if embedding is None else embedding(batch.X)
        inputs, sums, values = self._hidden(embedded.detach())
        weight, bias = self.layers[-1]
        out = torch.addmm(bias, inputs[-1], weight).requires_grad_()
        losses = objective(OUTPUTS, batch.replace(X=out))
        ones = [torch.ones_like(x) for x in (losses, *values)]
        D, *slopes = torch.autograd.grad([losses, *values], [out, *sums], ones)
        torch.mm(inputs[-1].T, D, out=self.last.weight.grad)
        torch.sum(D, dim=0, out=self.last.bias.grad)
        E = self._shared(D * self.columns, inputs, slopes)
        if embedding is not None:
            parameters = list(embedding.parameters())
            found = torch.autograd.grad(embedded, parameters, E @ self.layers[0][0].T, is_grads_batched=True)
            for part, gradient in zip(self.parts, found, strict=False):
                part.copy_(gradient)
        return losses.detach()

    def _hidden(self, x: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return x_l of all layers, z_l of the hidden ones, and a(z_l) with the graph of a alone."""
        inputs = [x]
        sums = []
        values = []
        for weight, bias in self.layers[:-1]:
            z = torch.addmm(bias, inputs[-1], weight).requires_grad_()
            x = self.network.activation(z)
            x = x if self.network.dropout is None else self.network.dropout(x)
            sums.append(z)
            values.append(x)
            inputs.append(x.detach())
        return inputs, sums, values

    def _shared(self, E: Tensor, inputs: list[Tensor], slopes: list[Tensor]) -> Tensor:
        """Write the gradients of the hidden layers, and return E of the first."""
        parts = self.parts[::-1]  # biases before weights, the last layer first
        for number in range(len(slopes))[::-1]:
            E = (E @ self.layers[number + 1][0].T).mul_(slopes[number])  # (2)
            of_bias, of_weight = parts[:2]
            parts = parts[2:]
            torch.sum(E, dim=1, out=of_bias)  # (3)
            torch.bmm(inputs[number].T.expand(len(E), -1, -1), E, out=of_weight)
        return E

    def gramians(self) -> NDArray[np.float64]:
        """Return the products of the gradients in each group, of shape (n_groups, m, m)."""
        return torch.stack([J @ J.T for J in self.groups]).double().cpu().numpy()

    def combine(self, w: NDArray[np.float64]) -> None:
        """Write sum_t w_gt g_t of each group g to the ``.grad`` of the shared parameters; w has shape (n_groups, m)."""
        for J, weights, combined in zip(self.groups, torch.from_numpy(w).to(self.J), self.combined_groups, strict=True):
            torch.mv(J.T, weights, out=combined)
        torch._foreach_copy_(self.places, self.combined_parts)


def _views(flat: Tensor, parameters: dict[str, nn.Parameter]) -> list[Tensor]:
    """Return the part of each parameter in a tensor of shape (..., P), in the shape of the parameter."""
    parts = flat.split([parameter.numel() for parameter in parameters.values()], dim=-1)
    return [part.unflatten(-1, p.shape) for part, p in zip(parts, parameters.values(), strict=True)]


def vaccinated(
    columns: NDArray[np.bool_],
    *,
    granularity: str,
    beta: float,
    steps_per_epoch: int | None,
    memory: dict[str, Tensor],
) -> Gradient:
    """Return the gradient step of Gradient Vaccine; with `beta=0` that of PCGrad.

    Parameters
    ----------
    columns : ndarray of bool of shape (m, n_outputs)
        Which outputs belong to a task.

    granularity : {"whole", "layer", "matrix"}
        Which parameters are corrected together.

    beta : float
        Share of a measured cosine in its target.

    steps_per_epoch : int or None
        A new mean of the similarities starts after so many steps. None: there is one mean.

    memory : dict of str to Tensor
        What is remembered from step to step: the targets as "target_similarity", of shape (n_groups, m, m), and for
        each epoch sums and numbers of the cosines of all shared parameters before the correction, as "similarity_sum"
        and "similarity_count", of shape (n_epochs, m, m). "order_state" is the state of the generator before it drew
        orders, of which "order_used" were used.
    """
    record = _Record(memory, len(columns), steps_per_epoch)

    @cache  # the network is the same in all steps
    def gradients_of(network: MLP) -> TaskGradients:
        return TaskGradients(network, columns, granularity)

    def gradient(network: nn.Module, objective: Objective, batch: Batch) -> Tensor:
        assert isinstance(network, MLP)
        tasks = gradients_of(network)
        losses = tasks.fill(objective, batch)
        target = record.targets(len(tasks.groups))
        order = record.draw_order(batch.generators[0])
        tasks.combine(weights_of_groups(tasks.gramians(), target, order, beta, *record.similarities()))
        return losses

    return gradient


class _Record:
    """What is remembered, in a memory that a trainer saves; arrays share their storage with its tensors."""

    def __init__(self, memory: dict[str, Tensor], m: int, steps_per_epoch: int | None) -> None:
        self.memory = memory
        self.m = m
        self.steps_per_epoch = steps_per_epoch
        self.step = 0
        self.arrays: dict[str, NDArray] = {}
        self.generator: torch.Generator | None = None
        self.orders: NDArray[np.int64] = np.empty((0, m, m), dtype=np.int64)

    def targets(self, n_groups: int) -> NDArray[np.float64]:
        """Return the targets, which may be changed in place."""
        if "target_similarity" not in self.arrays:
            self._keep("target_similarity", self._remembered("target_similarity", n_groups))
        return self.arrays["target_similarity"]

    def similarities(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return sum and number of the cosines of this epoch, to which those of one step may be added in place."""
        if self.step == 0 or (self.steps_per_epoch is not None and self.step % self.steps_per_epoch == 0):
            for name in ("similarity_sum", "similarity_count"):
                before = self._remembered(name, 0)
                self._keep(name, np.concatenate([before, np.zeros((1, self.m, self.m))]))
        self.step += 1
        return self.arrays["similarity_sum"][-1], self.arrays["similarity_count"][-1]

    def draw_order(self, of_rows: torch.Generator) -> NDArray[np.int64]:
        """Return a random order of the tasks for each task.

        The generator is an own one, seeded as that of the rows: the order of the tasks then does not depend on the
        number of rows, and a row of weight 2 equals two rows. Orders are drawn for many steps at once; the state
        before them is remembered, and how many were used.
        """
        if self.generator is None:
            self.generator = torch.Generator().manual_seed(of_rows.initial_seed())
            if "order_state" in self.memory:
                self.generator.set_state(self.memory["order_state"].cpu())
            self._draw_orders(self.generator, int(self.memory.get("order_used", 0)))
        if self.arrays["order_used"] == ORDERS_AT_ONCE:
            self._draw_orders(self.generator, 0)
        order = self.orders[self.arrays["order_used"]]
        self.arrays["order_used"] += 1  # in place: the memory has the same array
        return order

    def _draw_orders(self, generator: torch.Generator, used: int) -> None:
        self.memory["order_state"] = generator.get_state()
        drawn = torch.rand(ORDERS_AT_ONCE, self.m, self.m, generator=generator, dtype=torch.float64)
        self.orders = np.argsort(drawn.numpy(), axis=2)
        self._keep("order_used", np.array(used))

    def _remembered(self, name: str, n: int) -> NDArray[np.float64]:
        """Return a copy of what is remembered, or zeros of shape (n, m, m)."""
        found = self.memory.get(name)
        return np.zeros((n, self.m, self.m)) if found is None else found.cpu().numpy().copy()

    def _keep(self, name: str, values: NDArray) -> None:
        self.arrays[name] = values
        self.memory[name] = torch.from_numpy(values)


def mean_similarities(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean cosines of each epoch; NaN where a pair was never seen."""
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
