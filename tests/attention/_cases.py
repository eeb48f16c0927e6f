"""The estimators with attention in the tests that run on every estimator."""

from tests._case import Case

SMALL = {
    "d_model": 8,
    "n_layers": 1,
    "max_iter": 10,
    "learning_rate_init": 0.05,
    "batch_size": 10**6,
    "dtype": "float64",  # in whole batches weights equal repeated rows
    "device": "cpu",
    "random_state": 0,
}
CLASSES = {**SMALL, "calibration": None}
BATCHES = {"batch_size": 32, "max_iter": 4, "dtype": "float32", "dropout": 0.05}


def batches_differ(estimator) -> dict[str, str]:
    if estimator.batch_size >= 10**6:
        return {}
    why = "repeated rows are in other batches than rows with weights; whole batches pass"
    checks = ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data")
    return dict.fromkeys(checks, why)


CASES = {
    "PerformerClassifier": Case(
        grid={"positions": ["learned", None]},
        small={**CLASSES, "attention": "linear", "n_features": 8, "tokenize": "features"},
        expected_failures=batches_differ,
    ),
    "PerformerRegressor": Case(
        grid={"positions": ["learned", "sinusoidal"]},
        small={**SMALL, "attention": "linear", "n_features": 8, "max_iter": 24},
        further=({**BATCHES, "attention": "softmax", "pool": "cls"},),
        expected_failures=batches_differ,
    ),
    "RFAClassifier": Case(
        grid={"sigma": [0.7, 1.0]},
        small={**CLASSES, "attention": "linear", "n_features": 8, "sigma": 1.0},
        expected_failures=batches_differ,
    ),
    "RFARegressor": Case(
        grid={"gate": [False, True]},
        small={**SMALL, "gate": True, "causal": True, "n_features": 8, "tokenize": "features", "max_iter": 18},
        further=({**BATCHES, "tokenize": "steps", "pool": "last", "max_iter": 8},),
        expected_failures=batches_differ,
    ),
    "FLASHClassifier": Case(
        grid={"activation": ["relu2", "laplace"]},
        small={**CLASSES, "chunk_size": 4, "d_query": 4, "tokenize": "features"},
        expected_failures=batches_differ,
    ),
    "FLASHRegressor": Case(
        grid={"chunk_size": [2, 4]},
        small={**SMALL, "chunk_size": 4, "d_query": 4, "tokenize": "features", "max_iter": 14},
        further=({**BATCHES, "tokenize": "steps", "max_iter": 8, "causal": True, "pool": "last", "mask_nan": True},),
        expected_failures=batches_differ,
    ),
}
