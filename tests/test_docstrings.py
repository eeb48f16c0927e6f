"""Docstrings: numpydoc, complete, in the order the design sets."""

import inspect
import io
import re
from importlib import import_module

import pytest
from docutils.core import publish_doctree
from numpydoc.docscrape import NumpyDocString
from numpydoc.docscrape_sphinx import get_doc_object
from numpydoc.validate import validate

import skpapers
from skpapers._docstrings import filled_docstring
from tests._instances import estimator_names, public_folders

MODULES = [import_module(f"skpapers.{name}") for name in public_folders()]
PUBLIC = {f"{module.__name__}.{name}": getattr(module, name) for module in MODULES for name in module.__all__}
METHODS = [
    f"{path}.{name}"
    for path, thing in PUBLIC.items()
    for name, member in inspect.getmembers(thing, inspect.isfunction)
    if not name.startswith("_") and member.__module__.startswith("skpapers")
]
# Not asked for: a one-line summary may be followed by what numpydoc calls an extended one, and the rest is style of the
# numpydoc authors that scikit-learn does not follow either.
IGNORED = {"GL01", "SS06", "ES01", "EX01", "SA01", "SA04", "RT03", "PR08", "PR09", "YD01", "RT02"}
# docutils alone does not know what Sphinx adds.
ADDED_BY_SPHINX = ("Unknown interpreted text", "No role entry", "Unknown directive type", "No directive entry")
SECTIONS = ["Parameters", "Attributes", "See Also", "Notes", "References", "Examples"]


@pytest.mark.parametrize("name", [*PUBLIC, *METHODS])
def test_numpydoc_finds_nothing_wrong(name):
    errors = [error for error in validate(name)["errors"] if error[0] not in IGNORED]
    assert errors == []


@pytest.mark.parametrize("name", [*PUBLIC, *METHODS])
def test_docutils_finds_nothing_wrong(name):
    text = str(get_doc_object(eval(name, {"skpapers": skpapers})))
    messages = io.StringIO()
    publish_doctree(text, settings_overrides={"report_level": 2, "halt_level": 5, "warning_stream": messages})
    faults = re.findall(r"\((?:WARNING|ERROR|SEVERE)/\d\) (.*)", messages.getvalue())
    assert [fault for fault in faults if not fault.startswith(ADDED_BY_SPHINX)] == []


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_an_example_and_a_see_also(name):
    text = NumpyDocString(inspect.getdoc(eval(name, {"skpapers": skpapers})))
    assert text["Examples"]
    assert text["See Also"]


@pytest.mark.parametrize("name", estimator_names())
def test_estimators_say_everything_in_order(name):
    cls = getattr(skpapers, name)
    text = inspect.getdoc(cls)
    places = [text.find(f"\n{section}\n---") for section in SECTIONS]
    assert -1 not in places
    assert places == sorted(places)
    doc = NumpyDocString(text)
    assert [p.name for p in doc["Parameters"]] == list(inspect.signature(cls).parameters)
    notes = "\n".join(doc["Notes"])
    assert "Cost" in notes
    assert "**Differences from the paper.**" in notes


@pytest.mark.parametrize("name", estimator_names())
def test_documented_defaults_are_the_defaults(name):
    cls = getattr(skpapers, name)
    for parameter in NumpyDocString(inspect.getdoc(cls))["Parameters"]:
        default = inspect.signature(cls).parameters[parameter.name].default
        if default is not inspect.Parameter.empty:
            documented = parameter.type.rsplit("default=", 1)[1]
            assert documented.strip('"') == str(default)


@pytest.mark.parametrize("name", estimator_names())
def test_every_part_of_a_docstring_is_filled_in(name):
    assert not re.search(r"^ *\{\w+\}$", inspect.getdoc(getattr(skpapers, name)), re.MULTILINE)


def test_parts_keep_their_own_indentation_and_unknown_ones_are_errors():
    parts = {"tol": "\n            One line.\n\n                More.\n"}

    @filled_docstring(parts)
    class Filled:
        """Summary.

        {tol}
        """

    assert inspect.getdoc(Filled) == "Summary.\n\nOne line.\n\n    More."
    with pytest.raises(KeyError, match="alpha"):
        filled_docstring(parts)(type("Named", (), {"__doc__": "{alpha}"}))
