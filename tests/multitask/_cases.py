"""The networks for several tasks in the tests that run on every estimator."""

from tests._case import Case

SMALL = {"hidden_layer_sizes": (16,), "max_iter": 25, "learning_rate_init": 0.02, "device": "cpu", "random_state": 0}
# whole batches: weights equal repeated rows
WHOLE = {"batch_size": 10**6, "dtype": "float64", "max_iter": 40}


def rounding(estimator) -> dict[str, str]:
    if estimator.dtype == "float64":
        return {}
    why = (
        "in float32 the sum over repeated rows rounds differently from the weighted one, and the machine decides "
        "whether that stays below the tolerance; float64 passes"
    )
    return {"check_sample_weight_equivalence_on_dense_data": why}


CASES = {
    "GradVacClassifier": Case(
        grid={"beta": [0.01, 0.1]},
        small=SMALL,
        further=({**WHOLE, "granularity": "layer"},),
        skipped=rounding,
    ),
    "GradVacRegressor": Case(
        grid={"beta": [0.01, 0.1], "loss": ["squared_error", "huber"]},
        small=SMALL,
        further=({**WHOLE, "granularity": "matrix", "method": "pcgrad"},),
        skipped=rounding,
    ),
}
