"""Claims of Tent (Wang, Shelhamer, Liu, Olshausen, Darrell; ICLR 2021)."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._shifts import (
    BATCH,
    IMAGE_SHIFTS,
    OTHER_IMAGE_SHIFTS,
    STREAMS,
    TABLE_SHIFTS,
    contrast,
    drift,
    standardised,
    stream,
)
from benchmarks.claims._statistics import interval
from skpapers.adaptation import TentClassifier
from skpapers.convolution import ConvNetClassifier
from skpapers.neural_network import SAMMLPClassifier

PERCEPTRON: dict[str, Any] = {
    "hidden_layer_sizes": (128, 64),
    "activation": "relu",
    "numeric_embedding": "none",
    "batch_norm": True,
    "dropout": 0.0,
    "rho": 0.0,
    "alpha": 0.01,
    "learning_rate_init": 0.003,
    "max_iter": 30,
    "scaling": None,
    "calibration": None,
}
CONVOLUTIONS: dict[str, Any] = {"hidden_channels": (16, 32), "max_iter": 15, "learning_rate_init": 0.01, "dropout": 0.0}
CHOSEN_ON = ("digits, perceptron", "digits, convolutions", "bean", "htru")
ELSEWHERE = ("digits, perceptron", "digits, convolutions", "magic", "eeg", "segment", "page")
METHODS: dict[str, dict[str, Any]] = {
    "source": {"adapt": "never"},
    "paper (batch)": {"stats": "batch", "adapt": "always", "entropy_margin": None, "learning_rate": 0.001},
    "prior, always": {"adapt": "always"},
    "prior, auto": {"adapt": "auto"},
}
STEPS: dict[str, dict[str, Any]] = {
    "statistics alone": {"n_steps": 0},
    "1 step": {"n_steps": 1},
    "5 steps": {"n_steps": 5},
}


def fitted(name: str, seed: int) -> tuple[TentClassifier, NDArray, NDArray]:
    """Return a fitted classifier, and the other rows of its table with their labels."""
    torch.set_num_threads(1)
    table, _, network = name.partition(", ")
    X_train, y_train, X, y = standardised(table, seed, {"digits": 900, "segment": 1200}.get(table, 2000))
    inside = None
    if network:
        kind, settings = (
            (ConvNetClassifier, CONVOLUTIONS) if network == "convolutions" else (SAMMLPClassifier, PERCEPTRON)
        )
        inside = kind(**settings, device="cpu", random_state=seed)
    return TentClassifier(inside, random_state=seed).fit(X_train, y_train), X, y


def batches(rows: NDArray, size: int) -> Iterable[NDArray]:
    """Return the batches of a stream."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


class Case(NamedTuple):
    """Source and adapted model after one stream: accuracies on its rows, and what was recommended without labels."""

    model: str
    shift: str
    stream: str
    source: float
    adapted: float
    auto: bool
    entropy: bool

    def regret(self, rule: str) -> float:
        """Return the points lost to the better of both models by a rule: "never", "always", "entropy" or "auto"."""
        return 100.0 * (max(self.source, self.adapted) - self.accuracy(rule))

    def accuracy(self, rule: str) -> float:
        """Return the accuracy of the model that a rule takes."""
        takes = {"never": False, "always": True, "entropy": self.entropy, "auto": self.auto}[rule]
        return self.adapted if takes else self.source


def decisions(name: str, seed: int, elsewhere: bool) -> list[Case]:
    """Return the cases of one model: every shift in every stream."""
    model, X, y = fitted(name, seed)
    images = OTHER_IMAGE_SHIFTS if elsewhere else IMAGE_SHIFTS
    shifts = images if name.startswith("digits") else TABLE_SHIFTS
    found = []
    warnings.filterwarnings("ignore", "The predictions of the adapted model have fallen")
    for i, (kind, change) in enumerate(shifts.items()):
        shifted = change(X, np.random.default_rng([seed, i]))
        for j, order in enumerate(STREAMS):
            rows = stream(order, kind, X, y, np.random.default_rng([seed, i, j]))
            model.reset().set_params(adapt="always")
            for batch in batches(shifted[rows], BATCH if len(rows) > 200 else len(rows)):
                model.partial_fit(batch)
            adapted = np.mean(model.predict(shifted[rows]) == y[rows])
            source = np.mean(model.set_params(adapt="never").predict(shifted[rows]) == y[rows])
            report = model.adaptation_report_
            falls = report.entropy_adapted < report.entropy_source
            found.append(Case(name, kind, order, float(source), float(adapted), report.keep, falls))
    return found


def right(cases: list[Case], rule: str) -> float:
    """Return the share of cases in which a rule takes the better model, or one as good, in percent."""
    return 100.0 * float(np.mean([case.regret(rule) < 1e-9 for case in cases]))


def regret(cases: list[Case], rule: str) -> float:
    """Return the mean regret of a rule, in points."""
    return float(np.mean([case.regret(rule) for case in cases]))


def groups(cases: list[Case], key: Callable[[Case], str]) -> dict[str, list[Case]]:
    """Return the cases by a key, in the order of their appearance."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(key(case), []).append(case)
    return found


def by(title: str, first: str, cases: list[Case], key: Callable[[Case], str]) -> Table:
    """Return accuracies, and how often the rule is right, for each group of cases."""
    rows = []
    for name, part in groups(cases, key).items():
        means = [100.0 * np.mean([case.accuracy(rule) for case in part]) for rule in ("never", "always", "auto")]
        rows.append([name, *(f"{mean:.1f}" for mean in means), f"{right(part, 'auto'):.0f}",
                     f"{regret(part, 'always'):.2f}", f"{regret(part, 'auto'):.2f}"])  # fmt: skip
    columns = [first, "source", "always", "auto", "auto is right, %", "regret of always", "regret of auto"]
    return Table(title, columns, rows)


def worst(cases: list[Case], n: int = 10) -> Table:
    """Return where the rule fails: the settings with the largest mean regret over the seeds."""
    means = {key: part for key, part in groups(cases, lambda c: f"{c.model}; {c.shift}; {c.stream}").items()}
    order = sorted(means, key=lambda key: -regret(means[key], "auto"))[:n]
    rows = []
    for key in order:
        part = means[key]
        accuracy = [100.0 * np.mean([getattr(case, side) for case in part]) for side in ("source", "adapted")]
        share = 100.0 * np.mean([case.auto for case in part])
        rows.append([key, *(f"{value:.1f}" for value in accuracy), f"{share:.0f}", f"{regret(part, 'auto'):.1f}"])
    return Table("Where the rule fails most", ["case", "source", "adapted", "adapted is kept, %", "regret"], rows)


def verdict_of(cases: list[Case], seeds: int, data: str, least: float, most: float) -> Result:
    """Return the result for a suite of cases."""
    rules = ("never", "always", "entropy", "auto")
    summary = [
        [rule, f"{100 * np.mean([case.accuracy(rule) for case in cases]):.1f}", f"{right(cases, rule):.0f}",
         f"{regret(cases, rule):.2f}", f"{max(case.regret(rule) for case in cases):.0f}"]
        for rule in rules
    ]  # fmt: skip
    clean = [case for case in cases if case.shift == "clean"]
    lost = float(np.mean([100.0 * (case.source - case.accuracy("auto")) for case in clean]))
    share = right(cases, "auto")
    mean = regret(cases, "auto")
    better = mean < min(regret(cases, rule) for rule in rules[:3])
    shows: Shows = "shows" if share >= least and mean <= most and better else "mixed" if better else "does not show"
    bad = sum(case.regret("auto") > 10.0 for case in cases)
    return Result(
        shows,
        f"The rule is right in {share:.0f} % of {len(cases)} cases, with a mean regret of {mean:.2f} points. Always "
        f"adapting has {regret(cases, 'always'):.2f}, never {regret(cases, 'never'):.2f}, and adapting if the entropy "
        f"falls {regret(cases, 'entropy'):.2f}. Clean streams lose {lost:.2f} points; the regret is above 10 in "
        f"{100 * bad / len(cases):.1f} % of the cases.",
        data,
        f"{seeds} seeds; ten shifts in six streams for each model: 400 rows in batches of {BATCH} (iid, sorted by "
        "class, imbalanced), and single batches. Source and adapted model, with default settings, are judged on the "
        "rows of the stream. A decision is right if the other model has no higher accuracy; regret is the points lost "
        f"to the better one. It shows if {least:.0f} % are right, the mean regret is at most {most:g} points, and "
        "lower than that of the other rules; it is mixed if only the last holds",
        [
            Table("All cases", ["adapt", "accuracy", "right, %", "mean regret", "largest regret"], summary),
            by("By stream", "stream", cases, lambda case: case.stream),
            by("By model", "model", cases, lambda case: case.model),
            by("By shift, images", "shift", [c for c in cases if c.model.startswith("digits")], lambda c: c.shift),
            by("By shift, tables", "shift", [c for c in cases if not c.model.startswith("digits")], lambda c: c.shift),
            worst(cases),
        ],
        {"right": share, "regret": mean, "always": regret(cases, "always"), "never": regret(cases, "never"),
         "clean": lost},
    )  # fmt: skip


def measured(names: tuple[str, ...], seeds: int, jobs: int, elsewhere: bool) -> list[Case]:
    tasks = [(name, seed, elsewhere) for seed in range(seeds) for name in names]
    return [case for found in Parallel(n_jobs=jobs)(delayed(decisions)(*task) for task in tasks) for case in found]


@claim(
    "tent_decision",
    paper="tent",
    statement="(An addition; the paper always adapts.) Evidence without labels shows whether the adapted model is "
    "better than its source.",
    seeds=8,
    packages=("torch",),
)
def tent_decision(seeds: int, jobs: int) -> Result:
    data = (
        "digits (a perceptron and a convolutional network), bean, htru; the rule was chosen on seeds 0 to 2 of them "
        "and of avila, bank, bidding, breast_cancer, fault, raisin, wilt"
    )
    return verdict_of(measured(CHOSEN_ON, seeds, jobs, False), seeds, data, 85.0, 1.0)


@claim(
    "tent_decision_elsewhere",
    paper="tent",
    statement="(An addition.) The same on data that chose nothing.",
    seeds=3,
    packages=("torch",),
)
def tent_decision_elsewhere(seeds: int, jobs: int) -> Result:
    data = "magic, eeg, segment, page, and digits under other shifts than those that the rule was chosen on"
    return verdict_of(measured(ELSEWHERE, seeds, jobs, True), seeds, data, 80.0, 1.2)


def stream_errors(network: str, seed: int) -> NDArray[np.float64]:
    """Return the errors of every shift, order and method: each batch is given to partial_fit and then predicted."""
    model, X, y = fitted(f"digits, {network}", seed)
    warnings.filterwarnings("ignore", "The predictions of the adapted model have fallen")
    found = []
    for change in STREAM_SHIFTS.values():
        shifted = change(X, np.random.default_rng(seed))
        for order in (np.arange(len(X)), np.argsort(y, kind="stable")):
            row = []
            for settings in METHODS.values():
                model.reset().set_params(**{**DEFAULTS, **settings})
                pairs = zip(batches(shifted[order], 64), batches(y[order], 64), strict=True)
                wrong = sum(np.sum(model.partial_fit(rows).predict(rows) != labels) for rows, labels in pairs)
                row.append(wrong / len(X))
            found.append(row)
    return np.array(found).reshape(len(STREAM_SHIFTS), 2, len(METHODS))


STREAM_SHIFTS: dict[str, Any] = {
    "clean": lambda X, rng: X,
    "contrast x 0.25": contrast(0.25),
    "brightness + 0.6": lambda X, rng: X + 0.6,
    "gain and offset": drift(0.4),
    "noise, sd 0.35": lambda X, rng: X + rng.normal(0.0, 0.35, X.shape),
}
DEFAULTS = {name: TentClassifier().get_params()[name] for name in ("stats", "adapt", "entropy_margin", "learning_rate")}
NETWORKS = ("perceptron", "convolutions")


@claim(
    "tent_streams",
    paper="tent",
    statement="Test-time adaptation reduces the error on corrupted images (CIFAR-C, ImageNet-C), online, without "
    "labels.",
    seeds=3,
    packages=("torch",),
)
def tent_streams(seeds: int, jobs: int) -> Result:
    tasks = [(network, seed) for network in NETWORKS for seed in range(seeds)]
    done = Parallel(n_jobs=jobs)(delayed(stream_errors)(*task) for task in tasks)
    found = np.array(done).reshape(len(NETWORKS), seeds, len(STREAM_SHIFTS), 2, len(METHODS))
    tables = []
    for k, order in enumerate(("in random order", "sorted by class")):
        rows = []
        for i, network in enumerate(NETWORKS):
            for j, kind in enumerate(STREAM_SHIFTS):
                values = found[i, :, j, k]
                rows.append([f"{network}, {kind}", *(f"{v.mean():.3f} ± {v.std(ddof=1):.3f}" for v in values.T)])
        title = f"Error of a stream {order}, batches of 64, mean ± standard deviation of {seeds} seeds"
        tables.append(Table(title, ["network, shift", *METHODS], rows))
    mean = found.mean(axis=1)
    kinds = list(STREAM_SHIFTS)
    after = {kind: mean[:, k, 0, -1] / mean[:, k, 0, 0] for k, kind in enumerate(kinds)}  # of both networks
    contrasts = float(after["contrast x 0.25"].max())
    gain = float(after["gain and offset"][0])
    rise = 100.0 * float((mean[:, 0, 0, 2:] - mean[:, 0, 0, :1]).max())
    in_order = float((mean[:, 0, 1, 2] / mean[:, 0, 1, 1]).max())
    met = (contrasts <= 0.15, gain <= 0.4, rise < 1.5, in_order <= 0.5)
    shows: Shows = "shows" if all(met) else "mixed" if contrasts < 1.0 else "does not show"
    text = "; ".join(f"{kind}: {of[0]:.2f} and {of[1]:.2f}" for kind, of in after.items() if kind != "clean")
    return Result(
        shows,
        f"Error after adaptation over error before it, perceptron and convolutions: {text}. On a clean stream the "
        f"error changes by at most {rise:+.1f} points. On a clean stream sorted by class, always adapting by the "
        f"default statistics has {in_order:.2f} times the error of the paper's.",
        "digits, 900 training rows, the others are the stream",
        "A perceptron of 128 x 64 units and a convolutional network, both with batch normalisation. Every batch is "
        "given to partial_fit, and then predicted. It shows if the ratio of the default ('prior, auto') is at most "
        "0.15 for contrast with both networks, and 0.4 for gain and offset with the perceptron (convolutions normalise "
        "channels, which cannot undo what differs from pixel to pixel); if the error of a clean stream rises by less "
        "than 1.5 points; and if that of a clean stream sorted by class is at most half of the paper's with 'prior, "
        "always' ('auto' has that of the source)",
        tables,
        {"contrast": contrasts, "gain": gain, "rise": rise, "sorted": in_order},
    )


def step_accuracies(name: str, seed: int) -> NDArray[np.float64]:
    """Return the accuracy after iid streams, for every shift, kind of statistics and number of steps."""
    model, X, y = fitted(name, seed)
    warnings.filterwarnings("ignore", "The predictions of the adapted model have fallen")
    shifts = IMAGE_SHIFTS if name.startswith("digits") else TABLE_SHIFTS
    found = []
    for i, (kind, change) in enumerate(shifts.items()):
        rows = stream("iid", kind, X, y, np.random.default_rng([seed, i]))
        shifted = change(X, np.random.default_rng([seed, i]))[rows]
        for stats in ("batch", "prior"):
            for settings in STEPS.values():
                model.reset().set_params(stats=stats, adapt="always", **settings)
                hits = [
                    model.partial_fit(batch).predict(batch) == labels
                    for batch, labels in zip(batches(shifted, BATCH), batches(y[rows], BATCH), strict=True)
                ]
                found.append(np.mean(np.concatenate(hits)))
    return 100.0 * np.array(found).reshape(len(shifts), 2, len(STEPS))


@claim(
    "tent_entropy_step",
    paper="tent",
    statement="Minimising the entropy improves on normalisation by the statistics of the test batch alone.",
    seeds=3,
    packages=("torch",),
)
def tent_entropy_step(seeds: int, jobs: int) -> Result:
    tasks = [(name, seed) for name in CHOSEN_ON for seed in range(seeds)]
    done = np.array(Parallel(n_jobs=jobs)(delayed(step_accuracies)(*task) for task in tasks))
    done = done.reshape(len(CHOSEN_ON), seeds, -1, 2, len(STEPS))
    rows = []
    gains = {}
    for k, stats in enumerate(("batch", "prior")):
        for i, name in enumerate(CHOSEN_ON):
            cells = [f"{value:.2f}" for value in done[i, :, :, k].mean(axis=(0, 1))]
            rows.append([f"{name}, {stats}", *cells])
        for j, steps in enumerate(STEPS):
            of_seed = (done[:, :, :, k, j] - done[:, :, :, k, 0]).mean(axis=(0, 2))
            gains[stats, steps] = (float(of_seed.mean()), *interval(of_seed))
    mean, low, _ = gains["batch", "1 step"]
    shows: Shows = "shows" if low > 0 and mean >= 0.5 else "mixed" if low > 0 else "does not show"
    text = "; ".join(
        f"{stats}, {steps}: {gain:+.2f} [{least:+.2f}, {most:+.2f}]"
        for (stats, steps), (gain, least, most) in gains.items()
        if steps != "statistics alone"
    )
    return Result(
        shows,
        f"Points that steps add to the statistics alone: {text}. The statistics do nearly all of it.",
        "digits (a perceptron and a convolutional network), bean, htru; ten shifts each, 400 rows in random order",
        f"{seeds} seeds, learning rate 0.001, margin 0.4, batches of {BATCH} rows, each predicted after its steps. It "
        "shows if one step with the statistics of the batch adds half a point, beyond the 95 % interval over seeds; it "
        "is mixed if it adds something beyond the interval",
        [Table("Accuracy, mean over shifts and seeds", ["model, statistics", *STEPS], rows)],
        {"batch": mean, "prior": gains["prior", "1 step"][0]},
    )
