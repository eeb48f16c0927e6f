"""The two gated layers against loops over positions, and what both must keep: padding, streams, the order of time."""

import pickle

import numpy as np
import pytest
import torch

from skpapers.attention import FLASH, GatedAttentionUnit
from skpapers.attention._stream_state import where

LAYERS = {
    "gau": (GatedAttentionUnit, {}),
    "gau-length": (GatedAttentionUnit, {"length": 7, "position_bias": False}),
    "flash": (FLASH, {"chunk_size": 5}),
    "flash-paper": (FLASH, {"chunk_size": 5, "normalize": "chunk", "position_bias": False, "norm": "scale"}),
}
KINDS = [
    (name, causal, activation) for name in LAYERS for causal in (False, True) for activation in ("relu2", "laplace")
]


def layer(name, causal=False, activation="relu2", dtype=torch.float64, **kwargs):
    """Return a layer none of whose parameters is at a special value."""
    kind, settings = LAYERS[name]
    settings = {**settings, **kwargs}
    made = kind(6, d_query=4, causal=causal, activation=activation, dtype=dtype, random_state=0, **settings)
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=dtype), alpha=0.4)
    return made


def inputs(*shape, dtype=torch.float64, seed=2):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def padded(x, length, starts):
    """Return rows moved to `starts` in longer rows, their padding mask, and the function that cuts them out."""
    wide = torch.full((len(x), length, x.shape[2]), torch.nan, dtype=x.dtype)
    mask = torch.ones(len(x), length, dtype=torch.bool)
    for row, start in enumerate(starts):
        wide[row, start : start + x.shape[1]] = x[row]
        mask[row, start : start + x.shape[1]] = False
    return wide, mask, lambda y: torch.stack([y[row, s : s + x.shape[1]] for row, s in enumerate(starts)])


def silu(x):
    return x / (1.0 + np.exp(-x))


def weight_of(score, activation):
    if activation == "relu2":
        return max(score, 0.0) ** 2
    return 0.5 * (1.0 + torch.erf(torch.tensor((score - 0.5**0.5) / ((0.25 / np.pi) ** 0.5 * 2**0.5))).item())


def normalised(ours, x):
    if isinstance(ours.norm, torch.nn.LayerNorm):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + ours.norm.eps)
        return x * ours.norm.weight.detach().numpy() + ours.norm.bias.detach().numpy()
    return x / np.sqrt((x**2).mean(-1, keepdims=True)) * ours.norm.weight.item()


def rotate(vector, position):
    half = len(vector) // 2
    angle = position * 10000.0 ** (-np.arange(half) / half)
    first, second = vector[:half], vector[half:]
    return np.concatenate(
        (first * np.cos(angle) - second * np.sin(angle), second * np.cos(angle) + first * np.sin(angle))
    )


def position_bias(ours, i, j):
    if ours.position_bias is None:
        return 0.0
    w = ours.position_bias.detach().numpy()
    if isinstance(ours, FLASH):
        return w[i - j + ours.chunk_size - 1]
    return rotate(w[0], i) @ rotate(w[1], j)


def brute_force(ours, x):
    """Return the outputs of one sequence (L, d) by loops over queries and keys."""
    x = x.numpy()
    e = ours.d_inner
    n = len(x)
    hidden = silu(normalised(ours, x) @ ours.in_weight.detach().numpy().T + ours.in_bias.detach().numpy())
    u, v, z = hidden[:, :e], hidden[:, e : 2 * e], hidden[:, 2 * e :]
    uses = [z * g + b for g, b in zip(ours.gamma.detach().numpy(), ours.beta.detach().numpy(), strict=True)]
    flash = isinstance(ours, FLASH)
    q, k = (uses[0], uses[2]) if flash else uses
    size = ours.chunk_size if flash else n
    divisor = size if flash else ours.length or n
    out = np.zeros((n, e))
    for i in range(n):
        before = max(1, i // size * size)
        for j in range(n):
            if i // size == j // size and (j <= i or not ours.causal):
                out[i] += weight_of(q[i] @ k[j] / divisor + position_bias(ours, i, j), ours.activation) * v[j]
            if flash and not ours.causal:
                out[i] += (uses[1][i] @ uses[3][j]) * v[j] / n
            if flash and ours.causal and j // size < i // size:
                out[i] += (uses[1][i] @ uses[3][j]) * v[j] / (before if ours.normalize == "position" else size)
    y = (u * out) @ ours.out_weight.detach().numpy().T + ours.out_bias.detach().numpy()
    return torch.from_numpy(x + y if ours.residual else y)


@pytest.mark.parametrize(("name", "causal", "activation"), KINDS)
@pytest.mark.parametrize("length", [1, 4, 5, 13])
def test_loops(name, causal, activation, length):
    ours = layer(name, causal, activation)
    x = inputs(2, length, 6)
    expected = torch.stack([brute_force(ours, row) for row in x])
    if length == 13:  # few positions are without attention, so that the comparison says something
        without = x + ours.out_bias
        assert ((expected - without).abs().amax(2) > 1e-3).double().mean() > 0.8
    torch.testing.assert_close(ours(x), expected)
    torch.testing.assert_close(ours.last(x), expected[:, -1])


@pytest.mark.parametrize(("name", "causal", "activation"), KINDS)
def test_padding_on_either_side_counts_for_nothing(name, causal, activation):
    ours = layer(name, causal, activation)
    x = inputs(3, 13, 6)
    wide, mask, cut = padded(x, 21, (0, 3, 8))
    torch.testing.assert_close(cut(ours(wide, mask)), ours(x))
    torch.testing.assert_close(ours.last(wide, mask), ours.last(x))
    single = layer(name, causal, activation, dtype=torch.float32)
    y = cut(single(wide.float(), mask))
    torch.testing.assert_close(y, single(x.float()), rtol=1e-6, atol=1e-6 * y.abs().max().item())


@pytest.mark.parametrize(("name", "causal", "activation"), KINDS)
def test_padding_inside_is_left_out(name, causal, activation):
    ours = layer(name, causal, activation, residual=False)
    x = inputs(2, 9, 6)
    x[0, 1] = torch.inf
    x[0, 7:] = torch.nan
    mask = torch.zeros(2, 9, dtype=torch.bool)
    mask[0, [1, 7, 8]] = True
    y = ours(x, mask)
    torch.testing.assert_close(y[0, [0, 2, 3, 4, 5, 6]], ours(x[:1, [0, 2, 3, 4, 5, 6]])[0])
    torch.testing.assert_close(y[1:], ours(x[1:]))
    torch.testing.assert_close(y[0, [1, 7, 8]], ours.out_bias.expand(3, -1))
    torch.testing.assert_close(ours.last(x, mask), torch.stack((y[0, 6], y[1, 8])))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_a_row_of_padding_only_has_no_attention(name, causal):
    ours = layer(name, causal, residual=False)
    x = inputs(2, 7, 6)
    mask = torch.tensor([[True] * 7, [False] * 7])
    y = ours(x, mask)
    torch.testing.assert_close(y[0], ours.out_bias.expand(7, -1))
    torch.testing.assert_close(y[1:], ours(x[1:]))
    torch.testing.assert_close(ours.last(x, mask), torch.stack((y[0, 0], y[1, -1])))
    x.requires_grad_()
    ours(x, mask).sum().backward()
    assert torch.isfinite(x.grad).all()
    assert not x.grad[0].any()


@pytest.mark.parametrize("activation", ["relu2", "laplace"])
@pytest.mark.parametrize("name", LAYERS)
def test_later_positions_do_not_move_earlier_ones(name, activation):
    ours = layer(name, True, activation, dtype=torch.float32)
    x = inputs(2, 13, 6, dtype=torch.float32)
    y = ours(x)
    changed = x.clone()
    changed[:, 12] = 1e4
    assert torch.equal(ours(changed)[:, :12], y[:, :12])
    for length in (1, 5, 6, 12):
        torch.testing.assert_close(ours(x[:, :length]), y[:, :length], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("activation", ["relu2", "laplace"])
@pytest.mark.parametrize("more", [{}, {"norm": False}])
@pytest.mark.parametrize("name", LAYERS)
def test_later_positions_that_are_not_finite_do_not_reach_earlier_ones(name, more, activation, masked, value):
    """Neither outputs nor gradients: training goes on if the loss takes the earlier outputs only."""
    ours = layer(name, True, activation, **more)
    x = inputs(3, 13, 6).requires_grad_()
    mask = None
    if masked:
        mask = torch.zeros(3, 13, dtype=torch.bool)
        mask[0, 2] = True
        mask[1, 8:] = True

    def computed(x):
        y = ours(x, mask)
        return y, *torch.autograd.grad(y[:, :6].square().sum() + y[2].square().sum(), (x, *ours.parameters()))

    expected, *gradients = computed(x)
    changed = x.detach().clone()
    changed[0, 7] = value
    changed[1, 6, 2] = value
    found, *others = computed(changed.requires_grad_())
    torch.testing.assert_close(found[:, :6], expected[:, :6])
    torch.testing.assert_close(found[2], expected[2])
    assert found[0, 7:].isnan().all()
    assert found[1, 6:8].isnan().all()
    for other, gradient in zip(others, gradients, strict=True):
        torch.testing.assert_close(other, gradient)


@pytest.mark.parametrize("name", LAYERS)
def test_padding_that_is_not_finite_leaves_gradients_alone(name):
    ours = layer(name)
    x = inputs(2, 9, 6)
    mask = torch.zeros(2, 9, dtype=torch.bool)
    mask[0, [1, 8]] = True

    def gradients():
        return torch.autograd.grad(ours(x, mask)[~mask].square().sum(), tuple(ours.parameters()))

    expected = gradients()
    x[0, [1, 8]] = torch.tensor([torch.nan, torch.inf], dtype=x.dtype)[:, None]
    for gradient, other in zip(gradients(), expected, strict=True):
        torch.testing.assert_close(gradient, other)


@pytest.mark.parametrize("causal", [False, True])
def test_the_unit_works_within_transforms_of_torch(causal):
    ours = layer("gau", causal)
    x = inputs(3, 7, 6)

    def loss(row):
        return ours(row[None]).square().sum()

    found = torch.func.vmap(torch.func.grad(loss))(x)
    expected = torch.stack([torch.autograd.grad(loss(row), row)[0] for row in x.requires_grad_()])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", LAYERS)
def test_a_stream_gives_the_causal_outputs(name):
    ours = layer(name, True)
    x = inputs(2, 17, 6)
    expected = ours(x)
    state = ours.init_state(2)
    for t in range(17):
        if t in (4, 5, 11):
            state = pickle.loads(pickle.dumps(state))
        before = pickle.dumps(state)
        y, state_after = ours.step(x[:, t], state)
        assert pickle.dumps(state) == before
        torch.testing.assert_close(y, expected[:, t])
        state = state_after


def test_streams_of_different_age():
    ours = layer("flash", True)
    x = inputs(2, 17, 6)
    states = [ours.init_state(1), ours.init_state(1)]
    for t in range(7):
        _, states[0] = ours.step(x[:1, t], states[0])
    both = type(states[0])(*(torch.cat((vars(states[0])[key], vars(states[1])[key])) for key in vars(states[0])))
    for t in range(10):
        y, both = ours.step(torch.stack((x[0, 7 + t], x[1, t])), both)
    torch.testing.assert_close(y, torch.stack((ours(x)[0, 16], ours(x)[1, 9])))


@pytest.mark.parametrize("name", LAYERS)
def test_only_causal_layers_have_a_state(name):
    ours = layer(name)
    with pytest.raises(ValueError, match="Only a causal layer"):
        ours.init_state(1)
    with pytest.raises(ValueError, match="Only a causal layer"):
        ours.step(inputs(1, 6), layer(name, True).init_state(1))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("shape", [(6,), (1, 6), (2, 5), (2, 1, 6)])
def test_a_step_is_one_position_of_each_stream(name, shape):
    ours = layer(name, True)
    with pytest.raises(ValueError, match=r"x_t must have shape \(2, 6\), got"):
        ours.step(inputs(*shape), ours.init_state(2))


@pytest.mark.parametrize("name", LAYERS)
def test_streams_without_a_step_stay_where_they_are(name):
    ours = layer(name, True)
    x = inputs(3, 19, 6)
    has_step = torch.rand(3, 19, generator=torch.Generator().manual_seed(0)) < 0.6
    x[~has_step] = torch.nan
    state = ours.init_state(3)
    for t in range(19):
        y, after = ours.step(x[:, t], state)
        state = where(has_step[:, t], after, state)
        for row in has_step[:, t].nonzero()[:, 0]:
            torch.testing.assert_close(y[row], ours(x[row : row + 1, : t + 1][:, has_step[row, : t + 1]])[0, -1])


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_autocast(name, causal):
    ours = layer(name, causal, dtype=torch.float32)
    x = inputs(2, 13, 6, dtype=torch.float32).requires_grad_()

    def computed():
        y = ours(x)
        return y, ours.last(x), *torch.autograd.grad(y.float().square().sum(), (x, *ours.parameters()))

    expected = computed()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = computed()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = (ours(x), *found[1:])
    for value, other in zip(found, expected, strict=True):
        torch.testing.assert_close(value.float(), other, rtol=0.0, atol=0.05 * other.abs().max().item())


@pytest.mark.parametrize(("name", "causal", "activation"), KINDS)
@pytest.mark.parametrize("masked", [False, True])
def test_gradients(name, causal, activation, masked):
    ours = layer(name, causal, activation)
    x = inputs(2, 7, 6).requires_grad_()
    mask = None
    if masked:
        mask = torch.zeros(2, 7, dtype=torch.bool)
        mask[0, 5:] = True
        mask[1, :2] = True
    names = [key for key, _ in ours.named_parameters()]

    def function(x, *values):
        return torch.func.functional_call(ours, dict(zip(names, values, strict=True)), (x, mask))

    assert torch.autograd.gradcheck(function, (x, *ours.parameters()), fast_mode=True)


@pytest.mark.parametrize("name", LAYERS)
def test_no_rows_and_no_positions(name):
    ours = layer(name)
    assert ours(inputs(0, 7, 6)).shape == (0, 7, 6)
    assert ours(inputs(2, 0, 6)).shape == (2, 0, 6)


@pytest.mark.parametrize("name", LAYERS)
def test_the_global_generator_is_untouched_and_random_state_decides(name):
    before = torch.get_rng_state()
    kind, settings = LAYERS[name]

    def made(random_state):
        return kind(6, d_query=4, random_state=random_state, **settings).state_dict()

    first = made(0)
    again = made(0)
    numbers = np.random.RandomState(0)
    equal = made(numbers)
    other = made(numbers)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[key], again[key]) and torch.equal(first[key], equal[key]) for key in first)
    assert not torch.equal(first["in_weight"], other["in_weight"])
    assert not torch.equal(made(None)["in_weight"], made(None)["in_weight"])
    ours = kind(6, d_query=4, random_state=3, **settings)
    ours.draw(torch.Generator().manual_seed(int(np.random.RandomState(0).randint(2**31 - 1))))
    assert all(torch.equal(first[key], value) for key, value in ours.state_dict().items())


def test_where_weights_start():
    ours = FLASH(64, random_state=0)
    limit = 64**-0.5
    assert 0.99 * limit < ours.in_weight.abs().max().item() <= limit
    assert abs(ours.gamma.mean().item() - 1.0) < 0.01
    assert 0.017 < ours.gamma.std().item() < 0.023
    assert not ours.beta.any()
    assert 0.017 < ours.position_bias.std().item() < 0.023


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"d_model": 0}, "d_model must be an integer from 1, got 0"),
        ({"d_query": 1.5}, "d_query must be an integer from 1, got 1.5"),
        ({"expansion": 0.1}, "expansion must be a finite number from 1 / d_model, got 0.1"),
        ({"expansion": "2"}, "expansion must be a finite number from 1 / d_model, got '2'"),
        ({"expansion": np.inf}, "got inf"),
        ({"activation": "relu"}, "activation must be one of 'relu2', 'laplace', got 'relu'"),
        ({"norm": "layer"}, "norm must be True, False or 'scale', got 'layer'"),
        ({"random_state": 2**32}, "random_state must be None, an integer from 0 to"),
        ({"random_state": -1}, r"random_state must be None, an integer from 0 to 2\*\*32 - 1 or a RandomState, got -1"),
    ],
)
@pytest.mark.parametrize("kind", [FLASH, GatedAttentionUnit])
def test_wrong_parameters(kind, kwargs, message):
    with pytest.raises(ValueError, match=message):
        kind(**{"d_model": 6, **kwargs})


def test_wrong_parameters_of_one_layer():
    with pytest.raises(ValueError, match="d_query must be even with a position bias, got 3"):
        GatedAttentionUnit(6, d_query=3)
    with pytest.raises(ValueError, match="length must be an integer from 1, got 0"):
        GatedAttentionUnit(6, length=0)
    with pytest.raises(ValueError, match="chunk_size must be an integer from 1, got 0"):
        FLASH(6, chunk_size=0)
    with pytest.raises(ValueError, match="normalize must be 'position' or 'chunk', got None"):
        FLASH(6, normalize=None)


@pytest.mark.parametrize("name", LAYERS)
def test_wrong_inputs(name):
    ours = layer(name)
    for x in (inputs(2, 6), inputs(2, 3, 5)):
        with pytest.raises(ValueError, match=r"x must have shape \(batch, length, 6\), got"):
            ours(x)
    with pytest.raises(ValueError, match=r"x has no position: its shape is \(2, 0, 6\)"):
        ours.last(inputs(2, 0, 6))
    with pytest.raises(ValueError, match=r"key_padding_mask must be boolean of shape \(2, 3\), got float64"):
        ours(inputs(2, 3, 6), inputs(2, 3))
    with pytest.raises(ValueError, match=r"got bool of shape \(2, 4\)"):
        ours.last(inputs(2, 3, 6), torch.zeros(2, 4, dtype=torch.bool))
