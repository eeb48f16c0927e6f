"""The memory against brute force, and projected steps against loops by hand and against what must not change."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skpapers._torch.rows import Rows
from skpapers._torch.steps import backward
from skpapers.continual._gpm_network import GPMNetwork
from skpapers.continual._gradient_projection_memory import (
    extend_basis,
    layer_thresholds,
    memory_usage,
    projected,
    representation_matrix,
)
from tests._torch._nets import cross_entropy, generators, trainer


def matrix(d=8, n=30, seed=0, rank=None):
    rng = np.random.default_rng(seed)
    rank = d if rank is None else rank
    return rng.normal(size=(d, rank)) * 0.6 ** np.arange(rank) @ rng.normal(size=(rank, n))


def nothing(d=8):
    return np.zeros((d, 0))


def share(M, R):
    """Return the share of the squared norm of R that M spans."""
    return np.sum((M.T @ R) ** 2) / np.sum(R**2)


class TestBasis:
    @pytest.mark.parametrize("threshold", [0.3, 0.8, 0.95, 0.999])
    @pytest.mark.parametrize("before", [0, 3])
    def test_it_spans_the_threshold_and_not_with_one_direction_less(self, threshold, before):
        M = np.linalg.qr(np.random.default_rng(1).normal(size=(8, before)))[0]
        R = matrix()
        found = extend_basis(M, R, threshold)
        assert_allclose(found.T @ found, np.eye(found.shape[1]), atol=1e-14)
        assert share(found, R) >= threshold
        rest = R - M @ (M.T @ R)
        vectors = np.linalg.eigh(rest @ rest.T)[1]
        best = np.hstack([M, vectors[:, ::-1][:, : found.shape[1] - before]])
        assert_allclose(found @ found.T, best @ best.T, atol=1e-10)
        assert found.shape[1] == before or share(best[:, :-1], R) < threshold

    def test_what_was_in_the_memory_stays_in_front(self):
        M = extend_basis(nothing(), matrix(seed=1), 0.8)
        found = extend_basis(M, matrix(seed=2), 0.95)
        assert found.shape[1] > M.shape[1]
        assert_allclose(np.abs(found[:, : M.shape[1]]), np.abs(M), atol=1e-14)

    def test_a_threshold_of_1_spans_what_there_is_and_no_rounding(self):
        R = matrix(rank=3)
        M = extend_basis(nothing(), R, 1.0)
        assert M.shape == (8, 3)
        assert_array_equal(extend_basis(M, R[:, ::-1] * 3.0, 1.0), M)
        assert_allclose(share(M, R), 1.0)

    def test_a_threshold_of_0_remembers_nothing(self):
        for seed in range(20):
            assert extend_basis(nothing(), matrix(seed=seed), 0.0).shape == (8, 0)

    def test_inputs_of_any_size(self):
        expected = extend_basis(nothing(), matrix(), 0.9)
        for factor in (2.0**-900, 2.0**900):
            assert_array_equal(extend_basis(nothing(), matrix() * factor, 0.9), expected)
        assert extend_basis(nothing(), np.zeros((8, 5)), 1.0).shape == (8, 0)

    def test_a_full_memory_stays_full(self):
        M = np.eye(8)
        assert_array_equal(extend_basis(M, matrix(), 1.0), M)
        full = extend_basis(nothing(), matrix(), 1.0)
        assert full.shape == (8, 8)
        assert extend_basis(full, matrix(seed=3), 1.0).shape == (8, 8)

    def test_one_input(self):
        M = extend_basis(nothing(), np.ones((8, 1)), 0.5)
        assert_allclose(np.abs(M), np.full((8, 1), 8**-0.5))


def test_thresholds_of_layers():
    assert layer_thresholds(0.9, 0.0, 3, 4) == [0.9, 0.9, 0.9]
    assert layer_thresholds((0.5, 0.75), 0.0, 4, 4) == [0.5, 0.75, 0.75, 0.75]
    assert layer_thresholds((0.5, 0.75, 1.0), 0.125, 2, 1) == [0.625, 0.875]
    assert layer_thresholds((0.5, 0.75), 0.125, 2, 3) == [0.875, 1.0]


def test_usage():
    assert_array_equal(memory_usage([np.zeros((4, 1)), np.zeros((5, 5))]), [0.25, 1.0])


def test_weights_of_rows_are_repeated_rows():
    inputs = np.random.default_rng(0).normal(size=(5, 3, 4))
    twice = np.repeat(inputs, [1, 2, 1, 3, 1], axis=0)
    weighted = representation_matrix(inputs, np.array([1.0, 2.0, 1.0, 3.0, 1.0]))
    plain = representation_matrix(twice, None)
    assert weighted.shape == (4, 15)
    assert_allclose(weighted @ weighted.T, plain @ plain.T, atol=1e-12)


def network(dtype=torch.float64, seed=0, **kwargs):
    options = {
        "row_shape": (5,),
        "n_outputs": 3,
        "hidden_channels": (),
        "strides": (),
        "kernel_size": 3,
        "hidden_layer_sizes": (7, 6),
        "activation": "relu",
        "n_heads": 1,
        "head": 0,
        "shared_head": True,
        "absent": (),
        **kwargs,
    }
    return GPMNetwork(**options, dtype=dtype).draw(generators(seed))


def rows(n, dtype=torch.float64, seed=0, shape=(5,)):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, *shape, generator=generator, dtype=dtype)
    return X, torch.randint(3, (n,), generator=generator)


class TestNetwork:
    def test_it_is_a_perceptron(self):
        net = network(activation="tanh")
        X, _ = rows(9)
        expected = X
        for i, W in enumerate(net.protected()):
            W.data[-1] = 0.5 + i
            expected = expected @ W[:-1] + W[-1]
            expected = torch.tanh(expected) if i < 2 else expected
        torch.testing.assert_close(net(X), expected)

    @pytest.mark.parametrize("shape", [(2, 6, 5), (2, 7)])
    @pytest.mark.parametrize("stride", [1, 2])
    def test_its_convolutions_are_those_of_torch(self, shape, stride):
        net = network(row_shape=shape, hidden_channels=(4,), strides=(stride,), hidden_layer_sizes=())
        X, _ = rows(3, shape=shape)
        W = net.protected()[0]
        W.data[-1] = torch.arange(4.0, dtype=W.dtype)
        convolve = torch.nn.functional.conv2d if len(shape) == 3 else torch.nn.functional.conv1d
        kernels = W[:-1].T.reshape(4, 2, *[3] * (len(shape) - 1))
        maps = torch.relu(convolve(X, kernels, W[-1], stride=stride, padding=1)).flatten(1)
        head = net.protected()[1]
        torch.testing.assert_close(net(X), maps @ head[:-1] + head[-1])

    @pytest.mark.parametrize("conv", [{}, {"row_shape": (1, 6, 5), "hidden_channels": (4, 3), "strides": (1, 2)}])
    @pytest.mark.parametrize("shared", [True, False])
    def test_representations_are_what_the_matrices_multiply(self, conv, shared):
        net = network(**conv, shared_head=shared)
        X, _ = rows(4, shape=conv.get("row_shape", (5,)))
        seen = net.representations(X)
        weights = net.protected()
        assert len(seen) == len(weights) == 2 + shared + len(conv.get("hidden_channels", ()))
        for values, W, after in zip(seen, weights, seen[1:], strict=False):
            out = torch.relu(values @ W)
            if after.shape[1] == 1:
                out = out.transpose(1, 2).flatten(1)
                torch.testing.assert_close(after[:, 0], torch.nn.functional.pad(out, (0, 1), value=1.0))
            assert torch.all(values[..., -1] == 1.0)
        if shared:
            torch.testing.assert_close((seen[-1] @ weights[-1])[:, 0], net(X))

    def test_only_the_head_in_use_learns(self):
        net = network(n_heads=3, head=1, shared_head=False)
        before = [head.weight.clone() for head in net.heads]
        X, y = rows(20)
        trainer(net, 0, learning_rate=0.1, alpha=1.0).run_epoch(Rows(X, y))
        moved = [not torch.equal(old, head.weight) for old, head in zip(before, net.heads, strict=True)]
        assert moved == [False, True, False]

    def test_absent_classes_are_impossible_and_learn_nothing(self):
        net = network(absent=(1,))
        X, y = rows(20)
        W = net.heads[0].weight
        before = W.detach().clone()
        trainer(net, 0, learning_rate=0.1).run_epoch(Rows(X, y * 2 % 3 // 2 * 2))
        assert torch.all(net(X)[:, 1] == -torch.inf)
        assert torch.equal(W[:, 1], before[:, 1])
        assert not torch.equal(W[:, 0], before[:, 0])


def memory_of(net, X):
    with torch.no_grad():
        found = [representation_matrix(values.double().numpy(), None) for values in net.representations(X)]
    return [torch.tensor(extend_basis(nothing(len(R)), R, 1.0), dtype=X.dtype) for R in found]


SOLVERS = [
    {"solver": "sgd", "learning_rate": 0.05, "alpha": 0.01},
    {"solver": "adam", "learning_rate": 0.01, "alpha": 0.01},
    {"solver": "adamw", "learning_rate": 0.01, "alpha": 0.1},
]
CONV = {"row_shape": (1, 6, 6), "hidden_channels": (6,), "strides": (2,), "hidden_layer_sizes": (30, 30)}


class TestSteps:
    @pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: s["solver"])
    @pytest.mark.parametrize("kind", [{"row_shape": (20,), "hidden_layer_sizes": (30, 30)}, CONV], ids=["mlp", "conv"])
    @pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-13)], ids=str)
    def test_activations_of_rows_in_the_memory_stay(self, solver, kind, dtype, bound):
        net = network(dtype, **kind)
        old, _ = rows(2 if kind is CONV else 8, dtype, seed=1, shape=kind["row_shape"])
        before = [values.detach() for values in net.representations(old)] + [net(old).detach()]
        X, y = rows(64, dtype, shape=kind["row_shape"])
        elsewhere = net(X).detach()
        training = trainer(net, 0, update=projected(memory_of(net, old)), batch_size=8, **solver)
        for _ in range(25):
            training.run_epoch(Rows(X, y))
        after = [values.detach() for values in net.representations(old)] + [net(old).detach()]
        for a, b in zip(before, after, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=bound)
        assert (net(X) - elsewhere).abs().max() > 0.1

    def test_plain_steps_follow_the_projected_gradient(self):
        net = network()
        byhand = network()
        old, _ = rows(2, seed=1)
        bases = memory_of(net, old)
        X, y = rows(12)
        options = {"solver": "sgd", "momentum": 0.0, "learning_rate": 0.1, "batch_size": 12, "shuffle": False}
        training = trainer(net, 0, update=projected(bases), **options)
        for _ in range(5):
            training.run_epoch(Rows(X, y))
            gradients = torch.autograd.grad(cross_entropy(byhand(X), y).mean(), byhand.protected())
            with torch.no_grad():
                for W, M, G in zip(byhand.protected(), bases, gradients, strict=True):
                    W -= 0.1 * (G - M @ (M.T @ G))
        for W, expected in zip(net.protected(), byhand.protected(), strict=True):
            torch.testing.assert_close(W, expected, rtol=0, atol=1e-12)

    def test_projected_gradients_of_adam_do_forget(self):
        """The reason to project the step: the same bound fails by far if the gradient is projected."""
        net = network(row_shape=(20,), hidden_layer_sizes=(30,))
        old, _ = rows(8, seed=1, shape=(20,))
        bases = memory_of(net, old)
        before = net(old).detach()

        def gradient(network, objective, batch):
            losses = backward(network, objective, batch)
            for W, M in zip(network.protected(), bases, strict=True):
                W.grad.sub_(M @ (M.T @ W.grad))
            return losses

        X, y = rows(64, shape=(20,))
        trainer(net, 0, gradient=gradient, learning_rate=0.01, batch_size=8).run_epoch(Rows(X, y))
        assert (net(old) - before).abs().max() > 0.01

    def test_a_full_memory_changes_nothing_and_an_empty_one_everything(self):
        X, y = rows(20)
        net = network()
        before = [W.detach().clone() for W in net.protected()]
        bases = [torch.eye(len(W), dtype=W.dtype) for W in before]
        bases[1] = bases[1][:, :0]
        trainer(net, 0, update=projected(bases), learning_rate=0.1, alpha=1.0).run_epoch(Rows(X, y))
        moved = [(W - old).abs().max().item() > 1e-12 for W, old in zip(net.protected(), before, strict=True)]
        assert moved == [False, True, False]
