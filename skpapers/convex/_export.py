"""Fitted networks in other forms."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skpapers.convex._row_products import ROUNDING

Array = NDArray[np.float64]
CELLS = 1 << 19  # of rows times neurons that are looked at together


def steep_gates(X: Array, W: Array, G: Array) -> Array:
    """Return the gates of gated neurons, so long that |xg| >= 10^4 |xw| on every row: room for rows yet to come.

    A gate that rows lie on, but for rounding, is closed for them. No multiple of it would do: it moves by a hundredth
    of the way to the next row for which it is open.

    Parameters
    ----------
    X : ndarray of shape (n, d)

    W : ndarray of shape (d + 1, m)
        Weights; the last row are intercepts.

    G : ndarray of shape (d, m) or (d + 1, m)
        Gates.

    Returns
    -------
    T : ndarray of shape (d + 1, m)
    """
    d = X.shape[1]
    T = np.vstack([G[:d], G[d:] if len(G) > d else np.zeros((1, G.shape[1]))])
    some = max(1, CELLS // max(1, len(X)))
    for start in range(0, T.shape[1], some):
        part = slice(start, start + some)
        T[:, part] = _steep(X, W[:, part], T[:, part])
    return T


def _steep(X: Array, W: Array, T: Array) -> Array:
    d = X.shape[1]
    offset = T[-1]
    place = X @ T[:d] + offset
    border = np.abs(place) <= ROUNDING * (np.abs(X) @ np.abs(T[:d]) + np.abs(offset))
    next_row = np.where(border | (place < 0), np.inf, place).min(axis=0, initial=np.inf)
    move = np.where(border.any(axis=0) & np.isfinite(next_row), 0.01 * next_row, 0.0)
    distance = np.abs(np.where(border, 0.0, place) - move)
    scores = np.abs(X @ W[:d] + W[d])
    ratio = np.divide(scores, distance, out=np.zeros_like(scores), where=distance > 0)
    return 1e4 * ratio.max(axis=0, initial=0.0) * np.vstack([T[:d], offset - move])


def cone_decomposition(W: Array, T: Array, out: Array) -> tuple[Array, Array]:
    """Return two ReLU neurons for every gated one: 1(xt > 0) xw = (x(w + t))_+ - (xt)_+ wherever |xt| >= |xw|.

    Parameters
    ----------
    W, T : ndarray of shape (d, m)
        Weights, and gates of that length.

    out : ndarray of shape (m, c)

    Returns
    -------
    V : ndarray of shape (d, 2 m)

    out : ndarray of shape (2 m, c)
    """
    return np.hstack([W + T, T]), np.vstack([out, -out])


def to_torch(coef: Array, coef_intercept: Array, out: Array, intercept: Array) -> Any:
    """Return a ReLU network as a torch module."""
    import torch

    return torch.nn.Sequential(_linear(coef, coef_intercept), torch.nn.ReLU(), _linear(out, intercept))


def gated_to_torch(
    coef: Array, coef_intercept: Array, out: Array, intercept: Array, gates: Array, center: Array
) -> Any:
    """Return a gated network as a torch module; weights and gates are those of rows minus a center."""
    import torch

    d = len(coef)
    gate_layer = _linear(gates[:d], gates[d] if len(gates) > d else np.zeros(gates.shape[1])).requires_grad_(False)

    class GatedReLU(torch.nn.Module):
        """The gate of each neuron is fixed: it opens it, and does not learn."""

        def __init__(self) -> None:
            super().__init__()
            self.gate = gate_layer
            self.hidden = _linear(coef, coef_intercept)
            self.last = _linear(out, intercept)
            self.register_buffer("center", torch.from_numpy(center.copy()))

        def forward(self, x: Any) -> Any:
            x = x - self.center
            size = x.abs() @ self.gate.weight.abs().T + self.gate.bias.abs()
            return self.last((self.gate(x) > ROUNDING * size) * self.hidden(x))  # as in `open_gates`

    return GatedReLU()


def _linear(weight: Array, bias: Array) -> Any:
    import torch

    layer = torch.nn.Linear(weight.shape[0], weight.shape[1], dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight.T)))
        layer.bias.copy_(torch.from_numpy(np.ascontiguousarray(bias)))
    return layer


def fill_mlp(mlp: Any, model: Any) -> Any:
    """Return a fitted `MLPClassifier` or `MLPRegressor` of scikit-learn with the weights of a ReLU model."""
    coef = model.coef_
    coef_intercept = model.coef_intercept_
    out = model.out_coef_
    if not coef.shape[1]:  # scikit-learn has no network without neurons: one that is never active
        coef = np.zeros((len(coef), 1))
        coef_intercept = np.zeros(1)
        out = np.zeros((1, out.shape[1]))
    mlp.coefs_ = [np.ascontiguousarray(coef), np.ascontiguousarray(out)]
    mlp.intercepts_ = [coef_intercept.copy(), model.intercept_.copy()]
    if hasattr(model, "feature_names_in_"):
        mlp.feature_names_in_ = model.feature_names_in_
    return mlp
