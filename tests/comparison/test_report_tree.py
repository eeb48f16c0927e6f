"""Trees in the words of the user's columns."""

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skpapers.comparison._report_tree import class_answer, prepared_columns, read_tree, regression_answer
from skpapers.comparison._tables import clean_features, preprocessing


def _frame(n=300):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "income": np.where(rng.random(n) < 0.1, np.nan, rng.normal(100, 10, n)),
            "region": rng.choice(["north", "south"], n),
            "many": rng.integers(0, 40, n).astype(str).astype(object) + np.array(["x"] * n, dtype=object),
            "opened": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="h"),
        }
    )


def _prepared(frame):
    features, kinds, _ = clean_features(frame)
    made = preprocessing(features, kinds).fit(features)
    return features, made.transform(features), prepared_columns(made)


def test_every_prepared_column_has_the_name_of_what_it_holds():
    features, prepared, columns = _prepared(_frame())
    assert len(columns) == prepared.shape[1]
    by_name = {column.name: prepared[:, j] for j, column in enumerate(columns)}
    assert len(by_name) == len(columns)
    np.testing.assert_array_equal(by_name["income missing"], features["income"].isna())
    np.testing.assert_array_equal(by_name["region = north"], features["region"] == "north")
    np.testing.assert_array_equal(by_name["opened: month"], features["opened"].dt.month)
    np.testing.assert_array_equal(by_name["seen: hour"], features["seen"].dt.hour)
    assert "opened: hour" not in by_name
    frequent = [name.removeprefix("many = ") for name in by_name if name.startswith("many = ")]
    np.testing.assert_array_equal(by_name["many: rare value"], ~features["many"].isin(frequent))


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_answers_to_the_questions_lead_to_the_prediction(task):
    frame = _frame()
    features, prepared, columns = _prepared(frame)
    signal = (features["region"] == "north") * 2.0 + features["income"].isna() * 5.0
    if task == "regression":
        y = signal.to_numpy() + features["income"].fillna(100).to_numpy() / 100
        model = DecisionTreeRegressor(max_depth=3).fit(prepared, y)
        answer = regression_answer(1e-7)
    else:
        y = np.array(["a", "b", "c"])[np.digitize(signal, [1, 4])]
        model = DecisionTreeClassifier(max_depth=3).fit(prepared, y)
        answer = class_answer(model.classes_)
    root = read_tree(model.tree_, columns, answer, np.full(prepared.shape[1], 1e-7))

    def holds(question, row):
        name = question.removesuffix("?")
        if name.endswith(" is missing"):
            return pd.isna(row[name.removesuffix(" is missing")])
        if " is " in name:
            column, value = name.split(" is ")
            return row[column] == value
        column, threshold = name.split(" ≤ ")
        return (row[column] if pd.notna(row[column]) else frame[column].median()) <= float(threshold)

    for number, row in enumerate(features.to_dict("records")):
        node = root
        while node.question:
            node = node.yes if holds(node.question, row) else node.no
        predicted = model.predict(prepared[[number]])[0]
        if task == "regression":
            assert float(node.answer) == pytest.approx(predicted, abs=1e-6)
        else:
            assert node.answer == predicted
    assert root.n_rows == len(frame)


def test_thresholds_have_no_digits_that_say_nothing():
    model = DecisionTreeRegressor(max_depth=1).fit([[0.0], [1.0]], [0.0, 1.0])
    _, _, columns = _prepared(pd.DataFrame({"late": [0.0, 1.0]}))
    root = read_tree(model.tree_, columns, regression_answer(1.0), np.array([0.5]))
    assert root.question == "late ≤ 0.5?"
