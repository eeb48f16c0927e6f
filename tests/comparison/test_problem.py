"""What is decided about a table before the first fit: which column is the time, and what the reader must know."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, TimeSeriesSplit

from skpapers.comparison._problem import make_problem

N = 60
DAYS = pd.Series(pd.date_range("2024-01-01", periods=N))
PARTLY = DAYS.where(np.arange(N) % 2 == 0)
Y = np.random.default_rng(1).normal(size=N)
A = np.random.default_rng(2).normal(size=N)
SHUFFLED = np.random.default_rng(0).permutation(N)


def problem(columns, **options):
    """Return the problem of a table of one number and the given columns."""
    return make_problem(pd.DataFrame({"a": A, **columns}), Y, task="auto", **options)


@pytest.mark.parametrize("cv", [5, KFold(3), [(range(30), range(30, 60))]])
def test_a_partly_filled_date_is_a_feature(cv):
    found = problem({"last_contact": PARTLY}, cv=cv)
    assert list(found.frame) == ["a", "last_contact"]
    assert found.frame["last_contact"].isna().sum() == N // 2
    assert not any("missing" in note for note in found.notes)


def test_without_cv_a_partly_filled_date_leaves_folds_without_time_and_a_note():
    found = problem({"last_contact": PARTLY})
    assert list(found.frame) == ["a", "last_contact"]
    assert found.plan.name == "5 folds (KFold, not shuffled)"
    (note,) = found.notes
    assert note.startswith("date column 'last_contact' has missing values, so it is a feature and does not order")
    assert "as time" in note


def test_a_date_that_is_the_same_in_every_row_does_not_order_them():
    note = "date column 'exported' has a single date and does not order the rows"
    exported = np.full(N, "2024-05-01")
    found = problem({"exported": exported})
    assert found.plan.name == "5 folds (KFold, not shuffled)"
    assert found.notes == (note,)
    with_days = problem({"exported": exported, "day": DAYS[SHUFFLED].array})
    assert note in with_days.notes
    np.testing.assert_array_equal(with_days.frame["a"], A[np.argsort(SHUFFLED)])
    assert problem({"exported": exported}, cv="time").plan.name == "5 expanding windows in time, gap 0"


def test_too_few_dates_are_named_with_the_ways_out():
    with pytest.raises(
        ValueError, match=r"^Time column 'quarter': cv='time' .* there are 2\. Choose another time .*--cv"
    ):
        problem({"quarter": np.repeat(["2024-03-31", "2024-06-30"], N // 2)})


def test_a_missing_date_where_the_target_is_missing_too_does_no_harm():
    X = pd.DataFrame({"a": A, "day": DAYS.where(DAYS.index > 0)})
    y = pd.Series(Y).where(DAYS.index > 0)
    found = make_problem(X, y, task="auto")
    assert found.plan.name == "5 expanding windows in time, gap 0"


def test_the_only_complete_date_is_the_time():
    found = problem({"last_contact": PARTLY, "day": DAYS})
    assert list(found.frame) == ["a", "last_contact"]
    assert found.notes == ("Time column 'day' orders the rows and is not a feature",)


def test_windows_in_time_need_a_time():
    with pytest.raises(ValueError, match=r"cv='time'.*'last_contact' has missing values.*as time") as error:
        problem({"last_contact": PARTLY}, cv="time")
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="Time column 'last_contact' is missing in 30 rows"):
        problem({"last_contact": PARTLY}, time="last_contact")


@pytest.mark.parametrize("cv", ["walk-forward", "purged"])
def test_all_windows_in_time_need_a_complete_time(cv):
    with pytest.raises(ValueError, match=f"^cv='{cv}' needs a time in every row; date column 'last_contact' has miss"):
        problem({"last_contact": PARTLY}, cv=cv)


@pytest.mark.parametrize("dtype", [object, "string"])
def test_an_index_of_dates_in_text_orders_the_rows(dtype):
    days = pd.Index(DAYS[SHUFFLED].astype(str), dtype=dtype)
    assets = pd.Index([f"T{i % 3}" for i in range(N)])
    for index in (days, pd.MultiIndex.from_arrays([assets, days])):
        found = make_problem(pd.DataFrame({"a": A}, index=index), Y, task="auto")
        assert found.plan.name == "5 expanding windows in time, gap 0"
        assert found.notes[0] == "The index of X orders the rows and is not a feature"
        np.testing.assert_array_equal(found.frame["a"], A[np.argsort(SHUFFLED)])
    assert make_problem(pd.DataFrame({"a": A}, index=[f"T{i}" for i in range(N)]), Y, task="auto").notes == ()


def test_an_index_of_ambiguous_dates():
    monthly = pd.date_range("2019-01-01", periods=N, freq="MS").strftime("%d/%m/%Y")
    frame = pd.DataFrame({"a": A}, index=monthly)
    (note,) = make_problem(frame, Y, task="auto").notes
    assert note.startswith("the index of X holds dates whose day and month are ambiguous")
    with pytest.raises(ValueError, match=r"^cv='time' needs a time in every row; the index of X holds dates whose day"):
        make_problem(frame, Y, task="auto", cv="time")


def test_several_levels_of_dates():
    frame = pd.DataFrame(
        {"a": A}, index=pd.MultiIndex.from_arrays([DAYS, DAYS + pd.Timedelta(days=1)], names=["d", "e"])
    )
    for cv in (None, "time"):
        with pytest.raises(ValueError, match=r"^The index of X has several levels of dates \(d, e\); name the one"):
            make_problem(frame, Y, task="auto", cv=cv)
    assert make_problem(frame, Y, task="auto", cv=5).times is None
    assert (
        make_problem(frame, Y, task="auto", time="e").notes[0] == "Time column 'e' orders the rows and is not a feature"
    )


def test_an_index_with_missing_dates_orders_nothing():
    frame = pd.DataFrame({"a": A}, index=pd.DatetimeIndex(PARTLY))
    assert make_problem(frame, Y, task="auto", cv=5).notes == ()
    (note,) = make_problem(frame, Y, task="auto").notes
    assert note.startswith("the index of X has missing values, so it does not order the rows")


@pytest.mark.parametrize("columns", [{"day": DAYS}, {"day": DAYS, "due": DAYS}])
def test_a_number_of_folds_makes_features_of_complete_dates(columns):
    found = problem(columns, cv=3)
    assert list(found.frame) == ["a", *columns]
    names = " or ".join(columns)
    assert found.notes == (f"with cv=3 the folds train on the future of their test rows if {names} orders them",)


def test_splitters_and_dates():
    future = "with cv={} the folds train on the future of their test rows if day orders them"
    assert problem({"day": DAYS}, cv=ShuffleSplit(2, random_state=0)).notes == (future.format("ShuffleSplit"),)
    assert problem({"day": DAYS}, cv=TimeSeriesSplit(3)).notes == ()
    assert problem({"day": DAYS[SHUFFLED].array}, cv=TimeSeriesSplit(3)).notes == (future.format("TimeSeriesSplit"),)
    given = problem({"day": DAYS}, cv=[(range(30, 60), range(30))])
    assert given.notes == ("with the splits given the folds train on the future of their test rows if day orders them",)


def test_splitters_and_a_named_time():
    order = "Time column 'day' orders the rows and is not a feature"
    future = "with cv=KFold the folds train on the future of their test rows"
    assert problem({"day": DAYS}, cv=KFold(3), time="day").notes == (order, future)
    assert problem({"day": DAYS[SHUFFLED].array}, cv=TimeSeriesSplit(3), time="day").notes == (order,)
    twice = DAYS.repeat(2).array[:N]  # a split inside a day
    assert problem({"day": twice}, cv=[(range(29), range(29, N))], time="day").notes == (
        order,
        "with the splits given the folds train on the future of their test rows",
    )
    assert problem({"day": DAYS}, cv=3, time="day").notes == (
        "Time column 'day' is not a feature",
        "with cv=3 the folds train on the future of their test rows",
    )


def test_a_number_of_folds_keeps_the_order_of_the_rows():
    found = problem({"day": DAYS[SHUFFLED].array}, cv=3, time="day")
    np.testing.assert_array_equal(found.frame["a"], A)
    np.testing.assert_array_equal(found.times, DAYS[SHUFFLED])


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored by KFold")
def test_groups_on_both_sides():
    groups = np.arange(N) % 4
    note = "rows of one group are in training and in test in {} folds"
    assert problem({}, cv=KFold(3), groups=groups).notes == (note.format("3 of 3"),)
    assert problem({}, cv=GroupKFold(3), groups=groups).notes == ()
    assert problem({}, cv=3, groups=groups).notes == ()
    splits = [(range(30), range(30, 60)), (range(20), range(20, 60))]
    assert problem({}, cv=splits, groups=np.arange(N) // 30).notes == (note.format("1 of 2"),)
    assert problem({"day": DAYS}, groups=np.arange(N) // 4).notes[1:] == (
        "training rows of groups with test rows are left out",
    )
    with pytest.raises(ValueError, match="groups: every training row of fold 1 is of a group that has test rows"):
        problem({"day": DAYS}, groups=groups)


@pytest.mark.parametrize("write", ["%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d %b %Y", "%Y%m%d", "%b %d, %Y %H:%M"])
def test_dates_of_other_formats_order_the_rows(write):
    found = problem({"when": DAYS.dt.strftime(write)[SHUFFLED].array})
    assert found.notes == ("Time column 'when' orders the rows and is not a feature",)
    np.testing.assert_array_equal(found.frame["a"], A[np.argsort(SHUFFLED)])


@pytest.mark.parametrize(("name", "is_time"), [("trade_date", True), ("DAY", True), ("id", False)])
def test_numbers_are_dates_by_their_name_only(name, is_time):
    numbers = DAYS.dt.strftime("%Y%m%d").astype(int)[SHUFFLED].array
    assert list(problem({name: numbers}).frame) == ["a"] + [name] * (not is_time)
    named = problem({name: numbers}, time=name)
    np.testing.assert_array_equal(named.frame["a"], A[np.argsort(SHUFFLED)])


def test_day_and_month_that_cannot_be_told_apart():
    monthly = pd.Series(pd.date_range("2019-01-01", periods=N, freq="MS")).dt.strftime("%d/%m/%Y")
    found = problem({"when": monthly})
    assert found.preprocessing.transformers[1][0] == "categories"
    assert found.plan.name == "5 folds (KFold, not shuffled)"
    (note,) = found.notes
    assert note.startswith("column 'when' is a category: it holds dates whose day and month are ambiguous; ")
    for options in ({"time": "when"}, {"cv": "time"}):
        with pytest.raises(ValueError, match="day and month are ambiguous; write them as YYYY-MM-DD"):
            problem({"when": monthly}, **options)


def test_windows_that_test_one_row_each():
    options = {"cv": "walk-forward", "train_size": 50, "step": 1}
    assert [metric.label for metric in problem({"day": DAYS}, **options).metrics] == ["MAE"]
    for scoring in ("r2", "sharpe"):
        with pytest.raises(ValueError, match=f"Metric '{scoring}' needs two .* and every fold has one"):
            problem({"day": DAYS}, scoring=scoring, **options)
