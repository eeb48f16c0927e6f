"""Claims of Self-training For Few-shot Transfer Across Extreme Task Differences (Phoo, Hariharan; ICLR 2021)."""

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._statistics import arrow, interval
from skpapers.few_shot import STARTUPClassifier

SHIFTS = ("pixels mixed linearly", "pixels inverted, with noise", "no shift")
SHOTS = (1, 5)
EPISODES = 50
# What the features come from: parameters, and whether source rows are given.
METHODS = {
    "teacher": ({"distill_weight": 0.0, "ssl_weight": 0.0}, True),
    "without self-supervision": ({"ssl_weight": 0.0}, True),
    "STARTUP": ({}, True),
    "SimCLR alone": ({}, False),
    "without distillation": ({"distill_weight": 0.0}, True),
    "teacher, no batch norm": ({"distill_weight": 0.0, "ssl_weight": 0.0, "batch_norm": False}, True),
    "without self-supervision, no batch norm": ({"ssl_weight": 0.0, "batch_norm": False}, True),
    "STARTUP, no batch norm": ({"batch_norm": False}, True),
}
NAMES = ("raw pixels", *METHODS)


def shifted(X: NDArray, shift: str, rng: np.random.Generator) -> NDArray:
    """Return digits as the target domain shows them."""
    if shift == SHIFTS[0]:
        return X @ rng.normal(size=(64, 64)) / 8.0
    if shift == SHIFTS[1]:
        return 1.0 - X + 0.1 * rng.normal(size=X.shape)
    return X


def accuracy(features: NDArray, y: NDArray, shots: int, rng: np.random.Generator) -> float:
    """Return the mean accuracy of episodes: a few rows of each class are given, the others are predicted."""
    features = normalize(features)
    scores = []
    for _ in range(EPISODES):
        given = np.concatenate([rng.permutation(np.flatnonzero(y == k))[:shots] for k in np.unique(y)])
        rest = np.setdiff1d(np.arange(len(y)), given)
        model = LogisticRegression(C=10.0, max_iter=1000).fit(features[given], y[given])
        scores.append(model.score(features[rest], y[rest]))
    return float(np.mean(scores))


def runs_of_seed(shift: str, seed: int) -> NDArray:
    """Return the accuracy of every method and number of shots, of shape (n_methods, n_shots)."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    of_source = np.isin(y, rng.permutation(10)[:5])
    target = rng.permutation(np.flatnonzero(~of_source))
    unlabelled = target[: len(target) // 2]
    judged = target[len(target) // 2 :]
    X = X / 16.0
    X = np.where(of_source[:, None], X, shifted(X, shift, rng))
    # The final fit of the estimator needs a row of each class; the episodes that are scored draw theirs.
    given = np.array([judged[y[judged] == k][0] for k in np.unique(y[judged])])
    parts = [np.flatnonzero(of_source), given, unlabelled]
    rows = np.concatenate(parts)
    labels = np.concatenate([y[parts[0]], y[given], np.full(len(unlabelled), -1)])
    domain = np.repeat([1, -1, -1], [len(part) for part in parts])
    features = {"raw pixels": X[judged]}
    for name, (params, with_source) in METHODS.items():
        kept = (domain < 0) | with_source
        model = STARTUPClassifier(**params, unlabeled=-1, random_state=seed, device="cpu")
        model.fit(X[rows][kept], labels[kept], sample_domain=domain[kept])
        features[name] = model.transform(X[judged])
    seeds = np.random.SeedSequence(seed).spawn(len(SHOTS))
    return np.array(
        [
            [
                accuracy(features[name], y[judged], k, np.random.default_rng(s))
                for k, s in zip(SHOTS, seeds, strict=True)
            ]
            for name in NAMES
        ]
    )


def signed(gain: NDArray) -> str:
    low, high = interval(gain)
    return f"{gain.mean():+.1f} [{low:+.1f}, {high:+.1f}]{arrow(low, high)}"


@claim(
    "startup_one_shot",
    paper="startup",
    statement="A student that learns from a teacher's soft labels of unlabelled target rows, and by self-supervision "
    "from these, has better features for few-shot tasks than the teacher, however different its classes are.",
    seeds=10,
    packages=("torch",),
)
def startup_one_shot(seeds: int, jobs: int) -> Result:
    tasks = [(shift, seed) for shift in SHIFTS for seed in range(seeds)]
    done = Parallel(n_jobs=jobs)(delayed(runs_of_seed)(*task) for task in tasks)
    found = 100.0 * np.array(done).reshape(len(SHIFTS), seeds, len(NAMES), len(SHOTS))
    settings = [(i, k) for i in range(len(SHIFTS)) for k in range(len(SHOTS))]
    of = {name: found[:, :, i] for i, name in enumerate(NAMES)}
    heads = [f"{SHIFTS[i]}, {SHOTS[k]}-shot" for i, k in settings]
    levels = [
        [name, *(f"{of[name][i, :, k].mean():.1f} ± {of[name][i, :, k].std(ddof=1):.1f}" for i, k in settings)]
        for name in NAMES
    ]
    pairs = [
        ("STARTUP", "teacher"),
        ("without self-supervision", "teacher"),
        ("STARTUP", "without self-supervision"),
        ("STARTUP", "without distillation"),
        ("STARTUP", "SimCLR alone"),
        ("STARTUP", "raw pixels"),
        ("without self-supervision, no batch norm", "teacher, no batch norm"),
        ("STARTUP, no batch norm", "teacher, no batch norm"),
    ]
    gains = [[f"{a}, over {b}", *(signed((of[a] - of[b])[i, :, k]) for i, k in settings)] for a, b in pairs]
    whole, part = ((of[a] - of[b])[0, :, 0] for a, b in pairs[:2])
    one_shot = {name: of[name][0, :, 0].mean() for name in NAMES}
    better = interval(whole)[0] > 0 and interval(part)[0] > 0
    large = whole.mean() >= 10.0 and part.mean() >= 5.0
    shows: Shows = "shows" if better and large else "mixed" if interval(whole)[0] > 0 else "does not show"
    return Result(
        shows,
        f"One shot, mixed pixels: STARTUP gains {whole.mean():+.1f} points over the teacher's features, "
        f"{part.mean():+.1f} without self-supervision. But most of it is self-supervision, which on these digits needs "
        f"no teacher and no source: STARTUP {one_shot['STARTUP']:.1f}%, without distillation "
        f"{one_shot['without distillation']:.1f}%, SimCLR alone {one_shot['SimCLR alone']:.1f}%, raw pixels "
        f"{one_shot['raw pixels']:.1f}%, the teacher's features {one_shot['teacher']:.1f}%. Batch normalisation, which "
        "the paper's networks have, carries much of the gain of distillation: see the rows without.",
        "digits: five random classes are the source, the five others the target, half of whose rows have no "
        "label; three shifts between the two",
        f"5-way accuracy of logistic regression on frozen features, {EPISODES} episodes of the other half for each "
        "seed. It shows if, with mixed pixels and one shot, STARTUP gains 10 points over the teacher's features, and 5 "
        "points without self-supervision, both beyond the 95% interval over seeds",
        [
            Table("Accuracy in percent, mean and standard deviation over seeds", ["features", *heads], levels),
            Table("Points of accuracy", ["difference", *heads], gains),
        ],
        {"startup": float(whole.mean()), "distillation": float(part.mean())},
    )
