"""Claims about mixup (Zhang, Deng, Kawaguchi, Ghorbani, Zou; ICLR 2021)."""

import warnings
from typing import Any

import numpy as np
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

PAPER = "mixup"
TEST_TRAIN = 0.5  # test rows per training row
MAX_ROWS = 900
ALPHAS = (0.2, 0.4, 1.0, 2.0)
DEFAULT, GAIN = 0.4, 0.08

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
    parts, tree = split("diabetes", seed), DecisionTreeRegressor(random_state=seed)
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

    names, fewer = REGRESSION + CLASSIFICATION, max(2, seeds // 3)
    tasks = [(name, seed) for name in names for seed in range(fewer)]
    done = Parallel(n_jobs=jobs)(delayed(scores_of_split)(*task) for task in tasks)
    rows, better, worse = [], [], []
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


# mixup_fgsm: measured with the package's networks, and registered with them ------------------------------------------

NETWORKS: dict[str, dict[str, float]] = {
    "plain": {},
    "mixup 0.2": {"mixup_alpha": 0.2},
    "mixup 1": {"mixup_alpha": 1.0},
    "mixup 4": {"mixup_alpha": 4.0},
    "label smoothing 0.1": {"label_smoothing": 0.1},
}
RADIUS = {"digits": 0.1, "breast_cancer": 0.25}  # in units of a pixel, and of a standard deviation
N_TRAIN = {"digits": 400, "breast_cancer": 200}
CLEAN, FGSM, PGD = range(3)
COLUMNS = ("clean", "FGSM", "PGD")


def robustness_of_seed(name: str, seed: int) -> NDArray:
    """Return accuracies of shape (n_networks, 3)."""
    from skpapers.neural_network import SAMMLPClassifier

    X, y = load_digits(return_X_y=True) if name == "digits" else load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=N_TRAIN[name], random_state=seed, stratify=y)
    if name == "digits":
        X_train, X_test = X_train / 16, X_test / 16
    else:
        scaler = StandardScaler().fit(X_train)
        X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    found = []
    for params in NETWORKS.values():
        network = SAMMLPClassifier(
            hidden_layer_sizes=(64, 64), rho=0, scaling=None, max_iter=60, random_state=seed, **params
        ).fit(X_train, y_train)
        attacked = [adversarial_accuracy(network, X_test, y_test, RADIUS[name], how) for how in ("fgsm", "pgd")]
        found.append([network.score(X_test, y_test), *attacked])
    return np.array(found)


def robustness_table(name: str, found: NDArray) -> Table:
    """Return a table from accuracies of shape (n_seeds, n_networks, 3)."""
    gains = 100 * (found - found[:, :1])
    rows = []
    for i, network in enumerate(NETWORKS):
        accuracies = [f"{accuracy:.3f}" for accuracy in found[:, i].mean(axis=0)]
        bounds = [interval(gains[:, i, k]) for k in (CLEAN, FGSM, PGD)]
        cells = [
            f"{gains[:, i, k].mean():+.1f} [{low:+.1f}, {high:+.1f}]{arrow(low, high)}" if i else ""
            for k, (low, high) in enumerate(bounds)
        ]
        rows.append([network, *accuracies, *cells])
    return Table(
        f"Accuracy under attack: {name}, eps = {RADIUS[name]}",
        ["network", *COLUMNS, *(f"gain, {column}" for column in COLUMNS)],
        rows,
        "Mean over seeds; gains in points over the plain network, with their 95% interval over seeds.",
    )


def mixup_fgsm(seeds: int, jobs: int) -> Result:
    tasks = [(name, seed) for name in RADIUS for seed in range(seeds)]
    done = np.array(Parallel(n_jobs=jobs)(delayed(robustness_of_seed)(*task) for task in tasks))
    found = dict(zip(RADIUS, done.reshape(len(RADIUS), seeds, len(NETWORKS), 3), strict=True))
    gains = {name: 100 * (table - table[:, :1]) for name, table in found.items()}
    mixup, smoothing = list(NETWORKS).index("mixup 1"), list(NETWORKS).index("label smoothing 0.1")
    fgsm, clean = gains["digits"][:, mixup, FGSM], gains["digits"][:, mixup, CLEAN]
    elsewhere = gains["breast_cancer"][:, mixup, FGSM]
    (low, high), (low_there, high_there) = interval(fgsm), interval(elsewhere)
    shows: Shows = "does not show"
    if low > 0:
        shows = "shows" if fgsm.mean() >= 6 and clean.mean() >= -1.5 else "mixed"
    return Result(
        shows,
        f"On digits mixup (alpha 1) gains {fgsm.mean():+.1f} points [{low:+.1f}, {high:+.1f}] under FGSM and "
        f"{clean.mean():+.1f} on clean rows; label smoothing alone gains "
        f"{gains['digits'][:, smoothing, FGSM].mean():+.1f} under FGSM. On breast_cancer mixup gains "
        f"{elsewhere.mean():+.1f} [{low_there:+.1f}, {high_there:+.1f}].",
        "digits, 400 training rows, pixels in [0, 1]; breast_cancer, 200 training rows, standardised",
        "Networks 64 x 64, 60 epochs, pairs drawn anew in every batch; the attacks know the network. It shows if "
        "the gain under FGSM on digits is 6 points or more, its 95% interval over seeds is above zero and the clean "
        "accuracy falls by 1.5 points at most; it is mixed if the gain is above zero only. breast_cancer does not "
        "enter",
        [robustness_table(name, table) for name, table in found.items()],
        {"fgsm": float(fgsm.mean()), "clean": float(clean.mean()), "elsewhere": float(elsewhere.mean())},
    )
