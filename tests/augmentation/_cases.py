"""The wrapper that mixes rows in the tests that run on every estimator."""

from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from tests._case import Case


def partners_are_drawn(estimator) -> dict[str, str]:
    why = "partners are drawn at random, so that a weight of two cannot draw what a repeated row draws"
    return {"check_sample_weight_equivalence_on_dense_data": why}


CASES = {
    "MixupWrapper": Case(
        grid={"alpha": [0.2, 1.0], "estimator__max_depth": [2, 4]},
        required={"estimator": DecisionTreeRegressor(random_state=0)},
        small={"random_state": 0},
        further=(
            {"estimator": make_pipeline(StandardScaler(), LogisticRegression())},
            {"estimator": KNeighborsClassifier(), "keep_original": False},
            {"estimator": GaussianNB(var_smoothing=0.1), "label_mode": "hard", "within_class": True},
            {"estimator": Ridge(), "bandwidth": 0.5},
        ),
        expected_failures=partners_are_drawn,
        passes_rows_on=True,
    )
}
