"""The estimator: known dimensions, duplicates, anchors, prediction, dtypes, and errors in words."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.stats import ortho_group
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils import shuffle

from skpapers.datasets import make_manifold, make_pixel_noise
from skpapers.dimension import IntrinsicDimension
from skpapers.dimension._neighbors import nearest_rows
from tests._asserts import assert_unchanged_by
from tests.dimension._neighbors import positive

DIGITS, LABELS = load_digits(return_X_y=True)
X, _ = make_manifold(400, 3, 6, random_state=0)
METHODS = ("mle", "twonn", "geomle", "shortest_path")


@pytest.mark.parametrize("d", [2, 5, 10])
@pytest.mark.parametrize("kind", ["affine", "nonlinear"])
def test_known_dimensions(d, kind):
    rows, _ = make_manifold(2000, d, 100, kind=kind, random_state=0)
    assert abs(IntrinsicDimension(10).fit(rows).dimension_ - d) < 0.2 * d


@pytest.mark.slow
@pytest.mark.parametrize("d", [20, 40])
def test_the_bias_of_high_dimensions_and_its_correction(d):
    rows, _ = make_manifold(2000, d, 100, kind="nonlinear", random_state=0)
    plain = IntrinsicDimension(10).fit(rows).dimension_
    assert 0.5 * d < plain < 0.8 * d
    assert abs(IntrinsicDimension(10, method="geomle", random_state=0).fit(rows).dimension_ - d) < 0.2 * d


def test_larger_dimensions_have_larger_estimates():
    found = []
    for d in (2, 5, 10, 20, 40):
        rows, _ = make_manifold(1000, d, 50, kind="nonlinear", random_state=d)
        found.append(IntrinsicDimension([5, 10, 20]).fit(rows).dimension_)
    assert (np.diff(found, axis=0) > 0).all()


def test_noise_in_pixels_is_as_many_dimensions():
    images, _ = make_pixel_noise(1500, 4, random_state=0)
    assert abs(IntrinsicDimension(10).fit(images.reshape(1500, -1)).dimension_ - 4) < 0.6


def test_the_estimate_is_the_formula():
    k = 7
    T = positive(X, k)
    v = np.array([np.log(row[k - 1] / row[: k - 1]).sum() / (k - 1) for row in T])
    model = IntrinsicDimension(k).fit(X)
    assert_allclose(model.dimension_, 1 / v.mean(), rtol=1e-10)
    assert_allclose(model.local_dimension_, 1 / v, rtol=1e-10)
    assert_array_equal(model.anchor_indices_, np.arange(400))
    mean = IntrinsicDimension(k, normalization="k-2", aggregation="mean").fit(X)
    assert_allclose(mean.dimension_, ((k - 2) / (k - 1) / v).mean(), rtol=1e-10)
    assert isinstance(model.dimension_, float)
    assert isinstance(model.dimension_std_error_, float)


@pytest.mark.parametrize("method", METHODS)
def test_a_list_gives_arrays_that_hold_the_single_estimates(method):
    ks = [8, 4, 6]
    model = IntrinsicDimension(ks, method=method, random_state=0).fit(X)
    assert model.dimension_.shape == (3,)
    assert model.dimension_std_error_.shape == (3,)
    assert model.local_dimension_.shape == (400, 3)
    assert model.predict(X[:5]).shape == (5, 3)
    assert_array_equal(model.n_neighbors_, ks)
    for i, k in enumerate(ks):
        single = IntrinsicDimension(k, method=method, random_state=0).fit(X)
        assert_array_equal(model.local_dimension_[:, i], single.local_dimension_)
        assert_array_equal(model.predict(X[:5])[:, i], single.predict(X[:5]))
        assert model.dimension_[i] == single.dimension_
        assert_array_equal(model.dimension_std_error_[i], single.dimension_std_error_)
    one = IntrinsicDimension([8], method=method, random_state=0).fit(X)
    assert one.dimension_.shape == (1,)
    assert one.predict(X[:5]).shape == (5, 1)


def test_one_search_serves_every_number_of_neighbours(monkeypatch):
    asked = []

    def counted(X, K, Q=None, n_jobs=None):
        asked.append(K)
        return nearest_rows(X, K, Q, n_jobs)

    monkeypatch.setattr("skpapers.dimension._search.nearest_rows", counted)
    IntrinsicDimension([3, 5, 20]).fit(X)
    assert asked == [22]  # the row itself, 20 neighbours, and one for the standard error


@pytest.mark.parametrize("method", METHODS)
def test_duplicates_are_dropped_and_counted(method):
    with_copies = np.vstack([X, X[:4], X[:4]])
    plain = IntrinsicDimension(5, method=method, random_state=0).fit(X)
    model = IntrinsicDimension(5, method=method, random_state=0).fit(with_copies)
    assert plain.n_duplicates_ == 0
    assert model.n_duplicates_ == 8
    assert model.dimension_ == plain.dimension_
    assert_array_equal(model.anchor_indices_, np.arange(400))
    first = shuffle(with_copies, random_state=0)
    shuffled = IntrinsicDimension(5, method=method, random_state=0).fit(first)
    assert len(np.unique(first[shuffled.anchor_indices_], axis=0)) == 400
    assert_allclose(shuffled.predict(X), plain.local_dimension_, rtol=1e-12)


def test_one_percent_of_duplicates_hardly_changes_the_estimate():
    rows, _ = make_manifold(2000, 5, 30, kind="nonlinear", random_state=0)
    copies = rows.copy()
    copies[:20] = rows[1000:1020]
    before = IntrinsicDimension().fit(rows).dimension_
    model = IntrinsicDimension().fit(copies)
    assert model.n_duplicates_ == 20
    assert abs(model.dimension_ - before) < 0.02 * before


def test_duplicates_can_be_errors():
    with_copies = np.vstack([X, X[7:9]])
    message = r"^2 of 402 rows equal an earlier row, the first of them row 400; duplicates=\"drop\" leaves them out\.$"
    with pytest.raises(ValueError, match=message):
        IntrinsicDimension(5, duplicates="raise").fit(with_copies)
    assert IntrinsicDimension(5, duplicates="raise").fit(X).n_duplicates_ == 0


def test_a_warning_if_most_rows_are_duplicates():
    with pytest.warns(UserWarning, match="Only 50 of 150 rows are distinct"):
        model = IntrinsicDimension(5).fit(np.tile(X[:50], (3, 1)))
    assert model.n_duplicates_ == 100


def test_nearly_constant_rows():
    """Rows that differ in their last digits have many duplicates, and are estimated all the same."""
    near = 1.0 + 1e-13 * X
    model = IntrinsicDimension(5).fit(near)
    assert abs(model.dimension_ - 3) < 1.0
    coarse = 1.0 + 2e-16 * X
    with pytest.raises(ValueError, match=r"X has n_samples = 400, of which \d+ are distinct"):
        IntrinsicDimension(20).fit(coarse[:, :2])


def test_anchors_keep_the_neighbours_of_all_rows():
    rows, _ = make_manifold(2000, 6, 20, random_state=0)
    full = IntrinsicDimension().fit(rows)
    model = IntrinsicDimension(max_anchors=300, random_state=0).fit(rows)
    assert model.local_dimension_.shape == (300,)
    assert np.all(np.diff(model.anchor_indices_) > 0)
    assert_allclose(model.local_dimension_, full.local_dimension_[model.anchor_indices_], rtol=1e-12)
    assert abs(model.dimension_ - full.dimension_) < 4 * model.dimension_std_error_
    sample = IntrinsicDimension().fit(rows[:300])
    assert sample.dimension_ < full.dimension_ - 2 * model.dimension_std_error_
    assert_array_equal(IntrinsicDimension(max_anchors=9999).fit(rows).local_dimension_, full.local_dimension_)


@pytest.mark.parametrize("method", METHODS)
def test_random_state_decides_and_the_global_generator_stays(method):
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.random_sample()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    model = IntrinsicDimension(5, method=method, max_anchors=100, random_state=0)
    first = model.fit(X).dimension_
    assert np.random.random_sample() == expected  # noqa: NPY002
    assert clone(model).fit(X).dimension_ == first
    assert model.set_params(random_state=1).fit(X).dimension_ != first


@pytest.mark.parametrize("n_neighbors", [6, [3, 6]])
def test_training_rows_are_predicted_as_if_they_were_not_their_own_neighbours(n_neighbors):
    model = IntrinsicDimension(n_neighbors).fit(X)
    assert_allclose(model.predict(X), model.local_dimension_, rtol=1e-12)


def test_new_rows_have_the_dimension_of_the_rows_near_them():
    rng = np.random.default_rng(0)
    line = np.column_stack([np.linspace(0, 1, 500), np.zeros((500, 3))]) + 1e-9 * rng.normal(size=(500, 4))
    ball = rng.normal(size=(500, 4)) + 20
    model = IntrinsicDimension(10).fit(np.vstack([line[::2], ball[::2]]))
    assert np.median(model.predict(line[1::2])) < 1.5
    assert np.median(model.predict(ball[1::2])) > 2.5


def test_prediction_changes_nothing_and_follows_the_fit():
    model = IntrinsicDimension(5).fit(X)
    assert_unchanged_by(lambda: model.predict(X + 0.1), model)
    before = model.predict(X[:9] + 0.1)
    model.set_params(n_neighbors=[3, 4], normalization="k-2", metric="manhattan")
    assert_array_equal(model.predict(X[:9] + 0.1), before)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X[:9] + 0.1), before)


def test_float32_stays_float32_and_gives_the_estimate_of_its_numbers():
    short = X.astype(np.float32)
    model = IntrinsicDimension(5).fit(short)
    assert model._rows.dtype == np.float32
    assert np.shares_memory(model._rows, short)
    assert_allclose(model.local_dimension_, IntrinsicDimension(5).fit(short.astype(float)).local_dimension_, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.int64, object])
@pytest.mark.parametrize(
    "layout", [np.asarray, np.asfortranarray, lambda A: np.repeat(A, 2, axis=0)[::2], pd.DataFrame]
)
def test_other_dtypes_and_layouts(dtype, layout):
    rows = (100 * X).round().astype(dtype)
    expected = IntrinsicDimension(5).fit(rows.astype(float))
    assert_array_equal(IntrinsicDimension(5).fit(layout(rows)).local_dimension_, expected.local_dimension_)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_sparse_rows(kind, dtype, metric):
    rows = np.where(DIGITS > 8, DIGITS, 0)[:300].astype(dtype) + 0.0
    dense = IntrinsicDimension(5, metric=metric).fit(rows)
    model = IntrinsicDimension(5, metric=metric).fit(kind(rows))
    assert sparse.issparse(model._rows)
    assert model._rows.dtype == dtype
    assert model.n_duplicates_ == dense.n_duplicates_
    assert_allclose(model.local_dimension_, dense.local_dimension_, rtol=1e-9)
    assert_allclose(model.predict(kind(rows)), dense.predict(rows), rtol=1e-9)
    assert_allclose(dense.predict(kind(rows)), dense.predict(rows), rtol=1e-9)
    assert_allclose(model.predict(rows), dense.predict(rows), rtol=1e-9)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_sparse_entries_that_are_stored_in_parts(metric):
    rows = sparse.csr_array(np.where(DIGITS > 8, DIGITS, 0)[:200])
    parts = np.column_stack([rows.data + 2.0, np.full(rows.nnz, -2.0)]).ravel()
    stored = sparse.csr_array((parts, np.repeat(rows.indices, 2), 2 * rows.indptr), shape=rows.shape)
    expected = IntrinsicDimension(5, metric=metric).fit(rows)
    assert_array_equal(IntrinsicDimension(5, metric=metric).fit(stored).local_dimension_, expected.local_dimension_)
    assert_array_equal(expected.predict(stored), expected.predict(rows))
    assert_array_equal(stored.data, parts)


@pytest.mark.parametrize("scale", [1e200, 1e-200])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_numbers_whose_squares_are_not_finite_or_zero(kind, scale):
    expected = IntrinsicDimension(5).fit(X).local_dimension_
    model = IntrinsicDimension(5).fit(kind(scale * X))
    assert_allclose(model.local_dimension_, expected, rtol=1e-10)
    assert_allclose(model.predict(kind(scale * X[:7])), expected[:7], rtol=1e-10)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_threads_and_longer_lists_do_not_choose_among_ties(monkeypatch, method, kind):
    monkeypatch.setattr("skpapers.dimension._neighbors.BLOCK_ROWS", 64)
    rows = kind(np.random.default_rng(0).integers(0, 6, size=(400, 4)).astype(float))
    expected = IntrinsicDimension(6, method=method, random_state=0).fit(rows)
    for n_neighbors, n_jobs in ((6, 2), ([6, 15], 1)):
        model = IntrinsicDimension(n_neighbors, method=method, random_state=0, n_jobs=n_jobs).fit(rows)
        assert np.atleast_1d(model.dimension_)[0] == expected.dimension_
        assert_array_equal(np.atleast_1d(model.dimension_std_error_)[0], expected.dimension_std_error_)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("error")
def test_rows_that_are_all_equally_far_are_an_error_without_a_warning(method):
    with pytest.raises(ValueError, match="The distances have no dimension"):
        IntrinsicDimension(4, method=method, random_state=0).fit(np.eye(60))


@pytest.mark.parametrize("aggregation", ["mean", "median"])
@pytest.mark.filterwarnings("error")
def test_ties_without_a_finite_aggregate_are_an_error_without_a_warning(aggregation):
    grid = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), axis=-1).reshape(-1, 2)
    with pytest.raises(ValueError, match="The distances have no dimension"):
        IntrinsicDimension(4, aggregation=aggregation).fit(grid)


@pytest.mark.parametrize("method", METHODS)
def test_rotation_scale_and_constant_columns_change_nothing(method):
    model = IntrinsicDimension(5, method=method, random_state=0)
    expected = model.fit(X).dimension_
    rotated = X @ ortho_group.rvs(6, random_state=0)
    wider = np.column_stack([X, np.zeros(400), np.full(400, 7.0)])
    for rows in (rotated, 1e100 * X, 1e-100 * X, wider, 2.0**30 + 2.0**-10 * np.round(X * 2**20)):
        assert_allclose(model.fit(rows).dimension_, expected, rtol=1e-4)


@pytest.mark.parametrize("metric", ["manhattan", "l1", "cityblock", "chebyshev", "canberra", "l2"])
def test_other_metrics(metric):
    model = IntrinsicDimension(10, metric=metric).fit(X)
    assert abs(model.dimension_ - 3) < 0.8
    assert_allclose(model.predict(X), model.local_dimension_, rtol=1e-12)


def test_a_metric_under_which_distinct_rows_coincide():
    def of_first_columns(a, b):
        return np.abs(a[:2] - b[:2]).max()

    rows = np.column_stack([np.repeat(X[:40, :2], 3, axis=0), np.arange(120)])
    model = IntrinsicDimension(4, metric=of_first_columns).fit(rows)
    expected = IntrinsicDimension(4, metric="chebyshev")
    assert model.dimension_ > 0
    assert_allclose(model.predict(rows), model.local_dimension_, rtol=1e-12)
    with pytest.raises(ValueError, match="fewer than n_neighbors=5 rows at a positive distance"):
        IntrinsicDimension(4, metric=lambda a, b: 0.0).fit(rows)
    assert expected.fit(X).dimension_ > 0


@pytest.mark.parametrize("method", METHODS)
def test_the_score_is_larger_for_the_right_dimension(method):
    rows, _ = make_manifold(800, 3, 6, random_state=1)
    model = IntrinsicDimension(10, method=method, random_state=0).fit(rows[:400])
    good = model.score(rows[400:])
    model.dimension_ = 6.0
    assert model.score(rows[400:]) < good
    listed = IntrinsicDimension([5, 10], method=method, random_state=0).fit(rows[:400])
    assert np.isfinite(listed.score(rows[400:]))


def test_resizing_an_image_keeps_its_dimension():
    images = DIGITS[:600].reshape(-1, 8, 8)
    large = images.repeat(4, axis=1).repeat(4, axis=2).reshape(600, -1)
    small = IntrinsicDimension(10).fit(DIGITS[:600])
    assert_allclose(IntrinsicDimension(10).fit(large).dimension_, small.dimension_, rtol=1e-9)


def test_big_endian_rows():
    expected = IntrinsicDimension(5).fit(X)
    for dtype in (">f8", ">f4"):
        rows = X.astype(dtype)
        assert_allclose(IntrinsicDimension(5).fit(rows).dimension_, expected.dimension_, rtol=1e-5)


BAD = np.where(np.arange(2400).reshape(400, 6) == 77, np.nan, X)


@pytest.mark.filterwarnings("ignore:Only 23 of 400", "ignore:invalid value encountered in reduce")
@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (X[:20], {}, "method='mle' with n_neighbors=20 needs at least 21 distinct rows; X has n_samples = 20."),
        (X[:1], {}, "needs at least 21 distinct rows; X has n_samples = 1."),
        (np.ones((50, 3)), {}, "X has n_samples = 50, of which 1 are distinct."),
        (X[:, :1], {}, "Found array with 1 feature(s) (shape=(400, 1)) while a minimum of 2 is required"),
        (BAD, {}, "Input X contains NaN"),
        (np.where(np.isnan(BAD), np.inf, BAD), {}, "Input X contains infinity"),
        (X[:0], {}, "Found array with 0 sample(s)"),
        (X, {"n_neighbors": []}, "n_neighbors must be an integer or a list of integers, 2 or more"),
        (X, {"n_neighbors": [1, 5]}, "n_neighbors must be an integer or a list of integers, 2 or more"),
        (X, {"n_neighbors": [2.5]}, "n_neighbors must be an integer or a list of integers, 2 or more"),
        (X, {"n_neighbors": [[2, 3]]}, "n_neighbors must be an integer or a list of integers, 2 or more"),
        (
            X,
            {"n_neighbors": 2, "normalization": "k-2"},
            "a list of integers, 3 or more with normalization='k-2', not 2",
        ),
        (X, {"n_neighbors": 1}, "The 'n_neighbors' parameter of IntrinsicDimension must be"),
        (X, {"metric": "cosine"}, "The 'metric' parameter of IntrinsicDimension must be"),
        (X, {"max_anchors": 0}, "The 'max_anchors' parameter of IntrinsicDimension must be"),
        (X, {"max_anchors": 5, "method": "geomle"}, "max_anchors must be 30 or more with method='geomle', not 5."),
        (X, {"max_anchors": 1, "method": "twonn"}, "max_anchors must be 2 or more with method='twonn', not 1."),
        (X[:40], {"method": "geomle"}, "method='geomle' with n_neighbors=20 needs at least 81 distinct rows"),
        (X[:3], {"method": "twonn", "n_neighbors": 2}, "method='twonn' with n_neighbors=2 needs at least 4 distinct"),
        (np.eye(30), {"n_neighbors": 5}, "The distances have no dimension: the neighbours of a row are all equally"),
        (1e308 * np.sign(X), {"n_neighbors": 2}, "Distances between rows are infinite or NaN: scale the columns of X."),
        (sparse.csr_array(X), {"metric": "chebyshev"}, "Sparse data was passed"),
    ],
)
def test_errors_are_one_clear_line_and_change_nothing(rows, options, message):
    model = IntrinsicDimension(**options)
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        model.fit(rows)
    assert not hasattr(model, "dimension_")
    assert not hasattr(model, "n_features_in_")


def test_a_failed_fit_leaves_the_fitted_estimator():
    model = IntrinsicDimension(5).fit(X)

    def fails():
        with pytest.raises(ValueError, match="needs at least 6 distinct rows"):
            model.fit(X[:3])

    assert_unchanged_by(fails, model)


def test_as_many_neighbours_as_there_are():
    model = IntrinsicDimension(19).fit(X[:20])
    assert model.dimension_ > 0
    assert np.isnan(model.dimension_std_error_)


def test_ties_give_infinite_local_dimensions_without_a_warning():
    grid = np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0)), axis=-1).reshape(-1, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = IntrinsicDimension(4).fit(grid)
    assert np.isinf(model.local_dimension_).any()
    assert np.isfinite(model.dimension_)


def test_a_graph_in_parts_is_reported():
    rows = np.vstack([X, X + 100])
    with pytest.warns(UserWarning, match="The graph of 5 neighbours has 2 components"):
        IntrinsicDimension(5, method="shortest_path").fit(rows)
