"""Claims of the paper on convex ReLU networks: speed (Figure 4), test accuracy (Table 2), samples (Figures 1 and 5)."""

import logging
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks._report import Table
from benchmarks._timing import cpu_seconds
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims.convex_relu import split
from benchmarks.tables import load_shuffled
from skpapers.convex import ConvexReLUClassifierCV, ConvexReLURegressor

PAPER = "convex_relu"
TABLES = ("diabetes", "concrete", "breast_cancer", "bank", "raisin")
SHARES = (0.1, 0.02)
GATES = 100
ACCURACY = 1e-3
LIMIT = 4.0  # CPU seconds of a method on a problem
STEPS = (0.1, 0.01, 0.001)
RATIOS = (1, 2, 5, 10, 30, 100, 300, 1000)


def gated(G: NDArray, alpha: float, tol: float, **kwargs: Any) -> ConvexReLURegressor:
    return ConvexReLURegressor(
        "gated_relu", alpha, gates=G, fit_intercept=False, output_intercept=False, standardize=False, tol=tol,
        max_iter=100_000, random_state=0, **kwargs,
    )  # fmt: skip


def by_gradients(kind: str, X: NDArray, y: NDArray, D: NDArray, alpha: float, goal: float, step: float) -> float:
    """Train the gated network with weight decay until its objective is at most `goal`; return CPU seconds.

    Adam takes all rows at once, SGD (momentum 0.9) a tenth of them. Looks at the objective are not counted; infinity
    stands for a run that ends without it.
    """
    import torch

    torch.set_num_threads(1)
    draw = torch.Generator().manual_seed(0)
    rows, gates, target = (torch.from_numpy(A) for A in (X, D, y))
    n, d = X.shape
    W = torch.randn(d, D.shape[1], generator=draw, dtype=torch.float64) / d**0.5
    a = torch.randn(D.shape[1], generator=draw, dtype=torch.float64) / D.shape[1] ** 0.5
    weights = [W.requires_grad_(), a.requires_grad_()]
    optimizer = (
        torch.optim.Adam(weights, lr=step) if kind == "Adam" else torch.optim.SGD(weights, lr=step, momentum=0.9)
    )

    def objective(part: Any) -> Any:
        Z = (gates[part] * (rows[part] @ W)) @ a
        return 0.5 * ((Z - target[part]) ** 2).mean() + alpha / 2 * ((W**2).sum() + (a**2).sum())

    used = 0.0
    while used < LIMIT:
        start = time.process_time()
        for _ in range(20):
            order = [slice(None)] if kind == "Adam" else torch.randperm(n, generator=draw).split(max(1, n // 10))
            for part in order:
                optimizer.zero_grad()
                objective(part).backward()
                optimizer.step()
        used += time.process_time() - start
        with torch.no_grad():
            value = float(objective(slice(None)))
        if value <= goal:
            return used
        if not np.isfinite(value):
            break
    return np.inf


def by_the_peer(X: NDArray, y: NDArray, G: NDArray, alpha: float, goal: float) -> float:
    """Return the CPU seconds of the least power of two of iterations, from 8 on, after which pyscnn is at `goal`."""
    from benchmarks.bench_convex import peer

    logging.getLogger("scnn").setLevel(logging.ERROR)
    iterations = 8
    used = 0.0
    while used < LIMIT:
        start = time.process_time()
        value = peer(X, y, G, alpha, iterations)
        used = time.process_time() - start
        if value <= goal:
            return used
        iterations *= 2
    return np.inf


def race(name: str, share: float) -> dict[str, float]:
    """Return the CPU seconds of all methods on one gated problem."""
    X, y, _, _ = split(name)
    X = np.ascontiguousarray(np.hstack([X, np.ones((len(X), 1))]))
    if name not in ("diabetes", "concrete"):
        y = 2.0 * y - 1.0
    G = np.random.default_rng(0).normal(size=(X.shape[1], GATES))
    _, first = np.unique(X @ G > 0, axis=1, return_index=True)
    G = G[:, np.sort(first)]
    alpha = share * float(gated(G, 1.0, 0.5).fit(X, y).alpha_max_)
    best = gated(G, alpha, 1e-8).fit(X, y)
    goal = best.objective_ * (1 + ACCURACY)
    D = (X @ G > 0).astype(np.float64)
    times = {"skpapers": float(np.median([cpu_seconds(lambda: gated(G, alpha, ACCURACY).fit(X, y)) for _ in range(5)]))}
    times["pyscnn"] = by_the_peer(X, y, G, alpha, goal)
    times["Clarabel"] = cpu_seconds(lambda: gated(G, alpha, ACCURACY, solver="cvxpy").fit(X, y))
    for kind in ("Adam", "SGD"):
        times[kind] = min(by_gradients(kind, X, y, D, alpha, goal, step) for step in STEPS)
    return times


@claim(
    "convex_relu_profile",
    paper=PAPER,
    statement="The convex solver solves more problems, and solves them faster, than Adam, SGD and an interior-point "
    "method.",
    seeds=1,
    packages=("torch", "pyscnn", "cvxpy-base", "clarabel"),
)
def convex_relu_profile(seeds: int, jobs: int) -> Result:
    problems = [(name, share) for name in TABLES for share in SHARES]
    for activation in ("relu", "gated_relu"):  # compiles the kernels
        rng = np.random.default_rng(0)
        ConvexReLURegressor(activation, 0.01, random_state=0).fit(rng.normal(size=(90, 3)), rng.normal(size=90))
    times = [race(*problem) for problem in problems]  # one after the other: nothing may disturb the clock
    methods = list(times[0])
    table = np.array([[found[method] for method in methods] for found in times])
    factor = table / table.min(axis=1, keepdims=True)
    share = {ratio: (factor <= ratio).mean(axis=0) for ratio in RATIOS}
    rows = [[method, *(f"{100 * share[ratio][k]:.0f}%" for ratio in RATIOS)] for k, method in enumerate(methods)]
    single = [
        [name, f"{part:g}", *(f"{seconds:.3g}" if np.isfinite(seconds) else f"> {LIMIT:g}" for seconds in row)]
        for (name, part), row in zip(problems, table, strict=True)
    ]
    first = int((table.argmin(axis=1) == 0).sum())
    shows: Shows = "shows" if first == len(problems) else "mixed" if first else "does not show"
    solved = ", ".join(f"{m} {int(np.isfinite(table[:, k]).sum())}" for k, m in enumerate(methods))
    median = {m: float(np.median(factor[:, k])) for k, m in enumerate(methods) if k}
    medians = ", ".join(f"{m} {value:.0f}" if np.isfinite(value) else f"{m} none" for m, value in median.items())
    return Result(
        shows,
        f"skpapers is the fastest on {first} of {len(problems)} problems. Problems solved: {solved}. Median of the "
        f"time over the fastest: {medians}.",
        f"{len(TABLES)} tables, three quarters of their rows: {', '.join(TABLES)}",
        f"gated networks of {GATES} fixed gates, squared error, alpha of 10% and 2% of its largest value; CPU time to "
        f"an objective within {ACCURACY:g} of the optimum, at most {LIMIT:g} s; ours stops by its certificate, "
        f"Clarabel at its own tolerance of 1e-8, Adam and SGD at the best of {len(STEPS)} step sizes and pyscnn at the "
        "best power of two of iterations, known afterwards; shows if skpapers is the fastest on all problems",
        [
            Table("Share of problems solved within a multiple of the fastest method's time",
                  ["method", *(f"{ratio} x" for ratio in RATIOS)], rows),
            Table("CPU seconds", ["table", "alpha / max", *methods], single),
        ],
        {f"median factor, {m}": value for m, value in median.items() if np.isfinite(value)},
    )  # fmt: skip


ACCURACY_TABLES = ("breast_cancer", "bank", "raisin", "wilt", "htru", "magic", "eeg", "bidding")
ROWS = 600


def rivals(seed: int) -> Iterator[tuple[str, Any]]:
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    yield "ReLU", ConvexReLUClassifierCV(alphas=4, eps=0.01, n_gates=100, cv=folds, random_state=seed)
    yield "gated", ConvexReLUClassifierCV("gated_relu", alphas=6, eps=0.005, n_gates=300, cv=folds, random_state=seed)
    forest = RandomForestClassifier(random_state=seed)
    yield "RandomForest", GridSearchCV(forest, {"min_samples_leaf": [1, 3]}, cv=folds)
    machine = make_pipeline(StandardScaler(), SVC())
    yield "SVC", GridSearchCV(machine, {"svc__C": [0.1, 1, 10, 100], "svc__gamma": ["scale", 0.01]}, cv=folds)
    network = make_pipeline(StandardScaler(), MLPClassifier(max_iter=300, random_state=seed))
    yield "MLP", GridSearchCV(network, {"mlpclassifier__alpha": [1e-3, 0.3]}, cv=folds)


def accuracies(name: str, seed: int) -> dict[str, float]:
    X, y = load_shuffled(name)
    y = np.unique(y, return_inverse=True)[1]
    few = np.random.default_rng(seed).permutation(len(X))[:ROWS]
    X, X_test, y, y_test = train_test_split(X[few], y[few], test_size=1 / 3, random_state=seed, stratify=y[few])
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for method, model in rivals(seed):
            found[method] = float(model.fit(X, y).score(X_test, y_test))
    return found


@claim(
    "convex_relu_accuracy",
    paper=PAPER,
    statement="Convex networks are as accurate as random forests and support vector machines, or better, on small "
    "tables.",
    seeds=2,
)
def convex_relu_accuracy(seeds: int, jobs: int) -> Result:
    tasks = [(name, seed) for name in ACCURACY_TABLES for seed in range(seeds)]
    done = Parallel(n_jobs=jobs)(delayed(accuracies)(*task) for task in tasks)
    methods = list(done[0])
    score = np.array([[found[m] for m in methods] for found in done]).reshape(len(ACCURACY_TABLES), seeds, -1)
    mean = score.mean(axis=1)
    rows = [
        [name, *(f"{m:.3f} ± {s:.3f}" for m, s in zip(mean[i], score[i].std(axis=0), strict=True))]
        for i, name in enumerate(ACCURACY_TABLES)
    ]
    overall = mean.mean(axis=0)
    rows.append(["mean", *(f"{value:.4f}" for value in overall)])
    lead = max(overall[:2]) - overall[2:].max()
    shows: Shows = "shows" if lead >= 0 else "mixed" if max(overall[:2]) >= overall[2:].min() else "does not show"
    means = ", ".join(f"{m} {value:.4f}" for m, value in zip(methods, overall, strict=True))
    return Result(
        shows,
        f"Mean accuracy: {means}.",
        f"{len(ACCURACY_TABLES)} tables of two classes, at most {ROWS} rows of each: {', '.join(ACCURACY_TABLES)}",
        "2/3 of the rows train, 1/3 test, a new split each seed; each method chooses its parameters by the same three "
        "folds of the training part; shows if the better of the two convex networks has at least the mean accuracy of "
        "the best rival, mixed if of the worst",
        [Table("Test accuracy", ["table", *methods], rows)],
        dict(zip(methods, map(float, overall), strict=True)),
    )


SAMPLES = (50, 200, 1000, 4000)


def sampled(name: str, seed: int) -> list[tuple[float, float, float]]:
    """Return objective, violation and CPU seconds for every sample size, then for column generation."""
    X, y, _, _ = split(name)
    y = y if name in ("diabetes", "concrete") else 2.0 * y - 1.0
    alpha = 0.05 * float(ConvexReLURegressor(alpha=1.0, n_gates=200, n_refine=0, random_state=0).fit(X, y).alpha_max_)
    found = []
    for P, rounds in [*((P, 0) for P in SAMPLES), (SAMPLES[0], 10)]:
        model = ConvexReLURegressor(alpha=alpha, n_gates=P, n_refine=rounds, random_state=seed)
        used = cpu_seconds(lambda: model.fit(X, y))  # noqa: B023
        found.append((model.objective_, model.pattern_violation_, used))
    return found


@claim(
    "convex_relu_sampling",
    paper=PAPER,
    statement="A sample of the activation patterns, much smaller than their number, is enough to come close to the "
    "optimum of all.",
    seeds=3,
)
def convex_relu_sampling(seeds: int, jobs: int) -> Result:
    tasks = [(name, seed) for name in TABLES for seed in range(seeds)]
    done = Parallel(n_jobs=jobs)(delayed(sampled)(*task) for task in tasks)
    values = np.array(done).reshape(len(TABLES), seeds, len(SAMPLES) + 1, 3)
    objective = values[..., 0] / values[..., 0].min(axis=(1, 2), keepdims=True)
    mean = objective.mean(axis=1)
    columns = [*(f"{P} patterns" for P in SAMPLES), f"{SAMPLES[0]}, column generation"]
    tables = [
        Table(title, ["table", *columns], [
            [name, *(form.format(value) for value in row)] for name, row in zip(TABLES, found, strict=True)
        ])
        for title, form, found in (
            ("Objective over the least found", "{:.3f}", mean),
            ("Largest violation found, over alpha", "{:.2f}", values[..., 1].mean(axis=1)),
            ("CPU seconds", "{:.2g}", values[..., 2].mean(axis=1)),
        )
    ]  # fmt: skip
    close = int((mean[:, -2] <= 1.01).sum())
    shows: Shows = "shows" if close == len(TABLES) else "mixed" if close else "does not show"
    return Result(
        shows,
        f"With {SAMPLES[-1]} sampled patterns the objective is within 1% of the least found on {close} of "
        f"{len(TABLES)} tables, on average {100 * (mean[:, -2].mean() - 1):.0f}% above it; with column generation from "
        f"{SAMPLES[0]} patterns on {int((mean[:, -1] <= 1.01).sum())}, {100 * (mean[:, -1].mean() - 1):.1f}% above it.",
        f"{len(TABLES)} tables, three quarters of their rows: {', '.join(TABLES)}",
        "ReLU networks, squared error, alpha 5% of its largest value, a gap of 1e-3; the least objective over all "
        "samples, seeds and ten rounds of column generation is what the others are compared with; shows if the "
        "largest sample is within 1% of it everywhere",
        tables,
        {column: float(value) for column, value in zip(columns, mean.mean(axis=0), strict=True)},
    )
