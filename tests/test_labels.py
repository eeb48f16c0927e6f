"""Missing labels in arrays, lists and columns of data frames; every classifier refuses them with a clear error."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import is_classifier
from sklearn.datasets import load_iris

from skpapers._labels import check_labels, label_values, missing_labels
from tests._instances import small_instances

CLASSIFIERS = {type(model).__name__: model for model in small_instances() if is_classifier(model)}
WITH_GAPS = [
    pd.Series(["a", None, "b"], dtype="string"),
    pd.Series(["a", None, "b"], dtype="str"),
    pd.Series(pd.Categorical(["a", None, "b"])),
    pd.Series([1, None, 2], dtype="Int64"),
    pd.Series([True, None, False], dtype="boolean"),
    pd.DataFrame({"y": ["a", None, "b"]}),
    pl.Series(["a", None, "b"]),
    pl.Series([1, None, 2]),
    pl.DataFrame({"y": [1, None, 2]}),
    np.array(["a", None, "b"], dtype=object),
    np.array(["a", np.nan, "b"], dtype=object),
    np.array([1, pd.NaT, 2], dtype=object),
    ["a", None, "b"],
    ["a", np.nan, "b"],
    ("a", float("nan"), "b"),
    pd.array(["a", None, "b"], dtype="string"),
    pd.array([1, None, 2], dtype="Int64"),
    pd.Categorical([1, None, 2]),
]


def kind(y):
    return f"{type(y).__module__.split('.')[0]} {getattr(y, 'dtype', type(y).__name__)}"


@pytest.mark.parametrize("y", WITH_GAPS, ids=kind)
def test_gaps_are_found_and_refused(y):
    assert_array_equal(missing_labels(label_values(y)), [False, True, False])
    with pytest.raises(ValueError, match=r"^Input y contains NaN: 1 of 3 labels are missing\.$"):
        check_labels(y)


@pytest.mark.parametrize("y", [[0, 1], ["a", "b"], np.array([0.0, 1.0]), pd.Series(["a", "b"], dtype="string"), None])
def test_labels_without_gaps_pass_as_they_are(y):
    assert check_labels(y) is y


def test_labels_keep_their_own_type_beside_a_gap():
    for y in (
        pd.array([1, None, 2], dtype="Int64"),
        pd.Categorical([1, None, 2]),
        pd.Series([1, None, 2], dtype="Int64"),
    ):
        assert [type(label) for label in label_values(y)[[0, 2]]] == [int, int]
    assert label_values(["a", np.nan]).tolist()[0] == "a"
    assert label_values(["a", "nan"]).dtype.kind == "U"


@pytest.mark.parametrize("y", [y for y in WITH_GAPS if len(y) == 3], ids=kind)
@pytest.mark.parametrize("estimator", CLASSIFIERS.values(), ids=list(CLASSIFIERS))
def test_every_classifier_refuses_missing_labels(estimator, y):
    X = load_iris().data[:3]
    with pytest.raises(ValueError, match="Input y contains NaN"):
        estimator.fit(X, y)
