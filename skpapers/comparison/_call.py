"""The call of `compare` that repeats a run, as Python code."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from typing import Any

# Arguments that change what is shown or kept, and not what is computed.
_LEFT_OUT = ("checkpoint", "resume", "verbose")
# A longer value is data of the user.
_LONGEST = 200


def _code(name: str, value: Any) -> str:
    """Write a text, a number, or a list or dict of them; of any other value the name of its parameter."""
    if isinstance(value, float) and value == float("inf"):
        return 'float("inf")'
    text = repr(value)
    if len(text) > _LONGEST:
        return name
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return name
    return text


def call_text(function: Callable[..., Any], given: Mapping[str, Any]) -> str:
    """Return a call of a function of the package.

    Parameters
    ----------
    function : callable
        Such as :func:`skpapers.compare`.
    given : mapping of str to object
        All arguments by their names. Those that have their default are left out.

    Returns
    -------
    str
        Such as ``"skpapers.compare(X, y, cv=5, groups=groups)"``: values that are no short literals, such as a table,
        are written as the names of their parameters.
    """
    words = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is inspect.Parameter.empty:
            words.append(name)
        elif given[name] is not parameter.default and name not in _LEFT_OUT:
            code = _code(name, given[name])
            words += [f"{name}={code}"] if code != repr(parameter.default) else []
    return f"skpapers.{function.__name__}({', '.join(words)})"


def with_argument(call: str, name: str, value: Any) -> str:
    """Return a call with an argument set, which may have been given before."""
    node = ast.parse(call, mode="eval").body
    if not isinstance(node, ast.Call):
        raise ValueError(f"{call!r} is not a call.")
    kept = [keyword for keyword in node.keywords if keyword.arg != name]
    node.keywords = [*kept, ast.keyword(name, ast.parse(repr(value), mode="eval").body)]
    return ast.unparse(node)
