"""What all transformers of random features do alike: dtypes, layouts, sparse rows, names, seeds."""

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
from skpapers.kernel_approximation._random_features_base import row_lengths

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
    rows = np.array([[3e200, 4e200], [3e-200, 4e-200], [0.0, 0.0], [-3.0, 4.0]])
    expected = [5e200, 5e-200, 0.0, 5.0]
    assert_allclose(row_lengths(rows), expected, rtol=1e-14)
    assert_allclose(row_lengths(csr_array(rows)), expected, rtol=1e-14)
    assert_allclose(row_lengths(csr_matrix(rows)), expected, rtol=1e-14)
