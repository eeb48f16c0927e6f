"""What every network shares as an estimator: inputs, huge values, constant targets, surroundings, memory."""

import subprocess
import sys
import textwrap
import tracemalloc
import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_iris

from skpapers.few_shot import STARTUPClassifier
from skpapers.neural_network import LossLandscapeDisplay, SAMMLPClassifier, SAMMLPRegressor

QUICK = {"max_iter": 3, "random_state": 0, "device": "cpu"}
IRIS, DIABETES = (load(return_X_y=True) for load in (load_iris, load_diabetes))
WHOLE = np.random.default_rng(0).integers(-9, 9, size=(60, 3)).astype(np.float64)
SIGN = (WHOLE[:, 0] + WHOLE[:, 1] > 0).astype(int)


def classifier(**kwargs):
    return SAMMLPClassifier((8,), **QUICK | kwargs)


def regressor(**kwargs):
    return SAMMLPRegressor((8,), **QUICK | kwargs)


def startup(**kwargs):
    return STARTUPClassifier((8, 4), **QUICK | kwargs)


MAKE = [classifier, regressor, startup]


def reversed_in_memory(A):
    return A[::-1, ::-1].copy()[::-1, ::-1]


def read_only(A):
    A = np.asfortranarray(A)
    A.flags.writeable = False
    return A


OF_ROWS = [reversed_in_memory, read_only, *(lambda A, code=code: A.astype(code) for code in ("f2", "i1", ">f8", "O"))]


@pytest.mark.parametrize("change", OF_ROWS)
@pytest.mark.parametrize("make", MAKE)
def test_dtype_strides_and_memory_order_of_rows_do_not_matter(make, change):
    X = WHOLE
    A = change(WHOLE)
    expected = make().fit(X, SIGN)
    model = make().fit(A, SIGN)
    assert_array_equal(model.predict(A), expected.predict(X))
    if make is startup:
        assert_array_equal(model.transform(A), expected.transform(X))
        assert_array_equal(model.pseudo_labels(A), expected.pseudo_labels(X))
        return
    assert model.sharpness(A, SIGN) == expected.sharpness(X, SIGN)
    assert model.partial_fit(A, SIGN).loss_ == expected.partial_fit(X, SIGN).loss_
    held = [make(early_stopping=True).fit(B, SIGN, X_val=B, y_val=SIGN) for B in (X, A)]
    assert held[0].validation_scores_ == held[1].validation_scores_
    ax = Figure().subplots()
    drawn = [LossLandscapeDisplay.from_estimator(expected, B, SIGN, n_steps=3, ax=ax).losses for B in (X, A)]
    assert_array_equal(*drawn)


def test_frames_of_nullable_columns_are_predicted():
    pd = pytest.importorskip("pandas")
    model = classifier().fit(pd.DataFrame(WHOLE, columns=list("abc")), SIGN)
    frame = pd.DataFrame({"a": WHOLE[:, 0], "b": WHOLE[:, 1], "c": WHOLE[:, 2]}).astype(
        {"a": "Int64", "b": "Float32", "c": "int8"}
    )
    assert_array_equal(model.predict_proba(frame), classifier().fit(WHOLE, SIGN).predict_proba(WHOLE))


def test_strides_of_targets_and_weights_do_not_matter():
    X, y = DIABETES
    Y = np.column_stack([y, X[:, 0]])
    weight = np.arange(1.0, len(y) + 1)
    a = regressor().fit(X, Y, sample_weight=weight)
    b = regressor().fit(X, reversed_in_memory(Y), sample_weight=weight[::-1].copy()[::-1])
    assert_array_equal(a.predict(X), b.predict(X))
    a, b = (regressor().fit(X, target).predict(X) for target in (y, y[::-1].copy()[::-1]))
    assert_array_equal(a, b)


def test_views_of_an_augmentation_may_be_reversed():
    domain = np.where(np.arange(60) < 30, 1, -1)
    straight, turned = (
        startup(augment=augment).fit(WHOLE, SIGN, sample_domain=domain).transform(WHOLE)
        for augment in (lambda X, rng: X + 1.0, lambda X, rng: reversed_in_memory(X + 1.0))
    )
    assert_array_equal(straight, turned)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
@pytest.mark.parametrize("value", [0.0, 0.1, -(2.0**-20), 1e9 + 1 / 3, 1e300])
def test_a_constant_target_is_predicted_exactly(loss, value):
    X, y = DIABETES
    constant = np.full(len(y), value)
    model = regressor(loss=loss, quantile=0.9).fit(X, constant)
    assert_array_equal(model.predict(10.0 * X), constant)
    both = regressor(loss=loss, n_ensemble=2, early_stopping=True).fit(X, np.column_stack([constant, y]))
    assert_array_equal(both.predict(X)[:, 0], constant)
    assert np.ptp(both.predict(X)[:, 1]) > 0
    assert both.y_scale_[0] == 0.0


def test_a_target_that_is_constant_where_it_weighs_anything_is_constant():
    X, y = DIABETES
    weight = (np.arange(len(y)) < 40).astype(float)
    assert_array_equal(regressor().fit(X, np.where(weight, 0.1, y), sample_weight=weight).predict(X), 0.1)


def test_a_constant_output_does_not_judge_the_epochs():
    X, y = DIABETES
    train = slice(0, 300)
    held = slice(300, None)
    scores = []
    for jump in (0.0, 1e6):
        Y = np.column_stack([y, np.zeros(len(y))])
        Y[held, 1] = jump
        model = regressor(early_stopping=True, max_iter=6).fit(X[train], Y[train], X_val=X[held], y_val=Y[held])
        scores.append(model.best_iter_)
    assert scores[0] == scores[1]


def test_huge_targets_work_or_are_refused():
    X, y = DIABETES
    expected = regressor().fit(X, y).predict(X)
    assert_allclose(regressor().fit(X, y * 2.0**980).predict(X) / 2.0**980, expected, rtol=1e-5)
    model = regressor()
    with pytest.raises(ValueError, match=r"y holds values as large as 1.8e\+308; at most 1e\+300"):
        model.fit(X, np.where(y > 300, np.finfo(float).max, y))
    assert not hasattr(model, "n_features_in_")
    with pytest.raises(ValueError, match=r"y holds values as large as 1e\+200, which is too many times the scale"):
        regressor(loss="huber").fit(X, np.where(np.arange(len(y)) == 7, 1e200, y))


@pytest.mark.parametrize("scaling", ["robust", "standard"])
@pytest.mark.parametrize("make", MAKE[:2])
def test_a_common_factor_of_weights_of_any_size_changes_nothing(make, scaling):
    X, y = IRIS
    weight = np.arange(150.0) % 7
    expected = make(scaling=scaling).fit(X, y, sample_weight=weight).predict(X)
    for factor in (2.0**1021, 2.0**-900):
        assert_array_equal(make(scaling=scaling).fit(X, y, sample_weight=factor * weight).predict(X), expected)


@pytest.mark.parametrize("scaling", ["robust", "standard", None])
@pytest.mark.parametrize("make", MAKE)
def test_huge_values_are_predicted_or_refused(make, scaling):
    X, y = IRIS
    rows = np.repeat(X[:1], 5, axis=0)
    rows[1:, 2] = np.finfo(float).max, 1e300, -np.finfo(float).max, -1e300
    model = make(scaling=scaling).fit(X, y)
    for method in ("predict", "predict_proba", "transform"):
        if hasattr(model, method):
            outputs = getattr(model, method)(rows)
            assert np.isfinite(outputs).all()
            if scaling == "robust":  # the clip has ended long before
                assert_allclose(outputs[[1, 3]], outputs[[2, 4]], rtol=1e-12)
    X = X.copy()
    X[1:3, 2] = np.finfo(float).max, -1e300
    if scaling is None:
        with pytest.raises(ValueError, match=r"X holds values as large as 1\.8e\+308, too large for training in dtype"):
            make(scaling=scaling).fit(X, y)
    else:
        assert np.isfinite(make(scaling=scaling).fit(X, y).predict(X)).all()


@pytest.mark.parametrize("sorted_by", [np.argsort(IRIS[1]), np.argsort(-IRIS[1])])
def test_early_stopping_on_sorted_labels_warns(sorted_by):
    X = IRIS[0][sorted_by]
    y = IRIS[1][sorted_by]
    first = y[0]
    second = 1
    ways = r"validation_split='random', shuffle the rows, give X_val and y_val, or set early_stopping=False"
    with pytest.warns(UserWarning, match=f"lack class {min(first, second)}, {max(first, second)}: .*{ways}"):
        classifier(early_stopping=True).fit(X, y)
    names = np.array(["a", "b", "b"])[np.abs(y - y[0])]
    with pytest.warns(UserWarning, match="lack class 'a':"):
        classifier(early_stopping=True).fit(X, names)


def test_rows_held_back_that_weigh_nothing_do_not_count():
    X = IRIS[0][::-1][:100]
    y = IRIS[1][::-1][:100]
    y = np.r_[y[::2], y[1::2]]
    with pytest.warns(UserWarning, match="lack class 2: "):
        classifier(early_stopping=True).fit(X, y, sample_weight=np.where((y == 2) & (np.arange(100) > 80), 0.0, 1.0))


@pytest.mark.parametrize(
    "kwargs",
    [{}, {"early_stopping": True, "validation_split": "random", "validation_fraction": 0.3}, {"X_val": 1}],
    ids=str,
)
def test_other_fits_do_not_warn(kwargs):
    X, y = IRIS
    given = {}
    if "X_val" in kwargs:
        kwargs = {"early_stopping": True}
        given = {"X_val": X[100:], "y_val": y[100:]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier(**kwargs).fit(X, y, **given)
        startup().fit(X, y)


def test_the_default_dtype_and_device_of_torch_do_not_matter():
    code = """
        import sys
        import numpy as np, torch
        from sklearn.datasets import load_iris
        from skpapers.few_shot import STARTUPClassifier
        from skpapers.neural_network import SAMMLPClassifier, SAMMLPRegressor
        X, y = load_iris(return_X_y=True)
        domain = np.where(np.arange(150) % 2, 1, -1)
        common = {"max_iter": 2, "random_state": 0, "device": "cpu"}
        more = {"n_ensemble": 2, "mixup_alpha": 0.4, "dropout": 0.1, "batch_norm": True, "early_stopping": True}
        more["validation_split"] = "random"

        def outputs():
            model = STARTUPClassifier((8, 4), **common).fit(X, y, sample_domain=domain)
            yield model.transform(X)
            yield model.pseudo_labels(X)
            model = SAMMLPClassifier((8,), label_smoothing=0.1, **common, **more).fit(X, y)
            yield model.predict(X)
            yield model.sharpness(X, y)
            model.set_params(early_stopping=False, batch_size=1)  # after 256 steps bfloat16 would stop counting them
            yield [model.partial_fit(X, y).loss_ for _ in range(2)]
            model = SAMMLPRegressor((8,), dtype="float64", loss="huber", **common, **more).fit(X, y)
            yield model.to_torch()(torch.from_numpy(X)).detach().numpy()

        expected = list(outputs())
        for dtype in (torch.float64, torch.float16, torch.bfloat16):
            torch.set_default_dtype(dtype)
            for a, b in zip(expected, outputs(), strict=True):
                np.testing.assert_array_equal(a, b)
            assert torch.get_default_dtype() == dtype
        torch.set_default_dtype(torch.float32)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            for a, b in zip(expected, outputs(), strict=True):
                np.testing.assert_array_equal(a, b)
        torch.set_default_device("meta")
        with torch.device("cpu"):
            X_t = torch.from_numpy(X)
        for a, b in zip(expected, outputs(), strict=True):
            np.testing.assert_array_equal(a, b)
        print("same")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "same", done.stderr


@pytest.mark.parametrize("make", [classifier, startup])
def test_predict_takes_little_memory_and_its_chunks_leave_no_trace(make):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 60)).astype(np.float32)
    more = {"n_ensemble": 8} if make is classifier else {"scaling": "robust"}
    model = make(**more | {"max_iter": 1}).fit(X[:60], X[:60, 0] > 0)
    tracemalloc.start()
    p = model.predict_proba(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * X.nbytes  # numpy's part of it: X is not copied as a whole
    for rows in (slice(0, 1), slice(0, 7), slice(4999, 5000), slice(2500, 2600)):
        assert_allclose(model.predict_proba(X[rows]), p[rows], rtol=0, atol=1e-12)
