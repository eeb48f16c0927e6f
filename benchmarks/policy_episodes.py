"""Episodes of classic control with and without adaptation, and a plot of their returns.

    python benchmarks/policy_episodes.py [TASK] [--shift NAME] [--episodes N] [--seed N] [--out FILE.png]

A policy is cloned from an expert, and deployed in the environment with one shift, or with each of them. It needs the
extra `rl`. Several seeds and intervals: `python benchmarks/reproduce.py policy_adaptation_pendulum`.
"""

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._report import Table
from benchmarks.claims.policy_adaptation import WAYS, cloned
from benchmarks.control import TASKS, returns

STAYS = "without adaptation"


def episodes(name: str, shift: str, n_episodes: int, seed: int) -> dict[str, NDArray]:
    """Return the returns of each episode, without adaptation and for every way of adapting by inverse dynamics."""
    task = TASKS[name]
    policy = cloned(task, "inverse", seed)
    found = {}
    for way, (auxiliary, changes, each) in {STAYS: ("inverse", {}, False), **WAYS}.items():
        if auxiliary != "inverse":
            continue
        env = task.make(shift, np.random.default_rng([seed, 9]))
        agent = policy.clone_episode().set_params(**changes)
        found[way] = returns(task, env, agent, n_episodes, adapts=way != STAYS, each=each, seed=seed)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="?", choices=list(TASKS), default="Pendulum")
    parser.add_argument("--shift", help="what is different after deployment; default: each")
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE.png", help="write the plot")
    args = parser.parse_args()
    torch.set_num_threads(1)
    shifts = list(TASKS[args.task].shifts) if args.shift is None else [args.shift]
    fig, axes = plt.subplots(1, len(shifts), figsize=(4 * len(shifts), 3.2), squeeze=False, layout="constrained")
    rows = []
    for shift, ax in zip(shifts, axes[0], strict=True):
        found = episodes(args.task, shift, args.episodes, args.seed)
        for way, values in found.items():
            ax.plot(np.arange(1, len(values) + 1), values, label=way)
        ax.set(title=shift, xlabel="episode", ylabel="return")
        rows.append([shift, *(f"{values.mean():.1f}" for values in found.values())])
    axes[0, 0].legend(fontsize=8)
    Table(f"Mean returns of {args.episodes} episodes, {args.task}", ["shift", *found], rows).print()
    if args.out:
        fig.savefig(args.out)


if __name__ == "__main__":
    main()
