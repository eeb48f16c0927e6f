"""Run the comparison of the built-in tables, and put what it prints and draws into the pages: `make screens`.

A place for a screen is a fenced block after a comment such as ``<!-- screen: concrete 120 -->``: the name of a built-in
table and the number of columns.
"""

import io
import re
import sys
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from skpapers import compare  # noqa: E402
from skpapers.comparison import Comparison  # noqa: E402
from skpapers.comparison._display import figure_of  # noqa: E402
from skpapers.comparison._text import result_text  # noqa: E402
from skpapers.datasets import load_concrete, load_raisin  # noqa: E402

LOADERS = {"raisin": load_raisin, "concrete": load_concrete}
PAGES = ("README.md", "docs/index.md", "docs/guide/compare.md")
PICTURE = ROOT / "docs" / "images" / "concrete.png"
PLACE = re.compile(r"(<!-- screen: (\w+) (\d+) -->\n\n```text\n).*?(\n```)", re.DOTALL)


def screen(result: Comparison, name: str, width: int) -> str:
    """Return what the command line prints on a screen of this width."""
    return result_text(result, name, Console(file=io.StringIO(), width=width, highlight=False)).strip("\n")


def main() -> None:
    """Compare, and rewrite the pages."""
    results = {}
    for name, load in LOADERS.items():
        X, y = load(return_X_y=True, as_frame=True)
        results[name] = compare(X, y, verbose=1)
    for page in PAGES:
        file = ROOT / page
        text = file.read_text(encoding="utf-8")
        text = PLACE.sub(lambda place: place[1] + screen(results[place[2]], place[2], int(place[3])) + place[4], text)
        file.write_text(text, encoding="utf-8")
    PICTURE.parent.mkdir(exist_ok=True)
    figure_of(results["concrete"]).savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
