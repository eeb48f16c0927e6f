"""Texts that the docstrings of both perceptrons with Monarch matrices share."""

from skpapers._torch.mlp_docs import MLP_PARTS

PARTS: dict[str, str] = {
    **MLP_PARTS,
    "structure": """
    n_blocks : int or "sqrt", default="sqrt"
        Number of blocks of each factor, at most the smaller size of a layer. "sqrt" is about the root of that size,
        where the factors have the fewest parameters. The paper's networks have 4 blocks, and half the parameters of
        dense ones.

    rank : int or "auto", default="auto"
        Rank of the submatrices of each matrix, by which its number of parameters is multiplied. "auto" is 1 for
        `n_blocks="sqrt"`, and otherwise the lowest rank with which the matrices can have full rank; for
        `mode="dense_to_sparse"` see `min_compression`.

    mode : {"end_to_end", "sparse_to_dense", "dense_to_sparse", "dense"}, default="end_to_end"
        "end_to_end" trains Monarch matrices. "sparse_to_dense" multiplies them out after the share `switch_at` of the
        epochs and trains on with dense ones. "dense_to_sparse" trains dense matrices, replaces them with their nearest
        Monarch matrices, and fine-tunes these. "dense" is the same network with dense matrices throughout.

    switch_at : float, default=0.9
        Share of the epochs with Monarch matrices, for "sparse_to_dense".

    finetune : float, default=0.3
        Epochs after the projection as a share of `max_iter`, for "dense_to_sparse"; they come on top of `max_iter`.

    min_compression : float, default=8.0
        For "dense_to_sparse" with `rank="auto"`: each layer has the largest rank with which its factors have so many
        times fewer parameters than its dense matrix, and rank 1 if no rank has.

    residual : bool, default=True
        Whether a hidden layer adds to the values of the one before, if both are equally wide.
    """,
    "steps": """
    batch_size : int or "auto", default="auto"
        Rows of a step. "auto" is 64 up to 4000 training rows, 256 from 8000 on, and moves geometrically between
        them.

    learning_rate_init : float or "auto", default="auto"
        Learning rate of a network with Monarch matrices after a short warm-up; it falls to 0 over `max_iter` epochs
        along a cosine. A network whose matrices are all dense learns at half of it. "auto" is 0.01 up to 4000 rows,
        0.03 from 8000 on.

    max_iter : int or "auto", default="auto"
        Number of epochs, without those of `finetune`. "auto" is 60 up to 4000 rows, 36 from 8000 on.
    """,
    "patience": """
    n_iter_no_change : int, default=10
        Epochs without improvement after which `early_stopping` ends training, or the first of two phases.
    """,
    "warm_start": """
    warm_start : bool, default=False
        Start `fit` from the weights of the last one; scaling and classes stay as they are. Matrices keep their form:
        dense ones stay dense, except for "dense_to_sparse", which then only fine-tunes Monarch matrices.
    """,
    "sam": """
    rho : float, default=0.0
        Radius of sharpness-aware minimisation, see :class:`SAMMLPClassifier`; 0 is the base optimiser alone, at half
        the cost.

    adaptive : bool, default=False
        Measure the radius relative to each weight (ASAM); then `rho` is 0.5 to 2.

    sam_fraction : float or "auto", default="auto"
        Share of the steps, the last ones, that take the second pass if `rho` > 0. "auto" is 1 up to 4000 rows, 0.1
        from 8000 on.
    """,
    "hidden": """
    batch_norm : bool, default=False
        Normalise each hidden layer before its activation.

    dropout : float, default=0.2
        Probability of zeroing what each hidden unit adds, in training.
    """,
    "fitted_sizes": """
    n_parameters_ : int
        Number of learned parameters, those of all members of an ensemble.

    compression_ : float
        Parameters of the same network with dense matrices, divided by `n_parameters_`.
    """,
    "fitted_epochs": """
    n_iter_ : int
        Number of epochs, of all phases.
    """,
    "best_score": """
    best_validation_score_ : float or None
        The best of them, in the last phase.
    """,
    "notes": r"""
    A hidden layer computes :math:`h' = h + \sigma(M h + c)`, or :math:`\sigma(M h + c)` where the widths differ,
    with the Monarch matrix :math:`M = P L P^\top R`: L and R are block-diagonal, and P transposes an index of two
    parts [1]_. A layer of width h has :math:`2 h^{3/2}` parameters instead of :math:`h^2`, and its optimiser as
    many moments. The objective is the mean loss of the rows, whose weights are scaled to a mean of 1.

    The last layer is dense. So are a first layer of fewer than 128 inputs (four for each feature with periodic
    embeddings) and a layer whose factors would save less than a fifth of its parameters.

    "sparse_to_dense": the outputs before and after the switch are equal up to rounding. The moments of the
    optimiser restart, and the cosine goes on. "dense_to_sparse": the projection minimises the Frobenius distance
    for each matrix, see :func:`monarch_project`; fine-tuning has a warm-up and a cosine of its own. If a callback
    ends a fit, the phases that are left change the form of the matrices and train no more. With `early_stopping`
    each phase ends by itself.

    `partial_fit` continues in the form of the fitted model; without one it starts with Monarch matrices, unless
    `mode="dense"`. `densify` multiplies the factors out, and `from_dense` starts from a fitted dense network.

    Cost: O(n m h^{3/2}) for an epoch of n rows and m layers of width h, where dense layers cost O(n m h^2);
    elementwise operations are O(n m h), and take half of the time at h = 512. Memory: X in float64 and in `dtype`;
    `predict` converts X in chunks and needs little more memory than X.

    A fit with the same `random_state` repeats itself bit for bit at equal numbers of threads. State is kept as
    arrays of numpy.

    **Differences from the paper.** The paper trains transformers with 4 blocks; here about :math:`\sqrt h` blocks
    are the default, since they are faster, and a residual around each hidden layer keeps the accuracy. Numbers of
    blocks that do not divide the sizes pad with zeros. Periodic embeddings, robust scaling, AdamW, warm-up and
    cosine are for tables. The entries of both factors start with variance 1 / fan-in, and biases at 0. A network
    whose matrices are all dense learns at half the rate.
    """,
    "references": """
    .. [1] T. Dao, B. Chen, N. Sohoni, A. Desai, M. Poli, J. Grogan, A. Liu, A. Rao, A. Rudra, C. Ré, "Monarch:
       Expressive Structured Matrices for Efficient and Accurate Training", ICML 2022. https://arxiv.org/abs/2204.00595.
       Official code: https://github.com/HazyResearch/fly
    """,
}
