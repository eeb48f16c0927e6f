"""One forward pass of any module, recorded operation by operation.

Operations are seen below `forward`, where torch dispatches them: a padding, an activation or a pooling that `forward`
calls as a function is recorded as that of a layer is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from skpapers._torch.state import own_modes, own_precision
from skpapers.convolution._operations import tensors_in
from skpapers.convolution._padding_recorder import Recorder
from skpapers.convolution._padding_trace import Trace


class LayerReachedError(Exception):
    """Ends the forward pass where a layer has returned that was asked for."""


def record(
    module: nn.Module,
    input_shape: Sequence[int],
    *,
    layer: str | None = None,
    inputs: Tensor | None = None,
    keep_outputs: bool = False,
) -> Trace:
    """Run a copy of a module on one random input, and record it.

    Parameters
    ----------
    module : nn.Module
        Any module that maps a batch of inputs. It is left alone, and so are torch's generators.

    input_shape : sequence of int
        Channels and sizes, without the batch: (C, L), (C, H, W) or (C, D, H, W).

    layer : str or None, default=None
        Name of the submodule after whose first call the pass ends, as in `named_modules`. None runs to the end.

    inputs : Tensor of shape (n, *input_shape) or None, default=None
        Inputs instead of a random one.

    keep_outputs : bool, default=False
        Whether the outputs of convolutions and poolings are kept.

    Returns
    -------
    trace : Trace
        Its target is the output of `layer`, or the last feature map: the last value that has the axes of the input,
        more than one position, and depends on the input. If no value has, the output of the last layer.

    Raises
    ------
    ValueError
        If the shape or the layer is wrong, if the module does not accept the input, or if it has no feature map.
    """
    shape = checked_shape(input_shape)
    name = type(module).__name__
    layers = [known for known, _ in module.named_modules() if known]
    if layer is not None and layer not in layers:
        raise ValueError(f"{name} has no layer {layer!r}; its layers: {', '.join(layers) or 'none'}.")
    with own_precision():
        network = _copied(module).eval()
    with own_modes():
        first = next((p for p in network.parameters() if p.is_floating_point()), None)
        device = torch.device("cpu") if first is None else first.device
        dtype = torch.float32 if first is None else first.dtype
        if inputs is None:
            generator = torch.Generator().manual_seed(0)
            inputs = torch.randn((1, *shape), generator=generator, dtype=torch.float32, device="cpu")
        # inference mode: operations such as a circular padding are seen whole
        with torch.inference_mode():
            trace = Trace(network, inputs.to(device=device, dtype=dtype, copy=True))
            recorder = Recorder(trace, keep_outputs=keep_outputs)
            _attach_names(recorder, layer)
            try:
                with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), recorder:
                    network(trace.inputs)
            except LayerReachedError:
                pass
            except Exception as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise ValueError(f"{name} does not accept an input of shape {(1, *shape)}: {reason}") from error
            recorder.finish()
    if layer is not None and trace.layer != layer:
        raise ValueError(f"{name} did not call the layer {layer!r}.")
    if trace.target is None:
        raise ValueError(f"{name} has no feature map with the axes of an input of shape {(1, *shape)}.")
    return trace


def network_of(module: Any, input_shape: Sequence[int] | None) -> tuple[nn.Module, tuple[int, ...]]:
    """Return a module and the shape of its inputs, from a module or a fitted network estimator.

    Raises
    ------
    TypeError
        If it is neither.

    ValueError
        If a module comes without a shape.
    """
    if not isinstance(module, nn.Module):
        if not hasattr(module, "to_torch"):
            raise TypeError(f"A torch module or a fitted network estimator is needed, got {type(module).__name__}.")
        predictor = module.to_torch()
        return predictor.network, checked_shape(predictor.row_shape if input_shape is None else input_shape)
    if input_shape is None:
        raise ValueError("input_shape is needed for a torch module: (channels, height, width) or (channels, length).")
    return module, checked_shape(input_shape)


def checked_shape(input_shape: Sequence[int]) -> tuple[int, ...]:
    """Return channels and sizes as a tuple.

    Raises
    ------
    ValueError
        If they are not two to four positive whole numbers.
    """
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else ()
    if not 2 <= len(shape) <= 4 or not all(isinstance(n, Integral) and n > 0 for n in shape):
        raise ValueError(
            "input_shape must be (channels, length), (channels, height, width) or (channels, depth, height, width), "
            f"positive whole numbers without the batch; got {input_shape!r}."
        )
    return tuple(int(n) for n in shape)


def _copied(module: nn.Module) -> nn.Module:
    """Return a deep copy; weights that a hook computes, as those of `weight_norm`, are copied as values."""
    computed = [
        value
        for part in module.modules()
        for value in vars(part).values()
        if isinstance(value, Tensor) and not value.is_leaf
    ]
    return copy.deepcopy(module, {id(value): value.detach().clone() for value in computed})


def _attach_names(recorder: Recorder, layer: str | None) -> None:
    """Let the copy say which of its modules runs, and end the pass after `layer`."""

    def enter(name: str) -> Callable[..., None]:
        return lambda *_: recorder.names.append(name)

    def leave(name: str) -> Callable[..., None]:
        def done(part: nn.Module, args: Any, output: Any) -> None:
            recorder.names.pop()
            if name == layer:
                found = next(tensors_in(output), None)
                if found is None or found.ndim < 3:
                    raise ValueError(f"the layer {name!r} returns no feature map")
                recorder.trace.layer = layer
                recorder.trace.target = found
                recorder.trace.target_index = len(recorder.trace.calls)
                raise LayerReachedError

        return done

    for name, part in recorder.trace.module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            continue  # it takes no hooks; what it does is recorded under the name of its caller
        part.register_forward_pre_hook(enter(name))
        part.register_forward_hook(leave(name))
