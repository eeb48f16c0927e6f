r"""Sharpness-aware minimisation (Foret et al. 2021), as a gradient of the training loop.

With L_B the mean loss of a batch B, :math:`\rho` the radius and w all weights in one vector, the paper minimises

.. math:: \max_{\|e\|_2 \le \rho} L_B(w + e) \qquad\text{(Eq. 1, p = 2)}.

==================================  ==========================================================================
Step of Algorithm 1                 Function
==================================  ==========================================================================
Sample a batch B                    :meth:`skpapers._torch.training.Trainer.run_epoch`
Gradient of L_B at w                `inner`, the first call in :func:`sharpness_aware`
Worst point w + e(w), Eq. 2         :func:`perturb`
Gradient of L_B at w + e(w), Eq. 3  `inner`, the second call; the weights are then restored bit for bit
Step of the base optimiser          :func:`skpapers._torch.steps.apply_step`, with the gradient of Eq. 3
==================================  ==========================================================================

The adaptive variant (ASAM, Kwon et al. 2021) measures the radius relative to each weight; it changes `perturb` alone.
:class:`skpapers.neural_network.SAM` is the same algorithm as an optimiser for custom training loops.
"""

import torch
from torch import Tensor, nn

from skpapers._torch.flat import blocks
from skpapers._torch.steps import Batch, Gradient, Objective, backward

TINY = 1e-12  # keeps a zero gradient from dividing by zero


@torch.no_grad()
def perturb(weights: list[Tensor], gradients: list[Tensor], rho: float, adaptive: bool) -> None:
    r"""Move the weights to the worst point around them, to first order (Eq. 2; adaptive: Kwon et al. 2021).

    .. math:: w + \rho \, g / \|g\|_2, \qquad\text{adaptive:}\quad w + \rho \, w^2 g / \| w g \|_2.

    Each row of the tensors, a stacked member, has a norm of its own.
    """
    scaled = [w.abs() * g for w, g in zip(weights, gradients, strict=True)] if adaptive else gradients
    norms = [torch.linalg.vector_norm(s, dim=1, keepdim=True) for s in scaled]
    norm = norms[0] if len(norms) == 1 else torch.stack(norms).square().sum(dim=0).sqrt()
    factor = rho / (norm + TINY)
    for w, g in zip(weights, gradients, strict=True):
        w.add_((w.square() * g if adaptive else g) * factor)


def sharpness_aware(rho: float, adaptive: bool = False, inner: Gradient = backward) -> Gradient:
    """Return the gradient at the worst point within `rho` of the weights; with `rho=0` the inner gradient itself.

    Both passes see the same rows, masks and mixed partners. Buffers, the running statistics of batch normalisation
    among them, keep what the first pass made of them.
    """
    if rho == 0:
        return inner

    def gradient(network: nn.Module, objective: Objective, batch: Batch) -> Tensor:
        state = batch.random_state()
        losses = inner(network, objective, batch)
        weights = [block.data for block in blocks(network)]
        saved = [w.clone() for w in weights]
        buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
        perturb(weights, [block.grad for block in blocks(network)], rho, adaptive)  # type: ignore[misc]
        batch.rewind(state)
        inner(network, objective, batch)
        for tensor, value in (*zip(weights, saved, strict=True), *buffers):
            tensor.copy_(value)
        return losses

    return gradient
