"""A mode of torch that records operations and reads off which padding each convolution and pooling reads.

A padding operation counts for the layer that reads its output. A padding that is put together from other operations is
located by its values. What cannot be read off is listed, at the latest when a layer reads the result.
"""

from __future__ import annotations

from math import prod
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from skpapers.convolution._mind_the_pad import AxisPadding
from skpapers.convolution._operations import (
    CUTS,
    EXPANSIONS,
    MOVES,
    POINTWISE,
    RESIZING,
    TEMPLATED,
    TRANSPOSED,
    Window,
    base_name,
    bound,
    is_real_or_complex,
    keeps_positions,
    read_pad,
    read_window,
    tensors_in,
)
from skpapers.convolution._padding_of_values import locate
from skpapers.convolution._padding_trace import Call, LayerWindow, Padded, Trace, Unread

CUTS_WINDOWS = "cuts windows out of its input, which have no row in the table"
LEAVES_OUT = "leaves values out, or moves them"
OTHER_AXES = "works on a value that does not have the axes of the input"


class Recorder(TorchDispatchMode):
    """Records the operations, and reads off those that depend on the input."""

    def __init__(self, trace: Trace, *, keep_outputs: bool = False) -> None:
        super().__init__()
        self.trace = trace
        self.keep_outputs = keep_outputs
        self.names = [""]
        self.on_path = {id(trace.inputs)}
        self.spatial = {id(trace.inputs)}  # values whose last axes are those of the input
        self.padded: dict[int, Padded] = {}
        self.read: set[int] = set()  # paddings that a layer has read, by id
        self.filled: dict[int, Tensor] = {}  # by storage: what was copied into a part of it
        self.last_output: tuple[Tensor, int] | None = None  # of a layer, for networks with one position after each
        # Outputs of operations that may move or drop values. They count if a layer reads them: a padding by
        # concatenation takes edges of its input as well, and is located as a whole.
        self.doubts: dict[int, Unread] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        outputs = func(*args, **kwargs)
        # the trace holds every tensor, so that neither an id nor a storage is used twice
        call = Call(func, args, kwargs, outputs, self.names[-1])
        self.trace.calls.append(call)
        sources = [tensor for tensor in tensors_in((args, kwargs)) if self._depends(tensor)]
        if sources:
            self.on_path.update(map(id, tensors_in(outputs)))
            self._look_at(call, sources)
        return outputs

    def _depends(self, tensor: Tensor) -> bool:
        return id(tensor) in self.on_path or _storage(tensor) in self.filled

    def _is_spatial(self, tensor: Tensor) -> bool:
        # in one dimension torch adds an axis before a convolution or a pooling, and networks for series do as well
        has_axes = tensor.ndim == self.trace.n_axes + 2 or id(tensor) in self.spatial
        return is_real_or_complex(tensor) and has_axes

    def _look_at(self, call: Call, sources: list[Tensor]) -> None:
        name = base_name(call.function)
        n_axes = self.trace.n_axes
        arguments = bound(call.function, call.args, call.kwargs)
        if name in TEMPLATED:
            sources = [tensor for tensor in sources if tensor is arguments["self"]]
        sources = sorted(filter(self._is_spatial, sources), key=Tensor.numel, reverse=True)
        outputs = list(filter(is_real_or_complex, tensors_in(call.outputs)))
        window = read_window(name, arguments, n_axes)
        is_transposed = name in TRANSPOSED or bool(arguments.get("transposed"))
        for output in outputs if sources else []:
            if output.ndim == sources[0].ndim or keeps_positions(name, arguments, sources[0], output, n_axes):
                self.spatial.add(id(output))
        for output in filter(self._is_spatial, outputs):
            if prod(output.shape[-n_axes:]) > 1:
                self.trace.target = output
                self.trace.target_index = len(self.trace.calls)
        if is_transposed:
            self._note(call, "a transposed convolution, whose padding crops its output")
        elif not sources:
            self._note_other_axes(call, outputs, is_window=window is not None)
        elif not outputs:
            return
        elif window is not None:
            self._note_window(call, window, sources[0], outputs[0])
        elif (pad := read_pad(name, arguments, n_axes)) is not None:
            self._note_padding(call, sources[0], outputs[0], *pad)
        elif name == "copy":
            self._note_copy(outputs[0], sources[0])
        else:
            for output in outputs:
                self._note_other(call, name, arguments, sources, output)

    def _note_other_axes(self, call: Call, outputs: list[Tensor], *, is_window: bool) -> None:
        """Note a layer that reads a value without the axes of the input, or an operation that makes them again."""
        if is_window:
            self._note(call, OTHER_AXES)
            return
        for output in filter(self._is_spatial, outputs):
            if prod(output.shape[-self.trace.n_axes :]) > 1:
                self.doubts[id(output)] = Unread(call.module, f"aten.{base_name(call.function)}", OTHER_AXES)

    def _note_window(self, call: Call, window: Window, source: Tensor, output: Tensor) -> None:
        n_axes = self.trace.n_axes
        none = (0,) * n_axes
        padded = self._padding_of(source, call)
        if padded is None:
            modes = []
            before = none
            after = none
            self._note_doubt(source)
        else:
            modes = [padded.mode]
            before = padded.before or none
            after = padded.after or none
        if any(window.before + window.after):
            modes.append(window.mode)
        axes = []
        for axis in range(n_axes):
            size = source.shape[axis - n_axes] - before[axis] - after[axis]
            starts = before[axis] + window.before[axis]
            ends = after[axis] + window.after[axis]
            spare = size + starts + ends - window.dilation[axis] * (window.kernel[axis] - 1) - 1
            # the output of an unfolding has no axes of positions
            n_outputs = 1 + spare // window.stride[axis] if window.kind == "unfold" else output.shape[axis - n_axes]
            shape = (window.kernel[axis], window.stride[axis], window.dilation[axis])
            axes.append(AxisPadding(size, *shape, starts, ends, n_outputs))
        if self._is_spatial(output):
            self.last_output = (output, len(self.trace.calls))
        # an activation in place would change what is kept
        kept = output.clone() if self.keep_outputs else None
        mode = " + ".join(modes) or "none"
        self.trace.windows.append(LayerWindow(call.module, window.kind, mode, tuple(axes), kept))

    def _note_padding(
        self, call: Call, source: Tensor, output: Tensor, mode: str, before: list[int], after: list[int]
    ) -> None:
        known = self._padding_of(source, call)
        root = source
        if known is not None and known.before is not None and known.after is not None:
            root = known.source
            mode = mode if mode == known.mode else f"{known.mode} + {mode}"
            before = [a + b for a, b in zip(before, known.before, strict=True)]
            after = [a + b for a, b in zip(after, known.after, strict=True)]
        operation = f"aten.{base_name(call.function)}"
        if any(n < 0 for n in before + after):
            self.doubts[id(output)] = Unread(call.module, operation, LEAVES_OUT)
        elif any(before + after):
            self.padded[id(output)] = Padded(root, call.module, operation, mode, tuple(before), tuple(after))
            self._pass_on([source], output)

    def _note_copy(self, output: Tensor, source: Tensor) -> None:
        known = self.filled.get(_storage(output))
        if known is None or source.numel() > known.numel():
            self.filled[_storage(output)] = source

    def _note_other(
        self, call: Call, name: str, arguments: dict[str, Any], sources: list[Tensor], output: Tensor
    ) -> None:
        n_axes = self.trace.n_axes
        if not self._is_spatial(output):
            # what becomes of it cannot be followed from here
            for source in sources:
                self._note_doubt(source)
            if name in CUTS and not _is_along_channels(name, arguments, sources[0], n_axes):
                self._note(call, CUTS_WINDOWS)
            return
        sizes = sources[0].shape[-n_axes:]
        new = output.shape[-n_axes:]
        operation = f"aten.{name}"
        in_place = name in POINTWISE or keeps_positions(name, arguments, sources[0], output, n_axes)
        if sizes == new and in_place:
            if id(sources[0]) in self.padded:
                self.padded[id(output)] = self.padded[id(sources[0])]
            self._pass_on(sources, output)
        elif name in RESIZING or prod(new) == 1 or (name in EXPANSIONS and prod(sizes) == 1):
            self._pass_on(sources, output)
        elif name not in MOVES and sizes != new and all(a <= b for a, b in zip(sizes, new, strict=True)):
            known = self.padded.get(id(sources[0]))
            root = sources[0] if known is None else known.source
            self.read.add(id(known))
            self.padded[id(output)] = Padded(root, call.module, operation)
        else:
            is_unknown = name not in MOVES and sizes == new
            reason = "an operation that the report does not know" if is_unknown else LEAVES_OUT
            self.doubts[id(output)] = Unread(call.module, operation, reason)

    def _pass_on(self, sources: list[Tensor], output: Tensor) -> None:
        for source in sources:
            if id(source) in self.doubts:
                self.doubts[id(output)] = self.doubts[id(source)]

    def _padding_of(self, tensor: Tensor, call: Call) -> Padded | None:
        """Return how the input of a layer was padded, or note that it is not known."""
        padded = self.padded.get(id(tensor))
        content = self.filled.get(_storage(tensor))
        if padded is None and content is not None and content.numel() < tensor.numel():
            padded = Padded(content, call.module, "aten.copy")
        if padded is None:
            return None
        self.read.add(id(padded))
        if padded.before is None:
            found = locate(padded.source, tensor, self.trace.n_axes)
            if found is None:
                self.trace.unread.append(Unread(padded.module, padded.operation, "enlarges its input in unknown ways"))
                return None
            padded = Padded(padded.source, padded.module, padded.operation, *found)
        self._note_doubt(padded.source)
        return padded

    def _note(self, call: Call, reason: str) -> None:
        self.trace.unread.append(Unread(call.module, f"aten.{base_name(call.function)}", reason))

    def _note_doubt(self, tensor: Tensor) -> None:
        doubt = self.doubts.get(id(tensor))
        if doubt is not None and doubt not in self.trace.unread:
            self.trace.unread.append(doubt)

    def finish(self) -> None:
        """List the paddings that no layer has read, and what happened to the last feature map."""
        if self.trace.target is None and self.last_output is not None:
            self.trace.target, self.trace.target_index = self.last_output
        if self.trace.target is not None:
            self._note_doubt(self.trace.target)
        for key, padded in {id(value): value for value in self.padded.values()}.items():
            if key not in self.read:
                reason = "enlarges its input, and no convolution or pooling reads the result"
                self.trace.unread.append(Unread(padded.module, padded.operation, reason))


def _is_along_channels(name: str, arguments: dict[str, Any], source: Tensor, n_axes: int) -> bool:
    return name == "unfold" and arguments["dimension"] % source.ndim < source.ndim - n_axes


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
