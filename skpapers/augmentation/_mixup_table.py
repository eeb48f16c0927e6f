"""Rows as `MixupWrapper` gets and gives them: arrays and frames, with columns to mix and columns to keep."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, validate_data

from skpapers.augmentation._mixup import Plan, mix

FLOATS = (np.float64, np.float32)


def is_frame(X: Any) -> bool:
    """Whether X is a data frame of pandas or polars; any other table is read as an array."""
    return type(X).__module__.split(".")[0] in {"pandas", "polars"} and hasattr(X, "columns")


def categorical_mask(categorical_features: Any, n_features: int, names: NDArray | None) -> NDArray[np.bool_]:
    """Return which columns are not to be mixed: from a mask, from indices or from names."""
    mask = np.zeros(n_features, dtype=bool)
    given = np.asarray([] if categorical_features is None else categorical_features)
    if given.size == 0:
        return mask
    if given.dtype.kind == "b":
        if given.shape != (n_features,):
            raise ValueError(
                f"categorical_features is a mask of shape {given.shape}; X has {n_features} features, so that a mask "
                f"must be of shape ({n_features},)."
            )
        return given
    if given.dtype.kind in "iu":
        if given.min() < 0 or given.max() >= n_features:
            raise ValueError(
                f"categorical_features has the indices {given.tolist()}; X has {n_features} features, so that indices "
                f"must be from 0 to {n_features - 1}."
            )
        mask[given] = True
        return mask
    known = set() if names is None else set(names)
    if unknown := [name for name in given.tolist() if name not in known]:
        raise ValueError(f"categorical_features has {unknown}; it takes a mask, indices, or names of X's columns.")
    return np.isin(names, given)  # type: ignore[arg-type]


def _is_text(column: Any) -> bool:
    """Whether a column has values that cannot be averaged: text, categories, dates."""
    if str(getattr(column, "dtype", "")).startswith(("category", "Categorical", "Enum")):
        return True
    values = np.asarray(column)
    return values.dtype.kind in "USTMm" or (values.dtype.kind == "O" and any(isinstance(v, str) for v in values))


class MixableTable:
    """A checked table that makes the rows of a plan, in the container it came in.

    Missing values pass. The wrapped estimator accepts or refuses them when it is fitted. Its tag is no guide: a
    Pipeline that imputes, or a search around one, has `allow_nan=False`.

    Parameters
    ----------
    estimator : estimator object
        The estimator that error messages name; its `n_features_in_` and `feature_names_in_` are set.

    X : array-like or data frame of shape (n_samples, n_features)
        The table.

    categorical_features : array-like or None
        Columns that are taken from the dominant partner: a mask, indices or names.
    """

    def __init__(self, estimator: Any, X: Any, categorical_features: Any) -> None:
        finite: Any = "allow-nan"
        self.frame = is_frame(X)
        if self.frame:
            self.rows = validate_data(estimator, X, skip_check_array=True)
        else:
            self.rows = validate_data(estimator, X, dtype=None, ensure_all_finite=finite)
        names = getattr(estimator, "feature_names_in_", None)
        self.kept = categorical_mask(categorical_features, estimator.n_features_in_, names)
        if self.kept.all():
            raise ValueError("categorical_features names every column, so that there is nothing to mix.")
        self._refuse_text()
        mixed = self.rows[self._labels(~self.kept)] if self.frame else self.rows[:, ~self.kept]
        self.numbers = check_array(mixed, dtype=FLOATS, ensure_all_finite=finite, estimator=estimator, input_name="X")

    def _labels(self, mask: NDArray[np.bool_]) -> list:
        return [label for label, chosen in zip(self.rows.columns, mask, strict=True) if chosen]

    def _refuse_text(self) -> None:
        if not self.frame and self.rows.dtype.kind not in "OUSTMm":
            return
        labels = list(self.rows.columns) if self.frame else range(self.rows.shape[1])
        for label, kept in zip(labels, self.kept, strict=True):
            column = self.rows[label] if self.frame else self.rows[:, label]
            if not kept and _is_text(column):
                raise ValueError(
                    f"column {label!r} holds {column.dtype} values, which cannot be mixed: name it in "
                    "categorical_features to take it from the dominant partner, or encode it first."
                )

    def make(self, plan: Plan) -> Any:
        """Return the rows of a plan: an array of numbers, or what X was where columns are kept or have names."""
        numbers = mix(self.numbers, plan)
        source = plan.dominant
        if self.frame:
            columns = dict(zip(self._labels(~self.kept), numbers.T, strict=True))
            columns |= {label: _take(self.rows[label], source) for label in self._labels(self.kept)}
            return type(self.rows)({label: columns[label] for label in self.rows.columns})
        if not self.kept.any():
            return numbers
        dtype = object if self.rows.dtype.kind in "OUST" else np.result_type(self.rows, numbers)
        rows = self.rows[source].astype(dtype)
        rows[:, ~self.kept] = numbers
        return rows


def _take(column: Any, rows: NDArray[np.intp]) -> Any:
    """Return rows of a column, of its own type and without the index that a pandas series has."""
    return column.array[rows] if hasattr(column, "array") else column[rows]
