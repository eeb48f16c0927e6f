"""Texts that the docstrings of all multi-layer perceptrons share, see `filled_docstring`."""

from skpapers._torch.network_docs import NETWORK_PARTS

MLP_PARTS: dict[str, str] = {
    **NETWORK_PARTS,
    "activation": """
    activation : {"identity", "logistic", "tanh", "relu", "silu", "softplus"}, default="silu"
        Activation after each hidden layer.
    """,
    "solver": """
    solver : {"adamw", "adam", "sgd"}, default="adamw"
        The base optimiser.

    alpha : float, default=0.1
        Weight decay of the matrices, not of biases and frequencies: for "adamw" each step multiplies them by 1
        - learning rate * `alpha`, otherwise it is an L2 penalty, `alpha` / 2 times the squared norm added to
        the mean loss.
    """,
    "optimizer": """
    shuffle : bool, default=True
        Whether rows are visited in a new order in every epoch.

    momentum : float, default=0.9
        For "sgd".

    nesterovs_momentum : bool, default=True
        For "sgd".

    beta_1 : float, default=0.9
        Decay of the first moment, for "adamw" and "adam".

    beta_2 : float, default=0.999
        Decay of the second moment, for "adamw" and "adam".

    epsilon : float, default=1e-08
        Numerical stability of "adamw" and "adam".
    """,
    "seed": """
    random_state : int, RandomState instance or None, default=None
        Seed of weights, orders, dropout and mixup.

    verbose : bool or int, default=False
        Print a line for each epoch.
    """,
    "inputs": NETWORK_PARTS["scaling"]
    + """
    numeric_embedding : {"none", "periodic"}, default="periodic"
        "periodic" puts three learned periodic functions of each feature beside it; they fit targets that are
        not smooth in a feature. "none" is the plain network, cheaper where there are hundreds of features.
    """,
    "classes": """
    n_ensemble : int, default=1
        Networks trained side by side in one set of tensors, each with its own start, orders and masks; their
        probabilities are averaged.
    """
    + NETWORK_PARTS["labels"],
    "numbers": """
    n_ensemble : int, default=1
        Networks trained side by side in one set of tensors, each with its own start, orders and masks; their
        predictions are averaged.
    """
    + NETWORK_PARTS["loss"],
    "last": """
    mixup_alpha : float, default=0.0
        Mix the rows of each batch in pairs with shares of Beta(`mixup_alpha`, `mixup_alpha`); 0 mixes nothing.
    """
    + NETWORK_PARTS["training_device"],
}
