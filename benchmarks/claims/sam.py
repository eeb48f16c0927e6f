"""Claims of Sharpness-Aware Minimization (Foret, Kleiner, Mobahi, Neyshabur; ICLR 2021)."""

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._statistics import arrow, interval
from benchmarks.tables import load_shuffled
from skpapers.neural_network import SAMMLPClassifier

RADII = (0.0, 0.05, 0.1, 0.2, 0.3)
BEST = RADII.index(0.3)
# Rows to train on, and the share of labels drawn anew.
SETTINGS = (("digits", 600, 0.4), ("digits", 300, 0.0), ("breast_cancer", 300, 0.3), ("breast_cancer", 300, 0.0))
NETWORK = {
    "hidden_layer_sizes": (64, 64),
    "numeric_embedding": "none",
    "alpha": 0.01,
    "dropout": 0.0,
    "batch_size": 32,
    "max_iter": 40,
    "learning_rate_init": 3e-3,
    "calibration": None,
    "device": "cpu",
}


def runs_of_seed(name: str, n: int, noise: float, seed: int) -> NDArray:
    """Return test accuracy and top eigenvalue for every radius, of shape (n_radii, 2)."""
    torch.set_num_threads(1)
    X, y = load_shuffled(name)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    train = order[:n]
    test = order[n:]
    labels = y[train].copy()
    drawn = rng.random(n) < noise
    labels[drawn] = rng.choice(np.unique(y), size=drawn.sum())
    found = []
    for rho in RADII:
        model = SAMMLPClassifier(**NETWORK, rho=rho, random_state=seed).fit(X[train], labels)
        found.append([model.score(X[test], y[test]), model.sharpness(X[train], labels)])
    return np.array(found)


@claim(
    "sam_label_noise",
    paper="sam",
    statement="Sharpness-aware minimisation finds flatter minima that generalise better, and is robust to noisy "
    "labels: with random training labels it gains most.",
    seeds=10,
    packages=("torch",),
)
def sam_label_noise(seeds: int, jobs: int) -> Result:
    tasks = [(*setting, seed) for setting in SETTINGS for seed in range(seeds)]
    done = Parallel(n_jobs=jobs)(delayed(runs_of_seed)(*task) for task in tasks)
    found = np.array(done).reshape(len(SETTINGS), seeds, len(RADII), 2)
    accuracy = found[..., 0]
    top = found[..., 1]
    rows = []
    for i, (name, n, noise) in enumerate(SETTINGS):
        gains = [100.0 * (accuracy[i, :, k] - accuracy[i, :, 0]) for k in range(1, len(RADII))]
        cells = [f"{gain.mean():+.1f} [{low:+.1f}, {high:+.1f}]{arrow(low, high)}" for gain in gains
                 for low, high in [interval(gain)]]  # fmt: skip
        rows.append([f"{name}, {n} rows, {noise:.0%} random labels", f"{accuracy[i, :, 0].mean():.3f}", *cells])
    flat = [[row[0], *(f"{value:.3g}" for value in np.median(top[i], axis=0))] for i, row in enumerate(rows)]
    gain = 100.0 * (accuracy[..., BEST] - accuracy[..., 0])
    ratio = np.median(top[..., BEST] / top[..., 0], axis=1)
    noisy = [i for i, (_, _, noise) in enumerate(SETTINGS) if noise > 0]
    clean = [i for i in range(len(SETTINGS)) if i not in noisy]
    helps = all(interval(gain[i])[0] > 0 for i in noisy)
    harmless = all(gain[i].mean() >= -0.3 for i in clean)
    flatter = bool((ratio <= 0.5).all())
    shows: Shows = "shows" if helps and harmless and flatter else "mixed" if helps or flatter else "does not show"
    return Result(
        shows,
        "Against the same network without the second pass, rho = 0.3 gains "
        + ", ".join(f"{gain[i].mean():+.1f} points ({rows[i][0]})" for i in range(len(SETTINGS)))
        + f"; the top eigenvalue of the Hessian falls to {ratio.min():.2f} to {ratio.max():.2f} of what it was.",
        "digits and breast_cancer; the rows that do not train are the test part, with their true labels",
        "SiLU network of 64 x 64 units, AdamW, batches of 32 rows, 40 epochs, at five radii. It shows if rho = 0.3 is "
        "better beyond the 95% interval over seeds with random labels, loses no more than 0.3 points with true ones, "
        "and at least halves the top eigenvalue everywhere (median over seeds)",
        [
            Table("Points of accuracy over rho = 0", ["data", "rho=0", *(f"rho={r}" for r in RADII[1:])], rows),
            Table("Top eigenvalue of the Hessian on the training rows, median", ["data", *map(str, RADII)], flat),
        ],
        {"gain": float(gain[0].mean()), "ratio": float(ratio[0])},
    )
