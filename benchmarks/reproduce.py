"""The papers' claims, measured here.

    python benchmarks/reproduce.py --list
    python benchmarks/reproduce.py [NAME ...] [--seeds N] [--jobs N] [--write]
    python benchmarks/reproduce.py --page

Each claim is a function in `claims/`. A run prints its tables and its verdict; with `--write` it also stores them in
`results/NAME.json` and writes `docs/reproduction.md` anew from all stored results, so that one claim can be run alone.
`--page` writes the page and measures nothing.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._overview import overview
from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks.claims import CLAIMS, Claim, Result
from skpapers.papers import PAPERS, Paper

RESULTS = Path(__file__).resolve().parent / "results"
PAGE = RESULTS.parents[1] / "docs" / "reproduction.md"
PACKAGES = ("skpapers", "scikit-learn", "numpy", "numba")


def run(claim: Claim, seeds: int, jobs: int) -> dict[str, Any]:
    """Measure one claim and return it as it is stored."""
    start = time.monotonic()
    result: Result = claim.measure(seeds, jobs)
    return {
        "name": claim.name,
        "paper": claim.paper,
        "statement": claim.statement,
        "seeds": seeds,
        **asdict(result),
        "versions": versions(*PACKAGES, *claim.packages),
        "minutes": round((time.monotonic() - start) / 60, 1),
    }


def show(stored: dict[str, Any]) -> None:
    for table in stored["tables"]:
        Table(**table).print()
    CONSOLE.print(f"[bold]{stored['name']}: {stored['shows']}.[/bold] {stored['verdict']}")
    CONSOLE.print(f"[dim]{stored['seeds']} seeds, {stored['minutes']} min, {versions_line(stored['versions'])}[/dim]\n")


def page() -> str:
    """Return `docs/reproduction.md`, from the stored results alone."""
    results = {paper.key: (paper, stored_results(paper)) for paper in PAPERS}
    parts = [
        "# Reproduction",
        "What the papers claim, and what was measured here. A claim that does not show is reported as such.",
        overview(results),
        "`python benchmarks/reproduce.py --write` measures everything again and writes this page; `python "
        "benchmarks/reproduce.py NAME` measures one claim. The tables come from the UCI Machine Learning Repository "
        "and from scikit-learn (`benchmarks/data/README.md`), series from aeon and prices from skfolio.",
    ]
    parts += [section(*result) for result in results.values()]
    return "\n\n".join(parts) + "\n"


def stored_results(paper: Paper) -> list[dict[str, Any]]:
    """Return the stored results of a paper's claims."""
    files = [RESULTS / f"{name}.json" for name in paper.reproduction]
    return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]


def section(paper: Paper, stored: list[dict[str, Any]]) -> str:
    """Return the section of one paper: a table of its claims, then the details of each."""
    columns = ["claim", "the paper", "data", "seeds", "measured", "does it show?"]
    rows = [[s["name"], s["statement"], s["data"], str(s["seeds"]), s["measured"], f"**{s['shows']}**"] for s in stored]
    overview = Table("", columns, rows).markdown().replace("---:", "---")
    heading = f"## {paper.title}\n\n{paper.authors}, {paper.venue}. <{paper.url}>"
    return "\n\n".join([heading, overview, *map(details, stored)])


def details(stored: dict[str, Any]) -> str:
    parts = [f"### {stored['name']}", f"**{stored['shows'].capitalize()}.** {stored['verdict']}"]
    for table in stored["tables"]:
        parts.append(f"#### {table['title']}\n\n{Table(**table).markdown()}")
    parts.append(f"{versions_line(stored['versions'])}; {stored['minutes']} minutes.")
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="claims to measure; all by default")
    parser.add_argument("--list", action="store_true", help="print the claims and stop")
    parser.add_argument("--seeds", type=int, help="number of seeds instead of each claim's own")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes, default 2")
    parser.add_argument("--write", action="store_true", help="store the results and write docs/reproduction.md")
    parser.add_argument("--page", action="store_true", help="write docs/reproduction.md from stored results and stop")
    args = parser.parse_args()

    if unknown := sorted(set(args.names) - set(CLAIMS)):
        parser.error(f"no claim {', '.join(unknown)}; there are {', '.join(CLAIMS)}.")
    if args.list:
        rows = [[c.name, c.paper, c.statement, str(c.seeds)] for c in CLAIMS.values()]
        Table("Claims", ["claim", "paper", "statement", "seeds"], rows).print()
        return
    if not args.page:
        for name in args.names or CLAIMS:
            stored = run(CLAIMS[name], args.seeds or CLAIMS[name].seeds, args.jobs)
            show(stored)
            if args.write:
                RESULTS.mkdir(exist_ok=True)
                text = json.dumps(stored, indent=1, ensure_ascii=False)
                (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    if args.page or args.write:
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
