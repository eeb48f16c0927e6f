"""The candidates of a comparison: methods of the papers and what they are compared with, each estimator once."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sklearn.base import BaseEstimator

from skpapers._contests import Contest, Spec
from skpapers.comparison._contract import fit_paths
from skpapers.comparison._problem import Problem
from skpapers.comparison._records import Candidate, Kind
from skpapers.comparison._references import Reference
from skpapers.comparison._worker import first_line
from skpapers.papers import PAPERS, Paper


def contests_of(task: str) -> list[tuple[Paper, Contest]]:
    """Return every contest of the task, in the order of the papers."""
    return [(paper, contest) for paper in PAPERS for contest in paper.contests if contest.task == task]


def choose_contests(task: str, methods: Sequence[str] | None, metadata: Collection[str]) -> list[tuple[Paper, Contest]]:
    """Return the contests that the user named, of those whose metadata are given."""
    fitting = contests_of(task)
    contests = [(paper, contest) for paper, contest in fitting if set(contest.needs) <= set(metadata)]
    if not contests:
        raise ValueError(f"There is no method for {task}{' without metadata' * bool(fitting)}.")
    if methods is None:
        return contests
    wanted = [methods] if isinstance(methods, str) else list(methods)
    names = [contest.name for _, contest in contests]
    unknown = [name for name in wanted if name not in names]
    for _, contest in fitting:
        if contest.name in unknown:
            needed = ", ".join(map(repr, contest.needs))
            raise ValueError(f"methods: {contest.name!r} needs metadata named {needed}.")
    if unknown or not wanted:
        what = f"unknown for {task}: {', '.join(map(str, unknown))}" if unknown else "an empty list"
        raise ValueError(f"methods: {what}; choose among {', '.join(names)}.")
    return [(paper, contest) for paper, contest in contests if contest.name in wanted]


def build(name: str, kind: Kind, spec: Spec, baseline: str = "", paper: str = "") -> Candidate:
    """Build the estimator of a candidate; an error becomes part of it."""
    try:
        return Candidate(name, kind, spec.build(), spec.code, baseline, paper)
    except Exception as error:
        return Candidate(name, kind, None, spec.code, baseline, paper, first_line(error))


def make_candidates(
    contests: Sequence[tuple[Paper, Contest]],
    references: Sequence[Reference] = (),
    estimators: Mapping[str, BaseEstimator] | None = None,
) -> list[Candidate]:
    """Return all candidates: methods of the contests, references, estimators of the user, and baselines.

    Each distinct estimator is built once: a reference may be the baseline of a method.

    Raises
    ------
    ValueError
        If an estimator of the user has the name of another candidate.
    """
    names = {repr(contest.method): contest.name for _, contest in contests}
    names |= {repr(reference.spec): reference.name for reference in references}
    baselines = []
    methods = []
    for paper, contest in contests:
        key = repr(contest.baseline)
        if key not in names:
            names[key] = _unused(contest.baseline_name or contest.baseline.path.rpartition(".")[2], names.values())
            baselines.append(build(names[key], "baseline", contest.baseline))
        cited = f"{paper.title.split(':')[0]}, {paper.venue}"
        methods.append(build(contest.name, "method", contest.method, names[key], cited))
    usual = [build(reference.name, "reference", reference.spec) for reference in references]
    taken = [name for name in estimators or {} if name in names.values()]
    if taken:
        raise ValueError(f"estimators: {taken[0]!r} is the name of another row; choose a different one.")
    own = [Candidate(name, "own", model, _expression(model)) for name, model in (estimators or {}).items()]
    return [*usual, *own, *methods, *baselines]


def _expression(estimator: BaseEstimator) -> str:
    """Return the representation of an estimator in one line."""
    return " ".join(estimator.__repr__(N_CHAR_MAX=sys.maxsize).split())


def _unused(name: str, names: Collection[str]) -> str:
    """Return the name, with a number if another candidate has it."""
    number = 1
    found = name
    while found in names:
        number += 1
        found = f"{name} ({number})"
    return found


def unused_metadata(problem: Problem, candidates: Sequence[Candidate]) -> list[str]:
    """Name the metadata that no estimator takes."""
    built: list[Any] = [candidate.estimator for candidate in candidates if candidate.estimator is not None]
    names = [name for name in problem.metadata if not any(fit_paths(estimator, name) for estimator in built)]
    return [f"no estimator takes the metadata {name!r}" for name in names]
