"""Claims of The Intrinsic Dimension of Images and Its Impact on Learning (Pope et al.; ICLR 2021)."""

from functools import partial

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.ndimage import zoom
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from skpapers.convolution import SampleComplexityCurve, sample_complexity_curve
from skpapers.datasets import make_manifold, make_pixel_noise
from skpapers.dimension import IntrinsicDimension

DIMS = (2, 5, 10, 20, 40)
METHODS = {
    "maximum likelihood": {},
    "with k - 2, as in the code": {"normalization": "k-2"},
    "TwoNN": {"method": "twonn"},
    "GeoMLE": {"method": "geomle"},
}
TASK_DIMS = (2, 4, 8)
COLUMNS = 50


def estimates(d: int, seed: int) -> list[float]:
    """Return the estimate of each method for one draw of rows of dimension d."""
    X, _ = make_manifold(2000, d, 784, kind="nonlinear", random_state=seed)
    models = [IntrinsicDimension(10, random_state=seed, **options) for options in METHODS.values()]
    return [model.fit(X).dimension_ for model in models]


@claim(
    "dimension_known",
    paper="intrinsic_dimension",
    statement="Estimates from nearest neighbours are close to the known dimension of generated data, and reliable "
    "enough to compare data sets.",
    seeds=5,
    packages=("scipy",),
)
def dimension_known(seeds: int, jobs: int) -> Result:
    tasks = [(d, seed) for d in DIMS for seed in range(seeds)]
    found = np.array(Parallel(n_jobs=jobs)(delayed(estimates)(d, seed) for d, seed in tasks))
    found = found.reshape(len(DIMS), seeds, len(METHODS))
    relative = found.mean(axis=1) / np.array(DIMS)[:, np.newaxis] - 1.0
    close = bool((np.abs(relative[:, 0]) < 0.2).all())
    ordered = bool((np.diff(found[:, :, 0], axis=0) > 0).all())
    shows: Shows = "shows" if close and ordered else "mixed" if close or ordered else "does not show"
    rows = [
        [str(d), *(f"{found[i, :, j].mean():.2f} ({found[i, :, j].std():.2f})" for j in range(len(METHODS)))]
        for i, d in enumerate(DIMS)
    ]
    return Result(
        shows,
        f"Maximum likelihood is off by {relative[0, 0]:+.0%}, {relative[1, 0]:+.0%} and {relative[2, 0]:+.0%} at "
        f"dimensions 2, 5 and 10, and by {relative[3, 0]:+.0%} and {relative[4, 0]:+.0%} at 20 and 40; the order is "
        f"right in {'every seed' if ordered else 'some seeds'}. GeoMLE is off by {relative[3, 3]:+.0%} and "
        f"{relative[4, 3]:+.0%} at 20 and 40.",
        "make_manifold, nonlinear, 2000 rows of 784 columns; the paper's images of a GAN are not used",
        "k = 10 neighbours. It shows if maximum likelihood is within 20 % at every dimension and its order is right in "
        "every seed; mixed if one of the two holds",
        [Table("Estimates, mean and standard deviation over seeds", ["dimension", *METHODS], rows)],
        {"at 10": float(relative[2, 0]), "at 40": float(relative[4, 0]), "GeoMLE at 40": float(relative[4, 3])},
    )


def resized(images: NDArray, order: int) -> NDArray:
    """Return images of 32 x 32 pixels as rows; order 0 repeats pixels."""
    if order == 0:
        return images.repeat(4, axis=1).repeat(4, axis=2).reshape(len(images), -1)
    return zoom(images, (1, 4, 4), order=order).reshape(len(images), -1)


@claim(
    "dimension_images",
    paper="intrinsic_dimension",
    statement="Images have a far lower intrinsic dimension than pixels; resizing keeps it, and each pixel of "
    "noise adds to it.",
    seeds=5,
    packages=("scipy",),
)
def dimension_images(seeds: int, jobs: int) -> Result:
    images = load_digits().images / 16
    model = IntrinsicDimension([3, 5, 10, 20])
    sides = {"digits, 8 x 8": images.reshape(len(images), -1)}
    sides |= {f"32 x 32, {name}": resized(images, order) for order, name in ((0, "repeated"), (1, "linear"))}
    found = {name: model.fit(rows).dimension_ for name, rows in sides.items()}
    plain = found["digits, 8 x 8"]
    change = max(float(np.abs(found[name] / plain - 1).max()) for name in list(sides)[1:])
    noisy = []
    for n_pixels in (4, 8, 16):
        drawn = [
            model.fit(make_pixel_noise(1797, n_pixels, random_state=seed)[0].reshape(1797, -1)).dimension_
            for seed in range(seeds)
        ]
        found[f"one digit, {n_pixels} pixels of noise"] = np.mean(drawn, axis=0)
        noisy.append(float(np.mean(drawn, axis=0)[2]))
    low = bool(plain.max() < 0.25 * 64)
    rises = bool(np.all(np.diff(noisy) > 0))
    shows: Shows = "shows" if low and change < 0.1 and rises else "mixed" if low else "does not show"
    rows = [[name, *(f"{value:.2f}" for value in values)] for name, values in found.items()]
    return Result(
        shows,
        f"The digits have a dimension of {plain[0]:.1f} to {plain[3]:.1f} in 64 pixels. Resizing to 1024 pixels "
        f"changes it by at most {change:.1%}. One digit with 4, 8 and 16 pixels of noise has {noisy[0]:.1f}, "
        f"{noisy[1]:.1f} and {noisy[2]:.1f} (k = 10).",
        "the 1797 digits of scikit-learn; make_pixel_noise on the first; the paper has MNIST, CIFAR-10 and ImageNet",
        "Maximum likelihood. It shows if the dimension is below a quarter of the pixels, changes by less than 10 % at "
        "every k when images are resized, and rises with the number of noisy pixels",
        [Table("Dimension", ["images", "k = 3", "k = 5", "k = 10", "k = 20"], rows)],
        {"digits": float(plain[2]), "change": change},
    )


def make_task(
    n_samples: int, random_state: int, *, intrinsic_dim: int, n_features: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return rows on a manifold, and the sign of a sum of waves of their coordinates: one wave for each."""
    X, z = make_manifold(n_samples, intrinsic_dim, n_features, random_state=random_state)
    X = X * np.sqrt(3 * n_features / intrinsic_dim)  # columns of variance 1, whatever the dimensions
    return X, (np.cos(np.pi * z).sum(axis=1) > 0).astype(np.int64)


def network(seed: int | None = None, max_iter: int = 100) -> MLPClassifier:
    return MLPClassifier((128,), max_iter=max_iter, n_iter_no_change=max_iter, random_state=seed)


@claim(
    "dimension_rows_needed",
    paper="intrinsic_dimension",
    statement="Data of a lower intrinsic dimension needs fewer rows; the number of columns matters less.",
    seeds=3,
    packages=("scipy",),
)
def dimension_rows_needed(seeds: int, jobs: int) -> Result:
    sizes = [50, 200, 800, 3200]
    options = {"n_test": 2000, "n_repeats": seeds, "n_jobs": jobs, "random_state": 0}

    def curve(d: int, p: int) -> SampleComplexityCurve:
        make = partial(make_task, intrinsic_dim=d, n_features=p)
        return sample_complexity_curve(network(), make, sizes, 0.8, **options)

    pairs = [*((d, COLUMNS) for d in TASK_DIMS), (TASK_DIMS[1], 2 * COLUMNS), (TASK_DIMS[1], 4 * COLUMNS)]
    with np.errstate(all="ignore"):
        curves = {pair: curve(*pair) for pair in pairs}
    by_dim = [curves[d, COLUMNS].rows_needed for d in TASK_DIMS]
    by_columns = [curves[TASK_DIMS[1], p].rows_needed for p in (COLUMNS, 2 * COLUMNS, 4 * COLUMNS)]
    grows = bool(np.all(np.diff(by_dim) > 0)) and by_dim[-1] > 4 * by_dim[0]
    flat = max(by_columns) < 2 * min(by_columns)
    shows: Shows = "shows" if grows and flat else "mixed" if grows or flat else "does not show"
    rows = [
        [f"{d} of {p} columns", repr(one).partition(": ")[2], " ".join(f"{score:.3f}" for score in one.mean_scores)]
        for (d, p), one in curves.items()
    ]
    return Result(
        shows,
        f"For an accuracy of 0.8 a network needs {by_dim[0]:.0f}, {by_dim[1]:.0f} and "
        f"{'more than 3200' if np.isinf(by_dim[2]) else f'{by_dim[2]:.0f}'} rows at dimensions 2, 4 and 8; at "
        f"dimension 4 it needs {by_columns[0]:.0f}, {by_columns[1]:.0f} and {by_columns[2]:.0f} with 50, "
        "100 and 200 columns.",
        "rows on affine manifolds, scaled to columns of variance 1; the label is the sign of a sum of one wave for "
        "each coordinate; 2000 test rows",
        "scikit-learn's MLPClassifier, 128 ReLU units, 100 epochs. It shows if the rows needed grow with the "
        "dimension, by more than 4 times from 2 to 8, and change by less than 2 times from 50 to 200 columns. The "
        "label has a wave more for each dimension, which makes it harder as well",
        [
            Table(
                "Rows needed for an accuracy of 0.8", ["dimension", "rows", "accuracy at 50, 200, 800, 3200 rows"], rows
            )
        ],
        {"2": float(by_dim[0]), "4": float(by_dim[1]), "columns": float(max(by_columns) / min(by_columns))},
    )


def epochs_needed(d: int, seed: int, most: int = 150) -> float:
    """Return the epochs after which the accuracy on test rows is 0.75; infinity if it is not within `most`."""
    X, y = make_task(4200, seed, intrinsic_dim=d, n_features=COLUMNS)
    model = network(seed)
    for epoch in range(1, most + 1):
        model.partial_fit(X[:3200], y[:3200], classes=[0, 1])
        if model.score(X[3200:], y[3200:]) >= 0.75:
            return float(epoch)
    return np.inf


@claim(
    "dimension_steps",
    paper="intrinsic_dimension",
    statement="Training converges in fewer steps on data of a lower intrinsic dimension.",
    seeds=5,
    packages=("scipy",),
)
def dimension_steps(seeds: int, jobs: int) -> Result:
    tasks = [(d, seed) for d in TASK_DIMS for seed in range(seeds)]
    found = np.array(Parallel(n_jobs=jobs)(delayed(epochs_needed)(d, seed) for d, seed in tasks))
    found = found.reshape(len(TASK_DIMS), seeds)
    slower = [bool(found[i].min() > found[i - 1].max()) for i in range(1, len(TASK_DIMS))]
    shows: Shows = "shows" if all(slower) else "mixed" if any(slower) else "does not show"
    medians = np.median(found, axis=1)
    rows = [
        [str(d), f"{medians[i]:.0f}", f"{found[i].min():.0f}", f"{found[i].max():.0f}"] for i, d in enumerate(TASK_DIMS)
    ]
    return Result(
        shows,
        f"A network is right on 75 % of the test rows after {medians[0]:.0f}, {medians[1]:.0f} and {medians[2]:.0f} "
        "epochs (medians) at dimensions 2, 4 and 8; infinity if it is not within 150.",
        "the task of dimension_rows_needed, 3200 rows of 50 columns to train and 1000 to test",
        "Epochs of 16 steps of 200 rows. It shows if every seed of a dimension needs more epochs than all seeds of the "
        "next lower one. This is the second kind of label that was tried. With sines of the coordinates, whose "
        "boundary is nearly linear, one epoch was enough at every dimension. The training loss fell at the same speed "
        "at every dimension",
        [Table("Epochs to an accuracy of 0.75", ["dimension", "median", "fewest", "most of the seeds"], rows)],
        {str(d): float(medians[i]) for i, d in enumerate(TASK_DIMS)},
    )
