"""Linear attention against a loop over positions, for every combination of its parameters."""

import itertools
import pickle

import numpy as np
import pytest
import torch

from skpapers.attention import LinearAttentionState, linear_attention
from skpapers.attention._linear_attention_blocks import Pass
from skpapers.attention._linear_attention_gradients import Trace
from skpapers.attention._linear_attention_state import empty_state
from skpapers.attention._performer import GeneralizedFeatures, PositiveFeatures
from skpapers.attention._random_feature_attention import ArcCosineFeatures, FourierFeatures

HEADS = 2
DIMS = 5
MAPS = {
    "none": lambda dtype: None,
    "positive": lambda dtype: PositiveFeatures(DIMS, 7, dtype=dtype),
    "hyperbolic": lambda dtype: PositiveFeatures(DIMS, 8, hyperbolic=True, dtype=dtype),
    "relu": lambda dtype: GeneralizedFeatures(DIMS, 6, "relu", dtype=dtype),
    "sigmoid": lambda dtype: GeneralizedFeatures(DIMS, 6, "sigmoid", dtype=dtype),
    "softplus": lambda dtype: GeneralizedFeatures(DIMS, 6, "softplus", dtype=dtype),
    "fourier": lambda dtype: FourierFeatures(DIMS, 6, HEADS, sigma=0.7, dtype=dtype),
    "arccos": lambda dtype: ArcCosineFeatures(DIMS, 6, HEADS, dtype=dtype),
}


def feature_map(name, dtype=torch.float64):
    made = MAPS[name](dtype)
    if made is not None:
        made.draw(np.random.RandomState(3))
    return made


def data(L, S=None, B=3, dtype=torch.float64, scale=1.0, seed=0, values=4):
    """Return queries, keys and values; keys and queries are positive, so that sums of features are not near zero."""
    g = torch.Generator().manual_seed(seed)
    S = L if S is None else S
    q, k = (scale * torch.rand(B, HEADS, n, DIMS, generator=g, dtype=torch.float64) for n in (L, S))
    v = torch.randn(B, HEADS, S, values, generator=g, dtype=torch.float64)
    return tuple(x.to(dtype) for x in (q, k, v))


def gates(L, B=3, dtype=torch.float64, low=0.2):
    g = torch.Generator().manual_seed(9)
    return (low + (1.0 - low) * torch.rand(B, HEADS, L, generator=g, dtype=torch.float64)).to(dtype)


def padding(S, B=3):
    """Return a mask: a row without padding, one padded in front and at the end, and one of padding only."""
    mask = torch.zeros(B, S, dtype=torch.bool)
    mask[1, S // 2 + 1 :] = True
    mask[1, 0] = S > 1
    mask[2] = True
    return mask


def loop(q, k, v, phi=None, causal=False, mask=None, gate=None, normalizer="sum", smallest=0.0):
    """Return attention in float64, position by position, from the definition."""
    q, k = (x.double() if phi is None else phi(x.double()) for x in (q, k))
    v = v.double()
    B, H, L, _ = q.shape
    out = torch.zeros(B, H, L, v.shape[-1], dtype=torch.float64)
    for b, h in itertools.product(range(B), range(H)):
        S = torch.zeros(k.shape[-1], v.shape[-1], dtype=torch.float64)
        z = torch.zeros(k.shape[-1], dtype=torch.float64)
        n = 0
        for t in range(L):
            for s in range(t, t + 1) if causal else range(k.shape[2] if t == 0 else 0):
                if mask is not None and mask[b, s]:
                    continue
                g = torch.tensor(0.0) if gate is None else gate[b, h, s].double()
                keep = 1.0 if gate is None else g
                S = keep * S + (1.0 - g) * torch.outer(k[b, h, s], v[b, h, s])
                z = keep * z + (1.0 - g) * k[b, h, s]
                n += 1
            total = q[b, h, t] @ z
            if n == 0 or (normalizer == "sum" and total == 0.0):  # no key counts, or all features of q are zero
                continue
            if smallest:
                total = torch.copysign(total.abs().clamp(min=smallest), total)
            divisor = {"sum": total, "count": float(n), None: 1.0}[normalizer]
            out[b, h, t] = q[b, h, t] @ S / divisor
    return out


COMBINATIONS = [
    (causal, masked, gated, normalizer)
    for causal, masked, gated in (
        (False, False, False),
        (False, True, False),
        *itertools.product([True], [False, True], [False, True]),
    )
    for normalizer in ("sum", "count", None)
]


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(("causal", "masked", "gated", "normalizer"), COMBINATIONS)
def test_it_is_the_loop(name, causal, masked, gated, normalizer):
    L = 13
    phi = feature_map(name)
    smallest = 1e-3 if name == "fourier" else 0.0
    q, k, v = data(L)
    mask = padding(L) if masked else None
    gate = gates(L) if gated else None
    expected = loop(q, k, v, phi, causal, mask, gate, normalizer, smallest)
    found = {}
    for dtype, chunk_size in itertools.product((torch.float64, torch.float32), (None, 1, 4)):
        cast = feature_map(name, dtype)
        found[dtype, chunk_size] = linear_attention(
            *(x.to(dtype) for x in (q, k, v)),
            feature_map=cast,
            causal=causal,
            key_padding_mask=mask,
            gate=None if gate is None else gate.to(dtype),
            normalizer=normalizer,
            chunk_size=chunk_size,
        )
    for (dtype, _), out in found.items():
        assert out.dtype == dtype
        limit = 1e-10 if dtype == torch.float64 else 2e-5
        torch.testing.assert_close(out.double(), expected, rtol=limit, atol=limit)


@pytest.mark.parametrize("name", ["positive", "relu", "fourier"])
@pytest.mark.parametrize(
    ("masked", "gated", "normalizer"), [(False, False, "sum"), (True, True, "sum"), (True, False, "count")]
)
def test_streaming_continues_a_causal_pass(name, masked, gated, normalizer):
    """Parts of 5, 1 and 7 positions, with a state that is saved and loaded between them."""
    L = 13
    phi = feature_map(name)
    q, k, v = data(L)
    mask = padding(L) if masked else None
    gate = gates(L) if gated else None
    kwargs = {"feature_map": phi, "causal": True, "normalizer": normalizer}
    whole, end = linear_attention(q, k, v, key_padding_mask=mask, gate=gate, return_state=True, **kwargs)
    state = None
    parts = []
    for rows in (slice(0, 5), slice(5, 6), slice(6, 13)):
        before = pickle.dumps(state)
        out, after = linear_attention(
            *(x[:, :, rows] for x in (q, k, v)),
            key_padding_mask=None if mask is None else mask[:, rows],
            gate=None if gate is None else gate[:, :, rows],
            state=state,
            return_state=True,
            **kwargs,
        )
        assert pickle.dumps(state) == before  # a step is pure
        state = pickle.loads(pickle.dumps(after))
        parts.append(out)
    torch.testing.assert_close(torch.cat(parts, dim=2), whole, rtol=1e-10, atol=1e-12)
    for ours, theirs in zip(state, end, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_state_of_other_keys_and_all_queries():
    """Without `causal`, keys can be added in parts, and every query sees all of them."""
    phi = feature_map("positive")
    q, k, v = data(6, 11)
    expected = linear_attention(q, k, v, feature_map=phi)
    _, state = linear_attention(q[:, :, :1], k[:, :, :4], v[:, :, :4], feature_map=phi, return_state=True)
    found = linear_attention(q, k[:, :, 4:], v[:, :, 4:], feature_map=phi, state=state)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", [*MAPS, "positive, scaled", "hyperbolic, scaled"])
@pytest.mark.parametrize(("causal", "masked", "gated", "normalizer"), COMBINATIONS)
def test_gradients(name, causal, masked, gated, normalizer, monkeypatch):
    """Along random directions, which is a hundred times faster than entry by entry."""
    name, *scaled = name.split(", ")
    if scaled:
        monkeypatch.setattr(PositiveFeatures, "is_small", lambda self, q, k: False)
    if name in ("relu", "arccos", "hyperbolic"):
        monkeypatch.setattr("skpapers.attention._linear_attention_blocks.KEPT", 0)  # features are computed again
    L = 5
    phi = feature_map(name)
    q, k, v = (x.requires_grad_() for x in data(L, B=3, values=2))
    gate = gates(L).requires_grad_() if gated else None
    mask = padding(L) if masked else None
    parameters = [] if phi is None else list(phi.parameters())

    def function(q, k, v, gate, *parameters):  # what the map learns is part of it
        return linear_attention(
            q,
            k,
            v,
            feature_map=phi,
            causal=causal,
            key_padding_mask=mask,
            gate=gate,
            normalizer=normalizer,
            chunk_size=2,
        )

    assert torch.autograd.gradcheck(function, (q, k, v, gate, *parameters), atol=1e-6, fast_mode=True)


@pytest.mark.parametrize("kept", [0, 2**21])
@pytest.mark.parametrize("name", ["positive", "positive, scaled", "fourier"])
@pytest.mark.parametrize(
    ("causal", "gated", "normalizer"), [(False, False, "sum"), (True, False, "count"), (True, True, "sum")]
)
def test_outputs_and_gradients_after_a_state(name, causal, gated, normalizer, kept, monkeypatch):
    """Keys of a state count as they do in one call; without `causal` there may be more keys than queries."""
    name, *scaled = name.split(", ")
    if scaled:
        monkeypatch.setattr(PositiveFeatures, "is_small", lambda self, q, k: False)
    monkeypatch.setattr("skpapers.attention._linear_attention_blocks.KEPT", kept)
    phi = feature_map(name)
    of_state = data(3, seed=7, values=2)
    inputs = data(4, 4 if causal else 6, values=2)
    gate = gates(7) if gated else None
    kwargs = {"feature_map": phi, "causal": causal, "normalizer": normalizer, "chunk_size": 2}
    _, state = linear_attention(*of_state, gate=gate[:, :, :3] if gated else None, return_state=True, **kwargs)
    whole = linear_attention(*(torch.cat(both, 2) for both in zip(of_state, inputs, strict=True)), gate=gate, **kwargs)

    def function(q, k, v, gate, *parameters):
        return linear_attention(q, k, v, gate=gate, state=state, **kwargs)

    tracked = [x.requires_grad_() for x in (*inputs, gate[:, :, 3:])] if gated else [x.requires_grad_() for x in inputs]
    arguments = tracked if gated else [*tracked, None]
    torch.testing.assert_close(function(*arguments), whole[:, :, -4:])
    assert torch.autograd.gradcheck(function, (*arguments, *phi.parameters()), atol=1e-6, fast_mode=True)


@pytest.mark.parametrize("kind", ["full", "causal", "gated"])
def test_gradients_of_many_blocks_and_groups(kind, monkeypatch):
    """Small blocks: several groups of the batch, several blocks of rows; features kept or not: one gradient."""
    L = 23
    causal = kind != "full"
    phi = feature_map("positive")
    inputs = [*data(L), *([gates(L)] if kind == "gated" else [])]
    found = []
    for block, kept in ((2**17, 2**21), (200, 2**21), (2**17, 0), (200, 0)):
        monkeypatch.setattr("skpapers.attention._linear_attention_blocks.BLOCK", block)
        monkeypatch.setattr("skpapers.attention._linear_attention_blocks.KEPT", kept)
        monkeypatch.setattr("skpapers.attention._linear_attention_blocks.ROWS", (3, 512))
        tracked = [x.clone().requires_grad_() for x in inputs]
        gate = tracked[3] if kind == "gated" else None
        out = linear_attention(*tracked[:3], feature_map=phi, causal=causal, gate=gate, chunk_size=6)
        out.square().sum().backward()
        found.append([out, *(x.grad for x in tracked)])
    problem = Pass(*inputs[:3], None, None, None, phi, phi.projection, True, None, False, causal)
    assert len(list(problem.groups())) > 1
    for other in found[1:]:
        for ours, theirs in zip(other, found[0], strict=True):
            torch.testing.assert_close(ours, theirs)


def test_two_backward_passes_of_one_graph():
    q, k, v = (x.requires_grad_() for x in data(9))
    out = linear_attention(q, k, v, feature_map=feature_map("positive"), causal=True, chunk_size=4)
    first = torch.autograd.grad(out.sum(), (q, k, v), retain_graph=True)
    second = torch.autograd.grad(out.sum(), (q, k, v))
    for ours, theirs in zip(first, second, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["positive", "fourier"])
@pytest.mark.parametrize("kept", [0, 2**21])
def test_frequencies_that_are_drawn_between_the_passes(name, kept, monkeypatch):
    """A layer that redraws may be called twice before its first backward pass, which needs the earlier frequencies."""
    monkeypatch.setattr("skpapers.attention._linear_attention_blocks.KEPT", kept)
    found = []
    for redraw in (False, True):
        phi = feature_map(name)
        tracked = [*(x.requires_grad_() for x in data(9)), *phi.parameters()]
        out = linear_attention(*tracked[:3], feature_map=phi, causal=True, chunk_size=4)
        if redraw:
            phi.draw(np.random.RandomState(8))
        found.append(torch.autograd.grad(out.square().sum(), tracked))
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ["positive", "fourier"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_nothing_is_kept(name, causal, mode, monkeypatch):
    """Although the map has a parameter that requires a gradient."""
    phi = feature_map(name)
    inputs = data(9)
    q, k, v = (x.clone().requires_grad_() for x in inputs)
    expected = linear_attention(q, k, v, feature_map=phi, causal=causal, chunk_size=4)
    seen = []
    keep = Trace.keep
    monkeypatch.setattr(Trace, "keep", lambda self, *args: (seen.append(self.keeps), keep(self, *args)))
    with mode():
        found = linear_attention(*inputs, feature_map=phi, causal=causal, chunk_size=4)
        problem = Pass(*inputs, None, None, None, phi, phi.projection, True, None, False, causal, training=False)
    assert torch.equal(found, expected)
    assert not any(seen)
    assert not problem.keeps_features


# Short dtypes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["none", "positive", "relu", "fourier"])
@pytest.mark.parametrize(("causal", "gated"), [(False, False), (True, False), (True, True)])
def test_short_dtypes_are_computed_in_float32(name, causal, gated, dtype):
    """Under autocast as well, whose products would be short again; gradients are those of float32, then rounded."""
    found = []
    for inner in (torch.float32, dtype):
        rounded = [x.to(dtype).to(inner).requires_grad_() for x in data(20)]
        gate = gates(20).to(dtype).to(inner) if gated else None
        phi = feature_map(name, torch.float32)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=inner == dtype):
            out, state = linear_attention(
                *rounded, feature_map=phi, causal=causal, gate=gate, normalizer="count", return_state=True
            )
            gradients = torch.autograd.grad(out.float().sum(), rounded)
        assert out.dtype == inner
        assert all(x.dtype == torch.float32 for x in state)
        found.append([out, *gradients])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(theirs, ours.to(dtype), rtol=2 * torch.finfo(dtype).eps, atol=1e-6)


@pytest.mark.parametrize("name", ["positive", "fourier"])
def test_long_streams_of_bfloat16(name):
    """Sums of bfloat16 stop at 256 ones."""
    q, k, v = data(400, B=1, dtype=torch.bfloat16)
    phi = feature_map(name, torch.bfloat16)
    kwargs = {"feature_map": phi, "causal": True, "normalizer": "count"}
    whole = linear_attention(q, k, v, **kwargs)
    state = None
    for t in range(400):
        rows = slice(t, t + 1)
        out, state = linear_attention(*(x[:, :, rows] for x in (q, k, v)), state=state, return_state=True, **kwargs)
    torch.testing.assert_close(out, whole[:, :, -1:])
    assert float(state.n_keys) == 400.0


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_dtypes_are_right_for_long_queries_and_keys(dtype):
    q, k, v = (x.to(dtype) for x in long_rows(70, 30.0))
    found = linear_attention(q, k, v, feature_map=long_map(), causal=True)
    expected = linear_attention(q.float(), k.float(), v.float(), feature_map=long_map(), causal=True)
    torch.testing.assert_close(found, expected.to(dtype))


# Long queries and keys ---------------------------------------------------------------------------------------------


def long_rows(L, length, d=16, seed=0, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(2, HEADS, L, d, generator=g, dtype=torch.float64) for _ in range(3))
    q, k = (length * x / x.norm(dim=-1, keepdim=True) for x in (q, k))
    return tuple(x.to(dtype) for x in (q, k, v))


def long_map(d=16, m=40, dtype=torch.float32):
    phi = PositiveFeatures(d, m, dtype=dtype)
    phi.draw(np.random.RandomState(0))
    return phi


@pytest.mark.parametrize("length", [1e-3, 3.0, 10.0, 30.0, 100.0])
@pytest.mark.parametrize(("causal", "gated"), [(False, False), (True, False), (True, True)])
def test_float32_is_right_for_long_queries_and_keys(length, causal, gated):
    """Against float64, where logarithms of features are summed by logsumexp."""
    L = 70
    q, k, v = long_rows(L, length)
    gate = gates(L, B=2, dtype=torch.float32, low=0.6) if gated else None
    out = linear_attention(q, k, v, feature_map=long_map(), causal=causal, gate=gate)
    assert torch.isfinite(out).all()
    W = long_map().projection.double()
    qs, ks = (x.double() for x in (q, k))
    of_q = qs @ W.mT
    of_k = ks @ W.mT - 0.5 * ks.square().sum(-1, keepdim=True) / 4.0
    logits = torch.logsumexp(of_q[:, :, :, None] + of_k[:, :, None], dim=-1)
    if causal:
        logits = logits.masked_fill(torch.ones(L, L, dtype=torch.bool).triu(1), -torch.inf)
    if gated:
        c = gate.double().log().cumsum(-1)
        logits = logits + c[..., :, None] - c[..., None, :] + (1.0 - gate.double()).log()[..., None, :]
    expected = torch.softmax(logits, dim=-1) @ v.double()
    # Exponents of size 100 have errors of 1e-5 in float32.
    torch.testing.assert_close(out.double(), expected, rtol=0, atol=1e-6 * max(10.0, 3.0 * length * length / 4.0))


@pytest.mark.parametrize("causal", [False, True])
def test_long_queries_of_short_keys(causal):
    q, k, v = long_rows(20, 0.1)
    q *= 1000.0
    found = linear_attention(q, k, v, feature_map=long_map(), causal=causal)
    expected = linear_attention(
        *(x.double() for x in (q, k, v)), feature_map=long_map(dtype=torch.float64), causal=causal
    )
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("length", [1.0, 30.0])
@pytest.mark.parametrize("last", ["short", "long", "very long"])
@pytest.mark.parametrize("L", [1, 5, 64, 65, 130])
def test_the_last_key_moves_no_earlier_output(length, last, L):
    q, k, v = long_rows(L, length)
    phi = long_map()
    before = linear_attention(q, k, v, feature_map=phi, causal=True)
    changed = k.clone()
    changed[:, :, -1] = {"short": 0.0, "long": 30.0, "very long": 1e4}[last]
    values = v.clone()
    values[:, :, -1] = 1e3
    after = linear_attention(q, changed, values, feature_map=phi, causal=True)
    limit = 1e-5 if length == 1.0 else 2e-4  # of float32 exponents, not of the change
    torch.testing.assert_close(after[:, :, :-1], before[:, :, :-1], rtol=0, atol=limit)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("name", MAPS)
def test_later_keys_that_are_not_finite_do_not_reach_earlier_outputs(name, gated, value):
    """Nor do other heads see them; outputs of the head are NaN from there on, and so is its state."""
    L = 70
    q, k, v = data(L)
    gate = gates(L) if gated else None
    phi = feature_map(name)
    options = {"feature_map": phi, "causal": True, "return_state": True, "chunk_size": 32}
    expected, at_the_end = linear_attention(q, k, v, gate=gate, **options)
    k[0, 0, 40, 2] = value
    v[1, 1, 69, 0] = value
    q[2, 0, 50, 1] = torch.nan
    if gated:
        gate[0, 1, 60] = torch.nan
    found, state = linear_attention(q, k, v, gate=gate, **options)
    lost = torch.zeros(found.shape[:3], dtype=torch.bool)
    lost[0, 0, 40:] = True
    lost[1, 1, 69] = True
    lost[2, 0, 50] = True
    lost[0, 1, 60:] = gated
    torch.testing.assert_close(found[~lost], expected[~lost])
    assert found[lost].isnan().all()
    ended = torch.tensor([[True, gated], [False, True], [False, False]])
    more = {"feature_map": phi, "causal": True, "gate": gates(3) if gated else None}
    again = linear_attention(*data(3), state=state, **more)
    assert again[ended].isnan().all()
    torch.testing.assert_close(again[~ended], linear_attention(*data(3), state=at_the_end, **more)[~ended])


def test_a_chunk_whose_keys_differ_too_much_is_halved():
    """Short keys after long ones: with one scale for the chunk the first outputs would be 0 / 0."""
    q, k, v = long_rows(64, 1.0)
    k[:, :, :40] *= 60.0
    phi = long_map()
    out = linear_attention(q, k, v, feature_map=phi, causal=True)
    parts = linear_attention(q, k, v, feature_map=phi, causal=True, chunk_size=1)
    torch.testing.assert_close(out, parts, rtol=0, atol=1e-3)
    torch.testing.assert_close(out[:, :, 0], v[:, :, 0])
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("rows", [slice(20, 40), slice(0, 20), slice(0, 40)], ids=["second half", "first half", "all"])
def test_streams_of_long_keys(rows):
    """The state may have a scale from the first key on, get one later, or keep one that later keys do not need."""
    q, k, v = long_rows(40, 1.0)
    k[:, :, rows] *= 50.0
    phi = long_map()
    whole = linear_attention(q, k, v, feature_map=phi, causal=True)
    state = empty_state(2, HEADS, phi.n_features, 16, torch.float32, "cpu")
    parts = []
    for t in range(40):
        out, state = linear_attention(
            *(x[:, :, t : t + 1] for x in (q, k, v)), feature_map=phi, causal=True, state=state, return_state=True
        )
        parts.append(out)
    # Exponents of size 300 have errors of 1e-4 in float32.
    torch.testing.assert_close(torch.cat(parts, dim=2), whole, rtol=0, atol=1e-3)


def test_independent_frequencies_may_all_point_the_same_way():
    """All features of a query and of the keys may then be tiny at once, and so must not be taken for small numbers."""
    phi = PositiveFeatures(4, 4, orthogonal=False)
    phi.projection.copy_(torch.tensor([5.0, 0.0, 0.0, 0.0]).expand(4, 4))
    q = torch.tensor([-9.0, 0.0, 0.0, 0.0]).expand(1, 1, 3, 4)
    v = torch.randn(1, 1, 3, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(linear_attention(q, q, v, feature_map=phi), v.mean(2, keepdim=True).expand_as(v))


# Edge cases --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", ["positive", "fourier", "relu"])
def test_rows_of_padding_only_are_zero(name, causal):
    q, k, v = (x.requires_grad_() for x in data(9))
    mask = torch.ones(3, 9, dtype=torch.bool)
    out = linear_attention(q, k, v, feature_map=feature_map(name), causal=causal, key_padding_mask=mask)
    assert not out.any()
    out.sum().backward()
    for x in (q, k, v):
        assert not x.grad.any()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", ["positive", "fourier", "relu"])
def test_padded_keys_count_for_nothing(name, causal):
    q, k, v = data(30, B=1, dtype=torch.float32)
    phi = feature_map(name, torch.float32)
    alone = linear_attention(q[:, :, :17], k[:, :, :17], v[:, :, :17], feature_map=phi, causal=causal)
    mask = torch.arange(30)[None] >= 17
    k[:, :, 17:] *= 1e3
    padded = linear_attention(q, k, v, feature_map=phi, causal=causal, key_padding_mask=mask)
    torch.testing.assert_close(padded[:, :, :17], alone, rtol=0, atol=1e-6)


def test_no_rows_and_no_positions():
    phi = feature_map("positive")
    q, k, v = data(4, B=0)
    assert linear_attention(q, k, v, feature_map=phi).shape == (0, HEADS, 4, 4)
    q, k, v = data(0)
    assert linear_attention(q, k, v, feature_map=phi, causal=True).shape == (3, HEADS, 0, 4)
    q, k, v = data(4, S=0)
    assert not linear_attention(q, k, v, feature_map=phi).any()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "shapes", [((2, 0, 3, 4), (2, 0, 3, 5)), ((2, 2, 3, 0), (2, 2, 3, 5)), ((2, 2, 3, 4), (2, 2, 3, 0))]
)
def test_no_heads_and_no_dimensions_are_an_error(shapes, causal):
    q, v = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match=r"must have one head and one dimension or more, got shapes \(2, "):
        linear_attention(q, q, v, causal=causal)


def test_strides_and_a_function_for_a_map():
    q, k, v = data(12)
    expected = linear_attention(q, k, v, feature_map=torch.exp, causal=True)
    strided = [x.permute(3, 2, 0, 1).contiguous().permute(2, 3, 1, 0) for x in (q, k, v)]
    torch.testing.assert_close(linear_attention(*strided, feature_map=torch.exp, causal=True), expected)
    torch.testing.assert_close(expected, loop(q, k, v, torch.exp, causal=True))


def test_transforms_of_torch_are_errors_as_documented():
    q, k, v = data(3)
    with pytest.raises(RuntimeError, match="setup_context"):
        torch.func.grad(lambda x: linear_attention(x, k, v).sum())(q)


def test_gates_of_exactly_zero_and_one():
    q, k, v = (x.requires_grad_() for x in data(6))
    gate = gates(6)
    gate[:, :, 2] = 0.0
    gate[:, :, 3] = 1.0
    gate.requires_grad_()
    out = linear_attention(q, k, v, feature_map=feature_map("positive"), causal=True, gate=gate)
    torch.testing.assert_close(out, loop(q, k, v, feature_map("positive"), True, None, gate), rtol=1e-8, atol=1e-8)
    out.sum().backward()
    assert all(torch.isfinite(x.grad).all() for x in (q, k, v, gate))


@pytest.mark.parametrize("name", ["none", "positive"])
def test_small_gates_do_not_overflow(name):
    """Their product over a chunk is below the smallest number of float32."""
    q, k, v = data(40, B=1, dtype=torch.float32)
    gate = torch.full((1, HEADS, 40), 0.02)
    phi = feature_map(name, torch.float32)
    found = linear_attention(q, k, v, feature_map=phi, causal=True, gate=gate)
    expected = loop(q, k, v, feature_map(name), True, None, gate)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("kept", [0, 2**21])
def test_gradients_where_the_sum_of_weights_is_kept_from_zero(gated, kept, monkeypatch):
    """It is a constant there, and a gate changes the weighted sum alone."""
    monkeypatch.setattr("skpapers.attention._linear_attention_blocks.KEPT", kept)
    phi = FourierFeatures(2, 1, 1, dtype=torch.float64)
    phi.projection.copy_(torch.tensor([[[np.pi / 2 + 2e-4, 0.0]]]))  # one weight is cos(w . (q - k)) = -2e-4
    q, k = (torch.tensor(x, dtype=torch.float64).expand(1, 1, 3, 2) for x in ([1.0, 0.0], [0.0, 1.0]))
    g = torch.Generator().manual_seed(0)
    v = torch.randn(1, 1, 3, 2, generator=g, dtype=torch.float64)
    gate = torch.full((1, 1, 3), 0.4, dtype=torch.float64).requires_grad_() if gated else None
    q, k, v = (x.clone().requires_grad_() for x in (q, k, v))

    def function(q, k, v, gate, log_sigma):
        return linear_attention(q, k, v, feature_map=phi, causal=True, gate=gate, chunk_size=2)

    assert torch.autograd.gradcheck(function, (q, k, v, gate, phi.log_sigma), atol=1e-6)


def test_the_global_generator_and_the_inputs_are_untouched():
    state = torch.get_rng_state()
    inputs = data(20)
    before = [x.clone() for x in inputs]
    linear_attention(*inputs, feature_map=feature_map("fourier"), causal=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(x, y) for x, y in zip(inputs, before, strict=True))


def test_the_state_is_a_named_tuple():
    q, k, v = data(5)
    _, state = linear_attention(q, k, v, feature_map=feature_map("positive"), causal=True, return_state=True)
    assert isinstance(state, LinearAttentionState)
    assert state.S.shape == (3, HEADS, 7, 4)
    assert state.z.shape == state.log_scale.shape == (3, HEADS, 7)
    torch.testing.assert_close(state.n_keys, torch.full((3,), 5.0, dtype=torch.float64))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normalizer": "mean"}, "normalizer must be"),
        ({"gate": torch.ones(3, HEADS, 6)}, "gate needs causal=True"),
        ({"gate": torch.ones(3, 6), "causal": True}, r"gate must have shape \(3, 2, 6\)"),
        ({"key_padding_mask": torch.ones(3, 6)}, "key_padding_mask must be boolean"),
        ({"key_padding_mask": torch.ones(3, 5, dtype=torch.bool)}, r"of shape \(3, 6\)"),
        ({"chunk_size": 0}, "chunk_size must be"),
        ({"chunk_size": 2.5}, "chunk_size must be"),
        ({"v": torch.ones(3, HEADS, 6, 3)}, "one floating dtype, got torch.float64, torch.float64 and torch.float32"),
        ({name: torch.ones(3, HEADS, 6, 3, dtype=torch.int64) for name in "qkv"}, "one floating dtype"),
        ({"feature_map": PositiveFeatures(4, 7)}, "for heads of 4 dimensions; q has 2 of 5"),
        ({"feature_map": FourierFeatures(DIMS, 6, 3)}, "for 3 heads of 5 dimensions; q has 2 of 5"),
        ({"state": empty_state(1, HEADS, DIMS, 4, torch.float64, "cpu")}, r"state.S must have shape \(3, 2, 5, 4\)"),
        ({"state": empty_state(3, HEADS, 7, 4, torch.float64, "cpu")}, r"state.S must have shape \(3, 2, 5, 4\)"),
        ({"q": torch.ones(3, 6, 5)}, "4 dimensions"),
        (
            {"q": torch.ones(3, HEADS, 4, DIMS, dtype=torch.float64), "causal": True},
            "as many keys as queries, got 6 and 4",
        ),
        ({"k": torch.ones(3, HEADS, 6, 3)}, r"k must have shape \(3, 2, S, 5\)"),
        ({"v": torch.ones(3, HEADS, 5, 3)}, "v must have shape"),
    ],
)
def test_wrong_arguments(change, message):
    q, k, v = data(6)
    with pytest.raises(ValueError, match=message):
        linear_attention(**({"q": q, "k": k, "v": v} | change))
