"""A recorded network as a linear map: all weights equal, or the trained ones; no biases; maxima are means (Eq. 5).

The operations of the record are repeated in float64, under autograd, up to the feature map that was asked for. Where an
operation is not linear, a rule stands for it:

| operation                                | counts as                                                              |
|------------------------------------------|------------------------------------------------------------------------|
| activation, dropout                      | the identity                                                           |
| normalisation                            | the identity; batch normalisation of a trained network: its scale      |
| maximum over a window or an axis         | the mean                                                               |
| sum with a constant; bias                | the other term                                                         |
| product of two values of the network     | the factor that is not a gate (a sigmoid, softmax or clamp)            |
| weights, all equal                       | 1 / fan-in for each, so that deep networks do not overflow             |
| cast to another floating-point type      | the identity                                                           |

Everything else is repeated as it is. Whether the result is linear is tested on two inputs, whatever the rules say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from skpapers.convolution._mind_the_pad import AxisPadding, path_counts
from skpapers.convolution._operations import (
    ACTIVATIONS,
    BATCH_NORMS,
    CONVOLUTIONS,
    COPIES,
    GATES,
    LINEAR,
    MAX_POOLS,
    NORMS,
    PRODUCTS,
    QUOTIENTS,
    RESIZING,
    SUMS,
    TRANSPOSED,
    VIEWS,
    base_name,
    bound,
    is_real_or_complex,
    read_window,
    tensors_in,
)
from skpapers.convolution._padding_trace import Call, Trace

TOLERANCE = 1e-8  # relative, of f(a + b) = f(a) + f(b)
CANCELLED = 1e-10  # relative to the largest value of the linear map
FACTORIES = {"zeros", "ones", "full", "empty", "arange", "linspace", "eye"}


@dataclass(frozen=True)
class Step:
    """A recorded operation, with its tensors and its arguments by name."""

    call: Call
    name: str
    outputs: list[Tensor]
    given: list[Tensor]
    arguments: dict[str, Any]

    @classmethod
    def of(cls, call: Call) -> Step:
        """Look up what the repetitions of a call share."""
        outputs = list(tensors_in(call.outputs))
        given = list(tensors_in((call.args, call.kwargs)))
        arguments = bound(call.function, call.args, call.kwargs)
        return cls(call, base_name(call.function), outputs, given, arguments)

    @property
    def is_continuous(self) -> bool:
        """Whether some output is no integer and no truth value."""
        return any(map(is_real_or_complex, self.outputs))


class LinearPaths:
    """The linear map from the input of a recorded network to its target.

    Parameters
    ----------
    trace : Trace
        The record.

    trained : bool, default=False
        Whether the weights are those of the network; otherwise all weights of a layer are equal.
    """

    def __init__(self, trace: Trace, *, trained: bool = False) -> None:
        self.trace = trace
        self.trained = trained
        self.weights = dict(_leaves(trace, trained))
        self.suspects: dict[str, None] = {}  # operations that nothing here knows to be linear, in order
        self.steps = [Step.of(call) for call in trace.calls[: trace.target_index]]

    def __call__(self, x: Tensor) -> Tensor:
        """Return the target, a float64 tensor, of an input of shape (1, C, *sizes) that requires its gradient."""
        assert self.trace.target is not None
        values = {id(self.trace.inputs): x.clone(), **self.weights}
        gates: dict[int, int] = {}
        for step in self.steps:
            if step.is_continuous:
                self._repeat(step, values, gates)
        return values[id(self.trace.target)]

    def counts(self, place: tuple[int, ...] | None = None) -> Tensor:
        """Return the paths from each input to the target, or to one place of it.

        Raises
        ------
        ValueError
            If the map is not linear, or if the paths to all places cancel each other.
        """
        generator = torch.Generator().manual_seed(1)
        shape = (2, *self.trace.inputs.shape)
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")
        a, b = drawn.to(self.trace.inputs.device)
        found, error, scale = path_counts(self, a, b, place)
        if not error <= TOLERANCE:
            suspects = ", ".join(self.suspects) or "none"
            raise ValueError(
                f"The network has no linear counterpart: f(a + b) and f(a) + f(b) differ by {error:.2g} of their "
                f"largest value; operations not known to be linear: {suspects}. A layer before them can be asked for."
            )
        # paths without signs make a derivative of at least the largest value over the number of inputs
        if place is None and not self.trained and float(found.abs().max()) <= CANCELLED * scale:
            raise ValueError(
                "The paths of the network cancel each other, as where a mean is subtracted: their map is 0 up to "
                "rounding. A layer before them can be asked for."
            )
        return found

    def _repeat(self, step: Step, values: dict[int, Tensor], gates: dict[int, int]) -> None:
        """Put what the outputs of one operation are in the linear map into `values`."""
        call = step.call
        if not any(id(tensor) in values for tensor in step.given):
            if step.name in FACTORIES and not step.given:
                made = call.function(*call.args, **call.kwargs | {"dtype": torch.float64})
                values[id(step.outputs[0])] = made
            return
        arguments = _mapped(step.arguments, values)
        if isinstance(arguments.get("dtype"), torch.dtype) and arguments["dtype"].is_floating_point:
            arguments["dtype"] = torch.float64
        depends = any(values[id(tensor)].requires_grad for tensor in step.given)
        strengths = [gates.get(id(tensor), 0) for tensor in step.given]
        made = self._counterpart(step.name, call, arguments, strengths) if depends else None
        if made is None:
            if depends and step.name not in LINEAR and step.name not in RESIZING:
                self.suspects[f"aten.{step.name}" + (f" in {call.module!r}" if call.module else "")] = None
            made = call.function(**arguments)
        elif call.function._schema.is_mutable:
            target = arguments["self"]
            made = target if made is target else target.copy_(made)
        for recorded, value in zip(step.outputs, _sequence(made), strict=False):
            if is_real_or_complex(recorded):
                values[id(recorded)] = value
        if depends:
            passes = step.name in VIEWS or step.name in PRODUCTS or step.name in QUOTIENTS
            strength = GATES.get(step.name, max(strengths) if passes else 0)
            if strength:
                gates[id(step.outputs[0])] = strength

    def _counterpart(self, name: str, call: Call, of: dict[str, Any], strengths: list[int]) -> Any:
        """Return what an operation on values of the network counts as, or None if it is repeated as it is."""
        x: Any = of["self"] if "self" in of else of.get("input")
        if name in ACTIVATIONS or name in NORMS or name in COPIES or name in GATES:
            if self.trained and name in BATCH_NORMS and of["running_var"] is not None:
                return x * _batch_norm_scale(of, x.ndim)
            return x if call.function._schema.is_mutable else x.clone()
        if (name in CONVOLUTIONS or name in TRANSPOSED or name == "linear") and of["bias"] is not None:
            return call.function(**of | {"bias": None})
        if name in {"constant_pad_nd", "pad"} and of["value"]:
            return call.function(**of | {"value": 0.0})
        if name in {"addmm", "baddbmm"}:
            return of["mat1"] @ of["mat2"] if name == "addmm" else of["batch1"] @ of["batch2"]
        if name in MAX_POOLS:
            return _window_means(x, read_window(name, of, x.ndim - 2), next(tensors_in(call.outputs)).shape)
        if name.startswith("adaptive_max_pool"):
            return getattr(F, name.replace("max", "avg"))(x, of["output_size"])
        if name in {"amax", "amin"} or (name in {"max", "min"} and "dim" in of):
            return x.mean(of["dim"], keepdim=of["keepdim"])
        if name == "glu":
            return x.chunk(2, of["dim"])[0]
        if name == "masked_fill":
            return x.masked_fill(of["mask"], 0.0)
        if name == "where":
            return torch.where(of["condition"], *(_part(of[side]) for side in ("self", "other")))
        if name in SUMS | PRODUCTS | {"rsub", "maximum", "minimum"}:
            return _of_two(name, of, strengths, next(tensors_in(call.outputs)).shape)
        return None


def _leaves(trace: Trace, trained: bool) -> Iterator[tuple[int, Tensor]]:
    """Yield the parameters in float64: as they are, or matrices and kernels of 1 / fan-in and vectors of ones."""
    for parameter in trace.module.parameters():
        if not parameter.is_floating_point():
            continue
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
        value = parameter.detach().to(torch.float64, copy=True)
        yield id(parameter), value if trained else torch.full_like(value, 1.0 / max(1, fan_in))


def _mapped(value: Any, values: dict[int, Tensor]) -> Any:
    """Return arguments with tensors of the linear map in place of the recorded ones."""
    if isinstance(value, Tensor):
        if id(value) not in values:
            kept = value.detach().clone()
            values[id(value)] = kept.double() if kept.is_floating_point() else kept
        return values[id(value)]
    if isinstance(value, dict):
        return {name: _mapped(part, values) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(part, values) for part in value]
    return value


def _sequence(made: Any) -> list[Tensor]:
    return [made] if isinstance(made, Tensor) else list(made)


def _depends(value: Any) -> bool:
    """Return whether a value of the linear map depends on the input: nothing else requires a gradient."""
    return isinstance(value, Tensor) and value.requires_grad


def _part(value: Any) -> Any:
    """Return a value of the network, or 0 in place of a constant."""
    if not isinstance(value, Tensor):
        return 0.0
    return value if value.requires_grad else torch.zeros_like(value)


def _batch_norm_scale(of: dict[str, Any], ndim: int) -> Tensor:
    scale = torch.rsqrt(of["running_var"] + of["eps"])
    if of["weight"] is not None:
        scale = scale * of["weight"]
    return scale.reshape(1, -1, *[1] * (ndim - 2))


def _of_two(name: str, of: dict[str, Any], strengths: list[int], shape: torch.Size) -> Any:
    """Return what a sum, product or extreme of two values counts as, or None if it is repeated as it is."""
    first = of["self"]
    second = of["other"]
    if _depends(first) and _depends(second):
        if name in {"maximum", "minimum"}:
            return (first + second) / 2
        if name in PRODUCTS and max(strengths) > 0:
            kept = second if strengths[0] > strengths[1] else first
            return kept.expand(shape)
        return None
    if name in PRODUCTS:
        return None
    if _depends(first):
        return (-first if name == "rsub" else first).expand(shape)
    # a constant in place of which the sum would be stored is kept: it is a buffer that is filled
    return (second if name in {"add", "maximum", "minimum"} else -second).expand(shape)


def _window_means(x: Tensor, window: Any, shape: torch.Size) -> Tensor:
    """Return means over the windows of a maximum; what lies outside counts as 0."""
    n_axes = x.ndim - 2
    pads: list[int] = []
    for axis in reversed(range(n_axes)):
        size = x.shape[axis - n_axes]
        before = window.before[axis]
        read = AxisPadding(
            size, window.kernel[axis], window.stride[axis], window.dilation[axis], before, 0, shape[axis - n_axes]
        )
        pads += [before, int(read.cells_read[-1]) + 1 - before - size]
    padded = F.pad(x, pads)
    kernel = x.new_full((1, 1, *window.kernel), 1.0 / torch.Size(window.kernel).numel())
    convolve = getattr(F, f"conv{n_axes}d")
    means = convolve(padded.reshape(-1, 1, *padded.shape[2:]), kernel, stride=window.stride, dilation=window.dilation)
    return means.reshape(shape)
