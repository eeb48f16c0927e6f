"""Texts that the docstrings of both Gradient Vaccine estimators share."""

from skpapers._torch.mlp_docs import MLP_PARTS

PARTS: dict[str, str] = {
    **MLP_PARTS,
    "network": """
    hidden_layer_sizes : array-like of int, or int, default=(64, 64)
        Width of each hidden layer. All tasks share these layers; the last, linear layer has outputs for each task.
    """,
    "vaccine": r"""
    method : {"gradvac", "pcgrad", "sum"}, default="gradvac"
        How the gradients of the tasks become one step of the shared layers. "gradvac" raises the cosine of two
        gradients to a target that follows the cosines seen so far, "pcgrad" raises negative cosines to 0, and "sum" is
        the plain gradient of the summed losses.

    beta : float, default=0.01
        Share of a measured cosine in its target (:math:`\beta` in the paper). With 0 the targets stay at 0, which is
        "pcgrad".

    granularity : {"whole", "layer", "matrix"}, default="whole"
        Which parameters are corrected together: all shared ones, those of each layer, or each tensor alone. The paper
        prefers layers.

    task_weights : array-like of shape (n_tasks,), default=None
        Factors of the tasks' losses, in the order of `tasks_`. They are divided by the largest one, so that only their
        ratios matter. None means equal factors.
    """,
    "steps": """
    batch_size : int, default=64
        Rows of a step.

    learning_rate_init : float, default=0.005
        Learning rate at the start of a cosine schedule that ends at 0 after `max_iter` epochs.

    max_iter : int, default=60
        Number of epochs.
    """,
    "patience": """
    n_iter_no_change : int, default=10
        Epochs without improvement after which `early_stopping` ends training.
    """,
    "state": """
    warm_start : bool, default=False
        Start `fit` from the weights of the last one; scaling, tasks and classes stay as they are.

    random_state : int, RandomState instance or None, default=None
        Seed of weights, orders of rows and tasks, and dropout.

    verbose : bool or int, default=False
        Print a line for each epoch.
    """,
    "features": MLP_PARTS["scaling"]
    + """
    numeric_embedding : {"none", "periodic"}, default="none"
        "periodic" puts three learned periodic functions of each feature beside it; they fit targets that are not
        smooth in a feature. The correction of gradients then costs more.

    dropout : float, default=0.0
        Probability of zeroing each hidden value in training.
    """,
    "fitted_tasks": """
    tasks_ : ndarray of shape (n_tasks,)
        The tasks: the sorted entries of `task`, the names of the columns of y if it is a frame, or numbers from 0.

    n_tasks_ : int
        Number of tasks.

    target_similarity_ : ndarray of shape (n_tasks, n_tasks), or (n_groups, n_tasks, n_tasks), or None
        Targets of the cosines after training; the second shape for `granularity` "layer" and "matrix". Row i belongs to
        the corrected gradient of task i. The diagonal is unused. None for "sum", and for one task.

    similarity_history_ : ndarray of shape (n_epochs, n_tasks, n_tasks), or None
        Mean cosines of the tasks' gradients of all shared parameters in each epoch, before their correction; NaN where
        two tasks never met in a batch. None for "sum", and for one task.
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
    With :math:`\tau_t` the weight of task t, divided by the largest one, the objective is

    .. math:: \sum_t \tau_t L_t, \qquad
              L_t = \sum_{i \in I_t} w_i\, \ell_t(f_t(x_i), y_{it}) \Big/ \sum_{i \in I_t} w_i,

    where :math:`I_t` are the rows with a label of task t: a task with few labels counts as much as one with many. In
    each step the gradients :math:`g_t` of the shared layers are corrected. Task i meets the other tasks j in a random
    order. If :math:`\phi = \cos(g_i', g_j)` is below the target :math:`\hat\phi_{ij}`, the correction

    .. math:: g_i' \leftarrow g_i' + \frac{\|g_i'\| (\hat\phi_{ij} \sqrt{1 - \phi^2} - \phi \sqrt{1 - \hat\phi_{ij}^2})}
              {\|g_j\| \sqrt{1 - \hat\phi_{ij}^2}}\, g_j

    raises it to the target. Then :math:`\hat\phi_{ij} \leftarrow (1 - \beta) \hat\phi_{ij} + \beta \phi`, and the step
    follows :math:`\sum_i g_i'`. The weights of the last layer belong to one task each, and follow their own gradients.
    With one task nothing is corrected.
    """,
    "cost": """
    Cost: for m tasks, n rows, p features and layers of width h, O(n m (p h + h^2)) for an epoch, against
    O(n (p h + h^2)) of "sum": one forward pass, and one backward pass for all tasks. In small networks most of the
    time is the number of operations, which does not grow with m: with the default layers and batch, 6 tasks take less
    than 1.8 times the time of "sum". In wide layers the arithmetic dominates. The backward pass is two thirds of it,
    and takes m times as long: the time tends to (1 + 2 m) / 3 times that of "sum".
    """,
    "differences": """
    Two fits with the same `random_state` agree bit for bit if the number of threads is the same. The fitted state is
    NumPy arrays. `partial_fit` continues with the targets of the similarities, also after pickling.

    **Differences from the paper.** The paper trains translation models, in which all layers are shared. Here the last
    layer is not shared, and takes no part in the cosines. Cosines are clipped at 1 - 1e-6, since the correction divides
    by :math:`\\sqrt{1 - \\hat\\phi^2}`. A task without a label in a batch has no gradient: it takes no part, and
    its targets do not change. AdamW, the cosine schedule and robust scaling are for tables. The accuracy that the paper
    gains in translation did not show on tables: see the guide.
    """,
    "references": """
    .. [1] Z. Wang, Y. Tsvetkov, O. Firat, Y. Cao, "Gradient Vaccine: Investigating and Improving Multi-task
       Optimization in Massively Multilingual Models", ICLR 2021. https://arxiv.org/abs/2010.05874
    .. [2] T. Yu, S. Kumar, A. Gupta, S. Levine, K. Hausman, C. Finn, "Gradient Surgery for Multi-Task Learning",
       NeurIPS 2020. https://arxiv.org/abs/2001.06782
    """,
}
