"""Warnings that point at the user's own line."""

import sys
import warnings

INNER = {"skpapers", "sklearn", "contextlib"}


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn with the place of the first caller outside this package and scikit-learn."""
    level = 2
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in INNER:
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
