"""Networks for classes."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin

from skpapers._fitting import Fitting
from skpapers._torch.fitted import FittedNetwork
from skpapers._torch.reading import Given
from skpapers._torch.rows import Rows
from skpapers._torch.scaled_columns import Scaling
from skpapers._torch.setup import fit_statistics
from skpapers._torch.supervised_base import SupervisedNetwork
from skpapers._torch.targets import Classes
from skpapers._torch.temperature import FEWEST_HELD, MANY_ROWS, class_shares, fit_temperature, rows_held_back
from skpapers._validation import Interval, StrOptions
from skpapers._warnings import warn_user


class NetworkClassifier(ClassifierMixin, SupervisedNetwork):
    """Classification by one logit, or one for each of three classes or more."""

    _classes_constraints: ClassVar[dict] = {
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "calibration": [StrOptions({"auto", "temperature"}), None],
    }

    label_smoothing: float = 0.0
    class_weight: dict | str | None = None
    calibration: str | None = None
    classes_: NDArray
    temperature_: float

    def _target(self) -> Classes:
        return Classes(
            self.label_smoothing, self.mixup_alpha > 0, self.class_weight, calibrated=self.calibration is not None
        )

    def _check_held(self, held: Rows[NDArray], target: Classes) -> None:  # type: ignore[override]
        lacking = target.lacking(held.with_weight().y)
        if not lacking:
            return
        named = ", ".join(map(repr, lacking[:5])) + (", ..." if len(lacking) > 5 else "")
        way = "validation_split='random'" if self.validation_split == "last" else "a larger validation_fraction"
        warn_user(
            f"The rows held back for early_stopping lack class {named}: their accuracy is a poor judge of the epochs. "
            f"Use {way}, shuffle the rows, give X_val and y_val, or set early_stopping=False."
        )

    def _calibrated(
        self,
        fitted: FittedNetwork,
        rows: Rows[NDArray],
        held: Rows[NDArray] | None,
        seeds: NDArray[np.integer],
        rng: np.random.RandomState,
    ) -> FittedNetwork:
        """Fit the temperature: of the network itself with `early_stopping`, otherwise of a second network."""
        target = fitted.setup.target
        assert isinstance(target, Classes)
        if self.calibration is None:
            return fitted
        if held is None:
            if self.calibration == "auto" and len(rows) >= MANY_ROWS:
                return fitted
            train, kept = rows_held_back(rows.y, rows.weight, self._order(len(rows), rng))
            held = rows.take(kept).with_weight()
            if len(held) == 0:
                return fitted
            judged = self._second_network(fitted, rows.take(train), seeds)
        else:
            held = replace(held, weight=target.weigh(held.y, held.weight)).with_weight()
            if len(held) < FEWEST_HELD:
                return fitted
            judged = fitted
        prior = class_shares(rows.y, rows.weight, len(target.known))
        temperature = fit_temperature(self._outputs_of(judged, held.X), held.y, held.weight, prior)
        return fitted.with_target(target.with_temperature(temperature, prior))

    def _second_network(self, fitted: FittedNetwork, rows: Rows[NDArray], seeds: NDArray[np.integer]) -> FittedNetwork:
        """Return a network trained on fewer rows, for as many epochs as the first one and on the same schedule."""
        setup, rows = fit_statistics(replace(fitted.setup, scaling=Scaling(self.scaling)), rows)
        numbers = range(1, len(fitted.history.losses) + 1)
        return self._train(setup, rows, None, seeds, numbers, None, Fitting(self), silent=True)

    def partial_fit(self, X: Any, y: Any, classes: ArrayLike | None = None, sample_weight: Any = None) -> Any:
        """Visit rows once, at the learning rate `learning_rate_init`.

        The scaling is refitted during the first 512 rows, and then fixed. A column that was constant until then is
        scaled by the rows from its first other value on. Weights count against those of earlier calls: what counts as
        1 is the mean weight of `fit`, or of the first 512 rows. A call in which all weights are 0 changes nothing; as
        the first call it is an error.

        Parameters may be set to other values between calls, `dtype` and `device` among them. A change
        of `scaling`, or of the shape of the network, raises an error. `temperature_` is not refitted: it stays that of
        the last `fit`, or 1 without one. `calibration=None` sets it to 1.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Labels.

        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call only.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights.

        Returns
        -------
        self : object
            The estimator. Where `partial_fit` raises, it is what it was before.
        """
        self._validate_params()
        return self._partial_fit(Given(X, y, sample_weight), self._target_of_all(classes))

    def _target_of_all(self, classes: ArrayLike | None) -> Classes:
        """Return the target of all classes that will ever come, or raise an error if they are not known."""
        if self.class_weight == "balanced":
            raise ValueError('partial_fit does not see all rows: class_weight="balanced" is for fit; give a dict.')
        known = getattr(self, "classes_", None)
        if classes is None:
            if known is None:
                raise ValueError("The first call of partial_fit needs classes, all labels that will ever come.")
            return self._target()
        classes = np.unique(np.asarray(classes))
        if len(classes) < 2:
            raise ValueError(f"{type(self).__name__} needs two classes or more; classes={classes.tolist()}.")
        if known is not None and not np.array_equal(known, classes):
            raise ValueError(f"classes={classes.tolist()} are not those of the first call, {known.tolist()}.")
        return replace(self._target(), classes=classes)

    def predict_proba(self, X: Any) -> NDArray:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return probabilities(self._outputs(X))

    def predict(self, X: Any) -> NDArray:
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels.
        """
        return self._labels(self._outputs(X))

    def _labels(self, outputs: NDArray) -> NDArray:
        """Return the most probable classes for outputs of the fitted model."""
        target = self._fitted.setup.target
        assert isinstance(target, Classes)
        return self.classes_[target.codes(outputs)]


def probabilities(outputs: NDArray) -> NDArray:
    """Return the probabilities of the classes for logits, or for the log-odds of the second of two classes."""
    logits = torch.from_numpy(outputs)
    if logits.ndim == 2:
        return torch.softmax(logits, dim=1).numpy()
    return torch.stack([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=1).numpy()
