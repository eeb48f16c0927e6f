"""The gradients of all tasks on one batch by one backward pass, and the step that combines them.

The network has shared layers and a linear last layer, whose outputs belong to one task each. The objective returns the
loss of each task. The last layer has no conflicts: its gradient is that of the summed losses. The shared layers get
the combination of `_gradient_vaccine.py`, Algorithm 1 of Wang et al. (ICLR 2021), in each group of parameters.

    z_l = x_l W_l + b_l,    x_{l+1} = a(z_l),    out = x_L W_L + b_L                                       (1)

with a the activation and dropout, which act on each value alone. Automatic differentiation gives D = d(sum_t L_t) / d(out),
in which an output enters the loss of its own task only, and the slopes a'(z_l). The rest of the backward pass is written
out, for all tasks at once, since the graph would be walked operation by operation:

    E_{t,L-1} = (D on the columns of t) W_L' * a'(z_{L-1}),    E_{t,l} = E_{t,l+1} W_{l+1}' * a'(z_l),      (2)
    d(L_t) / d(W_l) = x_l' E_{t,l},    d(L_t) / d(b_l) = column sums of E_{t,l}.                           (3)

An embedding of the features takes the derivatives of its values as one batch of vectors.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.modules import MLP
from skpapers._torch.steps import Batch, Gradient, Objective
from skpapers.multitask._gradient_vaccine import weights_of_parts

GRANULARITIES = ("whole", "layer", "matrix")
OUTPUTS = nn.Identity()


def shared_parameters(network: MLP) -> dict[str, nn.Parameter]:
    """Return the parameters of all layers but the last, by name."""
    own = {id(parameter) for parameter in network.linears[-1].parameters()}
    return {name: parameter for name, parameter in network.named_parameters() if id(parameter) not in own}


def group_numbers(names: list[str], granularity: str) -> NDArray[np.int64]:
    """Return the number of the group to which each parameter belongs.

    Parameters
    ----------
    names : list of str
        Of the shared parameters.

    granularity : {"whole", "layer", "matrix"}
        All parameters are one group; those of each layer; or each tensor alone.
    """
    group_of = {
        "whole": lambda name: "",
        "layer": lambda name: name.rpartition(".")[0],
        "matrix": lambda name: name,
    }[granularity]
    groups = [group_of(name) for name in names]
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.array([numbers[group] for group in groups], dtype=np.int64)


def task_gradients(
    network: MLP, objective: Objective, batch: Batch, columns: Tensor
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Return the losses, the gradients of the last layer, and those of each task for the shared parameters.

    Parameters
    ----------
    network : MLP
        Without batch normalisation, which ties the rows together.

    objective : callable
        It returns the m losses, each of which depends on outputs of its own.

    batch : Batch
        Rows.

    columns : Tensor of shape (m, 1, n_outputs)
        1 where an output belongs to a task, 0 elsewhere.

    Returns
    -------
    losses : Tensor of shape (m,)

    of_last : list of Tensor
        Weight and bias of the last layer, for the sum of the losses.

    of_shared : list of Tensor of shape (m, ...)
        For each of :func:`shared_parameters`.
    """
    *hidden, last = network.linears
    embedded = batch.X if network.embedding is None else network.embedding(batch.X)
    inputs = [embedded.detach()]
    sums = []
    values = []
    for layer in hidden:
        z = _linear(layer, inputs[-1]).requires_grad_()
        x = network.activation(z)
        x = x if network.dropout is None else network.dropout(x)
        sums.append(z)
        values.append(x)
        inputs.append(x.detach())
    out = _linear(last, inputs[-1]).requires_grad_()
    losses = objective(OUTPUTS, batch.replace(X=out))
    ones = [torch.ones_like(x) for x in (losses, *values)]
    D, *slopes = torch.autograd.grad([losses, *values], [out, *sums], ones)
    of_last = [inputs[-1].T @ D, D.sum(dim=0)]
    E = D * columns
    of_shared: list[Tensor] = []
    for layer, after, x, slope in zip(hidden[::-1], network.linears[:0:-1], inputs[-2::-1], slopes[::-1], strict=True):
        E = (E @ after.weight.detach().T).mul_(slope)  # (2)
        of_shared = [torch.matmul(x.T, E), E.sum(dim=1), *of_shared]  # (3)
    if network.embedding is not None:
        of_values = E @ network.linears[0].weight.detach().T
        parameters = list(network.embedding.parameters())
        of_shared = [*torch.autograd.grad(embedded, parameters, of_values, is_grads_batched=True), *of_shared]
    return losses.detach(), of_last, of_shared


def _linear(layer: nn.Module, x: Tensor) -> Tensor:
    return torch.addmm(layer.bias.detach(), x, layer.weight.detach())


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
        and "similarity_count", of shape (n_epochs, m, m); and the state of the generator of orders, "order_state".
    """
    m = len(columns)
    mask = torch.from_numpy(columns[:, np.newaxis])
    record = _Record(memory, m, steps_per_epoch)

    @cache  # the network is the same in all steps
    def shared_of(network: MLP) -> tuple[list[Tensor], NDArray[np.int64]]:
        shared = shared_parameters(network)
        return [parameter.grad.view(-1) for parameter in shared.values()], group_numbers(list(shared), granularity)

    def gradient(network: nn.Module, objective: Objective, batch: Batch) -> Tensor:
        assert isinstance(network, MLP)
        places, group_of = shared_of(network)
        losses, of_last, of_shared = task_gradients(network, objective, batch, mask.to(batch.X))
        Js = [found.view(m, -1) for found in of_shared]
        gramians = torch.stack([J @ J.T for J in Js]).double().cpu().numpy()
        target = record.targets(group_of[-1] + 1)
        w, S = weights_of_parts(gramians, group_of, target, record.draw_order(batch.generators[0]), beta)
        record.add(S)
        for place, J, weights in zip(places, Js, torch.from_numpy(w).to(batch.X), strict=True):
            torch.mv(J.T, weights, out=place)
        for parameter, found in zip(network.linears[-1].parameters(), of_last, strict=True):
            parameter.grad.copy_(found)  # type: ignore[union-attr]
        return losses

    return gradient


class _Record:
    """What is remembered, in a memory that a trainer saves; arrays share their storage with its tensors."""

    def __init__(self, memory: dict[str, Tensor], m: int, steps_per_epoch: int | None) -> None:
        self.memory = memory
        self.m = m
        self.steps_per_epoch = steps_per_epoch
        self.step = 0
        self.arrays: dict[str, NDArray[np.float64]] = {}
        self.generator: torch.Generator | None = None

    def targets(self, n_groups: int) -> NDArray[np.float64]:
        """Return the targets, which may be changed in place."""
        if "target_similarity" not in self.arrays:
            self._keep("target_similarity", self._remembered("target_similarity", n_groups))
        return self.arrays["target_similarity"]

    def add(self, S: NDArray[np.float64]) -> None:
        """Count the cosines of one step; those of a gradient without a direction do not count."""
        if self.step == 0 or (self.steps_per_epoch is not None and self.step % self.steps_per_epoch == 0):
            for name in ("similarity_sum", "similarity_count"):
                before = self._remembered(name, 0)
                self._keep(name, np.concatenate([before, np.zeros((1, self.m, self.m))]))
        known = ~np.isnan(S)
        self.arrays["similarity_sum"][-1] += np.where(known, S, 0.0)
        self.arrays["similarity_count"][-1] += known
        self.step += 1

    def draw_order(self, of_rows: torch.Generator) -> NDArray[np.int64]:
        """Return a random order of the tasks for each task.

        The generator is an own one, seeded as that of the rows: the order of the tasks then does not depend on the
        number of rows, and a row of weight 2 equals two rows.
        """
        if self.generator is None:
            self.generator = torch.Generator().manual_seed(of_rows.initial_seed())
            if "order_state" in self.memory:
                self.generator.set_state(self.memory["order_state"].cpu())
        drawn = torch.rand(self.m, self.m, generator=self.generator, dtype=torch.float64)
        self.memory["order_state"] = self.generator.get_state()
        return np.argsort(drawn.numpy(), axis=1)

    def _remembered(self, name: str, n: int) -> NDArray[np.float64]:
        """Return a copy of what is remembered, or zeros of shape (n, m, m)."""
        found = self.memory.get(name)
        return np.zeros((n, self.m, self.m)) if found is None else found.cpu().numpy().copy()

    def _keep(self, name: str, values: NDArray[np.float64]) -> None:
        self.arrays[name] = values
        self.memory[name] = torch.from_numpy(values)


def mean_similarities(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean cosines of each epoch; NaN where a pair was never seen."""
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
