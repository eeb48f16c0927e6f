"""Claims of Why Are Convolutional Nets More Sample-Efficient than Fully-Connected Nets? (Li et al.; ICLR 2021)."""

from functools import partial
from itertools import pairwise

import numpy as np
import torch
from joblib import Parallel, delayed
from scipy.stats import ortho_group

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._statistics import interval
from skpapers.convolution import (
    ConvNetClassifier,
    SampleComplexityDisplay,
    equivariance_gap,
    fit_perceptron,
    sample_complexity_curve,
)
from skpapers.datasets import make_quadratic_halves
from skpapers.neural_network import SAMMLPClassifier

N_TEST = 3000
DIMS = (20, 40, 80)
TARGET = 0.75


def dense() -> SAMMLPClassifier:
    """Return a fully connected network; settings follow the number of rows."""
    return SAMMLPClassifier(
        (256,), activation="relu", numeric_embedding="none", rho=0.0, dropout=0.0, calibration=None, device="cpu"
    )


def convolution(d: int) -> ConvNetClassifier:
    """Return a network whose kernels see the two halves at one place; it averages over the places."""
    return ConvNetClassifier(
        (16, 16), image_shape=(2, d // 2), kernel_size=1, max_iter=60, dropout=0.0, learning_rate_init=0.01,
        alpha=0.01, device="cpu",
    )  # fmt: skip


def accuracies(d: int, n: int, seed: int) -> list[float]:
    """Return the accuracy of both networks on rows as they are, and on rotated ones."""
    torch.set_num_threads(1)
    found = []
    for rotation in (None, "random"):
        X, y = make_quadratic_halves(n + N_TEST, d, rotation=rotation, random_state=seed)
        for model in (convolution(d), dense()):
            found.append(model.set_params(random_state=seed).fit(X[:n], y[:n]).score(X[n:], y[n:]))
    return found


@claim(
    "sample_efficiency_gap",
    paper="sample_efficiency",
    statement="On the task of the quadratic halves a convolution learns from a number of rows from which a fully "
    "connected network learns nothing; on rotated rows its advantage is gone.",
    seeds=10,
    packages=("torch",),
)
def sample_efficiency_gap(seeds: int, jobs: int) -> Result:
    found = np.array(Parallel(n_jobs=jobs)(delayed(accuracies)(40, 200, seed) for seed in range(seeds)))
    names = ("convolution", "fully connected", "convolution, rotated rows", "fully connected, rotated rows")
    ends = [interval(found[:, i]) for i in range(4)]
    gap = found[:, 0] - found[:, 1]
    low, high = interval(gap)
    shows: Shows = "shows" if low > 0.3 and ends[2][1] < 0.6 else "mixed" if low > 0 else "does not show"
    return Result(
        shows,
        f"With 40 columns and 200 rows the convolution is right on {found[:, 0].mean():.3f} of the test rows and the "
        f"fully connected network on {found[:, 1].mean():.3f}, a gap of {gap.mean():.3f} [{low:.3f}, {high:.3f}]; on "
        f"rotated rows the convolution is right on {found[:, 2].mean():.3f}.",
        f"make_quadratic_halves, 40 columns, 200 rows to train and {N_TEST} to test; rotated by a random matrix as a "
        "control",
        "ReLU networks: kernels of size 1 over 20 places of two channels, the halves, with a global average; 256 fully "
        "connected units with the defaults of SAMMLPClassifier and rho = 0. The convolution knows the halves, which is "
        "a stronger prior than the paper's. It shows if the 95% interval of the gap lies above 0.3 and that of the "
        "convolution on rotated rows below 0.6",
        [
            Table(
                "Accuracy, mean and 95% interval over seeds",
                ["network", "accuracy"],
                [
                    [name, f"{found[:, i].mean():.3f} [{ends[i][0]:.3f}, {ends[i][1]:.3f}]"]
                    for i, name in enumerate(names)
                ],
            )
        ],
        {"gap": float(gap.mean()), "rotated": float(found[:, 2].mean())},
    )


@claim(
    "sample_efficiency_scaling",
    paper="sample_efficiency",
    statement="A fully connected network needs a number of rows of the order of the squared number of columns, a "
    "convolution a constant number.",
    seeds=5,
    packages=("torch",),
)
def sample_efficiency_scaling(seeds: int, jobs: int) -> Result:
    options = {"n_test": N_TEST, "n_repeats": seeds, "n_jobs": jobs, "random_state": 0}
    curves: dict[str, dict] = {"fully connected": {}, "convolution": {}}
    for d in DIMS:
        make = partial(make_quadratic_halves, n_features=d)
        sizes = [3 * d * d // 4, 3 * d * d // 2]  # on both sides of the target
        curves["fully connected"][d] = sample_complexity_curve(dense(), make, sizes, TARGET, **options)
        curves["convolution"][d] = sample_complexity_curve(convolution(d), make, [12, 25, 50, 100], TARGET, **options)
    exponents = SampleComplexityDisplay(curves).exponents()
    slope, low, high = exponents["fully connected"]
    most = max(curve.rows_needed for curve in curves["convolution"].values())
    ratio = [curves["fully connected"][d].rows_needed / curves["convolution"][d].rows_needed for d in DIMS]
    quadratic = low > 1.5 and high < 2.5
    constant = most <= 100
    shows: Shows = "shows" if quadratic and constant else "mixed" if quadratic or constant else "does not show"
    grows = all(b > a for a, b in pairwise(ratio))
    rows = [
        [name, str(d), repr(curve).partition(": ")[2], " ".join(f"{score:.3f}" for score in curve.mean_scores)]
        for name, by_dim in curves.items()
        for d, curve in by_dim.items()
    ]
    return Result(
        shows,
        f"For an accuracy of {TARGET} the fully connected network needs rows as d^{slope:.2f} [{low:.2f}, {high:.2f}], "
        f"the convolution at most {most:.0f} rows at every d; the ratio "
        f"{'grows' if grows else 'moves'} from {ratio[0]:.0f} to {ratio[-1]:.0f}.",
        f"make_quadratic_halves with {', '.join(map(str, DIMS))} columns, {N_TEST} test rows in each repeat",
        f"The networks of sample_efficiency_gap. Rows needed for a mean accuracy of {TARGET} over the seeds, between "
        "tried numbers of rows on a line in their logarithm; the exponent is fitted in each seed. It shows if the 95% "
        "interval of the exponent lies within 1.5 and 2.5 and the convolution needs 100 rows or fewer at every d",
        [Table("Rows needed, and accuracy at the tried numbers of rows", ["network", "d", "rows", "accuracy"], rows)],
        {"exponent": slope, "most": float(most), "ratio": float(ratio[-1])},
    )


def gaps(seed: int) -> list[float]:
    """Return the gap of gradient descent, of Adam, and of Adam under a permutation."""
    torch.set_num_threads(1)
    X, y = make_quadratic_halves(300, 40, random_state=seed)
    U = ortho_group.rvs(40, random_state=seed)
    swaps = np.eye(40)[np.random.default_rng(seed).permutation(40)]
    sgd = partial(fit_perceptron, random_state=seed)
    adam = partial(fit_perceptron, solver="adam", learning_rate=0.003, random_state=seed)
    return [equivariance_gap(sgd, X, y, U), equivariance_gap(adam, X, y, U), equivariance_gap(adam, X, y, swaps)]


@claim(
    "sample_efficiency_equivariance",
    paper="sample_efficiency",
    statement="Stochastic gradient descent on a fully connected network is equivariant to rotations; Adam is "
    "equivariant to permutations only.",
    seeds=10,
    packages=("torch",),
)
def sample_efficiency_equivariance(seeds: int, jobs: int) -> Result:
    found = np.array(Parallel(n_jobs=jobs)(delayed(gaps)(seed) for seed in range(seeds)))
    exact = bool((found[:, [0, 2]] < 1e-8).all())
    broken = bool((found[:, 1] > 1e-2).all())
    shows: Shows = "shows" if exact and broken else "mixed" if exact or broken else "does not show"
    names = ("SGD with momentum and weight decay, rotation", "Adam, rotation", "Adam, permutation")
    rows = [[name, f"{found[:, i].min():.1e}", f"{found[:, i].max():.1e}"] for i, name in enumerate(names)]
    return Result(
        shows,
        f"The predictions of gradient descent differ by at most {found[:, 0].max():.0e} after a rotation, those of "
        f"Adam by {found[:, 1].min():.2f} or more, and by at most {found[:, 2].max():.0e} after a permutation.",
        "make_quadratic_halves, 300 rows of 40 columns, a random rotation and a random permutation for each seed",
        "64 ReLU units, 20 epochs of batches of 32 rows in float64, from turned weights; the largest difference of the "
        "log-odds. It shows if it is below 1e-8 for gradient descent and for permutations in every seed, and above "
        "0.01 for Adam under rotations",
        [Table("Largest difference of the log-odds", ["training", "smallest", "largest of the seeds"], rows)],
        {"sgd": float(found[:, 0].max()), "adam": float(found[:, 1].min())},
    )
