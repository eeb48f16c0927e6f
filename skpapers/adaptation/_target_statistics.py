"""Statistics of a normalisation layer on unlabelled rows, and how they replace or join those of the training rows.

With :math:`\\mu_s, \\sigma^2_s` the layer's statistics from training, and a batch of b rows with mean m and variance v:

=========  =============================================================================================
rule       statistics after the batch
=========  =============================================================================================
"batch"    m and v (Algorithm 1 of Tent)
"ema"      a share a of the batch joins what was there, as mixtures of rows do: see :func:`mixed`
"prior"    target rows since the last change are pooled exactly (:func:`has_changed`); of n of them the share
           n / (n + N) joins the source's statistics
"source"   :math:`\\mu_s, \\sigma^2_s`
=========  =============================================================================================

"prior" is, for N given, the rule of Schneider et al. (2020), Eq. 2, over all rows so far instead of one batch.
N is `prior_samples`, divided by the squared shift of the layer where that exceeds 1: see :func:`squared_shift`.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

DEAD = 1e-6  # of the largest variance of a unit of the layer: below it a unit says nothing about a shift
FEWEST = 16  # rows of a batch that can show a change
# Classes that came one after another were at most 1.6 apart on six tables, and had at least 0.15 of the variance.
FAR = 2.0  # squared distance of means that shows a change
SHRUNKEN = 1.0 / 8.0  # ratio of variances that shows one
RULES = ("prior", "ema", "batch", "source")


@dataclass(frozen=True)
class Moments:
    """Mean and variance of each unit, and how many rows they come from.

    Parameters
    ----------
    rows : float
        Number of target rows; 0 for the statistics of the source.

    mean, variance : Tensor of shape (h,), or (K, h) for K members
        The variance is that of the population, divided by the number of rows.
    """

    rows: float
    mean: Tensor
    variance: Tensor

    @cached_property
    def alive(self) -> Tensor:
        """Which units vary, compared with the others of the layer."""
        return self.variance > DEAD * self.variance.amax(dim=-1, keepdim=True)

    @cached_property
    def scale(self) -> Tensor:
        """What squared distances of means are multiplied by to be summed: 1 / (variance * units that vary), or 0."""
        inverse = torch.where(self.alive, self.variance.reciprocal(), 0.0)
        return inverse / self.alive.sum(dim=-1, keepdim=True).clamp(min=1)

    def detached(self) -> "Moments":
        """Return the numbers without the graph of their gradient."""
        return Moments(self.rows, self.mean.detach(), self.variance.detach())


def mixed(old: Moments, share: float, new: Moments) -> tuple[Tensor, Tensor]:
    """Return mean and variance of rows of which a share is new: the law of total variance."""
    difference = new.mean - old.mean
    within = old.variance + share * (new.variance - old.variance)
    return old.mean + share * difference, within + share * (1.0 - share) * difference.square()


def squared_shift(source: Moments, mean: Tensor) -> Tensor:
    """Return the mean over units of the squared distance from the source's mean, in its variances: (1,) or (K, 1)."""
    return ((mean.detach() - source.mean).square() * source.scale).sum(dim=-1, keepdim=True)


def layer_shift(source: Moments, batch: Moments) -> float:
    """Return how far the units of a layer lie from their training rows, in standard deviations of these.

    It is the root mean square over units of the 2-Wasserstein distance between normal laws,
    sqrt((m - mu_s)^2 + (s - sigma_s)^2) / sigma_s. A batch of b rows without a shift has about sqrt(1.5 / b).
    """
    alive = source.alive
    if not bool(alive.any()):
        return float("nan")
    mean, variance, mean_s, variance_s = (
        t[alive].double() for t in (batch.mean, batch.variance, source.mean, source.variance)
    )
    square = (mean - mean_s).square() + (variance.sqrt() - variance_s.sqrt()).square()
    return (square / variance_s).mean().sqrt().item()


def has_changed(source: Moments, seen: Moments, batch: Moments) -> bool:
    """Whether a batch follows another law than the rows seen before it: pooled with them it would fit neither.

    That is so if the squared distance of the means, averaged over the units, exceeds two variances of the source, or if
    the mean variance falls below an eighth. A larger variance needs no rule: the pooled one follows it soon.
    """
    if seen.rows == 0 or batch.rows < FEWEST:
        return False
    distance = squared_shift(source, batch.mean - seen.mean + source.mean).mean()
    before, now = (((moments.variance.detach() * source.scale).sum()).item() for moments in (seen, batch))
    return distance.item() > FAR or now < SHRUNKEN * before


@dataclass(frozen=True)
class StatisticsRule:
    """How the statistics of a layer follow the rows.

    Parameters
    ----------
    name : {"prior", "ema", "batch", "source"}
        See the head of this file.

    prior_samples : float
        N of "prior": target rows that the statistics of the source count as.

    ema_momentum : float
        a of "ema".
    """

    name: str = "prior"
    prior_samples: float = 16.0
    ema_momentum: float = 0.1

    def after(self, seen: Moments, batch: Moments) -> Moments:
        """Return what has been seen after a batch. For "batch" a single row changes nothing: its variance is 0."""
        if self.name == "source":
            return seen
        total = seen.rows + batch.rows
        if self.name == "prior":
            return Moments(total, *mixed(seen, batch.rows / total, batch))
        if self.name == "ema":
            return Moments(total, *mixed(seen, self.ema_momentum, batch))
        if self.name == "batch" and batch.rows > 1:
            return Moments(total, batch.mean, batch.variance)
        return Moments(total, seen.mean, seen.variance)

    def used(self, source: Moments, seen: Moments) -> tuple[Tensor, Tensor]:
        """Return mean and variance that rows are normalised by."""
        if self.name == "source" or seen.rows == 0:
            return source.mean, source.variance
        if self.name != "prior":
            return seen.mean, seen.variance
        share = seen.rows / (seen.rows + self.prior_samples / squared_shift(source, seen.mean).clamp(min=1.0))
        mean = source.mean + share * (seen.mean - source.mean)
        return mean, source.variance + share * (seen.variance - source.variance)
