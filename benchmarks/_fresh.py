"""One fit in a process of its own: seconds, and memory beyond what was there before.

    python benchmarks/_fresh.py '{"X": "X.npy", "y": "y.npy", "estimator": "QuantBnBTree", "params": {}, "warm_up": 1}'

The estimator is one of `skpapers.tree`, or of another `module`. Benchmarks start it and read the JSON that it prints.
For Linux with glibc: memory is read from /proc, since the peak of `resource.getrusage` is inherited from the process
that started this one.
"""

import ctypes
import gc
import json
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def memory(key: str) -> int:
    """Return VmRSS (bytes in use) or VmHWM (the most that ever were)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))


def main() -> None:
    spec = json.loads(sys.argv[1])
    start = time.perf_counter()
    import numpy as np

    estimator = getattr(import_module(spec.get("module", "skpapers.tree")), spec["estimator"])
    imported = time.perf_counter() - start
    after_import = memory("VmRSS")
    X = np.load(spec["X"])
    y = np.load(spec["y"])
    warnings.simplefilter("ignore")  # of a time limit; `optimal` says it
    if spec["warm_up"]:
        few = slice(None, None, max(1, len(X) // 300))
        estimator(**spec["params"]).fit(X[few], y[few])
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # or the fit would take, unseen, what imports and warm-up have freed
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    cpu = time.process_time()
    wall = time.perf_counter()
    model = estimator(**spec["params"]).fit(X, y)
    cpu = time.process_time() - cpu
    wall = time.perf_counter() - wall
    peak = memory("VmHWM")
    found = {
        "objective": model.objective_,
        "optimal": bool(getattr(model, "is_optimal_", False)),
        "gap": float(model.gap_),
    }
    used = {"import": imported, "cpu": cpu, "wall": wall, "fit_bytes": peak - before, "bytes": peak - after_import}
    print(json.dumps({**found, **used}))


if __name__ == "__main__":
    main()
