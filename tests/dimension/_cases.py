"""The intrinsic dimension in the tests that run on every estimator."""

from tests._case import Case

CASES = {
    "IntrinsicDimension": Case(
        grid={"aggregation": ["harmonic", "mean"], "normalization": ["k-1", "k-2"]},
        small={"n_neighbors": 4, "random_state": 0},
        further=(
            {"method": "twonn", "metric": "manhattan"},
            {"method": "geomle", "n_neighbors": 2},
            {"max_anchors": 10, "normalization": "k-2", "aggregation": "median"},
        ),
        # 20 neighbours need 21 rows, of which some checks have fewer
        defaults={"n_neighbors": 5},
    ),
}
