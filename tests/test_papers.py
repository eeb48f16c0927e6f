"""The record of papers agrees with everything that is said about it elsewhere."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator, is_classifier, is_regressor

import skpapers
from benchmarks import reproduce
from skpapers.papers import PAPERS, Spec, markdown_table

ROOT = Path(__file__).parents[1]
CONTESTS = [contest for paper in PAPERS for contest in paper.contests]


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.key)
class TestEveryPaper:
    def test_its_estimators_are_public_and_load_from_both_places(self, paper):
        module = import_module(paper.module)
        for name in paper.estimators:
            assert getattr(skpapers, name) is getattr(module, name)
            assert name in module.__all__
            assert issubclass(getattr(module, name), BaseEstimator)

    def test_its_notebook_guide_and_algorithm_file_exist(self, paper):
        folder = Path(*paper.module.split("."))
        for path in (paper.notebook, paper.guide, folder / f"_{paper.key}.py"):
            assert (ROOT / path).is_file()

    def test_its_claims_are_registered_for_reproduction_and_measured(self, paper):
        registered = [name for name, claim in reproduce.CLAIMS.items() if claim.paper == paper.key]
        assert sorted(registered) == sorted(paper.reproduction)
        page = (ROOT / "docs/reproduction.md").read_text()
        for name in paper.reproduction:
            assert name in page

    def test_its_estimators_cite_it(self, paper):
        for name in paper.estimators:
            text = getattr(skpapers, name).__doc__
            assert paper.url in text
            assert paper.code in text
            assert "Differences from the paper" in text

    def test_tasks(self, paper):
        assert set(paper.tasks) <= {"classification", "regression"}
        assert paper.time_budget > 0


@pytest.mark.parametrize("contest", CONTESTS, ids=lambda c: f"{c.name}-{c.task}")
def test_contests_pair_estimators_of_the_task(contest):
    of_the_task = is_classifier if contest.task == "classification" else is_regressor
    method, baseline = contest.method.build(), contest.baseline.build()
    assert of_the_task(method)
    assert of_the_task(baseline)
    assert type(method).__module__.startswith("skpapers.")
    seeds = {est.get_params().get("random_state", 0) for est in (method, baseline)}
    assert seeds == {0}


def test_names_of_contests_tell_them_apart():
    assert len({(contest.name, contest.task) for contest in CONTESTS}) == len(CONTESTS)


def test_a_spec_builds_what_it_names():
    spec = Spec("sklearn.ensemble.BaggingRegressor", {"estimator": Spec("sklearn.tree.DecisionTreeRegressor")})
    built = spec.build()
    assert type(built).__name__ == "BaggingRegressor"
    assert type(built.estimator).__name__ == "DecisionTreeRegressor"
    assert spec.build().estimator is not built.estimator


def test_the_readme_has_the_table_of_papers():
    readme = (ROOT / "README.md").read_text()
    shown = re.search(r"<!-- papers:begin -->\n(.*?)\n?<!-- papers:end -->", readme, re.DOTALL)
    assert shown is not None
    assert shown[1].strip() == markdown_table()


def test_the_readme_example_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})
