"""The estimators that adapt after deployment, in the tests that run on every estimator."""

from tests._case import Case

CASES: dict[str, Case] = {}
