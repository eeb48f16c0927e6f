"""Optimal trees: speed and memory, for classification against pycontree 1.0.8 (ConTree), which is written in C++.

Two more peers in parts of their own: STreeDRegressor of pystreed 1.4.0 (C++) for regression, and
FastSmallTreeClassifier of imodels 3.0.4 (numba), which prices leaves and knows no depth.

    python benchmarks/bench_trees.py [PART ...] [--slow] [--tables NAME ...] [--rounds N] [--out FILE.md]

Parts: depth2 depth3 depth4 regression leaf_sizes streed small_trees returns million threads memory startup; all by
default, which takes three quarters of an hour. Whole fits of the public estimators on all rows, one thread, CPU time,
numba's compilation before the first one; both sides take turns in one process; medians over the rounds, one round where
a fit takes more than 20 seconds. Memory and first fits are measured in processes of their own. The program fails if a
peer finds a better tree than one that is said to be optimal.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.datasets import make_friedman1
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import SLOW, cpu_seconds, medians, seconds, wall_seconds
from benchmarks.tables import load
from skpapers.datasets import make_returns
from skpapers.tree import QuantBnBTree, QuantBnBTreeClassifier

TWO_CLASSES = ("bank", "bidding", "eeg", "htru", "magic", "raisin", "wilt")
MORE_CLASSES = ("avila", "bean", "fault", "page", "segment")
DEPTH_3 = ("bank", "raisin", "wilt", "bidding", "magic", "htru", "page", "segment")
SLOW_DEPTH_3 = ("eeg", "avila", "bean", "fault")  # the peer does not finish them in a minute
DEPTH_4 = ("bank", "raisin", "page")
MINUTE = 60.0
OK = "met"
FAILED = "missed"


class Bench:
    """What the parts share: the command line, the tables to print, and what was missed."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.tables: list[Table] = []
        self.missed: list[str] = []
        self.wrong: list[str] = []

    def wants(self, name: str) -> bool:
        return not self.args.tables or name in self.args.tables

    def judge(self, what: str, value: float, must: float, *, at_least: bool) -> str:
        """Return "met" or "missed", and remember what was missed."""
        met = value >= must if at_least else value <= must
        if not met:
            self.missed.append(f"{what}: {value:.3g}, must be {'at least' if at_least else 'at most'} {must:g}")
        return OK if met else FAILED

    def add(self, title: str, columns: list[str], rows: list[list[str]], note: str = "") -> None:
        if rows:
            self.tables.append(Table(title, columns, rows, note))
            self.tables[-1].print()


def quietly(job: Callable[[], Any]) -> tuple[Any, bool]:
    """Run a fit; return its model and whether a time limit ended it. Both sides warn of one."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = job()
    return model, any("limit" in str(warning.message) for warning in caught)


def fit_of(model: Any, X: NDArray, y: NDArray) -> Callable[[], Any]:
    """Return a job that fits the model, compiled beforehand on a few hundred of the rows."""
    few = slice(None, None, max(1, len(X) // 300))
    quietly(lambda: model.fit(X[few], y[few]))
    return lambda: quietly(lambda: model.fit(X, y))


def loss(model: Any, X: NDArray, y: NDArray) -> float:
    """Return the share of misclassified rows, or the mean squared error, from the predictions."""
    if is_classifier(model):
        return float(np.mean(model.predict(X) != y))
    return float(np.mean((model.predict(X) - y) ** 2))


def outcome(model: Any) -> str:
    return "proved" if model.is_optimal_ else f"gap {model.gap_:.1%}"


# Against the peer ------------------------------------------------------------------------------------------------

PEER_COLUMNS = ["table", "n", "p", "K", "errors", "proved?", "errors, peer", "skpapers", "pycontree", "ratio", "must"]
PEER_COLUMNS += ["is"]


def race(bench: Bench, name: str, depth: int, must: float | None) -> tuple[list[str], float | None, bool]:
    """Time both sides on one table; return the row, the ratio where the peer finished, and whether we alone did."""
    from pycontree import ConTree

    X, y, _ = load(name)
    codes = np.unique(y, return_inverse=True)[1]  # the peer aborts the process on labels such as -1
    ours = QuantBnBTreeClassifier(max_depth=depth, time_limit=bench.args.limit)
    fit = fit_of(ours, X, codes)
    results = {}

    def peer_job() -> None:
        # a new one each time: a fitted one keeps its training rows
        results["peer"] = quietly(lambda: ConTree(max_depth=depth, time_limit=bench.args.peer_limit).fit(X, codes))

    def our_job() -> None:
        results["ours"] = fit()

    peer_time, our_time = medians([peer_job, our_job], bench.args.rounds)
    peer, peer_cut = results["peer"]
    errors, peer_errors = (int(np.sum(model.predict(X) != codes)) for model in (ours, peer))
    assert errors == round(ours.objective_ * len(X)), f"{name}: objective_ is not the error of the predictions"
    if ours.is_optimal_ and peer_errors < errors:
        bench.wrong.append(f"{name}, depth {depth}: {errors} errors, the peer has {peer_errors}")

    ratio = peer_time / our_time
    shown = f"{ratio:.3g}"
    if peer_cut:
        shown = f"> {shown}" if ours.is_optimal_ else "-"
    elif not ours.is_optimal_:
        shown = f"< {shown}"
    row = [name, *map(str, X.shape), str(codes.max() + 1), str(errors), outcome(ours), str(peer_errors)]
    row += [seconds(our_time), f"{seconds(peer_time)}{', time limit' if peer_cut else ''}", shown]
    judged = must is not None and not (peer_cut and not ours.is_optimal_)
    row += [f"{must:g}x" if must else "-"]
    row += [bench.judge(f"{name}, depth {depth}", ratio, must, at_least=True) if judged else "-"]
    if depth == 3 and name in ("htru", "magic"):
        bench.judge(
            f"{name}, depth 3, CPU seconds until proved",
            our_time if ours.is_optimal_ else np.inf,
            MINUTE,
            at_least=False,
        )
    return row, None if peer_cut else ratio, peer_cut and bool(ours.is_optimal_) and our_time < MINUTE


def group(bench: Bench, title: str, names: tuple[str, ...], depth: int, must: dict[str, float], aim: float) -> int:
    """Run the races of one row of the target table; return how many only we finished."""
    rows = []
    ratios = []
    alone = 0
    for name in filter(bench.wants, names):
        CONSOLE.print(f"[dim]{name}, depth {depth}[/dim]")
        row, ratio, only_ours = race(bench, name, depth, must.get(name))
        rows.append(row)
        ratios += [] if ratio is None else [ratio]
        alone += only_ours
    median = f"Median ratio {np.median(ratios):.3g} (aim {aim:g}) over {len(ratios)} tables." if ratios else ""
    bench.add(title, PEER_COLUMNS, rows, f"{median} {PEER_NOTE}".strip())
    return alone


PEER_NOTE = (
    "Errors on the rows of the table, all of which train. *Ratio*: CPU seconds of pycontree over those of skpapers; "
    "`>` where its time limit ended pycontree, whose tree is then not known to be optimal."
)


def depth2(bench: Bench) -> None:
    group(bench, "Depth 2, two classes", TWO_CLASSES, 2, dict.fromkeys(TWO_CLASSES, 3.0), 6)
    group(bench, "Depth 2, more classes", MORE_CLASSES, 2, dict.fromkeys(MORE_CLASSES, 1.0), 3)


def depth3(bench: Bench) -> None:
    names = DEPTH_3 + (SLOW_DEPTH_3 if bench.args.slow else ())
    two = tuple(name for name in names if name in TWO_CLASSES)
    group(bench, "Depth 3, two classes", two, 3, dict.fromkeys(two, 2.5), 6)
    more = tuple(name for name in names if name in MORE_CLASSES)
    group(bench, "Depth 3, more classes", more, 3, {"page": 1.0, "segment": 1.0}, 3)


def depth4(bench: Bench) -> None:
    alone = group(bench, "Depth 4", DEPTH_4, 4, {"bank": 1.0}, 3)
    if not bench.args.tables:
        bench.judge("Tables of depth 4 proved in a minute, and not by the peer", alone, 1, at_least=True)


# Regression ------------------------------------------------------------------------------------------------------


def regression(bench: Bench) -> None:
    """Time the published training rows, with CART's error beside."""
    limits = {("grid", 2): (0.4, 0.15), ("grid", 3): (40.0, 8.0)}
    rows = []
    for name in filter(bench.wants, ("grid", "concrete", "fish", "qsar", "carbon")):
        X, y, n_train = load(name)
        X = X[:n_train]
        y = y[:n_train]
        for depth in (2, 3):
            CONSOLE.print(f"[dim]{name}, depth {depth}[/dim]")
            model = QuantBnBTree(max_depth=depth, time_limit=bench.args.limit)
            (took,) = medians([fit_of(model, X, y)], bench.args.rounds)
            cart = DecisionTreeRegressor(max_depth=depth, random_state=0).fit(X, y)
            row = [name, *map(str, X.shape), str(y.size // len(y)), str(depth), f"{model.objective_:.6f}"]
            row += [outcome(model), f"{loss(cart, X, y) / model.objective_:.3f}", seconds(took)]
            if (name, depth) in limits:
                must, aim = limits[name, depth]
                spent = took if model.is_optimal_ else np.inf
                judged = bench.judge(f"{name}, depth {depth}, CPU seconds", spent, must, at_least=False)
                row += [f"{must:g} s", f"{aim:g} s", judged]
            else:
                row += ["-"] * 3
            rows.append(row)
    columns = ["table", "n", "p", "targets", "depth", "squared error", "proved?", "CART / ours", "skpapers", "must"]
    note = "Training rows of the published split. *CART / ours*: ratio of the mean squared errors on them."
    bench.add("Regression", [*columns, "aim", "is"], rows, note)


# Against two more peers ------------------------------------------------------------------------------------------


def take_turns(bench: Bench, peer: Any, fit: Callable[[], Any], X: NDArray, y: NDArray) -> tuple[Any, float, float]:
    """Return the fitted peer and the median seconds of both. A fitted peer keeps results, so each fit has a new one."""
    fitted = {}

    def peer_job() -> None:
        fitted["peer"] = quietly(lambda: clone(peer).fit(X, y))[0]

    peer_time, our_time = medians([peer_job, fit], bench.args.rounds)
    return fitted["peer"], peer_time, our_time


def streed_row(bench: Bench, name: str, depth: int, thresholds: int | None) -> list[str]:
    """Time pystreed, with some thresholds of each column or with all, and ours, with all of them."""
    from pystreed import STreeDRegressor

    X, y, n_train = load(name)
    X = X[:n_train]
    y = y[:n_train]
    ours = QuantBnBTree(max_depth=depth, time_limit=bench.args.limit)
    how = {"max_depth": depth, "n_thresholds": thresholds or n_train, "time_limit": bench.args.peer_limit}
    peer, peer_time, our_time = take_turns(bench, STreeDRegressor("regression", **how), fit_of(ours, X, y), X, y)
    finished = peer.fit_result.is_optimal()
    error = loss(peer, X, y)
    if ours.is_optimal_ and error < ours.objective_ * (1 - 1e-9):
        bench.wrong.append(f"{name}, depth {depth}: {ours.objective_}, the peer has {error}")
    row = [name, *map(str, X.shape), str(depth), str(thresholds or "all"), f"{error:.6f}", f"{ours.objective_:.6f}"]
    row += [
        outcome(ours),
        f"{error / ours.objective_:.3f}",
        f"{seconds(peer_time)}{'' if finished else ', time limit'}",
    ]
    return [*row, seconds(our_time), f"{'' if finished else '> '}{peer_time / our_time:.3g}"]


def streed(bench: Bench) -> None:
    """Race pystreed, which finds the best tree on binary features, where these are quantiles of the columns or all."""
    rows = []
    for name in filter(bench.wants, ("concrete", "fish", "qsar", "grid")):
        for depth in (2, 3):
            # all thresholds of grid are 96,000 binary features
            for thresholds in (5, 20) if name == "grid" else (5, 20, None):
                CONSOLE.print(f"[dim]{name}, depth {depth}, {thresholds or 'all'} thresholds[/dim]")
                rows.append(streed_row(bench, name, depth, thresholds))
    columns = ["table", "n", "p", "depth", "thresholds", "squared error, peer", "squared error", "proved?"]
    columns += ["peer / ours", "pystreed", "skpapers", "ratio of times"]
    note = (
        "Training rows of the published split. *Thresholds*: quantiles of each column that pystreed chooses among, 5 "
        "by default; ours chooses among all. *Peer / ours*: ratio of the squared errors. carbon has three targets, "
        "which pystreed does not take."
    )
    bench.add("Regression, against pystreed", columns, rows, note)


def small_tree_row(bench: Bench, name: str, price: float) -> list[str]:
    """Time the peer, which prices leaves and knows no depth, and ours at the depth of its tree, but 2 at least."""
    from imodels import FastSmallTreeClassifier

    X, y, _ = load(name)
    codes = np.unique(y, return_inverse=True)[1]
    peer = FastSmallTreeClassifier(regularization=price, time_limit=bench.args.peer_limit)
    few = slice(None, None, max(1, len(X) // 50))
    quietly(lambda: clone(peer).set_params(regularization=0.2).fit(X[few], codes[few]))  # compiles
    first = {}

    def first_job() -> None:
        first["peer"] = quietly(lambda: clone(peer).fit(X, codes))[0]

    peer_time = cpu_seconds(first_job)
    fitted = first["peer"]
    depth = max(fitted.estimator_.get_depth(), 2)
    ours = QuantBnBTreeClassifier(max_depth=depth, ccp_alpha=price, time_limit=bench.args.limit)
    fit = fit_of(ours, X, codes)
    if peer_time < SLOW:
        fitted, peer_time, our_time = take_turns(bench, peer, fit, X, codes)
    else:
        (our_time,) = medians([fit], bench.args.rounds)
    if ours.is_optimal_ and fitted.objective_ < ours.objective_ - 1e-9:
        bench.wrong.append(f"{name}, price {price}: {ours.objective_}, the peer has {fitted.objective_}")
    row = [name, *map(str, X.shape), str(codes.max() + 1), f"{price:g}", str(fitted.n_leaves_), str(depth)]
    row += [f"{fitted.objective_:.6f}", f"{ours.objective_:.6f}", outcome(ours)]
    row += [f"{seconds(peer_time)}{'' if fitted.optimal_ else ', time limit'}", seconds(our_time)]
    return [*row, f"{'' if fitted.optimal_ else '> '}{peer_time / our_time:.3g}"]


def small_trees(bench: Bench) -> None:
    """Race imodels' FastSmallTreeClassifier, which minimises the share of errors plus a price for each leaf."""
    rows = []
    for name in filter(bench.wants, ("bank", "raisin", "wilt", "page", "segment")):
        for price in (0.05, 0.02):
            CONSOLE.print(f"[dim]{name}, {price} for each leaf[/dim]")
            rows.append(small_tree_row(bench, name, price))
    columns = ["table", "n", "p", "K", "price", "leaves, peer", "max_depth", "objective, peer", "objective", "proved?"]
    note = (
        "*Objective*: share of errors plus the price of every leaf. *max_depth*: that of ours, with the price as "
        "`ccp_alpha`; the peer proves its tree against trees of any depth, ours against trees of this depth."
    )
    title = "Trees with a price for each leaf, against FastSmallTreeClassifier of imodels"
    bench.add(title, [*columns, "imodels", "skpapers", "ratio of times"], rows, note)


# Leaf sizes ------------------------------------------------------------------------------------------------------


def leaf_sizes(bench: Bench) -> None:
    """Time searches with a least number of rows in each leaf, which bounds know only in part."""
    rows = []
    for name, depths in (
        ("bank", (2, 3, 4)),
        ("raisin", (2, 3)),
        ("page", (2, 3)),
        ("concrete", (2, 3)),
        ("fish", (2, 3)),
    ):
        if not bench.wants(name):
            continue
        X, y, n_train = load(name)
        X = X[:n_train]
        y = y[:n_train]
        kind = QuantBnBTree if y.dtype.kind == "f" else QuantBnBTreeClassifier
        for depth in depths:
            alone = None
            for share in (0.0, 0.01, 0.05):
                least = max(1, int(np.ceil(share * n_train)))
                CONSOLE.print(f"[dim]{name}, depth {depth}, min_samples_leaf={least}[/dim]")
                model = kind(max_depth=depth, min_samples_leaf=least, time_limit=bench.args.limit)
                (took,) = medians([fit_of(model, X, y)], bench.args.rounds)
                alone = took if alone is None else alone
                row = [name, *map(str, X.shape), str(depth), str(least), f"{model.objective_:.6f}", outcome(model)]
                rows.append([*row, seconds(took), f"{took / alone:.3g}"])
    columns = ["table", "n", "p", "depth", "min_samples_leaf", "objective", "proved?", "skpapers", "over 1 row"]
    note = "Training rows of the published split; leaves of 1 % or 5 % of them. *Over 1 row*: ratio of the CPU seconds."
    bench.add("Least number of rows in a leaf", columns, rows, note)


# Returns ---------------------------------------------------------------------------------------------------------


def returns(bench: Bench) -> None:
    """Time simulated returns: nearly all noise, so that bounds prune late."""
    X, y = make_returns(random_state=0)
    shape = f"{X.shape[0]} x {X.shape[1]}"
    targets = [("regression", QuantBnBTree, DecisionTreeRegressor, y)]
    targets.append(("sign", QuantBnBTreeClassifier, DecisionTreeClassifier, np.sign(y).astype(int)))
    rows = []
    # with a leaf of at least 200 rows no split can isolate single wild returns
    for leaf, (what, ours, greedy, target) in ((leaf, target) for leaf in (1, 200) for target in targets):
        CONSOLE.print(f"[dim]returns, {what}, min_samples_leaf={leaf}[/dim]")
        model = ours(max_depth=2, min_samples_leaf=leaf, time_limit=bench.args.limit)
        (took,) = medians([fit_of(model, X, target)], bench.args.rounds)
        cart = loss(greedy(max_depth=2, min_samples_leaf=leaf, random_state=0).fit(X, target), X, target)
        row = [what, shape, str(leaf), f"{model.objective_:.6f}", outcome(model), f"{cart:.6f}", seconds(took)]
        spent = took if model.is_optimal_ else np.inf
        must = MINUTE if leaf == 1 else 20.0
        where = f"returns, {what}, min_samples_leaf={leaf}, depth 2, CPU seconds"
        rows.append([*row, f"{must:g} s", "15 s", bench.judge(where, spent, must, at_least=False)])
    columns = ["target", "n x p", "min_samples_leaf", "objective", "proved?", "CART", "skpapers", "must", "aim", "is"]
    note = f"A single leaf: {single_leaf(y):.6f} for regression, {single_leaf(targets[1][3]):.6f} for the sign."
    bench.add("Returns-like noise (R² 0.01), depth 2", columns, rows, note)
    for what, ours, greedy, target in targets:
        cart = loss(greedy(max_depth=3, random_state=0).fit(X, target), X, target)
        curve = anytime(ours(max_depth=3, time_limit=bench.args.anytime), X, target)
        better = next((at for at, best, _ in curve if best < cart - 1e-12), None)
        first = f"first better tree after {seconds(better)} (aim 1 s)" if better is not None else "no better tree"
        rows = [
            [f"{at:.2f}", f"{best:.6f}", f"{bound:.6f}" if bound > -1 else "-"] for at, best, bound in thinned(curve)
        ]
        note = f"CART of depth 3: {cart:.6f}; {first}. A single leaf: {single_leaf(target):.6f}."
        bench.add(f"Returns-like noise, {what}, depth 3, {shape}", ["seconds", "best", "bound"], rows, note)


def single_leaf(y: NDArray) -> float:
    return float(np.var(y)) if y.dtype.kind == "f" else 1 - np.bincount(y - y.min()).max() / len(y)


class Curve:
    """A callback that keeps what the search reports: (seconds, best, bound)."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float, float]] = []

    def setup(self, estimator: Any, context: Any) -> None: ...

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...

    def on_fit_task_end(self, estimator: Any, context: Any, *, metadata: dict[str, float] | None = None) -> None:
        if metadata:
            self.points.append((metadata["seconds"], metadata["objective"], metadata["lower_bound"]))

    def teardown(self, estimator: Any, context: Any) -> None: ...


def anytime(model: Any, X: NDArray, y: NDArray) -> list[tuple[float, float, float]]:
    curve = Curve()
    fit_of(model, X, y)  # compiles
    quietly(lambda: model.set_callbacks(curve).fit(X, y))
    return curve.points


def thinned(curve: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Keep the points at about 0.1, 0.2, 0.5, 1, ... seconds, every better tree up to 12 of them, and the end."""
    ticks = [scale * step for scale in (0.1, 1, 10, 100, 1000) for step in (1, 2, 5)]
    kept = {next((i for i, point in enumerate(curve) if point[0] >= tick), 0) for tick in ticks} | {len(curve) - 1}
    better = [i for i in range(len(curve)) if i == 0 or curve[i][1] < curve[i - 1][1]]
    chosen = [curve[i] for i in sorted(kept | set(better[-12:]))]
    return [
        here for here, then in zip(chosen, [*chosen[1:], None], strict=True) if then is None or then[0] > here[0] + 0.01
    ]


# A million rows, memory, first fit -------------------------------------------------------------------------------


def fresh(X: NDArray, y: NDArray, estimator: str, params: dict[str, Any], warm_up: bool = True) -> dict[str, Any]:
    """Fit in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        spec = {"estimator": estimator, "params": params, "warm_up": warm_up}
        for key, array in (("X", X), ("y", y)):
            spec[key] = str(Path(folder) / f"{key}.npy")
            np.save(spec[key], array)
        command = [sys.executable, str(Path(__file__).with_name("_fresh.py")), json.dumps(spec)]
        one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **one_thread})
    return json.loads(done.stdout.splitlines()[-1])


def gib(size: float) -> str:
    return f"{size / 2**30:.2f} GiB"


def million(bench: Bench) -> None:
    """Time a million rows, and measure all memory that a process takes beyond its imports."""
    rows = []
    for source in ("friedman1", "returns") if bench.args.slow else ("friedman1",):
        if source == "returns":
            X, y = make_returns(10**6, 20, random_state=0)
        else:
            X, y = make_friedman1(10**6, 20, noise=1.0, random_state=0)
        for estimator, what in (("QuantBnBTree", "regression"), ("QuantBnBTreeClassifier", "two classes")):
            CONSOLE.print(f"[dim]{source}, a million rows, {what}[/dim]")
            target = y if what == "regression" else (y > np.median(y)).astype(np.int64)
            found = fresh(X, target, estimator, {"max_depth": 2, "time_limit": bench.args.limit})
            spent = found["cpu"] if found["optimal"] else np.inf
            where = f"{source}, a million rows, {what}"
            judged = [
                bench.judge(f"{where}, CPU seconds", spent, MINUTE, at_least=False),
                bench.judge(f"{where}, GB", found["bytes"] / 1e9, 3.0, at_least=False),
            ]
            row = [
                source,
                what,
                f"{found['objective']:.6f}",
                "proved" if found["optimal"] else f"gap {found['gap']:.1%}",
            ]
            row += [seconds(found["cpu"]), gib(found["bytes"]), f"{found['fit_bytes'] / X.nbytes:.1f}"]
            rows.append([*row, "60 s, 3 GB", "20 s", FAILED if FAILED in judged else OK])
    columns = ["data", "target", "objective", "proved?", "skpapers", "memory", "memory / X", "must", "aim", "is"]
    note = (
        "CPU seconds of the fit. *Memory*: peak beyond the imports, the data of 160 MB among it. *Memory / X*: growth "
        "during the fit over the size of X."
    )
    bench.add("A million rows, 20 features, depth 2", columns, rows, note)


def memory(bench: Bench) -> None:
    jobs: list[tuple[str, NDArray, NDArray, str]] = []
    for name in filter(bench.wants, ("avila", "magic", "grid")):
        X, y, _ = load(name)
        jobs.append((name, X, y, "QuantBnBTree" if y.dtype.kind == "f" else "QuantBnBTreeClassifier"))
    X, y = make_returns(100_000, 20, random_state=0)
    jobs.append(("returns", X, y, "QuantBnBTree"))
    jobs.append(("returns, sign", X, np.sign(y).astype(np.int64), "QuantBnBTreeClassifier"))
    rows = []
    for name, X, y, estimator in jobs:
        for depth in (2, 3):
            CONSOLE.print(f"[dim]{name}, memory at depth {depth}[/dim]")
            found = fresh(X, y, estimator, {"max_depth": depth, "time_limit": 15.0})
            ratio = found["fit_bytes"] / X.nbytes
            row = [name, *map(str, X.shape), str(depth), "proved" if found["optimal"] else f"gap {found['gap']:.1%}"]
            row += [f"{X.nbytes / 2**20:.1f} MiB", f"{found['fit_bytes'] / 2**20:.1f} MiB", f"{ratio:.1f}", "8x"]
            rows.append([*row, bench.judge(f"{name}, depth {depth}, memory over X", ratio, 8.0, at_least=False)])
    columns = ["table", "n", "p", "depth", "proved?", "X", "peak growth", "ratio", "must", "is"]
    bench.add("Memory of a fit (at most 15 s of it), a process each", columns, rows)


def startup(bench: Bench) -> None:
    """Time the first fit of a process whose kernels numba has compiled and stored before."""
    rows = []
    for name, depth in (("raisin", 2), ("raisin", 3), ("fault", 2), ("concrete", 2), ("concrete", 3)):
        if not bench.wants(name):
            continue
        X, y, _ = load(name)
        estimator = "QuantBnBTree" if y.dtype.kind == "f" else "QuantBnBTreeClassifier"
        found = [fresh(X, y, estimator, {"max_depth": depth}, warm_up=False) for _ in range(4)]
        again = fresh(X, y, estimator, {"max_depth": depth})["wall"]
        imports, first = (float(np.median([one[key] for one in found[1:]])) for key in ("import", "wall"))
        judged = bench.judge(f"{name}, depth {depth}, first fit in seconds", first, 1.5, at_least=False)
        rows.append([name, str(depth), seconds(imports), seconds(first), seconds(again), "1.5 s", judged])
    columns = ["table", "depth", "imports", "first fit", "a later fit", "must", "is"]
    bench.add("First fit in a fresh process, warm cache of numba (wall time)", columns, rows)


# Threads ---------------------------------------------------------------------------------------------------------


def threads(bench: Bench) -> None:
    rows = []
    # searches of some tenths of a second: in a shorter one the first tree, found by one thread, is most of the work
    for name in filter(bench.wants, ("page", "htru", "magic", "grid")):
        CONSOLE.print(f"[dim]{name}, two threads[/dim]")
        X, y, n_train = load(name)
        kind = QuantBnBTree if y.dtype.kind == "f" else QuantBnBTreeClassifier
        one, two = (kind(max_depth=3, n_jobs=n_jobs, time_limit=bench.args.limit) for n_jobs in (1, 2))
        jobs = [fit_of(model, X[:n_train], y[:n_train]) for model in (one, two)]
        alone, together = medians(jobs, 5, wall_seconds)
        same = all(
            np.array_equal(getattr(one.tree_, part), getattr(two.tree_, part))
            for part in ("feature", "threshold", "children_left")
        )
        if not same:
            bench.wrong.append(f"{name}: one and two threads return different trees")
        judged = bench.judge(f"{name}, 2 threads over 1", alone / together, 1.5, at_least=True)
        row = [name, outcome(one), seconds(alone), seconds(together), f"{alone / together:.2f}", "1.5x", "1.8x", judged]
        rows.append(row)
    columns = ["table", "proved?", "1 thread", "2 threads", "ratio", "must", "aim", "is"]
    bench.add("Two threads over one, depth 3, wall time, training rows", columns, rows)


PARTS: dict[str, Callable[[Bench], None]] = {
    part.__name__: part
    for part in (
        depth2,
        depth3,
        depth4,
        regression,
        leaf_sizes,
        streed,
        small_trees,
        returns,
        million,
        threads,
        memory,
        startup,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {' '.join(PARTS)}; all by default")
    parser.add_argument("--tables", nargs="+", default=(), metavar="NAME", help="these tables alone")
    parser.add_argument(
        "--slow", action="store_true", help="also eeg, avila, bean, fault at depth 3, a million returns"
    )
    parser.add_argument("--rounds", type=int, default=15, help="most rounds of a row, default 15; slow rows take fewer")
    parser.add_argument(
        "--peer-limit", type=float, default=60.0, metavar="S", help="time limit of the peer, default 60"
    )
    parser.add_argument("--limit", type=float, default=300.0, metavar="S", help="time limit of ours, default 300")
    parser.add_argument("--anytime", type=float, default=60.0, metavar="S", help="length of the curves, default 60")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the tables as markdown")
    args = parser.parse_args()
    if unknown := sorted(set(args.parts) - set(PARTS)):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}.")

    bench = Bench(args)
    start = time.monotonic()
    with threadpool_limits(1):
        for part in args.parts or PARTS:
            PARTS[part](bench)
    summary = f"Missed: {'; '.join(bench.missed)}." if bench.missed else "All targets met."
    CONSOLE.print(f"{summary} {(time.monotonic() - start) / 60:.1f} minutes.")
    if args.out:
        line = versions_line(versions("skpapers", "pycontree", "pystreed", "imodels", "scikit-learn", "numpy", "numba"))
        parts = [f"## {table.title}\n\n{table.markdown()}" for table in bench.tables]
        text = "\n\n".join(["# Optimal trees: speed and memory", *parts, summary, line])
        args.out.write_text(text + "\n", encoding="utf-8")
    if bench.wrong:
        raise SystemExit(f"wrong: {'; '.join(bench.wrong)}.")


if __name__ == "__main__":
    main()
