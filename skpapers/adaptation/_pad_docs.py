"""Texts that the docstrings of both policies share."""

from skpapers._torch.network_docs import NETWORK_PARTS

PARTS: dict[str, str] = {
    **NETWORK_PARTS,
    "network": """
    hidden_layer_sizes : array-like of int, or int, default=(64, 64)
        Width of each dense layer of the encoder, which policy and self-supervised head share.

    head_layer_sizes : array-like of int, or int, default=(64,)
        Width of each hidden layer of both heads.

    auxiliary : {"inverse", "rotation"}, default="inverse"
        What the self-supervised head predicts. "inverse": the action between two observations, which needs transitions.
        "rotation": by which of four turns an observation was turned: quarters of a full turn for images, which have to
        be square, and cyclic shifts by a quarter of the length for columns and series.

    auxiliary_weight : float, default=1.0
        Weight of the self-supervised loss in the training. With 0 the head is not trained, and adapting by it is of no
        use.

    hidden_channels : array-like of int, or int, default=()
        Output channels of convolutions before the dense layers, for images and series. Empty: a perceptron.

    image_shape : tuple of int, default=None
        (C, H, W) or (C, L). None takes it from arrays of more than two dimensions, if there are convolutions. Flat rows
        without it are one channel: a square image if their number of columns is a square, and otherwise a series.

    kernel_size : int, default=3
        Height and width of the kernels, odd. The padding is of zeros, half the kernel wide.

    strides : array-like of int, or int, default=1
        Steps of each convolution along height and width.

    activation : {"identity", "logistic", "tanh", "relu", "silu", "softplus"}, default="silu"
        Activation after each layer but the last ones.
    """,
    "adaptation": """
    adapt_scope : {"adapter", "encoder", "encoder+head"}, default="adapter"
        What adapts in `partial_fit`. "adapter": an affine map of the scaled inputs, the identity at first, with a gain
        and an offset for each column, or a matrix and an offset for the channels of images and series. "encoder": all
        of the encoder, with a fixed head. "encoder+head": encoder and self-supervised head, as in the paper.

    adapt_learning_rate : float, default=0.003
        Learning rate of Adam in `partial_fit`.

    adapt_steps : int, default=1
        Steps after each transition.

    adapt_batch_size : int, default=32
        Transitions of a step.

    adapt_window : int, default=256
        Number of latest transitions from which those of a step are drawn. 1 is the latest alone, as in the paper.
    """,
    "steps": """
    alpha : float, default=0.0
        Weight decay of matrices and kernels in the training: each step multiplies them by 1 - learning rate * `alpha`.

    batch_size : int, default=64
        Rows of a step.

    learning_rate_init : float, default=0.003
        Learning rate of AdamW at the start of a cosine schedule that ends at 0.

    max_iter : int, default=60
        Number of epochs.

    shuffle : bool, default=True
        Whether rows are visited in a new order in every epoch.

    scaling : {"standard", "robust"} or None, default="standard"
        The first, fixed layer, before the adapter. "standard": mean and standard deviation, without a clip, so that
        the adapter can undo any drift. "robust": median and interquartile range, heavy tails by ranks, and a smooth
        clip at 3. None: X as it is. Images are scaled by channel.
    """,
    "state": """
    random_state : int, RandomState instance or None, default=None
        Seed of weights, orders, and batches of the adaptation.

    verbose : bool or int, default=False
        Print a line for each epoch.
    """,
    "fitted": """
    loss_curve_ : list of float
        Mean training loss of each epoch: that of the policy plus `auxiliary_weight` times the self-supervised one.

    loss_ : float
        The last of them.

    n_iter_ : int
        Number of epochs.

    n_adapted_ : int
        Number of transitions since `fit` or `reset`.

    adaptation_curve_ : ndarray
        Self-supervised loss before each of the latest 1000 steps of the adaptation.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if the input had them.
    """,
    "notes": r"""
    An encoder e sees an observation :math:`x_t`; a policy head :math:`\pi` and a self-supervised head s see what it
    finds. `fit` minimises the mean over rows of

    .. math:: \ell(y_t, \pi(e(x_t))) + \alpha L_t, \quad
              L_t = \ell(a_t, s(e(x_t), e(x_{t+1}))) \text{ or } \tfrac14 \sum_k \ell(k, s(e(r_k x_t))),

    with the expert's action :math:`y_t`, the action taken :math:`a_t` and turns :math:`r_k`. `partial_fit` takes steps
    of Adam on :math:`L_t` alone, for the weights that `adapt_scope` names. The policy head never changes.

    Inverse dynamics need to see what follows what. With `X_next`, each row is a transition of its own. With `episode`,
    each row and the next one of its episode are a transition, in `fit` and in each call of `partial_fit`; the last row
    of an episode has no successor. With neither, rows are taken for unordered, and a policy without the inverse loss is
    learned: rows of a table, or of a fold of a cross-validation, need not follow one another. A training row is used
    with the observation after it, and an adaptation step with transitions that are complete: nothing that comes later
    is seen.

    What adapts is only as good as the signal. Inverse dynamics say nothing if an action can be read from the
    observations in spite of a shift, and nothing about a sensor that no action moves. The actions have to vary: add
    exploration noise, and give the executed ones as `action`.

    `predict` changes nothing, and a row is predicted as if it were alone. A fit with the same `random_state` repeats
    itself bit for bit at equal numbers of threads. The state of the adaptation is kept as arrays of numpy: a pickle in
    the middle goes on as the original does. Parameters of the adaptation may be set to other values between calls.

    Cost: an epoch O(n P) for P weights, about three times that of the policy alone with "inverse" and five times with
    "rotation". A transition costs `adapt_steps` gradients of `adapt_batch_size` rows. Memory: `adapt_window`
    transitions and a second copy of the weights.
    """,
    "differences": """
    **Differences from the paper.** The paper trains the policy by reinforcement learning; here it is cloned from an
    expert, so that a table of observations and actions is enough. The paper adapts encoder and head on 32 random crops
    of the latest observation; here a small adapter adapts on a window of transitions, without crops.
    `adapt_scope="encoder+head"`, `adapt_window=1`, `adapt_learning_rate=0.001` come closest to the paper. All turns of
    an image enter the loss, where the paper draws one. The turns of columns are our own addition.
    """,
    "references": """
    .. [1] N. Hansen, R. Jangir, Y. Sun, G. Alenyà, P. Abbeel, A. A. Efros, L. Pinto, X. Wang, "Self-Supervised Policy
       Adaptation during Deployment", ICLR 2021. https://arxiv.org/abs/2007.04309. Official code:
       https://github.com/nicklashansen/policy-adaptation-during-deployment
    """,
}
