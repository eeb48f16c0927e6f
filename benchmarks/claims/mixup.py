"""Claims about mixup (Zhang, Deng, Kawaguchi, Ghorbani, Zou; ICLR 2021)."""

import warnings
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._statistics import arrow, interval, split_interval
from benchmarks.tables import load_shuffled
from skpapers.augmentation import MixupWrapper, adversarial_accuracy
from skpapers.neural_network import SAMMLPClassifier

PAPER = "mixup"
TEST_TRAIN = 0.5  # test rows per training row
MAX_ROWS = 900
ALPHAS = (0.2, 0.4, 1.0, 2.0)
DEFAULT = 0.4
GAIN = 0.08

REGRESSION = ("diabetes", "concrete", "qsar", "friedman1")
CLASSIFICATION = ("breast_cancer", "digits", "raisin", "segment")


def models(name: str, seed: int) -> dict[str, Any]:
    """Return the models of a table, as they are used without mixup."""
    if name in REGRESSION:
        return {
            "tree": DecisionTreeRegressor(random_state=seed),
            "forest": RandomForestRegressor(50, random_state=seed),
            "nearest neighbours": make_pipeline(StandardScaler(), KNeighborsRegressor()),
            "ridge": make_pipeline(StandardScaler(), Ridge()),
            "network": make_pipeline(StandardScaler(), MLPRegressor(max_iter=300, random_state=seed)),
        }
    return {
        "tree": DecisionTreeClassifier(random_state=seed),
        "forest": RandomForestClassifier(50, random_state=seed),
        "nearest neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier()),
        "logistic, no penalty": make_pipeline(StandardScaler(), LogisticRegression(C=np.inf, max_iter=500)),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        "discriminant analysis": make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()),
        "network": make_pipeline(StandardScaler(), MLPClassifier(max_iter=150, random_state=seed)),
    }


def rows_of(name: str) -> tuple[NDArray, NDArray]:
    if name != "digits":
        return load_shuffled(name, MAX_ROWS)
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(X))[:300]
    return X[rows] / 16, y[rows]


def split(name: str, seed: int) -> list[NDArray]:
    X, y = rows_of(name)
    labels = None if name in REGRESSION else y
    return train_test_split(X, y, test_size=1 / 3, random_state=seed, stratify=labels)


def score(model: Any, split: list[NDArray]) -> tuple[float, float]:
    """Return R2 twice, or accuracy and minus the log loss."""
    X_train, X_test, y_train, y_test = split
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # networks are given a fixed number of epochs
        model.fit(X_train, y_train)
    if not is_classifier(model):
        found = float(r2_score(y_test, model.predict(X_test)))
        return found, found
    loss = log_loss(y_test, model.predict_proba(X_test), labels=model.classes_)
    return float(accuracy_score(y_test, model.predict(X_test))), -float(loss)


def scores_of_split(name: str, seed: int) -> NDArray:
    """Return scores of shape (n_models, 2, 2): without and with mixup, in both measures."""
    parts = split(name, seed)
    pairs = [(model, MixupWrapper(clone(model), random_state=seed)) for model in models(name, seed).values()]
    return np.array([[score(model, parts) for model in pair] for pair in pairs])


def trees_of_split(seed: int) -> list[float]:
    """Return R2 on diabetes of a tree, and of trees fitted on mixtures for each alpha."""
    parts = split("diabetes", seed)
    tree = DecisionTreeRegressor(random_state=seed)
    mixed = [MixupWrapper(tree, alpha=alpha, random_state=seed) for alpha in ALPHAS]
    return [score(model, parts)[0] for model in (clone(tree), *mixed)]


def gain_cell(differences: NDArray, digits: int = 3) -> str:
    low, high = split_interval(differences, TEST_TRAIN)
    return f"{differences.mean():+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]{arrow(low, high)}"


def tree_row(column: int, scores: NDArray) -> list[str]:
    gains = scores[:, column] - scores[:, 0]
    return [f"{ALPHAS[column - 1]:g}", f"{scores[:, column].mean():.3f}", gain_cell(gains), f"{np.sum(gains > 0)}"]


def model_row(name: str, model: str, scores: NDArray) -> list[str]:
    """Return a row from scores of shape (n_seeds, 2, 2)."""
    gains = scores[:, 1] - scores[:, 0]
    plain, mixed = (f"{score:.3f}" for score in scores[:, :, 0].mean(axis=0))
    loss = gain_cell(gains[:, 1], 2) if name in CLASSIFICATION else ""
    return [name, model, plain, mixed, gain_cell(gains[:, 0]), loss]


@claim(
    "mixup_tree_r2",
    paper=PAPER,
    statement="Training on mixtures of rows regularises a model, by a penalty that adapts to the data, and so improves "
    "its generalization. The paper shows it for networks; a single tree is a model of high variance, too.",
    seeds=30,
)
def mixup_tree_r2(seeds: int, jobs: int) -> Result:
    trees = np.array(Parallel(n_jobs=jobs)(delayed(trees_of_split)(seed) for seed in range(seeds)))
    gains = trees[:, 1 + ALPHAS.index(DEFAULT)] - trees[:, 0]
    low, high = split_interval(gains, TEST_TRAIN)

    names = REGRESSION + CLASSIFICATION
    fewer = max(2, seeds // 3)
    tasks = [(name, seed) for name in names for seed in range(fewer)]
    done = Parallel(n_jobs=jobs)(delayed(scores_of_split)(*task) for task in tasks)
    rows = []
    better = []
    worse = []
    for i, name in enumerate(names):
        of_table = np.array(done[i * fewer : (i + 1) * fewer])
        for k, model in enumerate(models(name, 0)):
            scores = of_table[:, k]
            rows.append(model_row(name, model, scores))
            bounds = split_interval(scores[:, 1, 0] - scores[:, 0, 0], TEST_TRAIN)
            better += [f"{model} on {name}"] * (bounds[0] > 0)
            worse += [f"{model} on {name}"] * (bounds[1] < 0)
    shows: Shows = "shows" if gains.mean() >= GAIN else "mixed" if gains.mean() > 0 else "does not show"
    zero = "" if low > 0 else ", an interval that holds zero"
    return Result(
        shows,
        f"A regression tree on diabetes gains {gains.mean():+.3f} R² [{low:+.3f}, {high:+.3f}]{zero}, and is better "
        f"on {np.sum(gains > 0)} of {seeds} splits. Over {len(rows)} pairs of a model and a table mixup is clearly "
        f"better (beyond the interval) for {', '.join(better) or 'none'}, and clearly worse for "
        f"{', '.join(worse) or 'none'}.",
        f"diabetes; for the other models {', '.join(names)}, at most {MAX_ROWS} rows of each (digits: 300)",
        f"2/3 of the rows train, 1/3 test, a new split each seed; MixupWrapper at its defaults (alpha {DEFAULT}, four "
        "mixtures a row and the originals). The claim shows if the tree's mean gain on diabetes over the splits is "
        f"{GAIN} or more and is mixed if it is positive but less. Other models and tables are "
        "listed and do not enter; nor does the interval, which is wide where a third of one table is held out",
        [
            Table(
                "A regression tree on diabetes",
                ["alpha", "R²", "gain over the plain tree", "splits won"],
                [tree_row(column, trees) for column in range(1, 1 + len(ALPHAS))],
                f"R² of the plain tree: {trees[:, 0].mean():.3f}. Brackets: 95% interval, corrected for the overlap of "
                "splits (Nadeau and Bengio); an arrow marks one without zero.",
            ),
            Table(
                "Models and tables",
                ["table", "model", "plain", "mixup", "gain", "gain in log loss"],
                rows,
                f"R² or accuracy on the test part, mean of {fewer} splits. The log loss is counted so that more is "
                "better. Nearest neighbours and discriminant analysis take no weights and get the dominant partner's "
                "label. Networks take five times the steps with mixup, which is a part of their gain.",
            ),
        ],
        {"gain": float(gains.mean()), "low": low, "high": high, "better": len(better), "worse": len(worse)},
    )


# Under attack -----------------------------------------------------------------------------------------------------

NETWORK: dict[str, Any] = {
    "hidden_layer_sizes": (64, 64),
    "numeric_embedding": "none",
    "scaling": None,
    "rho": 0.0,
    "max_iter": 60,
    "calibration": None,
    "device": "cpu",
}
TRAINING: dict[str, dict[str, float]] = {
    "plain": {},
    "mixup 0.2": {"mixup_alpha": 0.2},
    "mixup 1": {"mixup_alpha": 1.0},
    "mixup 4": {"mixup_alpha": 4.0},
    "label smoothing 0.1": {"label_smoothing": 0.1},
}
PLAIN, MIXUP, SMOOTHING = (list(TRAINING).index(name) for name in ("plain", "mixup 1", "label smoothing 0.1"))
# Other networks, to see whether what is found is mixup's or the network's.
OTHERS: dict[str, dict[str, Any]] = {
    "no dropout": {"dropout": 0.0},
    "batches of 32": {"batch_size": 32},
    "ReLU": {"activation": "relu"},
    "256 x 256": {"hidden_layer_sizes": (256, 256)},
    "periodic embedding": {"numeric_embedding": "periodic"},
    "256 x 256, periodic embedding": {"hidden_layer_sizes": (256, 256), "numeric_embedding": "periodic"},
}
RADIUS = {"digits": 0.1, "breast_cancer": 0.25}  # in units of a pixel, and of a standard deviation
N_TRAIN = {"digits": 400, "breast_cancer": 200}
MEASURES = ("clean", "FGSM", "PGD")
CLEAN, FGSM, PGD = range(3)


def rows_under_attack(name: str, seed: int) -> list[NDArray]:
    X, y = load_digits(return_X_y=True) if name == "digits" else load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=N_TRAIN[name], random_state=seed, stratify=y)
    if name == "digits":
        return [X_train / 16, X_test / 16, y_train, y_test]
    scaler = StandardScaler().fit(X_train)
    return [scaler.transform(X_train), scaler.transform(X_test), y_train, y_test]


def accuracies(name: str, seed: int, **params: Any) -> list[float]:
    """Return the accuracy of one network on test rows as they are, and under both attacks."""
    torch.set_num_threads(1)
    X_train, X_test, y_train, y_test = rows_under_attack(name, seed)
    network = SAMMLPClassifier(**{**NETWORK, **params}, random_state=seed).fit(X_train, y_train)
    attacked = [adversarial_accuracy(network, X_test, y_test, RADIUS[name], attack) for attack in ("fgsm", "pgd")]
    return [network.score(X_test, y_test), *attacked]


def gain_cells(found: NDArray, base: NDArray) -> list[str]:
    """Return gains in points with their intervals, from accuracies of shape (n_seeds, 3)."""
    gains = 100 * (found - base)
    bounds = [interval(gains[:, k]) for k in range(len(MEASURES))]
    return [
        f"{gains[:, k].mean():+.1f} [{low:+.1f}, {high:+.1f}]{arrow(low, high)}" for k, (low, high) in enumerate(bounds)
    ]


def training_table(name: str, found: NDArray) -> Table:
    """Return a table from accuracies of shape (n_trainings, n_seeds, 3)."""
    rows = [
        [training, *(f"{accuracy:.3f}" for accuracy in of.mean(axis=0)), *gain_cells(of, found[PLAIN])]
        for training, of in zip(TRAINING, found, strict=True)
    ]
    rows[PLAIN][1 + len(MEASURES) :] = [""] * len(MEASURES)
    return Table(
        f"Accuracy under attack: {name}, eps = {RADIUS[name]}",
        ["training", *MEASURES, *(f"gain, {measure}" for measure in MEASURES)],
        rows,
        "Mean over seeds; gains in points over the plain network, with their 95% interval over seeds.",
    )


def others_table(found: NDArray) -> Table:
    """Return a table from accuracies of shape (n_networks, 2, n_seeds, 3): plain, and with mixup."""
    rows = [
        [network, *(f"{accuracy:.3f}" for accuracy in plain.mean(axis=0)), *gain_cells(mixed, plain)]
        for network, (plain, mixed) in zip(OTHERS, found, strict=True)
    ]
    return Table(
        "Gains of mixup (alpha 1) in other networks: digits",
        ["what is changed", *MEASURES, *(f"gain, {measure}" for measure in MEASURES)],
        rows,
        "As above; accuracies without mixup, and gains over them. The last line is the estimator's default network.",
    )


@claim(
    "mixup_fgsm",
    paper=PAPER,
    statement="Mixup makes networks robust against single-step adversarial attacks: its regularisation bounds the loss "
    "under an attack of a radius that grows with alpha.",
    seeds=10,
    packages=("torch",),
)
def mixup_fgsm(seeds: int, jobs: int) -> Result:
    tables = list(RADIUS)
    params = [(name, more) for name in tables for more in TRAINING.values()]
    params += [("digits", {**change, "mixup_alpha": alpha}) for change in OTHERS.values() for alpha in (0.0, 1.0)]
    done = Parallel(n_jobs=jobs)(
        delayed(accuracies)(name, seed, **more) for name, more in params for seed in range(seeds)
    )
    by_run = np.array(done).reshape(len(params), seeds, len(MEASURES))
    found = dict(zip(tables, by_run[: len(tables) * len(TRAINING)].reshape(len(tables), -1, seeds, 3), strict=True))
    others = by_run[len(tables) * len(TRAINING) :].reshape(len(OTHERS), 2, seeds, 3)

    digits, cancer = (100 * (found[name] - found[name][PLAIN]) for name in tables)
    fgsm = digits[MIXUP, :, FGSM]
    clean = digits[MIXUP, :, CLEAN]
    elsewhere = cancer[MIXUP, :, FGSM]
    in_others = 100 * (others[:, 1] - others[:, 0])[..., FGSM].mean(axis=1)
    (low, high) = interval(fgsm)
    (low_there, high_there) = interval(elsewhere)
    shows: Shows = "does not show"
    if low > 0:
        shows = "shows" if fgsm.mean() >= 6 and clean.mean() >= -1.5 else "mixed"
    return Result(
        shows,
        f"On digits mixup (alpha 1) gains {fgsm.mean():+.1f} points [{low:+.1f}, {high:+.1f}] under FGSM and "
        f"{clean.mean():+.1f} on clean rows; label smoothing alone gains "
        f"{digits[SMOOTHING, :, FGSM].mean():+.1f} under FGSM. On breast_cancer mixup gains {elsewhere.mean():+.1f} "
        f"[{low_there:+.1f}, {high_there:+.1f}]. It depends on the network: in {len(OTHERS)} others the gain under "
        f"FGSM on digits is {in_others.min():+.1f} to {in_others.max():+.1f}, and negative in {np.sum(in_others < 0)}.",
        "digits, 400 training rows, pixels in [0, 1]; breast_cancer, 200 training rows, standardised",
        "Plain networks of 64 x 64 units at the estimator's other defaults, rho = 0, 60 epochs, pairs drawn anew in "
        "every batch; the attacks know the network. It shows if the gain of alpha = 1 under FGSM on digits is 6 "
        "points or more, its 95% interval over seeds is above zero and the clean accuracy falls by 1.5 points at "
        "most; it is mixed if the gain is above zero only. breast_cancer and other networks do not enter",
        [*(training_table(name, found[name]) for name in tables), others_table(others)],
        {
            "fgsm": float(fgsm.mean()),
            "clean": float(clean.mean()),
            "elsewhere": float(elsewhere.mean()),
            "others_low": float(in_others.min()),
            "others_high": float(in_others.max()),
        },
    )
