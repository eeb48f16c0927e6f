"""One fit of a convex network with its default settings in a process of its own.

    python benchmarks/_convex_defaults.py NAME ACTIVATION SEED [FOLDER]

NAME is one of `CASES`. FOLDER is the checkout whose `skpapers` is measured, this one by default. `bench_convex.py`
starts it for two checkouts in turns and reads the JSON that it prints.
"""

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
ROWS = 2000
CASES = ("friedman", "linear", "returns", "diabetes", "classes", "breast_cancer", "classes CV", "classes grid")


def table(name: str, seed: int) -> tuple[Any, Any, int]:
    """Return rows, targets, and the number of leading rows to train on."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, make_classification, make_friedman1, make_regression
    from sklearn.utils import shuffle

    from skpapers.datasets import make_returns

    if name == "friedman":
        return *make_friedman1(2 * ROWS, 20, noise=1.0, random_state=seed), ROWS
    if name == "linear":
        return *make_regression(2 * ROWS, 20, n_informative=10, noise=50.0, random_state=seed), ROWS
    if name == "returns":
        return *make_returns(2 * ROWS, 20, random_state=seed), ROWS
    if name.startswith("classes"):
        return *make_classification(ROWS, 35, n_informative=10, flip_y=0.05, random_state=seed), ROWS // 2
    load = {"diabetes": load_diabetes, "breast_cancer": load_breast_cancer}[name]
    X, y = shuffle(*load(return_X_y=True), random_state=seed)
    return X, y, 3 * len(X) // 4


def estimator(name: str, activation: str, seed: int) -> Any:
    from sklearn.model_selection import GridSearchCV

    from skpapers import convex

    if name == "classes CV":
        return convex.ConvexReLUClassifierCV(activation, random_state=seed)
    if name in ("friedman", "linear", "returns", "diabetes"):
        return convex.ConvexReLURegressor(activation, random_state=seed)
    model = convex.ConvexReLUClassifier(activation, random_state=seed)
    return GridSearchCV(model, {"alpha": [0.1, 0.03, 0.01]}, cv=3) if name == "classes grid" else model


def main() -> None:
    name = sys.argv[1]
    activation = sys.argv[2]
    seed = int(sys.argv[3])
    sys.path.insert(0, sys.argv[4] if len(sys.argv) > 4 else str(HERE))
    warnings.simplefilter("ignore")
    X, y, n = table(name, seed)
    model = estimator(name, activation, seed)
    single = estimator(name.split()[0], activation, seed).set_params(n_gates=20, n_refine=1)
    for alpha in (0.3, 0.01):  # compiles the kernels
        single.set_params(alpha=alpha).fit(X[:150], y[:150])
    start = time.process_time()
    model.fit(X[:n], y[:n])
    found = {"cpu": time.process_time() - start, "score": float(model.score(X[n:], y[n:]))}
    model = getattr(model, "best_estimator_", model)
    for fact in ("objective_", "gap_", "alpha", "alpha_", "n_active_neurons_", "n_iter_", "pattern_violation_"):
        if hasattr(model, fact):
            found[fact.rstrip("_")] = getattr(model, fact)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
