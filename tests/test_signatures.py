"""What `help` and the API pages show of a signature."""

import importlib.util
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest
from sphinx.util.inspect import signature, stringify_signature

API = Path(__file__).parents[1] / "docs" / "api.md"
EXPANDED = re.compile(r"_Buffer|_SupportsArray|_NestedSequence|_ScalarT|numpy\._typing|tuple\[.{0,8}Any, \.\.\.\]")


def shorten(text):
    """Shorten a signature as the documentation does."""
    path = API.with_name("signatures.py")
    spec = importlib.util.spec_from_file_location("signatures", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.shorten(text)


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
    return {name: thing for name, thing in found.items() if thing.__module__.startswith("skpapers")}


DOCUMENTED = documented()


def rendered(thing):
    return shorten(stringify_signature(signature(thing), unqualified_typehints=True))


def test_signatures_show_the_names_of_numpys_types():
    assert len(DOCUMENTED) > 100
    wrong = [name for name, thing in DOCUMENTED.items() if EXPANDED.search(rendered(thing))]
    assert not wrong


@pytest.mark.parametrize("name", ["tree.QuantBnBTree", "neural_network.SAMMLPClassifier", "few_shot.STARTUPClassifier"])
def test_help_shows_array_like_by_its_name(name):
    thing = DOCUMENTED[f"skpapers.{name}"]
    assert re.search(r"(monotonic_cst|hidden_layer_sizes): ArrayLike", rendered(thing))
    assert "ArrayLike" in str(inspect.signature(thing))


def test_help_shows_no_expanded_alias():
    wrong = [name for name, thing in DOCUMENTED.items() if "_SupportsArray" in str(inspect.signature(thing))]
    assert not wrong


def test_arrays_are_shortened():
    text = "(X: ~numpy.ndarray[tuple[~typing.Any, ...], ~numpy.dtype[~numpy.float64]], w: NDArray[np.float64] | None)"
    assert shorten(text) == "(X: ndarray, w: ndarray | None)"
    assert shorten(None) is None
