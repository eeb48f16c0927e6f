"""The convex networks in the tests that run on every estimator."""

from tests._case import Case

SMALL = {"alpha": 0.05, "n_gates": 20, "n_refine": 1, "random_state": 0}
SMALL_CV = {"alphas": 2, "eps": 0.1, "n_gates": 8, "cv": 2, "random_state": 0}
# With ten alphas and five folds the checks would take most of an hour.
SHORTER_CV = {"alphas": 3, "cv": 3}

CASES = {
    "ConvexReLUClassifier": Case(
        grid={"alpha": [0.1, 0.3], "activation": ["relu", "gated_relu"]},
        small=SMALL,
        further=({"activation": "gated_relu", "loss": "squared_error", "class_weight": "balanced"},),
    ),
    "ConvexReLURegressor": Case(
        grid={"alpha": [0.1, 0.3], "n_refine": [0, 1]},
        small=SMALL,
        further=({"activation": "gated_relu", "solver": "fista", "fit_intercept": False},),
    ),
    "ConvexReLUClassifierCV": Case(grid={"n_gates": [10, 20]}, small=SMALL_CV, defaults=SHORTER_CV),
    "ConvexReLURegressorCV": Case(grid={"activation": ["gated_relu"]}, small=SMALL_CV, defaults=SHORTER_CV),
}
