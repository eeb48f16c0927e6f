"""What padding each layer of a network uses, and the input sizes at which all of them use it evenly."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from skpapers.convolution._foveation import map_of_paths
from skpapers.convolution._mind_the_pad import flip_asymmetry
from skpapers.convolution._network_trace import network_of, record
from skpapers.convolution._padding_table import ROUNDING, LayerPadding, PaddingReport
from skpapers.convolution._padding_trace import Trace


def padding_report(
    module: Any, input_shape: Sequence[int] | None = None, *, layer: str | None = None, foveation: bool = True
) -> PaddingReport:
    """Report for each convolution and pooling of a network how much of its padding is used on each side.

    A strided layer may leave cells at the end of its padded input unread. It then uses less padding after the input
    than before it, or drops values of the input: the network sees one side of its input less than the other.

    Parameters
    ----------
    module : nn.Module or fitted network estimator
        Any module of torch that maps a batch of inputs, or a fitted estimator of this package with `to_torch`.

    input_shape : sequence of int or None, default=None
        Channels and sizes of the input: (C, L), (C, H, W) or (C, D, H, W). None: what an estimator was fitted on.

    layer : str or None, default=None
        Name of a submodule, as in `named_modules`, after whose first call the network is cut off. None: its end.

    foveation : bool, default=True
        Whether the asymmetry of :func:`foveation_map` is computed as well. It needs no knowledge of layers, and shows
        what the table cannot read.

    Returns
    -------
    report : PaddingReport
        A table of layers. Operations whose padding could not be read are listed in `unread`.

    Raises
    ------
    TypeError
        If `module` is neither a module nor an estimator with `to_torch`.

    ValueError
        If the shape or the layer is wrong, or if the network does not accept the input.

    See Also
    --------
    valid_image_sizes : Sizes at which all layers use their padding evenly.
    foveation_map : How often each input counts.

    Notes
    -----
    The operations of one forward pass of a copy in evaluation mode are recorded where torch dispatches them, so that
    functional calls are seen as layers are. Forward hooks of the module run as well. A circular padding joins both
    ends: at sizes that the strides divide, it treats all places alike, though it uses its padding unevenly. Cost: that
    pass, and three more in float64 for the map.

    A convolution that is written as a product of matrices is not a row of the table. A call of
    :func:`torch.nn.functional.unfold` has a row. Windows that `Tensor.unfold`, strides or indices cut out are listed in
    `unread`. So is a product along an axis of positions, and one whose result gets these axes back. A product with
    flattened positions that never gets them back is taken for a fully connected layer: the report ends before it.

    References
    ----------
    .. [1] B. Alsallakh, N. Kokhlikyan, V. Miglani, J. Yuan, O. Reblitz-Richardson, "Mind the Pad: CNNs Can Develop
       Blind Spots", ICLR 2021. https://arxiv.org/abs/2010.02178

    Examples
    --------
    >>> from torch import nn
    >>> from skpapers.convolution import padding_report
    >>> module = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
    >>> padding_report(module, (1, 16, 16))
    Padding of Sequential, input (1, 16, 16)
    module  operation    size   kernel  stride  mode   padding  used  dropped  even
    0       convolution  16x16  3x3     2x2     zeros  1+1      1+0            NO
    2       convolution  8x8    3x3     1x1     zeros  1+1      1+1            yes
    1 of 1 strided layers use their padding unevenly
    asymmetry of the map of paths by axis, 0 if the input is seen evenly: 0.500, 0.500
    >>> padding_report(module, (1, 17, 17)).is_even
    True
    """
    network, shape = network_of(module, input_shape)
    trace = record(network, shape, layer=layer)
    asymmetry = (float("nan"),) * trace.n_axes
    error = ""
    if foveation:
        try:
            asymmetry = _asymmetry(trace)
        except (ValueError, RuntimeError, NotImplementedError, TypeError) as raised:
            error = str(raised).splitlines()[0]
    layers = tuple(LayerPadding.of(window) for window in trace.windows)
    return PaddingReport(type(network).__name__, shape, layers, tuple(trace.unread), asymmetry, error)


def _asymmetry(trace: Trace) -> tuple[float, ...]:
    return tuple(flip_asymmetry(map_of_paths(trace)).tolist())


def valid_image_sizes(
    module: Any,
    low: int,
    high: int,
    *,
    n_channels: int | None = None,
    n_axes: int | None = None,
    layer: str | None = None,
) -> NDArray[np.int64]:
    """Return the input sizes at which every layer of a network uses its padding evenly.

    Parameters
    ----------
    module : nn.Module or fitted network estimator
        As for :func:`padding_report`.

    low, high : int
        Smallest and largest size to try. All axes of the input have this size.

    n_channels : int or None, default=None
        Channels of the input. None: those of the first convolution. An estimator has those that it was fitted on.

    n_axes : {1, 2, 3} or None, default=None
        Number of axes: 1 for series, 2 for images. None: as for `n_channels`.

    layer : str or None, default=None
        As for :func:`padding_report`: give the last layer before a part that accepts one size only.

    Returns
    -------
    sizes : ndarray of int
        Sizes at which each layer uses as much padding before its input as after it, and drops no values. If the padding
        of an operation cannot be read, the map of paths has to be symmetric as well. Sizes that the network does not
        accept are left out.

    Raises
    ------
    ValueError
        If the sizes are not whole numbers in ascending order, if channels or axes are needed or out of range, or if the
        network accepts none of the sizes.

    See Also
    --------
    padding_report : The table for one size.

    Notes
    -----
    For d layers of stride 2 with odd kernels and the usual padding they are the sizes 2^d a + 1. Cost: a forward pass
    for each size.

    References
    ----------
    .. [1] B. Alsallakh, N. Kokhlikyan, V. Miglani, J. Yuan, O. Reblitz-Richardson, "Mind the Pad: CNNs Can Develop
       Blind Spots", ICLR 2021. https://arxiv.org/abs/2010.02178

    Examples
    --------
    >>> from torch import nn
    >>> from skpapers.convolution import valid_image_sizes
    >>> layers = [nn.Conv2d(1, 1, 3, stride=2, padding=1) for _ in range(3)]
    >>> valid_image_sizes(nn.Sequential(*layers), 8, 40)
    array([ 9, 17, 25, 33])
    """
    if not (isinstance(low, Integral) and isinstance(high, Integral) and 1 <= low <= high):
        raise ValueError(f"low and high must be whole numbers with 1 <= low <= high, got {low!r} and {high!r}.")
    if n_channels is not None and not (isinstance(n_channels, Integral) and n_channels >= 1):
        raise ValueError(f"n_channels must be a positive whole number or None, got {n_channels!r}.")
    if n_axes is not None and n_axes not in (1, 2, 3):
        raise ValueError(f"n_axes must be 1, 2, 3 or None, got {n_axes!r}.")
    network, channels, axes = _channels_and_axes(module, n_channels, n_axes)
    valid = []
    failed: ValueError | None = None
    n_accepted = 0
    for size in range(low, high + 1):
        shape = (channels, *[size] * axes)
        try:
            report = padding_report(network, shape, layer=layer, foveation=False)
            if report.is_even and not report.is_complete:
                report = padding_report(network, shape, layer=layer)
        except ValueError as error:
            failed = error
            continue
        n_accepted += 1
        if report.is_even and (report.is_complete or max(report.asymmetry) <= ROUNDING):
            valid.append(size)
    if failed is not None and n_accepted == 0:
        raise failed
    return np.array(valid, dtype=np.int64)


def _channels_and_axes(module: Any, n_channels: int | None, n_axes: int | None) -> tuple[nn.Module, int, int]:
    """Return the network, and the channels and the number of axes of its input."""
    network = module
    known: tuple[int | None, int | None] = (None, None)
    if isinstance(module, nn.Module):
        parts: list[Any] = list(module.modules())
        first = next((part for part in parts if hasattr(part, "in_channels") and hasattr(part, "kernel_size")), None)
        if first is not None:
            known = (first.in_channels, len(first.kernel_size))
    else:
        network, shape = network_of(module, None)
        known = (shape[0], len(shape) - 1)
        if n_channels not in (None, known[0]) or n_axes not in (None, known[1]):
            raise ValueError(
                f"The estimator was fitted on rows with n_channels={known[0]} and n_axes={known[1]}, got "
                f"n_channels={n_channels} and n_axes={n_axes}."
            )
    channels = known[0] if n_channels is None else n_channels
    axes = known[1] if n_axes is None else n_axes
    if channels is None or axes is None:
        raise ValueError("The network has no convolution that shows its input: n_channels and n_axes are needed.")
    return network, channels, axes
