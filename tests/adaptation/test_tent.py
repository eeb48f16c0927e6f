"""The steps of Tent against closed forms, and against the paper's own construction in plain torch."""

from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import entropy
from torch import nn

from skpapers._torch.modules import MLP
from skpapers.adaptation import tent
from skpapers.adaptation._adaptive_norms import make_adaptive
from skpapers.adaptation._target_statistics import Moments, StatisticsRule, layer_shift
from skpapers.adaptation._tent import (
    TentSettings,
    adapt,
    entropy_loss,
    predicted_codes,
    row_entropy,
)
from skpapers.adaptation._tent_state import TentState

PAPER = TentSettings(StatisticsRule("batch"), learning_rate=0.01, n_steps=1, margin=None)


def network(*shape, kind=nn.BatchNorm1d, classes=4, seed=0):
    """Return a small network of torch in float64 whose layers have statistics of their own."""
    generator = torch.Generator().manual_seed(seed)
    if kind is nn.BatchNorm2d:
        layers = [nn.Conv2d(2, 3, 3), kind(3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 4 * 4, classes)]
    else:
        layers = [nn.Linear(5, 6), kind(6), nn.ReLU(), nn.Linear(6, 6), kind(6), nn.Tanh(), nn.Dropout(0.5)]
        layers += [nn.Linear(6, classes)]
    made = nn.Sequential(*layers).double()
    for name, value in made.state_dict().items():
        if value.is_floating_point():
            drawn = torch.randn(value.shape, generator=generator, dtype=value.dtype)
            value.copy_(drawn.abs() + 0.5 if name.endswith(("1.weight", "4.weight", "var")) else drawn)
    return made.eval()


def batches(n=3, b=20, seed=0, images=False):
    shape = (n, b, 2, 6, 6) if images else (n, b, 5)
    return torch.from_numpy(np.random.default_rng(seed).normal(1.0, 2.0, shape))


def of_the_paper(module, rows, learning_rate, n_steps=1):
    """Return the parameters after each batch: training mode, no running statistics, all else frozen, torch's Adam."""
    module = deepcopy(module).eval().requires_grad_(False)
    layers = [m for m in module.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for layer in layers:
        layer.train().requires_grad_(True)
        layer.track_running_stats = False
        layer.running_mean = layer.running_var = None
    parameters = [p for layer in layers for p in layer.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=learning_rate)
    for X in rows:
        for _ in range(n_steps):
            logits = module(X)
            loss = torch.distributions.Categorical(logits=logits).entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return [p.detach().numpy() for p in parameters]


@pytest.mark.parametrize("n_steps", [1, 3])
@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.BatchNorm2d], ids=["rows", "images"])
def test_batch_statistics_give_the_papers_parameters(kind, n_steps):
    module = network(kind=kind)
    rows = batches(images=kind is nn.BatchNorm2d)
    settings = TentSettings(StatisticsRule("batch"), 0.01, n_steps, None)
    state, _ = adapt(partial(deepcopy, module), TentState(), rows, settings)
    expected = of_the_paper(module, rows, 0.01, n_steps)
    found = [state.norms[name] for name in state.norms if name.endswith(("weight", "bias"))]
    for ours, theirs in zip(found, expected, strict=True):
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)


def test_what_is_stored_is_what_the_last_batch_was_normalised_by():
    module = network()
    rows = batches()
    state, visits = adapt(
        partial(deepcopy, module), TentState(), rows, TentSettings(StatisticsRule("batch"), n_steps=0)
    )
    before = torch.nn.Sequential(module[0])(rows[-1]).detach()
    assert_allclose(state.norms["1.running_mean"], before.mean(dim=0), rtol=1e-12)
    assert_allclose(state.norms["1.running_var"], before.var(dim=0, correction=0), rtol=1e-12)
    assert_allclose(state.norms["1.weight"], module[1].weight.detach())
    adapted = tent(module, rows[-1], stats="batch", n_steps=0)
    logits = adapted(rows[-1]).detach()
    assert visits[-1].entropy == pytest.approx(entropy(torch.softmax(logits, 1).numpy(), axis=1).mean())
    assert (visits[-1].codes == logits.argmax(dim=1).numpy()).all()


def test_a_state_continues_as_if_there_had_been_no_break():
    rows = batches(4)
    for rule in ("prior", "ema", "batch", "source"):
        settings = TentSettings(StatisticsRule(rule), 0.05, 2, None)
        at_once, visits = adapt(network, TentState(), rows, settings)
        state = TentState()
        for X in rows:
            state, (visit,) = adapt(network, state, [X], settings)
        for name, value in at_once.norms.items():
            assert_allclose(state.norms[name], value, rtol=1e-12, atol=1e-14)
        assert visit.entropy == pytest.approx(visits[-1].entropy)


@pytest.mark.parametrize("outputs", [1, 3])
def test_entropy_is_that_of_the_predictions(outputs):
    logits = np.random.default_rng(0).normal(size=(5, outputs)) * 4.0
    full = logits if outputs > 1 else np.column_stack([np.zeros(5), logits])
    p = np.exp(full) / np.exp(full).sum(axis=1, keepdims=True)
    assert_allclose(row_entropy(torch.from_numpy(logits)), entropy(p, axis=1), rtol=1e-12)
    assert row_entropy(torch.tensor([[900.0, 0.0]])).item() == 0.0


def test_rows_beyond_the_margin_take_no_part():
    own = torch.tensor([0.2, 0.9, 0.4])
    assert entropy_loss(own, 0.4).item() == pytest.approx(0.3)
    assert entropy_loss(own, np.inf).item() == pytest.approx(0.5)
    assert entropy_loss(own, 0.1) is None
    members = torch.stack([own, own.flip(0) + 1.0, own])
    assert entropy_loss(members, 0.4).item() == pytest.approx(0.6)


def test_the_margin_is_a_share_of_the_largest_entropy():
    module = network(classes=1)
    rows = batches(1)
    entropies = row_entropy(module(rows[0])).detach() / np.log(2.0)
    between = float(entropies.median())
    found = {}
    for margin in (between, None):
        settings = TentSettings(StatisticsRule("source"), 0.1, 1, margin)
        found[margin] = adapt(partial(deepcopy, module), TentState(), rows, settings)[0].norms["4.weight"]
    kept = rows[:, entropies <= between]
    settings = TentSettings(StatisticsRule("source"), 0.1, 1, None)
    expected = adapt(partial(deepcopy, module), TentState(), kept, settings)[0].norms["4.weight"]
    assert_allclose(found[between], expected, rtol=1e-9)
    assert not np.allclose(found[None], expected)


def test_without_a_row_within_the_margin_only_statistics_change():
    module = network()
    rows = batches(1)
    settings = TentSettings(StatisticsRule("batch"), 0.1, 3, 1e-9)
    state, _ = adapt(partial(deepcopy, module), TentState(), rows, settings)
    assert (state.norms["1.weight"] == module[1].weight.detach().numpy()).all()
    assert not np.allclose(state.norms["1.running_mean"], module[1].running_mean)
    assert state.optimizer["1.weight.step"] == 0


def test_members_adapt_as_networks_of_their_own():
    generators = tuple(torch.Generator().manual_seed(k) for k in range(2))
    options = {"batch_norm": True, "dtype": torch.float64}
    stacked = MLP(5, (6, 4), 3, n_members=2, **options).draw(generators)
    rows = batches()
    settings = TentSettings(StatisticsRule("prior"), 0.05, 2, 0.9)
    state, visits = adapt(partial(deepcopy, stacked), TentState(), rows, settings)
    alone = []
    for k in range(2):
        one = MLP(5, (6, 4), 3, **options)
        weights = {name: value[k] for name, value in stacked.state_dict().items()}
        one.load_state_dict({name: value.reshape(one.state_dict()[name].shape) for name, value in weights.items()})
        alone.append(adapt(partial(deepcopy, one), TentState(), rows, settings))
    for name, value in state.norms.items():
        for k in range(2):
            assert_allclose(value[k], alone[k][0].norms[name], rtol=1e-10, atol=1e-12)
    assert visits[0].entropy == pytest.approx(np.mean([one[1][0].entropy for one in alone]))


def test_members_vote_by_their_mean_probability():
    outputs = torch.tensor([[[4.0], [-1.0]], [[-1.0], [-1.0]]])
    assert predicted_codes(outputs).tolist() == [1, 0]
    assert predicted_codes(torch.tensor([[0.1, 2.0, 0.3]])).tolist() == [1]


def test_shift_is_the_distance_of_normal_laws():
    source = Moments(0.0, torch.tensor([0.0, 1.0, 0.0]), torch.tensor([1.0, 4.0, 1e-9]))
    batch = Moments(9.0, torch.tensor([3.0, 1.0, 5.0]), torch.tensor([1.0, 16.0, 1.0]))
    # the units are 3 and 1 of their deviations away, and the last one does not vary
    assert layer_shift(source, batch) == pytest.approx(np.sqrt((9.0 + 1.0) / 2))
    assert np.isnan(layer_shift(Moments(0.0, torch.zeros(2), torch.zeros(2)), source))


def test_shift_without_drift_is_about_what_is_stated():
    rng = np.random.default_rng(0)
    source = Moments(0.0, torch.zeros(50), torch.ones(50))
    for b in (16, 64, 256):
        rows = rng.normal(size=(200, b, 50))
        found = [
            layer_shift(source, Moments(b, torch.from_numpy(X.mean(axis=0)), torch.from_numpy(X.var(axis=0))))
            for X in rows
        ]
        assert np.mean(found) == pytest.approx(np.sqrt(1.5 / b), rel=0.03)


def test_only_the_normalisation_learns():
    module = network()
    norms = make_adaptive(module, StatisticsRule())
    learning = {name for name, value in module.named_parameters() if value.requires_grad}
    assert not learning  # the layers are no longer in the network
    assert all(p.requires_grad for norm in norms.values() for p in norm.layer.parameters())
    assert list(norms) == ["1", "4"]


def test_batches_are_pooled_and_dropout_is_off_in_a_module_that_trains():
    module = network().train()
    rows = batches(3)
    adapted = tent(module, rows.flatten(0, 1), batch_size=20, prior_samples=0.0, entropy_margin=None)
    assert_allclose(adapted[1].running_mean, module[0](rows.flatten(0, 1)).mean(dim=0).detach(), rtol=1e-9)
    expected = tent(network(), rows.flatten(0, 1), batch_size=20, prior_samples=0.0, entropy_margin=None)
    for name, value in adapted.state_dict().items():
        assert torch.equal(value, expected.state_dict()[name])
    assert module.training


def test_layers_without_scales_take_statistics_alone():
    module = nn.Sequential(nn.BatchNorm1d(5, affine=False), nn.Linear(5, 3)).double()
    rows = batches(1)[0]
    adapted = tent(module, rows, stats="batch", entropy_margin=None)
    assert_allclose(adapted[0].running_mean, rows.mean(dim=0), rtol=1e-12)


class Auxiliary(nn.Module):
    """A network with a layer that prediction does not pass, as auxiliary classifiers have."""

    def __init__(self):
        super().__init__()
        self.auxiliary = nn.BatchNorm1d(5)
        self.network = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 3))

    def forward(self, x):
        return self.network(x)


@pytest.mark.parametrize("stats", ["prior", "ema"])
def test_a_layer_that_rows_do_not_pass_stays_as_it_is(stats):
    module = Auxiliary().double()
    rows = batches(1)[0]
    options = {"stats": stats, "entropy_margin": None, "n_steps": 2}
    adapted = tent(module, rows, **options)
    for name, value in adapted.auxiliary.state_dict().items():
        assert torch.equal(value, module.auxiliary.state_dict()[name])
    for name, value in tent(module.network, rows, **options).state_dict().items():
        assert torch.equal(value, adapted.network.state_dict()[name])


def test_a_layer_in_two_places_is_one_layer():
    shared = nn.BatchNorm1d(5)
    module = nn.Sequential(shared, nn.Linear(5, 5), shared, nn.Linear(5, 3)).double()
    adapted = tent(module, batches(1)[0])
    assert adapted[0] is adapted[2]
    assert not torch.equal(adapted[0].running_mean, shared.running_mean)


@pytest.mark.parametrize("stats", ["prior", "ema", "batch", "source"])
def test_the_function_adapts_a_copy(stats):
    module = network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    rows = batches(1)[0]
    state = torch.get_rng_state()
    adapted = tent(module, rows, stats=stats, entropy_margin=None)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
        changes = name.startswith(("1.", "4.")) and "num" not in name
        if stats == "source" and "running" in name:
            changes = False
        assert torch.equal(adapted.state_dict()[name], value) != changes
    assert not adapted.training
    alone = torch.cat([adapted(row[None]) for row in rows])
    assert_allclose(alone.detach(), adapted(rows).detach(), rtol=1e-12)


def test_the_function_takes_arrays_and_log_odds():
    module = nn.Sequential(network(classes=1), nn.Flatten(0)).double()
    rows = batches(1)[0]
    state = tent(module, rows.numpy(), entropy_margin=None).state_dict()
    two = nn.Sequential(network(classes=1), TwoLogits()).double()
    expected = tent(two, rows, entropy_margin=None).state_dict()
    for name, value in state.items():
        assert_allclose(value, expected[name], rtol=1e-10, atol=1e-12)


class TwoLogits(nn.Module):
    def forward(self, x):
        return torch.cat([torch.zeros_like(x), x], dim=1)


def test_batches_of_the_function_are_those_of_a_stream():
    rows = batches(3)
    adapted = tent(network(), rows.flatten(0, 1), batch_size=20)
    state, _ = adapt(network, TentState(), rows, TentSettings())
    assert_allclose(adapted[4].running_var, state.norms["4.running_var"], rtol=1e-12)
    assert_allclose(adapted[4].weight.detach(), state.norms["4.weight"], rtol=1e-12)


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (nn.Linear(5, 2), {}, "Linear has no batch normalisation"),
        (nn.Sequential(nn.BatchNorm1d(5, track_running_stats=False)), {}, "Layer '0' has no stored statistics"),
        (nn.BatchNorm1d(5), {"stats": "none"}, "stats must be one of prior, ema, batch, source; got 'none'"),
        (nn.BatchNorm1d(5), {"n_steps": -1}, "n_steps=-1"),
        (nn.BatchNorm1d(5), {"batch_size": 0}, "batch_size=0"),
        (nn.BatchNorm1d(5), {"entropy_margin": -0.4}, "entropy_margin must be positive, or None; got -0.4"),
        (nn.BatchNorm1d(5), {}, "BatchNorm1d is a layer: give the network"),
        (nn.BatchNorm1d(5), {"X": np.zeros((0, 5))}, "X must have rows"),
        (nn.BatchNorm1d(5), {"X": np.full((2, 5), np.nan)}, "X must have rows, and values that are finite"),
    ],
)
def test_what_cannot_adapt_is_refused(module, options, message):
    options = {"X": np.zeros((4, 5)), **options}
    with pytest.raises(ValueError, match=message):
        tent(module, options.pop("X"), **options)


def test_a_step_that_diverges_raises():
    with pytest.raises(FloatingPointError, match="not finite"):
        tent(network(), batches(1)[0], learning_rate=float("inf"), entropy_margin=None)
