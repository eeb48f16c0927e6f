"""Networks for the tests: fitted estimators with `to_torch()`, as the package's own have it."""

from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from torch import nn

ACTIVATIONS = {"softplus": nn.Softplus, "relu": nn.ReLU, "tanh": nn.Tanh, "identity": nn.Identity}


def network(n_features: int, n_outputs: int, activation: str = "softplus", seed: int = 0) -> nn.Module:
    """Return a network of one hidden layer with weights that a private generator draws."""
    module = nn.Sequential(nn.Linear(n_features, 16), ACTIVATIONS[activation](), nn.Linear(16, n_outputs)).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) / 2)
    return module


class _Network(BaseEstimator):
    def __init__(self, activation: str = "softplus", n_steps: int = 0, single: bool = False) -> None:
        self.activation = activation
        self.n_steps = n_steps
        self.single = single

    def _train(self, X: Any, target: torch.Tensor, n_outputs: int, loss: nn.Module) -> None:
        self.module_ = network(X.shape[1], n_outputs, self.activation)
        optimizer = torch.optim.Adam(self.module_.parameters(), lr=0.01)
        rows = torch.tensor(np.asarray(X, dtype=np.float64))
        for _ in range(self.n_steps):
            optimizer.zero_grad()
            loss(self.module_(rows), target).backward()
            optimizer.step()

    def _outputs(self, X: Any) -> np.ndarray:
        with torch.no_grad():
            return self.module_(torch.tensor(np.asarray(X, dtype=np.float64))).numpy()

    def to_torch(self) -> nn.Module:
        return self.module_


class NetworkClassifier(ClassifierMixin, _Network):
    def fit(self, X: Any, y: Any) -> Any:
        self.classes_, codes = np.unique(y, return_inverse=True)
        if self.single:
            target = torch.tensor(codes[:, None], dtype=torch.float64)
            self._train(X, target, 1, nn.BCEWithLogitsLoss())
        else:
            self._train(X, torch.tensor(codes), len(self.classes_), nn.CrossEntropyLoss())
        return self

    def predict(self, X: Any) -> np.ndarray:
        logits = self._outputs(X)
        return self.classes_[(logits[:, 0] > 0).astype(int) if self.single else logits.argmax(axis=1)]


class NetworkRegressor(RegressorMixin, _Network):
    def fit(self, X: Any, y: Any) -> Any:
        target = torch.tensor(np.reshape(y, (len(y), -1)))
        self._train(X, target, target.shape[1], nn.MSELoss())
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self._outputs(X).squeeze(axis=1)
