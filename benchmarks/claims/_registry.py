"""The registry of claims: `@claim(...)` above a function enters it into `CLAIMS`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from benchmarks._report import Table

Shows = Literal["shows", "mixed", "does not show"]


@dataclass(frozen=True)
class Result:
    """What a claim's function returns.

    Parameters
    ----------
    shows : {"shows", "mixed", "does not show"}
        Computed from the numbers, by a rule that `measured` states.

    verdict : str
        One sentence with the numbers.

    data, measured : str
        What was measured, on what.

    tables : list of Table

    summary : dict of float
        The numbers behind the verdict.
    """

    shows: Shows
    verdict: str
    data: str
    measured: str
    tables: list[Table]
    summary: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A claim of a paper. `measure(seeds, jobs)` takes the number of seeds and of worker processes.

    Parameters
    ----------
    name, paper : str
        The claim's own name, and the key of its paper in `skpapers.papers.PAPERS`, which lists the claim.

    statement : str
        What the paper says.

    seeds : int
        Number of seeds of a full run.

    packages : tuple of str
        Further installed packages whose versions matter.
    """

    name: str
    paper: str
    statement: str
    seeds: int
    packages: tuple[str, ...]
    measure: Callable[[int, int], Result]


CLAIMS: dict[str, Claim] = {}


def claim(
    name: str, *, paper: str, statement: str, seeds: int, packages: tuple[str, ...] = ()
) -> Callable[[Callable[[int, int], Result]], Callable[[int, int], Result]]:
    """Enter the function below into `CLAIMS`."""

    def enter(measure: Callable[[int, int], Result]) -> Callable[[int, int], Result]:
        if name in CLAIMS:
            raise ValueError(f"two claims are named {name!r}.")
        CLAIMS[name] = Claim(name, paper, statement, seeds, packages, measure)
        return measure

    return enter
