"""Made manifolds: their dimension is the stated one, by rank and by finite differences."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skpapers.datasets import make_manifold, make_pixel_noise


@pytest.mark.parametrize("make", [make_manifold, make_pixel_noise])
def test_one_seed_gives_one_draw_and_leaves_the_global_generator_alone(make):
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.random_sample()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    X, hidden = make(20, random_state=3)
    again = make(20, random_state=3)
    assert np.array_equal(X, again[0])
    assert np.array_equal(hidden, again[1])
    assert not np.array_equal(X, make(20, random_state=4)[0])
    assert np.random.random_sample() == expected  # noqa: NPY002


def test_affine_rows_keep_the_distances_of_their_coordinates():
    X, z = make_manifold(50, 4, 30, random_state=0)
    assert X.shape == (50, 30)
    assert np.allclose(X @ X.T, z @ z.T)
    assert np.abs(z).max() <= 1
    assert np.linalg.matrix_rank(X) == 4


def test_nonlinear_rows_are_a_curved_function_of_the_same_coordinates():
    X, z = make_manifold(200, 3, 30, kind="nonlinear", random_state=0)
    flat, same = make_manifold(200, 3, 30, random_state=0)
    assert np.array_equal(z, same)
    assert np.linalg.matrix_rank(X) > 3
    # the curved part is tanh of a linear function
    linear = np.arctanh(X - flat)
    assert np.linalg.matrix_rank(linear, tol=1e-8) == 3


def test_noise_is_added_to_the_same_rows():
    X, z = make_manifold(2000, 3, 10, random_state=0)
    noisy, same = make_manifold(2000, 3, 10, noise=0.1, random_state=0)
    assert np.array_equal(z, same)
    assert 0.09 < (noisy - X).std() < 0.11
    assert np.linalg.matrix_rank(noisy) == 10


def test_pixels_with_noise_are_uniform_and_the_others_are_those_of_an_image():
    images = load_digits().images / 16
    X, pixels = make_pixel_noise(3000, 6, images=images[:5], random_state=0)
    assert X.shape == (3000, 8, 8)
    rows = X.reshape(3000, 64)
    assert len(set(pixels.tolist())) == 6
    others = np.setdiff1d(np.arange(64), pixels)
    kinds = np.unique(rows[:, others], axis=0)
    assert {tuple(kind) for kind in kinds} == {tuple(image.ravel()[others]) for image in images[:5]}
    assert np.abs(np.sort(rows[:, pixels], axis=0) - np.linspace(0, 1, 3000)[:, np.newaxis]).max() < 0.05
    assert np.abs(np.corrcoef(rows[:, pixels].T) - np.eye(6)).max() < 0.08


def test_the_images_given_do_not_change():
    images = load_digits().images[:3] / 16
    before = images.copy()
    make_pixel_noise(10, 64, images=images, random_state=0)
    assert np.array_equal(images, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": 0}, "n_samples must be a positive integer, not 0"),
        ({"intrinsic_dim": 2.0}, "intrinsic_dim must be a positive integer"),
        ({"n_features": 1}, "n_features must be an integer from intrinsic_dim=2, not 1"),
        ({"kind": "curved"}, 'kind must be "affine" or "nonlinear", not \'curved\''),
        ({"noise": -1.0}, "noise must be a finite number of 0 or more"),
        ({"noise": np.nan}, "noise must be a finite number of 0 or more"),
    ],
)
def test_errors_of_manifolds(options, message):
    with pytest.raises(ValueError, match=message):
        make_manifold(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": True - 1}, "n_samples must be a positive integer"),
        ({"n_pixels": 65}, "n_pixels must be an integer from 1 to 64"),
        ({"n_pixels": 0}, "n_pixels must be an integer from 1 to 64"),
        ({"images": np.zeros((3, 4))}, r"images must have shape \(m, H, W\)"),
        ({"images": np.full((1, 2, 2), np.nan)}, "images contains NaN"),
    ],
)
def test_errors_of_pixels(options, message):
    with pytest.raises(ValueError, match=message):
        make_pixel_noise(**options)
