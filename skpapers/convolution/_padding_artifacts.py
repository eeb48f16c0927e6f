"""What padding leaves behind in the kernels and the feature maps of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from skpapers.convolution._mind_the_pad import kernel_flip_distance, response_deviation
from skpapers.convolution._network_trace import network_of, record


@dataclass(frozen=True)
class KernelAsymmetry:
    """The mean kernel of a layer, and its distance from its mirror images.

    Parameters
    ----------
    module : str
        Name of the module.

    mean_kernel : ndarray of shape kernel_size
        Mean over input and output channels.

    asymmetry : ndarray of shape (n_axes,)
        Norm of the difference of kernel and mirrored kernel, relative to the norm of the kernel; from 0 to 2.

    See Also
    --------
    kernel_asymmetry : Makes them.

    Examples
    --------
    >>> from torch import nn
    >>> from skpapers.convolution import kernel_asymmetry
    >>> kernel_asymmetry(nn.Conv1d(1, 1, 3))[0].asymmetry.shape
    (1,)
    """

    module: str
    mean_kernel: NDArray[np.float64]
    asymmetry: NDArray[np.float64]


def kernel_asymmetry(module: Any) -> list[KernelAsymmetry]:
    """Return how asymmetric the mean kernel of each convolution of a network is.

    Padding that is used on one side only shows in what is learned: kernels become lopsided.

    Parameters
    ----------
    module : nn.Module or fitted network estimator
        Any module of torch, or a fitted estimator of this package with `to_torch`.

    Returns
    -------
    kernels : list of KernelAsymmetry
        In the order of the modules; those whose kernels have one value are left out.

    Raises
    ------
    TypeError
        If `module` is neither a module nor an estimator with `to_torch`.

    See Also
    --------
    padding_report : The padding that each layer uses.

    Notes
    -----
    Kernels are weights of modules with a `kernel_size`, and other parameters of four or five dimensions, which
    `forward` may pass to a functional convolution. Those of an untrained network are asymmetric by chance: compare two
    networks that differ in their input size.

    References
    ----------
    .. [1] B. Alsallakh, N. Kokhlikyan, V. Miglani, J. Yuan, O. Reblitz-Richardson, "Mind the Pad: CNNs Can Develop
       Blind Spots", ICLR 2021. https://arxiv.org/abs/2010.02178

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skpapers.convolution import kernel_asymmetry
    >>> module = nn.Conv2d(1, 1, 3)
    >>> with torch.no_grad():
    ...     _ = module.weight.copy_(torch.tensor([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]]))
    >>> kernel_asymmetry(module)[0].asymmetry
    array([2., 0.])
    """
    network = module if isinstance(module, nn.Module) else network_of(module, None)[0]
    found = []
    for name, part in network.named_modules():
        weight = getattr(part, "weight", None)
        if hasattr(part, "kernel_size") and isinstance(weight, Tensor):
            kernels = {name: weight}
            n_axes = len(part.kernel_size)
        else:
            owned = part.named_parameters(recurse=False)
            kernels = {f"{name}.{key}".lstrip("."): value for key, value in owned if value.ndim in (4, 5)}
            n_axes = 0
        for path, values in kernels.items():
            # the members of an ensemble may have an axis of their own
            channels = tuple(range(values.ndim - (n_axes or values.ndim - 2)))
            mean = values.detach().double().mean(dim=channels).cpu().numpy()
            if mean.size > 1:
                found.append(KernelAsymmetry(path, mean, kernel_flip_distance(mean)))
    return found


@dataclass(frozen=True)
class FeatureMapBias:
    """How far the response of a layer depends on the position alone.

    Parameters
    ----------
    module : str
        Name of the module; empty for the outermost one.

    operation : str
        "convolution", "max pooling", ...

    deviation : ndarray of shape sizes
        Mean over channels of the absolute difference from the response in the middle, relative to that response.

    See Also
    --------
    feature_map_bias : Makes them.

    Examples
    --------
    >>> from torch import nn
    >>> from skpapers.convolution import feature_map_bias
    >>> feature_map_bias(nn.Conv1d(1, 1, 3, padding=1), (1, 8))[0].deviation.shape
    (8,)
    """

    module: str
    operation: str
    deviation: NDArray[np.float64]


def feature_map_bias(
    module: Any, input_shape: Sequence[int] | None = None, *, value: float = 1.0, X: ArrayLike | None = None
) -> list[FeatureMapBias]:
    """Return how the response of each convolution and pooling to a constant input depends on the position.

    A constant input looks the same everywhere. What differs from the middle of a feature map is the padding: lines
    along the edges, which later layers carry inward.

    Parameters
    ----------
    module : nn.Module or fitted network estimator
        As for :func:`padding_report`.

    input_shape : sequence of int or None, default=None
        As for :func:`padding_report`.

    value : float, default=1.0
        The constant, in the units of the network's input.

    X : array-like of shape (n_samples, C, ...) or None, default=None
        Inputs over which responses are averaged, instead of a constant. What the data have at some positions only
        shows as well.

    Returns
    -------
    biases : list of FeatureMapBias
        In the order of the calls, with the trained weights, before the activation.

    Raises
    ------
    ValueError
        If the shape is wrong, or if the network does not accept the input.

    See Also
    --------
    foveation_map : The effect of padding on how often an input counts.

    References
    ----------
    .. [1] B. Alsallakh, N. Kokhlikyan, V. Miglani, J. Yuan, O. Reblitz-Richardson, "Mind the Pad: CNNs Can Develop
       Blind Spots", ICLR 2021. https://arxiv.org/abs/2010.02178

    Examples
    --------
    Zeros around the input change two positions at either end; a circular padding changes none.

    >>> import torch
    >>> from torch import nn
    >>> from skpapers.convolution import feature_map_bias
    >>> for mode in ("zeros", "circular"):
    ...     layers = [nn.Conv1d(1, 1, 3, padding=1, padding_mode=mode, bias=False) for _ in range(2)]
    ...     bias = feature_map_bias(nn.Sequential(*layers), (1, 8))[-1]
    ...     print((bias.deviation > 1e-5).astype(int))
    [1 1 0 0 0 0 1 1]
    [0 0 0 0 0 0 0 0]
    """
    network, shape = network_of(module, input_shape)
    if X is None:
        inputs = np.full((1, *shape), value)
    else:
        inputs = np.asarray(X, dtype=np.float64)
        if inputs.shape[1:] != shape or len(inputs) == 0:
            raise ValueError(f"X must have the shape (n_samples, {', '.join(map(str, shape))}), got {inputs.shape}.")
    trace = record(network, shape, inputs=torch.from_numpy(inputs), keep_outputs=True)
    found = []
    for window in trace.windows:
        if window.output is not None and window.operation != "unfold":
            maps = window.output.double().mean(dim=0).cpu().numpy()
            maps = maps.reshape(len(maps), *maps.shape[-trace.n_axes :])
            found.append(FeatureMapBias(window.module, window.operation, response_deviation(maps)))
    return found
