"""What compare reads from an estimator and sets on it: parts of a Pipeline, and values per row."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skpapers._contests import Spec
from skpapers.comparison import compare
from skpapers.comparison._contract import certificate, fit_paths, predict_names, time_limits
from tests.comparison._estimators import DUMMY, HERE, STUMP, TREE, Base, Scaler, Tasks, numbers

TASKS = Spec(HERE + "Tasks")
QUIET = Spec(HERE + "Scaler", {"fail": False})


def in_a_pipeline(first, last=TREE):
    return Spec("sklearn.pipeline.Pipeline", {"steps": [("first", first), ("last", last)]})


def first_note(contests, spec, n=60, **options):
    contests(("pipeline", spec, DUMMY))
    return compare(*numbers(n), **{"cv": 2, "time_budget": 400.0} | options).to_frame()["notes"][0]


def test_steps_of_a_pipeline_get_limit_metric_and_folds(contests):
    scaler = in_a_pipeline(Spec(HERE + "Scaler"))
    assert "limit=36.0 scoring=accuracy cv=5 domains=None" in first_note(contests, scaler)
    # two open limits share the seconds
    both = in_a_pipeline(Spec(HERE + "Scaler"), Spec(HERE + "Certified"))
    assert "limit=18.0 scoring=f1 cv=5" in first_note(contests, both, scoring="f1")
    forward = first_note(contests, in_a_pipeline(Spec(HERE + "Scaler")), cv="time")
    assert "cv=TimeSeriesSplit(gap=0, max_train_size=None, n_splits=5" in forward
    given = in_a_pipeline(Spec(HERE + "Scaler", {"time_limit": 7.0, "scoring": "f1", "cv": "oob"}))
    assert "limit=7.0 scoring=f1 cv=oob" in first_note(contests, given, scoring="accuracy")


def test_the_last_step_of_a_pipeline_proves_and_is_weighted(contests):
    certified = in_a_pipeline(QUIET, Spec(HERE + "Certified", {"gap": 0.5, "is_optimal": True}))
    contests(("proved", certified, DUMMY), ("tells", in_a_pipeline(QUIET, Spec(HERE + "Tells")), DUMMY))
    weight = np.arange(60) % 2 + 1.0
    frame = compare(*numbers(60), cv=2, sample_weight=weight).to_frame()
    assert frame["certificate"][0] == "optimal"
    assert frame["notes"][0] == "fitted without sample_weight"
    assert "weight=4" in frame["notes"][1]


@pytest.mark.parametrize("scoring", ["accuracy", "roc_auc"])
def test_metadata_reach_fit_predict_and_decision_function(contests, scoring):
    contests(("tasks", TASKS, DUMMY), ("in a pipeline", in_a_pipeline(QUIET, TASKS), TREE))
    X = np.zeros((60, 2))
    task = np.array(["a", "b"])[np.arange(60) // 3 % 2]
    y = (task == "b").astype(int)
    result = compare(X, y, cv=3, metadata={"task": task}, scoring=scoring)
    frame = result.to_frame()
    assert frame["notes"].tolist() == ["", ""]
    assert frame["score"].tolist() == [1.0, 1.0]
    assert frame["baseline_score"].max() < 0.9
    assert result.notes == ()


def test_metadata_follow_the_rows(contests):
    """Rows without a target are dropped, and the others are put in the order of time."""
    contests(("tasks", TASKS, DUMMY))
    rng = np.random.default_rng(0)
    time = rng.permutation(80)
    task = time % 2
    y = np.where(np.arange(80) % 9 == 4, np.nan, task)
    frame = compare(rng.normal(size=(80, 1)), y, time=time, cv="time", metadata={"task": task}).to_frame()
    assert frame["score"][0] == 1.0


def test_domains_reach_a_step(contests):
    domains = np.array(["s", "t"])[np.arange(60) % 2]
    scaler = in_a_pipeline(Spec(HERE + "Scaler"))
    assert "domains=st" in first_note(contests, scaler, metadata={"sample_domain": domains})


def test_methods_that_need_metadata(contests):
    contests(("tree", TREE, STUMP), ("tasks", TASKS, DUMMY, ("task",)))
    X, y = numbers(60)
    assert compare(X, y, cv=2).to_frame()["method"].tolist() == ["tree"]
    with pytest.raises(ValueError, match=r"^methods: 'tasks' needs metadata named 'task'\.$"):
        compare(X, y, cv=2, methods=["tasks"])
    result = compare(X, y, cv=2, metadata={"task": y, "other": y})
    assert sorted(result.to_frame()["method"]) == ["tasks", "tree"]
    assert result.notes == ("no estimator takes the metadata 'other'",)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ([1], "metadata must be a dict of names and values per row, got list"),
        ({"sample_weight": [1] * 60}, "'sample_weight' is no valid name; a name must be that of a parameter of fit"),
        ({"not a name": [1] * 60}, "'not a name' is no valid name"),
        ({"task": [1] * 59}, r"metadata\['task'\] has 59 values, X has 60 rows"),
        ({"task": [None] + [1] * 59}, r"metadata\['task'\] is missing in 1 rows; every row needs a value"),
    ],
)
def test_wrong_metadata_are_one_error(metadata, message):
    with pytest.raises(ValueError, match=message):
        compare(*numbers(60), metadata=metadata)


def test_what_is_read_from_an_estimator():
    nested = make_pipeline(StandardScaler(), make_pipeline(Scaler(), LogisticRegression()))
    paths = ["standardscaler__sample_weight", "pipeline__logisticregression__sample_weight"]
    assert fit_paths(nested, "sample_weight") == paths
    assert fit_paths(nested, "sample_domain") == ["pipeline__scaler__sample_domain"]
    assert fit_paths(Base(), "task") == []
    assert predict_names(make_pipeline("passthrough", Tasks()), "predict", ["task", "sample_domain"]) == ["task"]
    assert predict_names(make_pipeline(Tasks(), LogisticRegression()), "predict_proba", ["task"]) == []
    assert time_limits(nested, 6.0) == {"pipeline__scaler__time_limit": 6.0}
    assert time_limits(LogisticRegression(), 6.0) == {}


@pytest.mark.parametrize(
    ("fitted", "expected"),
    [
        ({}, (np.nan, False)),
        ({"gap_": np.nan}, (np.nan, False)),
        ({"gap_": np.zeros(2)}, (np.nan, False)),
        ({"gap_": 0.0}, (0.0, True)),
        ({"gap_": 1e-5, "tol": 1e-4}, (1e-5, True)),
        ({"gap_": 1e-5, "tol": "auto"}, (1e-5, False)),
        ({"gap_": 0.0, "is_optimal_": False}, (0.0, False)),
        ({"gap_": 0.5, "is_optimal_": True}, (0.5, True)),
    ],
    ids=str,
)
def test_certificates(fitted, expected):
    model = Base()
    vars(model).update(fitted)
    for whole in (model, make_pipeline(Scaler(), model)):
        np.testing.assert_equal(certificate(whole), expected)
