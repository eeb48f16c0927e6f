"""The scaling of the inputs as part of a fitted model: fitted, continued by `partial_fit`, and made a layer."""

from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from skpapers._torch.running import Statistics, no_statistics, update
from skpapers._torch.scaling import fit_scaling
from skpapers._torch.scaling_layers import FixedScaling, PatchedScaling
from skpapers._torch.state import to_arrays


@dataclass(frozen=True, eq=False)
class Scaling:
    """Statistics of columns, and what kind they are.

    Parameters
    ----------
    kind : {"robust", "standard"} or None
        None scales nothing.

    statistics : Statistics or None
        None before the first rows.
    """

    kind: str | None
    statistics: Statistics | None = None

    def fitted(self, X: NDArray, weight: NDArray | None, enough: int = 0) -> "Scaling":
        """Return the scaling after further rows; it is fixed after `enough` of them."""
        if self.kind is None:
            return self
        old = self.statistics or no_statistics(X.shape[1])
        return replace(self, statistics=update(old, X, weight, self._statistics_of, enough))

    def _statistics_of(self, X: NDArray, weight: NDArray | None) -> dict[str, Any]:
        scaling = fit_scaling(X, weight, self.kind)
        assert scaling is not None
        return {**to_arrays(scaling), "limit": scaling.limit}

    def layer(self) -> FixedScaling | PatchedScaling | None:
        """Return the first, fixed layer of the network."""
        if self.statistics is None:
            return None
        first, *later = self.statistics.groups
        module = FixedScaling(**first.fitted)
        if not later:
            return module
        parts = [(FixedScaling(**group.fitted), group.columns, group.origin) for group in later]
        return PatchedScaling(module, parts)  # type: ignore[arg-type]
