"""Texts that the docstrings of both estimators with FLASH share."""

from skpapers.attention._sequence_docs import SEQUENCE_PARTS

PARTS: dict[str, str] = {
    **SEQUENCE_PARTS,
    "summary": """
    One layer takes the place of attention and dense layers. It attends to all steps of a chunk, and to sums over the
    other chunks.
    """,
    "layer": """
    chunk_size : int, default=64
        Steps of a chunk (C in the paper). It divides scores in shorter windows as well.

    d_query : int, default=32
        Width of queries and keys (s).

    expansion : float, default=2.0
        Width of values and gates over `d_model`.

    activation : {"relu2", "laplace"}, default="relu2"
        Attention function within a chunk: the paper's squared ReLU, or the Laplace function of Mega.
    """,
    "see_also_classifier": """
    PerformerClassifier : A transformer with attention in linear time.
    GatedAttentionUnit : The layer without chunks, for networks of torch.
    FLASH : The layer, for networks of torch.
    """,
    "see_also_regressor": """
    PerformerRegressor : A transformer with attention in linear time.
    GatedAttentionUnit : The layer without chunks, for networks of torch.
    FLASH : The layer, for networks of torch.
    """,
    "notes": r"""
    A layer computes :math:`x + W (u \odot (A v + \hat v))` [1]_, with gates u and values v, quadratic attention
    :math:`A = \mathrm{relu}(q k^\top / C + b)^2` within chunks of C steps, and linear attention :math:`\hat v` across
    them; see :class:`FLASH`.
    """,
    "cost": r"""
    Cost: O(n L (C + d) d) for an epoch of n windows of L steps and a width d. A step of a stream costs O((C + d) d).
    Memory: X in float64 and in `dtype`; predictions are computed in chunks of rows.
    """,
    "differences": """
    **Differences from the paper.** The network is small, and its first layer does not normalise. The vectors that make
    queries and keys start around 1 instead of 0. See :class:`FLASH` for the divisor of the causal linear part.
    """,
    "references": """
    .. [1] W. Hua, Z. Dai, H. Liu, Q. V. Le, "Transformer Quality in Linear Time", ICML 2022.
       https://arxiv.org/abs/2202.10447
    """,
}
