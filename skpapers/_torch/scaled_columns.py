"""The scaling of the inputs as part of a fitted model: fitted, continued by `partial_fit`, and made a layer."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from skpapers._torch.running import Statistics, no_statistics, update
from skpapers._torch.scaling import fit_scaling
from skpapers._torch.scaling_layers import FixedScaling, PatchedScaling, SeparateScaling
from skpapers._torch.state import to_arrays


@dataclass(frozen=True, eq=False)
class Scaling:
    """Statistics of columns, and what kind they are.

    Parameters
    ----------
    kind : {"robust", "standard"} or None
        None scales nothing.

    statistics : Statistics, tuple of (Statistics or None), or None
        None before the first rows. Where values may be missing, each column has statistics of its own: of the rows in
        which it was observed, and None if there were none.
    """

    kind: str | None
    statistics: Statistics | tuple[Statistics | None, ...] | None = None

    def fitted(self, X: NDArray, weight: NDArray | None, enough: int = 0, *, missing: bool = False) -> "Scaling":
        """Return the scaling after further rows; it is fixed after `enough` of them.

        `missing` says whether a NaN of X is a missing value; it is the same in all calls.
        """
        if self.kind is None:
            return self
        if not missing:
            old = self.statistics or no_statistics(X.shape[1])
            return replace(self, statistics=update(old, X, weight, self._statistics_of, enough))  # type: ignore[arg-type]
        before = self.statistics if isinstance(self.statistics, tuple) else (None,) * X.shape[1]
        columns = zip(before, X.T, strict=True)
        return replace(self, statistics=tuple(self._observed(old, x, weight, enough) for old, x in columns))

    def _observed(self, old: Statistics | None, x: NDArray, weight: NDArray | None, enough: int) -> Statistics | None:
        """Return the statistics of one column after the rows in which it was observed."""
        seen = ~np.isnan(x)
        if not seen.any():
            return old
        weight = None if weight is None else weight[seen]
        return update(old or no_statistics(1), x[seen, np.newaxis], weight, self._statistics_of, enough)

    def _statistics_of(self, X: NDArray, weight: NDArray | None) -> dict[str, Any]:
        scaling = fit_scaling(X, weight, self.kind)
        assert scaling is not None
        return {**to_arrays(scaling), "limit": scaling.limit}

    def layer(self) -> nn.Module | None:
        """Return the first, fixed layer of the network."""
        if self.statistics is None:
            return None
        if isinstance(self.statistics, Statistics):
            return _layer_of(self.statistics)
        return SeparateScaling([None if one is None else _layer_of(one) for one in self.statistics])


def _layer_of(statistics: Statistics) -> FixedScaling | PatchedScaling:
    first, *later = statistics.groups
    module = FixedScaling(**first.fitted)
    if not later:
        return module
    parts = [(FixedScaling(**group.fitted), group.columns, group.origin) for group in later]
    return PatchedScaling(module, parts)  # type: ignore[arg-type]
