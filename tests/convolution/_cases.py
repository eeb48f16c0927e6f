"""The convolutional networks in the tests that run on every estimator."""

from tests._case import Case

SMALL = {
    "hidden_channels": (8,),
    "max_iter": 15,
    "learning_rate_init": 0.03,
    "dropout": 0.0,
    "device": "cpu",
    "random_state": 0,
}
# whole batches without statistics of batches: weights equal repeated rows
WHOLE = {"batch_size": 10**6, "dtype": "float64", "batch_norm": False, "max_iter": 40, "learning_rate_init": 0.05}


def rows_count(estimator) -> dict[str, str]:
    if (
        estimator.batch_size >= 10**6
        and not estimator.batch_norm
        and estimator.mixup_alpha == 0
        and estimator.dropout == 0
    ):
        return {}
    why = (
        "batches of repeated rows are other ones, and batch normalisation counts rows without their weights; whole "
        "batches without it pass"
    )
    checks = ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data")
    return dict.fromkeys(checks, why)


CASES = {
    "ConvNetClassifier": Case(
        grid={"kernel_size": [1, 3]},
        small=SMALL,
        further=(
            {"n_ensemble": 2, "dropout": 0.1, "mixup_alpha": 0.2, "padding_mode": "partial", "max_iter": 10},
            {**WHOLE, "pooling": "flatten"},
        ),
        expected_failures=rows_count,
    ),
    "ConvNetRegressor": Case(
        grid={"kernel_size": [1, 3], "loss": ["squared_error", "huber"]},
        small={**SMALL, "pooling": "flatten"},
        further=({**WHOLE, "rho": 0.05},),
        expected_failures=rows_count,
    ),
}
