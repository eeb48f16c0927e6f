"""pandas and polars in, numpy out, and names are kept."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import is_classifier

from tests._asserts import assert_same_predictions, output
from tests._instances import estimator_names, small, table_for


@pytest.mark.parametrize("name", estimator_names())
def test_names_are_forgotten_by_a_fit_without_any(name):
    model = small(name)
    X, names, y = table_for(model)
    model.fit(pd.DataFrame(X, columns=names), y)
    assert not hasattr(model.fit(X, y), "feature_names_in_")


@pytest.mark.parametrize("frame", ["pandas", "polars"])
@pytest.mark.parametrize("name", estimator_names())
def test_frames_equal_arrays(name, frame):
    model = small(name)
    X, names, y = table_for(model)
    if is_classifier(model):
        y = np.array(["bad", "good"])[y]
    table = pd.DataFrame(X, columns=names)
    target = pd.Series(y, name="target", index=np.arange(len(y))[::-1])  # an index of its own must not matter
    if frame == "polars":
        table = pl.from_pandas(table)
        target = pl.Series("target", y)
    else:
        table.index = target.index
    of_frame = small(name).fit(table, target)
    of_array = model.fit(X, y)
    assert_same_predictions(of_frame, of_array, table, X_b=X)
    assert_array_equal(of_frame.feature_names_in_, names)
    assert isinstance(output(of_frame, table), np.ndarray)
    with pytest.raises(ValueError, match="feature names"):
        output(of_frame, table[list(reversed(table.columns))])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize("name", estimator_names())
def test_a_target_in_one_column_equals_a_flat_one(name):
    model = small(name)
    X, _, y = table_for(model, 60)
    X = X[:, :4]
    y = np.array(["bad", "good"])[y] if is_classifier(model) else y
    target = pd.Series(y, dtype="string" if is_classifier(model) else "Float64").to_frame("target")
    flat = small(name).fit(X, y)
    for column in (y.astype(object)[:, np.newaxis], target, pl.DataFrame({"target": y})):
        assert_same_predictions(model.fit(X, column), flat, X)
