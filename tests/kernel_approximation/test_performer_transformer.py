"""Positive features: the maps entry by entry, unbiasedness, variances of the paper, and rows of any kind."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

from skpapers.kernel_approximation import PositiveOrthogonalFeatures, RandomFourierAttentionFeatures
from tests._asserts import assert_unchanged_by
from tests.kernel_approximation._kernels import (
    arc_cosine_kernel,
    estimates,
    gaussian_kernel,
    rows_on_sphere,
    softmax_kernel,
    standard_errors_off,
)

# Longer rows have estimates of tails so heavy that hundreds of draws show no mean.
X = rows_on_sphere(7, 5, seed=0, length=0.8) * np.linspace(0.5, 1.0, 7)[:, None]
Y = rows_on_sphere(4, 5, seed=1, length=0.8)


def loop(row, W, kernel, n_features):
    """Return the features of a scaled row, one at a time, as Eq. 5 defines them."""
    h = {"softmax": np.exp(-row @ row / 2), "gaussian": np.exp(-row @ row)}.get(kernel, 1.0)
    f = {"relu": lambda u: max(u, 0.0), "softmax": np.exp, "gaussian": np.exp}.get(kernel, kernel)
    both = [w for w in W] + [-w for w in W]
    return np.array([h * f(w @ row) / np.sqrt(n_features) for w in both[:n_features]])


@pytest.mark.parametrize("kernel", ["softmax", "gaussian", "relu", np.tanh])
@pytest.mark.parametrize("n_components", [8, 9])
@pytest.mark.parametrize("hyperbolic", [False, True])
def test_features_are_those_of_the_definition(kernel, n_components, hyperbolic):
    features = PositiveOrthogonalFeatures(
        n_components=n_components, gamma=0.7, kernel=kernel, hyperbolic=hyperbolic, random_state=0
    ).fit(X)
    W = features.random_weights_.T
    scale = np.sqrt(1.4 if kernel == "gaussian" else 0.7)
    expected = [loop(scale * row, W / scale, kernel, n_components) for row in Y]
    assert_allclose(features.transform(Y), expected, rtol=1e-12)


KERNELS = {
    "softmax": lambda: softmax_kernel(X, Y, 0.7),
    "gaussian": lambda: gaussian_kernel(X, Y, 0.7),
    "relu": lambda: 0.7 * arc_cosine_kernel(X, Y),
}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize(("n_components", "hyperbolic"), [(12, False), (7, True)])
def test_the_estimate_is_unbiased(kernel, orthogonal, n_components, hyperbolic):
    features = PositiveOrthogonalFeatures(
        n_components=n_components, gamma=0.7, kernel=kernel, orthogonal=orthogonal, hyperbolic=hyperbolic
    )
    found = estimates(features, X, Y, 200)
    off = standard_errors_off(found, KERNELS[kernel]())
    assert off.max() < 4
    assert (found > 0).all() if kernel != "relu" else (found >= 0).all()
    # the test can fail: a kernel that is 50 % larger is far off
    assert standard_errors_off(found, 1.5 * KERNELS[kernel]()).max() > 6


def test_a_callable_has_the_kernel_of_its_expectation():
    """For f = sin the expectation has a closed form: exp(-(|x|^2 + |y|^2) / 2) sinh(x.y)."""
    features = PositiveOrthogonalFeatures(n_components=20, gamma=1.0, kernel=np.sin)
    squared = np.sum(X**2, axis=1)[:, None] + np.sum(Y**2, axis=1)
    kernel = np.exp(-squared / 2) * np.sinh(X @ Y.T)
    assert standard_errors_off(estimates(features, X, Y, 200), kernel).max() < 4


@pytest.mark.parametrize("cosine", [-0.5, 0.0, 0.8])
def test_variances_are_those_of_lemma_2(cosine):
    x = 0.5 * np.array([1.0, 0.0, 0.0])
    y = 0.5 * np.array([cosine, np.sqrt(1 - cosine**2), 0.0])
    n = 400_000
    both = np.stack([x, y])
    kernel = np.exp(x @ y)
    plain = kernel**2 * (np.exp(np.sum((x + y) ** 2)) - 1)
    options = {"gamma": 1.0, "orthogonal": False, "random_state": 0}
    F = PositiveOrthogonalFeatures(n_components=n, **options).fit_transform(both)
    assert_allclose(np.var(n * F[0] * F[1]), plain, rtol=0.05)
    G = PositiveOrthogonalFeatures(n_components=2 * n, hyperbolic=True, **options).fit_transform(both)
    products = 2 * n * G[0] * G[1]
    of_pairs = (products[:n] + products[n:]) / 2
    assert_allclose(np.var(of_pairs), plain * (1 - np.exp(-np.sum((x + y) ** 2))) / 2, rtol=0.05)


@pytest.fixture(scope="module")
def relative_errors():
    """Relative errors of the softmax kernel for unit rows of 16 columns and 32 features, 300 draws of each variant."""
    U = rows_on_sphere(6, 16, seed=3)
    V = rows_on_sphere(6, 16, seed=4)
    kernel = softmax_kernel(U, V)
    variants = {
        "independent": {"orthogonal": False},
        "orthogonal": {},
        "regularized": {"regularized": True},
        "hyperbolic": {"hyperbolic": True},
    }
    found = {}
    for name, options in variants.items():
        features = PositiveOrthogonalFeatures(n_components=32, gamma=1.0, **options)
        found[name] = (estimates(features, U, V, 300) - kernel) / kernel
    return found


def test_orthogonal_frequencies_have_a_lower_error_than_independent_ones(relative_errors):
    error = {name: np.mean(values**2) for name, values in relative_errors.items()}
    assert error["orthogonal"] < 0.95 * error["independent"]
    assert error["hyperbolic"] < 0.75 * error["orthogonal"]
    assert error["regularized"] < 0.6 * error["orthogonal"]


def test_the_bias(relative_errors):
    bias = {name: values.mean() for name, values in relative_errors.items()}
    assert -0.08 < bias.pop("regularized") < -0.02
    assert max(map(abs, bias.values())) < 0.02


def test_positive_features_are_exact_where_fourier_features_are_lost_and_the_other_way_round():
    """The paper's figure: rows of length 2, at an angle of pi and of 0."""
    u = np.array([[1.0, 0.0, 0.0, 0.0]])
    positive = PositiveOrthogonalFeatures(n_components=64, gamma=4.0)
    fourier = RandomFourierAttentionFeatures(n_components=64, gamma=2.0)
    errors = {}
    for angle, v in (("pi", -u), ("0", u)):
        kernel = softmax_kernel(u, v, 4.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = estimates(positive, u, v, 200)
        errors["positive", angle] = np.sqrt(np.mean((found / kernel - 1) ** 2))
        found = np.exp(4.0) * estimates(fourier, u, v, 200)  # exp(x.y) = exp(|x|^2) exp(-|x - y|^2 / 2)
        errors["fourier", angle] = np.sqrt(np.mean((found / kernel - 1) ** 2))
        if angle == "pi":
            assert 0.3 < np.mean(found < 0) < 0.7
    assert errors["positive", "pi"] < 1e-12
    assert errors["fourier", "pi"] > 50
    assert errors["fourier", "0"] < 1e-12
    assert errors["positive", "0"] > 1


def test_frequencies_of_the_regularised_kernel_have_one_length():
    features = PositiveOrthogonalFeatures(n_components=12, gamma=0.25, regularized=True, random_state=0).fit(X)
    assert_allclose(np.linalg.norm(features.random_weights_, axis=0), 0.5 * np.sqrt(5))


def test_gamma_by_the_scale_of_the_rows():
    lengths = np.linalg.norm(X, axis=1)
    fitted = PositiveOrthogonalFeatures(random_state=0).fit(X)
    assert_allclose(fitted.gamma_, 1 / np.median(lengths) ** 2)
    padded = np.vstack([X, np.zeros((20, 5))])
    assert_allclose(PositiveOrthogonalFeatures(random_state=0).fit(padded).gamma_, fitted.gamma_)
    assert PositiveOrthogonalFeatures(random_state=0).fit(np.zeros((3, 2))).gamma_ == 1.0
    # the unit of the columns does not matter
    many = PositiveOrthogonalFeatures(random_state=0).fit_transform(1e30 * X)
    assert_allclose(many, fitted.transform(X), rtol=1e-10)
    for factor in (1e200, 1e-200):
        with pytest.raises(ValueError, match=r"out of range for rows of length .*: scale the columns"):
            PositiveOrthogonalFeatures().fit(factor * X)


def test_heavy_rows_have_features_of_zero_and_change_no_others():
    heavy = np.vstack([X, 1e6 * X[:1], 1e300 * X[1:2], [[1.7e308] * 5]])
    features = PositiveOrthogonalFeatures(gamma=1.0, random_state=0).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = features.transform(heavy)
    assert_allclose(found[:7], features.transform(X), rtol=1e-13)
    assert_array_equal(found[7:], 0.0)
    single = PositiveOrthogonalFeatures(gamma=1.0, random_state=0).fit(X.astype(np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = single.transform(np.array([[1e20] * 5, [3e38] * 5], dtype=np.float32))
    assert_array_equal(found, 0.0)
    # one heavy training row moves the median a little, and a mean by far
    assert 0.5 < PositiveOrthogonalFeatures().fit(heavy[:8]).gamma_ / PositiveOrthogonalFeatures().fit(X).gamma_ <= 1


def test_an_offset_hides_the_rows_and_a_scaler_finds_them_again():
    far = X + 1e9
    features = PositiveOrthogonalFeatures(random_state=0)
    found = features.fit_transform(far)
    assert np.isfinite(found).all()
    assert np.ptp(found, axis=0).max() < 1e-6
    near = features.fit_transform(StandardScaler().fit_transform(X))
    assert_allclose(features.fit_transform(StandardScaler().fit_transform(far)), near, rtol=1e-5)


def test_the_stabiliser_is_a_known_factor():
    for kernel in ("softmax", "gaussian"):
        for hyperbolic in (False, True):
            options = {"gamma": 1.0, "kernel": kernel, "hyperbolic": hyperbolic, "random_state": 0}
            plain = PositiveOrthogonalFeatures(**options).fit(X)
            scaled = PositiveOrthogonalFeatures(**options, stabilize=True).fit(X)
            assert plain.log_scale_ == 0.0
            assert_allclose(scaled.transform(Y) * np.exp(scaled.log_scale_), plain.transform(Y), rtol=1e-12)
            assert_allclose(scaled.transform(X).max(), 1 / 10.0)
            if hyperbolic:  # w and -w change places
                assert PositiveOrthogonalFeatures(**options, stabilize=True).fit(-X).log_scale_ == scaled.log_scale_


def test_the_stabiliser_keeps_features_that_vanish():
    long = rows_on_sphere(20, 5, length=80.0)
    with pytest.warns(UserWarning, match=r"gamma=1.0 is too large.*exp\(1.28e\+04\) / 100"):
        plain = PositiveOrthogonalFeatures(gamma=1.0, random_state=0).fit_transform(long)
    assert_array_equal(plain, 0.0)
    with pytest.warns(UserWarning, match="too large"):
        kept = PositiveOrthogonalFeatures(gamma=1.0, stabilize=True, random_state=0).fit_transform(long)
    assert_allclose(kept.max(), 0.1)


def test_the_stabiliser_passes_over_rows_of_infinite_exponents_and_refuses_rounding():
    options = {"gamma": 1.0, "stabilize": True, "random_state": 0}
    heavy = np.vstack([X, 1e200 * X[:1], [[1.7e308, -1.7e308, 0.0, 0.0, 0.0]]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = PositiveOrthogonalFeatures(**options).fit(heavy)
        assert fitted.log_scale_ == PositiveOrthogonalFeatures(**options).fit(X).log_scale_
        assert_array_equal(fitted.transform(heavy)[-2:], 0.0)
    for factor in (1e8, 1e200):
        with (
            pytest.warns(UserWarning, match="gamma=1.0 is too large"),
            pytest.raises(ValueError, match="rows are too long for stabilize=True"),
        ):
            PositiveOrthogonalFeatures(**options).fit(factor * X)


def test_the_warning_begins_where_the_relative_variance_of_typical_rows_is_1():
    """Of two rows of the median length at a right angle: (exp(2 gamma length²) - 1) / m, by Lemma 2."""
    edge = np.log1p(50) / (2 * np.median(np.linalg.norm(X, axis=1)) ** 2)
    for kernel, share in (("softmax", 1.0), ("gaussian", 0.5)):
        options = {"n_components": 50, "kernel": kernel}
        with pytest.warns(UserWarning, match="is too large for these rows"):
            PositiveOrthogonalFeatures(gamma=1.001 * share * edge, **options).fit(X)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            PositiveOrthogonalFeatures(gamma=0.999 * share * edge, **options).fit(X)


def test_there_is_no_warning_for_short_rows():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PositiveOrthogonalFeatures(gamma=1.0).fit(X)
        PositiveOrthogonalFeatures(n_components=2).fit(100.0 * X)
        PositiveOrthogonalFeatures(gamma=10.0, kernel="relu").fit(100.0 * X)


def test_errors_change_nothing():
    features = PositiveOrthogonalFeatures(random_state=0).fit(X)

    def fit(**params):
        model = PositiveOrthogonalFeatures(random_state=0, **params)
        model.__dict__.update({k: v for k, v in vars(features).items() if k.endswith("_")})
        assert_unchanged_by(lambda: _fails(model), model)

    def _fails(model):
        with pytest.raises(ValueError, match="parameter of PositiveOrthogonalFeatures must be"):
            model.fit(X)

    for params in ({"gamma": 0.0}, {"gamma": "auto"}, {"n_components": 0}, {"kernel": "poly"}, {"hyperbolic": "no"}):
        fit(**params)
    with pytest.raises(ValueError, match=r"one value for each projection: it took .* \(1, 100\) and .* \(\)"):
        PositiveOrthogonalFeatures(kernel=np.sum).fit(X)
    with pytest.raises(ValueError, match="kernel must return real numbers, got an array of dtype complex128"):
        PositiveOrthogonalFeatures(kernel=lambda u: u + 1j).fit(X)
