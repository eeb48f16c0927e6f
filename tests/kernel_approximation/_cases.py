"""The transformers of random features in the tests that run on every estimator."""

from tests._case import Case

CASES = {
    "PositiveOrthogonalFeatures": Case(
        grid={"gamma": ["scale", 0.01], "hyperbolic": [False, True]},
        small={"random_state": 0},
        further=(
            {"kernel": "gaussian", "hyperbolic": True, "stabilize": True, "n_components": 25},
            {"kernel": "relu", "orthogonal": False, "regularized": True},
        ),
    ),
    "RandomFourierAttentionFeatures": Case(
        grid={"gamma": [0.5, 1.0]}, small={"random_state": 0}, further=({"n_components": 25},)
    ),
    "ArcCosineFeatures": Case(grid={"n_components": [20, 50]}, small={"random_state": 0}),
}
