"""Sharpness-aware minimisation (Foret et al. 2021) as a torch optimiser, for custom training loops."""

import inspect
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf, isfinite
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.module import register_module_forward_pre_hook

from skpapers._torch.sam import TINY


class SAM(torch.optim.Optimizer):
    r"""Sharpness-aware minimisation that wraps any torch optimiser.

    Use it in your own training loops. A step looks for weights whose whole neighbourhood has a low loss. This costs a
    second forward and backward pass. The estimators :class:`SAMMLPClassifier` and :class:`SAMMLPRegressor` have it
    built in.

    Parameters
    ----------
    base_optimizer : torch.optim.Optimizer
        The optimiser that applies the gradient. Parameter groups and state are shared with it, so that learning-rate
        schedulers work on either.

    rho : float, default=0.05
        Radius of the neighbourhood in the norm of all parameters together, :math:`\rho` in the paper; 0.5 to 2 with
        `adaptive`. With 0 a step is one of the base optimiser. A parameter group may set its own radius as its entry
        "rho".

    adaptive : bool, default=False
        Measure the neighbourhood relative to each weight (ASAM). A parameter group may set its own entry "adaptive".

    Attributes
    ----------
    base_optimizer : torch.optim.Optimizer
        The optimiser given.

    param_groups : list of dict
        The groups of the base optimiser, with the entries "rho" and "adaptive". If the base optimiser has an option of
        that name (Adadelta has a rho), the entry is "sam_rho".

    state : dict
        The state of the base optimiser.

    defaults : dict
        The default options of the base optimiser, and `rho` and `adaptive`.

    See Also
    --------
    SAMMLPClassifier : Networks trained with it.

    Notes
    -----
    :math:`\min_w \max_{\|e\|_2 \le \rho} L(w + e)`, with the inner maximum to first order at
    :math:`e = \rho\, g / (\|g\|_2 + 10^{-12})`: the closure runs once at w and once at w + e, then w is restored bit
    for bit and the base optimiser takes a step with the second gradient. Weight decay and momentum are the base
    optimiser's, and the perturbation does not affect them. Groups with ``maximize=True`` move by :math:`-e`, to where
    their objective is smallest. If a gradient contains NaN or infinity, no weight is perturbed.

    The norm is taken over all groups together, and each group moves by its own radius. The norm is accumulated in
    float32, or in the dtype of the gradient if that is wider.

    Both runs of the closure draw the same dropout masks, and batch normalisation keeps the running statistics of the
    first. Torch's random generator ends in the state that one run of the closure leaves. Callers of `first_step` and
    `second_step` see to both themselves.

    An optimiser that evaluates the closure itself, such as LBFGS, compares losses and gradients at several points. The
    gradient at w + e is not the gradient of the loss at any of them. Such an optimiser is refused unless `rho` is 0.

    References
    ----------
    .. [1] P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, "Sharpness-Aware Minimization for Efficiently Improving
       Generalization", ICLR 2021. https://arxiv.org/abs/2010.01412.
       Official code: https://github.com/google-research/sam
    .. [2] J. Kwon, J. Kim, H. Park, I. K. Choi, "ASAM: Adaptive Sharpness-Aware Minimization for Scale-Invariant
       Learning of Deep Neural Networks", ICML 2021. https://arxiv.org/abs/2102.11600

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

    Without a closure, here with gradients accumulated over two batches:

    >>> def accumulate():
    ...     for x in torch.tensor([[1.0, 0.0], [0.0, 1.0]]):
    ...         (((w - x) ** 2).sum() / 4).backward()
    >>> optimizer.zero_grad()
    >>> accumulate()
    >>> optimizer.first_step(zero_grad=True)
    >>> accumulate()
    >>> optimizer.second_step(zero_grad=True)
    >>> w.data
    tensor([1.5819, 0.8255])

    With mixed precision. The scaler unscales the gradients of an optimiser only once per update, so the gradients of
    the first pass are unscaled through the base optimiser. If a gradient overflows, `step` only restores the weights:

    >>> scaler = torch.amp.GradScaler("cpu")
    >>> scaler.scale((w**2).sum() / 2).backward()
    >>> scaler.unscale_(optimizer.base_optimizer)
    >>> optimizer.first_step(zero_grad=True)
    >>> scaler.scale((w**2).sum() / 2).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> w.data
    tensor([1.3794, 0.7198])
    """

    base_optimizer: torch.optim.Optimizer

    # GradScaler then calls `step` even if a gradient overflowed, which lets `step` restore the weights
    _step_supports_amp_scaling = True

    def __init__(self, base_optimizer: torch.optim.Optimizer, rho: float = 0.05, adaptive: bool = False) -> None:
        if not isinstance(base_optimizer, torch.optim.Optimizer) or isinstance(base_optimizer, SAM):
            raise TypeError(
                "base_optimizer must be an optimiser of torch other than SAM, such as "
                f"torch.optim.SGD(model.parameters(), lr=0.1), got {base_optimizer!r}."
            )
        # The base optimiser holds groups and state. __setstate__ does the rest of torch's __init__, as for a copy.
        self.__setstate__({"base_optimizer": base_optimizer, "defaults": dict(base_optimizer.defaults)})
        self.defaults |= {self._keys["rho"]: _checked_rho(rho), self._keys["adaptive"]: bool(adaptive)}
        for group in self.param_groups:
            _checked_rho(group.get(self._keys["rho"], rho))
        self._fill_groups(replace=True)

    def __getstate__(self) -> dict[str, Any]:
        return {"base_optimizer": self.base_optimizer, "defaults": self.defaults, "_moved": self._moved}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._moved: list[tuple[Tensor, Tensor]] | None = None  # parameters that first_step moved, and old values
        super().__setstate__(state)
        taken = self.base_optimizer.defaults
        self._keys = {option: f"sam_{option}" if option in taken else option for option in ("rho", "adaptive")}
        closure = inspect.signature(self.base_optimizer.step).parameters.get("closure")
        self._base_needs_closure = closure is not None and closure.default is inspect.Parameter.empty

    def __repr__(self) -> str:
        name = type(self).__name__
        return super().__repr__().replace(f"{name} (", f"{name} around {type(self.base_optimizer).__name__} (", 1)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The parameter groups of the base optimiser."""
        return self.base_optimizer.param_groups

    @param_groups.setter
    def param_groups(self, groups: list[dict[str, Any]]) -> None:
        self.base_optimizer.param_groups = groups

    @property
    def state(self) -> defaultdict[Tensor, Any]:
        """The state of the base optimiser."""
        return self.base_optimizer.state

    @state.setter
    def state(self, state: defaultdict[Tensor, Any]) -> None:
        self.base_optimizer.state = state

    @property
    def rho(self) -> float:
        """The default radius of parameter groups. Setting it changes the radius of all groups."""
        return self.defaults[self._keys["rho"]]

    @rho.setter
    def rho(self, rho: float) -> None:
        self._set_all("rho", _checked_rho(rho))

    @property
    def adaptive(self) -> bool:
        """Whether the neighbourhood is relative by default. Setting it changes all groups."""
        return self.defaults[self._keys["adaptive"]]

    @adaptive.setter
    def adaptive(self, adaptive: bool) -> None:
        self._set_all("adaptive", bool(adaptive))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group. Options that it lacks get their default values.

        Parameters
        ----------
        param_group : dict
            The parameters and options of the group.
        """
        if isinstance(param_group, dict):
            _checked_rho(param_group.get(self._keys["rho"], self.rho))
        self.base_optimizer.add_param_group(param_group)
        self._fill_groups()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step.

        Parameters
        ----------
        closure : callable
            Clears the gradients, evaluates the loss, calls `backward` and returns the loss. It runs twice, once if
            `rho` is 0. Leave it out only after `first_step`: the call is then the same as `second_step`.

        Returns
        -------
        loss : object
            The result of the first run of the closure. If either run raises an error, the weights are restored.

        Raises
        ------
        RuntimeError
            If the closure leaves no gradient, or is given after `first_step`.

        TypeError
            If the base optimiser evaluates the closure itself, and `rho` is not 0.

        ValueError
            If no closure is given and `first_step` was not called.
        """
        try:
            with torch.inference_mode(False):  # state made in inference mode could not be updated outside of it
                return self._step_once() if closure is None else self._step_with(closure)
        except BaseException:
            for name in ("found_inf", "grad_scale"):  # set by a GradScaler, which deletes them after success only
                self.__dict__.pop(name, None)
            raise

    def first_step(self, zero_grad: bool = False) -> None:
        """Move the weights to the worst point around them, by the current gradients.

        `first_step` and `second_step` together are one `step`, for training loops without a closure. In between, clear
        the gradients and compute them again on the same rows. With `rho=0` the weights do not move.

        Parameters
        ----------
        zero_grad : bool, default=False
            Whether to clear the gradients afterwards.

        Raises
        ------
        RuntimeError
            If there is no gradient, or `second_step` did not follow the previous `first_step`.

        TypeError
            If the base optimiser evaluates a closure itself, and `rho` is not 0.
        """
        if self._moved is not None:
            raise RuntimeError("first_step was called already: call second_step or restore before calling it again.")
        try:
            with torch.inference_mode(False):
                self._perturbs()
                self._move()
        except BaseException:
            self.restore()
            raise
        if zero_grad:
            self.zero_grad()

    def second_step(self, zero_grad: bool = False) -> None:
        """Restore the weights bit for bit, and let the base optimiser apply the gradients of the worst point.

        Parameters
        ----------
        zero_grad : bool, default=False
            Whether to clear the gradients afterwards.

        Raises
        ------
        RuntimeError
            If `first_step` was not called before.
        """
        if self._moved is None:
            raise RuntimeError("second_step needs first_step before it.")
        self.step()
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def restore(self) -> None:
        """Undo `first_step` without taking a step, for example after an error in the second pass."""
        for parameter, value in self._moved or ():
            parameter.copy_(value)
        self._moved = None

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the base optimiser, with `rho` and `adaptive` in its parameter groups.

        Returns
        -------
        state : dict
            In the format of the base optimiser.
        """
        for before in self._optimizer_state_dict_pre_hooks.values():
            before(self)
        self._fill_groups()
        state = self.base_optimizer.state_dict()
        for after in self._optimizer_state_dict_post_hooks.values():
            state = _or(after(self, state), state)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state of this optimiser, or one of the base optimiser, which leaves `rho` and `adaptive` unchanged.

        Parameters
        ----------
        state_dict : dict
            The result of `state_dict`.
        """
        state_dict = state_dict.copy()
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            state_dict = _or(before(self, state_dict), state_dict)
        self._fill_groups()
        present = [{key: group[key] for key in self._keys.values()} for group in self.param_groups]
        self.base_optimizer.load_state_dict(state_dict)
        for group, options in zip(self.param_groups, present, strict=True):
            for key, value in options.items():
                group.setdefault(key, value)
        for after in self._optimizer_load_state_dict_post_hooks.values():
            after(self)

    # Options of the groups -------------------------------------------------------------------------------------------

    def _set_all(self, option: str, value: Any) -> None:
        for options in (self.defaults, *self.param_groups):
            options[self._keys[option]] = value

    def _fill_groups(self, replace: bool = False) -> None:
        """Fill in missing options of groups; with `replace` also those filled in by an earlier SAM on the same base."""
        filled: set[tuple[int, str]] = self.base_optimizer.__dict__.setdefault("_filled_by_sam", set())
        for i, group in enumerate(self.param_groups):
            for key in self._keys.values():
                if key not in group or (replace and (i, key) in filled):
                    group[key] = self.defaults[key]
                    filled.add((i, key))

    # A step ----------------------------------------------------------------------------------------------------------

    def _perturbs(self) -> bool:
        """Return whether any group has a radius, or raise an error if the base optimiser does not support one."""
        self._fill_groups()
        radius = next((group[self._keys["rho"]] for group in self.param_groups if group[self._keys["rho"]] != 0), 0)
        if radius and self._base_needs_closure:
            name = type(self.base_optimizer).__name__
            raise TypeError(
                f"{name} evaluates the closure itself and compares the losses of several points, which SAM would "
                f"change. It works only with rho=0, as plain {name}; got rho={radius}."
            )
        return bool(radius)

    def _step_once(self) -> Any:
        """Apply the current gradients, which after `first_step` are those of the worst point."""
        if self._moved is not None:
            self.restore()
        elif self._perturbs():
            raise ValueError(
                "SAM evaluates the loss twice: give step a closure that clears the gradients, computes the loss, calls "
                "backward and returns the loss, or call first_step before step."
            )
        return self._apply()

    def _step_with(self, closure: Callable[[], Any]) -> Any:
        """Run the closure at the weights and at the worst point around them, and let the base optimiser step."""
        if "found_inf" in vars(self):
            raise RuntimeError("GradScaler takes no closure: call first_step, then scaler.step without a closure.")
        if self._moved is not None:
            raise RuntimeError("first_step was called: call second_step or restore before step with a closure.")
        if not self._perturbs():
            return self.base_optimizer.step(closure)
        run = torch.enable_grad()(closure)
        devices = {p.device for group in self.param_groups for p in group["params"] if p.device.type != "cpu"}
        states = [(device, _random_state(device)) for device in (torch.device("cpu"), *devices)]
        loss = run()
        try:
            self._move()
            for device, state in states:
                _set_random_state(device, state)
            with kept_statistics():
                run()
        finally:
            self.restore()
        self.base_optimizer.step()
        return loss

    @torch.no_grad()
    def _move(self) -> None:
        """Move the weights to the worst point around them, and keep their old values."""
        learning = [(p, group) for group in self.param_groups for p in group["params"] if p.grad is not None]
        if not learning:
            raise RuntimeError(
                "No parameter has a gradient: compute the loss from the optimiser's parameters and call its backward."
            )
        moves = [_Move(p, p.grad, self._signed_radius(group), group[self._keys["adaptive"]]) for p, group in learning]
        norm = _joint_norm([move.norm() for move in moves])
        if norm == inf and (largest := max(move.largest() for move in moves)) < inf:
            # the squares overflowed, and a common factor of all gradients does not change the direction
            for move in moves:
                move.gradient = move.gradient / largest
            norm = _joint_norm([move.norm() for move in moves])
        moves = [move for move in moves if move.radius != 0]
        self._moved = [(move.parameter, move.parameter.clone()) for move in moves]
        if isfinite(norm):  # else the gradient has no direction
            for move in moves:
                move.apply(norm)

    def _signed_radius(self, group: dict[str, Any]) -> float:
        """Return the radius of a group, negative if the group maximises its objective."""
        return -group[self._keys["rho"]] if group.get("maximize", False) else group[self._keys["rho"]]

    @torch.no_grad()
    def _apply(self) -> Any:
        """Let the base optimiser step, unless the calling GradScaler found an infinite gradient."""
        found_inf = getattr(self, "found_inf", None)
        if found_inf is not None and found_inf.item():
            return None
        scale = getattr(self, "grad_scale", None)
        if scale is not None:
            inverse = scale.double().reciprocal().float()
            for gradient in (p.grad for group in self.param_groups for p in group["params"] if p.grad is not None):
                gradient.mul_(inverse.to(gradient.device))
        return self.base_optimizer.step()


def _checked_rho(rho: float) -> float:
    if not (isinstance(rho, Real) and 0 <= rho < inf):
        raise ValueError(f"rho must be finite and not negative, got {rho!r}.")
    return float(rho)  # a NumPy scalar in a state_dict could not be loaded with weights_only=True


class _Move:
    r"""The move of a parameter to the worst point, to first order.

    It is :math:`\rho g / \|g\|_2` (Eq. 2), or :math:`\rho w^2 g / \|w g\|_2` if adaptive (Kwon et al. 2021).
    """

    def __init__(self, parameter: Tensor, gradient: Tensor, radius: float, adaptive: bool) -> None:
        self.parameter = parameter
        self.gradient = gradient.coalesce() if gradient.is_sparse else gradient
        self.radius = radius
        self.adaptive = adaptive

    def _numbers(self) -> tuple[Tensor, Tensor]:
        """Return the real numbers of the parameter that have a gradient, and those of the gradient."""
        w = self.parameter
        g = self.gradient
        if g.is_sparse:
            return w.sparse_mask(g).values() if self.adaptive else w, _wide(g.values())
        return (torch.view_as_real(w), _wide(torch.view_as_real(g))) if w.is_complex() else (w, _wide(g))

    def largest(self) -> float:
        """Return the largest absolute value of the gradient."""
        return torch.linalg.vector_norm(self._numbers()[1], inf).item()

    def norm(self) -> Tensor:
        """Return the norm of the gradient, or of its product with the weights if adaptive."""
        w, g = self._numbers()
        return torch.linalg.vector_norm(_wide(w).abs() * g if self.adaptive else g)

    def apply(self, norm: float) -> None:
        """Move the parameter, given the norm of all gradients together."""
        w, g = self._numbers()
        e = _wide(w).square() * g if self.adaptive else g
        if self.gradient.is_sparse:
            w = self.parameter
            e = torch.sparse_coo_tensor(self.gradient.indices(), e, w.shape, check_invariants=False)
        w.add_(e, alpha=self.radius / (norm + TINY))


def _wide(tensor: Tensor) -> Tensor:
    """Return float16 and bfloat16 as float32, in which their squares neither overflow nor vanish."""
    return tensor.float() if tensor.dtype.itemsize < 4 else tensor


def _joint_norm(norms: list[Tensor]) -> float:
    """Return the norm of tensors that have these norms, on any devices."""
    device = norms[0].device
    dtype = max((norm.dtype for norm in norms), key=lambda dtype: dtype.itemsize)
    return torch.linalg.vector_norm(torch.stack([norm.to(device, dtype) for norm in norms])).item()


def _or(result: Any, otherwise: Any) -> Any:
    """Return the result of a hook, or its input if it returned None."""
    return otherwise if result is None else result


def _random_state(device: torch.device) -> Tensor:
    return torch.get_rng_state() if device.type == "cpu" else torch.get_device_module(device).get_rng_state(device)


def _set_random_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cpu":
        torch.set_rng_state(state)
    else:
        torch.get_device_module(device).set_rng_state(state, device)


@contextmanager
def kept_statistics() -> Iterator[None]:
    """Restore the running statistics of torch's normalisation layers after forward passes of this thread."""
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
