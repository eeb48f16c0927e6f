"""The forecasters in the tests that run on every estimator."""

from tests._case import Case


def default_batches(estimator) -> dict[str, str]:
    if estimator.max_iter != "auto":
        return {}
    why = (
        "repeated rows are in other batches than rows with weights, and hundreds of steps carry that on; "
        "test_repeated_rows_are_weights does so in whole batches"
    )
    return {"check_sample_weight_equivalence_on_dense_data": why}


CASES = {
    "DAFForecaster": Case(
        grid={"kernel_sizes": [(2,), (2, 3)], "learning_rate_init": [0.01, 0.03]},
        small={
            "d_model": 4,
            "n_heads": 2,
            "max_iter": 2,
            "learning_rate_init": 0.01,
            "device": "cpu",
            "random_state": 0,
        },
        skipped=default_batches,
        further=({"n_layers": 2, "quantiles": (0.2, 0.8), "mask_nan": True, "dtype": "float64"},),
    ),
}
