"""Fixtures of the comparison's tests."""

import pytest

from skpapers.comparison import _candidates, _compare
from tests.comparison._estimators import pairs


@pytest.fixture
def contests(monkeypatch):
    """Return a function that puts (name, method, baseline) in the place of the papers' contests.

    There are no references but those that a test names, and one worker.
    """
    chosen = _compare.chosen_references
    monkeypatch.setattr(_compare, "chosen_references", lambda task, names: chosen(task, [] if names is None else names))
    monkeypatch.setattr(_compare, "_MOST_WORKERS", 1)

    def use(*contests):
        monkeypatch.setattr(_candidates, "contests_of", lambda task: pairs(*contests))

    return use
