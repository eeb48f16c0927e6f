"""The name under which a wrapped estimator takes row weights, with and without metadata routing."""

import pytest
import sklearn
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skpapers._weights import weight_parameter


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (Ridge(), "sample_weight"),
        (KNeighborsClassifier(), None),
        (make_pipeline(StandardScaler(), GaussianNB()), "gaussiannb__sample_weight"),
        (make_pipeline(make_pipeline(GaussianNB())), "pipeline__gaussiannb__sample_weight"),
        (GridSearchCV(Ridge(), {}), "sample_weight"),
        (GridSearchCV(make_pipeline(KNeighborsClassifier()), {}), None),
    ],
    ids=str,
)
def test_without_routing_a_pipeline_names_its_step(estimator, name):
    assert weight_parameter(estimator) == name


def test_with_routing_it_is_what_was_requested():
    with sklearn.config_context(enable_metadata_routing=True):
        asked, refused = (LogisticRegression().set_fit_request(sample_weight=said) for said in (True, False))
        assert weight_parameter(LogisticRegression()) == "sample_weight"
        assert weight_parameter(asked) == weight_parameter(make_pipeline(asked)) == "sample_weight"
        assert weight_parameter(refused) is None
        assert weight_parameter(make_pipeline(refused)) is None
        assert weight_parameter(make_pipeline(LogisticRegression())) is None
        assert weight_parameter(GridSearchCV(make_pipeline(StandardScaler(), asked), {})) == "sample_weight"
