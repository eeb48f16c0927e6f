"""Sharpness-aware networks: the loop against scikit-learn's, the price of the second pass, and tabular rivals.

    python benchmarks/bench_mlp.py [--parts loop step tables defaults] [--tables NAME ...] [--seeds N] [--out FILE.md]

One process and one thread; both sides take turns; CPU time. Peers on tables: RealMLP_TD and TabM_D of pytabkit (tuned
defaults), scikit-learn's MLPClassifier behind a StandardScaler, and HistGradientBoostingClassifier; all with their
defaults. `--peers` chooses among them: TabM takes minutes for a fit on 4000 rows. The part "defaults" measures what the
defaults of the estimators do: the temperature, the scaling by rank, and the settings that follow the number of rows.
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
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import medians, seconds
from benchmarks.tables import load
from skpapers.neural_network import SAMMLPClassifier, SAMMLPRegressor

TABLES = ("avila", "eeg", "magic", "bean", "page", "digits", "skewed", "htru", "wine", "breast_cancer")
MAX_TRAIN = 4000
MAX_TEST = 10_000
PEERS = ("RealMLP_TD", "TabM", "MLP", "HGB")
JUDGED = ("breast_cancer", "wine", "digits", "bean", "eeg", "noise", "noise, 10 %")
NOISE = {"noise": 0.5, "noise, 10 %": 0.1}  # share of the second class
LARGE = {"smooth": 20_000, "avila": 10_000, "magic": 10_000, "htru": 10_000, "eeg": 10_000}
FEW_ROWS = {"batch_size": 64, "learning_rate_init": 0.005, "max_iter": 60, "sam_fraction": 1.0}
LOOPS = ((10_000, 20, 128), (10_000, 20, 1024), (100_000, 50, 128), (100_000, 50, 1024))


def skewed() -> tuple[NDArray, NDArray]:
    """Three classes in clusters; every other column has a heavy right tail."""
    shape = {"n_features": 20, "n_informative": 10, "n_redundant": 4, "n_clusters_per_class": 3}
    X, y = make_classification(8000, n_classes=3, class_sep=0.8, flip_y=0.05, random_state=0, **shape)
    X[:, ::2] = np.exp(X[:, ::2])
    return X, y


def noise(share: float) -> tuple[NDArray, NDArray]:
    """Return ten columns, and two classes that know nothing of them."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(4500, 10)), (np.arange(4500) < share * 4500).astype(int)[rng.permutation(4500)]


def smooth(n: int = 30_000) -> tuple[NDArray, NDArray]:
    """Return ten columns, and a smooth function of them with noise."""
    rng = np.random.RandomState(0)
    X = rng.randn(n, 10)
    signal = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.5 * X[:, 3] ** 2 + 0.3 * X[:, 4:].sum(axis=1)
    return X, signal + 0.4 * rng.randn(n)


def split(name: str, seed: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return training and test rows: half of the table each, up to `MAX_TRAIN` and `MAX_TEST` rows; 500 of noise."""
    X, y = skewed() if name == "skewed" else noise(NOISE[name]) if name in NOISE else load(name)[:2]
    rows = np.random.default_rng(seed).permutation(len(X))
    n = 500 if name in NOISE else min(MAX_TRAIN, len(X) // 2)
    train = rows[:n]
    test = rows[n : n + MAX_TEST]
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


def peer(name: str, seed: int) -> Any:
    if name == "MLP":
        return make_pipeline(StandardScaler(), MLPClassifier(random_state=seed))
    if name == "HGB":
        return HistGradientBoostingClassifier(random_state=seed)
    from pytabkit import RealMLP_TD_Classifier, TabM_D_Classifier

    make = {"RealMLP_TD": RealMLP_TD_Classifier, "TabM": TabM_D_Classifier}[name]
    return make(device="cpu", random_state=seed, n_threads=1, verbosity=0)


def rivals(seed: int, peers: list[str]) -> dict[str, Any]:
    return {
        **{name: peer(name, seed) for name in peers},
        "SAM": SAMMLPClassifier(random_state=seed, device="cpu"),
        "rho=0": SAMMLPClassifier(random_state=seed, device="cpu", rho=0.0),
        "SAM, 4 members": SAMMLPClassifier(random_state=seed, device="cpu", n_ensemble=4),
    }


def judged(model: Any, X: NDArray, y: NDArray, X_test: NDArray, y_test: NDArray) -> tuple[float, float, float]:
    """Return accuracy, log loss over the test rows of known classes, and CPU seconds of the fit."""
    start = time.process_time()
    model.fit(X, y)
    spent = time.process_time() - start
    return *scores(np.asarray(model.predict_proba(X_test)), np.unique(y), y_test), spent


def scores(p: NDArray, classes: NDArray, y: NDArray) -> tuple[float, float]:
    """Return accuracy, and log loss over the rows of known classes."""
    known = np.isin(y, classes)
    loss = log_loss(y[known], np.clip(p[known], 1e-12, 1.0), labels=classes)
    return float((classes[p.argmax(axis=1)] == y).mean()), float(loss)


def table_rows(names: list[str], seeds: int, peers: list[str]) -> list[Table]:
    found: dict[str, dict[str, NDArray]] = {}
    for name in names:
        runs: dict[str, list] = {}
        for seed in range(seeds):
            CONSOLE.print(f"[dim]{name}, seed {seed}[/dim]")
            data = split(name, seed)
            for rival, model in rivals(seed, peers).items():
                runs.setdefault(rival, []).append(judged(model, *data))
        found[name] = {rival: np.mean(values, axis=0) for rival, values in runs.items()}
    columns = list(next(iter(found.values())))
    base = columns[0]
    others = columns[1:]
    accuracy = [[name, *(f"{of[c][0]:.4f}" for c in columns)] for name, of in found.items()]
    losses = [[name, *(f"{of[c][1]:.3f}" for c in columns)] for name, of in found.items()]
    spent = [[name, *(seconds(of[c][2]) for c in columns)] for name, of in found.items()]
    ahead, ratios = (
        np.array([[of[c][k] - of[base][k] if k == 0 else of[c][k] / of[base][k] for c in others]
                  for of in found.values()])
        for k in (0, 2)
    )  # fmt: skip
    summary = [
        [f"accuracy minus {base}: median", *(f"{value:+.4f}" for value in np.median(ahead, axis=0))],
        ["worst", *(f"{value:+.4f}" for value in ahead.min(axis=0))],
        [f"CPU time over {base}: median", *(f"{value:.2f}" for value in np.median(ratios, axis=0))],
        ["worst", *(f"{value:.2f}" for value in ratios.max(axis=0))],
    ]
    note = (
        f"Mean of {seeds} seeds, each with a split of its own; half of each table, at most {MAX_TRAIN} rows, to train."
    )
    return [
        Table("Accuracy", ["table", *columns], accuracy, note),
        Table("Log loss", ["table", *columns], losses),
        Table("CPU time of a fit", ["table", *columns], spent),
        Table("Over all tables", ["", *others], summary),
    ]


# Defaults ---------------------------------------------------------------------------------------------------------


def mean_and_spread(values: Any, digits: int = 3) -> str:
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1) if len(values) > 1 else 0.0:.{digits}f}"


def with_and_without_temperature(
    X: NDArray, y: NDArray, X_test: NDArray, y_test: NDArray, seed: int
) -> tuple[float, float, float, float, float]:
    """Return accuracy, log loss, that without the temperature, the temperature, and CPU seconds of the fit."""
    model = SAMMLPClassifier(random_state=seed, device="cpu")
    accuracy, loss, spent = judged(model, X, y, X_test, y_test)
    raw = judged(SAMMLPClassifier(random_state=seed, device="cpu", calibration=None), X, y, X_test, y_test)[1]
    return accuracy, loss, raw, model.temperature_, spent


def log_loss_rows(names: list[str], seeds: int, peers: list[str]) -> list[Table]:
    losses = []
    accuracies = []
    spent = []
    for name in names:
        CONSOLE.print(f"[dim]defaults: {name}[/dim]")
        splits = [split(name, seed) for seed in range(seeds)]
        of_peers = [[judged(peer(rival, seed), *data) for seed, data in enumerate(splits)] for rival in peers]
        ours = np.array([with_and_without_temperature(*data, seed) for seed, data in enumerate(splits)])
        their = np.array(of_peers).reshape(len(peers), seeds, 3)
        best = their[:, :, 1].mean(axis=1).min() if peers else np.nan
        cells = [mean_and_spread(of) for of in (*their[:, :, 1], ours[:, 2], ours[:, 1])]
        losses.append([name, *cells, f"{ours[:, 1].mean() - best:+.3f}", f"{np.median(ours[:, 3]):.1f}"])
        accuracies.append([name, *(mean_and_spread(of) for of in (*their[:, :, 0], ours[:, 0]))])
        spent.append([name, *(seconds(float(of.mean())) for of in (*their[:, :, 2], ours[:, 4]))])
    note = (
        f"Mean and standard deviation over {seeds} seeds, each with a split of its own; half of each table, at most "
        f"{MAX_TRAIN} rows, to train; noise: 500 rows, 10 columns, two classes, of equal size or 10 % to 90 %."
    )
    columns = ["calibration=None", "SAM", "SAM minus the best peer", "temperature, median"]
    return [
        Table("Defaults: log loss", ["table", *peers, *columns], losses, note),
        Table("Defaults: accuracy", ["table", *peers, "SAM"], accuracies, ""),
        Table("Defaults: CPU time of a fit", ["table", *peers, "SAM"], spent),
    ]


def raw_columns(kind: str, n: int, rng: np.random.RandomState) -> tuple[NDArray, NDArray]:
    """Return columns that quartiles do not describe, and a target."""
    X = rng.randn(n, 4)
    if kind.startswith("flag"):
        X[:, 0] = rng.rand(n) < 0.2
        return X, 2.0 * X[:, 0] + 0.2 * rng.randn(n)
    if kind == "78 % zeros, lognormal tail":
        X[:, :2] = np.where(rng.rand(n, 2) < 0.78, 0.0, np.exp(2.0 * X[:, :2]))
        return X, np.log1p(X[:, :2]).sum(axis=1) + 0.2 * rng.randn(n)
    X = np.exp(2.0 * X)
    return X, np.log(X[:, 0]) + np.sin(np.log(X[:, 1])) + 0.2 * rng.randn(n)


def raw_column_rows(seeds: int) -> Table:
    rows = []
    for kind in ("flag", "flag with one 9999", "78 % zeros, lognormal tail", "lognormal, sd 2"):
        CONSOLE.print(f"[dim]defaults: {kind}[/dim]")
        found = []
        for seed in range(seeds):
            rng = np.random.RandomState(seed)
            X, y = raw_columns(kind, 1000, rng)
            test = raw_columns(kind, 2000, rng)
            X[0, 0] = 9999.0 if "9999" in kind else X[0, 0]
            quantiles = QuantileTransformer(output_distribution="normal", n_quantiles=500)
            ours = SAMMLPRegressor(random_state=seed, device="cpu")
            models = [ours, make_pipeline(quantiles, ours), HistGradientBoostingRegressor()]
            found.append([clone(model).fit(X, y).score(*test) for model in models])
        rows.append([kind, *(mean_and_spread(of) for of in np.transpose(found))])
    note = "R² on 2000 rows after training on 1000."
    return Table("Defaults: raw columns", ["columns", "SAM", "SAM after a quantile transform", "HGB"], rows, note)


def cost_rows(seeds: int) -> Table:
    rows = []
    for name, n in LARGE.items():
        CONSOLE.print(f"[dim]defaults: {name}, {n} rows[/dim]")
        X, y = smooth() if name == "smooth" else load(name)[:2]
        mlp, sam = (MLPRegressor, SAMMLPRegressor) if name == "smooth" else (MLPClassifier, SAMMLPClassifier)
        few = FEW_ROWS if name == "smooth" else {**FEW_ROWS, "calibration": None}
        found = []
        for seed in range(seeds):
            order = np.arange(len(X)) if name == "smooth" else np.random.default_rng(seed).permutation(len(X))
            train = order[:n]
            test = order[n:]
            models = [
                make_pipeline(StandardScaler(), mlp(random_state=seed)),
                sam(random_state=seed, device="cpu", **few),
                sam(random_state=seed, device="cpu"),
            ]
            for model in models:
                start = time.process_time()
                model.fit(X[train], y[train])
                found.append([time.process_time() - start, model.score(X[test], y[test])])
        spent, score = np.array(found).reshape(seeds, len(models), 2).mean(axis=0).T
        cells = [f"{value:.4f}" for value in score] + [seconds(float(value)) for value in spent]
        rows.append([f"{name}, {n} x {X.shape[1]}", *cells, f"{spent[2] / spent[0]:.2f}"])
    models = ["MLP", "SAM, settings of few rows", "SAM"]
    columns = [*(f"score, {model}" for model in models), *(f"CPU, {model}" for model in models), "SAM / MLP"]
    note = f"R² or accuracy; mean of {seeds} seeds. In the middle columns batches of 64 rows, 60 epochs, rate 0.005."
    return Table("Defaults: many rows", ["table", *columns], rows, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=("loop", "step", "tables", "defaults"), metavar="PART")
    parser.add_argument("--tables", nargs="+", default=TABLES, metavar="NAME", help=f"of {' '.join(TABLES)}")
    parser.add_argument("--peers", nargs="*", default=PEERS, metavar="PEER", help=f"of {' '.join(PEERS)}")
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
            tables += table_rows(list(args.tables), args.seeds, list(args.peers))
        if "defaults" in args.parts:
            tables += log_loss_rows([*JUDGED], args.seeds, list(args.peers))
            tables += [raw_column_rows(args.seeds), cost_rows(args.seeds)]
    for table in tables:
        table.print()
    if args.out:
        line = versions_line(versions("skpapers", "pytabkit", "torch", "scikit-learn", "numpy"))
        parts = [f"## {table.title}\n\n{table.markdown()}" for table in tables]
        text = "\n\n".join(["# Sharpness-aware networks: speed and accuracy", *parts, line])
        args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
