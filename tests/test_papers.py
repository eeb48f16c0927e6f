"""The records of papers agree with the package, the documentation and the claims."""

import inspect
import json
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from runpy import run_path

import pytest
import sklearn
from sklearn.base import BaseEstimator, is_classifier, is_regressor

import skpapers
from benchmarks import reproduce
from benchmarks._overview import HEADLINES
from skpapers._contests import Spec
from skpapers.papers import PAPERS, table

ROOT = Path(__file__).parents[1]
CONTESTS = [contest for paper in PAPERS for contest in paper.contests]


# As "Eq. (3)", "Eqs. 2 and 3", "Algorithm 1", "Theorem 2.1". A displayed equation that ends in its number, "(3)",
# counts as well: a file without the paper's numbers gives its equations numbers of its own, and its head says so.
CITATION = re.compile(
    r"\b(Eqs?\.|Equations?|Algorithms?|Theorem|Proposition|Lemma|Definition)\s+\(?[0-9A-Z]|  \([0-9]+\)$", re.MULTILINE
)


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.key)
class TestEveryPaper:
    def test_its_names_are_public_and_load_from_both_places(self, paper):
        for name, path in paper.modules.items():
            module = import_module(path)
            assert getattr(skpapers, name) is getattr(module, name)
            assert name in module.__all__
        assert all(issubclass(getattr(skpapers, name), BaseEstimator) for name in paper.estimator_names)
        others = {path.rpartition(".")[2] for path in paper.functions}
        assert all(inspect.isfunction(getattr(skpapers, name)) for name in others)
        aliases = set(paper.modules) - set(paper.estimator_names) - others
        assert {getattr(skpapers, name).__name__ for name in aliases} <= set(paper.estimator_names)

    def test_its_notebook_and_guide_exist(self, paper):
        for path in (paper.notebook, paper.guide):
            assert (ROOT / path).is_file()

    def test_its_algorithm_file_cites_it_by_number(self, paper):
        assert CITATION.search((ROOT / paper.algorithm).read_text())
        topics = {path.partition(".")[0] for path in paper.estimators + paper.functions}
        assert Path(paper.algorithm).parts[1] in {"_torch", *topics}  # `_torch` if several topics use the method

    def test_its_claims_are_registered_for_reproduction_and_measured(self, paper):
        registered = [name for name, claim in reproduce.CLAIMS.items() if claim.paper == paper.key]
        assert sorted(registered) == sorted(paper.reproduction)
        page = (ROOT / "docs/reproduction.md").read_text()
        for name, shows in paper.reproduction.items():
            assert name in page
            stored = json.loads((reproduce.RESULTS / f"{name}.json").read_text(encoding="utf-8"))
            assert stored["shows"] == shows, f"benchmarks/results/{name}.json and skpapers/papers.py differ"

    def test_its_estimators_cite_it(self, paper):
        for name in paper.estimator_names:
            text = getattr(skpapers, name).__doc__
            assert paper.url in text
            assert paper.code is None or paper.code in text
            assert "Differences from the paper" in text

    def test_its_contests_have_a_task(self, paper):
        assert {contest.task for contest in paper.contests} <= {"classification", "regression"}


def test_the_reproduction_page_opens_with_every_claim():
    text = (ROOT / "docs/reproduction.md").read_text(encoding="utf-8")
    first = text[: text.index("\n## ")]
    assert set(HEADLINES) == set(reproduce.CLAIMS)
    for paper in PAPERS:
        for name, shows in paper.reproduction.items():
            (line,) = [line for line in first.splitlines() if f"(#{name})" in line]
            assert f"| **{shows}** |" in line
            assert re.search(r"[0-9]", line.rsplit("|", 2)[1])


def parts(estimator):
    """Return an estimator and all estimators inside it."""
    inside = [value for value in estimator.get_params().values() if hasattr(value, "get_params")]
    return [estimator, *inside]


@pytest.mark.parametrize("contest", CONTESTS, ids=lambda c: f"{c.name}-{c.task}")
def test_contests_pair_estimators_of_the_task(contest):
    of_the_task = is_classifier if contest.task == "classification" else is_regressor
    method = contest.method.build()
    baseline = contest.baseline.build()
    assert of_the_task(method)
    assert of_the_task(baseline)
    assert any(type(part).__module__.startswith("skpapers.") for part in parts(method))
    for part in parts(method) + parts(baseline):
        if "random_state" in part.get_params():
            assert part.get_params()["random_state"] == 0


def test_names_of_contests_are_unique():
    assert len({(contest.name, contest.task) for contest in CONTESTS}) == len(CONTESTS)


def test_a_spec_builds_what_it_names():
    spec = Spec("sklearn.ensemble.BaggingRegressor", {"estimator": Spec("sklearn.tree.DecisionTreeRegressor")})
    built = spec.build()
    assert type(built).__name__ == "BaggingRegressor"
    assert type(built.estimator).__name__ == "DecisionTreeRegressor"
    assert spec.build().estimator is not built.estimator


def test_specs_in_lists_and_tuples_are_built():
    steps = [("scale", Spec("sklearn.preprocessing.StandardScaler")), ("model", Spec("sklearn.linear_model.Ridge"))]
    spec = Spec("sklearn.pipeline.Pipeline", {"steps": steps})
    built = spec.build()
    assert [type(step).__name__ for _, step in built.steps] == ["StandardScaler", "Ridge"]
    assert spec.build()[1] is not built[1]
    voting = Spec("sklearn.ensemble.VotingRegressor", {"estimators": [("a", built), ("b", spec)], "weights": (1, 2)})
    assert voting.build().weights == (1, 2)


@pytest.mark.parametrize("contest", CONTESTS, ids=lambda c: f"{c.name}-{c.task}")
def test_the_code_of_a_contest_builds_its_estimators(contest):
    for spec in (contest.method, contest.baseline):
        for module in re.findall(r"[\w.]+(?=\.\w+\()", spec.code):
            import_module(module)
        built = eval(spec.code, {"skpapers": skpapers, "sklearn": sklearn})
        assert repr(built) == repr(spec.build())


def test_the_code_of_tuples_and_lists():
    spec = Spec("a.B", {"x": (Spec("skpapers.tree.C"),), "y": [1, "z"], "z": (1, (2, 3))})
    assert spec.code == "a.B(x=(skpapers.C(),), y=[1, 'z'], z=(1, (2, 3)))"


def test_baselines_have_names_of_their_own():
    """Two contests may share a baseline, and then its name; a name never stands for two estimators."""
    for task in ("classification", "regression"):
        specs = {}
        for contest in (contest for contest in CONTESTS if contest.task == task):
            assert contest.baseline_name
            assert specs.setdefault(contest.baseline_name, contest.baseline) == contest.baseline


def test_a_paper_without_code_and_with_several_topics():
    names = {"estimators": ("tree.A", "convex.B"), "functions": ("convex.c",), "aliases": ("tree.D",)}
    paper = replace(PAPERS[0], code=None, **names)
    assert paper.estimator_names == ("A", "B")
    assert paper.modules == {"A": "skpapers.tree", "B": "skpapers.convex", "c": "skpapers.convex", "D": "skpapers.tree"}
    assert "code" not in table([paper]).to_markdown()


def test_the_verdict_of_a_paper():
    def verdict(*shows):
        return replace(PAPERS[0], reproduction={str(n): word for n, word in enumerate(shows)}).verdict

    assert verdict("shows", "shows") == "shows"
    assert verdict("shows", "does not show") == "mixed"
    assert verdict("mixed") == "mixed"
    assert verdict("does not show", "does not show") == "does not show"


TABLES = run_path(str(ROOT / "docs" / "tables.py"))["TABLES"]


@pytest.mark.parametrize("file", TABLES)
def test_tables_follow_from_the_records(file):
    text = (ROOT / file).read_text()
    assert TABLES[file](text) == text, "`make tables` rewrites the tables"


@pytest.mark.parametrize("file", ["README.md", "skpapers/__init__.py"])
def test_a_file_without_the_place_of_its_table_is_an_error(file):
    with pytest.raises(ValueError, match="0 places for its table"):
        TABLES[file]("nothing\n")


def test_the_readme_example_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})
