"""Made images: the labels are the stated ones, and what should not tell them does not."""

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from skpapers.datasets import make_channel_energy, make_glyphs, make_quadratic_halves

MAKERS = (make_quadratic_halves, make_channel_energy, make_glyphs)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (make_quadratic_halves, (1000, 40)),
        (make_channel_energy, (1000, 2, 8, 8)),
        (make_glyphs, (1000, 1, 24, 24)),
    ],
)
def test_shapes_and_defaults(make, shape):
    X, y = make(random_state=0)
    assert X.shape == shape
    assert X.dtype == np.float64
    assert y.shape == shape[:1]
    assert y.dtype == np.int64


@pytest.mark.parametrize("make", MAKERS)
def test_one_seed_gives_one_draw_and_leaves_the_global_generator_alone(make):
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.random_sample()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    X, y = make(20, random_state=3)
    again = make(20, random_state=3)
    other = make(20, random_state=4)
    assert np.array_equal(X, again[0])
    assert np.array_equal(y, again[1])
    assert not np.array_equal(X, other[0])
    assert np.random.random_sample() == expected  # noqa: NPY002


@pytest.mark.parametrize("d", [2, 10, 41 * 2])
def test_halves_are_labelled_by_their_squares(d):
    X, y = make_quadratic_halves(300, d, random_state=0)
    for row, label in zip(X, y, strict=True):
        assert label == (sum(v * v for v in row[: d // 2]) > sum(v * v for v in row[d // 2 :]))
    assert 0.3 < y.mean() < 0.7


def test_rotation_turns_the_same_rows():
    X, y = make_quadratic_halves(50, 10, random_state=0)
    U = ortho_group.rvs(10, random_state=1)
    turned, labels = make_quadratic_halves(50, 10, rotation=U, random_state=0)
    assert np.allclose(turned, X @ U)
    assert np.array_equal(labels, y)
    turned, labels = make_quadratic_halves(50, 10, rotation="random", random_state=0)
    assert not np.allclose(turned, X)
    assert np.allclose(turned @ turned.T, X @ X.T)
    assert np.array_equal(labels, y)


def test_label_noise_flips_a_share_of_the_labels():
    X, y = make_quadratic_halves(20_000, 10, random_state=0)
    same, noisy = make_quadratic_halves(20_000, 10, label_noise=0.2, random_state=0)
    assert np.array_equal(X, same)
    assert np.mean(noisy != y) == pytest.approx(0.2, abs=0.01)
    assert np.array_equal(make_quadratic_halves(99, label_noise=1.0, random_state=0)[1],
                          1 - make_quadratic_halves(99, random_state=0)[1])  # fmt: skip


def test_a_linear_model_learns_nothing_of_the_halves():
    X, y = make_quadratic_halves(20_000, 10, random_state=0)
    assert LogisticRegression().fit(X[:10_000], y[:10_000]).score(X[10_000:], y[10_000:]) < 0.53


@pytest.mark.parametrize("images", [None, load_digits().images])
def test_channels_are_labelled_by_their_energy(images):
    X, y = make_channel_energy(200, (3, 8, 8), images=images, random_state=0)
    for row, label in zip(X, y, strict=True):
        assert label == (np.sum(row[0] ** 2) > np.sum(row[1] ** 2))
        assert images is None or all((images == channel).all(axis=(1, 2)).any() for channel in row)


def test_glyphs_lie_within_the_image_and_everywhere():
    X, y = make_glyphs(4000, 7, noise=0, random_state=0)
    assert set(np.unique(X)) == {0, 1}
    assert np.all(X.sum(axis=(1, 2, 3)) == 8)
    assert np.bincount(y).min() > 900
    tops = X[y == 0, 0].any(axis=2).argmax(axis=1)
    lefts = X[y == 1, 0].any(axis=1).argmax(axis=1)
    for starts in (tops, lefts):
        assert np.bincount(starts, minlength=4).min() > 200
        assert len(np.bincount(starts)) == 4
    fixed, labels = make_glyphs(4000, 7, noise=0, position=(3, 3), random_state=0)
    assert np.array_equal(labels, y)
    assert np.all(fixed[:, 0, :3] == 0)
    assert np.all(fixed[:, 0, :, :3] == 0)


def test_a_position_moves_the_glyph_and_keeps_the_noise():
    X, y = make_glyphs(50, 9, random_state=0)
    moved, labels = make_glyphs(50, 9, position=(1, 4), random_state=0)
    assert np.array_equal(y, labels)
    noise = moved.copy()
    for k in range(4):
        clean = make_glyphs(200, 9, position=(1, 4), noise=0, random_state=0)
        noise[y == k] -= clean[0][clean[1] == k][0]
    assert np.abs(noise).max() < 2  # eight standard deviations
    assert np.sum(np.abs(noise - X) > 1e-12) == 50 * 8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_quadratic_halves(0), "n_samples must be a positive integer, not 0"),
        (lambda: make_quadratic_halves(5, 7), "n_features must be an even integer of 2 or more, not 7"),
        (lambda: make_quadratic_halves(5, 4, label_noise=2), "label_noise must be a number from 0 to 1, not 2"),
        (lambda: make_quadratic_halves(5, 4, rotation="some"), 'rotation must be "random", an orthogonal'),
        (lambda: make_quadratic_halves(5, 4, rotation=2 * np.eye(4)), "differs from the identity by 3"),
        (lambda: make_quadratic_halves(5, 4, rotation=np.eye(3)), "rotation must be an orthogonal matrix"),
        (lambda: make_channel_energy(5, (1, 8, 8)), "image_shape must be"),
        (lambda: make_channel_energy(5, 8), "image_shape must be"),
        (lambda: make_channel_energy(5, images=np.ones((3, 4, 4))), r"images must have shape \(m, 8, 8\)"),
        (lambda: make_glyphs(5, 3), "image_size must be an integer of 4 or more, not 3"),
        (lambda: make_glyphs(5, 8, position=(0, 5)), "position must be two integers from 0 to 4"),
        (lambda: make_glyphs(5, 8, noise=-1), "noise must be a finite number of 0 or more, not -1"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
