"""Convex ReLU networks against pyscnn 0.0.10, the package of the paper's authors, and against Clarabel.

    python benchmarks/bench_convex.py [--parts NAME ...] [--rounds N] [--against FOLDER] [--out FILE.md]

One process and one thread; sides take turns; CPU time, medians over the rounds, numba's compilation before the first
one. All sides get the same rows, gates and objective. `pyscnn` stops by the norm of a gradient, so that its time is
that of the least number of iterations after which its objective is within the accuracy; ours stops by a certificate.
The peer is installed by `pip install --no-deps pyscnn==0.0.10 linalg_backends opt_einsum tqdm`; it needs torch.
"""

import argparse
import json
import logging
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._convex_defaults import CASES
from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import cpu_seconds, medians, seconds
from benchmarks.tables import load_shuffled
from skpapers.convex import ConvexReLURegressor

GATED = (
    ("breast_cancer", 100),
    ("diabetes", 500),
    ("digits", 500),
    ("magic", 500),
    ("htru", 500),
)
TRAIN = {"breast_cancer": 426, "diabetes": 331, "digits": 1347, "magic": 14265, "htru": 13423}
SHARES = (0.1, 0.03)
ACCURACY = 1e-5
MOST = 4000  # iterations of the peer on small tables
MOST_LARGE = 64  # the same where one takes half a second
LARGE = 10_000  # rows
PARTS = ("gated", "path", "relu", "rows", "memory", "defaults")
SEEDS = 3


def table(name: str) -> tuple[NDArray, NDArray]:
    """Return standardised rows with a column of ones, and the target: -1 and 1, or a standardised number."""
    X, y = load_digits(return_X_y=True) if name == "digits" else load_shuffled(name)
    X = X[: TRAIN[name]]
    y = y[: TRAIN[name]]
    if name == "digits":
        y = y % 2
    varies = X.std(axis=0) > 0
    X = (X[:, varies] - X[:, varies].mean(axis=0)) / X[:, varies].std(axis=0)
    y = (y - y.mean()) / y.std() if name == "diabetes" else np.where(y == y.min(), -1.0, 1.0)
    return np.hstack([X, np.ones((len(X), 1))]), y


def gates(X: NDArray, P: int) -> NDArray:
    return np.random.default_rng(0).normal(size=(X.shape[1], P))


def ours(alpha: float, G: NDArray, activation: str = "gated_relu", tol: float = ACCURACY, **kwargs: Any) -> Any:
    return ConvexReLURegressor(
        activation, alpha, gates=G, n_refine=0, fit_intercept=False, output_intercept=False, standardize=False, tol=tol,
        max_iter=100_000, random_state=0, **kwargs,
    )  # fmt: skip


def peer(X: NDArray, y: NDArray, G: NDArray, alpha: float, iterations: int) -> float:
    """Run the peer's solver for some iterations, and return its objective."""
    from scnn.metrics import Metrics
    from scnn.models import ConvexGatedReLU
    from scnn.optimize import optimize_model
    from scnn.regularizers import NeuronGL1
    from scnn.solvers import RFISTA

    model = ConvexGatedReLU(G)
    solver = RFISTA(model, max_iters=iterations, tol=1e-30)
    model, _ = optimize_model(
        model, solver, Metrics(objective=False, grad_norm=False, time=False), X, y, regularizer=NeuronGL1(alpha),
        unitize_data=False, verbose=False, dtype="float64",
    )  # fmt: skip
    return peer_objective(model, X, y, alpha)


def peer_objective(model: Any, X: NDArray, y: NDArray, alpha: float) -> float:
    """Return the objective of a network of the peer, from its own gates and weights."""
    first, second = (np.asarray(weights, dtype=np.float64) for weights in model.parameters)
    fit = ((X @ np.asarray(model.G) > 0) * (X @ first.T)) @ second[0]
    norms = np.linalg.norm(first, axis=1) * np.abs(second[0])
    return 0.5 * float(np.mean((fit - y) ** 2)) + alpha * float(norms.sum())


def needed(X: NDArray, y: NDArray, G: NDArray, alpha: float, goal: float) -> int | None:
    """Return the number of iterations, up to an eighth, that the peer needs to come down to `goal`; None for too
    many."""
    few = 0
    many = 16
    while peer(X, y, G, alpha, many) > goal:
        few = many
        many = 2 * many
        if many > most(X):
            return None
    while many - few > max(1, few // 8):
        middle = (few + many) // 2
        few, many = (middle, many) if peer(X, y, G, alpha, middle) > goal else (few, middle)
    return many


def most(X: NDArray) -> int:
    return MOST_LARGE if len(X) > LARGE else MOST


def distinct(X: NDArray, G: NDArray) -> NDArray:
    """Return one gate for every pattern, so that both sides solve for the same ones."""
    _, first = np.unique(X @ G > 0, axis=1, return_index=True)
    return G[:, np.sort(first)]


def gated_rows(names: list[str], rounds: int) -> tuple[list[list[str]], list[float]]:
    rows = []
    ratios = []
    for name, P in GATED:
        if name not in names:
            continue
        X, y = table(name)
        G = distinct(X, gates(X, P))
        largest = ours(1.0, G, tol=0.5).fit(X, y).alpha_max_
        for share in SHARES:
            alpha = share * largest
            best = ours(alpha, G, tol=1e-8).fit(X, y)
            goal = best.objective_ * (1 + ACCURACY)
            iterations = needed(X, y, G, alpha, goal)
            shown = most(X) // 8 if iterations is None else iterations
            times = medians(
                [lambda: peer(X, y, G, alpha, shown), lambda: ours(alpha, G).fit(X, y)],  # noqa: B023
                rounds,
            )
            model = ours(alpha, G).fit(X, y)
            assert model.objective_ <= goal
            factor = most(X) / shown if iterations is None else 1.0  # at least
            ratio = times[0] * factor / times[1]
            ratios.append(ratio)
            sign = ">" if iterations is None else ""
            rows.append([
                name, f"{X.shape[0]} x {X.shape[1]}", f"{G.shape[1]}", f"{share:g}", f"{model.n_active_neurons_}",
                f"{sign}{iterations or most(X)}", f"{sign}{seconds(times[0] * factor)}", seconds(times[1]),
                f"{model.gap_:.0e}", f"{sign}{ratio:.1f}",
            ])  # fmt: skip
            CONSOLE.print("  ".join(rows[-1]))
    return rows, ratios


def path_rows(rounds: int) -> list[list[str]]:
    """Time a path of eight alphas: ours by certificates of 1e-4, the peer's by its own warm starts and default
    tolerance."""
    from scnn.metrics import Metrics
    from scnn.models import ConvexGatedReLU
    from scnn.optimize import optimize_path
    from scnn.regularizers import NeuronGL1
    from scnn.solvers import RFISTA

    from skpapers.convex import convex_relu_path

    rows = []
    for name in ("diabetes", "breast_cancer", "digits"):
        X, y = table(name)
        G = distinct(X, gates(X, 200))
        largest = ours(1.0, G, tol=0.5).fit(X, y).alpha_max_
        alphas = np.geomspace(0.5, 0.02, 8) * largest

        def run_peer(X: NDArray = X, y: NDArray = y, G: NDArray = G, alphas: NDArray = alphas) -> Any:
            model = ConvexGatedReLU(G)
            return optimize_path(
                model, RFISTA(model, max_iters=10_000, tol=1e-6), [NeuronGL1(alpha) for alpha in alphas],
                Metrics(objective=False, grad_norm=False, time=False), X, y, unitize_data=False, verbose=False,
                dtype="float64",
            )  # fmt: skip

        def run_ours(X: NDArray = X, y: NDArray = y, G: NDArray = G, alphas: NDArray = alphas) -> Any:
            return convex_relu_path(ours(1.0, G, tol=1e-4), X, y, alphas=alphas)

        objectives = np.array([model.objective_ for model in run_ours()[1]])
        theirs = [peer_objective(model, X, y, alpha) for model, alpha in zip(run_peer()[0], alphas, strict=True)]
        times = medians([run_peer, run_ours], rounds)
        worst = [f"{np.max(a / np.minimum(objectives, theirs) - 1):.0e}" for a in (np.array(theirs), objectives)]
        rows.append([name, *map(seconds, times), f"{times[0] / times[1]:.1f}", *worst])
        CONSOLE.print("  ".join(rows[-1]))
    return rows


def relu_rows(rounds: int) -> list[list[str]]:
    """Time ReLU programs to a certified 1e-3 and gated ones to 1e-6 against Clarabel on the same program."""
    rows = []
    for name, activation, tol in (
        ("diabetes", "relu", 1e-3),
        ("diabetes", "relu", 1e-6),
        ("diabetes", "gated_relu", 1e-6),
        ("breast_cancer", "gated_relu", 1e-6),
    ):
        X, y = table(name)
        G = distinct(X, gates(X, 50))
        largest = ours(1.0, G, activation, tol=0.5).fit(X, y).alpha_max_
        alpha = 0.05 * largest
        fine = 1e-8 if tol < 1e-3 else 1e-4
        reference = ours(alpha, G, activation, fine, solver="cvxpy")
        model = ours(alpha, G, activation, tol)
        times = [
            cpu_seconds(lambda: reference.fit(X, y)),  # noqa: B023
            medians([lambda: model.fit(X, y)], rounds)[0],  # noqa: B023
        ]
        rows.append([
            name, activation, f"{tol:g}", seconds(times[0]), seconds(times[1]), f"{times[0] / times[1]:.0f}",
            f"{model.gap_:.0e}", f"{model.max_violation_:.0e}",
        ])  # fmt: skip
        CONSOLE.print("  ".join(rows[-1]))
    return rows


def many_rows() -> list[list[str]]:
    """Time 200,000 rows of 20 features with the default gates."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200_000, 20))
    y = np.sin(X[:, 0]) * X[:, 1] + np.abs(X[:, 2] + X[:, 3]) + 0.5 * rng.normal(size=len(X))
    rows = []
    for alpha in (0.1, 0.02):
        model = ConvexReLURegressor("gated_relu", alpha, random_state=0)
        time = cpu_seconds(lambda: model.fit(X, y))  # noqa: B023
        rows.append([f"{alpha:g}", seconds(time), f"{model.n_active_neurons_}", f"{model.gap_:.0e}"])
        CONSOLE.print("  ".join(rows[-1]))
    return rows


def memory_rows() -> list[list[str]]:
    """Measure the peak of a fit of 20,000 rows, 20 features and 2000 gates in a process of its own."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 20))
    y = np.sin(X[:, 0]) * X[:, 1] + np.abs(X[:, 2] + X[:, 3]) + 0.5 * rng.normal(size=len(X))
    rows = []
    with TemporaryDirectory() as folder:
        np.save(Path(folder) / "X.npy", X)
        np.save(Path(folder) / "y.npy", y)
        for alpha in (0.1, 0.02):
            params = {"activation": "gated_relu", "alpha": alpha, "n_gates": 2000, "random_state": 0}
            spec = {"X": f"{folder}/X.npy", "y": f"{folder}/y.npy", "module": "skpapers.convex", "params": params}
            spec |= {"estimator": "ConvexReLURegressor", "warm_up": 1}
            command = [sys.executable, str(Path(__file__).with_name("_fresh.py")), json.dumps(spec)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            megabytes = [f"{found[key] / 1e6:.0f} MB" for key in ("fit_bytes", "bytes")]
            rows.append([f"{alpha:g}", seconds(found["cpu"]), *megabytes, f"{found['gap']:.0e}"])
            CONSOLE.print("  ".join(rows[-1]))
    return rows


def defaults_rows(cases: list[str], against: Path | None) -> list[list[str]]:
    """Fit estimators with their default settings, each in a process of its own; checkouts take turns."""
    folders = [Path(__file__).resolve().parents[1], *([against.resolve()] if against else [])]
    rows = []
    for name in cases:
        for activation in ("relu", "gated_relu"):
            found: list[list[dict]] = [[] for _ in folders]
            for seed in range(SEEDS):
                for folder, facts in zip(folders, found, strict=True):
                    script = str(Path(__file__).with_name("_convex_defaults.py"))
                    command = [sys.executable, script, name, activation, str(seed), str(folder)]
                    done = subprocess.run(command, check=True, capture_output=True, text=True)
                    facts.append(json.loads(done.stdout))
            row = [name, activation]
            for facts in found:
                times, scores = ([one[key] for one in facts] for key in ("cpu", "score"))
                row += [f"{np.median(times):.3g} ({min(times):.3g} to {max(times):.3g}) s", f"{np.mean(scores):.3f}"]
                row.append(f"{max(one['gap'] for one in facts):.0e}")
            if against:
                pairs = [(ours["objective"], theirs["objective"]) for ours, theirs in zip(*found, strict=True)]
                excess = [100.0 * (a / b - 1.0) for a, b in pairs]
                row.append(f"{min(excess):+.2f} to {max(excess):+.2f} %" if " " not in name else "")
            rows.append(row)
            CONSOLE.print("  ".join(row))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--parts", nargs="+", default=PARTS, choices=PARTS, metavar="NAME", help=f"of {' '.join(PARTS)}"
    )
    parser.add_argument(
        "--tables", nargs="+", default=[name for name, _ in GATED], metavar="NAME", help="of the gated part"
    )
    logging.getLogger("scnn").setLevel(logging.ERROR)  # it warns whenever the limit of iterations is met
    parser.add_argument("--cases", nargs="+", default=CASES, choices=CASES, metavar="NAME", help="of the defaults part")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout, for the defaults part")
    parser.add_argument("--rounds", type=int, default=9, help="most rounds of a row, default 9; slow rows take 3")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the tables as markdown")
    args = parser.parse_args()

    tables = []
    with threadpool_limits(1):
        rng = np.random.default_rng(0)
        for activation in ("relu", "gated_relu"):  # compiles the kernels
            ours(0.01, rng.normal(size=(3, 300)), activation).fit(rng.normal(size=(90, 3)), rng.normal(size=90))
        if "gated" in args.parts:
            columns = ["table", "n x p", "patterns", "alpha / max", "active", "peer's iterations", "pyscnn", "skpapers"]
            rows, ratios = gated_rows(args.tables, args.rounds)
            note = f"Squared error, to a relative {ACCURACY:g}. "
            note += f"Median of the ratios {np.median(ratios):.1f}, least {min(ratios):.1f}."
            tables.append(Table("Gated networks", [*columns, "gap", "ratio"], rows, note))
        if "path" in args.parts:
            columns = ["table", "pyscnn", "skpapers", "ratio", "worst excess of pyscnn", "of skpapers"]
            tables.append(Table("A path of eight alphas, 200 gates", columns, path_rows(args.rounds)))
        if "relu" in args.parts:
            columns = ["table", "activation", "gap asked", "Clarabel", "skpapers", "ratio", "gap", "cone violation"]
            note = "alpha / max = 0.05, 50 gates. Clarabel's time includes cvxpy's compilation of the program."
            tables.append(Table("Against Clarabel", columns, relu_rows(args.rounds), note))
        if "rows" in args.parts:
            columns = ["alpha", "skpapers", "active", "gap"]
            tables.append(
                Table("200,000 rows of 20 features, gated, 500 gates, to a gap of 1e-3", columns, many_rows())
            )
        if "memory" in args.parts:
            columns = ["alpha", "skpapers", "of the fit", "beyond the imports", "gap"]
            title = "Peak memory: 20,000 rows of 20 features, gated, 2000 gates"
            tables.append(Table(title, columns, memory_rows()))
        if "defaults" in args.parts:
            columns = ["table", "activation", "this", "score", "worst gap"]
            if args.against:
                columns += ["other", "score", "worst gap", "excess of the objective"]
            note = f"{SEEDS} seeds: median and range of CPU seconds, mean score on rows held out."
            rows = defaults_rows(args.cases, args.against)
            tables.append(Table("Default settings", columns, rows, note))
    for one in tables:
        one.print()
    if args.out:
        line = versions_line(versions("skpapers", "pyscnn", "torch", "cvxpy-base", "clarabel", "numpy", "numba"))
        parts = [f"## {one.title}\n\n{one.markdown()}" for one in tables]
        args.out.write_text("\n\n".join(["# Convex ReLU networks: speed", *parts, line]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
