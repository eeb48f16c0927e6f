"""The networks with a gradient projection memory in the tests that run on every estimator."""

from tests._case import Case

SMALL = {
    "hidden_layer_sizes": (20,),
    "max_iter": 20,
    "learning_rate_init": 0.02,
    "device": "cpu",
    "random_state": 0,
}
# whole batches, and all rows in the memory's sample: weights equal repeated rows
WHOLE = {"batch_size": 10**6, "n_representation_samples": 10**6, "dtype": "float64", "max_iter": 60}


BATCHES_DIFFER = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)


def rows_count(estimator) -> dict[str, str]:
    if estimator.batch_size >= 10**6 or estimator.learning_rate_init < SMALL["learning_rate_init"]:
        return {}
    return dict.fromkeys(BATCHES_DIFFER, "batches of repeated rows are other ones; whole batches pass")


def small_steps(estimator) -> dict[str, str]:
    if estimator.batch_size >= 10**6 or estimator.learning_rate_init >= SMALL["learning_rate_init"]:
        return {}
    why = (
        "batches of repeated rows are other ones, and the machine decides whether the small steps of the default "
        "settings leave a difference below the tolerance; whole batches pass"
    )
    return dict.fromkeys(BATCHES_DIFFER, why)


CASES = {
    "GPMClassifier": Case(
        grid={"threshold": [0.9, 0.99]},
        small=SMALL,
        further=({**WHOLE}, {"heads": "multi", "hidden_channels": (4,), "scaling": "standard"}),
        expected_failures=rows_count,
        skipped=small_steps,
    ),
    "GPMRegressor": Case(
        grid={"threshold": [0.9, 0.99], "loss": ["squared_error", "huber"]},
        small=SMALL,
        further=({**WHOLE, "heads": "multi"},),
        expected_failures=rows_count,
        skipped=small_steps,
    ),
}
