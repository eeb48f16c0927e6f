"""The shipped tables: exact numbers, scikit-learn's conventions."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from skpapers.datasets import load_concrete, load_raisin

# shape, dtype of the target, SHA-256 of the bytes of X and of y as the Quant-BnB repository packed them
FACTS = {
    load_raisin: (
        (900, 7),
        np.int64,
        "77d4b49b379f80f0f165e22ade5a7c82e9b814f3f3970e7d86bd9b51ebd984ec",
        "d65a5914a24d8166f988dd5e4f7a06c60b9abe20adc1bed869207ad1258bd97e",
    ),
    load_concrete: (
        (1030, 8),
        np.float64,
        "410a270b8065c33b76681dca9f630cf916008ae9bfd8a276b63ba3f5eeeb7cfd",
        "6c014deda56f1538ee25197ce7a07b669b41ba35ef2f12276bd458f3ce6301a8",
    ),
}


@pytest.mark.parametrize("load", FACTS)
def test_bits(load):
    shape, dtype, x_hash, y_hash = FACTS[load]
    X, y = load(return_X_y=True)
    assert X.shape == shape
    assert X.dtype == np.float64
    assert X.flags.c_contiguous
    assert y.dtype == dtype
    assert hashlib.sha256(X.tobytes()).hexdigest() == x_hash
    assert hashlib.sha256(y.tobytes()).hexdigest() == y_hash


@pytest.mark.parametrize("load", FACTS)
def test_bunch_and_frames(load):
    bunch = load()
    X, y = load(return_X_y=True)
    np.testing.assert_array_equal(bunch.data, X)
    np.testing.assert_array_equal(bunch.target, y)
    assert bunch.frame is None
    assert len(bunch.feature_names) == X.shape[1]
    assert "CC BY 4.0" in bunch.DESCR
    assert bunch.filename.endswith(".csv.gz")

    framed = load(as_frame=True)
    assert isinstance(framed.target, pd.Series)
    assert framed.data.columns.tolist() == bunch.feature_names
    assert framed.frame.columns.tolist() == [*bunch.feature_names, framed.target.name]
    np.testing.assert_array_equal(framed.data.to_numpy(), X)
    np.testing.assert_array_equal(framed.target.to_numpy(), y)
    frame, series = load(return_X_y=True, as_frame=True)
    pd.testing.assert_frame_equal(frame, framed.data)
    pd.testing.assert_series_equal(series, framed.target)


@pytest.mark.parametrize("load", FACTS)
def test_the_description_tells_where_the_published_training_set_ends(load):
    n_train = {load_raisin: 720, load_concrete: 824}[load]
    assert f"first {n_train} rows are the training set" in load().DESCR


def test_names_fit_the_numbers():
    """Relations that hold by geometry, and the varieties' known sizes, hold between the named columns."""
    raisin = load_raisin(as_frame=True)
    correlation = raisin.data.corr()
    assert correlation.loc["Area", "ConvexArea"] > 0.99
    assert correlation.loc["MajorAxisLength", "Perimeter"] > 0.95
    assert raisin.data["Area"].groupby(raisin.target).mean().idxmax() == raisin.target_names.tolist().index("Besni")
    concrete = load_concrete(as_frame=True)
    # in MPa, kg and days the published means are 35.8, 281.2 and 45.7 on ranges of 2.33-82.6, 102-540 and 1-365
    for name, (low, high, mean) in {
        "compressive_strength": (2.33, 82.6, 35.8),
        "cement": (102, 540, 281.2),
        "fly_ash": (0, 200.1, 54.2),
        "water": (121.8, 247, 181.6),
        "age": (1, 365, 45.7),
    }.items():
        assert concrete.frame[name].mean() * (high - low) + low == pytest.approx(mean, rel=0.01)


def test_two_loads_share_nothing():
    first = load_raisin()
    first.data[0, 0] = 7.0
    assert load_raisin().data[0, 0] != 7.0
