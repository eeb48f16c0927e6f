"""scikit-learn's own checks, over every public estimator."""

import pytest
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from skpapers._torch.estimator import NetworkEstimator
from skpapers.augmentation import MixupWrapper
from skpapers.few_shot import DistributionCalibratedFewShot, STARTUPClassifier
from skpapers.tree import QuantBnBTree, QuantBnBTreeClassifier
from tests._instances import default_instances, small_instances


def expected_failures(estimator) -> dict[str, str]:
    """Return the checks that cannot apply, each with the sentence that says why."""
    boosting = GradientBoostingClassifier | GradientBoostingRegressor
    if isinstance(getattr(estimator, "estimator", None), boosting) and not hasattr(estimator, "cv"):
        why = "scikit-learn's gradient boosting fails this check by itself, before anything is shrunk"
        return dict.fromkeys(
            ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"), why
        )
    if isinstance(estimator, MixupWrapper):
        why = "partners are drawn at random, so that a weight of two cannot draw what a repeated row draws"
        return {"check_sample_weight_equivalence_on_dense_data": why}
    if isinstance(estimator, DistributionCalibratedFewShot) and estimator.tukey is not None:
        why = "a power wants features that are not negative, as the tag says, and the rows of this check are"
        return {"check_decision_proba_consistency": why}
    if isinstance(estimator, QuantBnBTreeClassifier) and estimator.ccp_alpha == 0:
        why = (
            "an optimal tree cuts off every region without a row of the heavy class, however little that saves; "
            "scikit-learn's trees pass because the check sets their min_weight_fraction_leaf, which this tree has not"
        )
        return {"check_class_weight_classifiers": why}
    if isinstance(estimator, NetworkEstimator) and (estimator.mixup_alpha > 0 or estimator.dropout > 0):
        why = (
            "masks of dropout and partners of mixup are drawn row by row, and those of repeated rows are other ones; "
            "without them whole batches pass"
        )
        return dict.fromkeys(
            ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"), why
        )
    if isinstance(estimator, STARTUPClassifier) and estimator.batch_norm:
        why = (
            "batch normalisation counts rows and not weights, as the statistics of a batch do everywhere; without it "
            "whole batches pass"
        )
        return dict.fromkeys(("check_sample_weight_equivalence_on_dense_data",), why)
    return {}


def skip_undecided(estimator, check) -> None:
    """Skip the checks whose outcome is a matter of rounding. Tests of the estimator hold what is true instead."""
    whole = isinstance(estimator, QuantBnBTree) and estimator.lookahead is None
    balanced = isinstance(estimator, QuantBnBTreeClassifier) and estimator.class_weight is not None
    if (whole or balanced) and "sample_weight_equivalence" in str(check):
        pytest.skip(
            "Several trees fit the 15 rows and 30 columns of this check equally well. Rounding of the weights decides "
            "which of them is found. test_weights_are_repeated_rows compares objectives and numbers of leaves."
        )


@parametrize_with_checks(small_instances(), expected_failed_checks=expected_failures, xfail_strict=True)
def test_scikit_learn_checks(estimator, check):
    skip_undecided(estimator, check)
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(default_instances(), expected_failed_checks=expected_failures, xfail_strict=True)
def test_scikit_learn_checks_at_default_settings(estimator, check):
    skip_undecided(estimator, check)
    check(estimator)
