"""Small instances of every public estimator, for the tests that run on all of them."""

from importlib import import_module
from pathlib import Path

from sklearn.base import is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes

import skpapers
from skpapers.papers import PAPERS
from tests._case import Case

HERE = Path(__file__).parent


def _collect() -> dict[str, Case]:
    """Return the cases of every topic, by the name of the estimator."""
    cases: dict[str, Case] = {}
    for path in sorted(HERE.glob("*/_cases.py")):
        found = import_module(f"tests.{path.parent.name}._cases").CASES
        if twice := sorted(found.keys() & cases.keys()):
            raise ValueError(f"{path}: another topic has a case for {', '.join(twice)}.")
        cases |= found
    return cases


CASES = _collect()


def public_folders() -> list[str]:
    """Return the names of the public subpackages."""
    return sorted(path.parent.name for path in Path(skpapers.__file__).parent.glob("[a-z]*/__init__.py"))


def estimator_names() -> list[str]:
    """Return the names of all public estimators; two papers may share some."""
    return list(dict.fromkeys(name for paper in PAPERS for name in paper.estimator_names))


def case_of(estimator) -> Case:
    """Return the case of an instance."""
    return CASES[type(estimator).__name__]


def small(name: str, **kwargs):
    """Return a small instance of the estimator of this name."""
    case = CASES[name]
    return getattr(skpapers, name)(**{**case.required, **case.small, **kwargs})


def smallest_instances() -> list:
    """Return a small instance of every public estimator."""
    return [small(name) for name in estimator_names()]


def further_instances() -> list:
    """Return small instances with the further settings."""
    return [small(name, **more) for name in estimator_names() for more in CASES[name].further]


def small_instances() -> list:
    """Return a small instance of every public estimator, and the further settings."""
    return smallest_instances() + further_instances()


def table_for(estimator, n_rows: int = 200):
    """Return rows of ten columns, the names of the columns, and a target that fits an estimator's task."""
    bunch = load_breast_cancer() if is_classifier(estimator) else load_diabetes()
    return bunch.data[:n_rows, :10], list(bunch.feature_names[:10]), bunch.target[:n_rows]


def default_instances() -> list:
    """Return every public estimator with its default settings."""
    return [getattr(skpapers, name)(**CASES[name].required, **CASES[name].defaults) for name in estimator_names()]
