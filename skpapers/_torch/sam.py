"""Sharpness-aware minimisation: the step of Foret et al. (2021), as a gradient of the loop and as a torch optimiser."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.module import register_module_forward_pre_hook

from skpapers._torch.training import Batch, Gradient, Objective, backward, blocks

TINY = 1e-12  # keeps a zero gradient from dividing by zero


@torch.no_grad()
def perturb(weights: list[Tensor], gradients: list[Tensor], rho: float, adaptive: bool, dim: int | None) -> None:
    r"""Move the weights to the worst point around them, to first order (Eq. 2; adaptive: Kwon et al. 2021).

    .. math:: w + \rho \, g / \|g\|_2, \qquad\text{adaptive:}\quad w + \rho \, w^2 g / \| w g \|_2.

    One norm over all tensors: `dim=None`; with `dim=1` each row of the tensors, a stacked member, has its own.
    """
    scaled = [w.abs() * g for w, g in zip(weights, gradients, strict=True)] if adaptive else gradients
    norms = [torch.linalg.vector_norm(s, dim=dim, keepdim=dim is not None) for s in scaled]
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
        perturb(weights, [block.grad for block in blocks(network)], rho, adaptive, dim=1)  # type: ignore[misc]
        batch.rewind(state)
        inner(network, objective, batch)
        for tensor, value in (*zip(weights, saved, strict=True), *buffers):
            tensor.copy_(value)
        return losses

    return gradient


class SAM(torch.optim.Optimizer):
    r"""Sharpness-aware minimisation around any optimiser of torch.

    For your own training loops: a step looks for weights whose whole neighbourhood has a low loss, which costs a
    second forward and backward pass. The estimators :class:`SAMMLPClassifier` and :class:`SAMMLPRegressor` have it
    built in.

    Parameters
    ----------
    base_optimizer : torch.optim.Optimizer
        The optimiser that applies the gradient found; its parameter groups are this one's, so that learning-rate
        schedulers work on either.

    rho : float, default=0.05
        Radius of the neighbourhood in the norm of all parameters together, :math:`\rho` in the paper; 0.5 to 2 with
        `adaptive`. 0 is the base optimiser itself.

    adaptive : bool, default=False
        Measure the neighbourhood relative to each weight (ASAM).

    See Also
    --------
    SAMMLPClassifier : Networks trained with it.

    Notes
    -----
    :math:`\min_w \max_{\|e\|_2 \le \rho} L(w + e)`, with the inner maximum to first order at
    :math:`e = \rho\, g / (\|g\|_2 + 10^{-12})`: the closure runs once at w and once at w + e, then w is restored bit
    for bit and the base optimiser takes a step with the second gradient. Weight decay and momentum are the base
    optimiser's, and see nothing of the perturbation.

    Both runs of the closure draw the same dropout masks, and batch normalisation keeps the running statistics of the
    first. The generator of torch stands afterwards where one run of the closure leaves it.

    References
    ----------
    .. [1] P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, "Sharpness-Aware Minimization for Efficiently Improving
       Generalization", ICLR 2021. https://arxiv.org/abs/2010.01412.
       Official code: https://github.com/google-research/sam

    Examples
    --------
    >>> import torch
    >>> from skpapers.neural_network import SAM
    >>> w = torch.nn.Parameter(torch.tensor([2.0, 1.0]))
    >>> optimizer = SAM(torch.optim.SGD([w], lr=0.1), rho=0.5)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (w**2).sum() / 2
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure)
    tensor(2.5000, grad_fn=<DivBackward0>)
    >>> w.data
    tensor([1.7553, 0.8776])
    """

    def __init__(self, base_optimizer: torch.optim.Optimizer, rho: float = 0.05, adaptive: bool = False) -> None:
        if not rho >= 0:
            raise ValueError(f"rho must not be negative, got {rho}.")
        super().__init__(base_optimizer.param_groups, {})
        self.base_optimizer, self.rho, self.adaptive = base_optimizer, rho, adaptive
        self.param_groups = base_optimizer.param_groups  # the same list: a scheduler of either moves both
        self.state = base_optimizer.state

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step.

        Parameters
        ----------
        closure : callable
            Clears the gradients, evaluates the loss, calls `backward` and returns the loss. It runs twice, once if
            `rho` is 0.

        Returns
        -------
        loss : object
            What the first run of the closure returned.
        """
        if closure is None:
            raise ValueError("SAM evaluates the loss twice: step needs a closure that clears, computes and returns it.")
        run = torch.enable_grad()(closure)
        if self.rho == 0:
            loss = run()
            self.base_optimizer.step()
            return loss
        devices = {p.device for group in self.param_groups for p in group["params"] if p.device.type != "cpu"}
        states = [(device, _random_state(device)) for device in (torch.device("cpu"), *devices)]
        loss = run()
        learning = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        weights = [p.data for p in learning]
        saved = [w.clone() for w in weights]
        perturb(weights, [p.grad for p in learning], self.rho, self.adaptive, dim=None)
        for device, state in states:
            _set_random_state(device, state)
        try:
            with kept_statistics():
                run()
        finally:
            for w, value in zip(weights, saved, strict=True):
                w.copy_(value)
        self.base_optimizer.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the base optimiser: there is no other.

        Returns
        -------
        state : dict
            As the base optimiser gives it.
        """
        return self.base_optimizer.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of the base optimiser.

        Parameters
        ----------
        state_dict : dict
            What `state_dict` returned.
        """
        self.base_optimizer.load_state_dict(state_dict)
        self.param_groups, self.state = self.base_optimizer.param_groups, self.base_optimizer.state


def _random_state(device: torch.device) -> Tensor:
    return torch.get_rng_state() if device.type == "cpu" else torch.get_device_module(device).get_rng_state(device)


def _set_random_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cpu":
        torch.set_rng_state(state)
    else:
        torch.get_device_module(device).set_rng_state(state, device)


@contextmanager
def kept_statistics() -> Iterator[None]:
    """Undo what forward passes of this thread do to the running statistics of normalisation layers of torch."""
    thread = threading.get_ident()
    saved: dict[Tensor, Tensor] = {}

    def save(module: nn.Module, _: Any) -> None:
        if isinstance(module, _NormBase) and module.training and threading.get_ident() == thread:
            for buffer in module.buffers(recurse=False):
                saved.setdefault(buffer, buffer.clone())

    handle = register_module_forward_pre_hook(save)
    try:
        yield
    finally:
        handle.remove()
        for buffer, value in saved.items():
            buffer.copy_(value)
