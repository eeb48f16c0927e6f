"""Gradients of all tasks by one backward pass, against one pass for each task; the step against the algorithm."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from skpapers._torch.modules import ACTIVATIONS, MLP
from skpapers._torch.rows import Rows
from skpapers._torch.training import Trainer
from skpapers.multitask._gradient_vaccine import combine
from skpapers.multitask._task_gradients import (
    ORDERS_AT_ONCE,
    TaskGradients,
    _Record,
    group_sizes,
    mean_similarities,
    shared_parameters,
    vaccinated,
)

COLUMNS = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], dtype=bool)


def objective(network, batch):
    out = network(batch.X)
    first = 0.5 * (out[:, 0] - batch.y[:, 0]).square()
    second = F.cross_entropy(out[:, 1:3], batch.y[:, 1].long(), reduction="none")
    third = (out[:, 3] - batch.y[:, 2]).abs()
    return torch.stack([first, second, third], dim=1).mean(dim=0)


def rows(n=30, seed=0):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, 5, generator=generator, dtype=torch.float64)
    return Rows(X, torch.stack([X[:, 0], (X[:, 1] > 0).double(), -X[:, 0]], dim=1))


def network(**kwargs):
    made = MLP(5, (7, 6), 4, dtype=torch.float64, **{"activation": "silu", **kwargs})
    return made.draw((torch.Generator().manual_seed(0),))


def trainer(net, gradient, **kwargs):
    options = {"batch_size": 1000, "update": lambda *_: None, **kwargs}
    return Trainer(net, objective, gradient=gradient, generators=(torch.Generator().manual_seed(1),), **options)


def one_by_one(net, batch):
    losses = objective(net, batch)
    names = [name for name, _ in net.named_parameters()]
    found = [torch.autograd.grad(loss, net.parameters(), retain_graph=True, materialize_grads=True) for loss in losses]
    return {name: torch.stack(of_tasks) for name, of_tasks in zip(names, zip(*found, strict=True), strict=True)}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kwargs", [{}, {"numeric_embedding": "periodic"}, {"dropout": 0.4}])
def test_one_pass_gives_what_automatic_differentiation_gives_task_by_task(kwargs, activation):
    net = network(activation=activation, **kwargs)
    batch = next(trainer(net, None)._batches(rows()))
    state = batch.random_state()
    expected = one_by_one(net, batch)
    batch.rewind(state)
    losses = objective(net, batch).detach()
    batch.rewind(state)
    tasks = TaskGradients(net, COLUMNS, "whole")
    torch.testing.assert_close(tasks.fill(objective, batch), losses)
    for name, found in zip(shared_parameters(net), tasks.parts, strict=True):
        torch.testing.assert_close(found, expected[name], rtol=1e-9, atol=1e-12)
    for name in ("linears.2.weight", "linears.2.bias"):
        torch.testing.assert_close(net.get_parameter(name).grad, expected[name].sum(dim=0), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("granularity", "groups"),
    [
        ("whole", [["linears.0.weight", "linears.0.bias", "linears.1.weight", "linears.1.bias"]]),
        ("layer", [["linears.0.weight", "linears.0.bias"], ["linears.1.weight", "linears.1.bias"]]),
        ("matrix", [["linears.0.weight"], ["linears.0.bias"], ["linears.1.weight"], ["linears.1.bias"]]),
    ],
)
def test_the_step_is_the_algorithm_in_each_group(granularity, groups):
    net = network()
    batch = next(trainer(net, None)._batches(rows()))
    expected = one_by_one(net, batch)
    sizes = [sum(net.get_parameter(name).numel() for name in names) for names in groups]
    assert group_sizes(shared_parameters(net), granularity) == sizes
    memory = {}
    start = np.full((len(groups), 3, 3), 0.6)
    memory["target_similarity"] = torch.from_numpy(start.copy())
    gradient = vaccinated(COLUMNS, granularity=granularity, beta=0.2, steps_per_epoch=1, memory=memory)
    losses = gradient(net, objective, batch)
    torch.testing.assert_close(losses, objective(net, batch).detach())
    generator = torch.Generator().manual_seed(1)
    order = np.argsort(torch.rand(3, 3, generator=generator, dtype=torch.float64).numpy(), axis=1)
    for number, names in enumerate(groups):
        J = torch.cat([expected[name].reshape(3, -1) for name in names], dim=1).numpy()
        combined, target = combine(J, start[number], order, 0.2)
        found = torch.cat([net.get_parameter(name).grad.reshape(-1) for name in names]).numpy()
        np.testing.assert_allclose(found, combined, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(memory["target_similarity"][number].numpy(), target, atol=1e-10)
    for name in ("linears.2.weight", "linears.2.bias"):
        torch.testing.assert_close(net.get_parameter(name).grad, expected[name].sum(dim=0), rtol=1e-9, atol=1e-12)


def test_the_similarities_of_each_epoch_are_kept_and_continue():
    memory = {}
    gradient = vaccinated(COLUMNS, granularity="layer", beta=0.1, steps_per_epoch=3, memory=memory)
    training = trainer(network(), gradient, batch_size=10, memory=memory, update=lambda _, optimizer: optimizer.step())
    for _ in range(2):
        training.run_epoch(rows())
    state = training.state()
    assert state["memory.target_similarity"].shape == (2, 3, 3)
    assert (state["memory.similarity_count"] == 3).all()
    means = mean_similarities(state["memory.similarity_sum"], state["memory.similarity_count"])
    np.testing.assert_allclose(means[:, range(3), range(3)], 1.0)
    np.testing.assert_allclose(means, np.swapaxes(means, 1, 2))
    assert means[1, 0, 2] < -0.2  # the third target is minus the first

    continued = {}
    gradient = vaccinated(COLUMNS, granularity="layer", beta=0.0, steps_per_epoch=None, memory=continued)
    again = trainer(network(), gradient, batch_size=10, memory=continued)
    again.load_state(state)
    again.run_epoch(rows())
    after = again.state()
    np.testing.assert_array_equal(after["memory.target_similarity"], state["memory.target_similarity"])
    np.testing.assert_array_equal(after["memory.similarity_sum"][:2], state["memory.similarity_sum"])
    assert len(after["memory.similarity_sum"]) == 3


@pytest.mark.parametrize("n", [1, ORDERS_AT_ONCE, ORDERS_AT_ONCE + 2])
def test_the_orders_of_a_saved_memory_continue(n):
    rows_generator = torch.Generator().manual_seed(3)
    drawn = torch.rand(n + 3, 4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    memory = {}
    record = _Record(memory, 4, None)
    found = [record.draw_order(rows_generator) for _ in range(n)]
    continued = _Record({name: value.clone() for name, value in memory.items()}, 4, None)
    found += [continued.draw_order(rows_generator) for _ in range(3)]
    np.testing.assert_array_equal(found, np.argsort(drawn.numpy(), axis=2))


def test_pairs_that_never_met_have_no_mean():
    means = mean_similarities(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0]]))
    np.testing.assert_array_equal(means, [[0.5, np.nan]])
