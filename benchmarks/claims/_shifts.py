"""Shifted streams for the claims about adaptation: what happens to the values, and in which order the rows come."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, rotate, shift

from benchmarks.tables import load

Shift = Callable[[NDArray, np.random.Generator], NDArray]
SIDE = 8  # of the digits, whose pixels lie between 0 and 1
STREAM = 400
BATCH = 50
STREAMS = ("iid", "sorted by class", "imbalanced", "one batch of 16", "one batch of 64", "one batch of 200")


def of_images(change: Callable[[NDArray, np.random.Generator], NDArray]) -> Shift:
    """Return a shift of flat rows for a change of images (n, 8, 8)."""
    return lambda X, rng: change(X.reshape(-1, SIDE, SIDE), rng).reshape(len(X), -1)


def contrast(factor: float) -> Shift:
    return lambda X, rng: factor * X + (1.0 - factor) * X.mean()


def drift(scale: float) -> Shift:
    """Return a gain and an offset for each column, the same in all rows."""
    return lambda X, rng: X * np.exp(rng.normal(0, scale, X.shape[1])) + rng.normal(0, scale, X.shape[1])


def offset(size: float) -> Shift:
    return lambda X, rng: X + size * rng.choice([-1.0, 1.0], X.shape[1])


def permuted(share: float) -> Shift:
    """Return a shift that exchanges some of the columns."""

    def change(X: NDArray, rng: np.random.Generator) -> NDArray:
        chosen = rng.permutation(X.shape[1])[: max(2, round(share * X.shape[1]))]
        order = np.arange(X.shape[1])
        order[chosen] = np.roll(chosen, 1)
        return X[:, order]

    return change


def missing_lines(images: NDArray, rng: np.random.Generator) -> NDArray:
    made = images.copy()
    made[:, rng.choice(SIDE, 2, replace=False)] = 0.0
    return made


def subsampled(images: NDArray, rng: np.random.Generator) -> NDArray:
    """Return images of which every second line and column is seen, twice."""
    return images[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2)


def missing_columns(X: NDArray, rng: np.random.Generator) -> NDArray:
    made = X.copy()
    made[:, rng.choice(X.shape[1], max(1, X.shape[1] // 4), replace=False)] = 0.0
    return made


def noise(size: float) -> Shift:
    return lambda X, rng: X + rng.normal(0, size, X.shape)


def rounded(X: NDArray, rng: np.random.Generator) -> NDArray:
    return np.round(X)


IMAGE_SHIFTS: dict[str, Shift] = {
    "clean": lambda X, rng: X,
    "contrast x 0.25": contrast(0.25),
    "brightness + 0.6": lambda X, rng: X + 0.6,
    "gain and offset": drift(0.4),
    "noise, sd 0.35": noise(0.35),
    "permuted pixels, 10 %": permuted(0.1),
    "rotation by 10°": of_images(lambda X, rng: rotate(X, 10.0, axes=(1, 2), reshape=False, order=1)),
    "rotation by 25°": of_images(lambda X, rng: rotate(X, 25.0, axes=(1, 2), reshape=False, order=1)),
    "two lines missing": of_images(missing_lines),
    "subsampled": of_images(subsampled),
}
# of standardised columns
TABLE_SHIFTS: dict[str, Shift] = {
    "clean": lambda X, rng: X,
    "contrast x 0.5": lambda X, rng: 0.5 * X,
    "offset 0.5": offset(0.5),
    "offset 1.5": offset(1.5),
    "gain and offset": drift(0.5),
    "noise, sd 0.5": noise(0.5),
    "permuted columns, 25 %": permuted(0.25),
    "a quarter of the columns missing": missing_columns,
    "rounded": rounded,
    "the larger half": lambda X, rng: X,  # chosen among the rows, see `stream`
}
# for the confirmation: none of these has chosen anything
OTHER_IMAGE_SHIFTS: dict[str, Shift] = {
    "clean": lambda X, rng: X,
    "blur": of_images(lambda X, rng: gaussian_filter(X, (0.0, 1.0, 1.0))),
    "gamma 2": lambda X, rng: X.clip(0.0, 1.0) ** 2,
    "gamma 0.5": lambda X, rng: X.clip(0.0, 1.0) ** 0.5,
    "inverted": lambda X, rng: 1.0 - X,
    "shifted by a pixel": of_images(lambda X, rng: shift(X, (0.0, 0.0, 1.0), order=0)),
    "clipped at 0.6": lambda X, rng: X.clip(0.0, 0.6),
    "salt and pepper, 10 %": lambda X, rng: np.where(rng.random(X.shape) < 0.1, rng.integers(0, 2, X.shape), X),
    "slope of brightness": lambda X, rng: X + np.tile(np.linspace(0.0, 1.0, SIDE), SIDE),
    "half the light": lambda X, rng: 0.5 * X,
}


def standardised(name: str, seed: int, n_train: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return training rows and other rows of a table: pixels from 0 to 1, or columns standardised by training rows."""
    X, y, _ = load(name)
    order = np.random.default_rng(seed).permutation(len(X))
    train = order[:n_train]
    test = order[n_train:]
    if name == "digits":
        X = X / 16.0
    else:
        spread = X[train].std(axis=0)
        X = (X - X[train].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return X[train], y[train], X[test], y[test]


def stream(name: str, kind: str, X: NDArray, y: NDArray, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the numbers of the rows of a stream, in its order."""
    pool = rng.permutation(len(X))
    if kind == "the larger half":
        score = X[pool] @ np.ones(X.shape[1])
        pool = pool[score > np.median(score)]
    if name.startswith("one batch"):
        return pool[: int(name.split()[-1])]
    if name == "imbalanced":
        classes = np.unique(y)
        share = dict(zip(rng.permutation(classes), np.geomspace(1.0, 0.1, len(classes)), strict=True))
        frequency = dict(zip(*np.unique(y[pool], return_counts=True), strict=True))
        p = np.array([share[label] / frequency[label] for label in y[pool]])
        return rng.choice(pool, min(STREAM, len(pool) // 2), replace=False, p=p / p.sum())
    rows = pool[:STREAM]
    return rows[np.argsort(y[rows], kind="stable")] if name == "sorted by class" else rows
