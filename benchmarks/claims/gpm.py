"""Claims of Gradient Projection Memory (Saha, Garg, Roy; ICLR 2021)."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._statistics import interval
from benchmarks.tables import load
from skpapers.continual import GPMClassifier, average_score, backward_transfer, score_by_task

N_TASKS = 5
N_TRAIN = 1000
NETWORK = {"scaling": None, "device": "cpu"}
METHODS: dict[str, dict[str, Any]] = {
    "fine-tuning": {"threshold": 0.0},
    "memory": {},
    "fine-tuning, SGD": {"threshold": 0.0, "solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.05},
    "memory, SGD": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.05},
}
SPLIT: dict[str, dict[str, Any]] = {
    "perceptron": {},
    "convolutions": {"hidden_channels": (8, 16), "strides": (1, 2), "hidden_layer_sizes": (64,)},
}


def digits(seed: int) -> tuple[NDArray, NDArray, NDArray[np.bool_]]:
    """Return pixels from 0 to 1 and labels in a random order, and which rows train."""
    X, y, _ = load("digits")
    order = np.random.default_rng(seed).permutation(len(X))
    return X[order] / 16.0, y[order], np.arange(len(X)) < N_TRAIN


def permuted(seed: int) -> tuple[NDArray, NDArray, NDArray, NDArray[np.bool_]]:
    """Return rows, labels, tasks, and which rows train: each task has the pixels in another order."""
    X, y, trains = digits(seed)
    rng = np.random.default_rng([seed, 1])
    orders = [np.arange(64), *(rng.permutation(64) for _ in range(N_TASKS - 1))]
    task = np.repeat(np.arange(N_TASKS), len(X))
    return np.vstack([X[:, order] for order in orders]), np.tile(y, N_TASKS), task, np.tile(trains, N_TASKS)


def in_sequence(X: NDArray, y: NDArray, task: NDArray, trains: NDArray, settings: Mapping[str, Any]) -> NDArray:
    """Return test accuracies of every task after each."""
    torch.set_num_threads(1)
    test = {"X_test": X[~trains], "y_test": y[~trains], "task_test": task[~trains]}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The memory is nearly full")
        return score_by_task(GPMClassifier(**NETWORK, **settings), X[trains], y[trains], task[trains], **test)


def permuted_run(name: str, seed: int) -> NDArray:
    """Return the accuracies of a method in sequence, or, for "all at once", in their last row only."""
    X, y, task, trains = permuted(seed)
    if name != "all at once":
        return in_sequence(X, y, task, trains, {**METHODS[name], "random_state": seed})
    torch.set_num_threads(1)
    model = GPMClassifier(**NETWORK, random_state=seed).fit(X[trains], y[trains])
    tests = [~trains & (task == t) for t in range(N_TASKS)]
    return np.array([[model.score(X[rows], y[rows]) for rows in tests]])


def pm(values: NDArray) -> str:
    """Return a mean and its standard deviation."""
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=min(1, len(values) - 1)):.3f}"


@claim(
    "gpm_permuted_digits",
    paper="gpm",
    statement="Steps orthogonal to the inputs of earlier tasks let a network learn tasks in sequence with minimal "
    "forgetting (permuted MNIST, ten tasks, one head).",
    seeds=5,
    packages=("torch",),
)
def gpm_permuted_digits(seeds: int, jobs: int) -> Result:
    names = (*METHODS, "all at once")
    tasks = [(name, seed) for name in names for seed in range(seeds)]
    done = dict(zip(tasks, Parallel(n_jobs=jobs)(delayed(permuted_run)(*task) for task in tasks), strict=True))
    rows = []
    final = {name: np.array([done[name, seed][-1].mean() for seed in range(seeds)]) for name in names}
    change = {name: np.array([backward_transfer(done[name, seed]) for seed in range(seeds)]) for name in METHODS}
    for name in names:
        own = pm(np.array([done[name, s].diagonal().mean() for s in range(seeds)])) if name in METHODS else ""
        rows.append([name, pm(final[name]), pm(change[name]) if name in METHODS else "", own])
    gains = final["memory"] - final["fine-tuning"]
    low, high = interval(gains)
    forgets_less = abs(change["memory"].mean()) <= 0.3 * abs(change["fine-tuning"].mean())
    shows: Shows = "shows" if gains.mean() >= 0.25 and forgets_less else "mixed" if low > 0 else "does not show"
    return Result(
        shows,
        f"With the memory the mean accuracy of {N_TASKS} tasks after the last one is {final['memory'].mean():.3f}, by "
        f"{gains.mean():+.3f} [{low:+.3f}, {high:+.3f}] above fine-tuning. The accuracy of a task has changed by "
        f"{change['memory'].mean():+.3f} since its end, with fine-tuning by {change['fine-tuning'].mean():+.3f}. "
        f"A network fitted on all tasks at once has {final['all at once'].mean():.3f}.",
        f"digits, {N_TRAIN} training rows, the others test; {N_TASKS} tasks, each with the pixels in another random "
        "order (each seed has its own)",
        "GPMClassifier with its defaults on pixels from 0 to 1, one head; fine-tuning is threshold=0. Also plain SGD "
        "with learning rate 0.05. It shows if the accuracy gain is at least 0.25 and the change at most 0.3 times that "
        "of fine-tuning; it is mixed if there is a gain beyond the 95 % interval over seeds",
        [
            Table(
                f"Mean ± standard deviation of {seeds} seeds",
                ["method", "accuracy after the last task (ACC)", "change since own end (BWT)", "accuracy at own end"],
                rows,
            )
        ],
        {
            "accuracy": float(final["memory"].mean()),
            "naive": float(final["fine-tuning"].mean()),
            "bwt": float(change["memory"].mean()),
            "naive bwt": float(change["fine-tuning"].mean()),
        },
    )


def split_run(kind: str, threshold: Any, seed: int) -> NDArray:
    """Return the accuracies of tasks of two digits each, with a head for each task."""
    X, y, trains = digits(seed)
    settings = {**SPLIT[kind], "heads": "multi", "random_state": seed}
    return in_sequence(X, y, y // 2, trains, settings if threshold is None else {**settings, "threshold": threshold})


@claim(
    "gpm_split_digits",
    paper="gpm",
    statement="With a head for each task, next to nothing is forgotten, by perceptrons and by convolutional networks, "
    "and the accuracy is on par with that of other methods or better (CIFAR-100 in ten tasks).",
    seeds=5,
    packages=("torch",),
)
def gpm_split_digits(seeds: int, jobs: int) -> Result:
    tasks = [(kind, threshold, seed) for kind in SPLIT for threshold in (0.0, None) for seed in range(seeds)]
    done = dict(zip(tasks, Parallel(n_jobs=jobs)(delayed(split_run)(*task) for task in tasks), strict=True))
    rows = []
    changes = []
    gains = []
    for kind in SPLIT:
        final = {}
        for threshold, name in ((0.0, "fine-tuning"), (None, "memory")):
            scores = [done[kind, threshold, seed] for seed in range(seeds)]
            final[name] = np.array([average_score(one) for one in scores])
            change = np.array([backward_transfer(one) for one in scores])
            own = np.array([one.diagonal().mean() for one in scores])
            rows.append([f"{kind}, {name}", pm(final[name]), pm(change), pm(own)])
        changes.append(float(change.mean()))
        gains.append(final["memory"] - final["fine-tuning"])
    remembers = min(changes) >= -0.03
    on_par = all(interval(gain)[1] >= 0 for gain in gains)
    shows: Shows = "shows" if remembers and on_par else "mixed" if remembers else "does not show"
    parts = []
    for kind, change_of, gain in zip(SPLIT, changes, gains, strict=True):
        low, high = interval(gain)
        parts.append(f"{kind}: change {change_of:+.3f}, accuracy {gain.mean():+.3f} [{low:+.3f}, {high:+.3f}]")
    return Result(
        shows,
        f"With the memory, and over fine-tuning: {'; '.join(parts)}.",
        f"digits, {N_TRAIN} training rows, the others test; five tasks of two digits, about 200 training rows each",
        "GPMClassifier with heads='multi' on pixels from 0 to 1; the convolutions are (8, 16) channels with strides "
        "(1, 2) before 64 units. It shows if the accuracy of a task changes by no less than -0.03 after its end, and "
        "if the final accuracy is not below that of fine-tuning beyond the 95 % interval over seeds; it is mixed if "
        "only the former holds",
        [
            Table(
                f"Mean ± standard deviation of {seeds} seeds",
                ["network", "accuracy after the last task (ACC)", "change since own end (BWT)", "accuracy at own end"],
                rows,
            )
        ],
        {"bwt": min(changes), "gain": float(np.mean([gain.mean() for gain in gains]))},
    )


def old_outputs_move(solver: str, project: str, seed: int) -> tuple[float, float]:
    """Return how far the logits of rows in the memory, and of others, move while a second task is learned."""
    torch.set_num_threads(1)
    X, y, _ = digits(seed)
    old = X[:40]
    settings = {
        "threshold": 1.0,
        "hidden_layer_sizes": (100, 100),
        "solver": solver,
        "alpha": 0.01,
        "random_state": seed,
    }
    kind = GradientProjected if project == "gradient" else GPMClassifier
    model = kind(**NETWORK, **settings).partial_fit(old, y[:40], classes=np.arange(10))
    before = _logits(model, X[:540])
    order = np.random.default_rng(seed).permutation(64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The memory is nearly full")
        model.partial_fit(X[40:1040][:, order], y[40:1040])
    moved = np.abs(_logits(model, X[:540]) - before).max(axis=1)
    return float(moved[:40].max()), float(np.median(moved[40:]))


def _logits(model: GPMClassifier, X: NDArray) -> NDArray:
    with torch.no_grad():
        return model.to_torch()(torch.from_numpy(X)).numpy()


class GradientProjected(GPMClassifier):
    """The paper's own rule under any optimiser: the gradient is projected, and the step is what comes of it."""

    def _gradient(self, run: Any) -> Any:
        bases = [torch.tensor(M, dtype=torch.float32) for M in run.setup.tasks.protecting()]
        plain = super()._gradient(run)

        def gradient(network: Any, objective: Any, batch: Any) -> torch.Tensor:
            losses = plain(network, objective, batch)
            for W, M in zip(network.protected(), bases, strict=False):
                W.grad.sub_(M @ (M.T @ W.grad))
            return losses

        return gradient

    def _update(self, run: Any) -> Any:
        return lambda network, optimizer: optimizer.step()


@claim(
    "gpm_exactness",
    paper="gpm",
    statement="Gradients lie in the span of a layer's inputs, so that steps orthogonal to these leave the outputs for "
    "them unchanged (the paper projects gradients of SGD).",
    seeds=5,
    packages=("torch",),
)
def gpm_exactness(seeds: int, jobs: int) -> Result:
    ways = [(solver, project) for project in ("step", "gradient") for solver in ("sgd", "adam", "adamw")]
    tasks = [(*way, seed) for way in ways for seed in range(seeds)]
    done = Parallel(n_jobs=jobs)(delayed(old_outputs_move)(*task) for task in tasks)
    found = np.array(done).reshape(len(ways), seeds, 2)
    rows = [
        [f"{solver}, projected {project}", f"{found[i, :, 0].max():.1e}", f"{np.median(found[i, :, 1]):.2g}"]
        for i, (solver, project) in enumerate(ways)
    ]
    worst = float(found[:3, :, 0].max())
    gradient = float(found[4, :, 0].max())
    shows: Shows = "shows" if worst < 1e-5 else "does not show"
    return Result(
        shows,
        f"The logits of rows in the memory move by at most {worst:.1e} while 1000 rows of another task are learned, "
        f"under SGD with momentum, Adam and AdamW with weight decay. If the gradient is projected instead, as in the "
        f"paper's code, they move by up to {gradient:.2g} under Adam.",
        "digits; the memory of 40 rows at threshold 1, then 1000 other rows with the pixels in another order",
        "Two hidden layers of 100 units, float32, weight decay 0.01, 20 epochs. The largest change of a logit of the "
        "40 rows, over all seeds, and the median over 500 other rows of the first task. It shows if the former is "
        "below 1e-5 for projected steps",
        [Table("Change of logits", ["solver", "rows in the memory, largest", "other rows, median"], rows)],
        {"worst": worst, "gradient": gradient},
    )
