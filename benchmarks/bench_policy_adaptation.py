"""What a policy pays for its second head in training, and for a transition after deployment.

    python benchmarks/bench_policy_adaptation.py [--rounds N] [--out FILE.md]

One process and one thread; CPU time, medians. There is no peer: the official code needs MuJoCo and a GPU. Returns and
errors are claims: `python benchmarks/reproduce.py policy_adaptation_linear_system`.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import medians, seconds
from skpapers.adaptation import PADPolicyRegressor

N = 1000
NETWORKS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "64 x 64, 8 columns": ((8,), {}),
    "convolutions (8, 16), 24 x 24": (
        (6, 24, 24),
        {"hidden_channels": (8, 16), "strides": 2, "hidden_layer_sizes": (32,)},
    ),
}


def adapt(policy: PADPolicyRegressor, rows: dict[str, Any], size: int) -> None:
    """Adapt a copy to 100 transitions, `size` of them in each call."""
    agent = policy.clone_episode()
    for start in range(0, 100, size):
        agent.partial_fit(**{name: values[start : start + size] for name, values in rows.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="most rounds of a timing, default 5")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the tables as markdown")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    fits = []
    steps = []
    with threadpool_limits(1):
        for name, (shape, settings) in NETWORKS.items():
            X, X_next = (rng.normal(size=(N, *shape)) for _ in range(2))
            y = rng.normal(size=N)
            rows = {"X": X, "X_next": X_next, "action": y}
            common = {"max_iter": 3, "device": "cpu", "random_state": 0, **settings}
            policies = {name: PADPolicyRegressor(auxiliary=name, **common) for name in ("inverse", "rotation")}
            jobs = [partial(policies["inverse"].fit, X, y)]  # without transitions the policy is learned alone
            jobs += [partial(policy.fit, X, y, X_next=X_next, action=y) for policy in policies.values()]
            alone, inverse, rotation = (value / 3 for value in medians(jobs, args.rounds))
            fits.append([name, seconds(alone), f"x {inverse / alone:.2f}", f"x {rotation / alone:.2f}"])
            for auxiliary, policy in policies.items():
                policy.fit(X, y, X_next=X_next, action=y)
                for scope in ("adapter", "encoder+head"):
                    policy.set_params(adapt_scope=scope)
                    times = medians([partial(adapt, policy, rows, size) for size in (1, 10, 100)], args.rounds)
                    steps.append([name, auxiliary, scope, *(seconds(value / 100) for value in times)])
    tables = [
        Table(f"CPU time of an epoch of {N} rows", ["network", "policy alone", "with inverse", "with rotation"], fits),
        Table(
            "CPU time for each transition after deployment, batches of 32",
            ["network", "head", "scope", "1 in a call", "10 in a call", "100 in a call"],
            steps,
        ),
    ]
    for table in tables:
        table.print()
    line = versions_line(versions("skpapers", "torch", "numpy"))
    CONSOLE.print(f"[dim]{line}[/dim]")
    if args.out:
        parts = ["# Policies that adapt: what training and a transition cost"]
        for table in tables:
            parts += [f"## {table.title}", table.markdown()]
        args.out.write_text("\n\n".join([*parts, line]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
