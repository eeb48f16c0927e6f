"""Parts of docstrings that several estimators share, written once and filled in when a class is made."""

import re
from collections.abc import Callable, Mapping
from inspect import cleandoc
from textwrap import indent
from typing import TypeVar

Class = TypeVar("Class", bound=type)
PLACE = re.compile(r"^( *)\{(\w+)\}$", re.MULTILINE)


def filled_docstring(parts: Mapping[str, str]) -> Callable[[Class], Class]:
    """Return a class decorator that replaces each docstring line `{name}` with the part of that name.

    Parameters
    ----------
    parts : mapping of str to str
        Texts by name. Their common indentation is replaced by that of the line.

    Returns
    -------
    decorator : callable
        It raises a KeyError if the docstring names a part that does not exist.

    Examples
    --------
    >>> from skpapers._docstrings import filled_docstring
    >>> @filled_docstring({"tol": "The fit ends at this gap."})
    ... class Estimator:
    ...     '''Fit a line.
    ...
    ...     Parameters
    ...     ----------
    ...     tol : float
    ...         {tol}
    ...     '''
    >>> print(Estimator.__doc__.splitlines()[5].strip())
    The fit ends at this gap.
    """

    def fill(cls: Class) -> Class:
        if cls.__doc__ is not None:  # python -OO has no docstrings
            cls.__doc__ = PLACE.sub(lambda place: indent(cleandoc(parts[place[2]]), place[1]), cls.__doc__)
        return cls

    return fill
