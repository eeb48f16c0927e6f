"""The classifier of convex networks."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.neural_network import MLPClassifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from skpapers._docstrings import filled_docstring
from skpapers._labels import check_labels
from skpapers._validation import StrOptions, check_sample_weight
from skpapers._weights import weigh_classes
from skpapers.convex._convex_relu_base import Array, BaseConvexReLU
from skpapers.convex._convex_relu_docs import DOCUMENTED
from skpapers.convex._convex_relu_search import TrainingSet
from skpapers.convex._export import fill_mlp


class ConvexClassifierMixin(ClassifierMixin):
    """Labels as targets of -1 and 1, or of 0 and 1, and predictions from scores."""

    _constraints: ClassVar[dict] = {
        "loss": [StrOptions({"log_loss", "squared_error"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _scales_targets = False

    loss: str
    class_weight: Any
    classes_: NDArray

    def _read(self, blank: Any, X: Any, y: Any, sample_weight: Any) -> TrainingSet:
        X, y = validate_data(blank, X, check_labels(y), dtype=np.float64, order="C")
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        weight = check_sample_weight(sample_weight, X)
        kept = slice(None) if weight is None else weight > 0
        classes, codes = np.unique(y[kept], return_inverse=True)
        X = X[kept]
        weight = None if weight is None else weight[kept]
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs rows of at least 2 classes, got 1 class: {classes.tolist()[0]!r}."
            )
        weight = weigh_classes(self.class_weight, classes, codes, weight)
        blank.classes_ = classes
        if self.loss == "log_loss" and len(classes) == 2:
            return TrainingSet(X, codes[:, np.newaxis].astype(np.float64), weight, "log_loss")
        if self.loss == "log_loss":
            return TrainingSet(X, np.eye(len(classes))[codes], weight, "multinomial")
        Y = 2.0 * (codes[:, np.newaxis] == (np.arange(len(classes)) if len(classes) > 2 else 1)) - 1.0
        return TrainingSet(X, Y, weight, "squared_error")

    def decision_function(self, X: Any) -> Array:
        """Return the outputs of the network: log-odds for the log loss, up to a constant for more than two classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        score : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores; for two classes that of the second.
        """
        scores = self._scores(X)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> NDArray:
        """Predict the class of the highest score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predicted labels.
        """
        scores = self._scores(X)
        codes = (scores[:, 0] > 0).astype(int) if len(self.classes_) == 2 else scores.argmax(axis=1)
        return self.classes_[codes]

    @available_if(lambda self: self.loss == "log_loss")
    def predict_proba(self, X: Any) -> Array:
        """Predict class probabilities; there are none with `loss="squared_error"`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`.
        """
        scores = self._scores(X)
        if len(self.classes_) > 2:
            return softmax(scores, axis=1)
        return np.hstack([expit(-scores), expit(scores)])

    def to_sklearn_mlp(self) -> MLPClassifier:
        """Return a fitted classifier of scikit-learn that predicts the same; of a gated network by its `to_relu`.

        Returns
        -------
        mlp : MLPClassifier
        """
        check_is_fitted(self)
        model = self.to_relu()
        mlp = MLPClassifier(hidden_layer_sizes=(max(1, model.coef_.shape[1]),), activation="relu", random_state=0)
        mlp.partial_fit(np.zeros((len(self.classes_), self.n_features_in_)), self.classes_, classes=self.classes_)
        return fill_mlp(mlp, model)


@filled_docstring(DOCUMENTED)
class ConvexReLUClassifier(ConvexClassifierMixin, BaseConvexReLU):
    """Two-layer ReLU network for classes, trained to the certified optimum of a convex program.

    {use}

    Parameters
    ----------
    activation : {"relu", "gated_relu"}, default="relu"
        {activation}

    alpha : float, default=0.01
        {alpha}

    loss : {"log_loss", "squared_error"}, default="log_loss"
        {loss_of_classes}

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
        {standardize_of_classes}

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

    class_weight : dict, "balanced" or None, default=None
        {class_weight}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        {classes_}

    {network}

    See Also
    --------
    ConvexReLUClassifierCV : Chooses alpha by cross-validation.
    ConvexReLURegressor : The same for numbers.
    sklearn.neural_network.MLPClassifier : The same kind of network, trained by gradients.

    Notes
    -----
    {program}

    {objective_of_classes}

    {bound}

    {cost}

    {differences}

    References
    ----------
    {paper}

    Examples
    --------
    >>> from skpapers.convex import ConvexReLUClassifier
    >>> from skpapers.datasets import load_raisin
    >>> X, y = load_raisin(return_X_y=True)
    >>> model = ConvexReLUClassifier(alpha=0.03, n_gates=100, n_refine=1, random_state=0).fit(X, y)
    >>> model.converged_
    True
    >>> model.gap_ <= 0.001
    True
    >>> print(f"{model.score(X, y):.1f}")
    0.9
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseConvexReLU._parameter_constraints,
        **ConvexClassifierMixin._constraints,
    }

    def __init__(
        self,
        activation: str = "relu",
        alpha: float = 0.01,
        *,
        loss: str = "log_loss",
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
        class_weight: Any = None,
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
        self.class_weight = class_weight
