"""The networks in the tests that run on every estimator."""

from tests._case import Case

SMALL = {"hidden_layer_sizes": (16,), "max_iter": 20, "device": "cpu", "random_state": 0}
# the second hidden layer has a Monarch matrix
MONARCH = {**SMALL, "hidden_layer_sizes": (16, 16), "max_iter": 15, "batch_size": 256, "learning_rate_init": 0.03}
# whole batches without masks: weights equal repeated rows
WHOLE = {"batch_size": 10**6, "dtype": "float64", "dropout": 0.0, "learning_rate_init": 0.02}


def rows_draw(estimator) -> dict[str, str]:
    if estimator.mixup_alpha == 0 and estimator.dropout == 0:
        return {}
    why = (
        "masks of dropout and partners of mixup are drawn row by row, and those of repeated rows are other ones; "
        "without them whole batches pass"
    )
    checks = ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data")
    return dict.fromkeys(checks, why)


CASES = {
    "SAMMLPClassifier": Case(
        grid={"rho": [0.0, 0.05]},
        small={**SMALL, "calibration": None},
        further=(
            {"n_ensemble": 2, "batch_norm": True, "dropout": 0.1, "mixup_alpha": 0.2, "calibration": "auto"},
            WHOLE,
        ),
        expected_failures=rows_draw,
    ),
    "SAMMLPRegressor": Case(
        grid={"rho": [0.0, 0.05], "loss": ["squared_error", "huber"]},
        small=SMALL,
        further=(WHOLE,),
        expected_failures=rows_draw,
    ),
    "MonarchMLPClassifier": Case(
        grid={"mode": ["end_to_end", "dense_to_sparse"]},
        small={**MONARCH, "calibration": None},
        further=(
            {
                "mode": "dense_to_sparse",
                "finetune": 0.1,
                "n_ensemble": 2,
                "batch_norm": True,
                "dropout": 0.1,
                "mixup_alpha": 0.2,
            },
            {**WHOLE, "mode": "sparse_to_dense"},
        ),
        expected_failures=rows_draw,
    ),
    "MonarchMLPRegressor": Case(
        grid={"mode": ["end_to_end", "sparse_to_dense"], "rank": [1, 2]},
        small=MONARCH,
        further=({**WHOLE, "mode": "dense_to_sparse"},),
        expected_failures=rows_draw,
    ),
}
