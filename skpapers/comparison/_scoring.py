"""The metrics of a comparison, each tried on a constant prediction before anything runs.

====================================  ================================================================================
data                                  metrics by default; the first one sorts the rows and decides
====================================  ================================================================================
regression                            R2, MAE; MAE alone if no fold has two test rows, where R2 is undefined
regression on a panel                 rank IC, spread, R2, MAE; without the first two where no date can be ranked
classification                        accuracy, log loss, ROC AUC
two classes, one above 80 %           ROC AUC, log loss, accuracy
more classes, one above 80 %          log loss, accuracy, ROC AUC
====================================  ================================================================================

A panel is judged by how predictions rank the assets of a date, since that is what a portfolio uses. R2 also counts
errors in the common level of all assets; the level of returns cannot be forecast, and these errors hide the ranking.
With imbalance accuracy hardly differs from the share of the majority. With two classes ROC AUC comes first, not log
loss: a tree with pure leaves has probabilities of 0 and 1, and a few of its errors would outweigh everything else. Log
loss comes first if the test rows of some fold are of one class, where ROC AUC is undefined.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer, get_scorer_names, make_scorer, mean_pinball_loss

from skpapers.comparison import _scorers
from skpapers.comparison._information_coefficient import rank_information_coefficients
from skpapers.comparison._records import Metric
from skpapers.comparison._scorers import ClassScorer, DateScorer

MAJORITY = 0.8
_BY_DATE = ("rank_ic", "spread", "sharpe")
_USUAL = {
    "classification": "accuracy, log_loss, roc_auc, balanced_accuracy, f1, average_precision, brier",
    "regression": "r2, mae, rmse, mse, pinball:0.9 (any quantile), rank_ic and spread (panels), sharpe (times)",
}
# scikit-learn's scorers, by their short names
_SHORT = {
    "mae": "neg_mean_absolute_error",
    "mse": "neg_mean_squared_error",
    "rmse": "neg_root_mean_squared_error",
    "neg_log_loss": "log_loss",
    "neg_brier_score": "brier",
    "roc_auc_ovr": "roc_auc",
}
_LABELS = {
    "r2": "R2",
    "neg_mean_absolute_error": "MAE",
    "neg_mean_squared_error": "MSE",
    "neg_root_mean_squared_error": "RMSE",
    "neg_median_absolute_error": "median absolute error",
    "f1_macro": "macro F1",
    "d2_absolute_error_score": "D2 of absolute errors",
}


def _failure(scorer: Callable[..., float], task: str, y: np.ndarray, **weights: Any) -> str:
    """Score a constant prediction of `y`; return the first line of the error, "" if it works."""
    dummy = DummyClassifier() if task == "classification" else DummyRegressor()
    X = np.zeros((len(y), 1))
    with warnings.catch_warnings():
        # a clustering metric only warns if a target is no whole number; an undefined score is not a failure
        warnings.simplefilter("error" if task == "regression" else "ignore", UserWarning)
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        try:
            float(scorer(dummy.fit(X, y), X, y, **weights))
        except Exception as error:
            return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def _is_for_numbers(scorer: Callable[..., float]) -> bool:
    return not _failure(scorer, "regression", np.array([0.1, 0.25, 0.7, 1.3]))


def _ones(y: np.ndarray) -> dict[str, np.ndarray]:
    return {"sample_weight": np.ones(len(y))}


def _of_classes(name: str, y: np.ndarray) -> Metric | None:
    """Return the metric of a name that knows all classes, None if the name is another's."""
    classes = tuple(np.unique(y))
    positive = classes[-1]
    two = len(classes) == 2
    # scikit-learn's scorers of one class score the class 1; here the name says which class it is, unless it is 1
    of_class = "" if positive in (1, True) else f" ({positive})"
    mine = f":{positive}" if of_class else ""
    probable = partial(ClassScorer, classes=classes, response="probabilities")
    ranking = partial(ClassScorer, classes=classes, response="scores")
    made = {
        "log_loss": Metric("neg_log_loss", probable(_scorers.negative_log_loss), "log loss", loss=True),
        "brier": Metric("neg_brier_score", probable(_scorers.negative_brier), "Brier score", loss=True),
        "roc_auc": Metric("roc_auc" if two else "roc_auc_ovr", ranking(_scorers.roc_auc), "ROC AUC"),
        "average_precision": Metric(
            f"average_precision{mine}" if two else "average_precision_ovr",
            ranking(_scorers.average_precision),
            f"average precision{of_class * two}",
        ),
    }
    if two:
        made["f1"] = Metric(f"f1{mine}", ClassScorer(_scorers.f1, classes, "predict"), f"F1{of_class}")
    return made.get(name)


def has_ranks(y: NDArray, ranks: NDArray | None, tests: Sequence[NDArray]) -> bool:
    """Whether some date has three assets among the test rows whose targets differ: else no rank IC is defined.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
    ranks : ndarray of shape (n_rows,) or None
        The rank of the date of each row, None without dates.
    tests : sequence of ndarray
        The test rows of each fold.
    """
    if ranks is None:
        return False
    rows = np.unique(np.concatenate(tests))
    dates = np.unique(ranks[rows], return_inverse=True)[1]
    return bool(np.isfinite(rank_information_coefficients(y[rows], y[rows], dates)).any())


def _of_dates(name: str, *, timed: bool, panel: bool, ranked: bool) -> Metric | None:
    """Return the metric by date of a name, None if the name is another's."""
    needs_panel = {
        "rank_ic": Metric("rank_ic", DateScorer(_scorers.mean_rank_ic), "rank IC", weightable=False),
        "spread": Metric("spread", DateScorer(_scorers.mean_spread), "spread", weightable=False),
    }
    if name in needs_panel:
        if not panel:
            raise ValueError(f"Metric {name!r} ranks the assets of each date: it needs a time and assets.")
        if not ranked:
            raise ValueError(
                f"Metric {name!r} ranks the assets of each date: no test date has three assets whose targets differ."
            )
        return needs_panel[name]
    if name != "sharpe":
        return None
    if not timed:
        raise ValueError("Metric 'sharpe' takes the target as the return of each period: it needs a time.")
    statistic = partial(_scorers.strategy_sharpe, ranked=panel)
    return Metric("sharpe", DateScorer(statistic), "Sharpe ratio", weightable=False)


def _pinball(name: str) -> Metric | None:
    """Return the quantile loss of "pinball:0.9"."""
    kind, _, quantile = name.partition(":")
    if kind != "pinball":
        return None
    try:
        alpha = float(quantile)
    except ValueError:
        alpha = np.nan
    if not 0 < alpha < 1:
        raise ValueError(f"Metric {name!r} needs a quantile between 0 and 1, such as 'pinball:0.9'.")
    scorer = make_scorer(mean_pinball_loss, alpha=alpha, greater_is_better=False)
    return Metric(f"pinball:{alpha}", scorer, f"pinball {alpha}", loss=True)


def _checked(name: str, metric: Metric, task: str, y: np.ndarray) -> Metric:
    """Return the metric if it applies to the target."""
    failure = _failure(metric.scorer, task, y)
    if not failure and task == "classification" and _is_for_numbers(metric.scorer):
        failure = "it is a metric of regression"
    if failure:
        raise ValueError(
            f"Metric {name!r} does not apply to this {task} target ({failure}); usual for {task}: {_USUAL[task]}."
        )
    weightable = not _failure(metric.scorer, task, y, **_ones(y))
    return Metric(metric.name, metric.scorer, metric.label, metric.loss, weightable)


def _from_sklearn(name: str) -> Metric:
    words = name.removeprefix("neg_").replace("_", " ")
    return Metric(name, get_scorer(name), _LABELS.get(name, words), loss=name.startswith("neg_"))


def _named(name: str, task: str, y: np.ndarray, **dated: bool) -> Metric:
    """Return the metric of a name; if no such metric applies, the error names the usual ones."""
    short = _SHORT.get(name, name)
    if task == "classification":
        if metric := _of_classes(short, y):
            return metric
        short = "f1_macro" if short == "f1" else short
    elif metric := _pinball(short) or _of_dates(short, **dated):
        return metric
    short = {"log_loss": "neg_log_loss", "brier": "neg_brier_score"}.get(short, short)
    if short not in get_scorer_names():
        other = short.partition(":")[0] in ("pinball", *_BY_DATE)
        what = f"does not apply to {task}" if other else "is unknown"
        raise ValueError(f"Metric {name!r} {what}; usual for {task}: {_USUAL[task]} (any scikit-learn scorer).")
    return _checked(name, _from_sklearn(short), task, y)


def _takes_predictions(function: Callable[..., float]) -> bool:
    """Whether it is a metric, a function of targets and predictions, in place of a scorer."""
    try:
        return next(iter(inspect.signature(function).parameters), "") == "y_true"
    except ValueError:  # a builtin
        return False


def _called(scorer: Callable[..., float], task: str, y: np.ndarray) -> Metric:
    """Return the metric of a function, or of what `make_scorer` returns."""
    made = re.match(r"make_scorer\(([\w.<>]+)", repr(scorer))
    name = made[1] if made else getattr(scorer, "__name__", type(scorer).__name__)
    if not made and _takes_predictions(scorer):
        raise ValueError(f"scoring: {name} takes y_true; a scorer takes (estimator, X, y): use make_scorer({name}).")
    label = name.replace("_", " ")
    if name in (*get_scorer_names(), *_SHORT, *_BY_DATE):
        name += "()"  # a function of the user is never taken for the metric of that name
    loss = made is not None and "greater_is_better=False" in repr(scorer)
    plain = _failure(scorer, task, y)
    weighted = _failure(scorer, task, y, **_ones(y))
    return Metric(name, scorer, label, loss, plain == weighted or not weighted)


def _has_r2(tests: Sequence[NDArray]) -> bool:
    """Whether some fold has two test rows, which R2 needs."""
    return not tests or any(len(test) > 1 for test in tests)


def _default(task: str, y: np.ndarray, ranked: bool, tested: Sequence[NDArray]) -> list[str]:
    """Return the names of the metrics if the user names none; see the head of this file."""
    if task == "regression":
        return ["rank_ic", "spread"] * ranked + ["r2"] * _has_r2(tested) + ["mae"]
    counts = np.unique(y, return_counts=True)[1]
    if counts.max() <= MAJORITY * len(y):
        return ["accuracy", "log_loss", "roc_auc"]
    if len(counts) == 2 and all(len(np.unique(labels)) == 2 for labels in tested):
        return ["roc_auc", "log_loss", "accuracy"]
    return ["log_loss", "accuracy", "roc_auc"]


def choose_metrics(
    scoring: Any,
    task: str,
    y: NDArray,
    *,
    timed: bool = False,
    panel: bool = False,
    ranked: bool = True,
    tested: Sequence[NDArray] = (),
) -> tuple[Metric, ...]:
    """Return the metrics; the first one sorts the rows, decides, and selects inside estimators.

    Parameters
    ----------
    scoring : str, callable or list of them, or None
        None: see the head of this file. A metric that is named twice counts once.
    task : {"classification", "regression"}
    y : ndarray of shape (n_rows,)
    timed : bool, default=False
        Whether the rows have a time.
    panel : bool, default=False
        Whether the rows have a time and an asset.
    ranked : bool, default=True
        Whether the assets of some date can be ranked, see :func:`has_ranks`.
    tested : sequence of ndarray, default=()
        The target of the test rows of each fold.

    Raises
    ------
    ValueError
        In one line, for a metric that is unknown or does not apply.
    """
    if scoring is None:
        scoring = _default(task, y, panel and ranked, tested)
    wanted = [scoring] if isinstance(scoring, str) or callable(scoring) else scoring
    if not isinstance(wanted, list | tuple) or not wanted:
        raise ValueError(f"scoring={scoring!r} must be the name of a metric, a scorer, or a list of them.")
    metrics: dict[str, Metric] = {}
    labels: dict[str, str] = {}
    for each in wanted:
        if not isinstance(each, str) and not callable(each):
            raise ValueError(f"scoring: {each!r} is neither the name of a metric nor a scorer.")
        if isinstance(each, str):
            metric = _named(each, task, y, timed=timed, panel=panel, ranked=ranked)
        else:
            metric = _called(each, task, y)
        known = metrics.setdefault(metric.name, metric)
        same_column = labels.setdefault(metric.label, metric.name) != metric.name
        if same_column or (callable(each) and known.scorer is not each):
            raise ValueError(f"scoring: two metrics have the name {metric.label!r}.")
    return tuple(metrics.values())


def check_folds(metrics: Sequence[Metric], ranks: NDArray | None, tests: Sequence[NDArray]) -> None:
    """Raise ValueError for a metric that is undefined on every fold, such as windows that test one row each.

    Parameters
    ----------
    metrics : sequence of Metric
    ranks : ndarray of shape (n_rows,) or None
        The rank of the date of each row, None without dates.
    tests : sequence of ndarray
        The test rows of each fold.
    """
    names = {metric.name for metric in metrics}
    if "r2" in names and not _has_r2(tests):
        raise ValueError("Metric 'r2' needs two test rows in a fold, and every fold has one; 'mae' needs one.")
    if "sharpe" in names and ranks is not None and all(np.ptp(ranks[test]) == 0 for test in tests):
        raise ValueError("Metric 'sharpe' needs two dates in a test fold, and every fold has one.")


def selection(metric: Metric, *, lacking: bool = False) -> Any:
    """Return what the `scoring` parameter of an estimator gets, so that it selects by the metric.

    Parameters
    ----------
    metric : Metric
    lacking : bool, default=False
        Whether some fold inside the estimator lacks a class, where scikit-learn's scorers of probabilities fail.

    Returns
    -------
    scoring : str, callable or None
        scikit-learn's name where it has one, else the scorer. None for what the folds inside the estimator cannot
        compute: a metric by date, or the ranking of two classes where a fold has only one of them.
    """
    if isinstance(metric.scorer, DateScorer):
        return None
    if lacking and isinstance(metric.scorer, ClassScorer):
        ranks_two = metric.scorer.response == "scores" and len(metric.scorer.classes) == 2
        return None if ranks_two else metric.scorer
    return metric.name if metric.name in get_scorer_names() else metric.scorer
