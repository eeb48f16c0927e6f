"""How the common tests treat one estimator. `tests/<topic>/_cases.py` holds a `Case` for each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


def none_of_them(estimator) -> dict[str, str]:
    """Return no check."""
    return {}


@dataclass(frozen=True)
class Case:
    """How the common tests build an estimator, and which of scikit-learn's checks cannot apply to it.

    Parameters
    ----------
    grid : dict
        Candidates of a grid search.

    required : dict, default={}
        Parameters without a default value.

    small : dict, default={}
        Parameters that make a small instance: one run of scikit-learn's checks costs over a hundred fits.

    further : tuple of dict, default=()
        Parameters, on top of those of the small instance, that take another way through the code.

    defaults : dict, default={}
        Parameters without which the checks at default settings (the mark `slow`) would take too long.

    expected_failures : callable
        Takes an instance, returns the names of the checks that cannot apply, each with a sentence that says why.

    skipped : callable
        Takes an instance, returns the names of the checks whose outcome depends on the machine, each with the reason.

    passes_rows_on : bool, default=False
        Whether `predict` passes rows unchanged to a wrapped estimator, whose arithmetic decides the last digits.
    """

    grid: dict[str, list]
    required: dict[str, Any] = field(default_factory=dict)
    small: dict[str, Any] = field(default_factory=dict)
    further: tuple[dict[str, Any], ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict)
    expected_failures: Callable[[Any], dict[str, str]] = none_of_them
    skipped: Callable[[Any], dict[str, str]] = none_of_them
    passes_rows_on: bool = False
