"""What `help` shows of a signature; the API pages show no types there."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

API = Path(__file__).parents[1] / "docs" / "api.md"


def documented():
    """Return every callable of the API pages by its dotted name."""
    found = {}
    module = ""
    for line in API.read_text().splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif module and re.fullmatch(r"   \w+", line):
            found[f"{module}.{line.strip()}"] = getattr(import_module(module), line.strip())
    for name, thing in list(found.items()):
        if inspect.isclass(thing):
            members = inspect.getmembers(thing, callable)
            found |= {f"{name}.{key}": value for key, value in members if not key.startswith("_")}
    return {name: thing for name, thing in found.items() if getattr(thing, "__module__", "").startswith("skpapers")}


DOCUMENTED = documented()


@pytest.mark.parametrize("name", ["tree.QuantBnBTree", "neural_network.SAMMLPClassifier", "few_shot.STARTUPClassifier"])
def test_help_shows_array_like_by_its_name(name):
    thing = DOCUMENTED[f"skpapers.{name}"]
    assert re.search(r"(monotonic_cst|hidden_layer_sizes): '?ArrayLike", str(inspect.signature(thing)))


def test_help_shows_no_expanded_alias():
    assert len(DOCUMENTED) > 100
    wrong = [name for name, thing in DOCUMENTED.items() if "_SupportsArray" in str(inspect.signature(thing))]
    assert not wrong
