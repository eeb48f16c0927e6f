"""Folds on a dask cluster give what folds in this process give."""

import joblib
from distributed import Client, LocalCluster
from numpy.testing import assert_array_equal
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import cross_val_score

from skpapers import HierarchicalShrinkageClassifierCV


def test_folds_on_a_cluster():
    X, y = load_breast_cancer(return_X_y=True)
    model = HierarchicalShrinkageClassifierCV()
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster),
        joblib.parallel_backend("dask"),
    ):
        scores = cross_val_score(model, X, y, cv=3, n_jobs=2)
        inside = HierarchicalShrinkageClassifierCV(n_jobs=2).fit(X, y)
    assert_array_equal(scores, cross_val_score(model, X, y, cv=3))
    assert_array_equal(inside.predict_proba(X), model.fit(X, y).predict_proba(X))
