"""The trees in the tests that run on every estimator."""

from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from tests._case import Case


def ties_of_boosting(estimator) -> dict[str, str]:
    if not isinstance(estimator.estimator, GradientBoostingClassifier | GradientBoostingRegressor):
        return {}
    why = "where splits are equally good, the rounding of scikit-learn's gradient boosting decides which one it takes"
    checks = ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data")
    return dict.fromkeys(checks, why)


def every_region_is_cut_off(estimator) -> dict[str, str]:
    if estimator.ccp_alpha > 0:
        return {}
    why = (
        "an optimal tree cuts off every region without a row of the heavy class, however little that saves; "
        "scikit-learn's trees pass because the check sets their min_weight_fraction_leaf, which this tree has not"
    )
    return {"check_class_weight_classifiers": why}


# no bootstrap: its draws are random, so that weights could not equal repeated rows
FOREST = {"n_estimators": 5, "bootstrap": False, "random_state": 0}

CASES = {
    "HierarchicalShrinkageClassifier": Case(
        grid={"reg_param": [0, 10]},
        further=(
            {"estimator": RandomForestClassifier(**FOREST)},
            {"estimator": GradientBoostingClassifier(n_estimators=5, random_state=0)},
        ),
        skipped=ties_of_boosting,
    ),
    "HierarchicalShrinkageRegressor": Case(
        grid={"reg_param": [0, 10], "scheme": ["hierarchical", "leaf"]},
        further=(
            {"estimator": RandomForestRegressor(**FOREST)},
            {"estimator": GradientBoostingRegressor(n_estimators=5, random_state=0)},
        ),
        skipped=ties_of_boosting,
    ),
    "HierarchicalShrinkageClassifierCV": Case(
        grid={"scheme": ["hierarchical", "leaf"]},
        small={"cv": 3},
        further=({"estimator": GradientBoostingClassifier(n_estimators=3, random_state=0)},),
    ),
    "HierarchicalShrinkageRegressorCV": Case(grid={"reg_params": [(0, 1), (0, 10, 100)]}, small={"cv": 3}),
    "QuantBnBTree": Case(
        grid={"max_depth": [1, 2], "ccp_alpha": [0, 10.0]},
        further=({"max_depth": 3, "lookahead": 1, "min_samples_leaf": 0.02},),
    ),
    "QuantBnBTreeClassifier": Case(
        grid={"max_depth": [1, 2], "ccp_alpha": [0, 0.01]},
        further=({"criterion": "gini", "ccp_alpha": 0.01, "class_weight": "balanced"},),
        expected_failures=every_region_is_cut_off,
    ),
}
