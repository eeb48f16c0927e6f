"""Gradient Vaccine: the price of the correction, and TorchJD in a loop by hand.

    python benchmarks/bench_multitask.py [--rounds N] [--out FILE.md]

One process and one thread; the rivals take turns; CPU time. Our step is that of the estimators, with the loop and the
optimiser around it. TorchJD's `mtl_backward` and `GradVac` run in a loop by hand over the same network, batches
and optimiser of torch, with its backward passes batched (its default) and one by one.
"""

import argparse
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torchjd.aggregation import GradVac
from torchjd.autojac import jac_to_grad, mtl_backward

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import medians, seconds
from skpapers.multitask import GradVacRegressor

N_ROWS = 1280
N_COLUMNS = 20
EPOCHS = 4
BATCH = 64
SETTINGS = (
    ((64, 64), 6),
    ((64, 64), 2),
    ((64, 64), 12),
    ((64,), 6),
    ((128, 128), 6),
    ((256, 256), 6),
)


def data(m: int) -> tuple[NDArray, NDArray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, N_COLUMNS))
    return X, X @ rng.normal(size=(N_COLUMNS, m)) + 0.1 * rng.normal(size=(N_ROWS, m))


def by_hand(X: Tensor, Y: Tensor, hidden: tuple[int, ...], chunk: int | None) -> None:
    """Train for a few epochs with TorchJD."""
    layers: list[nn.Module] = []
    for width, after in pairwise((X.shape[1], *hidden)):
        layers += [nn.Linear(width, after), nn.SiLU()]
    shared = nn.Sequential(*layers)
    heads = [nn.Linear(hidden[-1], 1) for _ in range(Y.shape[1])]
    parameters = [*shared.parameters(), *(p for head in heads for p in head.parameters())]
    optimizer = torch.optim.AdamW(parameters, lr=0.005, fused=True)
    aggregator = GradVac(beta=0.01)
    generator = torch.Generator().manual_seed(0)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(X), generator=generator).split(BATCH):
            features = shared(X[rows])
            outputs = [head(features)[:, 0] for head in heads]
            losses = [0.5 * (output - y).square().mean() for output, y in zip(outputs, Y[rows].T, strict=True)]
            mtl_backward(losses, features=features, parallel_chunk_size=chunk)
            jac_to_grad(shared.parameters(), aggregator, optimize_gramian_computation=True)
            optimizer.step()
            optimizer.zero_grad()


def step_rows(max_rounds: int) -> Table:
    rows = []
    for hidden, m in SETTINGS:
        CONSOLE.print(f"[dim]{hidden}, {m} tasks[/dim]")
        X, Y = data(m)
        same = {"max_iter": EPOCHS, "batch_size": BATCH, "random_state": 0, "device": "cpu"}
        ours = [{"method": "sum"}, {}, {"granularity": "layer"}, {"granularity": "matrix"}]
        jobs: list[Callable[[], Any]] = [
            lambda X=X, Y=Y, kwargs={**same, **more}, hidden=hidden: GradVacRegressor(hidden, **kwargs).fit(X, Y)
            for more in ours
        ]
        tensors = [torch.from_numpy(values).float() for values in (X, Y)]
        jobs += [
            lambda tensors=tensors, hidden=hidden, chunk=chunk: by_hand(*tensors, hidden, chunk) for chunk in (None, 1)
        ]
        times = np.array(medians(jobs, max_rounds)) / (EPOCHS * N_ROWS / BATCH)
        ratios = [f"{value / times[0]:.2f}" for value in times[1:]]
        rows.append(["x".join(map(str, hidden)), str(m), seconds(times[0]), seconds(times[1]), *ratios])
    columns = ["units", "tasks", "sum", "GradVac", "GradVac / sum", "by layer / sum", "by matrix / sum"]
    note = (
        f"{N_ROWS} rows of {N_COLUMNS} columns, float32; whole fits of {EPOCHS} epochs, for one step of {BATCH} rows. "
        "The first row has the units and the batch that the estimators have by default."
    )
    return Table("A step", [*columns, "TorchJD / sum", "TorchJD, pass by pass / sum"], rows, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds at most, default 7")
    parser.add_argument("--out", type=Path, help="write the tables to this file as well")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        table = step_rows(args.rounds)
    table.print()
    if args.out:
        line = versions_line(versions("skpapers", "torchjd", "torch", "numpy"))
        title = "# Gradient Vaccine: the price of a step"
        args.out.write_text(f"{title}\n\n## {table.title}\n\n{table.markdown()}\n\n{line}\n")


if __name__ == "__main__":
    main()
