"""Sharpness-aware networks: the loop against scikit-learn's, the price of the second pass, and tabular rivals.

    python benchmarks/bench_mlp.py [--parts loop step tables] [--tables NAME ...] [--seeds N] [--out FILE.md]

One process and one thread; both sides take turns; CPU time. Peers on tables: RealMLP_TD of pytabkit (tuned defaults),
scikit-learn's MLPClassifier behind a StandardScaler, and HistGradientBoostingClassifier; all with their defaults.
"""

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import medians, seconds
from benchmarks.tables import load
from skpapers.neural_network import SAMMLPClassifier

TABLES = ("avila", "eeg", "magic", "bean", "page", "digits", "skewed", "htru", "wine", "breast_cancer")
MAX_TRAIN, MAX_TEST = 4000, 10_000
LOOPS = ((10_000, 20, 128), (10_000, 20, 1024), (100_000, 50, 128), (100_000, 50, 1024))


def skewed() -> tuple[NDArray, NDArray]:
    """Three classes in clusters; every other column has a heavy right tail."""
    shape = {"n_features": 20, "n_informative": 10, "n_redundant": 4, "n_clusters_per_class": 3}
    X, y = make_classification(8000, n_classes=3, class_sep=0.8, flip_y=0.05, random_state=0, **shape)
    X[:, ::2] = np.exp(X[:, ::2])
    return X, y


def split(name: str, seed: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return training and test rows: half of the table each, up to `MAX_TRAIN` and `MAX_TEST` rows."""
    X, y = skewed() if name == "skewed" else load(name)[:2]
    rows = np.random.default_rng(seed).permutation(len(X))
    n = min(MAX_TRAIN, len(X) // 2)
    train, test = rows[:n], rows[n : n + MAX_TEST]
    return X[train], y[train], X[test], y[test]


# The loop, and the step -------------------------------------------------------------------------------------------

PLAIN = {"scaling": None, "numeric_embedding": "none", "dropout": 0.0, "activation": "relu", "device": "cpu"}


def random_rows(n: int, p: int) -> tuple[NDArray, NDArray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, p)).astype(np.float32), rng.integers(10, size=n)


def loop_rows(max_rounds: int) -> Table:
    rows = []
    for n, p, batch in LOOPS:
        X, y = random_rows(n, p)
        epochs = max(1, 30_000 // n) * (1 if batch == 128 else 2)
        same = {"hidden_layer_sizes": (128, 128), "batch_size": batch, "max_iter": epochs, "random_state": 0}
        jobs: list[Callable[[], Any]] = [
            lambda X=X, y=y, same=same: MLPClassifier(**same).fit(X, y),
            lambda X=X, y=y, same=same: SAMMLPClassifier(**same, **PLAIN, rho=0.0, solver="adam").fit(X, y),
        ]
        peer, ours = (value / epochs for value in medians(jobs, max_rounds))
        rows.append([f"{n} x {p}", str(batch), seconds(peer), seconds(ours), f"{peer / ours:.2f}"])
    note = "Adam, 128 x 128 ReLU units, ten classes, float32 on both sides, no second pass; whole fits, for one epoch."
    return Table("The plain loop", ["n x p", "batch", "MLPClassifier", "rho=0", "ratio"], rows, note)


def step_rows(max_rounds: int) -> Table:
    X, y = random_rows(4000, 20)
    rows = []
    for what, more in (
        ("64 x 64", PLAIN),
        ("64 x 64, batch_norm, dropout", {**PLAIN, "batch_norm": True, "dropout": 0.1}),
        ("64 x 64, 4 members", {**PLAIN, "n_ensemble": 4}),
        ("the defaults", {"device": "cpu"}),
    ):
        size = {} if what == "the defaults" else {"hidden_layer_sizes": (64, 64)}
        kwargs = {**more, **size, "max_iter": 4, "random_state": 0}
        jobs: list[Callable[[], Any]] = [
            lambda kwargs=kwargs: SAMMLPClassifier(**kwargs, rho=0.0).fit(X, y),
            lambda kwargs=kwargs: SAMMLPClassifier(**kwargs, rho=0.05).fit(X, y),
        ]
        plain, sam = (value / (4 * np.ceil(len(X) / 64)) for value in medians(jobs, max_rounds))
        rows.append([what, seconds(plain), seconds(sam), f"{sam / plain:.2f}"])
    return Table("A step of 64 rows", ["network", "rho=0", "rho=0.05", "ratio"], rows, "4000 x 20, ten classes.")


# Tables -----------------------------------------------------------------------------------------------------------


def rivals(seed: int) -> dict[str, Any]:
    from pytabkit import RealMLP_TD_Classifier

    return {
        "RealMLP_TD": RealMLP_TD_Classifier(device="cpu", random_state=seed, n_threads=1, verbosity=0),
        "SAM": SAMMLPClassifier(random_state=seed, device="cpu"),
        "rho=0": SAMMLPClassifier(random_state=seed, device="cpu", rho=0.0),
        "SAM, 4 members": SAMMLPClassifier(random_state=seed, device="cpu", n_ensemble=4),
        "MLP": make_pipeline(StandardScaler(), MLPClassifier(random_state=seed)),
        "HGB": HistGradientBoostingClassifier(random_state=seed),
    }


def judged(model: Any, X: NDArray, y: NDArray, X_test: NDArray, y_test: NDArray) -> tuple[float, float, float]:
    """Return accuracy, log loss over the test rows of known classes, and CPU seconds of the fit."""
    start = time.process_time()
    model.fit(X, y)
    spent = time.process_time() - start
    p, classes = np.asarray(model.predict_proba(X_test)), np.unique(y)
    known = np.isin(y_test, classes)
    loss = log_loss(y_test[known], np.clip(p[known], 1e-12, 1.0), labels=classes)
    return float((classes[p.argmax(axis=1)] == y_test).mean()), float(loss), spent


def table_rows(names: list[str], seeds: int) -> list[Table]:
    found: dict[str, dict[str, NDArray]] = {}
    for name in names:
        runs: dict[str, list] = {}
        for seed in range(seeds):
            CONSOLE.print(f"[dim]{name}, seed {seed}[/dim]")
            data = split(name, seed)
            for rival, model in rivals(seed).items():
                runs.setdefault(rival, []).append(judged(model, *data))
        found[name] = {rival: np.mean(values, axis=0) for rival, values in runs.items()}
    columns = list(next(iter(found.values())))
    accuracy = [[name, *(f"{of[c][0]:.4f}" for c in columns)] for name, of in found.items()]
    losses = [[name, *(f"{of[c][1]:.3f}" for c in columns)] for name, of in found.items()]
    spent = [[name, *(seconds(of[c][2]) for c in columns)] for name, of in found.items()]
    ahead, ratios = (
        np.array([[of[c][k] - of["RealMLP_TD"][k] if k == 0 else of[c][k] / of["RealMLP_TD"][k] for c in columns[1:]]
                  for of in found.values()])
        for k in (0, 2)
    )  # fmt: skip
    summary = [
        ["accuracy minus RealMLP_TD: median", *(f"{value:+.4f}" for value in np.median(ahead, axis=0))],
        ["worst", *(f"{value:+.4f}" for value in ahead.min(axis=0))],
        ["CPU time over RealMLP_TD: median", *(f"{value:.2f}" for value in np.median(ratios, axis=0))],
        ["worst", *(f"{value:.2f}" for value in ratios.max(axis=0))],
    ]
    note = (
        f"Mean of {seeds} seeds, each with a split of its own; half of each table, at most {MAX_TRAIN} rows, to train."
    )
    return [
        Table("Accuracy", ["table", *columns], accuracy, note),
        Table("Log loss", ["table", *columns], losses),
        Table("CPU time of a fit", ["table", *columns], spent),
        Table("Over all tables", ["", *columns[1:]], summary),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=("loop", "step", "tables"), metavar="PART")
    parser.add_argument("--tables", nargs="+", default=TABLES, metavar="NAME", help=f"of {' '.join(TABLES)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7, help="most rounds of a timing, default 7")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the tables as markdown")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    logging.disable(logging.WARNING)  # lightning, under pytabkit, tells of every fit
    torch.set_num_threads(1)
    tables: list[Table] = []
    with threadpool_limits(1):
        if "loop" in args.parts:
            tables.append(loop_rows(args.rounds))
        if "step" in args.parts:
            tables.append(step_rows(args.rounds))
        if "tables" in args.parts:
            tables += table_rows(list(args.tables), args.seeds)
    for table in tables:
        table.print()
    if args.out:
        line = versions_line(versions("skpapers", "pytabkit", "torch", "scikit-learn", "numpy"))
        parts = [f"## {table.title}\n\n{table.markdown()}" for table in tables]
        text = "\n\n".join(["# Sharpness-aware networks: speed and accuracy", *parts, line])
        args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
