"""Parts of the docstrings of the four estimators of convex networks, by name.

A class docstring holds the header of each parameter, with its default, and `{name}` where a text of this file belongs.
"""

from skpapers._cross_validation import DOCUMENTED as CROSS_VALIDATION

USE = """
    Training has no learning rate and no restarts, two fits from one seed agree to the last bit, and a bound says how
    far the objective is from the optimum over the sampled activation patterns. Use it for small and middling tables
    where a network is wanted that can be reproduced."""

PARAMETERS = {
    "activation": """
        "gated_relu" fixes the hyperplane that switches each neuron: faster, and another kind of network.""",
    "alpha": """
        Strength of the regularisation, above 0 (lambda in the paper): `alpha` times the sum of the norms of the neurons
        in the convex program, which is weight decay of `alpha` / 2 on both layers of the network.""",
    "alphas": """
        Values of alpha to choose from. An int is their number on a geometric grid. Its largest value is the least
        alpha at which the model is empty, its smallest one is `eps` times that.""",
    "eps": """
        Length of the grid: its smallest alpha over its largest.""",
    "loss_of_numbers": """
        The loss.""",
    "loss_of_classes": """
        "squared_error" fits targets of -1 and 1, one output a class where there are more than two, as the paper does;
        it has no probabilities.""",
    "n_gates": """
        Number of random gates; those with equal patterns count once.""",
    "gates": """
        "random" draws normal gates for scaled columns. An array holds one gate a column for the columns as they are;
        its last row, if it has one more, are intercepts.""",
    "n_refine": """
        Most rounds of column generation, for "relu"; 0 keeps the sample as it is, like the paper. Rounds after the
        fifth search harder and harder. Programs before the last one are solved roughly. The rounds end when searches
        find no missing pattern, when a round lowers the objective by less than a quarter of `tol`, relative to it, or
        when half of `max_iter` is spent. "gated_relu" keeps the gates that it was given, without such
        rounds.""",
    "fit_intercept": """
        Whether hidden neurons have intercepts, which are penalised like their other weights. If True,
        columns that are constant in training have weight 0; if False, they act as intercepts.""",
    "output_intercept": """
        Whether outputs have intercepts; these are not penalised.""",
    "standardize_of_classes": """
        Whether columns are scaled to unit variance inside, and centred with `fit_intercept`. Fitted weights are for
        columns as they came.""",
    "standardize_of_numbers": """
        Whether columns and targets are scaled to unit variance inside, and centred where intercepts make up for it.
        Fitted weights are for columns as they came.""",
    "solver": """
        "auto" chooses between the others by their cost, and takes block descent with Newton steps for "relu" where the
        outputs are problems of their own, in place of "fista". "newton" factors Gram matrices; "fista" takes Newton
        steps, too, by conjugate gradients, for gated networks and the squared error; "interior_point" is for "relu",
        where small values of `alpha` make the others slow, and up to 3000 rows times outputs. "cvxpy" hands the program
        to Clarabel, an independent interior-point solver: slow, for checks, and with `n_refine=0` only.""",
    "max_iter": """
        Most Newton and interior-point steps and FISTA iterations, together.""",
    "tol": """
        The fit ends where `gap_`, the relative duality gap, is at most this.""",
    "tol_of_cv": """
        The last fit ends where `gap_`, the relative duality gap, is at most this. The fits of the folds end at 20 times
        this gap, but at 0.05 if that is less, since scores do not need more. Set it lower for scores that are closer to
        those of the optimum.""",
    "time_limit": """
        Seconds after which the fit ends with the best network and the bound found so far. The solver finishes the step
        it is in, checks all patterns once and searches briefly for missing ones, which may exceed the limit. None
        means no limit. `solver="cvxpy"` ignores it.""",
    "time_limit_of_cv": """
        Seconds for the whole of `fit`. The folds and the last fit get equal parts of it; folds of parallel workers run
        at the same time. Within a fold each alpha gets an equal share of the time that is left to the fold, so that
        every alpha is scored, with the best network found in its share. For each alpha the solver finishes the step it
        is in and checks all patterns. The last fit also searches briefly for missing ones. These steps, the scores and
        the start of the workers may exceed the limit. None means no limit. `solver="cvxpy"` ignores it.""",
    "warm_start": """
        Whether to start from the gates and neurons of the last fit, if it had as many columns and outputs. `gates` and
        `n_gates` are ignored then.""",
    "cv": """
        How folds are made; None means 5 folds. Give `TimeSeriesSplit` for rows in the order of time.""",
    "scoring_of_classes": """
        What is best on the rows left out; greater is better. None means the negative log loss, or accuracy for
        `loss="squared_error"`.""",
    "scoring_of_numbers": """
        What is best on the rows left out; greater is better. None means R².""",
    "random_state": """
        Draws gates and the starts of searches. Give an int for equal results in every call.""",
    "verbose": """
        1 prints objective, bound and gap after each look at all patterns.""",
    "verbose_of_cv": """
        1 prints objective, bound and gap of the last fit, after each look at all patterns.""",
    "class_weight": """
        Weights of the classes, multiplied by `sample_weight`.""",
}

ATTRIBUTES = {
    "alpha_": """
        The alpha chosen.""",
    "alphas_": """
        The values of alpha, in descending order.""",
    "classes_": """
        The class labels.""",
    "network": """
        gates_ : ndarray of shape (n_features [+ 1], P)
            The gates of the program's patterns, a last row of intercepts with `fit_intercept`; those that column
            generation added stand at the end.

        coef_ : ndarray of shape (n_features, n_active_neurons)
            Weights of the hidden neurons.

        coef_intercept_ : ndarray of shape (n_active_neurons,)
            Intercepts of the hidden neurons.

        out_coef_ : ndarray of shape (n_active_neurons, n_outputs)
            Weights of the second layer.

        intercept_ : ndarray of shape (n_outputs,)
            Intercepts of the outputs.

        neuron_gates_ : ndarray of shape (n_active_neurons,)
            The column of `gates_` of each neuron.

        objective_ : float
            The regularised loss, of scaled columns.

        lower_bound_ : float
            The dual objective: no point of the sampled convex program has a smaller objective.

        gap_ : float
            (`objective_` - `lower_bound_`) / `objective_`.

        max_violation_ : float
            The largest violation of a cone constraint, relative to the norms of row and neuron: rounding.

        pattern_violation_ : float
            The largest dual constraint of any pattern that a search found, over the largest one of the sample (`alpha`
            at the optimum, and never less). Above 1 a pattern is missing, as far as `gap_` tells: at a gap of zero it
            is proof, and where `alpha` is small a smaller `tol` makes it reliable. At most 1 it proves nothing.

        alpha_max_ : float
            The least `alpha` at which the model over the patterns drawn is empty.

        n_active_neurons_ : int
            Number of neurons.

        n_iter_ : int
            Newton and interior-point steps and FISTA iterations.

        converged_ : bool
            Whether `gap_` is at most `tol`.

        history_ : list of dict
            Objective, bound, gap, steps, patterns and seconds at each look at all patterns.

        target_scale_ : ndarray of shape (n_outputs,)
            What targets were divided by.

        n_features_in_ : int
            Number of features seen during fit.

        feature_names_in_ : ndarray of shape (`n_features_in_`,)
            Names of the features, where the input had them.""",
}

NOTES = {
    "program": r"""
        With patterns :math:`D_i = \mathrm{diag}(1\{X g_i > 0\})` of the gates :math:`g_i` the fit solves

        .. math:: \min_{v, u, b} \; F\Big(\sum_i D_i X (v_i - u_i) + b\Big) + \alpha \sum_i (\|v_i\| + \|u_i\|)
           \quad\text{subject to}\quad (2 D_i - I) X v_i \ge 0, \; (2 D_i - I) X u_i \ge 0""",
    "objective_of_classes": r"""
        for "relu", and without constraints, with one :math:`w_i` for :math:`v_i - u_i`, for "gated_relu". F is the mean
        of the log loss (softmax for more classes), or of half the squared error. The optimum is the network with
        weights :math:`v / \sqrt{\|v\|}` and output weights :math:`\pm\sqrt{\|v\|}`, and its value is F plus
        :math:`\alpha / 2` times the sum of all squared weights. It can be computed from predictions: `objective_` =
        mean log loss of the predictions + `alpha` * sum of the norms of the neurons, in scaled columns.""",
    "objective_of_numbers": r"""
        for "relu", and without constraints, with one :math:`w_i` for :math:`v_i - u_i`, for "gated_relu". F is the mean
        of half the squared error, summed over outputs. The optimum is the network with weights :math:`v / \sqrt{\|v\|}`
        and output weights :math:`\pm\sqrt{\|v\|}`, and its value is F plus :math:`\alpha / 2` times the sum of all
        squared weights. It can be computed from predictions: `objective_` = mean((y - prediction)**2 /
        `target_scale_`**2) / 2, summed over outputs, + `alpha` * sum of the norms of the neurons, in scaled
        columns.""",
    "bound": """
        `lower_bound_` is the value of a feasible point of the dual problem: the optimum of the convex program over the
        patterns of `gates_` is not below it. It says nothing of other patterns, and so nothing of the best of all
        networks; `pattern_violation_` above 1 shows that a pattern is missing. Column generation (`n_refine`) adds
        patterns that a search finds: violators of the dual constraint, by exact maximisation along great circles, taken
        to a local minimum of the network by L-BFGS.""",
    "cost": """
        Cost: a look at all patterns is O(n p P / 8) additions on packed bits, for n rows, p features and P patterns;
        there are less than ten of them as a rule. Between two looks the active patterns S and some violators are solved
        for: Newton's method takes O(n S^2 p^2 / 32) once (for each step with the log loss) and O(S^3 p^3), FISTA
        O(n S p) an iteration, and block descent the same a sweep, whichever is less. For "relu" every neuron is
        projected onto its cone exactly, O(n p) where the last projection helps; where first-order methods do not end
        soon, some twenty interior-point steps of O(n^2 S p) each do, n being the rows times the outputs. Memory:
        n P / 8 bytes of patterns, at most 72 MB for a Gram matrix, and at most some 300 MB for interior-point steps.
        BLAS uses one thread, so that the model does not depend on their number.""",
    "cost_of_cv": """
        Every fold costs a path of `alphas` models, each of which starts from the one before; its program keeps the
        patterns that were generated on the way. The last fit follows the path down to the chosen alpha. Models of the
        folds, and those on the path of the last fit, are solved roughly (see `tol`). Folds share no patterns: one that
        was found on the rows of a fold would tell another one of its test rows.""",
    "differences": """
        **Differences from the paper.** The paper keeps ReLU neurons near their cones by an augmented Lagrangian and
        ends it by the size of a gradient; here they are projected, so that every iterate is feasible (`max_violation_`
        is rounding) and the duality gap decides. Equal rows are merged, the log loss, row weights, an intercept of the
        outputs that is not penalised and column generation are added. F is a mean over rows and a sum over outputs (the
        authors' code divides by the outputs, too). Each output has its own neurons, as in the authors' code; with the
        multinomial log loss, the neurons that column generation adds serve all outputs, like the units of a usual
        network. Columns, and the targets of a regression, are standardised by default, and `alpha` measures weights
        after that.""",
}

REFERENCES = {
    "paper": """
        .. [1] A. Mishkin, A. Sahiner, M. Pilanci, "Fast Convex Optimization for Two-Layer ReLU Networks: Equivalent
           Model Classes and Cone Decompositions", ICML 2022. https://arxiv.org/abs/2202.01331.
           Official code: https://github.com/pilancilab/scnn""",
}

DOCUMENTED = {"use": USE} | CROSS_VALIDATION | PARAMETERS | ATTRIBUTES | NOTES | REFERENCES
