"""Operations of torch by name: which ones leave positions alone, which ones pad, and the windows that layers read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Counted as the identity: activations, normalisations with stored or computed statistics, dropout.
ACTIVATIONS = _names(
    "relu relu6 leaky_relu gelu silu hardswish hardtanh elu selu celu mish softplus sigmoid hardsigmoid tanh prelu "
    "_prelu_kernel rrelu rrelu_with_noise threshold hardshrink softshrink log_sigmoid log_sigmoid_forward clamp "
    "clamp_min clamp_max dropout native_dropout feature_dropout alpha_dropout feature_alpha_dropout"
)
BATCH_NORMS = _names(
    "batch_norm native_batch_norm cudnn_batch_norm miopen_batch_norm _native_batch_norm_legit "
    "_native_batch_norm_legit_no_training"
)
NORMS = BATCH_NORMS | _names(
    "instance_norm group_norm native_group_norm layer_norm native_layer_norm rms_norm _fused_rms_norm"
)
COPIES = _names("clone contiguous detach alias to _to_copy type_as lift_fresh")
SUMS = _names("add sub subtract")
PRODUCTS = _names("mul multiply")
QUOTIENTS = _names("div divide")
VIEWS = _names("view reshape _unsafe_view squeeze unsqueeze expand expand_as flatten unflatten view_as")
EXPANSIONS = _names("expand expand_as")
MOVES = _names("permute transpose")
CUTS = _names("unfold as_strided")  # windows as further axes: im2col is a layer of its own
TEMPLATED = _names("view_as expand_as type_as")  # the second tensor gives a shape or a type alone
# Factors that often are gates, by how surely: the other factor of a product counts.
GATES = {"hardtanh": 1, "relu6": 1, "clamp": 1, "sigmoid": 2, "hardsigmoid": 2, "softmax": 2, "_softmax": 2}
# Each output at a position depends on inputs at this position alone, wherever sizes stay.
POINTWISE = frozenset.union(
    ACTIVATIONS,
    NORMS,
    COPIES,
    SUMS,
    PRODUCTS,
    QUOTIENTS,
    VIEWS,
    _names(
        "neg rsub where masked_fill maximum minimum glu softmax _softmax log_softmax _log_softmax cat concat "
        "stack chunk split split_with_sizes copy channel_shuffle native_channel_shuffle unbind exp log sqrt rsqrt "
        "abs pow square fill zero empty_like zeros_like ones_like repeat tile"
    ),
)
# Linear in what depends on the input, if the rest is constant.
LINEAR = frozenset.union(
    SUMS,
    PRODUCTS,
    QUOTIENTS,
    VIEWS,
    _names(
        "convolution conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear mm addmm bmm "
        "matmul sum mean cat concat stack chunk split split_with_sizes unbind slice narrow select permute "
        "transpose t flip roll index index_select expand pad constant_pad_nd avg_pool1d avg_pool2d avg_pool3d neg "
        "copy im2col where"
    ),
)
# Average pooling to a given size is symmetric; interpolation enlarges without a padding.
RESIZING = _names(
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d "
    "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d mean sum amax max upsample_nearest1d "
    "upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d upsample_bicubic2d "
    "upsample_trilinear3d _upsample_nearest_exact1d _upsample_nearest_exact2d pixel_shuffle pixel_unshuffle"
)
# Along axes other than those of positions they leave positions alone.
ALONG_AXES = _names(
    "select slice narrow index_select unbind chunk split split_with_sizes flip roll cumsum mean sum amax amin max min "
    "var std prod stack"
)
PADS = {
    "constant_pad_nd": "zeros",
    "reflection_pad1d": "reflect",
    "reflection_pad2d": "reflect",
    "reflection_pad3d": "reflect",
    "replication_pad1d": "replicate",
    "replication_pad2d": "replicate",
    "replication_pad3d": "replicate",
}
CONVOLUTIONS = _names("convolution conv1d conv2d conv3d")
TRANSPOSED = _names("conv_transpose1d conv_transpose2d conv_transpose3d")
MAX_POOLS = frozenset(f"max_pool{n}d{end}" for n in (1, 2, 3) for end in ("", "_with_indices"))
AVERAGE_POOLS = frozenset(f"avg_pool{n}d" for n in (1, 2, 3))
MODES = {"constant": "zeros", "circular": "circular", "reflect": "reflect", "replicate": "replicate"}


def base_name(function: Any) -> str:
    """Return the name of an operation without namespace, overload and the underscore of the version in place."""
    return function._schema.name.rpartition("::")[2].rstrip("_")


def tensors_in(values: Any) -> Iterator[Tensor]:
    """Yield every tensor inside lists, tuples and dictionaries."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict):
        yield from tensors_in(tuple(values.values()))
    elif isinstance(values, list | tuple):
        for value in values:
            yield from tensors_in(value)


def is_real_or_complex(tensor: Tensor) -> bool:
    """Return whether a tensor may depend on the input continuously: it has neither integers nor truth values."""
    return tensor.is_floating_point() or tensor.is_complex()


def bound(function: Any, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by name, defaults included."""
    parameters = function._schema.arguments
    named = {p.name: p.default_value for p in parameters if p.has_default_value()}
    named |= {p.name: value for p, value in zip(parameters, args, strict=False)}
    return named | kwargs


def keeps_positions(name: str, call: dict[str, Any], source: Tensor, output: Tensor, n_axes: int) -> bool:
    """Return whether an operation on other axes than the last ones leaves each value at its position.

    Parameters
    ----------
    name : str
        Of the operation.

    call : dict
        Its arguments by name.

    source, output : Tensor of shape (..., *sizes)
        What it reads and what it returns.

    n_axes : int
        Number of spatial axes, the last ones.
    """
    if output.shape[-n_axes:] != source.shape[-n_axes:] or output.ndim < n_axes:
        return False
    if name in VIEWS:
        return True
    first = source.ndim - n_axes
    n_dims = output.ndim if name == "stack" else source.ndim
    if name == "permute":
        return [dim % n_dims for dim in call["dims"]][-n_axes:] == list(range(first, n_dims))
    if name == "transpose":
        dims = [call["dim0"], call["dim1"]]
    elif name in ALONG_AXES:
        along = call["dims"] if "dims" in call else call.get("dim")
        dims = [along] if isinstance(along, int) else list(along or range(n_dims))
    else:
        return False
    return all(dim % n_dims < first for dim in dims)


def per_axis(values: Any, n_axes: int) -> tuple[int, ...]:
    """Return one number for each spatial axis; one-dimensional pooling has a further axis in front."""
    numbers = [values] if isinstance(values, int) else list(values)
    return tuple(numbers * n_axes if len(numbers) == 1 else numbers[-n_axes:])


@dataclass(frozen=True)
class Window:
    """The window of a layer: kernel, stride, dilation and the layer's own padding, one number for each axis."""

    kind: str
    mode: str
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]


def read_window(name: str, call: dict[str, Any], n_axes: int) -> Window | None:
    """Return the window of a convolution or pooling, or None for any other operation.

    Parameters
    ----------
    name : str
        Of the operation.

    call : dict
        Its arguments by name.

    n_axes : int
        Number of spatial axes.
    """
    if name in CONVOLUTIONS:
        kind = "convolution"
        mode = "zeros"
        kernel = per_axis(call["weight"].shape[2:], n_axes)
    elif name in MAX_POOLS or name in AVERAGE_POOLS:
        kind = "max pooling" if name in MAX_POOLS else "average pooling"
        mode = "zeros" if call.get("count_include_pad", False) else "ignored"
        kernel = per_axis(call["kernel_size"], n_axes)
    elif name == "im2col":
        kind = "unfold"
        mode = "zeros"
        kernel = per_axis(call["kernel_size"], n_axes)
    else:
        return None
    stride = per_axis(call["stride"], n_axes) if call["stride"] not in ([], None) else kernel
    dilation = per_axis(call.get("dilation", 1), n_axes)
    padding = call["padding"]
    if isinstance(padding, str):
        total = [d * (k - 1) if padding == "same" else 0 for d, k in zip(dilation, kernel, strict=True)]
        before = tuple(n // 2 for n in total)
        after = tuple(n - n // 2 for n in total)
    else:
        before = per_axis(padding, n_axes)
        after = before
    return Window(kind, mode, kernel, stride, dilation, before, after)


def read_pad(name: str, call: dict[str, Any], n_axes: int) -> tuple[str, list[int], list[int]] | None:
    """Return mode, padding before and padding after of a padding operation, or None for any other operation."""
    if name == "pad":
        mode = MODES[call["mode"]]
    elif name in PADS:
        mode = PADS[name]
    else:
        return None
    pairs = list(call.get("pad") or call["padding"])
    pairs += [0] * (2 * n_axes - len(pairs))
    # torch lists the last axis first; further pairs are those of the channels
    before = [pairs[2 * (n_axes - 1 - axis)] for axis in range(n_axes)]
    after = [pairs[2 * (n_axes - 1 - axis) + 1] for axis in range(n_axes)]
    value = call.get("value")
    if mode == "zeros" and value:
        mode = f"constant {value:g}"
    return mode, before, after
