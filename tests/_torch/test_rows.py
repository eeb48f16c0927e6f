"""Rows keep together whatever is done to them."""

import numpy as np
import torch
from numpy.testing import assert_array_equal

from skpapers._torch.flat import blocks
from skpapers._torch.rows import Rows
from skpapers._torch.steps import backward
from tests._torch._nets import generators, mlp, rows, trainer

RNG = np.random.default_rng(0)


def made(n=20):
    """Return rows whose every array says which row it is."""
    number = np.arange(n)
    return Rows(number[:, None] * 1.0, number, number % 3 * 1.0, {"task": number, "mask": np.stack([number] * 2, 1)})


def assert_together(some):
    for values in (some.y, some.extra["task"], some.extra["mask"][:, 0], some.extra["mask"][:, 1]):
        assert_array_equal(values, some.X[:, 0])
    assert_array_equal(some.weight, some.y % 3)


def test_numbers_and_masks_select_from_every_array():
    numbers = RNG.permutation(20)[:7]
    mask = RNG.random(20) < 0.5
    for some, which in ((made().take(numbers), numbers), (made().where(mask), mask)):
        assert_together(some)
        assert_array_equal(some.y, np.arange(20)[which])
    whole = made()
    assert whole.where(np.ones(20, dtype=bool)) is whole


def test_rows_without_weight_are_left_out_of_every_array():
    some = made().with_weight()
    assert_together(some)
    assert_array_equal(some.y, np.arange(20)[np.arange(20) % 3 > 0])
    unweighted = Rows(np.zeros((2, 1)), np.zeros(2))
    assert unweighted.with_weight() is unweighted


def test_batches_carry_the_extra_arrays_of_each_member():
    X, y = rows()
    number = torch.arange(len(X))
    seen = []

    def watched(network, objective, batch):
        seen.append(batch)
        return backward(network, objective, batch)

    for network, seeds in ((mlp(0), (0,)), (mlp(0, 1), (0, 1))):
        seen.clear()
        given = Rows(X, y, torch.ones(len(X), dtype=X.dtype), {"task": number})
        trainer(network, *seeds, gradient=watched, batch_size=16).run_epoch(given)
        for batch in seen:
            assert torch.equal(batch.extra["task"], batch.indices)
            assert torch.equal(batch.X, X[batch.indices])
        visited = torch.cat([batch.extra["task"] for batch in seen], dim=-1).sort().values
        assert torch.equal(visited, number.expand_as(visited))


def test_memory_is_part_of_a_saved_run():
    X, y = rows()

    def make(memory):
        def smoothed(network, objective, batch):
            losses = backward(network, objective, batch)
            for i, block in enumerate(blocks(network)):
                memory[f"mean.{i}"] = 0.5 * memory.get(f"mean.{i}", torch.zeros_like(block.grad)) + block.grad
                block.grad.copy_(memory[f"mean.{i}"])
            return losses

        network = mlp(0)
        return network, trainer(network, 0, gradient=smoothed, memory=memory, batch_size=16)

    whole, training = make({})
    for _ in range(4):
        training.run_epoch(Rows(X, y))
    first, before = make({})
    second, after = make({})
    for _ in range(2):
        before.run_epoch(Rows(X, y))
    assert {"memory.mean.0", "memory.mean.1"} <= before.state().keys()
    second.load_state_dict(first.state_dict())
    after.generators[0].set_state(generators(7)[0].get_state())
    after.load_state(before.state())
    for _ in range(2):
        after.run_epoch(Rows(X, y))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), second.parameters(), strict=True))
