"""pandas and polars in, numpy out, and names are kept."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes

from tests._asserts import assert_same_predictions, output
from tests._instances import estimator_names, small


@pytest.mark.parametrize("name", estimator_names())
def test_names_are_forgotten_by_a_fit_without_any(name):
    bunch = load_breast_cancer() if is_classifier(small(name)) else load_diabetes()
    model = small(name).fit(pd.DataFrame(bunch.data, columns=bunch.feature_names), bunch.target)
    assert not hasattr(model.fit(bunch.data, bunch.target), "feature_names_in_")


@pytest.mark.parametrize("frame", ["pandas", "polars"])
@pytest.mark.parametrize("name", estimator_names())
def test_frames_equal_arrays(name, frame):
    model = small(name)
    bunch = load_breast_cancer() if is_classifier(model) else load_diabetes()
    X = bunch.data
    y = bunch.target
    if is_classifier(model):
        y = np.array(["bad", "good"])[y]
    table = pd.DataFrame(X, columns=bunch.feature_names)
    target = pd.Series(y, name="target", index=np.arange(len(y))[::-1])  # an index of its own must not matter
    if frame == "polars":
        table = pl.from_pandas(table)
        target = pl.Series("target", y)
    else:
        table.index = target.index
    of_frame = small(name).fit(table, target)
    of_array = model.fit(X, y)
    assert_same_predictions(of_frame, of_array, table, X_b=X)
    assert_array_equal(of_frame.feature_names_in_, bunch.feature_names)
    assert isinstance(output(of_frame, table), np.ndarray)
    with pytest.raises(ValueError, match="feature names"):
        output(of_frame, table[list(reversed(table.columns))])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize("name", estimator_names())
def test_a_target_in_one_column_equals_a_flat_one(name):
    model = small(name)
    bunch = load_breast_cancer() if is_classifier(model) else load_diabetes()
    X = bunch.data[:60, :4]
    y = bunch.target[:60]
    y = np.array(["bad", "good"])[y] if is_classifier(model) else y
    target = pd.Series(y, dtype="string" if is_classifier(model) else "Float64").to_frame("target")
    flat = small(name).fit(X, y)
    for column in (y.astype(object)[:, np.newaxis], target, pl.DataFrame({"target": y})):
        assert_same_predictions(model.fit(X, column), flat, X)
