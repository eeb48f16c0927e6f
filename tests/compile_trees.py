"""Compile the kernels of the optimal trees, each once, before two processes test them and compile all of them twice."""

import numpy as np
from joblib import Parallel, delayed

from skpapers.tree import QuantBnBTree, QuantBnBTreeClassifier

if __name__ == "__main__":
    X = np.random.default_rng(0).normal(size=(60, 3))
    fits = [
        delayed(QuantBnBTree(max_depth=3).fit)(X, X[:, 0]),
        delayed(QuantBnBTreeClassifier(max_depth=3).fit)(X, X[:, 0] > 0),
    ]
    Parallel(n_jobs=2)(fits)
