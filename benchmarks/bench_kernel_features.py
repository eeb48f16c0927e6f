"""Random features: time of a transform, and error of the kernel at equal numbers of features, beside RBFSampler.

    python benchmarks/bench_kernel_features.py [--parts speed error tables] [--draws N] [--rounds N] [--out FILE.md]

One process and one thread; all sides take turns; CPU time, medians. The variances of the variants of positive features
are a claim: `python benchmarks/reproduce.py performer_kernel_error`.
"""

import argparse
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import ShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import medians, seconds
from benchmarks.tables import load_shuffled
from skpapers.kernel_approximation import (
    ArcCosineFeatures,
    PositiveOrthogonalFeatures,
    RandomFourierAttentionFeatures,
)

# rows, columns, features
SHAPES = ((1000, 10, 300), (5000, 30, 1000), (2000, 200, 2000), (100_000, 8, 100))
REGRESSION = ("concrete", "diabetes", "fish", "qsar", "carbon", "grid", "friedman1", "friedman2", "friedman3")
ALPHAS = np.logspace(-4, 6, 11)

Make = Callable[..., BaseEstimator]


def makers(n_features: int) -> dict[str, Make]:
    """Return the transformers of the times, the peer first."""
    return {
        "RBFSampler": partial(RBFSampler, gamma="scale", n_components=n_features, random_state=0),
        "positive": partial(PositiveOrthogonalFeatures, n_components=n_features, random_state=0),
        "hyperbolic": partial(PositiveOrthogonalFeatures, n_components=n_features, hyperbolic=True, random_state=0),
        "Fourier, unit rows": partial(RandomFourierAttentionFeatures, n_components=n_features, random_state=0),
        "arc-cosine": partial(ArcCosineFeatures, n_components=n_features, random_state=0),
    }


# Speed --------------------------------------------------------------------------------------------------------------


def speed_rows(max_rounds: int) -> list[Table]:
    tables = []
    for method in ("transform", "fit"):
        rows = []
        for dtype in (np.float64, np.float32):
            for n, p, m in SHAPES:
                X = np.random.default_rng(0).normal(size=(n, p)).astype(dtype)
                models = [make().fit(X) for make in makers(m).values()]
                times = medians([partial(getattr(model, method), X) for model in models], max_rounds)
                ratios = [f"{times[0] / time:.2f}" for time in times[1:]]
                rows.append([f"{n} x {p}, {m} features, {np.dtype(dtype).name}", seconds(times[0]), *ratios])
        columns = ["rows x columns", "RBFSampler", *list(makers(1))[1:]]
        note = "Time of RBFSampler, and how many times faster the others are."
        tables.append(Table(method, columns, rows, note))
    return tables


# Error of the kernel ------------------------------------------------------------------------------------------------


def squared_errors(make: Make, X: NDArray, Y: NDArray, kernel: NDArray, factor: float, draws: int) -> NDArray:
    """Return the squared errors of the kernel, relative to it and averaged over the pairs, one for each draw."""
    rng = np.random.RandomState(0)
    found = []
    with warnings.catch_warnings():
        # The transformer warns of the longest rows, which have too few features on purpose.
        warnings.filterwarnings("ignore", message="gamma=.* is too large", category=UserWarning)
        for _ in range(draws):
            features = make(random_state=rng).fit(X)
            estimate = factor * (features.transform(X) @ features.transform(Y).T)
            found.append(np.mean((estimate / kernel - 1.0) ** 2))
    return np.array(found)


def rows_of_length(rng: np.random.Generator, n: int, d: int, length: float) -> NDArray:
    X = rng.normal(size=(n, d))
    return length * X / np.linalg.norm(X, axis=1, keepdims=True)


def error_rows(draws: int) -> list[Table]:
    """The softmax kernel of rows of one length, where it is a Gaussian kernel times a constant."""
    rows = []
    for d, length in ((8, 0.5), (8, 1.0), (32, 0.5), (32, 1.0), (32, 1.5)):
        rng = np.random.default_rng(0)
        X = rows_of_length(rng, 20, d, length)
        Y = rows_of_length(rng, 20, d, length)
        kernel = np.exp(X @ Y.T)
        # Fourier features estimate exp(x.y) by the factor exp((|x|^2 + |y|^2) / 2).
        factor = np.exp(length**2)
        positive = partial(PositiveOrthogonalFeatures, gamma=1.0)
        for m in (32, 128, 512):
            sides: list[tuple[Make, float]] = [
                (partial(RBFSampler, gamma=0.5, n_components=m), factor),
                (partial(RandomFourierAttentionFeatures, gamma=length**2 / 2, n_components=m), factor),
                (partial(positive, n_components=m, orthogonal=False), 1.0),
                (partial(positive, n_components=m), 1.0),
                (partial(positive, n_components=m, hyperbolic=True), 1.0),
                (partial(positive, n_components=m, hyperbolic=True, regularized=True), 1.0),
            ]
            found = [squared_errors(make, X, Y, kernel, scale, draws).mean() for make, scale in sides]
            rows.append([f"{d} columns, length {length}, {m} features", *(f"{value:.2g}" for value in found)])
    columns = ["rows", "RBFSampler", "Fourier", "independent", "positive", "hyperbolic", "hyperbolic, regularized"]
    note = (
        f"Mean squared error relative to the kernel, 400 pairs, {draws} draws. Frequencies are orthogonal but for "
        "RBFSampler and 'independent', which is positive features without that."
    )
    return [Table("Error of the softmax kernel exp(x.y)", columns, rows, note)]


# Scores on tables ---------------------------------------------------------------------------------------------------


def table_rows() -> list[Table]:
    sides: dict[str, Make | None] = {
        "ridge": None,
        "RBFSampler, scale": partial(RBFSampler, gamma="scale"),
        **{f"RBFSampler, {gamma}": partial(RBFSampler, gamma=gamma) for gamma in (0.01, 0.03, 0.1)},
        "positive": PositiveOrthogonalFeatures,
        "positive, not standardised": PositiveOrthogonalFeatures,
        "hyperbolic": partial(PositiveOrthogonalFeatures, hyperbolic=True),
        "Fourier, unit rows": partial(RandomFourierAttentionFeatures, gamma=0.5),
        "arc-cosine": ArcCosineFeatures,
    }
    tables = []
    for m in (100, 300, 1000):
        rows = []
        for name in REGRESSION:
            CONSOLE.print(f"[dim]{name}, {m} features[/dim]")
            X, y = load_shuffled(name, 1000)
            cells = []
            for side, make in sides.items():
                between = [] if make is None else [make(n_components=m, random_state=0), StandardScaler()]
                if side.endswith("not standardised"):
                    del between[-1]
                model = make_pipeline(StandardScaler(), *between, RidgeCV(ALPHAS))
                split = ShuffleSplit(3, test_size=0.3, random_state=0)
                cells.append(float(cross_val_score(model, X, y, cv=split).mean()))
            rows.append((name, cells))
        means = np.mean([cells for _, cells in rows], axis=0)
        printed = [[name, *(f"{cell:.3f}" for cell in cells)] for name, cells in [*rows, ("mean", means)]]
        note = (
            "R², mean of 3 splits, at most 1000 rows. Columns and features are standardised, the penalty is set by CV."
        )
        tables.append(Table(f"Features in front of ridge, {m} of them", ["table", *sides], printed, note))
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=("speed", "error", "tables"), metavar="PART")
    parser.add_argument("--draws", type=int, default=100, help="draws of the frequencies, default 100")
    parser.add_argument("--rounds", type=int, default=7, help="most rounds of a timing, default 7")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the tables as markdown")
    args = parser.parse_args()
    tables: list[Table] = []
    with threadpool_limits(1):
        if "speed" in args.parts:
            tables += speed_rows(args.rounds)
        if "error" in args.parts:
            tables += error_rows(args.draws)
        if "tables" in args.parts:
            tables += table_rows()
    for table in tables:
        table.print()
    line = versions_line(versions("skpapers", "scikit-learn", "numpy"))
    CONSOLE.print(f"[dim]{line}[/dim]")
    if args.out:
        parts = [f"## {table.title}\n\n{table.markdown()}" for table in tables]
        args.out.write_text("\n\n".join(["# Random features: speed and error", *parts, line]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
