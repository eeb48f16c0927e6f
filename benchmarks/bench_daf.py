"""Error and time of DAF beside its rivals, on waves of another shape than the source's.

    python benchmarks/bench_daf.py [--seeds N] [--short]

1000 sine waves are the source, 8 bent triangle waves the target. CPU time
of one thread for fit and forecast, means over seeds. `--short` hides the first half of the target's histories.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks.claims._forecasts import FEW_SHOT, HISTORY, HORIZON, SHORT, cell, forecasts, short, wave_task
from skpapers.forecasting import normalized_deviation, nrmse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--short", action="store_true")
    args = parser.parse_args()
    names = SHORT if args.short else FEW_SHOT
    options = {"mask_nan": True} if args.short else {}
    found = {name: [] for name in names}
    with threadpool_limits(1):
        for seed in range(args.seeds):
            task = wave_task(seed, 1000, 8, 400, HISTORY, HORIZON)
            task = short(task) if args.short else task
            for name in names:
                start = time.process_time()
                forecast = forecasts(task, seed, (name,), **options)[0][name]
                seconds = time.process_time() - start
                y = task.test[1]
                found[name].append((normalized_deviation(y, forecast), nrmse(y, forecast), seconds))
    rows = []
    for name, runs in found.items():
        nd, root, seconds = np.array(runs).T
        rows.append([name, cell(nd), cell(root), f"{seconds.mean():.1f}"])
    title = f"{args.seeds} seeds, mean [95 % interval]"
    Table(
        title, ["method", "ND", "NRMSE", "CPU seconds"], rows, "The first run of a library includes its import."
    ).print()
    CONSOLE.print(versions_line(versions("skpapers", "torch", "u8darts", "fracast")))


if __name__ == "__main__":
    main()
