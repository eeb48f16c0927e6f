"""Columns of a table, some of which hold the codes of categories."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.inputs import Columns


@dataclass(frozen=True, eq=False)
class CodedColumns(Columns):
    """A row of a table, (p,), whose categorical columns reach the network as numbers from 0.

    Number 0 is that of all codes that were not among the first rows to train on.

    Parameters
    ----------
    categorical : tuple of int
        Places of the categorical columns.

    codes : tuple of ndarray, or None
        The codes of each, in increasing order. None before the first rows.
    """

    categorical: tuple[int, ...] = ()
    codes: tuple[NDArray, ...] | None = None

    def read(self, X: Any) -> tuple[Self, Any]:
        """Return the columns, and the rows as they are.

        Raises
        ------
        ValueError
            If a column of an array or a frame holds words.
        """
        for name, column in _columns_of(X):
            word = _first_word(column)
            if word is not None:
                raise ValueError(
                    f"Column {name!r} holds {word!r}: categories must be integer codes, as "
                    "sklearn.preprocessing.OrdinalEncoder makes them; categorical_features says in which columns."
                )
        return self, X

    def fitted(self, X: NDArray) -> Self:
        """Return the columns with the codes of these rows, if they have none yet.

        Raises
        ------
        ValueError
            If a code is not an integer.
        """
        if self.codes is not None:
            return self
        found = []
        for j in self.categorical:
            codes = np.unique(X[:, j])
            codes = codes[~np.isnan(codes)]
            wrong = codes[codes != np.round(codes)]
            if len(wrong):
                raise ValueError(
                    f"Column {j} is among categorical_features, and holds {wrong[0]:g}: codes must be integers, as "
                    "sklearn.preprocessing.OrdinalEncoder makes them."
                )
            found.append(codes)
        return replace(self, codes=tuple(found))

    @property
    def n_codes(self) -> tuple[int, ...]:
        """Number of codes of each column, with that of unknown ones; 0 for a column of numbers."""
        counts = np.zeros(self.known_shape[0], dtype=int)
        for j, codes in zip(self.categorical, self.codes or (), strict=True):
            counts[j] = len(codes) + 1
        return tuple(counts.tolist())

    def scaled(self, scaling: nn.Module | None) -> nn.Module | None:
        """Return the scaling of numbers together with the numbering of codes."""
        if not self.categorical:
            return scaling
        assert self.codes is not None
        return CodedScaling(scaling, self.categorical, self.codes)


class CodedScaling(nn.Module):
    """A scaling of all columns, after which some columns are replaced with the numbers of their codes.

    Parameters
    ----------
    scaling : nn.Module or None
        Of a table.

    categorical : tuple of int
        Columns of codes.

    codes : tuple of ndarray
        Their codes in increasing order: the first one has number 1. All other values have number 0.
    """

    def __init__(self, scaling: nn.Module | None, categorical: tuple[int, ...], codes: tuple[NDArray, ...]) -> None:
        super().__init__()
        self.scaling = scaling
        self.categorical = categorical
        for j, known in zip(categorical, codes, strict=True):
            self.register_buffer(f"codes_{j}", torch.from_numpy(np.append(known, np.inf)))  # never empty

    def forward(self, X: Tensor) -> Tensor:
        columns = list((X if self.scaling is None else self.scaling(X)).unbind(dim=1))
        for j in self.categorical:
            x = X[:, j].contiguous()
            known = self.get_buffer(f"codes_{j}")
            place = torch.searchsorted(known, x).clamp(max=len(known) - 1)
            number = torch.where(known[place] == x, place + 1.0, 0.0).to(x.dtype)
            columns[j] = torch.where(torch.isnan(x), x, number)
        return torch.stack(columns, dim=1)


def _columns_of(X: Any) -> Iterator[tuple[Any, NDArray]]:
    """Yield names or places, and values, of the columns of a frame or an array of two dimensions."""
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        yield from ((name, np.asarray(X[name])) for name in X.columns)
    elif isinstance(X, np.ndarray) and X.ndim == 2:
        yield from enumerate(X.T)


def _first_word(column: NDArray) -> str | None:
    """Return the first string in a column that is not that of a number, or None."""
    if column.dtype.kind not in "OSU":
        return None
    for value in column.ravel():
        if isinstance(value, str | bytes):
            try:
                float(value)
            except ValueError:
                return str(value)
    return None


def categorical_places(chosen: object, n_columns: int, names: NDArray | None) -> tuple[int, ...]:
    """Return the places of columns that a parameter gives as integers, as names or as a mask.

    Raises
    ------
    ValueError
        If there is no such column, or no names.
    """
    if chosen is None:
        return ()
    given = np.atleast_1d(np.asarray(chosen))
    if given.size == 0:
        return ()
    if given.dtype.kind == "b":
        if given.shape != (n_columns,):
            raise ValueError(f"categorical_features is a mask of shape {given.shape}; X has {n_columns} columns.")
        return tuple(np.flatnonzero(given).tolist())
    if given.dtype.kind in "iu":
        wrong = given[(given < -n_columns) | (given >= n_columns)]
        if len(wrong):
            raise ValueError(f"categorical_features has column {wrong[0]}; X has {n_columns} columns.")
        return tuple(np.unique(given % n_columns).tolist())
    if given.dtype.kind not in "UO":
        raise ValueError("categorical_features must hold integers, names of columns, or a mask of booleans.")
    if names is None:
        raise ValueError("categorical_features has names, and X has none: give a frame, or the places of columns.")
    unknown = [name for name in given.tolist() if name not in names]
    if unknown:
        raise ValueError(f"categorical_features has {unknown[0]!r}, which is not a column of X.")
    return tuple(sorted(names.tolist().index(name) for name in given.tolist()))
