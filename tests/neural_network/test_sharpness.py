"""Curvature against the whole Hessian, and the landscape against losses evaluated one by one."""

import numpy as np
import pytest
import torch

from skpapers._torch.rows import Rows
from skpapers._torch.steps import Batch, supervised
from skpapers.neural_network._sharpness import filter_normalised, landscape, top_eigenvalues
from tests._torch._nets import cross_entropy, generators, mlp, rows, squared_error


def hessian(network, objective, batch):
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(objective(network, batch), parameters, create_graph=True)
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    rows_of = [torch.autograd.grad(g, parameters, retain_graph=True, materialize_grads=True) for g in flat]
    return torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows_of])


@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_the_eigenvalue_is_that_of_the_whole_hessian(activation):
    X, y = rows()
    objective = supervised(cross_entropy)
    network = mlp(0, activation=activation)
    weight = torch.linspace(0.2, 1.8, len(X), dtype=X.dtype)
    expected = torch.linalg.eigvalsh(hessian(network, objective, Batch(X, y, weight, None, ()))).max().item()
    (found,) = top_eigenvalues(network, objective, Rows(X, y, weight), max_iter=3000, tol=1e-9)
    assert found == pytest.approx(expected, rel=1e-4)


def test_members_have_eigenvalues_of_their_own():
    X, y = rows()
    objective = supervised(cross_entropy)
    together = top_eigenvalues(mlp(0, 1, activation="tanh"), objective, Rows(X, y), tol=1e-8, max_iter=2000)
    for k in (0, 1):
        alone = top_eigenvalues(mlp(k, activation="tanh"), objective, Rows(X, y), tol=1e-8, max_iter=2000)
        assert together[k] == pytest.approx(alone[0], rel=1e-4)


@pytest.mark.parametrize("members", [(0,), (0, 1)])
def test_rows_in_batches_have_the_curvature_and_the_landscape_of_all(members):
    X, y = rows()
    objective = supervised(cross_entropy)
    weight = torch.linspace(0.2, 1.8, len(X), dtype=X.dtype)
    network = mlp(*members, activation="tanh")
    steps = np.array([-0.5, 0.0, 1.0])
    given = Rows(X, y, weight)
    whole = top_eigenvalues(network, objective, given)
    for length in (1, 3, len(X) - 1, len(X), 10 * len(X)):
        np.testing.assert_allclose(top_eigenvalues(network, objective, given, length=length), whole, rtol=1e-9)
    drawn = [
        landscape(network, objective, Rows(X, y, weight), steps, 1, generators(3)[0], length)
        for length in (None, 3, len(X))
    ]
    np.testing.assert_allclose(drawn[1], drawn[0], rtol=1e-12)
    np.testing.assert_array_equal(drawn[2], drawn[0])


@pytest.mark.parametrize("members", [(0,), (0, 1)])
def test_batches_have_the_extra_arrays_of_their_rows(members):
    X, y = rows()
    weight = torch.linspace(0.2, 1.8, len(X), dtype=X.dtype)
    weighted = supervised(cross_entropy)
    network = mlp(*members, activation="tanh")

    def objective(network, batch):
        return weighted(network, batch.replace(weight=batch.extra["weight"]))

    found = top_eigenvalues(network, objective, Rows(X, y, extra={"weight": weight}), length=7)
    np.testing.assert_allclose(found, top_eigenvalues(network, weighted, Rows(X, y, weight), length=7), rtol=1e-9)


def test_the_largest_eigenvalue_is_not_the_one_of_largest_modulus():
    class Saddle(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64))

        def forward(self, X):
            return (torch.tensor([-4.0, 1.5, 0.5], dtype=torch.float64) * self.w**2).sum() / 2

    X, y = rows(n=3)
    (found,) = top_eigenvalues(Saddle(), lambda network, batch: network(batch.X), Rows(X, y), tol=1e-9)
    assert found == pytest.approx(1.5, rel=1e-5)


def test_directions_have_the_norms_of_the_filters():
    network = mlp(0, 1, numeric_embedding="periodic")
    for parameter, drawn in zip(network.parameters(), filter_normalised(network, generators(0)[0]), strict=True):
        if parameter.ndim < 3 or parameter.shape[-2] == 1:
            assert not drawn.any()
        else:
            torch.testing.assert_close(drawn.norm(dim=-2), parameter.detach().norm(dim=-2))


def test_the_landscape_is_the_loss_at_moved_weights():
    X, _ = rows()
    y = X[:, 0].sin()
    objective = supervised(squared_error)
    steps = np.array([-0.5, 0.0, 1.0])
    network = mlp(0, units=1)
    before = [p.detach().clone() for p in network.parameters()]
    found = landscape(network, objective, Rows(X, y), steps, 2, generators(3)[0])
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    generator = generators(3)[0]
    first = filter_normalised(network, generator)
    second = filter_normalised(network, generator)
    for i, a in enumerate(steps):
        for j, b in enumerate(steps):
            with torch.no_grad():
                for p, start, d, e in zip(network.parameters(), before, first, second, strict=True):
                    p.copy_(start + a * d + b * e)
            expected = ((network(X)[:, 0] - y) ** 2 / 2).mean().item()
            assert found[i, j] == pytest.approx(expected, rel=1e-12)
