"""The gradients of all tasks on one batch by one vectorised backward pass, and the step that combines them.

The network has shared layers and a linear last layer, whose outputs belong to one task each. The objective returns the
loss of each task. The last layer has no conflicts: its gradient is that of the summed losses. The shared layers get
the combination of `_gradient_vaccine.py`, Algorithm 1 of Wang et al. (ICLR 2021), in each group of parameters.

    out = h W + b,    D = d(sum_t L_t) / d(out),    d(L_t) / d(h) = (D on the columns of t) W'          (1)

One backward pass gives D for all tasks, since an output enters the loss of its own task only. The shared layers then
take the m derivatives in (1) as one batch of vectors, and the graph is walked once.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.modules import MLP, Linear
from skpapers._torch.steps import Batch, Gradient, Objective
from skpapers.multitask._gradient_vaccine import cosines, vaccinate, weights_of_gradients

GRANULARITIES = ("whole", "layer", "matrix")
OUTPUTS = nn.Identity()


def shared_parameters(network: MLP) -> dict[str, nn.Parameter]:
    """Return the parameters of all layers but the last, by name."""
    own = {id(parameter) for parameter in network.linears[-1].parameters()}
    return {name: parameter for name, parameter in network.named_parameters() if id(parameter) not in own}


def group_members(names: list[str], granularity: str) -> NDArray[np.float64]:
    """Return a matrix with a row for each group of parameters: 1 for its members, 0 for the others.

    Parameters
    ----------
    names : list of str
        Of the shared parameters.

    granularity : {"whole", "layer", "matrix"}
        All parameters are one group; those of each layer; or each tensor alone.
    """
    layer_of = {
        "whole": lambda name: "",
        "layer": lambda name: name.rpartition(".")[0],
        "matrix": lambda name: name,
    }[granularity]
    groups = [layer_of(name) for name in names]
    return np.array([[float(group == other) for group in groups] for other in dict.fromkeys(groups)])


def task_gradients(
    network: MLP, objective: Objective, batch: Batch, columns: Tensor, shared: list[nn.Parameter]
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Return the losses, the gradients of the last layer, and those of each task for the shared parameters.

    Parameters
    ----------
    network : MLP
        Its last layer is linear.

    objective : callable
        It returns the m losses, each of which depends on outputs of its own.

    batch : Batch
        Rows.

    columns : Tensor of shape (m, 1, n_outputs)
        1 where an output belongs to a task, 0 elsewhere.

    shared : list of Parameter
        The parameters of the other layers.

    Returns
    -------
    losses : Tensor of shape (m,)

    of_last : list of Tensor
        Weight and bias of the last layer, for the sum of the losses.

    of_shared : list of Tensor of shape (m, ...)
        For each shared parameter.
    """
    last: Linear = network.linears[-1]  # type: ignore[assignment]
    h = network.features(batch.X)
    out = last(h)
    losses = objective(OUTPUTS, batch.replace(X=out))
    D, *of_last = torch.autograd.grad(losses.sum(), [out, last.weight, last.bias], retain_graph=True)
    of_h = torch.matmul(D * columns, last.weight.detach().T)  # (1)
    found = torch.autograd.grad(h, shared, grad_outputs=of_h, is_grads_batched=True, materialize_grads=True)
    return losses.detach(), of_last, list(found)


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
    def parts_of(network: MLP) -> tuple[list[nn.Parameter], NDArray[np.float64]]:
        shared = shared_parameters(network)
        return list(shared.values()), group_members(list(shared), granularity)

    def gradient(network: nn.Module, objective: Objective, batch: Batch) -> Tensor:
        assert isinstance(network, MLP)
        shared, members = parts_of(network)
        losses, of_last, of_shared = task_gradients(network, objective, batch, mask.to(batch.X), shared)
        Js = [found.reshape(m, -1) for found in of_shared]
        gramians = torch.stack([J @ J.T for J in Js]).double().cpu().numpy()
        record.add(cosines(gramians.sum(axis=0))[0])
        S, lengths = cosines(np.tensordot(members, gramians, axes=1))
        C = vaccinate(S, record.targets(len(members)), record.draw_order(batch.generators[0]), beta)
        weights = torch.from_numpy(members.T @ weights_of_gradients(C, lengths)).to(batch.X)
        for parameter, J, w in zip(shared, Js, weights, strict=True):
            torch.mv(J.T, w, out=parameter.grad.view(-1))  # type: ignore[union-attr]
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
