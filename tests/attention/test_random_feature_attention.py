"""RFA: its two kernels, normalizers and gate, and the layer against its definition."""

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from skpapers.attention import RandomFeatureAttention
from skpapers.attention._random_feature_attention import ArcCosineFeatures, FourierFeatures

D = 16
DRAWS = 300


def kernel_draws(phi, x, y):
    rng = np.random.RandomState(1)
    found = []
    for _ in range(DRAWS):
        phi.draw(rng)
        found.append((phi(x) * phi(y)).sum(-1))
    return torch.stack(found)


def rows(seed=0, n=6):
    """Return rows of any length: the map divides by it."""
    x, y = np.random.RandomState(seed).standard_normal((2, 1, n, D))
    return torch.from_numpy(3.0 * x), torch.from_numpy(0.2 * y)


@pytest.mark.parametrize("sigma", [0.7, 1.5])
@pytest.mark.parametrize("orthogonal", [False, True])
def test_sines_and_cosines_estimate_the_gaussian_kernel(sigma, orthogonal):
    x, y = rows()
    phi = FourierFeatures(D, 32, 1, sigma=sigma, orthogonal=orthogonal, dtype=torch.float64)
    found = kernel_draws(phi, x, y)
    squared = (F.normalize(x, dim=-1) - F.normalize(y, dim=-1)).square().sum(-1)
    exact = torch.exp(-squared / (2.0 * sigma**2))
    assert ((found.mean(0) - exact).abs() < 4.0 * found.std(0) / DRAWS**0.5).all()
    torch.testing.assert_close((phi(x) * phi(x)).sum(-1), torch.ones(1, 6, dtype=torch.float64))


def test_rectified_products_estimate_the_arc_cosine_kernel():
    x, y = rows()
    found = kernel_draws(ArcCosineFeatures(D, 32, 1, dtype=torch.float64), x, y)
    cosine = F.cosine_similarity(x, y, dim=-1)
    theta = torch.arccos(cosine)
    exact = (torch.sin(theta) + (np.pi - theta) * cosine) / (2.0 * np.pi)
    assert ((found.mean(0) - exact).abs() < 4.0 * found.std(0) / DRAWS**0.5).all()


def test_a_vector_without_a_direction_has_a_finite_gradient():
    layer = RandomFeatureAttention(8, random_state=0, dtype=torch.float64)
    x = torch.zeros(2, 5, 8, dtype=torch.float64, requires_grad=True)
    layer(x).sum().backward()
    assert torch.isfinite(x.grad).all()


# The layer ---------------------------------------------------------------------------------------------------------

KINDS = [
    {},
    {"causal": True},
    {"causal": True, "gate": True},
    {"causal": True, "gate": True, "normalizer": "sum", "kernel": "arccos"},
    {"normalizer": "sum", "kernel": "arccos"},
    {"normalizer": None},
    {"causal": True, "normalizer": "sum", "sigma": 2.0},
]


def layer(dtype=torch.float64, **kwargs):
    return RandomFeatureAttention(12, 3, random_state=0, dtype=dtype, **kwargs)


def windows(L=21, B=3, dtype=torch.float64, seed=0):
    return torch.randn(B, L, 12, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def expected_output(ours, x):
    """Return the output of a layer from the definition, by the matrix of weights."""
    B, L, _ = x.shape
    q, k, v = ours.in_projection(x).view(B, L, 3, 3, 4).permute(2, 0, 3, 1, 4)
    weights = ours.feature_map(q) @ ours.feature_map(k).mT
    weights = weights.tril() if ours.causal else weights
    if ours.gate is not None:
        g = ours.gates(x)
        decays = torch.ones(B, 3, L, L, dtype=x.dtype)
        for t in range(L):
            for s in range(t):
                decays[:, :, t, s] = g[:, :, s + 1 : t + 1].prod(-1)
        weights = weights * decays * (1.0 - g)[:, :, None]
    total = weights.sum(-1, keepdim=True)
    counts = torch.arange(1.0, L + 1)[:, None] if ours.causal else torch.tensor(float(L))
    total = torch.copysign(total.abs().clamp(min=ours.feature_map.smallest_denominator), total)
    heads = weights @ v / {"sum": total, "count": counts, None: 1.0}[ours.normalizer]
    if ours.norm_weight is not None:
        heads = heads / (heads.square().mean(-1, keepdim=True) + 1e-8).sqrt()
    return ours.out_projection(heads.transpose(1, 2).reshape(B, L, 12))


@pytest.mark.parametrize("kwargs", KINDS)
@pytest.mark.parametrize("L", [1, 2, 21])
def test_the_layer_is_its_definition(kwargs, L):
    ours = layer(**kwargs)
    x = windows(L)
    expected = expected_output(ours, x)
    torch.testing.assert_close(ours(x), expected)
    torch.testing.assert_close(ours.last(x), expected[:, -1])


@pytest.mark.parametrize("kwargs", [kwargs for kwargs in KINDS if "causal" in kwargs])
def test_steps_are_the_causal_pass(kwargs):
    ours = layer(torch.float32, **kwargs)
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
@pytest.mark.parametrize("kwargs", [kwargs for kwargs in KINDS if "causal" in kwargs])
def test_later_positions_that_are_not_finite_do_not_reach_earlier_ones(kwargs, value):
    ours = layer(**kwargs)
    x = windows()
    expected = ours(x)
    x[1, 13] = value
    found = ours(x)
    assert found[1, 13:].isnan().all()
    found[1, 13:] = expected[1, 13:]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kwargs", KINDS)
def test_a_window_alone_and_in_a_padded_batch(kwargs):
    ours = layer(torch.float32, **kwargs)
    x = windows(dtype=torch.float32)
    mask = torch.zeros(3, 21, dtype=torch.bool)
    mask[1, 13:] = True
    mask[2] = True
    x[mask] = torch.nan
    found = ours(x, mask)
    torch.testing.assert_close(found[1, :13], ours(x[1:2, :13])[0], rtol=0, atol=2e-6)
    torch.testing.assert_close(ours.last(x, mask)[1], found[1, 12], rtol=0, atol=2e-6)
    assert torch.equal(found[mask], ours.out_projection.bias.expand(int(mask.sum()), -1))


def test_where_gates_and_sigma_start():
    ours = layer(causal=True, gate=True)
    zeros = torch.zeros(1, 4, 12, dtype=torch.float64)
    torch.testing.assert_close(ours.gates(zeros), torch.full((1, 3, 4), 3.0, dtype=torch.float64).sigmoid())
    assert torch.equal(ours.feature_map.log_sigma.exp().flatten(), torch.full((3,), 0.5, dtype=torch.float64))
    with pytest.raises(ValueError, match="has gate=False"):
        layer().gates(zeros)


@pytest.mark.parametrize("bias", [30.0, -30.0])
@pytest.mark.parametrize("normalizer", ["sum", None])
def test_gates_that_reach_zero_or_one_are_the_same_at_the_last_position(bias, normalizer):
    ours = layer(torch.float32, causal=True, gate=True, normalizer=normalizer, kernel="arccos", bias=False)
    torch.nn.init.constant_(ours.gate.bias, bias)
    torch.nn.init.zeros_(ours.gate.weight)
    x = windows(dtype=torch.float32)
    torch.testing.assert_close(ours.last(x), ours(x)[:, -1], rtol=1e-4, atol=0)


def test_gates_of_bfloat16_are_not_rounded_to_one():
    """A gate of 1 would never forget."""
    ours = layer(torch.bfloat16, causal=True, gate=True)
    torch.nn.init.constant_(ours.gate.bias, 8.0)
    torch.nn.init.zeros_(ours.gate.weight)
    gates = ours.gates(windows(dtype=torch.bfloat16))
    torch.testing.assert_close(gates, torch.full_like(gates, 8.0).sigmoid())
    assert (gates < 1.0).all()


@pytest.mark.parametrize("kwargs", KINDS)
def test_every_parameter_learns(kwargs):
    ours = layer(**kwargs)
    ours(windows()).square().sum().backward()
    for name, parameter in ours.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"d_model": 10}, "n_heads=3 does not divide d_model=10"),
        ({"kernel": "relu"}, "kernel='relu'"),
        ({"gate": True}, "gate=True needs causal=True"),
        ({"normalizer": "mean"}, "normalizer='mean'"),
        ({"sigma": 0.0}, "sigma=0.0"),
        ({"sigma": float("inf")}, "sigma=inf"),
        ({"n_features": 0}, "n_features=0"),
    ],
)
def test_wrong_parameters(kwargs, message):
    with pytest.raises(ValueError, match=message):
        RandomFeatureAttention(**({"d_model": 12, "n_heads": 3} | kwargs))
