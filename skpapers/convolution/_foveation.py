"""How often each input of a network counts, and what padding leaves behind in kernels and feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from skpapers._torch.state import own_precision
from skpapers.convolution._linear_paths import LinearPaths
from skpapers.convolution._mind_the_pad import kernel_flip_distance, response_deviation
from skpapers.convolution._network_trace import network_of, record
from skpapers.convolution._padding_recorder import Trace

WEIGHTS = ("uniform", "trained")


def map_of_paths(trace: Trace, weights: str = "uniform", place: tuple[int, ...] | None = None) -> NDArray[np.float64]:
    """Return the paths from each input to the target, or to one position of it, summed over channels."""
    trained = weights == "trained"
    # every tensor of the linear map names its device, and the mode that names one for all is slow
    with own_precision():
        counts = LinearPaths(trace, trained=trained).counts(place)[0]
    return (counts.abs() if trained else counts).sum(dim=0).cpu().numpy()


def _checked_weights(weights: str) -> None:
    if weights not in WEIGHTS:
        raise ValueError(f"weights must be 'uniform' or 'trained', got {weights!r}.")


def _normalised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = np.abs(values).max()
    return values / scale if scale > 0 else values


def foveation_map(
    module: Any, input_shape: Sequence[int] | None = None, *, layer: str | None = None, weights: str = "uniform"
) -> NDArray[np.float64]:
    """Return by how many paths each position of the input reaches the last feature map of a network.

    Padding and strides make some positions count less than others, before any training. Where the map is low, the
    network is prone to a blind spot.

    Parameters
    ----------
    module : nn.Module or fitted network estimator
        Any module of torch that maps a batch of inputs, or a fitted estimator of this package with `to_torch`.

    input_shape : sequence of int or None, default=None
        Channels and sizes of the input: (C, L), (C, H, W) or (C, D, H, W). None: what an estimator was fitted on.

    layer : str or None, default=None
        Name of a submodule, as in `named_modules`, to whose output the paths lead. None: the last value inside the
        network that has the axes of the input and more than one position.

    weights : {"uniform", "trained"}, default="uniform"
        Whether every path counts the same, or by the product of the weights along it. Trained weights may cancel each
        other; the absolute values of the channels are summed then.

    Returns
    -------
    map : ndarray of shape sizes
        Sum over the input's channels, divided by its maximum.

    Raises
    ------
    TypeError
        If `module` is neither a module nor an estimator with `to_torch`.

    ValueError
        If the network has no linear counterpart: if it multiplies or divides its values by one another other than in
        gates and normalisations, as attention does. Or if its paths cancel each other, as where it subtracts a mean.
        Also if shape, layer or weights are wrong.

    See Also
    --------
    FoveationDisplay : Draws the map.
    padding_report : The padding that each layer uses.
    effective_receptive_field : The paths to one position of the last feature map.

    Notes
    -----
    The map is the derivative of the sum of the outputs by the input, in a network whose weights are 1 / fan-in, without
    biases, with the identity in place of activations and normalisations and means in place of maxima. It is computed in
    float64 with one backward pass, after a test on two inputs that f(a + b) = f(a) + f(b). A padding mode other than
    zeros sends the paths of a padded cell to the input that it copies. Cost: one pass as it is, and three in float64.

    **Differences from the paper.** Paths are weighted by 1 / fan-in of each layer instead of being counted, since the
    counts of deep networks overflow. In a network of one branch the normalised map is the same. In gates, such as those
    of squeeze-and-excitation, the gate counts as 1.

    References
    ----------
    .. [1] B. Alsallakh, N. Kokhlikyan, V. Miglani, J. Yuan, O. Reblitz-Richardson, "Mind the Pad: CNNs Can Develop
       Blind Spots", ICLR 2021. https://arxiv.org/abs/2010.02178

    Examples
    --------
    A series of eight values: the last one, the most recent, counts half as much as those in the middle.

    >>> from torch import nn
    >>> from skpapers.convolution import foveation_map
    >>> module = nn.Sequential(nn.Conv1d(1, 4, 3, stride=2, padding=1), nn.ReLU())
    >>> foveation_map(module, (1, 8))
    array([0.5, 1. , 0.5, 1. , 0.5, 1. , 0.5, 0.5])
    >>> foveation_map(module, (1, 9))
    array([0.5, 1. , 0.5, 1. , 0.5, 1. , 0.5, 1. , 0.5])
    """
    _checked_weights(weights)
    network, shape = network_of(module, input_shape)
    trace = record(network, shape, layer=layer)
    return _normalised(map_of_paths(trace, weights))


def effective_receptive_field(
    module: Any,
    input_shape: Sequence[int] | None = None,
    *,
    layer: str | None = None,
    position: Sequence[int] | None = None,
    weights: str = "uniform",
) -> NDArray[np.float64]:
    """Return by how many paths each position of the input reaches one position of the last feature map.

    Parameters
    ----------
    module : nn.Module or fitted network estimator
        As for :func:`foveation_map`.

    input_shape : sequence of int or None, default=None
        As for :func:`foveation_map`.

    layer : str or None, default=None
        As for :func:`foveation_map`.

    position : sequence of int or None, default=None
        One index for each axis of the feature map; negative ones count from its end. None: the middle.

    weights : {"uniform", "trained"}, default="uniform"
        As for :func:`foveation_map`.

    Returns
    -------
    field : ndarray of shape sizes
        Sum over channels, divided by its maximum. What is 0 has no influence on the position.

    Raises
    ------
    ValueError
        As for :func:`foveation_map`, and if the position is outside of the feature map.

    See Also
    --------
    foveation_map : The sum over all positions.

    References
    ----------
    .. [1] W. Luo, Y. Li, R. Urtasun, R. Zemel, "Understanding the Effective Receptive Field in Deep Convolutional
       Neural Networks", NeurIPS 2016. https://arxiv.org/abs/1701.04128

    Examples
    --------
    >>> from torch import nn
    >>> from skpapers.convolution import effective_receptive_field
    >>> module = nn.Sequential(nn.Conv1d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv1d(4, 4, 3, padding=1))
    >>> effective_receptive_field(module, (1, 9)).round(2)
    array([0.  , 0.  , 0.33, 0.67, 1.  , 0.67, 0.33, 0.  , 0.  ])
    """
    _checked_weights(weights)
    network, shape = network_of(module, input_shape)
    trace = record(network, shape, layer=layer)
    assert trace.target is not None
    sizes = tuple(trace.target.shape[-trace.n_axes :])
    place = tuple(size // 2 for size in sizes) if position is None else tuple(position)
    if len(place) != len(sizes) or not all(-n <= i < n for i, n in zip(place, sizes, strict=True)):
        raise ValueError(f"position must be inside of the feature map of sizes {sizes}, got {place}.")
    return _normalised(map_of_paths(trace, weights, place))


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
