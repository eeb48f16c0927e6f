"""Fixtures of the comparison's tests."""

import pytest

from skpapers.comparison import _candidates
from tests.comparison._estimators import pairs


@pytest.fixture
def contests(monkeypatch):
    """Return a function that puts (name, method, baseline) in the place of the papers' contests."""

    def use(*contests, **options):
        monkeypatch.setattr(_candidates, "contests_of", lambda task: pairs(*contests, **options))

    return use
