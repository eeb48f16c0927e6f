"""Gradient projection memory beside the same network without memory: what a task costs.

    python benchmarks/bench_continual.py [--rounds N] [--out FILE.md]

One process and one thread; both sides take turns; CPU time, medians. Without memory (`threshold=0`) a network is not
projected, nor asked for its representations: the ratio is the cost of the method. Accuracies are claims:
`python benchmarks/reproduce.py gpm_permuted_digits gpm_split_digits`.
"""

import argparse
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import medians, seconds
from benchmarks.tables import load
from skpapers.continual import GPMClassifier

N_TASKS = 5
WANTED = 1.5
SETTINGS: dict[str, dict[str, Any]] = {
    "100 x 100, AdamW": {},
    "100 x 100, SGD": {"solver": "sgd", "learning_rate_init": 0.02},
    "100 x 100, batches of 128": {"batch_size": 128},
    "300 x 300, AdamW": {"hidden_layer_sizes": (300, 300)},
    "convolutions (8, 16), 64": {"hidden_channels": (8, 16), "strides": (1, 2), "hidden_layer_sizes": (64,)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="most rounds of a timing, default 5")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the table as markdown")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "The memory is nearly full")
    X, y, _ = load("digits")
    X = X[:500] / 16.0
    rng = np.random.default_rng(0)
    rows = np.vstack([X, *(X[:, rng.permutation(64)] for _ in range(N_TASKS - 1))])
    labels = np.tile(y[:500], N_TASKS)
    task = np.repeat(np.arange(N_TASKS), len(X))
    table = []
    slowest = 0.0
    with threadpool_limits(1):
        for name, settings in SETTINGS.items():
            common = {"scaling": None, "max_iter": 10, "device": "cpu", "random_state": 0, **settings}
            models = [GPMClassifier(threshold=threshold, **common) for threshold in (0.0, (0.95, 0.99))]
            plain, ours = medians([partial(model.fit, rows, labels, task=task) for model in models], args.rounds)
            slowest = max(slowest, ours / plain)
            table.append([name, seconds(plain / N_TASKS), seconds(ours / N_TASKS), f"{ours / plain:.2f}"])
    columns = ["network", "without memory", "with memory", "ratio"]
    result = Table(f"CPU time of a task, {N_TASKS} tasks of {len(X)} digits, 10 epochs each", columns, table)
    result.print()
    CONSOLE.print(f"Largest ratio: {slowest:.2f} (at most {WANTED:g} wanted).")
    line = versions_line(versions("skpapers", "torch", "numpy"))
    CONSOLE.print(f"[dim]{line}[/dim]")
    if args.out:
        parts = ["# Continual learning: cost of the memory", f"## {result.title}", result.markdown(), line]
        args.out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
