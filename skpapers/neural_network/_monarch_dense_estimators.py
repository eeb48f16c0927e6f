"""Fitted dense networks of several kinds, read as a model of this package with dense matrices."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skpapers._torch.fitted import Arrays, FittedNetwork, History
from skpapers._torch.inputs import Columns
from skpapers._torch.running import Group, MeanWeight, Statistics
from skpapers._torch.scaled_columns import Scaling
from skpapers._torch.setup import Setup
from skpapers._torch.targets import Classes, Numbers, Target
from skpapers.neural_network._automatic import automatic_settings
from skpapers.neural_network._sam_base import SharpnessAware

ACTIVATION_MODULES: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.SiLU: "silu",
    nn.Sigmoid: "logistic",
    nn.Softplus: "softplus",
    nn.Tanh: "tanh",
}
KINDS = "a fitted MLPClassifier, MLPRegressor, SAMMLPClassifier or SAMMLPRegressor, or a torch.nn.Sequential"


@dataclass(frozen=True, eq=False)
class DenseModel:
    """A dense network, ready for another form.

    Parameters
    ----------
    fitted : FittedNetwork
        Its weights have the names of `MonarchMLP`.

    params : dict
        Parameters of an estimator for this network.

    validated : dict
        What validation wrote to it, such as `n_features_in_`.
    """

    fitted: FittedNetwork
    params: dict[str, Any]
    validated: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Layers:
    """Matrices of shape (n_in, n_out), vectors, and the activation between them."""

    weights: list[NDArray]
    biases: list[NDArray]
    activation: str

    @property
    def n_outputs(self) -> int:
        """Width of the last layer."""
        return len(self.biases[-1])

    @property
    def n_inputs(self) -> int:
        """Width of the input."""
        return len(self.weights[0])


def read_dense(dense: Any, classifier: bool, classes: ArrayLike | None) -> DenseModel:
    """Return the model, or raise a ValueError if it is of another kind or predicts something else.

    Parameters
    ----------
    dense : estimator or torch.nn.Module
        The network.

    classifier : bool
        Whether it has to predict classes.

    classes : array-like or None
        Labels of the outputs of a module.
    """
    if isinstance(dense, nn.Module):
        layers = _layers_of_module(dense)
        return _plain_model(layers, _target(layers.n_outputs, classifier, classes), (float("nan"),), {})
    if classes is not None:
        raise ValueError("classes is for a torch.nn.Module; the estimator has its own.")
    if isinstance(dense, MLPClassifier | MLPRegressor):
        return _of_scikit_learn(dense, classifier)
    if isinstance(dense, SharpnessAware):
        return _of_this_package(dense, classifier)
    raise ValueError(f"from_dense takes {KINDS}; it got {type(dense).__name__}.")


def _check_task(name: str, is_classifier: bool, classifier: bool) -> None:
    if is_classifier != classifier:
        wanted = "classes" if classifier else "numbers"
        raise ValueError(f"{name} predicts {'classes' if is_classifier else 'numbers'}, and this estimator {wanted}.")


def _target(n_outputs: int, classifier: bool, classes: ArrayLike | None) -> Target:
    """Return the target of a network without an estimator."""
    if not classifier:
        if classes is not None:
            raise ValueError("classes is for classifiers.")
        columns = np.arange(n_outputs)
        unit = {"location_and_scale": np.stack([np.zeros(n_outputs), np.ones(n_outputs)])}
        group = Group(columns, None, np.zeros((0, n_outputs)), np.zeros(0), 1, unit)
        return Numbers(n_outputs=n_outputs, statistics=Statistics((group,), columns[:0], np.zeros(0)))
    n_classes = 2 if n_outputs == 1 else n_outputs
    labels = np.arange(n_classes) if classes is None else np.asarray(classes)
    if labels.shape != (n_classes,) or n_outputs == 2 or len(np.unique(labels)) < n_classes:
        raise ValueError(
            f"A network of {n_outputs} outputs and classes={labels.tolist()} do not fit: two classes have one output, "
            "the log-odds of the second, and more classes have one output each."
        )
    if not np.array_equal(labels, np.unique(labels)):
        raise ValueError(f"classes={labels.tolist()} must be sorted; reorder the outputs of the network.")
    return Classes(classes=labels)


def _of_scikit_learn(dense: Any, classifier: bool) -> DenseModel:
    check_is_fitted(dense)
    name = type(dense).__name__
    is_classifier = isinstance(dense, MLPClassifier)
    _check_task(name, is_classifier, classifier)
    layers = Layers(list(dense.coefs_), list(dense.intercepts_), dense.activation)
    several = is_classifier and dense.out_activation_ == "logistic" and layers.n_outputs > 1
    if several or (not is_classifier and dense.out_activation_ != "identity"):
        raise ValueError(f"{name} with several labels for a row, or with loss='poisson', cannot be read.")
    target = _target(layers.n_outputs, classifier, dense.classes_ if is_classifier else None)
    losses = tuple(float(loss) for loss in getattr(dense, "loss_curve_", [dense.loss_]))
    names = {"feature_names_in_": dense.feature_names_in_} if hasattr(dense, "feature_names_in_") else {}
    return _plain_model(layers, target, losses, names)


def _layers_of_module(module: nn.Module) -> Layers:
    """Return the layers of a module, in its order."""
    linears: list[nn.Linear] = []
    between: list[str] = []
    misplaced = False
    for part in _parts(module):
        if isinstance(part, nn.Linear):
            if len(between) < len(linears):
                between.append("identity")
            linears.append(part)
        elif type(part) in ACTIVATION_MODULES and getattr(part, "beta", 1.0) == 1.0:
            misplaced = misplaced or len(between) != len(linears) - 1
            between.append(ACTIVATION_MODULES[type(part)])
        elif not isinstance(part, nn.Dropout | nn.Identity):
            raise ValueError(f"from_dense cannot read {part}; it reads linear layers, activations and dropout.")
    if misplaced or len(between) != len(linears) - 1 or len(set(between)) > 1:
        raise ValueError(
            "The module must be linear layers with one kind of activation between them, and none before the first and "
            f"after the last; it has {len(linears)} layers and the activations {between}."
        )
    for first, then in pairwise(linears):
        if first.out_features != then.in_features:
            raise ValueError(f"{then} cannot follow {first}: it needs {then.in_features} values.")
    weights = [linear.weight.detach().cpu().double().numpy().T for linear in linears]
    biases = [
        np.zeros(linear.out_features) if linear.bias is None else linear.bias.detach().cpu().double().numpy()
        for linear in linears
    ]
    return Layers(weights, biases, between[0] if between else "identity")


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, nn.Sequential):
        for child in module:
            yield from _parts(child)
    else:
        yield module


def _plain_model(layers: Layers, target: Target, losses: tuple[float, ...], names: dict[str, Any]) -> DenseModel:
    """Return the model of a plain perceptron, which takes columns as they are."""
    p = layers.n_inputs
    setup = Setup(Columns((p,)), target, Scaling(None), MeanWeight(), automatic_settings(1))
    params = {
        "hidden_layer_sizes": tuple(len(bias) for bias in layers.biases[:-1]),
        "activation": layers.activation,
        "numeric_embedding": "none",
        "batch_norm": False,
        "dropout": 0.0,
        "n_ensemble": 1,
        "scaling": None,
    }
    architecture = _architecture(params, p, layers.n_outputs)
    weights: Arrays = {}
    for i, (W, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
        if not (np.isfinite(W).all() and np.isfinite(bias).all()):
            raise ValueError(f"Layer {i} of the dense network contains NaN or infinity.")
        weights[f"layers.{i}.weight"] = np.array(W, dtype=np.float64, order="C")
        weights[f"layers.{i}.bias"] = np.array(bias, dtype=np.float64)
    training = {"step": np.array(0), "generator.0": torch.Generator().manual_seed(0).get_state().numpy().copy()}
    fitted = FittedNetwork(setup, architecture, weights, training, History(losses))
    return DenseModel(fitted, params, {"n_features_in_": p, **names})


def _of_this_package(dense: Any, classifier: bool) -> DenseModel:
    check_is_fitted(dense)
    before: FittedNetwork = dense._fitted
    _check_task(type(dense).__name__, isinstance(before.setup.target, Classes), classifier)
    of = before.architecture
    if "form" in of:
        raise ValueError(f"from_dense takes {KINDS}; {type(dense).__name__} changes its form by mode and densify().")
    params = dense.get_params(deep=False)
    # what the network was fitted with; set_params may have changed these since
    names = ("hidden_layer_sizes", "activation", "numeric_embedding", "batch_norm")
    params = {**params, **{name: of[name] for name in names}}
    params = {**params, "n_ensemble": of["n_members"], "scaling": before.setup.scaling.kind}
    weights = {name.replace("linears.", "layers."): value for name, value in before.weights.items()}
    training = {name: value for name, value in before.training.items() if not name.startswith("optimizer.")}
    architecture = _architecture(of, of["n_inputs"], of["n_outputs"])
    read = ("n_features_in_", "feature_names_in_")
    validated = {name: getattr(dense, name) for name in read if hasattr(dense, name)}
    fitted = replace(before, architecture=architecture, weights=weights, training=training)
    return DenseModel(fitted, params, validated)


def _architecture(of: dict[str, Any], n_inputs: int, n_outputs: int) -> dict[str, Any]:
    """Return the arguments of `MonarchMLP` for dense matrices."""
    return {
        "n_inputs": n_inputs,
        "hidden_layer_sizes": of["hidden_layer_sizes"],
        "n_outputs": n_outputs,
        "activation": of["activation"],
        "n_members": of.get("n_members", 1),
        "batch_norm": of["batch_norm"],
        "dropout": of["dropout"],
        "numeric_embedding": of["numeric_embedding"],
        "form": (None,) * (len(of["hidden_layer_sizes"]) + 1),
        "residual": False,
    }
