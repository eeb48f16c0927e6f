"""The screens of the pages are what `compare` prints; `make screens` writes them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACE = re.compile(r"<!-- screen: (\w+) (\d+) -->\n\n```text\n(.*?)\n```", re.DOTALL)
SCREENS = [
    (page, *found)
    for page in ("README.md", "docs/index.md", "docs/guide/compare.md")
    for found in PLACE.findall((ROOT / page).read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("page", "name", "width", "text"), SCREENS, ids=lambda value: str(value)[:24])
def test_a_screen_is_whole_and_fits_its_width(page, name, width, text):
    lines = text.splitlines()
    assert max(map(len, lines)) <= int(width)
    assert lines[0].startswith(f"{name}: ")
    assert re.search(r"^(Best: |No method is best: )", text, re.MULTILINE)
    for method in ("SAM network", "HS forest", "optimal tree", "HistGradientBoosting"):
        assert sum(line.strip().startswith(method) for line in lines) >= 2  # its numbers, and its code


def test_every_page_has_its_screens_and_the_first_pages_have_the_same():
    assert [(page, name, width) for page, name, width, _ in SCREENS] == [
        ("README.md", "concrete", "120"),
        ("docs/index.md", "concrete", "120"),
        ("docs/guide/compare.md", "concrete", "120"),
        ("docs/guide/compare.md", "raisin", "80"),
    ]
    assert len({text for _, name, _, text in SCREENS if name == "concrete"}) == 1
    assert (ROOT / "docs/images/concrete.png").is_file()
