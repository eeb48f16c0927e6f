"""Texts that the docstrings of both perceptrons trained by sharpness-aware minimisation share."""

from skpapers._torch.mlp_docs import MLP_PARTS

PARTS: dict[str, str] = {
    **MLP_PARTS,
    "steps": """
    batch_size : int or "auto", default="auto"
        Rows of a step. "auto" is 64 up to 4000 training rows, 256 from 8000 on, and moves geometrically between
        them. Sharpness-aware minimisation gains from small batches.

    learning_rate_init : float or "auto", default="auto"
        Learning rate at the start of a cosine schedule that ends at 0 after `max_iter` epochs. "auto" is 0.005 up to
        4000 rows, 0.015 from 8000 on.

    max_iter : int or "auto", default="auto"
        Number of epochs. "auto" is 60 up to 4000 rows, 36 from 8000 on.
    """,
    "patience": """
    n_iter_no_change : int, default=10
        Epochs without improvement after which `early_stopping` ends training.
    """,
    "warm_start": """
    warm_start : bool, default=False
        Start `fit` from the weights of the last one; scaling and classes stay as they are.
    """,
    "sam": r"""
    rho : float, default=0.05
        Radius of the neighbourhood in the norm of all parameters, :math:`\rho` in the paper (Eq. 1). With noisy
        labels try 0.1 to 0.3; with "sgd" 0.5 may diverge. 0 is the base optimiser alone, at half the cost.

    adaptive : bool, default=False
        Measure the neighbourhood relative to each weight (ASAM); then `rho` is 0.5 to 2.

    sam_fraction : float or "auto", default="auto"
        Share of the steps, the last ones, that take the second pass; the others are the base optimiser's. "auto" is
        1 up to 4000 rows, 0.1 from 8000 on. 1 is the paper's method. In `partial_fit` every step takes the second
        pass, unless this is 0.
    """,
    "hidden": """
    batch_norm : bool, default=False
        Normalise each hidden layer before its activation; the first of the two passes updates the statistics.

    dropout : float, default=0.2
        Probability of zeroing each hidden value in training, by the same mask in both passes.
    """,
    "fitted_epochs": """
    n_iter_ : int
        Number of epochs.
    """,
    "best_score": """
    best_validation_score_ : float or None
        The best of them.
    """,
    "objective": r"""
    With L the mean loss of a batch, :math:`\ell` of a row, and all parameters in one vector w, the objective is

    .. math:: \min_w \max_{\|e\|_2 \le \rho} L(w + e), \qquad L(w) = \frac{1}{b} \sum_i w_i\, \ell(f_w(x_i), y_i),

    with row weights scaled to a mean of 1. Each step takes the gradient at :math:`w + \rho\, g / \|g\|_2`, g being
    the gradient at w of the same batch, with the same dropout mask and mixed partners; then w is restored bit for
    bit and the base optimiser takes the step. Members of an ensemble have norms of their own.
    """,
    "cost": r"""
    Cost: O(n (4 p h + 16 p + m h^2)) for an epoch with p features and m layers of width h, and twice that for the share
    `sam_fraction` of the steps if `rho` > 0. Members of small width cost less together than one after the other.
    Memory: X in float64 and in `dtype`; `predict` converts X in chunks and needs little more memory than X.

    "auto" settings of n rows, with t = log2(n / 4000) between 0 and 1: `batch_size` :math:`64 \cdot 4^t`,
    `learning_rate_init` :math:`0.005 \cdot 3^t`, `max_iter` :math:`60 \cdot 0.6^t`, `sam_fraction` :math:`0.1^t`. A
    number given for one of them leaves the others as they are. Rows of weight 0 do not count. `partial_fit` takes
    the settings of few rows.
    """,
    "differences": """
    A fit with the same `random_state` repeats itself bit for bit at equal numbers of threads. State is kept as
    arrays of numpy. `partial_fit` continues with the moments of the optimiser, at a constant learning rate; the
    moments restart if `solver` has changed.

    **Differences from the paper.** AdamW, the cosine schedule, robust scaling, periodic embeddings, ensembles and
    first steps without the second pass are for tables; the paper trains convolutional networks by SGD. A constant of
    1e-12 keeps a zero gradient from dividing by zero. Weight decay is applied by the base optimiser and is not part
    of the inner maximum.
    """,
    "references": """
    .. [1] P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, "Sharpness-Aware Minimization for Efficiently Improving
       Generalization", ICLR 2021. https://arxiv.org/abs/2010.01412.
       Official code: https://github.com/google-research/sam
    .. [2] J. Kwon, J. Kim, H. Park, I. K. Choi, "ASAM: Adaptive Sharpness-Aware Minimization for Scale-Invariant
       Learning of Deep Neural Networks", ICML 2021. https://arxiv.org/abs/2102.11600
    .. [3] Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning",
       NeurIPS 2022. https://arxiv.org/abs/2203.05556
    """,
}
