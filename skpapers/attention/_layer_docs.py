"""Texts that the docstrings of several layers share."""

COMMON: dict[str, str] = {
    "causal": """
    causal : bool, default=False
        Whether a position sees itself and earlier ones only. A causal layer has :meth:`step`.
    """,
    "drawing": """
    random_state : int, RandomState instance or None, default=None
        Draws the weights; torch's global generator is not used.

    device : torch.device, default=None
        Where the weights are.

    dtype : torch.dtype, default=None
        Of the weights.
    """,
    "one_derivative": """
    The backward pass is a function of its own, which computes again what it needs. There are first derivatives only,
    and transforms of `torch.func`, such as `vmap` and `grad`, do not work.
    """,
}

GATED_PARTS: dict[str, str] = {
    **COMMON,
    "width": """
    d_model : int
        Width of inputs and outputs (d in the paper).

    expansion : float, default=2
        Width of values and gates over `d_model` (e / d); e is rounded down.
    """,
    "added": """
    position_bias : bool, default=True
        Whether scores have a learned bias that depends on i - j.

    norm : bool or "scale", default=True
        Normalisation of the inputs: layer normalisation, the paper's ScaleNorm, or none. It removes the size of an
        input: choose False for the first layer of a network if rare large values matter.

    residual : bool, default=True
        Whether the input is added to the output.
    """,
    "in_weight": """
    in_weight : torch.nn.Parameter of shape (2 e + s, d_model)
        W_u, W_v and W_z; `in_bias` likewise.
    """,
    "out_weight": """
    out_weight : torch.nn.Parameter of shape (d_model, e)
        W_o; `out_bias` likewise.
    """,
    "references": """
    .. [1] W. Hua, Z. Dai, H. Liu and Q. V. Le, "Transformer Quality in Linear Time", ICML 2022.
       https://arxiv.org/abs/2202.10447

    .. [2] X. Ma et al., "Mega: Moving Average Equipped Gated Attention", ICLR 2023. https://arxiv.org/abs/2209.10655
    """,
}

RANDOM_FEATURE_PARTS: dict[str, str] = {
    **COMMON,
    "width": """
    d_model : int
        D, width of the input and the output.
    """,
    "orthogonal": """
    orthogonal : bool, default=True
        Draw frequencies orthogonal in blocks of d, which lowers the variance.
    """,
    "projections": """
    redraw_interval : int, default=None
        Forward passes in training after which frequencies are drawn anew. None: never.

    bias : bool, default=True
        Whether the projections add a vector.
    """,
    "in_and_out": """
    in_projection, out_projection : torch.nn.Linear
        Of queries, keys and values, and of the output.
    """,
    "cost": """
    A forward pass costs O(L (D^2 + H m d)), a step O(D^2 + H m d), with m features.
    """,
}
