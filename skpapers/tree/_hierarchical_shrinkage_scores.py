"""The scores of every lambda from one fitted model: on a fold's test part, or on the rows outside a forest's bags."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import BaseDecisionTree
from sklearn.utils import get_tags

from skpapers._cross_validation import Routed, Split, take_fold
from skpapers._validation import (
    check_method_params,
    is_made_by_make_scorer,
    safe_indexing,
    score_columns,
    score_log_loss,
)
from skpapers.tree._hierarchical_shrinkage import Nodes, shrink_path
from skpapers.tree._hierarchical_shrinkage_base import fit_model
from skpapers.tree._shrinkable import FORESTS, open_trees


class _Answers:
    """A tree or forest at one lambda that answers a scorer of scikit-learn from values computed before.

    Parameters
    ----------
    model : tree or forest
        The unshrunken model, from which the classes and the tags are read.

    values : ndarray of shape (n_samples, n_outputs * n_classes)
        The mean of the shrunken leaf values over the trees, a row for each row that the scorer asks about.
    """

    def __init__(self, model: Any, values: NDArray) -> None:
        self._model = model
        self._values = values

    def __sklearn_tags__(self) -> Any:
        return get_tags(self._model)

    @property
    def classes_(self) -> Any:
        return self._model.classes_

    def predict_proba(self, X: Any) -> Any:
        classes = self._model.classes_
        if self._model.n_outputs_ == 1:
            return self._values[:, : len(classes)]
        parts = np.split(self._values, self._model.n_outputs_, axis=1)
        return [part[:, : len(c)] for part, c in zip(parts, classes, strict=True)]

    def predict(self, X: Any) -> Any:
        n_outputs = self._model.n_outputs_
        if get_tags(self._model).estimator_type == "regressor":
            return self._values[:, 0] if n_outputs == 1 else self._values
        proba = self.predict_proba(X)
        if n_outputs == 1:
            return self.classes_.take(proba.argmax(axis=1))
        return np.stack([c.take(p.argmax(axis=1)) for c, p in zip(self.classes_, proba, strict=True)], axis=1)


def _is_averaged(model: Any) -> bool:
    """Whether predictions are plain means of leaf values over the trees."""
    return isinstance(model, (BaseDecisionTree, *FORESTS))


def _leaf_means(
    model: Any, trees: list[Nodes], reg_params: NDArray, scheme: str, X: Any, in_bag: list[NDArray] | None = None
) -> tuple[NDArray, NDArray]:
    """Return the mean over the trees of the shrunken leaf values of each row, for every lambda.

    One tree at a time: the paths of all trees of a deep forest would take gigabytes.

    Parameters
    ----------
    model : tree or forest

    trees : list of Nodes
        Its trees, opened.

    reg_params, scheme
        As for `shrink_path`.

    X : array-like of shape (n_samples, n_features)

    in_bag : list of ndarray of int, default=None
        Rows that each tree was trained on. Its predictions of them are not counted.

    Returns
    -------
    means : ndarray of shape (n_reg_params, n_rows, n_values)

    rows : ndarray of shape (n_rows,)
        The rows with a prediction of at least one tree; all rows without `in_bag`.
    """
    leaves = np.asarray(model.apply(X)).reshape(-1, len(trees))
    n_samples = leaves.shape[0]
    means = np.zeros((reg_params.size, n_samples, trees[0].value.shape[1]))
    n_trees = np.zeros(n_samples)
    for t, nodes in enumerate(trees):
        rows: Any = slice(None)
        if in_bag is not None:
            rows = np.flatnonzero(np.bincount(in_bag[t], minlength=n_samples) == 0)
        means[:, rows] += shrink_path(*nodes, reg_params, scheme)[:, leaves[rows, t]]
        n_trees[rows] += 1
    seen = np.flatnonzero(n_trees)
    if seen.size < n_samples:
        means = means[:, seen]
        n_trees = n_trees[seen]
    means /= n_trees[:, np.newaxis]
    return means, seen


def _score_means(scorer: Any, model: Any, means: NDArray, X: Any, y: Any, score_params: dict) -> Any:
    """Score the predictions of every lambda: in one call where the metric allows it, one by one otherwise."""
    if model.n_outputs_ == 1:
        if get_tags(model).estimator_type == "regressor":
            scores = score_columns(scorer, y, means[:, :, 0].T, **score_params)
        else:
            scores = score_log_loss(scorer, y, means, model.classes_, **score_params)
        if scores is not None:
            return scores
    return [scorer(_Answers(model, mean), X, y, **score_params) for mean in means]


def score_fold(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    reg_params: NDArray,
    scheme: str,
    routed: Routed,
    split: Split,
) -> Any:
    """Fit once on the training part of a fold and score every lambda on its test part."""
    fold = take_fold(X, y, sample_weight, split, routed.score_params)
    scorer = routed.scorer
    model = fit_model(estimator, fold.X_train, fold.y_train, fold.weight_train)
    trees = open_trees(model, fold.X_train, fold.y_train, fold.weight_train)
    if _is_averaged(model) and is_made_by_make_scorer(scorer):
        means, _ = _leaf_means(model, trees.read(), reg_params, scheme, fold.X_test)
        return _score_means(scorer, model, means, fold.X_test, fold.y_test, fold.score_params)
    values = [shrink_path(*nodes, reg_params, scheme) for nodes in trees.read()]
    scores = []
    for k in range(reg_params.size):
        trees.write([value[k] for value in values])
        scores.append(scorer(model, fold.X_test, fold.y_test, **fold.score_params))
    return scores


def score_oob(model: Any, X: Any, y: Any, reg_params: NDArray, scheme: str, scorer: Any, score_params: dict) -> Any:
    """Score every lambda on the rows that each tree of a fitted forest did not see."""
    if not is_made_by_make_scorer(scorer):
        raise ValueError(
            'cv="oob" needs a scorer by name or from make_scorer; a plain callable asks for a whole model.'
        )
    in_bag = model.estimators_samples_
    if max(rows.max() for rows in in_bag) >= len(y):
        raise ValueError(f'cv="oob" needs the rows the forest was trained on; got {len(y)} rows, fewer than it saw.')
    means, rows = _leaf_means(model, open_trees(model, X, y, None).read(), reg_params, scheme, X, in_bag)
    if rows.size == 0:
        raise ValueError('cv="oob" found no row outside every bag: use more rows, or a smaller max_samples.')
    score_params = check_method_params(X, score_params, rows)
    X = safe_indexing(X, rows)
    y = safe_indexing(y, rows)
    return _score_means(scorer, model, means, X, y, score_params)
