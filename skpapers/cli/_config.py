"""A run as a file of options, and as a command."""

from __future__ import annotations

import json
import shlex
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from skpapers.cli._parser import LISTS, REPEATED, Parser, option_keys, option_name

# Options that say where a run writes, and not what it computes.
_OUTPUTS = ("checkpoint", "resume", "out", "save")


def read_config(path: str, compare: Parser) -> dict[str, Any]:
    """Return the options of a .toml file; the keys are the long names of the options, and "table".

    Raises
    ------
    ValueError
        In one line, if the file cannot be read, for an unknown key, and for a value that the option does not take.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"--config {path}: there is no such file.") from error
    except OSError as error:
        raise ValueError(f"--config {path}: cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"--config {path}: is not TOML ({error}).") from error
    names = {option_name(key).removeprefix("--"): key for key in option_keys(compare)}
    arguments: list[str] = []
    for name, value in content.items():
        if name not in names:
            near = get_close_matches(name, names, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(names)}."
            raise ValueError(f"--config {path}: unknown key {name!r}; {known}")
        arguments += _arguments(names[name], value, path)
    try:
        return vars(compare.parse_args(arguments))
    except ValueError as error:
        raise ValueError(f"--config {path}: {error}") from error


def _arguments(key: str, value: Any, path: str) -> list[str]:
    """Return a value of the file as words of a command."""
    name = option_name(key)
    if key == "resume":
        if not isinstance(value, bool):
            raise ValueError(f"--config {path}: resume must be true or false, got {value!r}.")
        return [name] if value else []
    values = value if isinstance(value, list) else [value]
    if isinstance(value, list) and key not in (*LISTS, *REPEATED):
        raise ValueError(f"--config {path}: {name.removeprefix('--')} takes one value, got a list.")
    if any(isinstance(item, bool) or not isinstance(item, str | int | float) for item in values):
        raise ValueError(f"--config {path}: {name.removeprefix('--')} must be text or a number, got {value!r}.")
    texts = [str(item) for item in values]
    if key == "table":
        return texts
    if key in LISTS:
        texts = [",".join(texts)]
    return [f"{name}={text}" for text in texts]


def command_of(given: dict[str, Any]) -> str:
    """Return the command that repeats a run; where it writes is left out."""
    parts = ["python", "-m", "skpapers", "compare"]
    if "table" in given:
        parts.append(given["table"])
    for key, value in given.items():
        if key in ("table", *_OUTPUTS):
            continue
        for item in value if isinstance(value, list) else [value]:
            text = f"{item:g}" if isinstance(item, float) else str(item)
            parts += [f"{option_name(key)}={text}"] if text.startswith("-") else [option_name(key), text]
    return shlex.join(parts)


def config_text(given: dict[str, Any]) -> str:
    """Return the options of a run as TOML, for `--config`; where it writes is left out."""
    command = command_of(given).replace("\n", " ")
    lines = [f"# {command}"]
    for key, value in given.items():
        if key not in _OUTPUTS:
            # a JSON string is a TOML string, once characters beyond ASCII are written as they are
            lines.append(f"{option_name(key).removeprefix('--')} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"
