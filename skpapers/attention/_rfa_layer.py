"""The layer of Random Feature Attention."""

from __future__ import annotations

from math import inf, sqrt
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers._docstrings import filled_docstring
from skpapers.attention._attention_layers import RandomFeatureLayer, head_dim, linear_layer
from skpapers.attention._draws import draw_uniform, seeded_generator
from skpapers.attention._feature_maps import FeatureMap
from skpapers.attention._layer_docs import RANDOM_FEATURE_PARTS
from skpapers.attention._linear_attention_state import dtype_of_sums
from skpapers.attention._random_feature_attention import ArcCosineFeatures, FourierFeatures


@filled_docstring(RANDOM_FEATURE_PARTS)
class RandomFeatureAttention(RandomFeatureLayer):
    r"""Multi-head Random Feature Attention (RFA), linear in the length, with a gate that forgets.

    Use it with `gate=True` where recent positions matter most: each head learns how long it remembers.

    Parameters
    ----------
    {width}

    n_heads : int, default=2
        H; it divides `d_model`. Each head has d = D / H dimensions.

    n_features : int, default=32
        Frequencies of each head. The Gaussian kernel has two features for each, a sine and a cosine.

    kernel : {"gaussian", "arccos"}, default="gaussian"
        Kernel of queries and keys that are divided by their lengths.

    {causal}

    gate : bool, default=False
        Whether sums forget: :math:`g_t = \mathrm{sigmoid}(w_g^\top x_t + b_g)` in Eq. 7 of the paper, with
        :math:`b_g` = 3 at the start. It needs `causal=True`.

    sigma : float, default=0.5
        Start of the width of the Gaussian kernel, of which each head learns its own.

    normalizer : {"count", "sum", None}, default="count"
        What weighted sums are divided by. "count" is the number of keys, followed by a root-mean-square normalisation
        of each head; with a gate, whose weights sum to 1 at most, it does nothing. "sum" is the paper's sum of weights.
        Sines and cosines make that noisy and at times close to 0, and it seldom learns.

    {orthogonal}

    {projections}

    {drawing}

    Attributes
    ----------
    feature_map : torch.nn.Module
        The map; its buffer `projection` has the frequencies, its parameter `log_sigma` the logarithms of sigma.

    {in_and_out}

    gate : torch.nn.Linear or None
        The gate, before the sigmoid.

    norm_weight : torch.nn.Parameter of shape (H, 1, d) or None
        Scale after the normalisation of the heads.

    Raises
    ------
    ValueError
        If `n_heads` does not divide `d_model`, `gate=True` without `causal=True`, or a parameter has another value than
        those above.

    See Also
    --------
    FavorAttention : Positive features of the softmax kernel.
    linear_attention : The function behind it.

    Notes
    -----
    {cost}

    A gate g halves the weight of a key after :math:`-\ln 2 / \ln g` positions.

    {one_derivative}

    **Differences from the paper.** The default divides by the number of keys, see `normalizer`. The paper draws new
    frequencies in each training step from a pool of matrices; here they stay the same by default. With
    `normalizer="sum"`, sums of weights are kept 1e-3 away from zero, where the official code has 1 for features that
    are ten times smaller.

    References
    ----------
    .. [1] H. Peng, N. Pappas, D. Yogatama, R. Schwartz, N. A. Smith, L. Kong, "Random Feature Attention", ICLR 2021.
       https://arxiv.org/abs/2103.02143

    Examples
    --------
    >>> import torch
    >>> from skpapers.attention import RandomFeatureAttention
    >>> layer = RandomFeatureAttention(16, causal=True, gate=True, random_state=0)
    >>> x = torch.randn(3, 100, 16, generator=torch.Generator().manual_seed(0))
    >>> layer(x).shape
    torch.Size([3, 100, 16])
    >>> layer.gates(x).shape  # one for each row, head and position
    torch.Size([3, 2, 100])
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int = 2,
        *,
        n_features: int = 32,
        kernel: str = "gaussian",
        causal: bool = False,
        gate: bool = False,
        sigma: float = 0.5,
        normalizer: str | None = "count",
        orthogonal: bool = True,
        redraw_interval: int | None = None,
        bias: bool = True,
        random_state: int | np.random.RandomState | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        d = head_dim(d_model, n_heads, n_features)
        if gate and not causal:
            raise ValueError("gate=True needs causal=True: the gate forgets the past.")
        if not 0.0 < sigma < inf:
            raise ValueError(f"sigma={sigma!r} is not possible: it is a finite number above 0.")
        if normalizer not in ("count", "sum", None):
            raise ValueError(f'normalizer={normalizer!r} is not possible: it is "count", "sum" or None.')
        feature_map: FeatureMap
        if kernel == "gaussian":
            feature_map = FourierFeatures(
                d, n_features, n_heads, sigma=sigma, orthogonal=orthogonal, device=device, dtype=dtype
            )
        elif kernel == "arccos":
            feature_map = ArcCosineFeatures(d, n_features, n_heads, orthogonal=orthogonal, device=device, dtype=dtype)
        else:
            raise ValueError(f"kernel={kernel!r} is not possible: it is 'gaussian' or 'arccos'.")
        super().__init__(
            d_model,
            n_heads,
            feature_map,
            causal=causal,
            # The weights of a gate sum to 1 at most, so that its sums are means already.
            normalizer=None if gate and normalizer == "count" else normalizer,
            bias=bias,
            redraw_interval=redraw_interval,
            device=device,
            dtype=dtype,
        )
        self.gate = linear_layer(d_model, n_heads, True, device, dtype) if gate else None
        scaled = normalizer == "count" and not gate
        self.norm_weight = nn.Parameter(torch.ones(n_heads, 1, d, device=device, dtype=dtype)) if scaled else None
        self.draw(seeded_generator(random_state))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> Self:
        """Draw all weights and frequencies anew; sigma, the bias of the gate and the norm start as in a new layer.

        Parameters
        ----------
        generator : torch.Generator
            On the CPU. Weights on any device are the same for one generator.

        Returns
        -------
        self : object
            The layer.
        """
        super().draw(generator)
        if isinstance(self.feature_map, FourierFeatures):
            self.feature_map.reset_parameters()
        if self.gate is not None:
            draw_uniform(self.gate.weight, sqrt(1.5 / self.d_model), generator)
            self.gate.bias.fill_(3.0)
        if self.norm_weight is not None:
            self.norm_weight.fill_(1.0)
        return self

    def gates(self, x: Tensor) -> Tensor:
        """Return the gates.

        Parameters
        ----------
        x : Tensor of shape (B, L, D)
            The input.

        Returns
        -------
        g : Tensor of shape (B, H, L)
            Numbers between 0 and 1.

        Raises
        ------
        ValueError
            If the layer has no gate.
        """
        if self.gate is None:
            raise ValueError("This RandomFeatureAttention has gate=False.")
        logits = self.gate(x)
        # Gates near 1 are what bfloat16 resolves worst.
        return torch.sigmoid(logits.to(dtype_of_sums(logits.dtype))).transpose(1, 2)

    def _gates(self, x: Tensor) -> Tensor | None:
        return None if self.gate is None else self.gates(x)

    def _merge(self, heads: Tensor) -> Tensor:
        if self.norm_weight is not None:
            heads = F.rms_norm(heads, heads.shape[-1:], eps=1e-8) * self.norm_weight
        return super()._merge(heads)
