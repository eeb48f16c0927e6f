"""Speed of distribution calibration: 100 rare classes beside 1000 base classes, and against SMOTE and a plain loop.

    python benchmarks/bench_few_shot.py [--rounds N]

CPU time of one process and one thread, medians over rounds in which the rivals take turns. The loop is Algorithm 1 of
the paper as one would write it down: a class at a time, a row at a time, with numpy. All make the same number of rows,
which a classifier that remembers them takes; what comes after, its own fit, is the same for all.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np
from imblearn.over_sampling import SMOTE
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.naive_bayes import GaussianNB
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import medians, seconds
from skpapers.few_shot import DistributionCalibratedFewShot

N_BASE = 1000
N_RARE = 100
D = 64
ROWS = 50  # of a base class, and drawn for a rare one
WANTED = 2.0


def rows_of(shots: int) -> tuple[NDArray, NDArray]:
    rng = np.random.default_rng(0)
    sizes = np.repeat([ROWS, shots], [N_BASE, N_RARE])
    y = np.repeat(np.arange(N_BASE + N_RARE), sizes)
    return rng.normal(size=(N_BASE + N_RARE, D))[y] + rng.normal(size=(len(y), D)) @ rng.normal(size=(D, D)) / 8, y


def loop(X: NDArray, y: NDArray, shots: int) -> NDArray:
    """The paper's algorithm, written down."""
    rng = np.random.default_rng(0)
    means = [X[y == c].mean(axis=0) for c in range(N_BASE)]
    covariances = [np.cov(X[y == c].T) for c in range(N_BASE)]
    drawn = []
    for x in X[y >= N_BASE]:
        near = np.argsort([np.linalg.norm(x - mean) for mean in means])[:2]
        mean = (means[near[0]] + means[near[1]] + x) / 3
        covariance = (covariances[near[0]] + covariances[near[1]]) / 2 + 0.21
        drawn.append(rng.multivariate_normal(mean, covariance, size=(ROWS - shots) // shots))
    return np.concatenate(drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="most rounds of a row, default 5")
    args = parser.parse_args()

    rows = []
    slowest = 0.0
    with threadpool_limits(1):
        for shots in (2, 5):
            X, y = rows_of(shots)
            draws = DistributionCalibratedFewShot(DummyClassifier(), random_state=0)
            literal = DistributionCalibratedFewShot(
                DummyClassifier(), mean_prior="paper", alpha=0.21, alpha_mode="full", random_state=0
            )
            bayes = DistributionCalibratedFewShot(GaussianNB(), random_state=0)
            closed = DistributionCalibratedFewShot(method="closed_form")
            novel = DistributionCalibratedFewShot(method="closed_form", predict_base=False)
            smote = SMOTE(k_neighbors=shots - 1, random_state=0)
            times = medians(
                [
                    partial(draws.fit, X, y),
                    partial(literal.fit, X, y),
                    partial(smote.fit_resample, X, y),
                    partial(loop, X, y, shots),
                    partial(bayes.fit, X, y),
                    partial(closed.fit, X, y),
                    partial(novel.fit, X, y),
                ],
                args.rounds,
            )
            slowest = max(slowest, times[0], times[1])
            rows.append([f"{shots} rows a rare class", *map(seconds, times[:4]), f"{times[3] / times[1]:.1f}",
                         f"{times[2] / times[0]:.1f}", *map(seconds, times[4:])])  # fmt: skip
    Table(
        f"{N_RARE} rare classes, {N_BASE} base classes of {ROWS} rows, {D} features",
        [
            "",
            "draws",
            "literal",
            "SMOTE",
            "loop",
            "loop / literal",
            "SMOTE / draws",
            "Bayes",
            "closed form",
            "novel only",
        ],
        rows,
        "*Draws*, *literal*: calibration and draws, at the defaults and as in the paper. *Bayes*: with the fit of "
        "naive Bayes. *Closed form*: the discriminant of all classes, and of the rare ones.",
    ).print()
    CONSOLE.print(f"Slowest calibration with its draws: {slowest:.2f} s (at most {WANTED:g} s wanted).")
    CONSOLE.print(f"[dim]{versions_line(versions('skpapers', 'scikit-learn', 'imbalanced-learn', 'numpy'))}[/dim]")


if __name__ == "__main__":
    main()
