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


CASES: dict[str, Case] = {
    "TentClassifier": Case(
        grid={"stats": ["prior", "batch"]},
        small={"estimator": PERCEPTRON},
        further=({"estimator": ENSEMBLE, "adapt": "always", "n_steps": 0},),
        expected_failures=tent_failures,
    ),
}
