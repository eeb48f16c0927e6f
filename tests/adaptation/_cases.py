"""The estimators that adapt after deployment, in the tests that run on every estimator."""

from skpapers.neural_network import SAMMLPClassifier
from tests._case import Case

NETWORK = {
    "hidden_layer_sizes": (8,),
    "batch_norm": True,
    "numeric_embedding": "none",
    "dropout": 0.0,
    "rho": 0.0,
    "calibration": None,
    "learning_rate_init": 0.05,
    "batch_size": 64,
    "max_iter": 15,
    "device": "cpu",
    "random_state": 0,
}
PERCEPTRON = SAMMLPClassifier(**NETWORK)
ENSEMBLE = SAMMLPClassifier(**{**NETWORK, "n_ensemble": 2, "dtype": "float64"})


def tent_failures(estimator) -> dict[str, str]:
    fits_anew = "partial_fit adapts a fitted model to rows without labels; before fit there is nothing that adapts"
    weighs = "batch normalisation counts rows without their weights"
    return {
        "check_estimators_partial_fit_n_features": fits_anew,
        "check_n_features_in_after_fitting": fits_anew,
        "check_dataframe_column_names_consistency": fits_anew,
        "check_sample_weight_equivalence_on_dense_data": weighs,
        "check_sample_weight_equivalence_on_sparse_data": weighs,
    }


SMALL = {
    "hidden_layer_sizes": (16,),
    "head_layer_sizes": (),
    "max_iter": 20,
    "learning_rate_init": 0.05,
    "device": "cpu",
    "random_state": 0,
}
# whole batches: weights equal repeated rows
WHOLE = {"batch_size": 10**6, "dtype": "float64", "max_iter": 40}


def policy_failures(estimator) -> dict[str, str]:
    fitted_only = "partial_fit adapts a fitted policy and takes no labels: before fit there is nothing to adapt"
    checks = (
        "check_n_features_in_after_fitting",
        "check_estimators_partial_fit_n_features",
        "check_dataframe_column_names_consistency",
    )
    found = dict.fromkeys(checks, fitted_only)
    if estimator.auxiliary == "inverse":
        found["check_fit_score_takes_y"] = "partial_fit needs transitions for inverse dynamics; it takes y all the same"
    return found


def policy_skips(estimator) -> dict[str, str]:
    if estimator.batch_size >= 10**6:
        return {}
    why = (
        "batches of repeated rows are other ones, and the rounding of the machine decides whether the difference stays "
        "below the tolerance; whole batches in float64 pass"
    )
    checks = ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data")
    return dict.fromkeys(checks, why)


CASES: dict[str, Case] = {
    "TentClassifier": Case(
        grid={"stats": ["prior", "batch"]},
        small={"estimator": PERCEPTRON},
        further=({"estimator": ENSEMBLE, "adapt": "always", "n_steps": 0},),
        expected_failures=tent_failures,
    ),
    "PADPolicyClassifier": Case(
        grid={"hidden_layer_sizes": [(8,), (16,)]},
        small=SMALL,
        defaults={"max_iter": 15},
        further=({**WHOLE}, {"auxiliary": "rotation", "hidden_channels": (3,), "image_shape": None}),
        expected_failures=policy_failures,
        skipped=policy_skips,
    ),
    "PADPolicyRegressor": Case(
        grid={"hidden_layer_sizes": [(8,), (16,)]},
        small=SMALL,
        defaults={"max_iter": 15},
        further=({**WHOLE, "auxiliary": "rotation"},),
        expected_failures=policy_failures,
        skipped=policy_skips,
    ),
}
