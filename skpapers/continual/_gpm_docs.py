"""Texts that the docstrings of both networks with a gradient projection memory share."""

from skpapers._torch.network_docs import NETWORK_PARTS

PARTS: dict[str, str] = {
    **NETWORK_PARTS,
    "memory": """
    hidden_layer_sizes : array-like of int, or int, default=(100, 100)
        Width of each dense layer. Every task uses up directions of each layer: many tasks need wide layers.

    threshold : float or array-like of float, default=(0.95, 0.99)
        Share of a layer's squared inputs that its memory spans after each task (epsilon of the paper), from the first
        layer on; the last number is that of all further layers. Larger values forget less, and leave less for later
        tasks. 0 remembers nothing: plain fine-tuning. With 1 the inputs that are sampled are spanned exactly.

    threshold_increment : float, default=0.0
        Added to `threshold` for each earlier task; the sum is at most 1.

    n_representation_samples : int, default=300
        Number of random rows of each task. The memory is computed from their inputs to the layers.

    heads : {"single", "multi"}, default="single"
        "single": one last layer for all tasks, in the memory like the others. "multi": one for each task. It is not in
        the memory, since no other task changes it, and predictions need the task of each row.

    hidden_channels : array-like of int, or int, default=()
        Output channels of convolutions before the dense layers, for images and series. Empty: a perceptron.

    image_shape : tuple of int, default=None
        (C, H, W) or (C, L), for convolutions. None takes it from arrays of more than two dimensions. Flat rows without
        it are one channel: a square image if their number of columns is a square, and otherwise a series.

    kernel_size : int, default=3
        Height and width of the kernels, odd. The padding is of zeros, half the kernel wide.

    strides : array-like of int, or int, default=1
        Steps of each convolution along height and width.

    activation : {"identity", "logistic", "tanh", "relu", "silu", "softplus"}, default="relu"
        Activation after each layer but the last.
    """,
    "steps": """
    solver : {"adamw", "adam", "sgd"}, default="adamw"
        Optimiser. Its moments begin anew with each task.

    alpha : float, default=0.0
        Weight decay of weights and biases: for "adamw" each step multiplies them by 1 - learning rate * `alpha`,
        otherwise it is an L2 penalty, `alpha` / 2 times the squared norm added to the mean loss. What lies in the
        memory does not decay.

    batch_size : int, default=32
        Rows of a step.

    learning_rate_init : float, default=0.003
        Learning rate at the start of a cosine schedule, which each task goes through from its start to 0.

    max_iter : int, default=20
        Number of epochs of each task.

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
    "first_scaling": """
    scaling : {"robust", "standard"} or None, default="robust"
        The first, fixed layer, with the statistics of the first task: later ones would change what was learned.
        "robust": median and interquartile range, heavy tails by ranks, and a smooth clip at 3, so that raw columns
        work. "standard": mean and standard deviation, without a clip: values far outside the range of the first task
        stay far outside. None: X as it is. Images are scaled by channel.
    """,
    "state": """
    random_state : int, RandomState instance or None, default=None
        Seed of weights, orders and the rows drawn for the memory.

    verbose : bool or int, default=False
        Print a line for each epoch.
    """,
    "fitted_tasks": """
    tasks_ : ndarray of shape (n_tasks,)
        Ids of the tasks, in the order in which they were first learned.

    memory_ : list of ndarray of shape (d, m)
        The memory of each layer: an orthonormal basis of d = inputs + 1 directions (the last one is the bias), which no
        later task changes. For a convolution the inputs are those of a patch.

    memory_usage_ : ndarray of shape (n_layers,)
        m / d of each layer. Above 0.95 `fit` with tasks and `partial_fit` warn.

    task_scores_ : ndarray of shape (n_visits, n_tasks)
        After each visit to a task, the score on the training rows of every task that the same call has learned so far;
        NaN for other tasks, whose rows are not kept. Scores on rows held back: :func:`score_by_task`.
    """,
    "fitted_losses": """
    loss_curve_ : list of float
        Mean training loss of each epoch, task after task.

    loss_ : float
        The last of them.

    n_iter_ : int
        Number of epochs of all tasks.
    """,
    "fitted_rows": """
    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if the input had them.
    """,
    "notes": r"""
    A layer multiplies inputs r, with a 1 appended for the bias, by a matrix W. After a task the columns of R are the
    inputs of the layer for rows of the task. The memory M, an orthonormal basis, is extended by the first left singular
    vectors of :math:`R - M M^\top R`, as many as are needed for

    .. math:: \|M M^\top R\|_F^2 \ge \epsilon \|R\|_F^2.

    Later tasks minimise their mean loss by steps :math:`\Delta W - M M^\top \Delta W`, where :math:`\Delta W` is the
    step of the optimiser, with momentum and weight decay. The output of the layer for inputs in the span of M stays the
    same up to rounding. Predictions for old rows change by what the memory does not span.

    `fit` visits the tasks in ascending order of their ids, and each to its end. `partial_fit` does so with the tasks of
    its rows: a new id is a new task, and without `task` every call is one. A known id goes on with its task. The last
    task then changes freely; an earlier one uses what the memory leaves, as it is held by its own memory as well. One
    call of `fit` equals calls of `partial_fit` task after task with the same `random_state`.

    `sample_weight` counts within a task: weights are scaled to a mean of 1 in each. A fit with the same `random_state`
    repeats itself bit for bit at equal numbers of threads. State is kept as arrays of numpy, the memory included.

    Cost: that of a network without memory, and for each step and layer 4 d h m operations, with d inputs, h outputs and
    m directions in the memory; after a task the singular values of a d x n matrix, n being
    `n_representation_samples`, for convolutions times the places of a kernel. After each task a call scores all tasks
    that it has learned so far: with hundreds of tasks in one call this takes longer than the training. Memory: at most
    the square of d numbers for each layer, and no rows; during a fit the d x n matrices of all layers.

    Between calls of `partial_fit` parameters of the steps, of the memory and of the device may be set to other values.
    Another network, other `heads` or another `scaling` raise an error.
    """,
    "differences": """
    **Differences from the paper.** The paper projects the gradients of plain SGD; here the step is projected, which is
    exact for other optimisers too. Its networks leave biases out; here a bias is one more direction of the memory.
    Batch normalisation is not offered, since its statistics would change the outputs for old rows. The paper's code
    keeps one direction less in the first task than its criterion asks for. Here each task has a cosine schedule. The
    paper lowers the rate when the validation loss stalls.
    """,
    "references": """
    .. [1] G. Saha, I. Garg, K. Roy, "Gradient Projection Memory for Continual Learning", ICLR 2021.
       https://arxiv.org/abs/2103.09762. Official code: https://github.com/sahagobinda/GPM
    """,
}
