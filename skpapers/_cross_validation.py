"""Shared by estimators that choose a parameter by cross-validation: routing, folds, scores, and the choice."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn import get_config
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring, get_scorer, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.parallel import Parallel, delayed

from skpapers._fitting import Fitting
from skpapers._validation import StrOptions, accepts_sample_weight, check_method_params, safe_indexing

Split = tuple[NDArray[np.intp], NDArray[np.intp]]

# parts of the docstrings of the estimators, see `_docstrings.py`
DOCUMENTED = {
    "n_jobs": """
        Folds fitted at once (joblib); None means 1, -1 all cores. The result is the same for any number. The
        `multiprocessing` backend is not supported: it forks.""",
    "cv_attributes": """
        best_index_ : int
            Index of the best value in the arrays of `cv_results_`; of equally good values the first.

        best_params_ : dict
            Name and best value of the parameter.

        best_score_ : float
            Mean score of the best value.

        cv_results_ : dict
            `param_<name>`, `params`, `split<i>_test_score`, `mean_test_score`, `std_test_score` and `rank_test_score`,
            as in :class:`~sklearn.model_selection.GridSearchCV`. It holds no times, since all values share the fit of a
            fold. A value with a NaN among its scores is ranked last.

        n_splits_ : int
            Number of folds.""",
}


@dataclass(frozen=True)
class Routed:
    """A scorer, and the metadata that goes to it and to the splitter."""

    scorer: Any
    score_params: dict[str, Any]
    split_params: dict[str, Any]


@dataclass(frozen=True)
class Fold:
    """The two parts of a fold: `weight_train` is for the fit, `score_params` is the scorer's metadata of `X_test`."""

    X_train: Any
    y_train: Any
    weight_train: NDArray[np.float64] | None
    X_test: Any
    y_test: Any
    score_params: dict[str, Any]


def take_fold(
    X: Any, y: Any, sample_weight: NDArray[np.float64] | None, split: Split, score_params: dict[str, Any]
) -> Fold:
    """Return the rows of a fold."""
    train, test = split
    return Fold(
        X_train=safe_indexing(X, train),
        y_train=safe_indexing(y, train),
        weight_train=None if sample_weight is None else sample_weight[train],
        X_test=safe_indexing(X, test),
        y_test=safe_indexing(y, test),
        score_params=check_method_params(X, params=score_params, indices=test),
    )


@dataclass(frozen=True)
class Choice:
    """The scores of all values of a parameter, and the best value."""

    cv_results: dict[str, Any]
    best_index: int
    n_splits: int

    def attributes(self) -> dict[str, Any]:
        """Return the fitted attributes, named as those of `GridSearchCV`."""
        return {
            "cv_results_": self.cv_results,
            "best_index_": self.best_index,
            "best_score_": float(self.cv_results["mean_test_score"][self.best_index]),
            "best_params_": self.cv_results["params"][self.best_index],
            "n_splits_": self.n_splits,
        }


def choose(name: str, values: NDArray[np.float64], scores: Sequence[Any]) -> Choice:
    """Rank the values of a parameter by their mean scores, as `GridSearchCV` does.

    Parameters
    ----------
    name : str
        The parameter.

    values : ndarray of shape (n_values,)

    scores : sequence of shape (n_splits, n_values)
        Greater is better. A value with a NaN among its scores is ranked last.

    Returns
    -------
    choice : Choice
        Of equally good values the first is best.

    Raises
    ------
    ValueError
        If every value has a NaN among its scores.

    Warns
    -----
    UserWarning
        If the mean score of a value is not finite.
    """
    # one row for each value: the sums have the order of GridSearchCV, so that its ties are ties here
    table = np.ascontiguousarray(np.asarray(scores, dtype=np.float64).T)
    mean = table.mean(axis=1)
    if np.all(np.isnan(mean)):
        raise ValueError(f"every score is NaN, so no {name} is better than another: check scoring and the folds.")
    if not np.all(np.isfinite(mean)):
        # the user's line is above `fit` and its two decorators
        warnings.warn(f"Mean test scores are NaN or infinite for some values of {name}: {mean}.", stacklevel=5)
    ranked = np.nan_to_num(mean, nan=np.nanmin(mean) - 1)
    results = {
        f"param_{name}": values,
        "params": [{name: float(value)} for value in values],
        **{f"split{i}_test_score": column for i, column in enumerate(table.T)},
        "mean_test_score": mean,
        "std_test_score": table.std(axis=1),
        "rank_test_score": rankdata(-ranked, method="min").astype(np.int32),
    }
    return Choice(results, best_index=int(results["rank_test_score"].argmin()), n_splits=table.shape[1])


class CrossValidationMixin:
    """The parameters `cv`, `scoring` and `n_jobs`, and what a fit does with them."""

    _cv_constraints: ClassVar[dict] = {
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "n_jobs": [Integral, None],
    }

    cv: Any
    scoring: Any
    n_jobs: int | None

    def _default_scoring(self) -> str:
        """Return the name of the scorer for `scoring=None`."""
        raise NotImplementedError

    def _scorer(self) -> Any:
        if self.scoring is not None:
            return check_scoring(self, scoring=self.scoring)
        return self._with_weights(get_scorer(self._default_scoring()))

    @staticmethod
    def _with_weights(scorer: Any) -> Any:
        """Let the default scorer request weights if routing is on; it gets them in any case if routing is off."""
        return scorer.set_score_request(sample_weight=True) if get_config()["enable_metadata_routing"] else scorer

    def _route(self, scorer: Any, sample_weight: NDArray[np.float64] | None, params: dict[str, Any]) -> Routed:
        """Split the metadata of `fit` between the scorer and the splitter."""
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
            return Routed(scorer, routed.scorer.score, routed.splitter.split)
        if unknown := sorted(set(params) - {"groups"}):
            raise TypeError(f"fit takes only sample_weight and groups while metadata routing is off; got {unknown}.")
        weighted = sample_weight is not None and accepts_sample_weight(scorer)
        return Routed(scorer, {"sample_weight": sample_weight} if weighted else {}, params)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return how metadata given to fit reaches the splitter and the scorer.

        Returns
        -------
        routing : MetadataRouter
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        return router.add(scorer=self._scorer(), method_mapping=MethodMapping().add(caller="fit", callee="score"))

    def _splits(self, X: Any, y: Any, split_params: dict[str, Any]) -> list[Split]:
        splits = list(check_cv(self.cv, y, classifier=is_classifier(self)).split(X, y, **split_params))
        if not splits:
            raise ValueError("cv gave no split; it must give one or more.")
        return splits

    def _score_folds(self, score: Callable[[Split], Any], splits: list[Split], fitting: Fitting) -> list[Any]:
        """Return what `score` returns for each split, in their order. Each fold is a step of the fit."""
        found = Parallel(n_jobs=self.n_jobs, return_as="generator")(delayed(score)(split) for split in splits)
        scored = []
        for number in range(1, len(splits) + 1):
            with fitting.step("fold", number):
                scored.append(next(found))
        return scored
