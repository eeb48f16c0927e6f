"""Monarch matrices: the layer against torch's, the projection against a decomposition of the whole, defaults on tables.

    python benchmarks/bench_monarch.py [--parts layer projection tables] [--seeds N] [--rounds N] [--out FILE.md]

One process and one thread; both sides take turns; CPU time, medians. The times and accuracies of the three modes are
claims: `python benchmarks/reproduce.py monarch_end_to_end monarch_sparse_to_dense monarch_dense_to_sparse`.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.linalg import hadamard
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import medians, seconds
from benchmarks.bench_mlp import TABLES, split
from skpapers.neural_network import MonarchLinear, MonarchMLPClassifier, SAMMLPClassifier, monarch_project

SIZES = (256, 512, 1024, 2048)
BATCHES = (64, 256, 1024)


# The layer --------------------------------------------------------------------------------------------------------


@torch.no_grad()
def forward(layer: nn.Module, X: Tensor) -> None:
    layer(X)


def both_ways(layer: nn.Module, X: Tensor, G: Tensor) -> None:
    torch.autograd.grad(layer(X), [X, *layer.parameters()], G)


def layer_rows(n_blocks: int | str, max_rounds: int) -> Table:
    rows = []
    for n in SIZES:
        dense = nn.Linear(n, n)
        ours = MonarchLinear(n, n, n_blocks=n_blocks)
        counts = [sum(p.numel() for p in layer.parameters()) - n for layer in (dense, ours)]
        for b in BATCHES:
            X = torch.randn(b, n, requires_grad=True)
            G = torch.randn(b, n)
            theirs, mine = medians([partial(forward, layer, X) for layer in (dense, ours)], max_rounds)
            theirs_both, mine_both = medians([partial(both_ways, layer, X, G) for layer in (dense, ours)], max_rounds)
            rows.append(
                [
                    f"{n}, {b} rows",
                    f"{counts[0] / counts[1]:.1f}",
                    seconds(theirs),
                    seconds(mine),
                    f"{theirs / mine:.1f}",
                    seconds(theirs_both),
                    seconds(mine_both),
                    f"{theirs_both / mine_both:.1f}",
                ]
            )
    columns = ["order", "parameters", "nn.Linear", "forward", "ratio", "nn.Linear", "forward and backward", "ratio"]
    note = "Rows first on both sides: the layer transposes its output. Weights without the bias."
    return Table(f"MonarchLinear, n_blocks={n_blocks!r}", columns, rows, note)


# The projection ---------------------------------------------------------------------------------------------------


def projection_rows(max_rounds: int) -> Table:
    rng = np.random.default_rng(0)
    rows = []
    for name, make in (("Gaussian", rng.normal), ("Hadamard", None)):
        for n in (256, 1024):
            W = hadamard(n) / np.sqrt(n) if make is None else make(size=(n, n)) / np.sqrt(n)
            factors = monarch_project(W)
            S = np.linalg.svd(W, compute_uv=False)
            rank = (factors.L.size + factors.R.size) // (2 * n)
            jobs: list[Callable[[], object]] = [partial(np.linalg.svd, W), partial(monarch_project, W)]
            whole, ours = medians(jobs, max_rounds)
            total = (W**2).sum()
            low_rank = (S[rank:] ** 2).sum() / total
            rows.append(
                [f"{name}, {n}", f"{factors.residual / total:.3g}", f"{low_rank:.3g}", seconds(whole), seconds(ours)]
            )
    note = "Low rank: the truncated decomposition of the whole matrix with as many parameters."
    columns = ["matrix", "share left out", "low rank", "one SVD of the whole", "monarch_project"]
    return Table("The projection", columns, rows, note)


# Defaults on tables -----------------------------------------------------------------------------------------------


def table_rows(seeds: int) -> list[Table]:
    rows = []
    differences = []
    for name in TABLES:
        CONSOLE.print(f"[dim]{name}[/dim]")
        found = []
        for seed in range(seeds):
            X, y, X_test, y_test = split(name, seed)
            models = [cls(random_state=seed, device="cpu") for cls in (SAMMLPClassifier, MonarchMLPClassifier)]
            found.append([model.fit(X, y).score(X_test, y_test) for model in models])
        sam, ours = np.mean(found, axis=0)
        differences.append(ours - sam)
        rows.append([name, f"{sam:.4f}", f"{ours:.4f}", f"{ours - sam:+.4f}"])
    rows.append(["median", "", "", f"{np.median(differences):+.4f}"])
    rows.append(["worst", "", "", f"{np.min(differences):+.4f}"])
    note = f"Accuracy, mean of {seeds} seeds with splits of their own; half of each table, at most 4000 rows, to train."
    return [Table("Defaults", ["table", "SAMMLPClassifier", "MonarchMLPClassifier", "difference"], rows, note)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=("layer", "projection", "tables"), metavar="PART")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7, help="most rounds of a timing, default 7")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the tables as markdown")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    tables: list[Table] = []
    with threadpool_limits(1):
        if "layer" in args.parts:
            tables += [layer_rows("sqrt", args.rounds), layer_rows(4, args.rounds)]
        if "projection" in args.parts:
            tables.append(projection_rows(args.rounds))
        if "tables" in args.parts:
            tables += table_rows(args.seeds)
    for table in tables:
        table.print()
    line = versions_line(versions("skpapers", "torch", "scikit-learn", "numpy"))
    CONSOLE.print(f"[dim]{line}[/dim]")
    if args.out:
        parts = [f"## {table.title}\n\n{table.markdown()}" for table in tables]
        args.out.write_text(
            "\n\n".join(["# Monarch matrices: speed and accuracy", *parts, line]) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
