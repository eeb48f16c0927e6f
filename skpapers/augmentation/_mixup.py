"""Mixup: which rows are mixed, in which shares, and which label the mixture gets.

`plan_rows` draws rows, shares and labels, and `mix` makes the mixtures x = lambda x_i + (1 - lambda) x_j. A label is
mixed the same way, which for losses of the form h(f) - y f means two rows of weights lambda and 1 - lambda ("soft").
Lemma 3.1 of the theory paper rewrites the same expected loss with the label y_i alone ("hard"), once lambda follows
Beta(alpha + 1, alpha).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

MODES = ("soft", "dominant", "hard")
_REACH = 8.0  # bandwidths beyond which a partner's kernel, below 2e-14, is not computed
_BLOCK = 64  # rows whose kernels are computed together


@dataclass(frozen=True)
class Plan:
    """The rows to be made: row k mixes `first[k]` and `second[k]` and carries `factor[k]` of the weight of `first[k]`.

    Parameters
    ----------
    first, second : ndarray of shape (n_rows,)
        Indices i and j of the partners. Where they are equal the row is the original one.

    share : ndarray of shape (n_rows,)
        Lambda, the share of `first`.

    label : ndarray of shape (n_rows,)
        Index of the row whose label is taken, where labels are not mixed.

    factor : ndarray of shape (n_rows,)
        Share of the weight of `first`.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    share: NDArray[np.float64]
    label: NDArray[np.intp]
    factor: NDArray[np.float64]

    @property
    def dominant(self) -> NDArray[np.intp]:
        """The partner of the larger share."""
        return np.where(self.share >= 0.5, self.first, self.second)

    def with_originals(self, rows: NDArray[np.intp]) -> "Plan":
        """Return the plan with these rows, unmixed, before all others."""
        return Plan(
            np.concatenate([rows, self.first]),
            np.concatenate([rows, self.second]),
            np.concatenate([np.ones(rows.size), self.share]),
            np.concatenate([rows, self.label]),
            np.concatenate([np.ones(rows.size), self.factor]),
        )

    def of(self, rows: NDArray[np.intp]) -> "Plan":
        """Return this plan for a larger table, in which its rows have the indices `rows`."""
        return replace(self, first=rows[self.first], second=rows[self.second], label=rows[self.label])

    def scaled(self, scale: float) -> "Plan":
        """Return the plan with every factor multiplied."""
        return replace(self, factor=scale * self.factor)


def law_of_shares(alpha: float, mode: str) -> tuple[float, float]:
    """Return the parameters of lambda's beta distribution: D of mixup, or D~ of Lemma 3.1 for "hard"."""
    return (alpha + 1.0, alpha) if mode == "hard" else (alpha, alpha)


def draw_shares(rng: RandomState, alpha: float, mode: str, size: int) -> NDArray[np.float64]:
    """Draw lambda for `size` pairs. A tiny alpha, at which NumPy's draw underflows, gives pairs that are not mixed."""
    return np.nan_to_num(rng.beta(*law_of_shares(alpha, mode), size=size), nan=1.0)


def in_units(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights divided by a power of two near the largest. Their sums stay finite and round as before."""
    return np.ldexp(weight, -np.frexp(weight.max())[1])


def draw_in_proportion(rng: RandomState, weight: NDArray[np.float64], size: int) -> NDArray[np.intp]:
    """Draw indices, ascending, each as often as its part of the weight says, rounded up or down at random.

    This is systematic resampling: equal weights and as many draws as rows give every row exactly once.
    """
    if not weight.any():
        weight = np.ones_like(weight)
    ends = np.cumsum(weight) * (size / weight.sum())
    drawn = np.searchsorted(ends, rng.uniform() + np.arange(size), side="right")
    return np.minimum(drawn, np.flatnonzero(weight)[-1])  # rounding may leave the last end short of `size`


def draw_partners(
    rng: RandomState,
    weight: NDArray[np.float64],
    anchors: NDArray[np.intp],
    groups: NDArray[np.intp] | None = None,
) -> NDArray[np.intp]:
    """Draw a partner for every anchor, in proportion to weight: with equal weights each row is as often a partner.

    Parameters
    ----------
    rng : RandomState
        Source of the draws.

    weight : ndarray of shape (n_samples,)
        Weights of the rows as partners.

    anchors : ndarray of shape (n_pairs,)
        Rows i that get a partner.

    groups : ndarray of shape (n_samples,), default=None
        Codes 0, 1, ...: partners are drawn from the anchor's own group.

    Returns
    -------
    partners : ndarray of shape (n_pairs,)
        Rows j.
    """
    if groups is None:
        return rng.permutation(draw_in_proportion(rng, weight, anchors.size))
    partners = np.empty_like(anchors)
    for group in range(groups.max() + 1):
        rows = np.flatnonzero(groups == group)
        places = np.flatnonzero(groups[anchors] == group)
        partners[places] = rows[rng.permutation(draw_in_proportion(rng, weight[rows], places.size))]
    return partners


def draw_near_partners(
    rng: RandomState,
    weight: NDArray[np.float64],
    anchors: NDArray[np.intp],
    y: NDArray[np.float64],
    bandwidth: float,
) -> NDArray[np.intp]:
    """Draw partners of similar targets (C-Mixup): P(j | i) is proportional to w_j exp(-|y_i - y_j|^2 / (2 h^2)).

    Parameters
    ----------
    rng : RandomState
        Source of the draws.

    weight : ndarray of shape (n_samples,)
        Weights of the rows as partners.

    anchors : ndarray of shape (n_pairs,)
        Rows i that get a partner.

    y : ndarray of shape (n_samples, n_outputs)
        Targets.

    bandwidth : float
        h, in standard deviations of each target.

    Returns
    -------
    partners : ndarray of shape (n_pairs,)
        Rows j.
    """
    n = len(y)
    if not weight.any():
        weight = np.ones_like(weight)
    centred = y - np.average(y, axis=0, weights=weight)
    scale = np.sqrt(np.average(centred**2, axis=0, weights=weight))
    z = centred / (bandwidth * np.where(scale > 0, scale, 1.0))
    order = np.argsort(z[:, 0], kind="stable")
    z = z[order]
    sorted_weight = weight[order]
    low = np.searchsorted(z[:, 0], z[:, 0] - _REACH)
    high = np.searchsorted(z[:, 0], z[:, 0] + _REACH, side="right")
    places = np.split(np.argsort(anchors, kind="stable"), np.cumsum(np.bincount(anchors, minlength=n))[:-1])
    partners = np.empty_like(anchors)
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        window = slice(low[start], high[stop - 1])
        squared = np.zeros((stop - start, window.stop - window.start))
        for output in z.T:
            squared += (output[start:stop, None] - output[None, window]) ** 2
        ends = np.cumsum(sorted_weight[window] * np.exp(-squared / 2), axis=1)
        for row, of_row in zip(order[start:stop], ends, strict=True):
            points = rng.uniform(size=places[row].size) * of_row[-1]
            drawn = np.minimum(np.searchsorted(of_row, points, side="right"), of_row.size - 1)
            # a row without weight may be out of reach of all that have some
            partners[places[row]] = order[window.start + drawn] if of_row[-1] > 0 else row
    return partners


def plan_rows(
    anchors: NDArray[np.intp],
    partners: NDArray[np.intp],
    shares: NDArray[np.float64],
    mode: str,
    codes: NDArray[np.intp] | None,
) -> Plan:
    """Decide which rows the pairs give.

    Parameters
    ----------
    anchors, partners : ndarray of shape (n_pairs,)
        Rows i and j.

    shares : ndarray of shape (n_pairs,)
        Lambda.

    mode : {"soft", "dominant", "hard"}
        Whose label a mixture has.

    codes : ndarray of shape (n_samples,) or None
        Codes of the labels; None where targets are numbers, which "soft" mixes in a single row.

    Returns
    -------
    plan : Plan
        A row for each pair; "soft" adds a second one where the labels of the partners differ.
    """
    if mode == "dominant" or (mode == "soft" and codes is not None):
        # i and j are exchangeable: with the larger share at i the expected loss is the same, and i keeps its label
        shares = np.maximum(shares, 1.0 - shares)
    if mode != "soft" or codes is None:
        return Plan(anchors, partners, shares, anchors, np.ones(anchors.size))
    split = np.flatnonzero(codes[anchors] != codes[partners])
    factor = np.ones(anchors.size)
    factor[split] = shares[split]
    return Plan(
        np.concatenate([anchors, anchors[split]]),
        np.concatenate([partners, partners[split]]),
        np.concatenate([shares, shares[split]]),
        np.concatenate([anchors, partners[split]]),
        np.concatenate([factor, 1.0 - shares[split]]),
    )


def lost_labels(plan: Plan, codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return one row of each label that the plan does not have."""
    present = np.zeros(codes.max() + 1, dtype=bool)
    present[codes[plan.label]] = True
    return np.unique(codes, return_index=True)[1][~present]


def mix(values: NDArray, plan: Plan) -> NDArray:
    """Return the mixtures of rows, of shape (n_rows, ...): exact where both partners are equal.

    Where one of them is NaN the dominant partner's value is taken, so that no more values are missing than before.
    """
    dominant = plan.dominant
    base = values[dominant]
    other = values[np.where(plan.share >= 0.5, plan.second, plan.first)]
    minor = np.minimum(plan.share, 1.0 - plan.share).astype(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
    mixed = base + minor * (other - base)
    return np.where(np.isnan(mixed), base, mixed)
