"""The layer of Performers."""

from __future__ import annotations

from math import log

import numpy as np
import torch

from skpapers._docstrings import filled_docstring
from skpapers.attention._attention_layers import RandomFeatureLayer, head_dim
from skpapers.attention._draws import seeded_generator
from skpapers.attention._feature_maps import Drawing, FeatureMap
from skpapers.attention._layer_docs import RANDOM_FEATURE_PARTS
from skpapers.attention._performer import GENERALIZED, GeneralizedFeatures, PositiveFeatures


@filled_docstring(RANDOM_FEATURE_PARTS)
class FavorAttention(RandomFeatureLayer):
    r"""Multi-head attention of Performers (FAVOR+): softmax attention by random features, linear in the length.

    Use it in place of softmax attention for sequences of several hundred positions or more, and for streams.

    Parameters
    ----------
    {width}

    n_heads : int, default=4
        H; it divides `d_model`. Each head has d = D / H dimensions.

    n_features : int, default=None
        m, features of a query. None: d ln d, at least 8.

    kernel : {"softmax", "relu", "sigmoid", "softplus"}, default="softmax"
        Kernel of the weights. "softmax" is estimated without bias; with the others, features are that function of
        random projections (the paper's generalised attention).

    hyperbolic : bool, default=False
        Use each frequency with both signs, which lowers the variance of as many features. `n_features` is rounded up to
        an even number.

    {orthogonal}

    regularized : bool, default=False
        Give all frequencies the length sqrt(d). It lowers the variance, and the kernel is estimated about 5 % too low
        for vectors of length 1.

    {causal}

    {projections}

    {drawing}

    Attributes
    ----------
    feature_map : torch.nn.Module
        The map; its buffer `projection` has the scaled frequencies.

    {in_and_out}

    Raises
    ------
    ValueError
        If `n_heads` does not divide `d_model`, or a parameter has another value than those above.

    See Also
    --------
    RandomFeatureAttention : Sines and cosines, with a gate that forgets.
    linear_attention : The function behind it.

    Notes
    -----
    {cost}

    {one_derivative}

    **Differences from the paper.** The paper's code adds 1e-4 to the features of the softmax kernel and scales keys by
    the maximum over the whole sequence, with which the future leaks into causal outputs; here nothing is added to them,
    and chunks have their own scale. To those of the other kernels 1e-3 is added, as there.
    Padded keys are left out of the sum of weights, too. Frequencies stay the same by default; the paper's code draws
    them anew after 1000 passes. Lengths of orthogonal frequencies are drawn apart from their directions.

    References
    ----------
    .. [1] K. Choromanski et al., "Rethinking Attention with Performers", ICLR 2021. https://arxiv.org/abs/2009.14794

    Examples
    --------
    >>> import torch
    >>> from skpapers.attention import FavorAttention
    >>> layer = FavorAttention(16, n_heads=2, causal=True, random_state=0)
    >>> x = torch.randn(3, 100, 16, generator=torch.Generator().manual_seed(0))
    >>> y = layer(x)
    >>> y.shape
    torch.Size([3, 100, 16])

    Position by position, with a state that can be pickled:

    >>> state = layer.init_state(3)
    >>> for t in range(100):
    ...     y_t, state = layer.step(x[:, t], state)
    >>> torch.allclose(y_t, y[:, -1], atol=1e-5)
    True
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int = 4,
        *,
        n_features: int | None = None,
        kernel: str = "softmax",
        hyperbolic: bool = False,
        orthogonal: bool = True,
        regularized: bool = False,
        causal: bool = False,
        redraw_interval: int | None = None,
        bias: bool = True,
        random_state: int | np.random.RandomState | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        d = head_dim(d_model, n_heads, n_features)
        if n_features is None:
            n_features = max(8, int(d * log(d)))
        drawing: Drawing = {"orthogonal": orthogonal, "regularized": regularized, "device": device, "dtype": dtype}
        feature_map: FeatureMap
        if kernel == "softmax":
            feature_map = PositiveFeatures(d, n_features, hyperbolic=hyperbolic, **drawing)
        elif kernel in GENERALIZED and not hyperbolic:
            feature_map = GeneralizedFeatures(d, n_features, kernel, **drawing)
        else:
            names = ", ".join(repr(name) for name in ("softmax", *GENERALIZED))
            raise ValueError(
                f"kernel={kernel!r} is not possible: it is one of {names}; hyperbolic goes with 'softmax'."
            )
        super().__init__(
            d_model,
            n_heads,
            feature_map,
            causal=causal,
            normalizer="sum",
            bias=bias,
            redraw_interval=redraw_interval,
            device=device,
            dtype=dtype,
        )
        self.draw(seeded_generator(random_state))
