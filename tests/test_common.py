"""scikit-learn's own checks, over every public estimator."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests._instances import (
    CASES,
    case_of,
    default_instances,
    estimator_names,
    further_instances,
    smallest_instances,
)


def expected_failures(estimator) -> dict[str, str]:
    """Return the checks that cannot apply, each with the sentence that says why."""
    return case_of(estimator).expected_failures(estimator)


def run(estimator, check, also_skipped=()):
    """Run a check, unless its outcome depends on the rounding of the machine, or it is skipped here."""
    skipped = {**dict(also_skipped), **case_of(estimator).skipped(estimator)}
    name = getattr(check, "func", check).__name__
    if name in skipped:
        pytest.skip(skipped[name])
    check(estimator)


def run_on_small(estimator, check):
    """Run a check on a small instance."""
    long = {}
    if "max_iter" in estimator.get_params():
        why = "it sets max_iter to 1000, which takes many seconds; the checks at default settings have it"
        long["check_class_weight_classifiers"] = why
    run(estimator, check, long)


def test_every_estimator_has_its_case():
    assert sorted(CASES) == sorted(estimator_names()), "tests/<topic>/_cases.py holds one Case for each estimator"


@parametrize_with_checks(smallest_instances(), expected_failed_checks=expected_failures, xfail_strict=True)
def test_scikit_learn_checks(estimator, check):
    run_on_small(estimator, check)


@pytest.mark.slow
@parametrize_with_checks(further_instances(), expected_failed_checks=expected_failures, xfail_strict=True)
def test_scikit_learn_checks_with_further_settings(estimator, check):
    run_on_small(estimator, check)


@pytest.mark.slow
@parametrize_with_checks(default_instances(), expected_failed_checks=expected_failures, xfail_strict=True)
def test_scikit_learn_checks_at_default_settings(estimator, check):
    run(estimator, check)
