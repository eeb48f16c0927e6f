"""The solver against every tree there is, against stored optima of real tables, and against itself."""

import math
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.tree import DecisionTreeRegressor

from benchmarks import tables
from skpapers.tree._quant_bnb import solve
from tests.tree._optimal_tree_oracle import (
    check_solution,
    depth_of_nodes,
    objective_scale,
    optimal_objective,
    optimal_objective_of_depth_two,
    rows_of_nodes,
)

KINDS = ("number", "outputs", "two_classes", "classes")
SETTINGS = ("plain", "weight", "missing", "min_samples_leaf", "leaf_cost", "monotonic", "everything")
ARRAYS = ("children_left", "children_right", "feature", "threshold", "missing_go_to_left")
# Most rows, columns and distinct values of a column, such that the enumeration takes well under a second.
SHAPES = {
    1: [(60, 4, 60), (60, 4, 5)],
    2: [(60, 4, 8), (60, 4, 60), (60, 1, 60)],
    3: [(25, 4, 5), (60, 4, 10), (60, 2, 60), (25, 4, 25), (60, 3, 6), (60, 1, 60)],
    4: [(12, 4, 12), (60, 4, 4), (20, 2, 20), (40, 3, 8), (60, 1, 60)],
}
GROUPS = [
    pytest.param(kind, setting, depth, id=f"{kind}-{setting}-depth{depth}")
    for kind in KINDS
    for setting in SETTINGS
    for depth in SHAPES
    if setting != "monotonic" or kind in ("number", "two_classes")
]


def draw_target(rng, kind, X):
    """Half of the targets follow a tree, half are noise; half of the numbers are tied."""
    n = len(X)
    signal = np.zeros(n)
    if rng.random() < 0.5:
        for j in rng.integers(X.shape[1], size=2):
            signal = 2 * signal + (np.nan_to_num(X[:, j]) > np.nanmedian(X[:, j]) if np.isfinite(X[:, j]).any() else 0)
    if kind == "two_classes":
        return (signal + rng.integers(0, 2, size=n) * rng.integers(0, 2, size=n)).astype(np.int64) % 2
    if kind == "classes":
        n_classes = rng.integers(3, 5)
        return (signal.astype(np.int64) + rng.integers(0, n_classes, size=n)) % n_classes
    n_outputs = 1 if kind == "number" else rng.integers(2, 4)
    noise = rng.normal(size=(n, n_outputs))
    return signal[:, np.newaxis] + (noise.round() if rng.random() < 0.5 else noise)


def draw(kind, setting, depth, seed):
    """Return X, target, weight and settings of one random problem with ties."""
    rng = np.random.default_rng([KINDS.index(kind), SETTINGS.index(setting), depth, seed])
    everything = setting == "everything"
    n_max, p_max, level_max = SHAPES[depth][rng.integers(len(SHAPES[depth]))]
    monotonic = setting == "monotonic" or (everything and kind in ("number", "two_classes") and rng.random() < 0.5)
    if monotonic and depth > 2:
        n_max = min(n_max, 16)
        p_max = min(p_max, 3)
    n = int(rng.integers(4, n_max + 1))
    p = int(rng.integers((p_max + 1) // 2, p_max + 1))
    columns = []
    for _ in range(p):
        levels = np.sort(rng.normal(size=rng.integers(2, level_max + 1)))
        columns.append(levels[rng.integers(len(levels), size=n)])
    X = np.stack(columns, axis=1)
    target = draw_target(rng, kind, X)
    if setting == "missing" or (everything and not monotonic and rng.random() < 0.7):
        X[rng.random(X.shape) < rng.choice([0.05, 0.2, 0.5], size=p)] = np.nan
    weight = None
    if setting == "weight" or (everything and rng.random() < 0.7):
        weight = rng.integers(1, 4, size=n).astype(float) if rng.random() < 0.5 else rng.uniform(0.1, 2.0, size=n)
    loss = "misclassification" if kind in ("two_classes", "classes") else "squared_error"
    settings = {"loss": loss, "max_depth": depth}
    if setting == "min_samples_leaf" or (everything and rng.random() < 0.7):
        settings["min_samples_leaf"] = int(rng.integers(2, 6))
    if setting == "leaf_cost" or (everything and rng.random() < 0.7):
        root = objective_scale(X, target, weight, loss)
        settings["leaf_cost"] = float(rng.choice([1.0, 0.01 * root, 0.05 * root, 0.2 * root]))
    if monotonic:
        settings["monotonic_cst"] = np.where(rng.random(p) < 0.7, rng.choice([-1, 1], size=p), 0).astype(np.int8)
    return X, target, weight, settings


def slack_of(X, target, weight, settings):
    return 1e-9 * (objective_scale(X, target, weight, settings["loss"]) + settings.get("leaf_cost", 0.0)) + 1e-12


def check_optimal(X, target, weight, settings, **how):
    """The solver's tree is admissible, as good as the best of all trees, and proved to be so."""
    solution = solve(X, target, weight, **settings, **how)
    check_solution(solution, X, target, weight, **settings)
    optimum = optimal_objective(X, target, weight, **settings)
    slack = slack_of(X, target, weight, settings)
    assert abs(solution.objective - optimum) <= slack, f"objective {solution.objective!r}, optimum {optimum!r}"
    assert solution.finished
    assert solution.proved
    assert solution.lower_bound == solution.objective
    return solution


def check_group(kind, setting, depth, seeds):
    for seed in seeds:
        problem = draw(kind, setting, depth, seed)
        try:
            check_optimal(*problem)
        except AssertionError as error:
            raise AssertionError(f"draw({kind!r}, {setting!r}, {depth}, {seed}): {error}") from error


def check_same_tree(a, b):
    for name in ARRAYS:
        assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert a.objective == b.objective


def gap_of(solution):
    missing = solution.objective - solution.lower_bound
    all_of_it = solution.root_loss - solution.lower_bound
    return missing / all_of_it if all_of_it > 0 else 0.0


def table(name, *, train=False, outputs=slice(1)):
    """Return X, target and loss of a table of the benchmarks."""
    X, y, n_train = tables.load(name)
    if train:
        X = X[:n_train]
        y = y[:n_train]
    if y.dtype.kind == "i":
        return np.ascontiguousarray(X), y.astype(np.int64), "misclassification"
    return np.ascontiguousarray(X), np.ascontiguousarray(y.reshape(len(y), -1)[:, outputs]), "squared_error"


def medium(kind, *, n=400, p=4, levels=None, seed=0):
    """Return X, target and loss of a problem beyond the reach of enumeration."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    if levels:
        X = (X * levels / 4).round()
    step = (X[:, 0] > 0.3) ^ (X[:, 1] > -0.2)
    if kind == "two_classes":
        return X, (step ^ (rng.random(n) < 0.2)).astype(np.int64), "misclassification"
    if kind == "classes":
        return (
            X,
            np.where(rng.random(n) < 0.3, rng.integers(0, 4, size=n), 1 * step + (X[:, 2] > 0)),
            "misclassification",
        )
    target = step[:, np.newaxis] + rng.normal(size=(n, 1 if kind == "number" else 2))
    return X, target.round() if levels else target, "squared_error"


# ---------------------------------------------------------------------------------------------- every tree there is


@pytest.mark.parametrize(("kind", "setting", "depth"), GROUPS)
def test_equals_the_best_of_all_trees(kind, setting, depth):
    check_group(kind, setting, depth, range(4 if depth == 4 else 8))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "setting", "depth"), GROUPS)
def test_equals_the_best_of_all_trees_many_times(kind, setting, depth):
    check_group(kind, setting, depth, range(100, 110 if depth == 4 else 120))


def draw_with_large_leaves(kind, weighted, depth, seed):
    """Return a problem whose best trees would isolate wild rows, if leaves did not need so many."""
    rng = np.random.default_rng([KINDS.index(kind), weighted, depth, seed])
    n = int(rng.integers(60, 250)) if depth == 2 else int(rng.integers(20, 60))
    p = int(rng.integers(1, 4))
    levels = int(rng.choice([6, 1000] if depth == 2 else [4, 8]))
    X = np.floor(rng.random((n, p)) * levels)
    target = draw_target(rng, kind, X)
    if kind in ("number", "outputs"):
        target = 0.3 * target + rng.standard_t(1.5, size=target.shape)
    weight = rng.uniform(0.01, 2.0, size=n) ** 3 if weighted else None
    loss = "misclassification" if kind in ("two_classes", "classes") else "squared_error"
    settings = {"loss": loss, "max_depth": depth, "min_samples_leaf": int(n * rng.uniform(0.0, 0.35)) + 1}
    if rng.random() < 0.3:
        settings["leaf_cost"] = 0.02 * objective_scale(X, target, weight, loss)
    return X, target, weight, settings


def check_large_leaves(kind, weighted, depth, seed):
    X, target, weight, settings = draw_with_large_leaves(kind, weighted, depth, seed)
    solution = solve(X, target, weight, **settings)
    check_solution(solution, X, target, weight, **settings)
    if depth == 2:
        without_depth = {key: value for key, value in settings.items() if key != "max_depth"}
        optimum = optimal_objective_of_depth_two(X, target, weight, **without_depth)
    else:
        optimum = optimal_objective(X, target, weight, **settings)
    slack = slack_of(X, target, weight, settings)
    assert abs(solution.objective - optimum) <= slack, f"objective {solution.objective!r}, optimum {optimum!r}"
    assert abs(solution.lower_bound - optimum) <= slack, f"bound {solution.lower_bound!r}, optimum {optimum!r}"


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_large_leaves_equal_the_best_of_all_trees(kind, weighted, depth):
    for seed in range(8):
        check_large_leaves(kind, weighted, depth, seed)


def test_the_oracle_of_depth_two_equals_the_best_of_all_trees():
    for kind in KINDS:
        for seed in range(3):
            X, target, weight, settings = draw_with_large_leaves(kind, seed % 2, 3, seed)
            del settings["max_depth"]
            two = optimal_objective_of_depth_two(X, target, weight, **settings)
            assert two == pytest.approx(optimal_objective(X, target, weight, max_depth=2, **settings), rel=1e-9)


@pytest.mark.parametrize("n_jobs", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_best_of_all_trees_in_threads(kind, n_jobs):
    for seed in range(5):
        problem = draw(kind, "everything", 3, 50 + seed)
        check_same_tree(check_optimal(*problem, n_jobs=n_jobs), check_optimal(*problem))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", [{"time_limit": 0.0}, {"tol": 0.05}, {"tol": 0.5}], ids=str)
def test_bounds_hold_when_the_search_ends_early(kind, how):
    for setting in SETTINGS:
        if setting == "monotonic" and kind in ("outputs", "classes"):
            continue
        for seed in range(4):
            X, target, weight, settings = draw(kind, setting, 3, 60 + seed)
            solution = solve(X, target, weight, **settings, **how)
            check_solution(solution, X, target, weight, **settings)
            optimum = optimal_objective(X, target, weight, **settings)
            slack = slack_of(X, target, weight, settings)
            assert solution.lower_bound - slack <= optimum <= solution.objective + slack, (setting, seed)
            assert solution.proved == (solution.lower_bound == solution.objective)
            if solution.finished:
                assert gap_of(solution) <= how.get("tol", 0.0) + 1e-9


# ---------------------------------------------------------------------------------------------- small edges


def as_target(kind, y):
    y = np.asarray(y)
    if kind in ("two_classes", "classes"):
        return y.astype(np.int64), "misclassification"
    return np.stack([y.astype(float), 2.0 - y], axis=1)[:, : 1 if kind == "number" else 2].copy(), "squared_error"


EDGES = {
    "one row": ([[1.0, 2.0]], [1]),
    "one row of NaN": ([[np.nan]], [1]),
    "two rows": ([[1.0], [2.0]], [0, 1]),
    "two rows, one missing": ([[1.0], [np.nan]], [0, 1]),
    "constant target": ([[1.0], [2.0], [3.0], [4.0]], [1, 1, 1, 1]),
    "constant X": ([[1.0, 2.0]] * 5, [0, 1, 0, 1, 1]),
    "all NaN": ([[np.nan, np.nan]] * 4, [0, 1, 0, 1]),
    "a column of NaN": ([[np.nan, 1.0], [np.nan, 2.0], [np.nan, 1.0], [np.nan, 3.0]], [0, 1, 0, 0]),
    "NaN against the rest": ([[1.0], [2.0], [np.nan], [3.0], [np.nan], [1.5]], [0, 0, 1, 0, 1, 0]),
    "NaN goes with the middle": ([[1.0], [1.0], [2.0], [np.nan], [3.0], [3.0]], [0, 0, 1, 1, 0, 0]),
    "equal rows, different targets": ([[1.0], [1.0], [2.0], [2.0], [3.0], [3.0]], [0, 1, 1, 1, 0, 1]),
    "exclusive or": ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]),
    "zeros of both signs": ([[0.0], [-0.0], [0.0], [-0.0]], [0, 1, 0, 1]),
}


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", EDGES)
def test_edges(name, kind, depth):
    X = np.array(EDGES[name][0])
    y = EDGES[name][1]
    target, loss = as_target(kind, y)
    for weight in (None, np.linspace(0.5, 1.5, len(X))):
        for min_samples_leaf in (1, 2):
            settings = {"loss": loss, "max_depth": depth, "min_samples_leaf": min_samples_leaf}
            check_optimal(X, target, weight, settings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("min_samples_leaf", [6, 11, 12])
def test_a_root_that_cannot_be_split_is_a_leaf(kind, min_samples_leaf):
    X, target, loss = medium(kind, n=11)
    solution = solve(X, target, None, loss=loss, max_depth=2, min_samples_leaf=min_samples_leaf)
    check_solution(solution, X, target, loss=loss, max_depth=2, min_samples_leaf=min_samples_leaf)
    assert len(solution.feature) == 1
    assert solution.objective == solution.lower_bound == solution.root_loss
    assert solution.finished


@pytest.mark.parametrize("kind", KINDS)
def test_a_leaf_that_costs_more_than_it_saves_is_not_grown(kind):
    X, target, loss = medium(kind, n=60)
    cost = 1.01 * objective_scale(X, target, None, loss)
    solution = solve(X, target, None, loss=loss, max_depth=3, leaf_cost=cost)
    check_solution(solution, X, target, loss=loss, max_depth=3, leaf_cost=cost)
    assert len(solution.feature) == 1


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_split_that_saves_more_than_a_leaf_costs_is_grown(kind, depth):
    """Leaves cost nearly as much as the whole loss: a bound with one leaf too many would close every interval."""
    X = np.stack([np.arange(12.0), np.tile([0.0, 1.0], 6)], axis=1)
    codes = (X[:, 0] > 5).astype(np.int64)
    loss = "misclassification" if kind in ("two_classes", "classes") else "squared_error"
    target = {
        "two_classes": codes,
        "classes": 2 * codes,
        "number": codes[:, np.newaxis].astype(float),
        "outputs": np.stack([codes, 1.0 - codes], axis=1),
    }[kind]
    whole = solve(X, target, None, loss=loss, max_depth=depth).root_loss
    solution = solve(X, target, None, loss=loss, max_depth=depth, leaf_cost=0.9 * whole)
    assert len(solution.feature) == 3
    assert solution.proved
    assert solution.objective == pytest.approx(1.8 * whole)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_many_classes(depth):
    rng = np.random.default_rng(0)
    for n_classes in (5, 8, 9, 12, 30):
        X = rng.integers(0, 4, size=(60, 2)).astype(float)
        target = (3 * X[:, 0].astype(np.int64) + rng.integers(0, n_classes, size=60)) % n_classes
        for weight in (None, rng.uniform(0.5, 2.0, size=60)):
            check_optimal(X, target, weight, {"loss": "misclassification", "max_depth": depth})


def test_a_class_code_without_rows():
    """Zero-weight rows leave before the solver: a class may leave with them."""
    X = np.array([[0.0], [1.0], [2.0], [3.0]])
    settings = {"loss": "misclassification", "max_depth": 2}
    for target in ([3, 1, 1, 3], [2, 2, 2, 2], [1, 1, 1, 1]):
        check_optimal(X, np.array(target), None, settings)


@pytest.mark.parametrize("kind", ["number", "two_classes"])
def test_constraints_of_zero_are_no_constraints(kind):
    X, target, loss = medium(kind, n=150, levels=12)
    settings = {"loss": loss, "max_depth": 3, "min_samples_leaf": 3}
    free = solve(X, target, None, **settings)
    zero = solve(X, target, None, **settings, monotonic_cst=np.zeros(4, dtype=np.int8))
    assert zero.objective == pytest.approx(free.objective, rel=1e-9)


@pytest.mark.parametrize("kind", ["number", "two_classes"])
@pytest.mark.parametrize("min_samples_leaf", [1, 5])
def test_a_constraint_against_the_data_costs_and_one_along_it_does_not(kind, min_samples_leaf):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)).round(1)
    rising = X[:, 0] + 0.3 * rng.normal(size=300)
    target = rising[:, np.newaxis]
    loss = "squared_error"
    if kind == "two_classes":
        target = (rising > 0).astype(np.int64)
        loss = "misclassification"
    settings = {"loss": loss, "max_depth": 2, "min_samples_leaf": min_samples_leaf}
    objective = {}
    for sign in (-1, 0, 1):
        monotonic_cst = np.array([sign, 0, 0], dtype=np.int8)
        solution = solve(X, target, None, **settings, monotonic_cst=monotonic_cst)
        check_solution(solution, X, target, **settings, monotonic_cst=monotonic_cst)
        objective[sign] = solution.objective
    assert objective[0] <= objective[1] * (1 + 1e-9)
    assert objective[1] < 0.9 * objective[-1]


# ---------------------------------------------------------------------------------------------- float64


BLOCKS = np.repeat([0, 1, 0, 1], 10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "x",
    [
        pytest.param(1e8 + np.arange(40.0), id="offset 1e8"),
        pytest.param(1e15 + np.arange(40.0), id="offset 1e15"),
        pytest.param(1.0 + 1e-9 * np.arange(40), id="1e-9 apart"),
        pytest.param(1.0 + np.spacing(1.0) * np.arange(40), id="neighbours"),
        pytest.param(-1.0 - np.spacing(1.0) * np.arange(40), id="negative neighbours"),
        pytest.param(5e-324 * np.arange(40), id="subnormal"),
        pytest.param(np.linspace(-1.79, 1.79, 40) * 1e308, id="huge"),
    ],
)
def test_values_that_differ_can_be_told_apart(x, kind):
    target, loss = as_target(kind, BLOCKS)
    for sign in (1.0, -1.0):
        X = sign * x[:, np.newaxis]
        solution = solve(X, target, None, loss=loss, max_depth=2)
        check_solution(solution, X, target, loss=loss, max_depth=2)
        assert solution.objective == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6, -1e6])
@pytest.mark.parametrize("kind", ["number", "outputs"])
def test_targets_far_from_zero(kind, offset):
    X, target, loss = medium(kind, n=120)
    target = (target * 64).round() / 64  # sums with the offset are exact
    near = solve(X, target, None, loss=loss, max_depth=2)
    far = solve(X, target + offset, None, loss=loss, max_depth=2)
    check_solution(far, X, target + offset, loss=loss, max_depth=2)
    assert far.objective == pytest.approx(near.objective, rel=1e-9)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
@pytest.mark.parametrize("kind", KINDS)
def test_the_objective_scales_with_weights_and_targets(kind, scale):
    X, target, loss = medium(kind, n=120, levels=12)
    objective = solve(X, target, None, loss=loss, max_depth=2).objective
    scaled = solve(X, target, np.full(120, scale), loss=loss, max_depth=2)
    assert scaled.objective / scale == pytest.approx(objective, rel=1e-9)
    if loss == "squared_error":
        scaled = solve(X, scale * target, None, loss=loss, max_depth=2)
        assert scaled.objective / scale**2 == pytest.approx(objective, rel=1e-9)


# ---------------------------------------------------------------------------------------------- invariances


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("levels", [None, 10], ids=["distinct", "tied"])
@pytest.mark.parametrize("kind", KINDS)
class TestInvariance:
    def objective(self, X, target, loss, depth, weight=None, **settings):
        solution = solve(X, target, weight, loss=loss, max_depth=depth, **settings)
        check_solution(solution, X, target, weight, loss=loss, max_depth=depth, **settings)
        assert solution.lower_bound == pytest.approx(solution.objective, rel=1e-9)
        return solution.objective

    def test_monotone_transforms(self, kind, levels, depth):
        X, target, loss = medium(kind, n=150, levels=levels)
        expected = self.objective(X, target, loss, depth)
        ranks = np.stack([np.unique(x, return_inverse=True)[1] for x in X.T], axis=1).astype(float)
        for transformed in (np.exp(X), X**3, -X, ranks, 1e8 + ranks):
            assert self.objective(transformed, target, loss, depth) == pytest.approx(expected, rel=1e-9)

    def test_order_of_rows_and_columns(self, kind, levels, depth):
        X, target, loss = medium(kind, n=150, levels=levels)
        X[::17, 1] = np.nan
        weight = np.random.default_rng(1).uniform(0.5, 2.0, size=150)
        expected = self.objective(X, target, loss, depth, weight, min_samples_leaf=4)
        for seed in range(3):
            rng = np.random.default_rng(seed)
            rows = rng.permutation(150)
            columns = rng.permutation(4)
            X_other = np.ascontiguousarray(X[np.ix_(rows, columns)])
            found = self.objective(X_other, target[rows], loss, depth, weight[rows], min_samples_leaf=4)
            assert found == pytest.approx(expected, rel=1e-9)

    def test_class_codes_and_signs(self, kind, levels, depth):
        X, target, loss = medium(kind, n=150, levels=levels)
        expected = self.objective(X, target, loss, depth)
        if loss == "squared_error":
            assert self.objective(X, -target, loss, depth) == pytest.approx(expected, rel=1e-9)
            return
        for seed in range(3):
            codes = np.random.default_rng(seed).permutation(target.max() + 1)
            assert self.objective(X, codes[target], loss, depth) == pytest.approx(expected, rel=1e-9)

    def test_repeated_rows_are_integer_weights(self, kind, levels, depth):
        X, target, loss = medium(kind, n=100, levels=levels)
        times = np.random.default_rng(2).integers(1, 4, size=100)
        weighted = self.objective(X, target, loss, depth, times.astype(float))
        repeated = self.objective(np.repeat(X, times, axis=0), np.repeat(target, times, axis=0), loss, depth)
        assert weighted == pytest.approx(repeated, rel=1e-9)

    def test_a_copied_or_constant_column_changes_nothing(self, kind, levels, depth):
        X, target, loss = medium(kind, n=100, levels=levels)
        expected = self.objective(X, target, loss, depth)
        wider = np.column_stack([np.ones(100), X, X[:, 0], np.full(100, np.nan)])
        assert self.objective(wider, target, loss, depth) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", ["number", "two_classes"])
def test_a_mirrored_feature_mirrors_its_constraint(kind):
    X, target, loss = medium(kind, n=120, levels=8)
    settings = {"loss": loss, "max_depth": 3, "min_samples_leaf": 2}
    sign = np.array([1, -1, 0, 1], dtype=np.int8)
    expected = solve(X, target, None, **settings, monotonic_cst=sign).objective
    mirrored = solve(-X, target, None, **settings, monotonic_cst=-sign).objective
    assert mirrored == pytest.approx(expected, rel=1e-9)
    other = -target if kind == "number" else 1 - target
    assert solve(X, other, None, **settings, monotonic_cst=-sign).objective == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("min_samples_leaf", [1, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_looser_settings_are_never_worse(kind, min_samples_leaf):
    X, target, loss = medium(kind, n=150, levels=9)
    settings = {"loss": loss, "min_samples_leaf": min_samples_leaf}
    root = objective_scale(X, target, None, loss)
    sizes = (60, 20, 5, 1)
    costs = (9.0, 2.0, 0.5, 0.0)
    by_depth = [solve(X, target, None, **settings, max_depth=depth) for depth in (1, 2, 3)]
    by_size = [solve(X, target, None, loss=loss, max_depth=2, min_samples_leaf=size) for size in sizes]
    by_cost = [solve(X, target, None, **settings, max_depth=2, leaf_cost=cost) for cost in costs]
    for solutions in (by_depth, by_size, by_cost):
        assert np.all(np.diff([solution.objective for solution in solutions]) <= 1e-9 * root)


# ---------------------------------------------------------------------------------------------- one answer


@pytest.mark.parametrize(("n", "levels"), [(300, None), (600, 12)], ids=["distinct", "tied"])
@pytest.mark.parametrize("kind", KINDS)
def test_threads_and_repetition_return_the_same_tree(kind, n, levels):
    X, target, loss = medium(kind, n=n, levels=levels)
    one = solve(X, target, None, loss=loss, max_depth=3)
    check_solution(one, X, target, loss=loss, max_depth=3)
    for n_jobs in (1, 2, 2, 4):
        check_same_tree(solve(X, target, None, loss=loss, max_depth=3, n_jobs=n_jobs), one)


@pytest.mark.parametrize("kind", KINDS)
def test_threads_return_the_same_tree_where_many_are_optimal(kind):
    """Noise on few values and copied columns: only a fixed order of ties decides."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 4, size=(300, 3)).astype(float)
    X = np.column_stack([X, 3 - X, X[:, ::-1]])
    y = rng.integers(0, 3 if kind == "classes" else 2, size=300)
    target, loss = as_target(kind, y)
    settings = {"loss": loss, "max_depth": 3, "min_samples_leaf": 5}
    one = solve(X, target, None, **settings)
    for n_jobs in (1, 2, 2, 3):
        check_same_tree(solve(X, target, None, **settings, n_jobs=n_jobs), one)


@pytest.mark.parametrize("kind", KINDS)
def test_input_is_read_and_never_written(kind):
    """Workers see memory maps that cannot be written to."""
    X, target, loss = medium(kind, n=100)
    weight = np.linspace(0.5, 2.0, 100)
    expected = solve(X.copy(), target.copy(), weight.copy(), loss=loss, max_depth=2)
    for array in (X, target, weight):
        array.setflags(write=False)
    check_same_tree(solve(X, target, weight, loss=loss, max_depth=2), expected)


# ---------------------------------------------------------------------------------------------- rolling lookahead


def check_rolling(solution, X, target, weight, lookahead, max_depth, **settings):
    """Every split is the first of an optimal tree of depth `lookahead` for its rows, and so is every leaf."""
    rows = rows_of_nodes(solution, X)
    level = depth_of_nodes(solution)

    def best(inside, depth):
        part = None if weight is None else weight[inside]
        return optimal_objective(X[inside], target[inside], part, max_depth=depth, **settings)

    for node, (left, right) in enumerate(zip(solution.children_left, solution.children_right, strict=True)):
        depth = min(lookahead, max_depth - level[node])
        if depth == 0:
            continue
        optimum = best(rows[node], depth)
        if left == -1:
            found = best(rows[node], 0)
        else:
            found = best(rows[left], depth - 1) + best(rows[right], depth - 1)
        assert found == pytest.approx(optimum, rel=1e-9, abs=1e-9 * solution.root_loss), f"node {node}"


@pytest.mark.parametrize("lookahead", [1, 2])
@pytest.mark.parametrize("setting", ["plain", "weight", "missing", "min_samples_leaf", "leaf_cost"])
@pytest.mark.parametrize("kind", KINDS)
def test_rolling_keeps_first_splits_of_optimal_trees(kind, setting, lookahead):
    for seed in range(3):
        X, target, weight, settings = draw(kind, setting, 2, 200 + seed)
        settings["max_depth"] = 5
        solution = solve(X, target, weight, **settings, lookahead=lookahead)
        check_solution(solution, X, target, weight, **settings, lookahead=lookahead)
        check_rolling(solution, X, target, weight, lookahead, **settings)
        assert solution.finished


@pytest.mark.parametrize("kind", ["number", "two_classes"])
@pytest.mark.parametrize("lookahead", [1, 2])
def test_rolling_keeps_constraints(kind, lookahead):
    for seed in range(6):
        X, target, weight, settings = draw(kind, "monotonic", 2, 300 + seed)
        settings["max_depth"] = 5
        solution = solve(X, target, weight, **settings, lookahead=lookahead)
        check_solution(solution, X, target, weight, **settings, lookahead=lookahead)


@pytest.mark.parametrize("kind", KINDS)
def test_lookahead_of_the_whole_depth_is_exact(kind):
    for seed in range(3):
        problem = draw(kind, "everything", 3, 70 + seed)
        check_same_tree(check_optimal(*problem, lookahead=3), check_optimal(*problem))


@pytest.mark.parametrize("max_depth", [2, 4, 6])
def test_lookahead_of_one_is_the_greedy_tree_of_scikit_learn(max_depth):
    X, target, loss = medium("number", n=300)
    X = X.astype(np.float32).astype(np.float64)
    greedy = DecisionTreeRegressor(max_depth=max_depth, random_state=0).fit(X, target)
    residual = target[:, 0] - greedy.predict(X)
    solution = solve(X, target, None, loss=loss, max_depth=max_depth, lookahead=1)
    assert solution.objective == pytest.approx(residual @ residual, rel=1e-9)
    assert math.isnan(solution.lower_bound)


# ---------------------------------------------------------------------------------------------- real tables


def check_stored(name, depth, optimum, *, train=False, outputs=slice(1), places=4):
    X, target, loss = table(name, train=train, outputs=outputs)
    solution = solve(X, target, None, loss=loss, max_depth=depth)
    check_solution(solution, X, target, loss=loss, max_depth=depth)
    assert solution.finished
    assert solution.lower_bound == pytest.approx(solution.objective, rel=1e-9)
    if loss == "misclassification":
        assert solution.objective == optimum
    else:
        assert abs(solution.objective - optimum) <= 0.51 * 10.0**-places


ERRORS_FAST = [
    ("bank", 2, 100),
    ("bank", 3, 23),
    ("bank", 4, 0),
    ("raisin", 2, 109),
    ("raisin", 3, 94),
    ("wilt", 2, 138),
    ("wilt", 3, 88),
    ("bidding", 2, 113),
    ("page", 2, 253),
    ("segment", 2, 990),
]
ERRORS_SLOW = [
    ("avila", 2, 9617),
    ("bean", 2, 3667),
    ("eeg", 2, 4956),
    ("fault", 2, 803),
    ("htru", 2, 369),
    ("magic", 2, 3746),
    ("bidding", 3, 50),
    ("page", 3, 168),
    ("segment", 3, 278),
    ("htru", 3, 343),
    ("magic", 3, 3240),
]


@pytest.mark.parametrize(("name", "depth", "errors"), ERRORS_FAST)
def test_stored_errors(name, depth, errors):
    """ConTree proves the same, two other enumerations find the same."""
    check_stored(name, depth, errors)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "depth", "errors"), ERRORS_SLOW)
def test_stored_errors_that_take_longer(name, depth, errors):
    check_stored(name, depth, errors)


@pytest.mark.slow
def test_errors_of_the_quant_bnb_notebook():
    check_stored("bidding", 3, 37, train=True)


@pytest.mark.parametrize(
    ("name", "depth", "error"), [("qsar", 2, 7.7776), ("fish", 2, 8.9691), ("concrete", 2, 17.6388)]
)
def test_stored_squared_errors(name, depth, error):
    """The training rows of the paper; an enumeration finds the same."""
    check_stored(name, depth, error, train=True)


@pytest.mark.parametrize(("outputs", "error"), [(slice(1), 39.0671), (slice(3), 975.0708)], ids=["one", "all"])
def test_stored_squared_errors_of_several_outputs(outputs, error):
    check_stored("carbon", 2, error, train=True, outputs=outputs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "depth", "error", "places"),
    [
        ("qsar", 3, 5.8035, 4),
        ("fish", 3, 7.3277, 4),
        ("concrete", 3, 12.0578, 4),
        ("carbon", 3, 9.9208, 4),
        ("grid", 2, 232.173, 3),
        ("grid", 3, 192.352, 3),
    ],
)
def test_stored_squared_errors_that_take_longer(name, depth, error, places):
    check_stored(name, depth, error, train=True, places=places)


# ---------------------------------------------------------------------------------------------- anytime


ANYTIME = [("raisin", 3, 94.0), ("bidding", 3, 50.0), ("page", 3, 168.0), ("concrete", 3, 12.0578)]


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("time_limit", [0.0, 1e-3, 0.05, 0.3])
@pytest.mark.parametrize(("name", "depth", "optimum"), ANYTIME)
def test_a_time_limit_leaves_a_tree_and_a_true_bound(name, depth, optimum, time_limit, n_jobs):
    X, target, loss = table(name, train=name == "concrete")
    solution = solve(X, target, None, loss=loss, max_depth=depth, time_limit=time_limit, n_jobs=n_jobs)
    check_solution(solution, X, target, loss=loss, max_depth=depth)
    assert solution.lower_bound - 1e-4 <= optimum <= solution.objective + 1e-4
    if solution.finished:
        assert solution.lower_bound == pytest.approx(solution.objective, rel=1e-9)
    if name == "page" and time_limit == 0.0:
        assert not solution.finished  # seconds of work: the kernels must have come back before its end


@pytest.mark.parametrize("tol", [0.02, 0.1, 0.5, 1.0])
@pytest.mark.parametrize(("name", "depth", "optimum"), [ANYTIME[0], ANYTIME[3]])
def test_a_tolerance_is_kept(name, depth, optimum, tol):
    X, target, loss = table(name, train=name == "concrete")
    solution = solve(X, target, None, loss=loss, max_depth=depth, tol=tol)
    check_solution(solution, X, target, loss=loss, max_depth=depth)
    assert solution.finished
    assert gap_of(solution) <= tol + 1e-9
    assert solution.lower_bound - 1e-4 <= optimum <= solution.objective + 1e-4


def test_an_early_end_respects_every_setting():
    for kind in KINDS:
        X, target, loss = medium(kind, n=2000, p=6)
        settings = {"loss": loss, "max_depth": 3, "min_samples_leaf": 50, "leaf_cost": 3.0}
        if kind in ("number", "two_classes"):
            settings["monotonic_cst"] = np.array([1, 0, -1, 0, 0, 1], dtype=np.int8)
        else:
            X[::7, 2] = np.nan
        for time_limit in (0.0, 0.02, 0.2):
            solution = solve(X, target, None, **settings, time_limit=time_limit)
            check_solution(solution, X, target, **settings)


def test_a_rolling_search_ends_early_with_a_tree():
    X, target, loss = medium("number", n=2000, p=6)
    settings = {"loss": loss, "max_depth": 6, "lookahead": 3, "min_samples_leaf": 5}
    solution = solve(X, target, None, **settings, time_limit=0.02)
    check_solution(solution, X, target, **settings)


@pytest.mark.parametrize("lookahead", [1, 2])
def test_a_rolling_search_without_time_solves_the_root_at_most(lookahead):
    X, target, loss = medium("number", n=2000, p=6)
    settings = {"loss": loss, "max_depth": 8, "lookahead": lookahead}
    solution = solve(X, target, None, **settings, time_limit=1e-9)
    check_solution(solution, X, target, **settings)
    assert not solution.finished
    assert len(solution.feature) <= 2 ** (lookahead + 1) - 1


def test_missing_values_to_come_go_left_between_equal_weights():
    # sums that are equal, in an order of addition in which their running difference is not 0
    weight = np.array([0.1, 0.1, 0.1, 0.2, 0.3, 0.2])
    X = np.array([[0.0], [1.0]] * 3)
    target = np.array([0, 1] * 3)
    assert solve(X, target, weight, loss="misclassification", max_depth=1).missing_go_to_left[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_split_needs_no_time(kind):
    X, target, loss = medium(kind, n=500)
    limited = solve(X, target, None, loss=loss, max_depth=1, time_limit=1e-9)
    check_same_tree(limited, solve(X, target, None, loss=loss, max_depth=1))
    assert limited.finished


def test_monotonic_thresholds_are_judged_in_steps(monkeypatch):
    # Each root threshold has many pairs of subtrees to be looked at: reports come in between.
    monkeypatch.setattr("skpapers.tree._quant_bnb_problem.BUDGET", 1)
    monkeypatch.setattr("skpapers.tree._quant_bnb_clock.PERIOD", 0.0)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = rng.normal(size=(300, 1))
    found = {}
    for sign in (0, 1):
        calls = []
        settings = {"loss": "squared_error", "max_depth": 2, "monotonic_cst": np.full(3, sign, dtype=np.int8)}
        solution = solve(X, y, None, **settings, report=lambda *call, calls=calls: calls.append(call[3]))
        check_solution(solution, X, y, **settings)
        found[sign] = len(calls) / solution.n_nodes_explored
    assert found[1] > 2 * found[0]


# ---------------------------------------------------------------------------------------------- reports


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_reports_close_in_on_the_answer(kind, n_jobs):
    X, target, loss = medium(kind, n=600)
    calls = []
    solution = solve(X, target, None, loss=loss, max_depth=3, n_jobs=n_jobs, report=lambda *call: calls.append(call))
    best, bound, gap, seconds = np.array(calls, dtype=float).T
    slack = 1e-9 * solution.root_loss
    assert np.all(np.diff(best) <= slack)
    assert np.all(np.diff(bound) >= -slack)
    assert np.all(bound <= best + slack)
    assert np.all(np.diff(seconds) >= 0)
    assert np.all((gap >= -1e-9) & (gap <= 1 + 1e-9))
    assert best[-1] == pytest.approx(solution.objective, abs=slack)
    assert bound[-1] == pytest.approx(solution.lower_bound, abs=slack)
    assert gap[-1] == pytest.approx(gap_of(solution), abs=1e-9)


def test_a_small_problem_reports_too():
    calls = []
    X = np.array([[0.0], [1.0]])
    target = np.array([[0.0], [1.0]])
    solve(X, target, None, loss="squared_error", max_depth=1, report=lambda *call: calls.append(call))
    assert calls[-1][:3] == pytest.approx((0.0, 0.0, 0.0))


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("lookahead", [None, 2])
def test_what_a_report_raises_passes_through(error, n_jobs, lookahead):
    X, target, loss = medium("number", n=2000, p=8)
    calls = []

    def stop(*call):
        calls.append(call)
        raise error

    settings = {"loss": loss, "max_depth": 4, "lookahead": lookahead, "n_jobs": n_jobs}
    with pytest.raises(error):
        solve(X, target, None, **settings, report=stop)
    assert len(calls) == 1
    # Nothing of the interrupted search is left for the next one.
    small = {"loss": loss, "max_depth": 2, "n_jobs": n_jobs}
    check_same_tree(solve(X[:200], target[:200], None, **small), solve(X[:200], target[:200], None, **small))


# ---------------------------------------------------------------------------------------- room for what is still open


@pytest.mark.parametrize("share", [0.6, 0.97])
@pytest.mark.parametrize("kind", ["number", "weighted", "two_classes", "classes", "missing"])
def test_a_last_value_that_most_rows_have(kind, share):
    """No evenly spaced threshold exists where nearly all rows have a column's largest value, or miss it."""
    rng = np.random.default_rng(0)
    n = 400
    X = np.where(rng.random((n, 3)) < share, np.nan if kind == "missing" else 0.0, -rng.integers(1, 60, size=(n, 3)))
    signal = np.nan_to_num(X[:, 0] < -30).astype(np.int64) + np.nan_to_num(X[:, 1] < -20).astype(np.int64)
    weight = rng.random(n) + 0.5 if kind == "weighted" else None
    if kind in ("number", "weighted", "missing"):
        target = signal[:, np.newaxis] + 0.1 * rng.normal(size=(n, 1))
        loss = "squared_error"
    else:
        target = (signal > 0).astype(np.int64) if kind == "two_classes" else signal
        loss = "misclassification"
    settings = {"loss": loss, "max_depth": 2}
    solution = solve(X, target, weight, **settings)
    check_solution(solution, X, target, weight, **settings)
    mirrored = solve(-X, target, weight, **settings)
    assert solution.finished
    assert solution.objective == pytest.approx(mirrored.objective, abs=1e-9 * objective_scale(X, target, weight, loss))


def test_more_open_intervals_than_there_is_room_for():
    """Noise closes next to nothing: the narrowest intervals are taken when room runs out."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 2))
    y = rng.normal(size=(20_000, 1))
    solution = solve(X, y, None, loss="squared_error", max_depth=2)
    check_solution(solution, X, y, None, loss="squared_error", max_depth=2)
    assert solution.finished


def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4500))
    y = rng.normal(size=(60, 1))
    settings = {"loss": "squared_error", "max_depth": 3}
    solution = solve(X, y, None, **settings, time_limit=0.5)
    check_solution(solution, X, y, None, **settings)


def test_no_thread_outlives_an_exception():
    """The exception is held, and its traceback with it, as notebooks do."""
    X, target, _ = medium("two_classes", n=600, seed=0)
    before = threading.active_count()

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as held:
        solve(X, target, None, loss="misclassification", max_depth=4, n_jobs=2, report=stop)
    assert held.tb is not None
    assert threading.active_count() == before


def test_a_constant_target_is_a_leaf():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 5))
    weight = rng.random(500) + 0.1
    solution = solve(X, np.full((500, 1), 0.1), weight, loss="squared_error", max_depth=3)
    assert solution.finished
    assert solution.feature.tolist() == [-2]


# ---------------------------------------------------------------------------------------------- the enumeration itself


@pytest.mark.parametrize("seed", range(5))
def test_the_enumeration_agrees_with_a_greedy_stump(seed):
    X, target, _ = medium("number", n=40, seed=seed)
    X = X.astype(np.float32).astype(np.float64)
    residual = target[:, 0] - DecisionTreeRegressor(max_depth=1).fit(X, target).predict(X)
    optimum = optimal_objective(X, target, loss="squared_error", max_depth=1)
    assert optimum == pytest.approx(residual @ residual, rel=1e-9)


def test_the_enumeration_by_hand():
    """Exclusive or: no split helps alone, and two levels are enough while leaves are cheap."""
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    target = np.array([0, 1, 1, 0])
    found = {
        (depth, cost): optimal_objective(X, target, loss="misclassification", max_depth=depth, leaf_cost=cost)
        for depth in (1, 2)
        for cost in (0.0, 0.4, 0.9)
    }
    expected = {(1, 0.0): 2, (2, 0.0): 0, (1, 0.4): 2.4, (2, 0.4): 1.6, (1, 0.9): 2.9, (2, 0.9): 2.9}
    assert found == pytest.approx(expected)
    # A constraint compares fractions: with both features rising no part of "exclusive or" is left, all of "or" is.
    for y, sign, errors in (([0, 1, 1, 0], 1, 2), ([0, 1, 1, 1], 1, 0), ([0, 1, 1, 1], -1, 1)):
        settings = {"loss": "misclassification", "max_depth": 2, "monotonic_cst": np.array([sign, sign])}
        assert optimal_objective(X, np.array(y), **settings) == errors
