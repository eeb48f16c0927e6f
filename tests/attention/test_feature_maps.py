"""What the base of the maps does: drawing, heads, and the block-wise form against the plain one."""

import numpy as np
import pytest
import torch

from skpapers.attention import linear_attention
from skpapers.attention._feature_maps import FeatureMap, of_rows
from skpapers.attention._performer import GeneralizedFeatures, PositiveFeatures
from skpapers.attention._random_feature_attention import ArcCosineFeatures, FourierFeatures

MAPS = {
    "positive": lambda: PositiveFeatures(6, 9, dtype=torch.float64),
    "hyperbolic": lambda: PositiveFeatures(6, 9, hyperbolic=True, dtype=torch.float64),
    "relu": lambda: GeneralizedFeatures(6, 9, dtype=torch.float64),
    "fourier": lambda: FourierFeatures(6, 9, 2, sigma=0.6, dtype=torch.float64),
    "arccos": lambda: ArcCosineFeatures(6, 9, 2, dtype=torch.float64),
}


def drawn(name, seed=0):
    phi = MAPS[name]()
    phi.draw(np.random.RandomState(seed))
    return phi


@torch.no_grad()
@pytest.mark.parametrize("name", MAPS)
def test_blocks_are_the_plain_features(name):
    phi = drawn(name)
    x = torch.randn(3, 2, 7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plain = phi(x)
    assert plain.shape == (3, 2, 7, phi.n_features)
    block = phi.block(x.reshape(6, 7, 6), of_rows(phi.scaled_projection(), 3)) * phi.factor**0.5
    torch.testing.assert_close(block.view(plain.shape), plain)


@pytest.mark.parametrize("name", MAPS)
def test_a_draw_depends_on_the_generator_alone(name):
    state = torch.get_rng_state()
    assert torch.equal(drawn(name).projection, drawn(name).projection)
    assert not torch.equal(drawn(name).projection, drawn(name, seed=1).projection)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("regularized", [False, True])
def test_frequencies_are_orthogonal_in_blocks(regularized):
    phi = PositiveFeatures(8, 16, regularized=regularized, dtype=torch.float64)
    phi.draw(np.random.RandomState(0))
    W = phi.projection / phi.scale
    for block in W.split(8):
        products = block @ block.T
        torch.testing.assert_close(products, torch.diag(products.diag()), rtol=0, atol=1e-6)
    squares = W.square().sum(1)
    assert bool((squares - 8.0).abs().max() < 1e-9) == regularized
    many = PositiveFeatures(8, 4096, dtype=torch.float64)
    many.draw(np.random.RandomState(0))
    assert abs(float((many.projection / many.scale).square().sum(1).mean()) - 8.0) < 0.2


def test_heads_have_frequencies_of_their_own():
    phi = drawn("fourier")
    assert phi.projection.shape == (2, 9, 6)
    assert not torch.equal(phi.projection[0], phi.projection[1])


def test_the_frequencies_are_saved():
    other = MAPS["positive"]()
    other.load_state_dict(drawn("positive").state_dict())
    assert torch.equal(other.projection, drawn("positive").projection)


def test_a_map_of_ones_own():
    """Features and their gradient are enough."""

    class Squares(FeatureMap):
        def features(self, u):
            return u.square()

        def features_backward(self, phi, gradient):
            return gradient * 2.0 * phi.sqrt()

    phi = Squares(4, 4, dtype=torch.float64)
    phi.projection.copy_(torch.eye(4))
    g = torch.Generator().manual_seed(0)
    q, k, v = (torch.rand(1, 2, 5, 4, generator=g, dtype=torch.float64).requires_grad_() for _ in range(3))
    weights = q.square() @ k.square().mT
    expected = weights @ v / weights.sum(-1, keepdim=True)
    torch.testing.assert_close(linear_attention(q, k, v, feature_map=phi), expected)
    assert torch.autograd.gradcheck(lambda *x: linear_attention(*x, feature_map=phi), (q, k, v))
