"""How often each input of a network counts: maps of paths to the last feature map, or to one position of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skpapers._torch.state import own_precision
from skpapers.convolution._linear_paths import LinearPaths
from skpapers.convolution._network_trace import network_of, record
from skpapers.convolution._padding_trace import Trace

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
