"""Rows that travel together: everything that has one entry for each training row is in one object."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from numpy.typing import NDArray
from torch import Tensor

Array = TypeVar("Array", NDArray, Tensor)


@dataclass(frozen=True)
class Rows(Generic[Array]):
    """Training rows as arrays or as tensors; they are split, shuffled, filtered and batched as one.

    Parameters
    ----------
    X : array of shape (n, ...)
        Inputs.

    y : array of shape (n, ...)
        Targets.

    weight : array of shape (n,) or None
        Row weights. None: all weights are 1.

    extra : dict of str to array of shape (n, ...), default={}
        What else a method needs of each row: its task, its domain, a mask.
    """

    X: Array
    y: Array
    weight: Array | None = None
    extra: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.X)

    def apply(self, function: Callable[[Array], Array]) -> "Rows[Array]":
        """Return the rows with a function applied to each of their arrays."""
        weight = None if self.weight is None else function(self.weight)
        extra = {name: function(values) for name, values in self.extra.items()}
        return Rows(function(self.X), function(self.y), weight, extra)

    def take(self, which: Array) -> "Rows[Array]":
        """Return the rows of these numbers."""
        return self.apply(lambda values: values[which])

    def where(self, mask: Array) -> "Rows[Array]":
        """Return the rows where the mask is true; if that is all of them, the rows themselves and no copy."""
        return self if mask.all() else self.take(mask)

    def with_weight(self) -> "Rows[Array]":
        """Return the rows whose weight is above 0; without weights the rows themselves."""
        return self if self.weight is None else self.where(self.weight > 0)
