"""The losses of DAF, and who lowers which."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skpapers._torch.flat import flatten
from skpapers._torch.rows import Rows
from skpapers._torch.steps import Batch, backward
from skpapers.forecasting._daf_adversarial import (
    Discriminator,
    JointObjective,
    SequenceLoss,
    complete_series,
    step_loss,
)
from tests.forecasting.test_daf import domain, network, series

RNG = np.random.default_rng(0)


def numbers(*shape):
    return torch.from_numpy(RNG.normal(size=shape))


def discriminator(alpha=0.0, rate=0.01):
    like = torch.zeros((), dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    return Discriminator(6, generator, like, learning_rate=rate, max_norm=1.0, alpha=alpha)


def batch(X, y, place, weight=None):
    indices = torch.arange(len(X))
    generators = (torch.Generator().manual_seed(0),)
    return Batch(X, y, weight, indices, generators, {"domain": domain(len(X), place)})


class TestStepLoss:
    def test_formulas(self):
        outputs = numbers(2, 3, 1)
        z = numbers(2, 3)
        assert_allclose(step_loss(None, "absolute_error")(outputs, z), (outputs[..., 0] - z).abs())
        assert_allclose(step_loss(None, "squared_error")(outputs, z), (outputs[..., 0] - z) ** 2)

    def test_pinball_is_least_at_the_quantile(self):
        z = torch.arange(1.0, 101.0, dtype=torch.float64)
        guesses = torch.arange(0.5, 101.0, dtype=torch.float64)
        for level in (0.1, 0.5, 0.9):
            of = step_loss((level,), "absolute_error")
            losses = [of(guess.reshape(1, 1).expand(100, 1), z).mean() for guess in guesses]
            assert_allclose(guesses[int(np.argmin(losses))], 100 * level + 0.5)

    def test_the_median_is_the_absolute_error(self):
        outputs = numbers(4, 1)
        z = numbers(4)
        assert_allclose(step_loss((0.5,), "")(outputs, z), step_loss(None, "absolute_error")(outputs, z))


class TestSequenceLoss:
    @pytest.mark.parametrize("n_layers", [1, 2])
    @pytest.mark.parametrize("missing", [False, True])
    def test_interpolation_and_forecast(self, n_layers, missing):
        net = network(n_layers)
        X = numbers(3, 10, 1)
        if missing:
            X[0, :4] = torch.nan
        y = numbers(3, 4)
        squared = step_loss(None, "squared_error")
        found = SequenceLoss(squared, 0.7).of_each(net, X, y, domain(3))[0]
        z, observed = complete_series(X, y)
        made = net.run(z, domain(3), observed, first=10, stop=14)
        seen = torch.ones(3, 14) if observed is None else observed
        expected = 0.7 * ((made.forecast[..., 0] - y) ** 2).mean(dim=1)
        for left, inside in zip(made.left, made.interpolated, strict=True):
            errors = (inside[..., 0] - left[..., 0]) ** 2
            expected = expected + (errors * seen).sum(dim=1) / seen.sum(dim=1) / n_layers
        assert_allclose(found.detach(), expected.detach())

    def test_weights(self):
        net = network()
        X = numbers(3, 10, 1)
        y = numbers(3, 4)
        weight = torch.tensor([0.5, 2.0, 0.5], dtype=torch.float64)
        of = SequenceLoss(step_loss(None, "absolute_error"), 1.0)
        each = of.of_each(net, X, y, domain(3))[0]
        assert_allclose(of(net, batch(X, y, 0, weight)).detach(), (each * weight).mean().detach())
        assert_allclose(of(net, batch(X, y, 0)).detach(), each.mean().detach())

    def test_complete_series_holds_other_channels(self):
        X = numbers(2, 5, 3)
        X[0, 4, 1] = torch.nan
        y = numbers(2, 2)
        z, observed = complete_series(X, y)
        assert torch.equal(z[:, 5:, 0], y)
        assert_allclose(z[0, 5:, 1], [X[0, 3, 1]] * 2)
        assert_allclose(z[1, 5:, 2], [X[1, 4, 2]] * 2)
        assert observed.all()


class TestDiscriminator:
    def test_losses_of_sources_and_targets(self):
        of = discriminator()
        net = network()
        z = series(4, 14)
        made = net.run(z, domain(4), None, first=10, stop=14)
        is_source = torch.tensor([True, False, False, True])
        observed = torch.from_numpy(RNG.random((4, 14)) < 0.6)
        losses, right = of.losses(made, is_source, observed, detached=True)
        expected = torch.zeros(4, dtype=torch.float64)
        hits = torch.zeros(4, dtype=torch.float64)
        for a in (made.queries[0], made.keys[0]):
            p = torch.sigmoid(of.network(a.reshape(-1, 6))).reshape(4, 14)
            truth = is_source[:, None]
            loss = torch.where(truth, -p.log(), -(1 - p).log())
            expected += (loss * observed).sum(1) / observed.sum(1) / 2
            hits += (((p > 0.5) == truth) * observed).sum(1) / observed.sum(1) / 2
        assert_allclose(losses.detach(), expected.detach())
        assert_allclose(right, hits)

    def test_detached_losses_reach_the_discriminator_alone(self):
        of = discriminator()
        net = network()
        made = net.run(series(4, 14), domain(4), None, first=10, stop=14)
        is_source = torch.tensor([True, False, False, True])
        fixed = of.losses(made, is_source, None, detached=True)[0].mean()
        with pytest.raises(RuntimeError, match=r"unused|not have been used"):
            torch.autograd.grad(fixed, list(net.parameters()))
        free = of.losses(made, is_source, None, detached=False)[0].mean()
        weight = net.blocks[0].shared.query.linears[0].weight
        assert torch.autograd.grad(free, weight)[0].any()

    def test_it_learns(self):
        of = discriminator(rate=0.01)
        net = network(n_domains=1)
        made = net.run(torch.cat([series(20, 14), series(20, 14).cumsum(1)]), domain(40), None, first=10, stop=14)
        is_source = torch.arange(40) < 20
        first = of.losses(made, is_source, None, detached=True)[0].mean()
        for _ in range(100):
            of.learn(of.losses(made, is_source, None, detached=True)[0].mean())
        last, right = of.losses(made, is_source, None, detached=True)
        assert last.mean() < 0.9 * first
        assert right.mean() > 0.6


class TestJointObjective:
    @staticmethod
    def _pieces(weight=None, **options):
        net = network()
        source = Rows(numbers(6, 10, 1), numbers(6, 4), weight, {"domain": domain(6, 1)})
        target = batch(numbers(3, 10, 1), numbers(3, 4), 0, torch.tensor([0.5, 1.0, 1.5], dtype=torch.float64))
        sequence = SequenceLoss(step_loss(None, "squared_error"), 1.0)
        objective = JointObjective(source, sequence, **options)
        objective.partners = torch.tensor([[0, 1], [2, 3], [4, 5]])
        return net, source, target, sequence, objective

    @pytest.mark.parametrize("weighted", [False, True])
    def test_the_loss(self, weighted):
        weight = torch.tensor([0.5, 1.5, 0.5, 1.5, 1.0, 1.0], dtype=torch.float64) if weighted else None
        delta = discriminator(rate=0.0)
        net, source, target, sequence, objective = self._pieces(
            weight, source_weight=0.3, discriminator=delta, adversarial_weight=0.2
        )
        found = objective(net, target)
        losses_t, made_t, _ = sequence.of_each(net, target.X, target.y, domain(3, 0))
        losses_s, made_s, _ = sequence.of_each(net, source.X, source.y, domain(6, 1))
        dom_t = delta.losses(made_t, torch.zeros(3, dtype=torch.bool), None, detached=True)[0]
        dom_s = delta.losses(made_s, torch.ones(6, dtype=torch.bool), None, detached=True)[0]
        w = torch.ones(6) if weight is None else weight
        expected = (losses_t * target.weight).mean() + 0.3 * (losses_s * w).mean()
        expected = expected - 0.2 * ((dom_t * target.weight).mean() + (dom_s * w).mean())
        assert_allclose(found.detach(), expected.detach())
        assert 0.0 <= objective.accuracies[0] <= 1.0

    def test_the_discriminator_steps_first(self):
        delta = discriminator(rate=0.1)
        net, _, target, _, objective = self._pieces(source_weight=0.0, discriminator=delta, adversarial_weight=1.0)
        start = [p.detach().clone() for p in delta.network.parameters()]
        first = objective(net, target).detach()
        assert any(not torch.equal(a, b) for a, b in zip(start, delta.network.parameters(), strict=True))
        # a discriminator that cannot move gives the same value from where the other one has arrived
        delta.optimizer.param_groups[0]["lr"] = 0.0
        for group in delta.optimizer.param_groups:
            group["lr"] = 0.0
        assert_allclose(objective(net, target).detach(), first)

    def test_signs_of_the_game(self):
        """A step of the network against the discriminator alone raises its loss."""
        delta = discriminator(rate=0.0)
        net, source, target, _, objective = self._pieces(source_weight=0.0, discriminator=delta, adversarial_weight=1e4)
        flatten(net)

        def domain_loss():
            X = torch.cat([target.X, source.X])
            y = torch.cat([target.y, source.y])
            places = torch.cat([domain(3, 0), domain(6, 1)])
            made = objective.sequence.of_each(net, X, y, places)[1]
            return delta.losses(made, places == 1, None, detached=True)[0][3:].mean().item()

        before = domain_loss()
        target = target.replace(weight=torch.zeros(3, dtype=torch.float64))
        backward(net, objective, target)
        with torch.no_grad():
            for parameter in net._learning:
                parameter -= 1e-6 * parameter.grad
        assert domain_loss() > before

    def test_fine_tuning_leaves_the_source_out(self):
        net, _, target, sequence, objective = self._pieces(
            source_weight=0.0, discriminator=None, adversarial_weight=0.0
        )
        assert_allclose(objective(net, target).detach(), sequence(net, target).detach())
