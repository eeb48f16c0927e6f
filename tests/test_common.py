"""scikit-learn's own checks, over every public estimator."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests._instances import CASES, case_of, default_instances, estimator_names, small_instances


def run(estimator, check):
    """Run a check, unless its outcome depends on the rounding of the machine."""
    reason = case_of(estimator).skipped(estimator).get(getattr(check, "func", check).__name__)
    if reason is not None:
        pytest.skip(reason)
    check(estimator)


def expected_failures(estimator) -> dict[str, str]:
    """Return the checks that cannot apply, each with the sentence that says why."""
    return case_of(estimator).expected_failures(estimator)


def test_every_estimator_has_its_case():
    assert sorted(CASES) == sorted(estimator_names()), "tests/<topic>/_cases.py holds one Case for each estimator"


@parametrize_with_checks(small_instances(), expected_failed_checks=expected_failures, xfail_strict=True)
def test_scikit_learn_checks(estimator, check):
    run(estimator, check)


@pytest.mark.slow
@parametrize_with_checks(default_instances(), expected_failed_checks=expected_failures, xfail_strict=True)
def test_scikit_learn_checks_at_default_settings(estimator, check):
    run(estimator, check)
