"""The losses against sums written out, the turns against numpy's, and the steps against torch's own Adam."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose, assert_array_equal

from skpapers._torch import losses
from skpapers._torch.rows import Rows
from skpapers._torch.steps import Batch
from skpapers._torch.training import Trainer
from skpapers.adaptation._policy_adaptation_during_deployment import (
    adapt,
    adaptation_objective,
    inverse_losses,
    joint_objective,
    n_turns,
    rotation_losses,
    turned,
)
from skpapers.adaptation._policy_network import PolicyNetwork

P = 6
SQUARED = losses.REGRESSION["squared_error"](0.5)


def network(*, n_outputs=2, n_auxiliary=2, n_rows=2, row_shape=(P,), seed=0, **options):
    """Return a network whose adapter is not the identity."""
    settings = {
        "hidden_channels": (),
        "strides": (),
        "kernel_size": 3,
        "hidden_layer_sizes": (7, 5),
        "head_layer_sizes": (4,),
        "activation": "tanh",
        **options,
    }
    made = PolicyNetwork(row_shape, n_outputs, n_auxiliary=n_auxiliary, n_rows=n_rows, dtype=torch.float64, **settings)
    generator = torch.Generator().manual_seed(seed)
    made.draw((generator,))
    for parameter in made.adapter.parameters():
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return made


def transitions(n=9, *, row_shape=(P,), width=2, seed=0):
    """Return a batch of transitions; some rows have no successor."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    linked = torch.ones(n, dtype=torch.float64)
    linked[2] = 0.0
    extra = {"X_next": normal(n, *row_shape), "action": normal(n, width), "linked": linked}
    return Batch(normal(n, *row_shape), normal(n, 2), None, torch.arange(n), (generator,), extra)


def dense(mlp, x):
    """Return the outputs of a perceptron, layer by layer, in numpy."""
    *inner, last = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in mlp.linears]
    for W, b in inner:
        x = np.tanh(x @ W + b)
    return x @ last[0] + last[1]


def encoded(net, x):
    gain = net.adapter.gain.detach().numpy()
    offset = net.adapter.offset.detach().numpy()
    return np.tanh(dense(net.dense, x * gain + offset))


class TestLosses:
    def test_inverse_dynamics_of_numbers(self):
        net = network()
        batch = transitions()
        z = encoded(net, batch.X.numpy())
        z_next = encoded(net, batch.extra["X_next"].numpy())
        found = dense(net.auxiliary, np.hstack([z, z_next]))
        expected = 0.5 * np.mean((found - batch.extra["action"].numpy()) ** 2, axis=1) * batch.extra["linked"].numpy()
        assert_allclose(inverse_losses(SQUARED)(net, batch).detach().numpy(), expected, rtol=1e-12)
        assert expected[2] == 0.0

    @pytest.mark.parametrize("n_actions", [2, 3])
    def test_inverse_dynamics_of_labels(self, n_actions):
        net = network(n_auxiliary=1 if n_actions == 2 else 3)
        batch = transitions()
        label = torch.arange(9) % n_actions
        batch.extra["action"] = label.double() if n_actions == 2 else label
        logits = dense(
            net.auxiliary, np.hstack([encoded(net, batch.X.numpy()), encoded(net, batch.extra["X_next"].numpy())])
        )
        logits = np.hstack([np.zeros((9, 1)), logits]) if n_actions == 2 else logits
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        loss = losses.log_odds if n_actions == 2 else losses.cross_entropy()
        expected = -np.log(p[np.arange(9), label]) * batch.extra["linked"].numpy()
        assert_allclose(inverse_losses(loss)(net, batch).detach().numpy(), expected, rtol=1e-10)

    def test_turns_of_columns(self):
        net = network(n_rows=1, n_auxiliary=4)
        batch = transitions()
        seen = batch.X.numpy() * net.adapter.gain.detach().numpy() + net.adapter.offset.detach().numpy()
        expected = np.zeros(9)
        for k, shift in enumerate([0, 1, 3, 4]):  # quarters of six columns, rounded down
            logits = dense(net.auxiliary, np.tanh(dense(net.dense, np.roll(seen, shift, axis=1))))
            expected -= (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))[:, k] / 4.0
        assert_allclose(rotation_losses(net, batch).detach().numpy(), expected, rtol=1e-10)

    def test_turns_of_images(self):
        shape = (2, 5, 5)
        net = network(row_shape=shape, hidden_channels=(3,), strides=(2,), n_rows=1, n_auxiliary=4)
        batch = transitions(row_shape=shape)
        seen = net.adapter(batch.X).detach().numpy()
        expected = np.zeros(9)
        for k in range(4):
            image = torch.from_numpy(np.rot90(seen, k, axes=(2, 3)).copy())
            expected -= F.log_softmax(net.auxiliary(net.encoded(image)), dim=1)[:, k].detach().numpy() / 4.0
        assert_allclose(rotation_losses(net, batch).detach().numpy(), expected, rtol=1e-10)

    @pytest.mark.parametrize(
        ("shape", "count"), [((1,), 1), ((3,), 3), ((9,), 4), ((2, 3, 3), 4), ((2, 1, 3), 3), ((2, 1, 1), 1)]
    )
    def test_turns_differ_and_come_back(self, shape, count):
        x = torch.arange(float(np.prod(shape))).reshape(1, *shape)
        assert n_turns(shape) == count
        turns = [turned(x, k) for k in range(count)]
        assert len({tuple(turn.flatten().tolist()) for turn in turns}) == count
        assert_array_equal(turns[0], x)
        if len(shape) == 3 and shape[1] > 1:
            assert_array_equal(turns[1], np.rot90(x, 1, axes=(2, 3)))

    @pytest.mark.parametrize("weighted", [False, True])
    def test_the_objective_of_training(self, weighted):
        net = network()
        batch = transitions()
        weight = torch.linspace(0.5, 2.0, 9, dtype=torch.float64) if weighted else torch.ones(9, dtype=torch.float64)
        policy = dense(net.policy, encoded(net, batch.X.numpy()))
        own = 0.5 * np.mean((policy - batch.y.numpy()) ** 2, axis=1)
        both = own + 0.3 * inverse_losses(SQUARED)(net, batch).detach().numpy()
        objective = joint_objective(SQUARED, inverse_losses(SQUARED), 0.3)
        found = objective(net, batch.replace(weight=weight if weighted else None))
        assert_allclose(found.item(), np.mean(weight.numpy() * both), rtol=1e-12)

    def test_the_objective_of_adaptation_does_not_know_y(self):
        net = network()
        batch = transitions()
        objective = adaptation_objective(inverse_losses(SQUARED))
        expected = inverse_losses(SQUARED)(net, batch).mean().item()
        assert objective(net, batch).item() == expected
        assert objective(net, batch.replace(y=torch.full((9, 2), torch.nan))).item() == expected


def trainer(net, scope, *, batch_size=4, rate=0.01):
    return Trainer(
        net.learn(scope),
        adaptation_objective(inverse_losses(SQUARED)),
        learning_rate=rate,
        batch_size=batch_size,
        shuffle=False,
        generators=(torch.Generator().manual_seed(5),),
    )


def rows_of(batch):
    return Rows(batch.X, batch.y, None, batch.extra)


def weights(net):
    return {name: value.detach().clone() for name, value in net.named_parameters()}


SCOPES = {
    "adapter": ("adapter.",),
    "encoder": ("dense.",),
    "encoder+head": ("dense.", "auxiliary."),
}


class TestSteps:
    @pytest.mark.parametrize("scope", SCOPES)
    def test_they_are_those_of_adam_on_the_latest_transitions(self, scope):
        """Written out with torch's optimiser: one step for each new row, on rows drawn from the window up to it."""
        batch = transitions(12)
        net = network()
        before = weights(net)
        found = adapt(trainer(net, scope), rows_of(batch), 5, n_steps=2, window=6)
        other = network()
        own = [p for name, p in other.named_parameters() if name.startswith(SCOPES[scope])]
        adam = torch.optim.Adam(own, lr=0.01)
        generator = torch.Generator().manual_seed(5)
        expected = []
        for last in range(7, 12):
            for _ in range(2):
                drawn = last - 5 + torch.randperm(6, generator=generator)[:4]
                adam.zero_grad()
                part = {name: values[drawn] for name, values in batch.extra.items()}
                loss = inverse_losses(SQUARED)(other, batch.replace(X=batch.X[drawn], extra=part)).mean()
                loss.backward()
                adam.step()
                expected.append(loss.item())
        assert_allclose(found, expected, rtol=1e-7)
        for name, value in other.named_parameters():
            after = weights(net)[name]
            assert_allclose(after, value.detach(), rtol=1e-5, atol=1e-7)
            assert torch.equal(after, before[name]) != name.startswith(SCOPES[scope])

    def test_rows_in_one_call_equal_rows_one_by_one(self):
        batch = transitions(10)
        together = network()
        losses_together = adapt(trainer(together, "encoder"), rows_of(batch), 6, n_steps=1, window=5)
        single = network()
        teacher = trainer(single, "encoder")
        parts = [rows_of(batch).take(torch.arange(i + 1)) for i in range(4, 10)]
        assert losses_together == [adapt(teacher, part, 1, n_steps=1, window=5)[0] for part in parts]
        for name, value in weights(together).items():
            assert torch.equal(value, weights(single)[name])

    def test_a_step_does_not_see_what_comes_later(self):
        batch = transitions(10)
        found = adapt(trainer(network(), "encoder"), rows_of(batch), 10, n_steps=1, window=5)
        for values in batch.extra.values():
            values[6:] += 1e3
        batch.X[6:] += 1e3
        again = adapt(trainer(network(), "encoder"), rows_of(batch), 10, n_steps=1, window=5)
        assert found[:6] == again[:6]
        assert found[6:] != again[6:]

    def test_a_window_of_one_is_the_latest_transition(self):
        batch = transitions(6)
        net = network()
        (found,) = adapt(trainer(net, "adapter"), rows_of(batch), 1, n_steps=1, window=1)
        latest = {name: values[-1:] for name, values in batch.extra.items()}
        expected = inverse_losses(SQUARED)(network(), batch.replace(X=batch.X[-1:], extra=latest)).item()
        assert_allclose(found, expected, rtol=1e-7)
