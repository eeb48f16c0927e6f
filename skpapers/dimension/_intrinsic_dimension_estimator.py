"""The intrinsic dimension of rows, as an estimator."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skpapers._fitting import Fitting
from skpapers._validation import Interval, StrOptions, fit_context
from skpapers.base import DocLinkMixin
from skpapers.dimension._global_dimension import Neighborhoods, global_dimension, local_dimensions
from skpapers.dimension._maximum_likelihood import mean_log_likelihood
from skpapers.dimension._requirements import check_anchors, needed_neighbors, numbers_of_neighbors, usable_rows
from skpapers.dimension._search import METRICS, SPARSE_METRICS, positive_neighbors

Rows = NDArray[np.intp]


class IntrinsicDimension(DocLinkMixin, CallbackSupportMixin, BaseEstimator):
    r"""Intrinsic dimension: how many numbers describe a row, however many columns the rows have.

    It is the dimension of the manifold near which the rows lie. Use it to choose a number of components, to see whether
    a learning problem is easier than its number of columns suggests, or whether new columns add anything. The local
    dimensions show which rows lie on parts of fewer dimensions, and which new rows lie far from the training rows.

    Parameters
    ----------
    n_neighbors : int or array-like of int, default=20
        Number k of neighbours, 2 or more. With a list, every estimate is an array with one entry for each k, all from
        one search.

    method : {"mle", "twonn", "geomle", "shortest_path"}, default="mle"
        How the global dimension is found. "mle": maximum likelihood [2]_ [3]_. "twonn": from the two nearest neighbours
        [4]_. "geomle": the estimates of k to 2k neighbours, extrapolated to radius 0, which removes most of the bias of
        high dimensions [5]_. "shortest_path": from the lengths of paths along the graph of the k nearest neighbours
        [6]_. Local dimensions are those of maximum likelihood for every method.

    normalization : {"k-1", "k-2"}, default="k-1"
        Divisor of the sum of logarithms. "k-1" goes with the harmonic mean, "k-2" with the arithmetic one. The
        published code takes the harmonic mean with k - 2: each estimate is then (k - 2) / (k - 1) times that of k - 1.

    aggregation : {"harmonic", "mean", "median"}, default="harmonic"
        How "mle" makes the global dimension from local ones.

    max_anchors : int or None, default=None
        Largest number of rows with a local estimate, drawn at random. Their neighbours are searched among all rows: a
        sample of the rows alone would have a larger bias. "geomle" needs 30 or more. None: all rows.

    metric : {"euclidean", "manhattan", "chebyshev", "canberra"} or callable, default="euclidean"
        Distance of two rows; "l2", "l1" and "cityblock" are further names. Balls of radius r must have a volume of the
        order :math:`r^d`, which cosine distances and squared distances do not have. A callable must satisfy the
        triangle inequality.

    duplicates : {"drop", "raise"}, default="drop"
        What to do with rows that equal an earlier one, whose distance 0 has no logarithm. "drop" leaves them out of
        everything and counts them in `n_duplicates_`. "raise" raises an error.

    n_jobs : int or None, default=None
        Number of threads of the search. The result does not depend on it.

    random_state : int, RandomState instance or None, default=None
        Draws the anchors, and the samples of "geomle".

    Attributes
    ----------
    dimension_ : float or ndarray of shape (n_k,)
        Global dimension; an array if `n_neighbors` is a list.

    dimension_std_error_ : float or ndarray of shape (n_k,)
        Its standard error over independent draws of the rows and anchors; see Notes. NaN for "shortest_path", for too
        few rows or anchors, and if ties make it infinite.

    local_dimension_ : ndarray of shape (n_anchors,) or (n_anchors, n_k)
        Local dimension of each anchor. Infinite if its neighbours are all equally far.

    anchor_indices_ : ndarray of shape (n_anchors,)
        Training rows of the local dimensions, ascending.

    n_neighbors_ : ndarray of shape (n_k,)
        The numbers of neighbours.

    n_duplicates_ : int
        Number of training rows that equal an earlier one.

    n_features_in_ : int
        Number of columns.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if all are strings.

    See Also
    --------
    dimension_curve : The dimension by the number of neighbours, for all rows and for each class.
    DimensionDisplay : Draws it.
    skpapers.datasets.make_manifold : Rows of a known dimension.
    sklearn.decomposition.PCA : The number of dimensions of a linear subspace.

    Notes
    -----
    With :math:`T_j(x)` the distance of x from its j-th nearest neighbour, the local estimate and the global one are

    .. math::

        m_k(x) = \Big( \frac{1}{k - 1} \sum_{j < k} \log \frac{T_k(x)}{T_j(x)} \Big)^{-1}, \qquad
        m = \Big( \frac{1}{n} \sum_i \frac{1}{m_k(x_i)} \Big)^{-1} .

    **Bias.** All neighbour methods underestimate high dimensions, since neighbours are then far and the edge of the
    data is near. With 2000 rows and k = 10 a dimension of 10 is estimated as about 8, and 40 as 24; more rows change
    little. Such estimates still compare data sets, and "geomle" corrects most of the bias. At distances of the size of
    the noise, the noise adds dimensions: look at several k.

    **Standard error.** For "mle" and "twonn" it is a jackknife over rows. By the inequality of Efron and Stein its
    square is, on average, no smaller than the variance over independent draws of the rows and anchors, although local
    estimates share rows. For "geomle" it comes from the spread between its samples. In simulations it was 1 to 2 times
    the standard deviation, and up to 3 times for the median and for "geomle": intervals of two standard errors are too
    wide rather than too narrow. It does not cover the bias, nor rows that depend on one another, such as those of a
    time series.

    **Prediction.** A training row at distance 0 is not a neighbour of a new row. `predict` therefore returns for a
    training row its local dimension among the other rows, equal to `local_dimension_`. Of rows at equal distances the
    first ones count as neighbours.

    Cost: O(n_anchors n p) time and O(n_anchors k) memory. Distances are those of float64, though most of the search
    runs in float32. The search among all dense rows keeps one float32 copy of them; X is copied only if it has
    duplicates. "geomle" searches for about 5k neighbours; "shortest_path" takes O(n_anchors n k log n) time and
    O(n_anchors n) memory.

    **Differences from the paper.** The estimate of the paper's equations has k - 1 as its divisor, that of its code
    k - 2. Anchors and duplicates are those of the code, in which a row with a duplicate is an error. The standard error
    is not in the paper. "geomle" measures radii in units of their mean, so that its penalty does not depend on the
    scale of X. "shortest_path" is a real number rather than the best integer, and of its largest connected component.

    References
    ----------
    .. [1] P. Pope, C. Zhu, A. Abdelkader, M. Goldblum, T. Goldstein, "The Intrinsic Dimension of Images and Its Impact
       on Learning", ICLR 2021. https://arxiv.org/abs/2104.08894. Code: https://github.com/ppope/dimensions
    .. [2] E. Levina, P. Bickel, "Maximum Likelihood Estimation of Intrinsic Dimension", NIPS 2004.
    .. [3] D. MacKay, Z. Ghahramani, "Comments on 'Maximum Likelihood Estimation of Intrinsic Dimension' by E. Levina
       and P. Bickel", 2005.
    .. [4] E. Facco, M. d'Errico, A. Rodriguez, A. Laio, "Estimating the intrinsic dimension of datasets by a minimal
       neighborhood information", Scientific Reports 7, 2017.
    .. [5] M. Gomtsyan, N. Mokrov, M. Panov, Y. Yanovich, "Geometry-Aware Maximum Likelihood Estimation of Intrinsic
       Dimension", ACML 2019.
    .. [6] D. Granata, V. Carnevale, "Accurate Estimation of the Intrinsic Dimension Using Graph Distances", Scientific
       Reports 6, 2016.

    Examples
    --------
    A roll of paper has two dimensions. Noise adds a third one, which shows more with few neighbours:

    >>> from sklearn.datasets import make_swiss_roll
    >>> from skpapers.dimension import IntrinsicDimension
    >>> for noise in (0.0, 0.5):
    ...     X, _ = make_swiss_roll(1000, noise=noise, random_state=0)
    ...     print(IntrinsicDimension([5, 20]).fit(X).dimension_.round(1))
    [2.  1.9]
    [2.5 2.2]

    Images of digits have 64 pixels:

    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = IntrinsicDimension().fit(X)
    >>> print(f"{model.dimension_:.1f} +- {model.dimension_std_error_:.1f}")
    6.8 +- 0.1
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_neighbors": [Interval(Integral, 2, None, closed="left"), "array-like"],
        "method": [StrOptions({"mle", "twonn", "geomle", "shortest_path"})],
        "normalization": [StrOptions({"k-1", "k-2"})],
        "aggregation": [StrOptions({"harmonic", "mean", "median"})],
        "max_anchors": [Interval(Integral, 1, None, closed="left"), None],
        "metric": [StrOptions(set(METRICS)), callable],
        "duplicates": [StrOptions({"drop", "raise"})],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_neighbors: int | ArrayLike = 20,
        *,
        method: Literal["mle", "twonn", "geomle", "shortest_path"] = "mle",
        normalization: Literal["k-1", "k-2"] = "k-1",
        aggregation: Literal["harmonic", "mean", "median"] = "harmonic",
        max_anchors: int | None = None,
        metric: str | Callable[[NDArray, NDArray], float] = "euclidean",
        duplicates: Literal["drop", "raise"] = "drop",
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.method = method
        self.normalization = normalization
        self.aggregation = aggregation
        self.max_anchors = max_anchors
        self.metric = metric
        self.duplicates = duplicates
        self.n_jobs = n_jobs
        self.random_state = random_state

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> IntrinsicDimension:
        """Estimate the dimension.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, of two columns or more. float32 stays float32; distances are float64.

        y : None
            Ignored.

        Returns
        -------
        self : IntrinsicDimension
            The fitted estimator.

        Raises
        ------
        ValueError
            If there are too few distinct rows, or if a parameter cannot be used; the message says what is allowed.
        """
        fitting = Fitting(self)
        data = self._validated(fitting.blank, X, ensure_min_features=2)
        ks = numbers_of_neighbors(self.n_neighbors, self.normalization)
        check_anchors(self.max_anchors, self.method)
        fitting.begin(X, y, n_steps=3)
        with fitting.step("find-duplicates"):
            kept = usable_rows(data, int(ks.max()), self.method, self.duplicates)
        rows = data if len(kept) == data.shape[0] else data[kept]
        rng = check_random_state(self.random_state)
        anchors = np.arange(len(kept))
        if self.max_anchors is not None and self.max_anchors < len(kept):
            anchors = np.sort(rng.choice(len(kept), self.max_anchors, replace=False))
        with fitting.step("search-neighbors"):
            every = len(anchors) == len(kept) or self.method == "shortest_path"
            depth = min(needed_neighbors(self.method, int(ks.max())), len(kept) - 1)
            T, neighbors = positive_neighbors(
                rows, depth, None if every else rows[anchors], metric=self.metric, n_jobs=self.n_jobs
            )
        with fitting.step("estimate-dimension"):
            found = Neighborhoods(T, neighbors, anchors, len(kept))
            offset = 1 if self.normalization == "k-1" else 2
            dimensions, errors = self._estimates(found, ks, offset, rng)
        local = local_dimensions(found.T_of_anchors, ks, offset)
        single = np.ndim(self.n_neighbors) == 0
        return fitting.publish(
            {
                "dimension_": float(dimensions[0]) if single else dimensions,
                "dimension_std_error_": float(errors[0]) if single else errors,
                "local_dimension_": local[:, 0] if single else local,
                "anchor_indices_": kept[anchors],
                "n_neighbors_": ks,
                "n_duplicates_": int(data.shape[0] - len(kept)),
                "_rows": rows,
                "_metric": self.metric,
                "_offset": offset,
            }
        )

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the local dimension of rows among the training rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. Training rows may be among them: a row at distance 0 is not a neighbour.

        Returns
        -------
        local_dimension : ndarray of shape (n_samples,) or (n_samples, n_k)
            Maximum-likelihood estimates; an array of two dimensions if `n_neighbors` was a list.
        """
        T = self._distances_of(X)
        local = local_dimensions(T, self.n_neighbors_, self._offset)
        return local if np.ndim(self.dimension_) else local[:, 0]

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean log-likelihood of the ratios of neighbour distances of rows, under the global dimension.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, not those of the training.

        y : None
            Ignored.

        Returns
        -------
        score : float
            Mean over the rows, over the k - 1 ratios T_j / T_k of each, and over k. It compares methods and
            aggregations at equal `n_neighbors`.
        """
        T = self._distances_of(X)
        dimensions = np.atleast_1d(self.dimension_)
        pairs = zip(self.n_neighbors_, dimensions, strict=True)
        return float(np.mean([mean_log_likelihood(T, int(k), float(one)) for k, one in pairs]))

    def _estimates(
        self, found: Neighborhoods, ks: Rows, offset: int, rng: np.random.RandomState
    ) -> NDArray[np.float64]:
        """Return the global dimensions and their standard errors, of shape (2, n_k)."""
        state = rng.get_state()
        estimates = []
        for k in ks:
            rng.set_state(state)  # one k has the same samples alone and in a list
            estimates.append(global_dimension(found, int(k), self.method, offset, self.aggregation, rng))
        return np.array(estimates).T

    def _distances_of(self, X: Any) -> NDArray[np.float64]:
        check_is_fitted(self)
        X = self._validated(self, X, reset=False)
        if issparse(X) != issparse(self._rows):
            X = X.toarray() if issparse(X) else type(self._rows)(X)
        k = int(self.n_neighbors_.max())
        return positive_neighbors(self._rows, k, X, metric=self._metric, n_jobs=self.n_jobs)[0]

    def _validated(self, estimator: Any, X: Any, **options: Any) -> Any:
        options["accept_sparse"] = "csr" if self.metric in SPARSE_METRICS else False
        # scikit-learn's other distances of sparse rows need 32-bit indices
        options["accept_large_sparse"] = self.metric in ("euclidean", "l2")
        X = validate_data(estimator, X, dtype=(np.float64, np.float32), order="C", **options)
        if issparse(X) and not X.has_canonical_format:
            # scikit-learn's searches misread entries that are stored in parts
            X = X.copy()
            X.sum_duplicates()
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.metric in SPARSE_METRICS
        return tags
