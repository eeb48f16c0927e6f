"""Small instances of every public estimator, for the tests that run on all of them."""

from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

import skpapers
from skpapers.papers import PAPERS

# Parameters without a default.
REQUIRED = {"MixupWrapper": {"estimator": DecisionTreeRegressor(random_state=0)}}
# What is not listed here is tested as its constructor makes it. Small, since one run of the checks costs over a hundred
# fits; default settings run in the slow mark.
SMALL = {
    "ConvexReLUClassifier": {"alpha": 0.05, "n_gates": 20, "n_refine": 1, "random_state": 0},
    "ConvexReLURegressor": {"alpha": 0.05, "n_gates": 20, "n_refine": 1, "random_state": 0},
    "ConvexReLUClassifierCV": {"alphas": 3, "eps": 0.1, "n_gates": 10, "cv": 3, "random_state": 0},
    "ConvexReLURegressorCV": {"alphas": 3, "eps": 0.1, "n_gates": 10, "cv": 3, "random_state": 0},
    "DistributionCalibratedFewShot": {"random_state": 0},
    "HierarchicalShrinkageClassifierCV": {"cv": 3},
    "HierarchicalShrinkageRegressorCV": {"cv": 3},
    "MixupWrapper": {"random_state": 0},
    "SAMMLPClassifier": {"hidden_layer_sizes": (16,), "max_iter": 30, "device": "cpu", "random_state": 0},
    "SAMMLPRegressor": {"hidden_layer_sizes": (16,), "max_iter": 30, "device": "cpu", "random_state": 0},
    "STARTUPClassifier": {"hidden_layer_sizes": (16, 8), "max_iter": 20, "device": "cpu", "random_state": 0},
}
# With ten alphas and five folds the checks of these two would take most of an hour.
SHORTER = {name: {"alphas": 3, "cv": 3} for name in ("ConvexReLUClassifierCV", "ConvexReLURegressorCV")}
# Further settings that take another way through the code.
FURTHER = [
    # no bootstrap: its draws are random, so that weights could not equal repeated rows
    ("HierarchicalShrinkageClassifier", {"estimator": RandomForestClassifier(5, bootstrap=False, random_state=0)}),
    ("HierarchicalShrinkageRegressor", {"estimator": RandomForestRegressor(5, bootstrap=False, random_state=0)}),
    ("HierarchicalShrinkageClassifier", {"estimator": GradientBoostingClassifier(n_estimators=5, random_state=0)}),
    ("HierarchicalShrinkageRegressor", {"estimator": GradientBoostingRegressor(n_estimators=5, random_state=0)}),
    ("HierarchicalShrinkageClassifierCV", {"estimator": GradientBoostingClassifier(n_estimators=3, random_state=0)}),
    ("ConvexReLUClassifier", {"activation": "gated_relu", "loss": "squared_error", "class_weight": "balanced"}),
    ("ConvexReLURegressor", {"activation": "gated_relu", "solver": "fista", "fit_intercept": False}),
    ("QuantBnBTreeClassifier", {"criterion": "gini", "ccp_alpha": 0.01, "class_weight": "balanced"}),
    ("QuantBnBTree", {"max_depth": 3, "lookahead": 1, "min_samples_leaf": 0.02}),
    ("MixupWrapper", {"estimator": make_pipeline(StandardScaler(), LogisticRegression())}),
    ("MixupWrapper", {"estimator": KNeighborsClassifier(), "keep_original": False}),
    ("MixupWrapper", {"estimator": GaussianNB(var_smoothing=0.1), "label_mode": "hard", "within_class": True}),
    ("MixupWrapper", {"estimator": Ridge(), "bandwidth": 0.5}),
    ("DistributionCalibratedFewShot", {"min_base_samples": 5, "mean_prior": "paper", "alpha_mode": "full"}),
    ("DistributionCalibratedFewShot", {"min_base_samples": 8, "method": "closed_form"}),
    ("DistributionCalibratedFewShot", {"estimator": GaussianNB(), "n_generate": 30}),
    ("DistributionCalibratedFewShot", {"tukey": 0.5}),
    (
        "STARTUPClassifier",
        {
            "batch_size": 10**6,
            "batch_norm": False,
            "dtype": "float64",
            "learning_rate_init": 0.02,
            "final_estimator": LogisticRegression(solver="newton-cholesky", tol=1e-10),
        },
    ),
    ("STARTUPClassifier", {"activation": "silu", "scaling": "robust", "normalize": False}),
    ("SAMMLPClassifier", {"n_ensemble": 2, "batch_norm": True, "dropout": 0.1, "mixup_alpha": 0.2}),
    (
        "SAMMLPClassifier",
        {
            "batch_size": 10**6,
            "dtype": "float64",
            "dropout": 0.0,
            "learning_rate_init": 0.02,
            "calibration": None,
        },
    ),
    ("SAMMLPRegressor", {"batch_size": 10**6, "dtype": "float64", "dropout": 0.0, "learning_rate_init": 0.02}),
]


def estimator_names() -> list[str]:
    """Return the names of all public estimators."""
    return [name for paper in PAPERS for name in paper.estimators]


def small(name: str, **kwargs):
    """Return a small instance of the estimator of this name."""
    return getattr(skpapers, name)(**{**REQUIRED.get(name, {}), **SMALL.get(name, {}), **kwargs})


def small_instances() -> list:
    """Return a small instance of every public estimator, and the further settings."""
    return [small(name) for name in estimator_names()] + [small(name, **kwargs) for name, kwargs in FURTHER]


def default_instances() -> list:
    """Return every public estimator with its default settings."""
    return [getattr(skpapers, name)(**REQUIRED.get(name, {}), **SHORTER.get(name, {})) for name in estimator_names()]
