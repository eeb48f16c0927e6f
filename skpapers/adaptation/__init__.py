"""Adaptation after deployment: models that go on learning from rows without labels and without rewards."""

__all__: list[str] = []
