"""Claims of Mind the Pad (Alsallakh, Kokhlikyan, Miglani, Yuan, Reblitz-Richardson; ICLR 2021)."""

import warnings

import numpy as np
import torch
import torch.nn.functional as F
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._statistics import arrow, interval
from skpapers.convolution import ConvNetClassifier, position_accuracy
from skpapers.datasets import make_glyphs

UNEVEN = 24
EVEN = 25
MODES = ("zeros", "partial", "symmetric", "replicate", "reflect", "circular", "valid")
# Name of the row, padding mode, size of the images, how 24 pixels become 25, number of layers.
Setting = tuple[str, str, int, str, int]
SETTINGS: tuple[Setting, ...] = (
    *((f"{mode}, {size} pixels", mode, size, "", 2) for mode in MODES for size in (UNEVEN, EVEN)),
    ("zeros, 24 pixels and a line of zeros at the end", "zeros", UNEVEN, "line", 2),
    ("zeros, 24 pixels resized to 25", "zeros", UNEVEN, "resize", 2),
    ("zeros, 24 pixels, three layers", "zeros", UNEVEN, "", 3),
    ("zeros, 25 pixels, three layers", "zeros", EVEN, "", 3),
)
N_TRAIN = 2000
N_TEST = 300  # at each place
N_PLACES = 5  # along each axis
NETWORK = {
    "strides": 2,
    "pooling": "max",
    "dropout": 0.0,
    "alpha": 0.01,
    "batch_size": 64,
    "learning_rate_init": 0.01,
    "max_iter": 7,
    "calibration": None,
    "device": "cpu",
}


def _with_line(X: NDArray) -> NDArray:
    # what even_padding="fix" does, with zeros in the units of the pixels
    return np.pad(X, ((0, 0), (0, 0), (0, 1), (0, 1)))


def _resized(X: NDArray) -> NDArray:
    return F.interpolate(torch.from_numpy(X), (EVEN, EVEN), mode="bilinear", align_corners=True).numpy()


def scores_of_seed(setting: Setting, seed: int) -> NDArray[np.float64]:
    """Return the accuracy at each place of the grid."""
    torch.set_num_threads(1)
    _, mode, size, fix, n_layers = setting

    def images(n: int, **kwargs: object) -> tuple[NDArray, NDArray]:
        X, y = make_glyphs(n, size, **kwargs)  # type: ignore[arg-type]
        return {"line": _with_line, "resize": _resized}.get(fix, np.asarray)(X), y

    model = ConvNetClassifier((12,) * n_layers, padding_mode=mode, random_state=seed, **NETWORK)
    X, y = images(N_TRAIN, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # uneven sizes are what is measured
        model.fit(X, y)
    # the noise of the test images is the same at all places
    places = np.linspace(0, size - 4, N_PLACES).round().astype(int)
    found = position_accuracy(
        model, lambda place: images(N_TEST, position=place, random_state=1000 + seed), (places, places)
    )
    return found.scores


@claim(
    "mind_the_pad_positions",
    paper="mind_the_pad",
    statement="Strides that use padding unevenly make blind spots at one side of the image; input sizes that use it "
    "evenly remove them.",
    seeds=8,
    packages=("torch",),
)
def mind_the_pad_positions(seeds: int, jobs: int) -> Result:
    tasks = [(setting, seed) for setting in SETTINGS for seed in range(seeds)]
    done = Parallel(n_jobs=jobs)(delayed(scores_of_seed)(*task) for task in tasks)
    scores = np.array(done).reshape(len(SETTINGS), seeds, N_PLACES, N_PLACES)
    names = [setting[0] for setting in SETTINGS]
    worst = scores.min(axis=(2, 3))
    first = _edges(scores, 0)
    last = _edges(scores, -1)
    middle = scores[:, :, 1:-1, 1:-1].mean(axis=(2, 3))
    rows = [
        [name, *(f"{part[i].mean():.3f}" for part in (scores.mean(axis=(2, 3)), first, last, middle)),
         f"{worst[i].mean():.3f} (sd {worst[i].std(ddof=1):.3f})"]
        for i, name in enumerate(names)
    ]  # fmt: skip
    gains = {}
    gain_rows = []
    for name, uneven, even in _pairs(names):
        gain = worst[even] - worst[uneven]
        gap = (first - last)[[uneven, even]].mean(axis=1)
        low, high = interval(gain)
        gains[name] = gain
        cell = f"{gain.mean():+.3f} [{low:+.3f}, {high:+.3f}]{arrow(low, high)}"
        gain_rows.append([name, cell, f"{(gain > 0).sum()} of {seeds}", f"{gap[0]:+.3f}", f"{gap[1]:+.3f}"])
    zeros = gains["zeros"]
    low, high = interval(zeros)
    helped = [mode for mode in MODES if interval(gains[mode])[0] > 0]
    shows: Shows = "shows" if low > 0 and zeros.mean() > 0.02 else "mixed" if zeros.mean() > 0 else "does not show"
    return Result(
        shows,
        f"With zeros, 25 pixels instead of 24 raise the accuracy at the worst of {N_PLACES**2} places by "
        f"{zeros.mean():.3f} [{low:.3f}, {high:.3f}]; the gain is beyond its interval for "
        f"{', '.join(helped) or 'no mode'}. Resized images gain {gains['resized to 25'].mean():+.3f}, and a line of "
        f"zeros at the end {gains['a line of zeros at the end'].mean():+.3f}.",
        "make_glyphs: four glyphs of 4 x 4 pixels anywhere in an image of 24 or 25 pixels a side, noise of standard "
        "deviation 0.25",
        f"Two convolutions of 12 channels and stride 2, maximum over all places, {N_TRAIN} images, 7 epochs; accuracy "
        f"at {N_PLACES} x {N_PLACES} places, {N_TEST} images each with the same noise. With padding, 25 pixels are "
        "even and 24 are not. It shows if the worst place gains more than 0.02 with zeros, beyond the 95% interval "
        "over seeds",
        [
            Table(
                "Accuracy by place",
                ["padding, image", "mean", "upper and left edge", "lower and right edge", "inside", "worst place"],
                rows,
                "The worst of 25 places is low by chance as well; all rows share this.",
            ),
            Table(
                "Gain of the worst place by an even size",
                ["padding", "gain", "seeds that gain", "edges' gap, uneven", "edges' gap, even"],
                gain_rows,
                "Gap: accuracy at the upper and left edge minus that at the lower and right edge. On a circle, 24 "
                "pixels treat all places alike, and 25 do not. Without padding neither size is even: 24 pixels lose a "
                "line in the first layer, and 25 in the second.",
            ),
        ],
        {"gain": float(zeros.mean()), "low": low, "high": high},
    )


def _edges(scores: NDArray, side: int) -> NDArray:
    """Return the mean accuracy at the first or the last row and column of places."""
    other = -1 if side == 0 else 0
    inner = slice(0, -1) if other == -1 else slice(1, None)
    return (scores[:, :, side, inner].mean(axis=-1) + scores[:, :, inner, side].mean(axis=-1)) / 2


def _pairs(names: list[str]) -> list[tuple[str, int, int]]:
    """Return what is compared: a name, the uneven row and the even row."""
    pairs = [(mode, names.index(f"{mode}, 24 pixels"), names.index(f"{mode}, 25 pixels")) for mode in MODES]
    uneven = names.index("zeros, 24 pixels")
    pairs.append(("a line of zeros at the end", uneven, names.index("zeros, 24 pixels and a line of zeros at the end")))
    pairs.append(("resized to 25", uneven, names.index("zeros, 24 pixels resized to 25")))
    three = names.index("zeros, 24 pixels, three layers")
    pairs.append(("zeros, three layers", three, three + 1))
    return pairs
