"""Tent beside torch-ttt's engines and skada's reweighting: error and CPU time of shifted streams of digits.

    python benchmarks/bench_tent.py [--seeds N] [--out FILE.md]

One process and one thread. All methods get the same fitted network and the same batches. skada's reweighting adapts
offline: it fits a network of the same kind on training rows weighted by their likeness to the whole stream.

torch-ttt 0.0.2 (Tent and EATA) runs in two ways. "As documented" calls `engine.eval()`, which normalises by the
statistics of training, and takes its default of three steps of 0.01 on a copy for each batch. "Online" leaves the
network in the training mode, so that a batch is normalised by its own statistics, and takes one step of 0.001 for each.
Its engines import torchvision for what is not used here: an empty module stands in for it. They fail on a batch of one
row.
"""

import argparse
import sys
import time
import types
import warnings
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from threadpoolctl import threadpool_limits
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import seconds
from benchmarks.claims._shifts import contrast, drift, standardised
from skpapers.adaptation import TentClassifier
from skpapers.convolution import ConvNetClassifier
from skpapers.neural_network import SAMMLPClassifier

BATCH = 64
N_ROWS = 896
NETWORKS: dict[str, Any] = {
    "convolutions": ConvNetClassifier((16, 32), max_iter=15, learning_rate_init=0.01, dropout=0.0, device="cpu"),
    "perceptron": SAMMLPClassifier(
        (128, 64),
        activation="relu",
        numeric_embedding="none",
        batch_norm=True,
        dropout=0.0,
        rho=0.0,
        alpha=0.01,
        learning_rate_init=0.003,
        max_iter=30,
        scaling=None,
        calibration=None,
        device="cpu",
    ),
}
SHIFTS: dict[str, Any] = {
    "clean": lambda X, rng: X,
    "contrast x 0.25": contrast(0.25),
    "brightness + 0.6": lambda X, rng: X + 0.6,
    "gain and offset": drift(0.4),
    "noise, sd 0.35": lambda X, rng: X + rng.normal(0.0, 0.35, X.shape),
}
OURS: dict[str, dict[str, Any]] = {
    "ours, always": {"adapt": "always"},
    "ours, auto": {},
}
WAYS: dict[str, dict[str, Any]] = {"as documented": {}, "online": {"num_steps": 1, "lr": 0.001, "copy_model": False}}
Predict = Callable[[NDArray], NDArray]  # of one batch of the stream


class TorchNorm(nn.BatchNorm2d):
    """The batch normalisation that torch-ttt looks for, with the arrays of ours; it takes rows of a table as well."""

    def __init__(self, layer: Any) -> None:
        super().__init__(len(layer.weight))
        self.load_state_dict(layer.state_dict(), strict=False)

    def _check_input_dim(self, input: Any) -> None:
        pass

    def wide(self, x: Any) -> Any:
        return self(x)


class Logits(nn.Module):
    """A fitted network with batch normalisation of torch, in float32, from raw rows in float64 to logits."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.predictor = model.to_torch()
        norms = self.predictor.network.norms
        for i, layer in enumerate(norms):
            norms[i] = TorchNorm(layer)
        self.predictor.network.float()

    def forward(self, x: Any) -> Any:
        return self.predictor.network(self.predictor.inputs(x).float())


def engines() -> dict[str, Any]:
    """Return the classes of torch-ttt."""
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]  # type: ignore[attr-defined]
    sys.modules["torchvision.transforms"].functional = sys.modules["torchvision.transforms.functional"]  # type: ignore[attr-defined]
    return {
        "Tent": import_module("torch_ttt.engine.tent_engine").TentEngine,
        "EATA": import_module("torch_ttt.engine.eata_engine").EataEngine,
    }


def peer(model: Any, kind: Any, way: str) -> Predict:
    """Return what predicts a batch with an engine of torch-ttt."""
    engine = kind(Logits(model), dict(WAYS[way]))
    if way == "as documented":
        engine.eval()
    else:
        engine.training = False  # the engine predicts, its network stays in the training mode

    def predict(rows: NDArray) -> NDArray:
        logits, _ = engine(torch.from_numpy(rows))
        return logits.argmax(dim=1).numpy()

    return predict


def ours(fitted: TentClassifier, settings: dict[str, Any]) -> Predict:
    model = deepcopy(fitted).set_params(**settings)
    return lambda rows: model.partial_fit(rows).predict(rows)


def reweighted(network: Any, X: NDArray, y: NDArray, stream: NDArray) -> Predict:
    """Return a network that was fitted on rows weighted by skada, with the whole stream at hand."""
    from skada import DiscriminatorReweight

    model = DiscriminatorReweight(base_estimator=clone(network).set_fit_request(sample_weight=True))
    rows = np.vstack([X, stream])
    labels = np.concatenate([y, np.full(len(stream), -1)])
    domain = np.concatenate([np.ones(len(X)), np.full(len(stream), -2)]).astype(int)
    model.fit(rows, labels, sample_domain=domain)
    return lambda batch: model.predict(batch, sample_domain=np.full(len(batch), -2))


def measure(make: Callable[[], Predict], X: NDArray, y: NDArray) -> tuple[float, float]:
    """Return error and CPU seconds of a stream."""
    start = time.process_time()
    predict = make()
    predicted = [predict(X[i : i + BATCH]) for i in range(0, len(X), BATCH)]
    used = time.process_time() - start
    return float(np.mean(np.concatenate(predicted) != y)), used


def makers_of(network: Any, model: Any, fitted: TentClassifier) -> dict[str, Callable[[], Predict]]:
    """Return what starts each method on a stream, but for the reweighting."""
    found = {title: partial(ours, fitted, settings) for title, settings in OURS.items()}
    for engine, kind in engines().items():
        found |= {f"{engine}, {way}": partial(peer, model, kind, way) for way in WAYS}
    return found


def run(seed: int) -> dict[str, dict[str, tuple[float, float]]]:
    """Return error and seconds of every method, by network, shift and order."""
    X, y, rest, labels = standardised("digits", seed, 900)
    rest = rest[:N_ROWS]
    labels = labels[:N_ROWS]
    orders = {"": np.arange(N_ROWS), ", sorted": np.argsort(labels, kind="stable")}
    found = {}
    for name, network in NETWORKS.items():
        model = clone(network).set_params(random_state=seed).fit(X, y)
        makers = makers_of(network, model, TentClassifier(FrozenEstimator(model)).fit(X, y))
        for kind, change in SHIFTS.items():
            shifted = change(rest, np.random.default_rng(seed))
            offline = measure(partial(reweighted, network, X, y, shifted), shifted, labels)
            for order, rows in orders.items():
                cell = {title: measure(make, shifted[rows], labels[rows]) for title, make in makers.items()}
                found[f"{name}, {kind}{order}"] = cell | {"skada": offline}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2, help="seeds, default 2")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the tables as markdown")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        runs = [run(seed) for seed in range(args.seeds)]
    errors = []
    times = []
    for stream in runs[0]:
        values = {title: np.mean([found[stream][title] for found in runs], axis=0) for title in runs[0][stream]}
        errors.append([stream, *(f"{value[0]:.3f}" for value in values.values())])
        times.append([stream, *(seconds(value[1]) for value in values.values())])
    columns = ["network, shift", *runs[0][next(iter(runs[0]))]]
    tables = [
        Table(
            f"Error of a stream of {N_ROWS} digits in batches of {BATCH}, mean of {args.seeds} seeds", columns, errors
        ),
        Table("CPU time of the stream, the fit of the network not included (skada: included)", columns, times),
    ]
    for table in tables:
        table.print()
    line = versions_line(versions("skpapers", "torch", "torch-ttt", "skada", "numpy"))
    CONSOLE.print(f"[dim]{line}[/dim]")
    if args.out:
        parts = ["# Tent: error and cost beside others", *(f"## {t.title}\n\n{t.markdown()}" for t in tables), line]
        args.out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
