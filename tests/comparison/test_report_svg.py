"""Figures of matplotlib inside a page."""

import re
from xml.etree import ElementTree

import matplotlib

from skpapers.comparison._report_svg import FIRST, Drawing


def _drawn(title="a title", drawing=None):
    with (drawing or Drawing()).figure(title) as (axes, picture):
        axes.plot([0, 1], [0, 1], "o", color=FIRST)
        axes.set_xlabel("x & y")
    return picture[0]


def test_a_picture_is_well_formed_and_says_what_it_shows():
    root = ElementTree.fromstring(str(_drawn("a < b & c")))
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title.text == "a < b & c"
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == title.get("id")


def test_colours_are_those_of_the_page():
    text = str(_drawn())
    assert "var(--first)" in text
    assert "currentColor" in text
    assert not re.search(r"#0[1-6]0", text)
    assert "#000000" not in text


def test_identifiers_of_two_pictures_differ_and_every_reference_is_found():
    drawing = Drawing()
    text = str(_drawn(drawing=drawing)) + str(_drawn(drawing=drawing))
    names = re.findall(r'\bid="([^"]+)"', text)
    assert len(set(names)) == len(names)
    references = re.findall(r'href="#([^"]+)"', text) + re.findall(r"url\(#([^)]+)\)", text)
    assert references
    assert set(references) <= set(names)


def test_the_users_settings_neither_change_nor_count(monkeypatch):
    plain = str(_drawn())
    monkeypatch.setitem(matplotlib.rcParams, "axes.grid", False)
    monkeypatch.setitem(matplotlib.rcParams, "lines.markersize", 33)
    before = dict(matplotlib.rcParams)
    assert str(_drawn()) == plain
    assert dict(matplotlib.rcParams) == before
