"""The first, fixed layer of a network: columns scaled by statistics of the training rows."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

HUGE = 1e300  # scaled values are clipped here


class FixedScaling(nn.Module):
    """(x - center) * factor, or a map by rank; then for `limit` the smooth clip z / sqrt(1 + (z / limit)^2).

    Nothing here learns, and every finite value has a finite image, unless `limit` is None.

    Parameters
    ----------
    center, factor : ndarray of shape (n_features,)
        Statistics of the training rows.

    limit : float or None
        Bound of the clipped values; None clips nothing.

    ranked : ndarray of shape (n_ranked,), default=()
        Columns that are mapped by rank; their factor does not count.

    knots, images : ndarray of shape (n_ranked, n_knots), default=()
        Values in increasing order, the last one repeated, and what they are mapped to: linear between them, constant
        outside.
    """

    center: Tensor
    factor: Tensor
    ranked: Tensor
    knots: Tensor
    images: Tensor

    def __init__(
        self,
        center: NDArray,
        factor: NDArray,
        limit: float | None,
        ranked: ArrayLike = (),
        knots: ArrayLike = (),
        images: ArrayLike = (),
    ) -> None:
        super().__init__()
        for name, values in (("center", center), ("factor", factor), ("knots", knots), ("images", images)):
            self.register_buffer(name, torch.from_numpy(np.asarray(values, dtype=np.float64)))
        self.register_buffer("ranked", torch.from_numpy(np.asarray(ranked, dtype=np.int64)))
        self.limit = limit

    def forward(self, X: Tensor) -> Tensor:
        z = (X - self.center).clamp(-HUGE, HUGE) * self.factor
        if len(self.ranked):
            z = z.index_copy(1, self.ranked, self._by_rank(X[:, self.ranked]))
        if self.limit is None:
            return z
        z = z.clamp(-HUGE, HUGE)  # inf / inf would be NaN
        return z / torch.hypot(torch.ones_like(z), z / self.limit)  # a square would overflow where z is huge

    def _by_rank(self, X: Tensor) -> Tensor:
        columns = X.T.contiguous()
        right = torch.searchsorted(self.knots, columns.detach(), right=True).clamp(1, self.knots.shape[1] - 1)
        x0 = self.knots.gather(1, right - 1) / 2.0  # halved: a gap may overflow
        x1 = self.knots.gather(1, right) / 2.0
        y0 = self.images.gather(1, right - 1)
        y1 = self.images.gather(1, right)
        gap = x1 - x0
        share = ((columns / 2.0 - x0) / torch.where(gap > 0, gap, 1.0)).clamp(0.0, 1.0)
        return (y0 + share * (y1 - y0)).T


class PatchedScaling(nn.Module):
    """A scaling of all columns, and later ones of columns that were constant, minus their image of the constant.

    The constant is mapped to 0, as before, so that the function of the network is the same for all rows that have it.

    Parameters
    ----------
    first : FixedScaling
        Of all columns.

    later : list of (FixedScaling, ndarray of shape (n_columns,), ndarray of shape (n_columns,))
        Scalings of some columns, their places, their constants.
    """

    def __init__(self, first: FixedScaling, later: list[tuple[FixedScaling, NDArray, NDArray]]) -> None:
        super().__init__()
        self.first = first
        self.later = nn.ModuleList(scaling for scaling, _, _ in later)
        for i, (_, columns, origin) in enumerate(later):
            self.register_buffer(f"columns_{i}", torch.from_numpy(np.asarray(columns, dtype=np.int64)))
            self.register_buffer(f"origin_{i}", torch.from_numpy(np.asarray(origin, dtype=np.float64)))

    def forward(self, X: Tensor) -> Tensor:
        z = self.first(X)
        for i, scaling in enumerate(self.later):
            columns = self.get_buffer(f"columns_{i}")
            origin = self.get_buffer(f"origin_{i}")
            z = z.index_copy(1, columns, scaling(X[:, columns]) - scaling(origin[None]))
        return z


class SeparateScaling(nn.Module):
    """A scaling of its own for each column; NaN stays NaN.

    Parameters
    ----------
    columns : list of (nn.Module or None)
        Scalings of tables of one column. None maps every number to 0.
    """

    def __init__(self, columns: Sequence[nn.Module | None]) -> None:
        super().__init__()
        nothing = np.zeros(1)
        self.columns = nn.ModuleList(FixedScaling(nothing, nothing, None) if s is None else s for s in columns)

    def forward(self, X: Tensor) -> Tensor:
        return torch.cat([scaling(x) for scaling, x in zip(self.columns, X.split(1, dim=1), strict=True)], dim=1)
