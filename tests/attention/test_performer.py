"""Positive features: the softmax kernel without bias, the variances that the paper orders, and the layer."""

import copy
import pickle

import numpy as np
import pytest
import torch

from skpapers.attention import FavorAttention
from skpapers.attention._performer import PositiveFeatures
from skpapers.attention._random_feature_attention import FourierFeatures

D = 16
DRAWS = 600


def unit_rows(n=8, seed=0):
    x, y = np.random.RandomState(seed).standard_normal((2, n, D))
    return (torch.from_numpy(z / np.linalg.norm(z, axis=1, keepdims=True)) for z in (x, y))


def relative_errors(m, **kwargs):
    """Return errors of the estimated exp(x . y), relative to it, of shape (draws, rows); |x| = |y| = 1."""
    x, y = unit_rows()
    # The map estimates exp(q . k / sqrt(d)).
    q, k = (z * D**0.25 for z in (x, y))
    exact = torch.exp((x * y).sum(1))
    phi = PositiveFeatures(D, m, dtype=torch.float64, **kwargs)
    rng = np.random.RandomState(1)
    found = []
    for _ in range(DRAWS):
        phi.draw(rng)
        found.append(((phi(q) * phi(k)).sum(1) - exact) / exact)
    return torch.stack(found)


@pytest.fixture(scope="module")
def errors():
    """The table of approximation errors at 32 features."""
    kinds = {
        "iid": {"orthogonal": False},
        "orthogonal": {},
        "regularized": {"regularized": True},
        "hyperbolic": {"hyperbolic": True},
    }
    return {name: relative_errors(32, **kwargs) for name, kwargs in kinds.items()}


@pytest.mark.parametrize("name", ["iid", "orthogonal", "hyperbolic"])
def test_the_kernel_is_estimated_without_bias(errors, name):
    of_draw = errors[name].mean(1)
    assert abs(of_draw.mean()) < 4.0 * of_draw.std() / DRAWS**0.5
    assert abs(of_draw.mean()) < 0.02


def test_regularised_frequencies_estimate_the_kernel_too_low(errors):
    assert -0.08 < errors["regularized"].mean() < -0.02


def test_the_order_of_the_mean_squared_errors(errors):
    squares = {name: float(found.square().mean()) for name, found in errors.items()}
    assert squares["orthogonal"] < 0.95 * squares["iid"]
    assert squares["hyperbolic"] < 0.7 * squares["orthogonal"]
    assert squares["regularized"] < squares["orthogonal"]


def test_positive_features_are_exact_for_opposite_vectors_and_sines_for_equal_ones():
    """Figure 2 of the paper: what vanishes is estimated well by positive features, badly by trigonometric ones."""
    rng = np.random.RandomState(0)
    x = torch.from_numpy(rng.standard_normal(D))
    x = 2.0 * x / x.norm()
    phi = PositiveFeatures(D, 64, dtype=torch.float64)
    sines = FourierFeatures(D, 32, 1, sigma=1.0, dtype=torch.float64)
    of_sines = []
    for _ in range(200):
        phi.draw(rng)
        sines.draw(rng)
        q = x * D**0.25
        opposite = float((phi(q) * phi(-q)).sum())
        assert opposite == pytest.approx(np.exp(-4.0), rel=1e-10)
        # exp(x . y) = exp(|x|^2 / 2 + |y|^2 / 2) exp(-|x - y|^2 / 2), of vectors of any length
        u = x @ sines.projection[0].T
        waves = [torch.cat([torch.sin(sign * u), torch.cos(u)]) / 32**0.5 for sign in (1.0, -1.0)]
        assert float(waves[0] @ waves[0]) == pytest.approx(1.0, rel=1e-12)
        of_sines.append(float(waves[0] @ waves[1]))
    assert np.mean(np.array(of_sines) < 0.0) > 0.3
    assert np.std(of_sines) * np.exp(4.0) > 50.0 * np.exp(-4.0)


# The layer ---------------------------------------------------------------------------------------------------------

KINDS = [{}, {"hyperbolic": True}, {"kernel": "relu"}, {"regularized": True, "bias": False}, {"orthogonal": False}]


def layer(dtype=torch.float64, **kwargs):
    return FavorAttention(12, 3, random_state=0, dtype=dtype, **kwargs)


def windows(L=21, B=3, dtype=torch.float64, seed=0):
    return torch.randn(B, L, 12, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("kwargs", KINDS)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("L", [1, 2, 21])
def test_the_layer_is_its_definition(kwargs, causal, L):
    ours = layer(causal=causal, **kwargs)
    x = windows(L)
    q, k, v = ours.in_projection(x).view(3, L, 3, 3, 4).permute(2, 0, 3, 1, 4)
    weights = ours.feature_map(q) @ ours.feature_map(k).mT
    weights = weights.tril() if causal else weights
    heads = (weights / weights.sum(-1, keepdim=True)) @ v
    expected = ours.out_projection(heads.transpose(1, 2).reshape(3, L, 12))
    torch.testing.assert_close(ours(x), expected)
    torch.testing.assert_close(ours.last(x), expected[:, -1])


@pytest.mark.parametrize("kwargs", KINDS)
def test_steps_are_the_causal_pass(kwargs):
    ours = layer(torch.float32, causal=True, **kwargs)
    x = windows(dtype=torch.float32)
    state = ours.init_state(3)
    steps = []
    for t in range(x.shape[1]):
        before = pickle.dumps(state)
        y, after = ours.step(x[:, t], state)
        assert pickle.dumps(state) == before
        state = pickle.loads(pickle.dumps(after))
        steps.append(y)
    torch.testing.assert_close(torch.stack(steps, dim=1), ours(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("kwargs", KINDS)
def test_later_positions_that_are_not_finite_do_not_reach_earlier_ones(kwargs, value):
    ours = layer(causal=True, **kwargs)
    x = windows()
    expected = ours(x)
    x[1, 13] = value
    found = ours(x)
    assert found[1, 13:].isnan().all()
    found[1, 13:] = expected[1, 13:]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("causal", [False, True])
def test_a_window_alone_and_in_a_padded_batch(causal):
    ours = layer(torch.float32, causal=causal)
    x = windows(dtype=torch.float32)
    mask = torch.zeros(3, 21, dtype=torch.bool)
    mask[1, 13:] = True
    mask[2] = True
    x[mask] = torch.nan
    found = ours(x, mask)
    torch.testing.assert_close(found[1, :13], ours(x[1:2, :13])[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(ours.last(x, mask)[1], found[1, 12], rtol=0, atol=1e-6)
    assert torch.equal(found[mask], ours.out_projection.bias.expand(int(mask.sum()), -1))


def test_random_state_decides_and_torchs_generator_is_untouched():
    state = torch.get_rng_state()
    ours = layer()
    for name, value in layer().state_dict().items():
        assert torch.equal(value, ours.state_dict()[name])
    assert not torch.equal(FavorAttention(12, 3, random_state=1, dtype=torch.float64)(windows()), ours(windows()))
    again = layer().draw(torch.Generator().manual_seed(5))
    assert torch.equal(again(windows()), layer().draw(torch.Generator().manual_seed(5))(windows()))
    assert torch.equal(torch.get_rng_state(), state)


def test_frequencies_are_drawn_anew_after_the_interval_and_never_in_evaluation():
    ours = layer(redraw_interval=2)
    x = windows()
    seen = []
    for _ in range(5):
        ours(x)
        seen.append(ours.feature_map.projection.clone())
    saved = pickle.loads(pickle.dumps(ours))  # in the middle of an interval
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[2], seen[3])
    assert not torch.equal(seen[1], seen[2])
    assert not torch.equal(seen[3], seen[4])
    for one in (ours, saved):
        one(x)
        one(x)
    assert torch.equal(ours.feature_map.projection, saved.feature_map.projection)
    ours.eval()
    before = copy.deepcopy(ours.state_dict())
    for _ in range(3):
        ours(x)
    for name, value in ours.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_default_number_of_features_and_the_size_of_a_row():
    assert FavorAttention(64, 1).feature_map.n_features == 266
    assert layer(hyperbolic=True, n_features=7).feature_map.n_features == 8
    assert layer().row_size(100) > layer().row_size(10)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"d_model": 10}, "n_heads=3 does not divide d_model=10"),
        ({"kernel": "cosine"}, "kernel='cosine'"),
        ({"kernel": "relu", "hyperbolic": True}, "hyperbolic goes with 'softmax'"),
        ({"redraw_interval": 0}, "redraw_interval=0"),
        ({"n_features": 0}, "n_features=0"),
        ({"n_features": 3.5}, "n_features=3.5"),
        ({"n_heads": 3.0}, "n_heads=3.0"),
        ({"redraw_interval": 1.5}, "redraw_interval=1.5"),
        ({"random_state": "zero"}, "random_state must be"),
    ],
)
def test_wrong_parameters(kwargs, message):
    with pytest.raises(ValueError, match=message):
        FavorAttention(**({"d_model": 12, "n_heads": 3} | kwargs))


def test_wrong_inputs():
    with pytest.raises(ValueError, match=r"x must have shape \(batch, length, 12\)"):
        layer()(torch.zeros(3, 12, dtype=torch.float64))
    with pytest.raises(ValueError, match="key_padding_mask must be boolean"):
        layer()(windows(), torch.zeros(3, 20, dtype=torch.bool))
    causal = layer(causal=True)
    state = causal.init_state(2)
    with pytest.raises(ValueError, match="Only a causal layer has a state"):
        layer().init_state(2)
    with pytest.raises(ValueError, match="Only a causal layer has a state"):
        layer().step(windows()[:2, 0], state)
    with pytest.raises(ValueError, match=r"x_t must have shape \(batch, 12\)"):
        causal.step(windows()[:2], state)
    with pytest.raises(ValueError, match=r"state.S must have shape \(3, 3, 8, 4\)"):
        causal.step(windows()[:, 0], state)
    with pytest.raises(ValueError, match="one position or more"):
        layer().last(windows(0))


def test_a_call_that_fails_is_not_counted():
    ours = layer(redraw_interval=1)
    for method in (ours.forward, ours.last):
        with pytest.raises(ValueError, match="x must have shape"):
            method(torch.zeros(3, 12, dtype=torch.float64))
    assert int(ours.n_calls) == 0


def test_weights_are_drawn_on_the_cpu_whatever_the_default_device():
    expected = layer().state_dict()
    with torch.device("meta"):
        found = layer(device="cpu").state_dict()
    for name, value in expected.items():
        assert torch.equal(found[name], value)
