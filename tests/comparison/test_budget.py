"""Plans of fits, on simulated workers whose fits cost known seconds."""

import math

import pytest

from skpapers.comparison._budget import SAMPLE_ROWS, Planner, least_rows
from skpapers.comparison._records import Key

N_WORKERS = 2


class World:
    """Simulated workers: `seconds` maps candidates to functions of the training rows."""

    def __init__(self, seconds, baselines=(), folds=(160_000,) * 5, budget=600.0, overhead=0.0, **options):
        self.seconds = seconds
        self.overhead = overhead
        pairs = dict.fromkeys(seconds, "") | dict(baselines)
        alone = [name for name in seconds if name not in pairs.values()]
        self.planner = Planner(pairs, alone, folds, budget, N_WORKERS, **options)
        self.budget = budget
        self.now = 0.0
        self.rows = []  # (seconds, candidate, size) of every finished row
        self.stopped = []
        self.order = []

    def run(self, fail=lambda key, rows: False):
        """Run until nothing is left, or until the budget is spent."""
        running = {}  # Key to (start, end)
        while True:
            while len(running) < N_WORKERS and (found := self.planner.start(self.now)) is not None:
                key, _ = found
                self.order.append(key)
                rows = self.planner.rows_of(key)
                running[key] = (self.now, self.now + self.seconds[key.candidate](rows) + self.overhead)
            if not running:
                return self
            key = min(running, key=lambda key: running[key][1])
            step_end = min(running[key][1], self.now + 0.5, self.budget)
            self.now = step_end
            if self.now >= self.budget:
                return self
            if running[key][1] > self.now:
                elapsed = {key: self.now - start for key, (start, _) in running.items()}
                for step in self.planner.overdue(elapsed):
                    self.stopped.append((step.candidate, step.max_rows))
                    for late in step.running:
                        running.pop(late)
                    self.planner.stop(step, elapsed)
                continue
            start, end = running.pop(key)
            step = self.planner.finish(
                key, end - start - self.overhead, end - start, fail(key, self.planner.rows_of(key))
            )
            if step is not None and not step.probe:
                self.rows.append((self.now, step.candidate, step.max_rows))

    def sizes(self):
        return {name: self.planner.best_size(name) for name in self.planner.alone}


def linear(seconds_per_1000):
    return lambda n: seconds_per_1000 * n / 1000


LARGE = {
    "mean": linear(1e-4),
    "ridge": linear(1e-3),
    "boosting": linear(0.02),
    "CART": linear(0.02),
    "tree": linear(0.1),
    "network": linear(1.0),
    "SAM": linear(2.0),
    "search": lambda n: 1e-6 * n**1.8,
    "slow": linear(20.0),
}
LARGE_PAIRS = {"tree": "CART", "SAM": "network"}


def test_a_large_table_has_a_row_for_everyone_and_keeps_the_budget():
    world = World(LARGE, LARGE_PAIRS, overhead=0.05).run()
    sizes = world.sizes()
    assert all(world.planner.is_complete(name, sizes[name]) for name in sizes)
    assert sizes["mean"] is sizes["ridge"] is sizes["boosting"] is sizes["tree"] is None
    assert sizes["SAM"] >= 10_000
    assert sizes["slow"] < sizes["SAM"]
    assert world.now <= world.budget
    # the first rows do not wait for the samples of the slow ones
    assert world.rows[0][0] < 10
    assert world.rows[0][1] == "mean"


@pytest.mark.parametrize("budget", [60.0, 120.0])
def test_small_budgets_leave_no_empty_row(budget):
    world = World(LARGE, LARGE_PAIRS, budget=budget, overhead=0.05).run()
    assert all(world.planner.is_complete(name, size) for name, size in world.sizes().items())
    assert world.now <= budget


def test_the_rest_of_the_budget_is_used():
    """One slow candidate among cheap ones gets nearly everything."""
    world = World({"mean": linear(1e-4), "slow": linear(1.0)}).run()
    # 5 x 100 s on two workers and the smaller samples before it
    assert world.sizes() == {"mean": None, "slow": None} or world.sizes()["slow"] == 100_000
    assert world.now > 0.3 * world.budget


def test_rows_of_a_small_table_are_not_sampled():
    world = World({name: linear(1.0) for name in "abc"}, folds=(824,) * 5).run()
    assert world.sizes() == dict.fromkeys("abc")
    assert {key.max_rows for key in world.order} == {None}
    assert len(world.order) == len(set(world.order)) == 15


def test_cheap_ones_come_first():
    world = World({"c": linear(30), "a": linear(1), "b": linear(10)}, folds=(800,) * 5).run()
    assert [name for _, name, _ in world.rows] == ["a", "b", "c"]


def test_no_fit_runs_twice_and_sizes_are_those_of_the_rows():
    folds = (27_000, 53_000, 80_000, 106_000, 133_000)
    world = World(LARGE, LARGE_PAIRS, folds=folds).run()
    assert len(world.order) == len(set(world.order))
    for key in world.order:
        assert key.max_rows is None or key.max_rows < folds[key.fold]


def test_a_baseline_runs_on_the_rows_of_its_method():
    world = World(LARGE, LARGE_PAIRS).run()
    size = world.sizes()["SAM"]
    assert size is not None
    assert set(world.planner.keys("network", size)) <= set(world.order)


def test_a_shared_baseline_runs_once():
    world = World({"b": linear(1), "m1": linear(2), "m2": linear(2)}, {"m1": "b", "m2": "b"}, folds=(1000,) * 3).run()
    assert sorted(world.order) == sorted(Key(name, fold) for name in ("b", "m1", "m2") for fold in range(3))


def test_a_runaway_is_stopped_and_keeps_its_sample():
    """Its seconds jump where no smaller size shows it."""
    jumps = dict.fromkeys("xyz", lambda n: 0.1 if n <= SAMPLE_ROWS else 1e9)
    world = World({"fine": linear(0.01), "late": lambda n: 0.001 * n**0.8, **jumps}).run()
    assert {name for name, _ in world.stopped} <= set("xyz")
    assert len(world.stopped) == 3
    assert world.sizes() == {"fine": None, "late": None, **dict.fromkeys("xyz", SAMPLE_ROWS)}
    assert all(world.planner.is_complete(name, SAMPLE_ROWS) for name in "xyz")


@pytest.mark.parametrize("folds", [(824,) * 5, (100,) * 5, (3000,) * 5, (160_000,) * 5])
def test_a_candidate_that_never_ends_does_not_end_the_others(folds):
    world = World({"fine": linear(0.1), "never": lambda n: 1e9}, folds=folds).run()
    assert world.planner.best_size("fine") is None
    assert "never" in world.planner.given_up
    with pytest.raises(LookupError, match="never has no fit"):
        world.planner.best_size("never")


def test_a_method_outlives_its_baseline():
    world = World({"b": lambda n: 1e9, "m": linear(0.1)}, {"m": "b"}, folds=(1000,) * 5).run()
    assert world.planner.best_size("m") is None
    assert {Key("m", fold) for fold in range(5)} <= set(world.order)


def test_a_failure_on_all_rows_leaves_the_sample():
    world = World({"memory": linear(0.01)}).run(fail=lambda key, rows: rows > 20_000)
    assert world.planner.best_size("memory") == 20_000
    world = World({"always": linear(0.01)}).run(fail=lambda key, rows: True)
    assert world.planner.best_size("always") is None


def test_estimators_that_end_in_time_are_not_sampled():
    """A fit takes all it may have, whatever the rows."""
    world = World({"search": lambda n: 1.0 if n <= 2000 else 20.0}, anytime=frozenset({"search"}))
    seen = []
    start = world.planner.start
    world.planner.start = lambda elapsed: seen.append(found := start(elapsed)) or found
    world.run()
    assert world.planner.best_size("search") is None
    for _, step in filter(None, seen):
        assert step.probe or step.estimate <= step.share <= world.planner.work


def test_without_a_budget_everything_runs_whole():
    world = World({"a": linear(1.0), "b": linear(100.0)}, budget=math.inf).run()
    assert world.sizes() == {"a": None, "b": None}


def test_the_total_counts_every_fit_once():
    world = World({"b": linear(1), "m1": linear(2), "m2": linear(3)}, {"m1": "b", "m2": "b"}, folds=(1000,) * 4)
    for name, cost in world.planner.costs.items():
        cost.fits[1000] = world.seconds[name](1000)
    assert world.planner.total() == pytest.approx(4 * (1 + 2 + 3) / N_WORKERS)


def test_unfinished_rows_report_the_size_with_most_folds():
    planner = Planner({"a": ""}, ["a"], [824] * 5, 600.0, 1)
    for fold in range(3):
        planner.finish(Key("a", fold), 1.0, 1.0, failed=False)
    planner.finish(Key("a", 0, 200), 1.0, 1.0, failed=False)
    assert planner.best_size("a") is None


@pytest.mark.parametrize(
    ("rows_per_time", "longest_label", "expected"),
    [(1, 0, 200), (1, 100, 500), (100, 0, 1000), (100, 5, 2000), (1000, 5, 20_000)],
)
def test_a_sample_in_time_has_enough_timestamps(rows_per_time, longest_label, expected):
    assert least_rows(rows_per_time, longest_label) == expected


def test_no_sample_is_smaller_than_the_least():
    world = World(LARGE, LARGE_PAIRS, budget=60.0, least=5000).run()
    assert {key.max_rows for key in world.order if key.max_rows is not None and key.max_rows < 5000} == set()
    small = World({"a": linear(1.0)}, folds=(3000,) * 3, least=5000).run()
    assert small.order == [Key("a", 0), Key("a", 1), Key("a", 2)]
