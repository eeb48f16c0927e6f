"""The import contracts of setup.cfg cover files that they do not name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
# A topic that nothing in setup.cfg names.
TOPIC = {
    "toy/__init__.py": "from skpapers.toy._toy_estimators import Toy\n",
    "toy/_toy.py": "import numpy as np\n",
    "toy/_toy_estimators.py": "import pandas\nimport skpapers._validation\nfrom skpapers.toy import _toy as Toy\n",
}


@pytest.fixture
def package(tmp_path):
    """Return the folder of a copy of the package, with one more topic."""
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    folder = tmp_path / "skpapers"
    shutil.copytree(ROOT / "skpapers", folder, ignore=shutil.ignore_patterns("__pycache__", "data"))
    (folder / "toy").mkdir()
    for name, text in TOPIC.items():
        (folder / name).write_text(text)
    return folder


def lint(package):
    """Return the report on the contracts, in one line."""
    environment = os.environ | {"PYTHONPATH": f"{package.parent}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", LINT]
    done = subprocess.run(command, cwd=package.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, " ".join(done.stdout.split())


def test_a_new_topic_keeps_the_contracts(package):
    code, report = lint(package)
    assert code == 0, report
    assert "5 kept, 0 broken" in report


@pytest.mark.parametrize(
    ("file", "line", "breach"),
    [
        ("papers.py", "import numpy", "skpapers.papers is not allowed to import numpy"),
        ("tree/_quant_bnb_lanes.py", "import pandas", "skpapers.tree._quant_bnb_lanes is not allowed to import pandas"),
        ("toy/_toy.py", "from sklearn.base import BaseEstimator", "skpapers.toy._toy is not allowed to import sklearn"),
        ("toy/_toy.py", "import skpapers._validation", "skpapers.toy._toy is not allowed to import sklearn"),
        ("_torch/new.py", "import sklearn", "skpapers._torch.new is not allowed to import sklearn"),
        ("toy/_toy_cv.py", "import skpapers.tree", "skpapers.toy is not allowed to import skpapers.tree"),
        ("tree/_new_cv.py", "import skpapers.toy", "skpapers.tree is not allowed to import skpapers.toy"),
        ("_weights.py", "import skpapers.toy", "skpapers._weights is not allowed to import skpapers.toy"),
        ("toy/_toy_cv.py", "import skpapers.cli", "skpapers.toy is not allowed to import skpapers.cli"),
        ("toy/_toy.py", "import torch", "skpapers.toy._toy is not allowed to import torch"),
        ("toy/_toy_cv.py", "import skpapers._torch.state", "skpapers.toy._toy_cv is not allowed to import torch"),
        ("toy/_toy.py", "import cvxpy", "skpapers.toy._toy is not allowed to import cvxpy"),
        ("_new_floor.py", "import numpy", "The following modules are not listed as layers: - skpapers._new_floor"),
    ],
)
def test_a_breach_is_named(package, file, line, breach):
    with (package / file).open("a") as source:
        source.write(f"\n{line}\n")
    code, report = lint(package)
    assert code == 1
    assert breach in report


def test_an_exception_without_a_module_is_an_error(package):
    (package / "tree" / "_shrinkable.py").unlink()
    code, report = lint(package)
    assert code == 1
    assert "there is no module skpapers.tree._shrinkable" in report
