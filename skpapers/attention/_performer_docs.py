"""Texts that the docstrings of both Performers share."""

from skpapers.attention._sequence_docs import SEQUENCE_PARTS

PARTS: dict[str, str] = {
    **SEQUENCE_PARTS,
    "summary": """
    For long windows, where exact attention is slow: from 256 steps on, with `causal=True` from 1024 on. Shorter ones
    get exact softmax attention, unless `attention="linear"`.
    """,
    "layer": """
    n_features : int or None, default=None
        Random features of a head (m in the paper). None: d ln d for heads of width d, at least 8.

    kernel : {"softmax", "relu", "sigmoid", "softplus"}, default="softmax"
        What the features estimate: the softmax kernel (FAVOR+), or generalised attention with this function of W x.

    redraw_interval : int or None, default=None
        Steps of training after which the features are drawn anew. None: they are drawn once.

    attention : {"auto", "linear", "softmax"}, default="auto"
        "linear" is the paper's, "softmax" the exact one. "auto" is "softmax" for fewer than 256 steps (or columns),
        with `causal=True` 1024, where it is faster.
    """,
    "see_also_classifier": """
    RFAClassifier : Sines and cosines as features, and a gate that forgets.
    FavorAttention : The layer, for networks of torch.
    SAMMLPClassifier : A perceptron, for tables.
    """,
    "see_also_regressor": """
    RFARegressor : Sines and cosines as features, and a gate that forgets.
    FavorAttention : The layer, for networks of torch.
    SAMMLPRegressor : A perceptron, for tables.
    """,
    "notes": r"""
    Attention with positive orthogonal random features [1]_: the weight :math:`\exp(q^\top k / \sqrt d)` of a key is the
    mean of :math:`\phi(q)^\top \phi(k)` over random :math:`\phi`, so that sums over keys are made once for all queries.
    """,
    "cost": r"""
    Cost: O(n L m d) for an epoch of n windows of L steps, m features and heads of d; O(n L^2 d) for exact attention. A
    step of a stream costs O(m d) for a head, and for exact attention O(L d). Memory: X in float64 and in `dtype`;
    predictions are computed in chunks of rows.
    """,
    "differences": """
    **Differences from the paper.** The network is small, its first block does not normalise, and the last block
    computes one position if `pool` needs no other. Features are drawn once: a small network learns around them, and
    new ones during training are noise (`redraw_interval`). Short windows get exact attention. The paper's public code
    lets causal attention see later keys through a maximum; here it does not.
    """,
    "references": """
    .. [1] K. Choromanski, V. Likhosherstov, D. Dohan, X. Song, A. Gane, T. Sarlos, P. Hawkins, J. Davis,
       A. Mohiuddin, L. Kaiser, D. Belanger, L. Colwell, A. Weller, "Rethinking Attention with Performers", ICLR 2021.
       https://arxiv.org/abs/2009.14794. Official code:
       https://github.com/google-research/google-research/tree/master/performer
    """,
}
