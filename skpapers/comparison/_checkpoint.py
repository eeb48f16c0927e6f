"""Fits kept in a folder, so that a run that was ended goes on where it was."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib

from skpapers.comparison._problem import Problem
from skpapers.comparison._records import Candidate, Key, Outcome

_SETTINGS = "settings.json"
_FORMAT = 1
_PREFIX = "fit-"


def _digest(*values: Any) -> str:
    return str(joblib.hash(values))


def fingerprint(problem: Problem) -> dict[str, str]:
    """Return what decides the scores of a candidate: a word of text for each part that may differ."""
    plan = problem.plan
    return {
        "version": f"{version('skpapers')}, {_FORMAT}",
        "table": _digest(problem.frame, problem.y, problem.times, problem.assets),
        "folds": _digest(plan.folds, plan.ranks, plan.gap, plan.label_end, plan.groups),
        "weights": _digest(problem.sample_weight),
        "groups": _digest(problem.groups),
        "metadata": _digest(problem.metadata),
        "metrics": ", ".join(metric.name for metric in problem.metrics),
    }


class Checkpoint:
    """A folder with one file for every fit.

    The files are pickles: a folder of somebody else can run any code.

    Parameters
    ----------
    folder : str or path
    problem : Problem
    candidates : sequence of Candidate
    resume : bool
        Whether fits in the folder are used. They belong to this table and these settings, or it is an error. Else they
        are removed.

    Raises
    ------
    ValueError
        In one line: if `resume` and the folder has the fits of another table or of other settings, or if it cannot be
        written.
    """

    def __init__(
        self, folder: str | os.PathLike[str], problem: Problem, candidates: Sequence[Candidate], resume: bool
    ) -> None:
        self.folder = Path(folder)
        self.keys = {candidate.name: _digest(candidate.code, repr(candidate.estimator)) for candidate in candidates}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"checkpoint={str(folder)!r} cannot be made ({error.strerror}).") from error
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise ValueError(f"checkpoint={str(folder)!r} cannot be written to.")
        self._check(fingerprint(problem), resume)

    def _check(self, now: Mapping[str, str], resume: bool) -> None:
        path = self.folder / _SETTINGS
        if not (resume and path.exists()):
            for fit in self.folder.glob(f"{_PREFIX}*"):
                fit.unlink()
            path.write_text(json.dumps(dict(now), indent=1))
            return
        try:
            before = json.loads(path.read_text())
        except ValueError as error:
            raise ValueError(f"checkpoint={str(self.folder)!r}: {_SETTINGS} cannot be read ({error}).") from error
        changed = [name for name in now if before.get(name) != now[name]]
        if changed:
            raise ValueError(
                f"checkpoint={str(self.folder)!r} belongs to a run with other {' and '.join(changed)}; repeat the "
                "settings of that run, or name another folder."
            )

    def _path(self, key: Key) -> Path:
        name = _digest(key.candidate, self.keys[key.candidate], key.fold, key.max_rows)
        return self.folder / f"{_PREFIX}{name}.pickle"

    def save(self, key: Key, outcome: Outcome) -> None:
        """Write a fit; a file is there whole or not at all."""
        path = self._path(key)
        partial = path.with_suffix(".partial")
        with open(partial, "wb") as file:
            pickle.dump((key, outcome), file)
        partial.replace(path)

    def load(self) -> Iterator[tuple[Key, Outcome]]:
        """Yield the fits of the candidates; those of others, or of other parameters, are left alone."""
        for path in sorted(self.folder.glob(f"{_PREFIX}*.pickle")):
            with open(path, "rb") as file:
                key, outcome = pickle.load(file)
            if key.candidate in self.keys and path == self._path(key):
                yield key, outcome
