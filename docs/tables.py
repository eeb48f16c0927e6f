"""Rewrite what follows from `skpapers/papers.py` and from the public names: `make tables`.

These are the README's table of papers, the pages `docs/api.md` and `docs/guide/index.md`, and the names that type
checkers see in `skpapers/__init__.py`. A test compares the files with what this module makes of them.
"""

import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from skpapers.papers import PAPERS, table  # noqa: E402

# Public names that belong to no paper.
OTHERS = {"Comparison": "skpapers.comparison", "compare": "skpapers.comparison"}
FOLDERS = ("comparison", "datasets")

API = """# API

Every estimator, every function of a paper, {func}`skpapers.compare` and {class}`skpapers.Comparison` can also be
imported from `skpapers` itself. `import skpapers` loads nothing but the standard library; a name is loaded when it is
first used.
"""
FOLDER = """
## {module}

```{{eval-rst}}
.. currentmodule:: {module}

.. autosummary::
   :toctree: api/generated
   :nosignatures:

{names}
```
"""
GUIDE = """# Guide

[Compare the methods](compare.md) on a table of your own first: it says in one screen which of them beat what you would
use anyway. The pages below say of each method how it works, when it helps and when it does not.

<div class="stacked">

| You have, or want | Guide page | Estimators | Claims, measured here |
|---|---|---|---|
{rows}

</div>

```{{toctree}}
:hidden:
:maxdepth: 1

{pages}
```
"""


def topics() -> list[str]:
    """Return the topic folders in the order of the papers."""
    return list(
        dict.fromkeys(path.partition(".")[0] for paper in PAPERS for path in paper.estimators + paper.functions)
    )


def _replaced(pattern: str, new: str, text: str) -> str:
    """Replace what a pattern matches. Without a match the test of the tables would pass whatever the file holds."""
    text, count = re.subn(pattern, lambda _: new, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the file has {count} places for its table; {pattern} must match once.")
    return text


def readme(text: str) -> str:
    """Return the README with its table of papers."""
    pattern = r"(?<=<!-- papers:begin -->\n).*?(?=\n<!-- papers:end -->)"
    return _replaced(pattern, table().to_markdown(), text)


def api(text: str) -> str:
    """Return the page of the API: the public names of every folder, in the order of its `__all__`."""
    return API + "".join(folder for name in (*topics(), *FOLDERS) for folder in _folder(f"skpapers.{name}"))


def _folder(path: str) -> Iterator[str]:
    module = import_module(path)
    names = {name: getattr(module, name) for name in module.__all__}
    own = [name for name, thing in names.items() if thing.__name__ == name]
    yield FOLDER.format(module=path, names="\n".join(f"   {name}" for name in own))
    for name, thing in names.items():
        if name not in own:
            yield f"\n`{name}` is another name of {{class}}`{thing.__name__}`.\n"


def guide(text: str) -> str:
    """Return the index of the guide: which method is for whom, and a page for each paper."""
    rows = [
        f"| {paper.use} | [{page_title(paper.guide)}]({Path(paper.guide).name}) | "
        f"{', '.join(f'`{name}`' for name in paper.main_names)} | {paper.verdict} |"
        for paper in PAPERS
    ]
    pages = ["compare", "compare_files", *(Path(paper.guide).stem for paper in PAPERS)]
    return GUIDE.format(rows="\n".join(rows), pages="\n".join(pages))


def page_title(path: str) -> str:
    """Return the first heading of a page."""
    match = re.search(r"^# (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise ValueError(f"{path} has no heading.")
    return match[1]


def typed_names(text: str) -> str:
    """Return the package's `__init__.py` with the imports that only type checkers see."""
    modules = OTHERS | {name: module for paper in PAPERS for name, module in paper.modules.items()}
    lines = [f"    from skpapers import {name} as {name}\n" for name in sorted([*topics(), *FOLDERS, "papers"])]
    lines += [f"    from {modules[n]} import {n} as {n}\n" for n in sorted(modules, key=lambda n: (modules[n], n))]
    return _replaced(r"(?<=if TYPE_CHECKING:\n)(    [^\n]*\n)+", "".join(lines), text)


TABLES: dict[str, Callable[[str], str]] = {
    "README.md": readme,
    "docs/api.md": api,
    "docs/guide/index.md": guide,
    "skpapers/__init__.py": typed_names,
}


if __name__ == "__main__":
    for name, rewrite in TABLES.items():
        file = ROOT / name
        file.write_text(rewrite(file.read_text(encoding="utf-8")), encoding="utf-8")
