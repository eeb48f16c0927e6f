"""A fitted model as a function of its rows that can be differentiated: linear models by hand, networks by torch."""

import sys
from copy import deepcopy
from functools import wraps
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted

LOSSES = ("auto", "log_loss", "squared_error")


class Differentiable(Protocol):
    """The function f from rows to outputs: logits, or predicted numbers."""

    linear: bool

    def outputs(self, X: NDArray) -> NDArray:
        """Return f, of shape (n_samples, n_outputs)."""

    def jacobian(self, X: NDArray) -> NDArray:
        """Return the gradients of each output, of shape (n_samples, n_outputs, n_features)."""

    def pull_back(self, X: NDArray, factors: NDArray) -> NDArray:
        """Return the gradients of each row's sum of factors (n_samples, n_outputs) times outputs."""

    def curvature(self, X: NDArray, factors: NDArray, directions: NDArray) -> NDArray:
        """Return d^T H d for each row: H the Hessian of that sum, d its row of directions."""


class Linear:
    """f(x) = W x + b."""

    linear = True

    def __init__(self, coef: NDArray, intercept: NDArray) -> None:
        self.coef = coef
        self.intercept = intercept

    def outputs(self, X: NDArray) -> NDArray:
        return X @ self.coef.T + self.intercept

    def jacobian(self, X: NDArray) -> NDArray:
        return np.broadcast_to(self.coef, (len(X), *self.coef.shape))

    def pull_back(self, X: NDArray, factors: NDArray) -> NDArray:
        return factors @ self.coef

    def curvature(self, X: NDArray, factors: NDArray, directions: NDArray) -> NDArray:
        return np.zeros(len(X))


def _in_own_modes(method: Any) -> Any:
    """Let a method of a network differentiate, whatever mode of torch the caller is in."""

    @wraps(method)
    def run(self: Any, *args: Any) -> Any:
        from skpapers._torch.state import own_modes

        with own_modes():
            return method(self, *args)

    return run


class Network:
    """A torch module whose rows do not see one another, as in evaluation mode; a copy, in float64 on the CPU."""

    linear = False

    @_in_own_modes
    def __init__(self, module: Any) -> None:
        import torch

        self.torch = torch
        self.module = deepcopy(module).to(device="cpu", dtype=torch.float64).eval().requires_grad_(False)

    def _graph(self, X: NDArray) -> tuple[Any, Any]:
        rows = self.torch.tensor(X, dtype=self.torch.float64, requires_grad=True)
        outputs = self.module(rows)
        return rows, outputs[:, None] if outputs.ndim == 1 else outputs

    def _gradient(self, of: Any, rows: Any, *, again: bool = False) -> Any:
        """Return the gradient; zero where a function is constant, or linear and asked for its second one."""
        if not of.requires_grad:
            return self.torch.zeros_like(rows)
        (gradient,) = self.torch.autograd.grad(of, rows, create_graph=again, retain_graph=True, allow_unused=True)
        return self.torch.zeros_like(rows) if gradient is None else gradient

    @_in_own_modes
    def outputs(self, X: NDArray) -> NDArray:
        return self._graph(X)[1].detach().numpy()

    @_in_own_modes
    def jacobian(self, X: NDArray) -> NDArray:
        rows, outputs = self._graph(X)
        gradients = [self._gradient(output.sum(), rows) for output in outputs.unbind(dim=1)]
        return self.torch.stack(gradients, dim=1).numpy()

    @_in_own_modes
    def pull_back(self, X: NDArray, factors: NDArray) -> NDArray:
        rows, outputs = self._graph(X)
        return self._gradient((self.torch.tensor(factors) * outputs).sum(), rows).numpy()

    @_in_own_modes
    def curvature(self, X: NDArray, factors: NDArray, directions: NDArray) -> NDArray:
        rows, outputs = self._graph(X)
        along = self.torch.tensor(np.ascontiguousarray(directions))
        gradient = self._gradient((self.torch.tensor(factors) * outputs).sum(), rows, again=True)
        return (self._gradient((gradient * along).sum(), rows) * along).sum(dim=1).numpy()


def _is_module(estimator: Any) -> bool:
    torch = sys.modules.get("torch")  # who has a module has loaded torch
    return torch is not None and isinstance(estimator, torch.nn.Module)


def as_differentiable(estimator: Any, X: Any) -> Differentiable:
    """Return a fitted estimator, or a torch module, as a differentiable function of raw rows.

    Raises
    ------
    TypeError
        If it is neither a network nor linear in its features, as tried on `X`.
    """
    if _is_module(estimator):
        return Network(estimator)
    check_is_fitted(estimator)
    if hasattr(estimator, "to_torch"):
        return Network(estimator.to_torch())
    known = "a torch module, an estimator with to_torch(), or a linear model of scikit-learn"
    name = type(estimator).__name__
    if not hasattr(estimator, "coef_"):
        raise TypeError(f"{name} gives no derivatives by its features; what does is {known}, fitted on these features.")
    model = Linear(np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64)), np.asarray(estimator.intercept_))
    said = estimator.decision_function(X) if hasattr(estimator, "decision_function") else estimator.predict(X)
    here = model.outputs(np.asarray(X, dtype=np.float64))
    said = np.reshape(said, (len(here), -1))
    if said.shape != here.shape or not np.allclose(said, here, rtol=1e-6, atol=1e-8):
        raise TypeError(f"{name} has a coef_, but its output is not linear in the features; what works is {known}.")
    return model


class LogLoss:
    """The loss log sum exp f - f_y; with a single output log(1 + exp f) - y f. Both are h(f) - y f."""

    def __init__(self, outputs: NDArray, codes: NDArray[np.intp]) -> None:
        self.codes = codes
        self.single = outputs.shape[1] == 1

    def values(self, f: NDArray) -> NDArray:
        """Return the loss of each row."""
        if self.single:
            return np.logaddexp(0.0, f[:, 0]) - self.codes * f[:, 0]
        return np.logaddexp.reduce(f, axis=1) - np.take_along_axis(f, self.codes[:, None], axis=1)[:, 0]

    def residual(self, f: NDArray) -> NDArray:
        """Return h'(f) - y."""
        if self.single:
            return expit(f) - self.codes[:, None]
        p = softmax(f, axis=1)
        p[np.arange(len(f)), self.codes] -= 1.0
        return p

    def ascent(self, f: NDArray) -> NDArray:
        """Return the residual over the probability of the other classes, which may underflow."""
        if self.single:
            return np.where(self.codes[:, None] == 1, -1.0, 1.0)
        rows = np.arange(len(f))
        others = f.copy()
        others[rows, self.codes] = -np.inf
        others = softmax(others, axis=1)
        others[rows, self.codes] = -1.0
        return others

    def second(self, f: NDArray, a: NDArray) -> NDArray:
        """Return a^T h''(f) a for each row."""
        if self.single:
            return (expit(f) * expit(-f) * a**2)[:, 0]
        p = softmax(f, axis=1)
        return (p * a**2).sum(axis=1) - (p * a).sum(axis=1) ** 2


class SquaredError:
    """The loss |f - y|^2 / 2, which is h(f) - y f and a number that no model changes."""

    def __init__(self, outputs: NDArray, y: NDArray) -> None:
        self.y = y.reshape(outputs.shape)

    def values(self, f: NDArray) -> NDArray:
        """Return the loss of each row."""
        return ((f - self.y) ** 2).sum(axis=1) / 2

    def residual(self, f: NDArray) -> NDArray:
        """Return h'(f) - y."""
        return f - self.y

    def second(self, f: NDArray, a: NDArray) -> NDArray:
        """Return a^T h''(f) a for each row."""
        return (a**2).sum(axis=1)


def read_problem(estimator: Any, X: Any, y: Any, loss: str = "auto") -> tuple[Differentiable, NDArray, Any]:
    """Return the model, the rows in float64, and their loss.

    Parameters
    ----------
    estimator : fitted estimator or torch.nn.Module
        The model.

    X : array-like of shape (n_samples, n_features)
        Rows.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels or numbers. For a module without `classes_` labels are 0, 1, ...

    loss : {"auto", "log_loss", "squared_error"}, default="auto"
        "auto" is the log loss where the model has `classes_`, or is a module and `y` holds integers.

    Returns
    -------
    model : Differentiable
    rows : ndarray of shape (n_samples, n_features)
    losses : LogLoss or SquaredError
    """
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(map(repr, LOSSES))}, got {loss!r}.")
    rows = check_array(X, dtype=np.float64, input_name="X")
    target = np.asarray(y)
    check_consistent_length(rows, target)
    model = as_differentiable(estimator, X)
    f = model.outputs(rows)
    classes = getattr(estimator, "classes_", None)
    if loss == "auto":
        labels = target.dtype.kind in "biu" if _is_module(estimator) else classes is not None
        loss = "log_loss" if labels else "squared_error"
    if loss == "squared_error":
        if target.size != f.size:
            raise ValueError(f"y has the shape {target.shape} and the model {f.shape[1]} outputs for each row.")
        return model, rows, SquaredError(f, target.astype(np.float64))
    known = np.arange(max(f.shape[1], 2)) if classes is None else np.asarray(classes)
    if f.shape[1] != len(known) and not (f.shape[1] == 1 and len(known) == 2):
        raise ValueError(f"the model has {f.shape[1]} outputs for {len(known)} classes; one for each, or one for two.")
    if target.ndim != 1 or not np.isin(target, known).all():
        raise ValueError(f"y must hold the model's classes {known.tolist()}, one for each row.")
    return model, rows, LogLoss(f, np.searchsorted(known, target))
