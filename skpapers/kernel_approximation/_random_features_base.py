"""What the transformers of random features share: validation, lengths of rows, and features block by block."""

from abc import abstractmethod
from collections.abc import Iterator
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import diags_array, issparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skpapers._fitting import Fitting
from skpapers._validation import Interval, fit_context
from skpapers.base import DocLinkMixin

# Numbers of a block of features: it stays in the cache of a core while the passes over it are made.
_BLOCK = 2**17


class _RandomFeatures(
    DocLinkMixin, CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """A map of rows to random features. A subclass draws the frequencies, and writes the features of a block."""

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "orthogonal": ["boolean"],
        "random_state": ["random_state"],
    }

    n_components: int
    random_state: Any
    random_weights_: NDArray

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Any:
        """Draw the frequencies.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. Features are float32 if these rows are, and float64 otherwise.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter or the rows cannot be used; the message says what is allowed.
        """
        fitting = Fitting(self)
        given = X
        if isinstance(X, np.ndarray):  # validation would take float64 for float32 of a foreign byte order
            given = X.astype(X.dtype.newbyteorder("="), copy=False)
        rows = validate_data(fitting.blank, given, accept_sparse="csr", dtype=(np.float64, np.float32), order="C")
        fitting.begin(X, y, n_steps=1)
        with fitting.step("draw-frequencies"):
            fitted = self._draw(rows, check_random_state(self.random_state))
        fitted["random_weights_"] = _as_type(fitted["random_weights_"], rows.dtype)
        return fitting.publish({**fitted, "_n_features_out": self.n_components})

    def transform(self, X: Any) -> NDArray:
        """Return the features of some rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
            Features, of the dtype of the training rows. The product ``X_new @ Y_new.T`` with the features of other
            rows estimates the kernel.
        """
        check_is_fitted(self)
        dtype = self.random_weights_.dtype
        X = validate_data(self, X, accept_sparse="csr", dtype=dtype, order="C", reset=False)
        out = np.empty((X.shape[0], self._n_features_out), dtype=dtype)
        for rows in row_blocks(X.shape[0], self._n_features_out):
            self._write(X[rows], out[rows])
        return out

    @abstractmethod
    def _draw(self, X: Any, rng: np.random.RandomState) -> dict[str, Any]:
        """Return the fitted attributes, with `random_weights_` among them."""

    @abstractmethod
    def _write(self, X: Any, out: NDArray) -> None:
        """Write the features of a block of rows."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _as_type(W: NDArray, dtype: np.dtype) -> NDArray:
    """Return the frequencies in the dtype of the rows."""
    with np.errstate(over="ignore"):
        W = np.ascontiguousarray(W, dtype=dtype)
    if not np.isfinite(W).all():
        raise ValueError(f"gamma is too large for frequencies of dtype {dtype}: use a smaller one, or rows of float64.")
    return W


def row_blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Yield slices of rows whose features fill the cache."""
    size = max(16, _BLOCK // n_columns)
    return (slice(start, start + size) for start in range(0, n_rows, size))


def project(X: Any, W: NDArray, out: NDArray) -> None:
    """Write X @ W to `out`; X may be sparse. Numbers near the largest one give infinite projections, or NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        if issparse(X):
            out[...] = X @ W
        else:
            np.matmul(X, W, out=out)


def row_lengths(X: Any) -> NDArray[np.float64]:
    """Return the Euclidean length of each row in float64; squares of large numbers do not overflow."""
    lengths = np.sqrt(_squared_lengths(X))
    # Only rows whose squares overflow or vanish are scaled first: passes over short rows are slow.
    extreme = (lengths < 1e-140) | np.isinf(lengths)
    if extreme.any():
        rows = X[extreme]
        largest = np.abs(rows).max(axis=1)
        largest = np.asarray(largest.todense() if issparse(largest) else largest, dtype=np.float64).reshape(-1)
        with np.errstate(over="ignore"):
            lengths[extreme] = largest * np.sqrt(_squared_lengths(_divided(rows, largest)))
    return lengths


def unit_rows(X: Any) -> Any:
    """Return the rows divided by their lengths, in float64; a row of length 0 stays as it is."""
    lengths = row_lengths(X)
    endless = np.isinf(lengths)
    if endless.any():
        X = _divided(X, np.where(endless, 2.0**64, 1.0))
        lengths = row_lengths(X)
    return _divided(X, lengths)


def _squared_lengths(X: Any) -> NDArray[np.float64]:
    X = X.astype(np.float64, copy=False)
    with np.errstate(over="ignore"):
        if issparse(X):
            return np.asarray(X.multiply(X).sum(axis=1), dtype=np.float64).reshape(-1)
        return np.einsum("ij,ij->i", X, X)


def _divided(X: Any, divisors: NDArray[np.float64]) -> Any:
    """Return the rows divided by numbers, in float64. Numbers too small to divide by count as 1."""
    divisors = np.where(divisors >= np.finfo(np.float64).tiny, divisors, 1.0)
    if issparse(X):
        return diags_array(1.0 / divisors) @ X
    return X / divisors[:, None]
