"""The regressor of convex networks."""

from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.neural_network import MLPRegressor
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from skpapers._docstrings import filled_docstring
from skpapers._validation import StrOptions, check_sample_weight
from skpapers.convex._convex_relu_base import Array, BaseConvexReLU
from skpapers.convex._convex_relu_docs import DOCUMENTED
from skpapers.convex._convex_relu_search import TrainingSet
from skpapers.convex._export import fill_mlp


class ConvexRegressorMixin(RegressorMixin):
    """Numbers as targets, one column or several."""

    _constraints: ClassVar[dict] = {"loss": [StrOptions({"squared_error"})]}
    _scales_targets = True

    def _read(self, blank: Any, X: Any, y: Any, sample_weight: Any) -> TrainingSet:
        X, y = validate_data(blank, X, y, dtype=np.float64, order="C", multi_output=True, y_numeric=True)
        weight = check_sample_weight(sample_weight, X)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        Y = np.asarray(y, dtype=np.float64).reshape(len(X), -1)
        blank._one_target = y.ndim == 1
        return TrainingSet(X, Y, weight, "squared_error")

    def predict(self, X: Any) -> Array:
        """Predict the outputs of the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        scores = self._scores(X)
        return scores[:, 0] if self._one_target else scores

    def to_sklearn_mlp(self) -> MLPRegressor:
        """Return a fitted regressor of scikit-learn that predicts the same; of a gated network by its `to_relu`.

        Returns
        -------
        mlp : MLPRegressor
        """
        check_is_fitted(self)
        model = self.to_relu()
        mlp = MLPRegressor(hidden_layer_sizes=(max(1, model.coef_.shape[1]),), activation="relu", random_state=0)
        c = len(self.intercept_)
        mlp.partial_fit(np.zeros((2, self.n_features_in_)), np.zeros((2, c)) if c > 1 else np.zeros(2))
        return fill_mlp(mlp, model)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


@filled_docstring(DOCUMENTED)
class ConvexReLURegressor(ConvexRegressorMixin, BaseConvexReLU):
    """Two-layer ReLU network for numbers, trained to the certified optimum of a convex program.

    {use}

    Parameters
    ----------
    activation : {"relu", "gated_relu"}, default="relu"
        {activation}

    alpha : float, default=0.01
        {alpha}

    loss : {"squared_error"}, default="squared_error"
        {loss_of_numbers}

    n_gates : int, default=500
        {n_gates}

    gates : "random" or array-like of shape (n_features, P) or (n_features + 1, P), default="random"
        {gates}

    n_refine : int, default=5
        {n_refine}

    fit_intercept : bool, default=True
        {fit_intercept}

    output_intercept : bool, default=True
        {output_intercept}

    standardize : bool, default=True
        {standardize_of_numbers}

    solver : {"auto", "newton", "fista", "interior_point", "cvxpy"}, default="auto"
        {solver}

    max_iter : int, default=20000
        {max_iter}

    tol : float, default=0.001
        {tol}

    time_limit : float or None, default=None
        {time_limit}

    warm_start : bool, default=False
        {warm_start}

    random_state : int, RandomState instance or None, default=None
        {random_state}

    verbose : int, default=0
        {verbose}

    Attributes
    ----------
    {network}

    See Also
    --------
    ConvexReLURegressorCV : Chooses alpha by cross-validation.
    ConvexReLUClassifier : The same for classes.
    sklearn.neural_network.MLPRegressor : The same kind of network, trained by gradients.

    Notes
    -----
    {program}

    {objective_of_numbers}

    {bound}

    {cost}

    {differences}

    References
    ----------
    {paper}

    Examples
    --------
    >>> from skpapers.convex import ConvexReLURegressor
    >>> from skpapers.datasets import load_concrete
    >>> X, y = load_concrete(return_X_y=True)
    >>> model = ConvexReLURegressor(alpha=0.03, n_gates=100, n_refine=1, random_state=0).fit(X, y)
    >>> model.converged_
    True
    >>> model.gap_ <= 0.001
    True
    >>> print(f"{model.score(X, y):.1f}")
    0.8
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseConvexReLU._parameter_constraints,
        **ConvexRegressorMixin._constraints,
    }

    def __init__(
        self,
        activation: str = "relu",
        alpha: float = 0.01,
        *,
        loss: str = "squared_error",
        n_gates: int = 500,
        gates: Any = "random",
        n_refine: int = 5,
        fit_intercept: bool = True,
        output_intercept: bool = True,
        standardize: bool = True,
        solver: str = "auto",
        max_iter: int = 20000,
        tol: float = 0.001,
        time_limit: float | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.activation = activation
        self.alpha = alpha
        self.loss = loss
        self.n_gates = n_gates
        self.gates = gates
        self.n_refine = n_refine
        self.fit_intercept = fit_intercept
        self.output_intercept = output_intercept
        self.standardize = standardize
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.time_limit = time_limit
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
