"""Texts that the docstrings of both estimators with random feature attention share."""

from skpapers.attention._sequence_docs import SEQUENCE_PARTS

PARTS: dict[str, str] = {
    **SEQUENCE_PARTS,
    "summary": """
    With `gate=True` each head forgets at a rate that it learns, `half_life_`, which suits series in which recent steps
    count most. Such a model needs no positions.
    """,
    "layer": """
    n_features : int, default=32
        Random frequencies of a head (D in the paper), of which each gives a sine and a cosine.

    kernel : {"gaussian", "arccos"}, default="gaussian"
        What the features estimate: the Gaussian kernel of unit vectors, or the arc-cosine kernel.

    gate : bool, default=False
        Whether each head forgets: its sums over keys decay by a learned function of each step. It needs `causal=True`.

    sigma : float, default=0.5
        Start of the learned width of the Gaussian kernel.

    normalizer : {"count", "sum"} or None, default="count"
        What a sum over keys is divided by, unless there is a gate: their number, before a root-mean-square
        normalisation of each head, or the paper's sum of weights, which is noisy and may be near 0.

    redraw_interval : int or None, default=None
        Steps of training after which the features are drawn anew. None: they are drawn once.

    attention : {"auto", "linear", "softmax"}, default="auto"
        "linear" is the paper's, "softmax" the exact one. "auto" is "linear" with `gate=True`; otherwise "softmax" for
        fewer than 512 steps (or columns), with `causal=True` 1024, where it is faster.
    """,
    "fitted_gates": """
    half_life_ : ndarray of shape (n_layers, n_heads)
        For `gate=True`: the steps after which what a head has seen weighs half, -ln 2 / ln g for the mean gate g. The
        mean is over the steps of the training rows, each with the weight of its row; after `partial_fit`, over those
        of the last call.
    """,
    "see_also_classifier": """
    PerformerClassifier : Positive features of the softmax kernel.
    RandomFeatureAttention : The layer, for networks of torch.
    SAMMLPClassifier : A perceptron, for tables.
    """,
    "see_also_regressor": """
    PerformerRegressor : Positive features of the softmax kernel.
    RandomFeatureAttention : The layer, for networks of torch.
    SAMMLPRegressor : A perceptron, for tables.
    """,
    "notes": r"""
    Attention with random Fourier features [1]_: for unit vectors :math:`\phi(q)^\top \phi(k)` with sines and cosines
    :math:`\phi` estimates :math:`\exp(-\|q - k\|^2 / 2 \sigma^2)`. With a gate :math:`g_t` between 0 and 1 the sums are
    :math:`S_t = g_t S_{t-1} + (1 - g_t) \phi(k_t) v_t^\top`.
    """,
    "cost": r"""
    Cost: O(n L D d) for an epoch of n windows of L steps, D frequencies and heads of d; O(n L^2 d) for exact attention.
    A step of a stream costs O(D d) for a head. Memory: X in float64 and in `dtype`; predictions are computed in chunks
    of rows.
    """,
    "differences": """
    **Differences from the paper.** Sums are divided by the number of keys, and each head is normalised
    (`normalizer="count"`), since the paper's divisor did not learn. A gated head has no divisor, and its gate starts
    at a half-life of 14 steps. Features are drawn once and not at every step. The first block does not normalise.
    """,
    "references": """
    .. [1] H. Peng, N. Pappas, D. Yogatama, R. Schwartz, N. Smith, L. Kong, "Random Feature Attention", ICLR 2021.
       https://arxiv.org/abs/2103.02143. Official code: https://github.com/Noahs-ARK/RFA
    """,
}
