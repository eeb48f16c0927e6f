"""What an import loads, what it leaves alone, and where private names may enter."""

import ast
import subprocess
import sys
import textwrap
from configparser import ConfigParser
from pathlib import Path

import pytest

import skpapers
from skpapers.papers import PAPERS
from tests._instances import public_folders

ROOT = Path(skpapers.__file__).parent
# The only files that may use a private name of scikit-learn (a module or an attribute that begins with an underscore).
DOORS = {"_validation.py", "_callbacks.py", "tree/_sklearn_tree.py"}


def run(code):
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_top_level_loads_the_standard_library_only():
    loaded = run("""
        import sys
        before = set(sys.modules)
        import skpapers
        new = {name.split(".")[0] for name in set(sys.modules) - before}
        print(*sorted(new - sys.stdlib_module_names - {"skpapers"}))
    """)
    assert loaded.split() == []


def without_networks():
    """Return the folders that setup.cfg does not except from the contract on torch."""
    config = ConfigParser()
    config.read(ROOT.parent / "setup.cfg")
    networks = config["importlinter:contract:torch"]["exceptions"].split()
    return [topic for topic in public_folders() if f"skpapers.{topic}*" not in networks]


def test_topics_without_networks_load_no_torch_and_no_cvxpy():
    loaded = run(f"""
        import sys
        from importlib import import_module
        for topic in {without_networks()}:
            import_module("skpapers." + topic)
            print(topic, sorted({{name.split(".")[0] for name in sys.modules}} & {{"torch", "cvxpy", "matplotlib"}}))
    """)
    assert loaded.splitlines() == [f"{topic} []" for topic in without_networks()]


def test_names_are_loaded_lazily_and_completely():
    listed = set(dir(skpapers))
    assert {name for paper in PAPERS for name in paper.modules} < listed
    for name in listed - {"__version__"}:
        assert getattr(skpapers, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = skpapers.nonsense
    with pytest.raises(ImportError):
        exec("from skpapers import nonsense")


def test_type_checkers_see_the_same_names():
    tree = ast.parse((ROOT / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    typed = {alias.asname for node in block.body for alias in node.names}
    assert typed | {"PAPERS", "__version__"} == set(skpapers.__all__)


def test_private_names_of_scikit_learn_enter_by_the_doors_only():
    seen = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sklearn":
                names = [*node.module.split("."), *(alias.name for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [part for a in node.names if a.name.startswith("sklearn") for part in a.name.split(".")]
            else:
                continue
            if any(name.startswith("_") for name in names):
                seen.add(path.relative_to(ROOT).as_posix())
    assert seen <= DOORS


def test_import_and_fit_leave_global_state_alone():
    out = run("""
        import random
        import numpy as np
        from sklearn.ensemble import RandomForestRegressor  # its own import draws from random
        def state():
            return random.getstate(), np.random.get_state()[1].tolist(), np.geterr()
        before = state()
        import skpapers
        from skpapers.tree import HierarchicalShrinkageRegressorCV
        X = np.random.default_rng(0).normal(size=(60, 3))
        HierarchicalShrinkageRegressorCV(RandomForestRegressor(5, random_state=0), cv="oob").fit(X, X[:, 0]).predict(X)
        print(before == state())
    """)
    assert out.strip() == "True"
