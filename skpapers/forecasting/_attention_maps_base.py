"""What the attention of a fitted DAF forecaster looks at, and its queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from skpapers._torch.state import own_modes, own_precision
from skpapers.forecasting._daf import extrapolation, interpolation, scale_history
from skpapers.forecasting._daf_fitted import FittedDAF
from skpapers.forecasting._daf_network import DAFNetwork
from skpapers.forecasting._daf_roll_out import last_values, roll_out, split_missing


@dataclass(frozen=True)
class AttentionMaps:
    """Weights of the attention of the first block.

    Parameters
    ----------
    interpolation : ndarray of shape (n_samples, n_heads, history, history)
        The weight of each step of the history in the interpolation of each; 0 on the diagonal.

    extrapolation : ndarray of shape (n_samples, n_heads, horizon, history + horizon)
        The weight of each value in the forecast of each step. Values from `history` on are forecasts themselves. The
        first ones, which no whole window precedes, have weight 0.
    """

    interpolation: NDArray[np.float64]
    extrapolation: NDArray[np.float64]


class AttentionMapsMixin:
    """`attention_maps` and `queries` for an estimator whose `_fitted` is a :class:`FittedDAF`."""

    _fitted: FittedDAF

    @own_precision()
    def attention_maps(self, X: Any, *, sample_domain: float | None = None) -> AttentionMaps:
        """Return what the attention looks at in each window.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, history, n_channels)
            Windows of one domain.

        sample_domain : float, default=None
            Their domain; None is the target.

        Returns
        -------
        maps : AttentionMaps
            With the fields `interpolation` and `extrapolation`.
        """
        network, z, domain = self._scaled_windows(X, sample_domain, before=False)
        history = network.length
        stop = history + network.horizon
        w = network.w
        block = network.blocks[0]
        with torch.no_grad():
            known, observed = split_missing(z)
            made = network.run(known, domain, observed, first=history, stop=history)
            inside = block.shared.weights(made.queries[0], made.keys[0], interpolation(history, observed, z.device))
            forecasts = roll_out(network, z, domain)[..., network.point]
            others = last_values(z)[:, None, 1:].expand(-1, network.horizon, -1)
            series = torch.cat([z, torch.cat([forecasts[..., None], others], dim=-1)], dim=1)
            known, observed = split_missing(series)
            made = network.run(known, domain, observed, first=history, stop=stop)
            allowed = extrapolation(history, stop, stop, w, observed, z.device)
            q = made.queries[0][:, history - network.right - 1 : stop - network.right - 1]
            ahead = block.shared.weights(q, made.keys_before[0], allowed)
        return AttentionMaps(inside.numpy(), torch.nn.functional.pad(ahead, (w, 0)).numpy())

    @own_precision()
    def queries(self, X: Any, *, sample_domain: float | None = None, before: bool = False) -> NDArray[np.float64]:
        """Return the queries of the first block at each step of each history.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, history, n_channels)
            Windows of one domain.

        sample_domain : float, default=None
            Their domain; None is the target.

        before : bool, default=False
            Whether they are those before the joint training, of the source's network.

        Returns
        -------
        queries : ndarray of shape (n_samples, history, d_model)

        Raises
        ------
        ValueError
            If `before`, and the model was fitted on one domain.
        """
        network, z, domain = self._scaled_windows(X, sample_domain, before=before)
        block = network.blocks[0]
        with torch.no_grad():
            known, _ = split_missing(z)
            p = block.by_domain(type(block.private[0]).patterns, known, domain)
            return block.shared.queries_and_keys(p)[0].numpy()

    def _scaled_windows(
        self, X: Any, sample_domain: float | None, *, before: bool
    ) -> tuple[DAFNetwork, Tensor, Tensor]:
        """Return a network in float64, scaled windows, and the place of their domain for each."""
        check_is_fitted(self)
        fitted = self._fitted
        if before and not fitted.before:
            raise ValueError("before=True needs a model that was fitted on a source as well; this one has one domain.")
        flat = self._flat_rows(fitted.inputs, X)  # type: ignore[attr-defined]
        place = self._place(sample_domain)
        with own_modes():
            weights = fitted.before if before else fitted.weights
            network = self._network_of(fitted.architecture, weights).eval()  # type: ignore[attr-defined]
        windows = torch.from_numpy(np.array(flat, dtype=np.float64)).reshape(-1, *fitted.inputs.known_shape)
        return network, scale_history(windows)[0], torch.full((len(flat),), place)

    def _place(self, number: float | None) -> int:
        """Return the place of a domain.

        Raises
        ------
        ValueError
            If the fit saw no such domain.
        """
        domains = self._fitted.domains
        if number is None:
            return 0
        if number not in domains:
            raise ValueError(f"sample_domain={number:g} is not one of the domains of the fit: {list(domains)}.")
        return domains.index(number)
