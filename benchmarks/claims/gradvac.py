"""Claims of Gradient Vaccine (Wang, Tsvetkov, Firat, Cao; ICLR 2021)."""

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._statistics import arrow, interval
from benchmarks.tables import load
from skpapers.multitask import GradVacRegressor, combine_gradients

TABLES = ("carbon", "serum", "tumours", "pixels")
N_TRAIN = 300
N_TEST = 1500
METHODS = {
    "PCGrad": {"method": "pcgrad"},
    "GradVac": {},
    "GradVac, by layer": {"granularity": "layer"},
    "GradVac, beta = 0.1": {"beta": 0.1},
}


def targets(name: str) -> tuple[NDArray, NDArray]:
    """Return columns and several targets of a real table."""
    if name == "carbon":  # coordinates of the atoms of carbon nanotubes
        return load("carbon")[:2]
    if name == "serum":  # six blood serum measurements
        X, y, _ = load("diabetes")
        return np.column_stack([X[:, :4], y]), X[:, 4:]
    if name == "tumours":  # the worst of each of ten measurements, from their means
        X = load("breast_cancer")[0]
        return X[:, :10], X[:, 20:]
    X = load("digits")[0]  # the fifth line of an image, from the four above it
    return X[:, :32], X[:, 33:39]  # six pixels; the outer two are blank in nearly all images


def scores(name: str, seed: int) -> list[float]:
    """Return the mean R² of the tasks, for the sum of the gradients and for each method."""
    torch.set_num_threads(1)
    X, Y = targets(name)
    rows = np.random.default_rng(seed).permutation(len(X))
    train = rows[:N_TRAIN]
    test = rows[N_TRAIN : N_TRAIN + N_TEST]
    settings = {"random_state": seed, "device": "cpu"}
    models = [
        GradVacRegressor(method="sum", **settings),
        *(GradVacRegressor(**of, **settings) for of in METHODS.values()),
    ]
    return [model.fit(X[train], Y[train]).score(X[test], Y[test]) for model in models]


@claim(
    "gradvac_accuracy",
    paper="gradient_vaccine",
    statement="Raising the cosines of the tasks' gradients to their usual value gives better models than the sum of "
    "the gradients, and than PCGrad.",
    seeds=5,
    packages=("torch",),
)
def gradvac_accuracy(seeds: int, jobs: int) -> Result:
    tasks = [(name, seed) for name in TABLES for seed in range(seeds)]
    done = Parallel(n_jobs=jobs)(delayed(scores)(*task) for task in tasks)
    found = np.array(done).reshape(len(TABLES), seeds, 1 + len(METHODS))
    gains = found[..., 1:] - found[..., :1]
    rows = []
    for name, of_table, gain in zip(TABLES, found, gains, strict=True):
        ends = [interval(gain[:, k]) for k in range(len(METHODS))]
        cells = [
            f"{gain[:, k].mean():+.4f} [{low:+.4f}, {high:+.4f}]{arrow(low, high)}"
            for k, (low, high) in enumerate(ends)
        ]
        outputs = targets(name)[1].shape[1]
        rows.append([f"{name}, {outputs} targets", f"{of_table[:, 0].mean():.3f}", *cells])
    vaccine = list(METHODS).index("GradVac")
    better = [interval(gain[:, vaccine])[0] > 0 for gain in gains]
    worse = [interval(gain[:, vaccine])[1] < 0 for gain in gains]
    over_pcgrad = (found[..., 1 + vaccine] - found[..., 1]).mean()
    mean = gains[..., vaccine].mean()
    shows: Shows = (
        "shows" if sum(better) > len(TABLES) / 2 and not any(worse) else "mixed" if any(better) else "does not show"
    )
    return Result(
        shows,
        f"GradVac has {mean:+.4f} of R² against the sum of the gradients and {over_pcgrad:+.4f} against PCGrad, in the "
        f"mean of {len(TABLES)} tables; it is better beyond the 95% interval on {sum(better)} of them, and worse on "
        f"{sum(worse)}.",
        "carbon: atomic coordinates of nanotubes; serum: six blood measurements of the diabetes table; tumours: ten "
        "worst measurements of breast_cancer from their means; pixels: six pixels of a digit from the lines above them",
        f"GradVacRegressor at its defaults (64 x 64 units, 60 epochs), {N_TRAIN} random rows to train and at most "
        f"{N_TEST} to test; mean R² of the targets, differences to the sum of the gradients with the same start and "
        "batches. It shows if the 95% interval over seeds of GradVac lies above 0 on most tables and below 0 on none, "
        "and is mixed if it lies above 0 on some",
        [Table("Mean R², and differences to the sum of the gradients", ["table", "sum", *METHODS], rows)],
        {"gain": float(mean), "better": float(sum(better)), "tables": float(len(TABLES))},
    )  # fmt: skip


def deviations(seed: int) -> list[float]:
    """Return the largest differences to TorchJD's GradVac and PCGrad over 200 steps, and of a cosine to its target."""
    from torchjd.aggregation import GradVac, PCGrad  # the pages of results are written without it

    rng = np.random.default_rng(seed)
    theirs = GradVac(beta=0.1, eps=0.0)
    pcgrad = PCGrad()
    target = np.zeros((2, 2))
    worst = np.zeros(3)
    for _ in range(200):
        J = rng.normal(size=(2, 20)) + rng.uniform(-1, 1) * np.array([[1.0], [-1.0]])
        before = target
        ours, target = combine_gradients(J, before, beta=0.1)
        worst[0] = max(worst[0], np.abs(ours - theirs(torch.from_numpy(J)).numpy()).max())
        flat, _ = combine_gradients(J, beta=0.0)
        worst[1] = max(worst[1], np.abs(flat - pcgrad(torch.from_numpy(J)).numpy()).max())
        worst[2] = max(worst[2], off_target(J, before))
    return worst.tolist()


def off_target(J: NDArray, target: NDArray) -> float:
    """Return how far a corrected cosine is from the larger of its target and the cosine before."""
    alone = target.copy()
    alone[1, 0] = -1.0  # the second gradient is left as it is
    corrected = combine_gradients(J, alone, beta=0.0)[0] - J[1]
    cosine = J[0] @ J[1] / np.linalg.norm(J[0]) / np.linalg.norm(J[1])
    found = corrected @ J[1] / np.linalg.norm(corrected) / np.linalg.norm(J[1])
    return abs(found - max(cosine, target[0, 1]))


@claim(
    "gradvac_update",
    paper="gradient_vaccine",
    statement="The update raises the cosine of two gradients to its target, and is PCGrad if the targets are 0.",
    seeds=5,
    packages=("torch", "torchjd"),
)
def gradvac_update(seeds: int, jobs: int) -> Result:
    found = np.array(Parallel(n_jobs=jobs)(delayed(deviations)(seed) for seed in range(seeds)))
    worst = found.max(axis=0)
    exact = worst < 1e-6
    shows: Shows = "shows" if exact.all() else "mixed" if exact.any() else "does not show"
    names = ("GradVac of TorchJD, 200 steps", "PCGrad of TorchJD, beta=0", "cosine and its target")
    rows = [
        [name, f"{low:.1e}", f"{high:.1e}"] for name, low, high in zip(names, found.min(axis=0), worst, strict=True)
    ]
    return Result(
        shows,
        f"Over 200 steps combine_gradients differs from TorchJD's GradVac by at most {worst[0]:.0e}, from its PCGrad "
        f"by {worst[1]:.0e}, and a corrected cosine from its target by {worst[2]:.0e}.",
        "random gradients of two tasks and 20 parameters, which agree in some steps and conflict in others",
        "beta = 0.1, the targets carried from step to step; largest absolute differences. It shows if all are below "
        "1e-6 in every seed",
        [Table("Largest difference", ["against", "smallest", "largest of the seeds"], rows)],
        {"torchjd": float(worst[0]), "pcgrad": float(worst[1]), "target": float(worst[2])},
    )
