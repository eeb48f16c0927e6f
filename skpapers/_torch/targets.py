"""What a network learns to predict: labels or numbers to targets of the loss, and outputs to predictions.

An estimator chooses a target. It is one immutable object: its options are the estimator's parameters, and what it
learns (the classes, the units of y) is set by methods that return another one.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from torch import Tensor

from skpapers._labels import check_labels
from skpapers._torch import losses
from skpapers._torch.rows import Rows
from skpapers._torch.running import Statistics, no_statistics, update
from skpapers._torch.scaling import fit_target
from skpapers._torch.state import number_tensor
from skpapers._torch.temperature import calibration
from skpapers._weights import weigh_classes

LARGEST_TARGET = 1e300  # the differences of larger ones may be infinite


class Target(ABC):
    """Reading, encoding, loss and predictions of y."""

    dtype: ClassVar[type | None]  # y is converted to it
    finite: ClassVar[bool | str] = True  # what scikit-learn's validation of y takes as `ensure_all_finite`
    combine: ClassVar[str]  # how members' outputs become one: see `Predictor`

    @property
    @abstractmethod
    def output_shape(self) -> tuple[int, ...]:
        """Shape of a network's output for one row."""

    def check(self, y: Any) -> Any:
        """Return y unchanged, or raise an error that is clearer than that of scikit-learn's validation."""
        return y

    @abstractmethod
    def read(self, y: NDArray, owner: str) -> tuple[Self, NDArray]:
        """Return the target with what it learns from validated y, if it has not learned it yet, and y as numbers.

        `owner` is the name of the estimator in errors.
        """

    @abstractmethod
    def continued(self, before: Self) -> Self:
        """Return the target with what another one has learned."""

    def weigh(self, y: NDArray, weight: NDArray | None, *, allow_all_zero: bool = False) -> NDArray | None:
        """Return the row weights that the loss uses."""
        return weight

    def lacking(self, y: NDArray) -> list:
        """Return the labels that no row has."""
        return []

    def fitted(self, y: NDArray, weight: NDArray | None, enough: int) -> Self:
        """Return the target with statistics of further rows; they are fixed after `enough` rows."""
        return self

    @abstractmethod
    def encode(self, y: NDArray) -> NDArray:
        """Return what the loss compares outputs with."""

    def tensor(self, y: NDArray, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return the encoded rows; numbers get the network's dtype, and codes of classes stay integers."""
        return number_tensor(self.encode(y), device, dtype)

    @abstractmethod
    def loss(self) -> losses.Loss:
        """Return the loss of each row, a function of outputs and encoded rows."""

    @abstractmethod
    def score(self, outputs: NDArray, rows: Rows[NDArray]) -> float:
        """Return how good outputs in the units of training are for rows as `read` returns them; greater is better."""

    def units(self) -> tuple[NDArray, NDArray] | None:
        """Return what is added to outputs and what they are multiplied by first, or None for outputs as they are."""
        return None

    @abstractmethod
    def attributes(self) -> dict[str, Any]:
        """Return what was learned, as public attributes of the estimator."""


@dataclass(frozen=True, eq=False)
class Classes(Target):
    """Labels; the network has one logit, or one for each of three classes or more.

    Parameters
    ----------
    label_smoothing : float
        Share of each label that is spread over all classes.

    mixes : bool
        Whether the loss takes rows of probabilities, as mixed rows need.

    class_weight : dict, "balanced" or None
        Weights of the classes.

    classes : ndarray of shape (n_classes,) or None
        None until they are known.

    temperature : float
        It moves logits toward those of `prior`: see `temperature.calibration`.

    prior : ndarray of shape (n_classes,) or None
        Frequencies of the classes. None if no temperature was fitted.

    calibrated : bool
        Whether a model that continues keeps its temperature.
    """

    label_smoothing: float = 0.0
    mixes: bool = False
    class_weight: dict | str | None = None
    classes: NDArray | None = None
    temperature: float = 1.0
    prior: NDArray | None = None
    calibrated: bool = True

    dtype = None
    combine = "probabilities"

    @property
    def known(self) -> NDArray:
        """The classes, once they are known."""
        assert self.classes is not None
        return self.classes

    @property
    def binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.known) == 2

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (1,) if self.binary else (len(self.known),)

    def check(self, y: Any) -> Any:
        return check_labels(y)

    def read(self, y: NDArray, owner: str) -> tuple[Self, NDArray]:
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        classes = np.unique(y) if self.classes is None else self.classes
        if len(classes) < 2:
            raise ValueError(f"{owner} needs two classes or more; y holds one class, {classes.tolist()[0]!r}.")
        unknown = np.setdiff1d(y, classes).tolist()
        if unknown:
            raise ValueError(f"y holds class {unknown[0]!r}, which is not among the classes known: {classes.tolist()}.")
        return replace(self, classes=classes), np.searchsorted(classes, y)

    def continued(self, before: Self) -> Self:
        continued = replace(self, classes=before.classes)
        return continued.with_temperature(before.temperature, before.prior) if self.calibrated else continued

    def with_temperature(self, temperature: float, prior: NDArray | None) -> Self:
        """Return the target with a temperature and the frequencies of the classes toward which it moves logits."""
        return replace(self, temperature=temperature, prior=prior)

    def weigh(self, y: NDArray, weight: NDArray | None, *, allow_all_zero: bool = False) -> NDArray | None:
        return weigh_classes(self.class_weight, self.known, y, weight, allow_all_zero=allow_all_zero)

    def lacking(self, y: NDArray) -> list:
        return np.delete(self.known, np.unique(y)).tolist()

    def encode(self, y: NDArray) -> NDArray:
        if self.binary:
            return y * (1.0 - self.label_smoothing) + self.label_smoothing / 2.0
        return np.eye(len(self.known))[y] if self.mixes else y

    def loss(self) -> losses.Loss:
        return losses.log_odds if self.binary else losses.cross_entropy(self.label_smoothing)

    def score(self, outputs: NDArray, rows: Rows[NDArray]) -> float:
        return float(accuracy_score(rows.y, self.codes(outputs), sample_weight=rows.weight))

    def codes(self, outputs: NDArray) -> NDArray:
        """Return the numbers of the most probable classes."""
        return (outputs > 0).astype(int) if self.binary else outputs.argmax(axis=1)

    def units(self) -> tuple[NDArray, NDArray] | None:
        return None if self.prior is None else calibration(self.temperature, self.prior)

    def attributes(self) -> dict[str, Any]:
        return {"classes_": self.known, "temperature_": self.temperature}


@dataclass(frozen=True, eq=False)
class Numbers(Target):
    """Numbers, one or several for each row; the network sees each output with location 0 and scale 1.

    Parameters
    ----------
    loss_name : str
        A key of `losses.REGRESSION`.

    quantile : float
        For the loss "quantile".

    n_outputs : int
        0 until it is known.

    statistics : Statistics or None
        Of the outputs.
    """

    loss_name: str = "squared_error"
    quantile: float = 0.5
    n_outputs: int = 0
    statistics: Statistics | None = None

    dtype = np.float64
    combine = "mean"

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (self.n_outputs,)

    def read(self, y: NDArray, owner: str) -> tuple[Self, NDArray]:
        y = column_or_1d(y, warn=True)[:, None] if y.ndim == 1 or y.shape[1] == 1 else y
        if self.n_outputs not in (0, y.shape[1]):
            raise ValueError(f"y has {y.shape[1]} outputs, and the model has {self.n_outputs}.")
        largest = np.abs(y).max()
        if largest > LARGEST_TARGET:
            raise ValueError(f"y holds values as large as {largest:.3g}; at most {LARGEST_TARGET:.0e} is possible.")
        return replace(self, n_outputs=y.shape[1]), y

    def continued(self, before: Self) -> Self:
        return replace(self, n_outputs=before.n_outputs, statistics=before.statistics)

    def fitted(self, y: NDArray, weight: NDArray | None, enough: int) -> Self:
        old = self.statistics or no_statistics(y.shape[1])
        return replace(self, statistics=update(old, y, weight, self._location_and_scale, enough))

    def _location_and_scale(self, y: NDArray, weight: NDArray | None) -> dict[str, Any]:
        return {"location_and_scale": np.stack(fit_target(y, weight, robust=self.loss_name == "huber"))}

    def location_and_scale(self) -> tuple[NDArray, NDArray]:
        """Return location and scale of each output; the scale of a constant output is 0."""
        assert self.statistics is not None
        found = np.zeros((2, self.n_outputs))
        for group in self.statistics.groups:
            found[:, group.columns] = group.fitted["location_and_scale"]
        return found[0], found[1]

    def encode(self, y: NDArray) -> NDArray:
        location, scale = self.location_and_scale()
        return (y - location) / np.where(scale > 0, scale, 1.0)

    def tensor(self, y: NDArray, device: torch.device, dtype: torch.dtype) -> Tensor:
        made = super().tensor(y, device, dtype)
        if not bool(torch.isfinite(made).all()):
            raise ValueError(
                f"y holds values as large as {np.nanmax(np.abs(y)):.3g}, which is too many times the scale of the "
                f"targets, {self.location_and_scale()[1].max():.3g}, for training in "
                f"dtype={str(dtype).removeprefix('torch.')!r}."
            )
        return made

    def loss(self) -> losses.Loss:
        return losses.REGRESSION[self.loss_name](self.quantile)

    def score(self, outputs: NDArray, rows: Rows[NDArray]) -> float:
        varies = (self.location_and_scale()[1] > 0).reshape(self.n_outputs, *[1] * (len(self.output_shape) - 1))
        of_rows = torch.from_numpy(outputs.reshape(len(rows), *self.output_shape) * varies)
        loss = self.loss()(of_rows, torch.from_numpy(self.encode(rows.y)))
        return -float(np.average(loss.numpy(), weights=rows.weight))

    def units(self) -> tuple[NDArray, NDArray] | None:
        return self.location_and_scale()

    def attributes(self) -> dict[str, Any]:
        location, scale = self.location_and_scale()
        return {"n_outputs_": self.n_outputs, "y_center_": location, "y_scale_": scale}


@dataclass(frozen=True, eq=False)
class HorizonQuantiles(Numbers):
    """Quantiles of the numbers at several horizons: y has shape (n, horizon), outputs (n, horizon, n_quantiles).

    Parameters
    ----------
    levels : tuple of float
        The quantiles, each between 0 and 1.
    """

    levels: tuple[float, ...] = (0.1, 0.5, 0.9)

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (self.n_outputs, len(self.levels))

    def loss(self) -> losses.Loss:
        return losses.quantiles(self.levels)

    def units(self) -> tuple[NDArray, NDArray] | None:
        location, scale = self.location_and_scale()
        return location[:, None], scale[:, None]
