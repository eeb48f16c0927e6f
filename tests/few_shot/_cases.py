"""The few-shot classifiers in the tests that run on every estimator."""

from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from tests._case import Case


def powers_of_negative_features(estimator) -> dict[str, str]:
    if estimator.tukey is None:
        return {}
    why = "a power wants features that are not negative, as the tag says, and the rows of this check are"
    return {"check_decision_proba_consistency": why}


def batches_count_rows(estimator) -> dict[str, str]:
    if not estimator.batch_norm:
        return {}
    why = (
        "batch normalisation counts rows and not weights, as the statistics of a batch do everywhere; without it "
        "whole batches pass"
    )
    return {"check_sample_weight_equivalence_on_dense_data": why}


CASES = {
    "DistributionCalibratedFewShot": Case(
        grid={"mean_prior": [1.0, "paper"], "min_base_samples": [20, 100]},
        small={"random_state": 0},
        further=(
            {"min_base_samples": 5, "mean_prior": "paper", "alpha_mode": "full"},
            {"min_base_samples": 8, "method": "closed_form"},
            {"estimator": GaussianNB(), "n_generate": 30},
            {"tukey": 0.5},
        ),
        expected_failures=powers_of_negative_features,
    ),
    "STARTUPClassifier": Case(
        grid={"alpha": [0.01, 0.1], "normalize": [True, False]},
        small={"hidden_layer_sizes": (16, 8), "max_iter": 20, "device": "cpu", "random_state": 0},
        further=(
            {
                "batch_size": 10**6,
                "batch_norm": False,
                "dtype": "float64",
                "learning_rate_init": 0.02,
                "final_estimator": LogisticRegression(solver="newton-cholesky", tol=1e-10),
            },
            {"activation": "silu", "scaling": "robust", "normalize": False},
        ),
        expected_failures=batches_count_rows,
    ),
}
