"""Exact attention with the interface of the layers in linear time."""

import pickle

import pytest
import torch

from skpapers.attention._softmax_attention import SoftmaxAttention


def drawn(causal=False, seed=0):
    layer = SoftmaxAttention(6, 2, causal=causal, dtype=torch.float64)
    layer.draw(torch.Generator().manual_seed(seed))
    with torch.no_grad():
        layer.projection_bias.normal_(generator=torch.Generator().manual_seed(seed + 1))
    return layer


def by_loops(layer, x, padding):
    """Return the definition: position by position, head by head."""
    q, k, v = (x @ layer.projection.T + layer.projection_bias).chunk(3, dim=-1)
    heads = torch.zeros_like(x)
    for b, t, h in torch.cartesian_prod(torch.arange(x.shape[0]), torch.arange(x.shape[1]), torch.arange(2)):
        own = slice(3 * h, 3 * h + 3)
        seen = [s for s in range(x.shape[1]) if not padding[b, s] and (not layer.causal or s <= t)]
        if seen:
            weight = torch.softmax(k[b, seen, own] @ q[b, t, own] / 3**0.5, dim=0)
            heads[b, t, own] = weight @ v[b, seen, own]
    return heads @ layer.output.T + layer.output_bias


X = torch.randn(3, 7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
NO_PADDING = torch.zeros(3, 7, dtype=torch.bool)
PADDING = torch.tensor([[False] * 7, [False] * 4 + [True] * 3, [True] * 7])


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("padding", [None, PADDING], ids=["no padding", "padding"])
def test_all_positions_and_the_last_one_are_those_of_the_definition(causal, padding):
    layer = drawn(causal)
    expected = by_loops(layer, X, NO_PADDING if padding is None else padding)
    torch.testing.assert_close(layer(X, padding), expected)
    last = [6, 6, 6] if padding is None else [6, 3, 0]
    torch.testing.assert_close(layer.last(X, padding), expected[torch.arange(3), last])


def test_gradients_of_rows_without_keys_are_finite():
    layer = drawn()
    layer(X, PADDING).square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in layer.parameters())


def test_steps_are_the_positions_of_a_causal_pass():
    layer = drawn(causal=True)
    state = layer.init_state(3)
    for t in range(7):
        before = pickle.dumps(state)
        out, after = layer.step(X[:, t], state)
        torch.testing.assert_close(out, layer(X)[:, t])
        assert pickle.dumps(state) == before
        state = pickle.loads(pickle.dumps(after))


def test_streams_need_a_causal_layer():
    with pytest.raises(ValueError, match="Streaming needs causal=True"):
        drawn().init_state(3)


def test_heads_divide_the_width():
    with pytest.raises(ValueError, match="d_model=6 must be a multiple of n_heads=4"):
        SoftmaxAttention(6, 4, dtype=torch.float64)
