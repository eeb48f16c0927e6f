"""What all transformers of random features do alike: dtypes, layouts, sparse rows, names, seeds."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_array, csr_array, csr_matrix
from sklearn.base import clone

from skpapers.kernel_approximation import (
    ArcCosineFeatures,
    PositiveOrthogonalFeatures,
    RandomFourierAttentionFeatures,
)
from skpapers.kernel_approximation._random_features_base import row_lengths, unit_rows

X = np.random.default_rng(0).normal(size=(40, 5))
X[X < -1] = 0.0
X[3] = 0.0
INSTANCES = [
    PositiveOrthogonalFeatures(n_components=9, random_state=0),
    PositiveOrthogonalFeatures(n_components=9, kernel="gaussian", hyperbolic=True, stabilize=True, random_state=0),
    PositiveOrthogonalFeatures(n_components=9, kernel=np.tanh, regularized=True, random_state=0),
    RandomFourierAttentionFeatures(n_components=9, random_state=0),
    ArcCosineFeatures(n_components=9, random_state=0),
]
EVERY = pytest.mark.parametrize("features", INSTANCES, ids=str)


@EVERY
def test_layouts_and_dtypes(features):
    features = clone(features)
    expected = features.fit_transform(X)
    assert expected.dtype == np.float64
    for rows in (np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X[::-1, ::-1][::-1, ::-1], X.tolist()):
        assert_allclose(clone(features).fit_transform(rows), expected, rtol=1e-12, atol=1e-14)
    single = clone(features).fit_transform(X.astype(np.float32))
    assert single.dtype == np.float32
    assert_allclose(single, expected, rtol=2e-5, atol=1e-6)
    for code in (">f4", "<f4", ">f8", "<f8"):
        rows = X.astype(code)
        found = clone(features).fit(rows).transform(rows)
        assert found.dtype == np.dtype(code).newbyteorder("=")
        assert_array_equal(found, single if code.endswith("4") else expected)
    whole = np.round(3 * X).astype(np.int64)
    assert_array_equal(clone(features).fit_transform(whole), clone(features).fit_transform(whole.astype(float)))


@EVERY
@pytest.mark.parametrize("make", [csr_array, csr_matrix, coo_array])
def test_sparse_rows(features, make):
    expected = clone(features).fit_transform(X)
    found = clone(features).fit_transform(make(X))
    assert isinstance(found, np.ndarray)
    assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    single = clone(features).fit_transform(make(X.astype(np.float32)))
    assert single.dtype == np.float32
    assert_allclose(single, expected, rtol=2e-5, atol=1e-6)


@EVERY
def test_many_rows_are_those_of_the_blocks(features):
    features = clone(features).set_params(n_components=3000).fit(X)
    rows = np.tile(X, (3, 1))
    assert_allclose(features.transform(rows), np.tile(features.transform(X), (3, 1)), rtol=1e-12, atol=1e-14)
    alone = np.vstack([features.transform(row[np.newaxis]) for row in X])
    assert_allclose(alone, features.transform(X), rtol=1e-12, atol=1e-14)


@EVERY
def test_constant_columns_one_row_and_one_column(features):
    for rows in (np.ones((6, 3)), X[:1], X[:, :1], np.zeros((4, 2))):
        found = clone(features).fit_transform(rows)
        assert found.shape == (len(rows), 9)
        assert np.isfinite(found).all()
        assert_allclose(np.ptp(found[rows[:, 0] == rows[0, 0]], axis=0), 0.0, atol=1e-15)


@EVERY
def test_names_of_the_features(features):
    names = clone(features).fit(X).get_feature_names_out()
    prefix = type(features).__name__.lower()
    assert list(names) == [f"{prefix}{i}" for i in range(9)]
    frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(40) + 7)
    found = clone(features).set_output(transform="pandas").fit_transform(frame)
    assert list(found.columns) == list(names)
    assert list(found.index) == list(frame.index)


@EVERY
def test_the_seed_decides(features):
    first = clone(features).fit_transform(X)
    assert_array_equal(first, clone(features).fit_transform(X))
    assert not np.allclose(first, clone(features).set_params(random_state=1).fit_transform(X))


def test_lengths_of_rows_neither_overflow_nor_vanish():
    rows = np.array([[3e200, 4e200], [3e-200, 4e-200], [3e-161, 4e-161], [0.0, 0.0], [-3.0, 4.0]])
    expected = [5e200, 5e-200, 5e-161, 0.0, 5.0]
    assert_allclose(row_lengths(rows), expected, rtol=1e-14)
    assert_allclose(row_lengths(csr_array(rows)), expected, rtol=1e-14)
    assert_allclose(row_lengths(csr_matrix(rows)), expected, rtol=1e-14)
    tops = np.array([[1.7e308, -1.7e308], [3.0, 4.0], [0.0, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_array_equal(row_lengths(tops), [np.inf, 5.0, 0.0])
        for make in (np.asarray, csr_array):
            found = unit_rows(make(tops))
            found = found if make is np.asarray else found.toarray()
            assert_allclose(found, [[np.sqrt(0.5), -np.sqrt(0.5)], [0.6, 0.8], [0.0, 0.0]], rtol=1e-14)


def test_lengths_of_rows_of_float32_are_those_of_float64():
    rows = np.array([[1e30, 1e30], [1e-40, 0.0], [1 / 3, 2.0]], dtype=np.float32)
    assert_array_equal(row_lengths(rows), row_lengths(rows.astype(np.float64)))
    assert_array_equal(row_lengths(csr_array(rows)), row_lengths(csr_array(rows.astype(np.float64))))


@EVERY
def test_parameters_set_after_a_fit_count_from_the_next_fit(features):
    features = clone(features).fit(X)
    expected = features.transform(X)
    features.set_params(n_components=4, random_state=5, orthogonal=False)
    if "kernel" in features.get_params():
        features.set_params(kernel="relu", hyperbolic=False, stabilize=False, gamma=3.0)
    assert_array_equal(features.transform(X), expected)
    assert features.fit_transform(X).shape == (40, 4)


@pytest.mark.parametrize(
    "model",
    [PositiveOrthogonalFeatures(gamma=1e300, kernel="relu"), RandomFourierAttentionFeatures(gamma=1e300)],
    ids=str,
)
def test_frequencies_that_overflow_in_single_precision(model):
    with pytest.raises(ValueError, match=r"gamma is too large for frequencies of dtype float32: use a smaller one"):
        clone(model).fit(X.astype(np.float32))
    assert np.isfinite(clone(model).fit(X).random_weights_).all()
