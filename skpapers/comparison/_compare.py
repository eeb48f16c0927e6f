"""The comparison of methods and their baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from os import PathLike
from time import monotonic
from typing import Any

from joblib import cpu_count

from skpapers.comparison._call import call_text
from skpapers.comparison._candidates import choose_contests, make_candidates, unused_metadata
from skpapers.comparison._checkpoint import Checkpoint
from skpapers.comparison._problem import make_problem
from skpapers.comparison._references import check_estimators, chosen_references, prefers_raw_columns
from skpapers.comparison._result import Comparison
from skpapers.comparison._run import run_candidates

# Every worker has a copy of the table, and of torch.
_MOST_WORKERS = 8


def _workers(n_jobs: int | None) -> int:
    if n_jobs is None:
        return min(cpu_count(), _MOST_WORKERS)
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral) or n_jobs == 0:
        raise ValueError(f"n_jobs={n_jobs!r} must be a whole number of workers, or -1 for all cores.")
    return int(n_jobs) if n_jobs > 0 else max(1, cpu_count() + 1 + int(n_jobs))


def _check_budget(time_budget: Any) -> None:
    if isinstance(time_budget, bool) or not isinstance(time_budget, Real) or not float(time_budget) > 0:
        raise ValueError(f"time_budget={time_budget!r} must be a number of seconds above 0; infinite for no limit.")


def compare(
    X: Any,
    y: Any,
    *,
    task: str = "auto",
    cv: Any = None,
    time: Any = None,
    gap: int = 0,
    horizon: int | None = None,
    label_end: Any = None,
    embargo: int | None = None,
    train_size: int | None = None,
    step: int | None = None,
    assets: Any = None,
    groups: Any = None,
    sample_weight: Any = None,
    metadata: Mapping[str, Any] | None = None,
    scoring: Any = None,
    drop: str | Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    references: Sequence[str] | None = None,
    estimators: Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
    time_budget: float = 600.0,
    checkpoint: str | PathLike[str] | None = None,
    resume: bool = False,
    verbose: int = 0,
) -> Comparison:
    r"""Cross-validate every method that fits the task, and its baseline, on a table.

    Use it to see in one call which of the papers' methods pay on your own rows, before choosing one by hand. Numbers,
    categories, dates and missing values are prepared by a scikit-learn pipeline fitted inside each training fold;
    every fit runs in a worker process; a method that fails costs its row only, and the whole run keeps a budget of
    seconds. Ctrl-C ends it early: the result then has what was done, with a note.

    Parameters
    ----------
    X : pandas or polars DataFrame, or array of shape (n_samples, n_features)
        The features as they are: numbers, strings, categories, booleans, dates, missing values. No infinite numbers.
        Strings are dates if one common format fits all of them, and so are whole numbers YYYYMMDD under the name of a
        date or time. Columns without any value are dropped.

    y : array or Series of shape (n_samples,)
        The target. Rows where it is missing are dropped.

    task : {"auto", "classification", "regression"}, default="auto"
        "auto" takes strings, booleans, categories and whole numbers with at most 20 distinct values, fewer than 5% of
        the rows, as classes (two distinct whole numbers always).

    cv : int, "time", "walk-forward", "purged", splitter or iterable of (train, test), default=None
        None: "time" if there is a time, else 5 folds, unshuffled as in scikit-learn: stratified for classes, whole
        groups if `groups` are given. The names stand for windows over the distinct timestamps: all rows of a timestamp
        are on the same side. Without a time the rows are taken to be in time order.

        - "time": 5 expanding windows.
        - "walk-forward": rolling windows of `train_size`, which move by `step`.
        - "purged": combinatorial purged cross-validation [5]_ by skfolio: 15 folds, each of which tests 2 of 6 blocks
          of timestamps. It trains on rows after the test rows, too.

        Any splitter with `split` works, on the rows in time order if there is a time; an iterable names the rows as
        given. A note says if such folds train on rows that are later than their test rows.

    time : str or array of shape (n_samples,), default=None
        What orders the rows: a column of X or a level of its index, or dates or numbers. None: the level of the index
        that holds dates or, if `cv` is None or a name, the only date column of X without missing values. The time is
        not a feature. Other date columns become features: days, month, weekday and hour.

    gap : int, default=0
        Distinct timestamps left out between training and test rows, also in an estimator's own cross-validation. With
        a splitter of your own it applies inside estimators only.

    horizon : int, default=None
        Distinct timestamps that the target looks ahead: 5 for a return over the next 5 days. The label of a row then
        lasts from its timestamp to the one `horizon` later, both included. A training row whose label shares a
        timestamp with that of a test row, of any asset, is left out. This holds before and after test rows, with a
        splitter of your own, in an estimator's own cross-validation and where it holds rows back.

    label_end : str or array of shape (n_samples,), default=None
        When the label of each row is known, if that differs from row to row: a column of X, or dates or numbers as the
        time is, with a time zone if the time has one. It is not a feature, and takes the place of `horizon`.

    embargo : int, default=None
        Distinct timestamps after the last label of the test rows in which no training row may lie, in folds that train
        on later rows. None: 1% of the timestamps for cv="purged", else 0.

    train_size, step : int, default=None
        Distinct timestamps of cv="walk-forward" that a window trains on, and that it tests on and moves by; the last
        window ends with the last timestamp. None: half of the timestamps to train on, and a fifth of the rest as step.

    assets : str or array of shape (n_samples,), default=None
        The asset of each row of a panel, such as a ticker: a column of X or a level of its index, or values. It is not
        a feature. The metrics are those of a panel, and sample_weight="uniqueness" counts the labels of an asset alone.

    groups : array of shape (n_samples,), default=None
        Rows that belong together. If `cv` is None or a number and there is no time, the rows of one group never
        straddle training and test, nor in an estimator's own cross-validation. With windows in time, training rows of
        groups that have test rows are left out. A splitter of your own gets the groups and may ignore them; a
        note counts the folds with rows of one group on both sides.

    sample_weight : array of shape (n_samples,) or "uniqueness", default=None
        Weights for fit, where an estimator takes them, and for the metric. "uniqueness": the average uniqueness of
        overlapping labels [5]_, scaled to mean 1; it needs `horizon` or `label_end`.

    metadata : dict of str to array of shape (n_samples,), default=None
        Further values per row, such as ``{"sample_domain": domains}``. They go to every estimator whose ``fit`` has a
        parameter of that name, and to its ``predict`` if that has one, too. They are not features. Methods that have no
        meaning without some metadata run only if it is given.

    scoring : str, callable or list of them, default=None
        The metrics; the first sorts the rows and decides. Names are "accuracy", "log_loss", "roc_auc",
        "balanced_accuracy", "f1", "average_precision" and "brier"; "r2", "mae", "rmse", "mse" and "pinball:0.9" (the
        quantile loss, of any quantile); and those of scikit-learn's scorers. With a time and assets "rank_ic" is the
        mean over the dates of Spearman's correlation of prediction and target, and "spread" the mean target of the
        highest fifth of predictions minus that of the lowest. With a time "sharpe" takes the target as the return of a
        period: it is the Sharpe ratio of a strategy that weights the assets of a date by the ranks of their predictions
        (with assets) or trades by the sign of the prediction.
        None: for classes accuracy, log loss and ROC AUC; if one class has more than 80% of the rows, ROC AUC comes
        first with two classes and log loss with more. For numbers R2 and MAE; with assets, rank IC and spread before
        them if some date has three assets. An estimator whose `scoring` parameter is None also selects by the first
        metric, but not by a metric by date; out-of-bag rows judge only by a name or the result of `make_scorer`.

    drop : str or list of str, default=None
        Columns of X that are not features. A note names columns that look like identifiers; they stay features unless
        they are dropped.

    methods : list of str, default=None
        Names of the rows to run. None: all that fit the task.

    references : list of str, default=None
        Names of the rows with what one would use anyway: "mean" or "majority"; "ridge" or "logistic", on standardised
        columns with the penalty chosen by cross-validation; "HistGradientBoosting"; "RandomForest"; "LightGBM" and
        "XGBoost" if they are installed. The last four have their default parameters. None: all. [] for none.

    estimators : dict of str to estimator, default=None
        Estimators of your own by the names of their rows, fitted on the same folds. One that can be fitted on the
        columns as they are, such as a Pipeline that encodes categories, gets them; any other gets the numbers that the
        papers' methods get.

    n_jobs : int, default=None
        Worker processes; -1 for all cores. None: all cores, at most 8, since every worker has a copy of the table. A
        worker has as many threads as there are cores for each worker.

    time_budget : float, default=600
        Seconds of the whole run; infinite for no limit. Every method is first fitted on a sample, cheap ones first. The
        rest of the budget raises them to all rows, or to the largest sample that a fair share allows, which the row
        then says; its baseline is fitted on the same rows. With rows in the order of time a sample has the latest rows
        of the training fold, else random ones. An estimator with a `time_limit` of its own is set to end in time; any
        other is stopped, and keeps the row of its sample. Results depend on the speed of the machine in this alone.

    checkpoint : str or path, default=None
        A folder where every fit is kept as soon as it is done. Fits of an earlier run are removed, unless `resume`. Its
        files are pickles: use no folder of others.

    resume : bool, default=False
        Whether to go on with the fits in `checkpoint`. The table and the settings must be the same; methods and the
        budget may change.

    verbose : int, default=0
        If above 0, standard error shows each row as soon as it is done and, on a terminal, a bar with method, fold and
        time left, elsewhere a line for every fit.

    Returns
    -------
    Comparison
        One row per method; see :class:`Comparison`.

    Raises
    ------
    ValueError
        Before anything runs, in one line: an empty table, a target without values or with a single one, lengths that
        differ, infinite numbers, several date columns and no `time`, a `time` with missing values or with
        ambiguous days and months, a label that is known before its row's time, folds that purging leaves without
        training rows, fewer rows than folds, an unknown task, cv, metric, column or method.

    See Also
    --------
    sklearn.model_selection.cross_validate : The scores of one estimator.
    skpapers.PAPERS : The methods, their baselines and budgets.

    Notes
    -----
    With time-ordered folds every `cv` parameter of an estimator becomes ``TimeSeriesSplit(5, gap=G)``, where G is the
    number of rows that keeps `gap` whole timestamps free, so that its hyper-parameters are not chosen on the future
    either. With `horizon`, `label_end` or `groups` these windows are purged as the outer ones are. With `groups` and no
    time, `cv` becomes ``GroupKFold(5)``. Few rows, or few groups, make fewer splits.

    Notes of the result name what can spoil it: columns that equal the target, at once or of another row, that order it
    almost perfectly, or whose missing values give the class away; features that were standardized or ranked over all
    rows; labels that seem to look further ahead than `horizon`, `label_end` or `gap` say; columns that identify rows;
    an asset column that is not named as one. They are hints: an honest column may be named, and most leaks cannot be
    seen in a table.

    For k folds with differences :math:`d_i` between the scores of a method and its baseline, mean :math:`\bar d` and
    unbiased variance :math:`s^2`, the interval is
    :math:`\bar d \pm t_{1 - \alpha/2, k-1} \sqrt{(1/k + n_{test}/n_{train}) s^2}` [1]_, over the folds that both
    completed. It is NaN with fewer than two, or if the differences are equal but not zero. Many methods are compared,
    so that :math:`\alpha` is not 0.05 but the level of the method's step in Holm's procedure [2]_: the probability that
    any method without a difference has an interval that excludes 0 is at most about 0.05. The methods against their
    baselines are one such family, the methods against the best reference another.

    With the metric "sharpe" the result also has the deflated Sharpe ratio [3]_ and the probability of backtest
    overfitting [4]_ over all rows.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003.
       https://doi.org/10.1023/A:1024068626366
    .. [2] S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6,
       1979.
    .. [3] D. H. Bailey, M. López de Prado, "The Deflated Sharpe Ratio", Journal of Portfolio Management 40, 2014.
    .. [4] D. H. Bailey, J. M. Borwein, M. López de Prado, Q. J. Zhu, "The Probability of Backtest Overfitting", Journal
       of Computational Finance 20, 2017.
    .. [5] M. López de Prado, "Advances in Financial Machine Learning", chapters 4, 7 and 12, Wiley, 2018.

    Examples
    --------
    >>> from skpapers import compare
    >>> from skpapers.datasets import load_raisin
    >>> X, y = load_raisin(return_X_y=True, as_frame=True)
    >>> result = compare(X[:200], y[:200], methods=["HS tree"], references=["majority"], cv=2)
    >>> result.to_frame()[["method", "baseline", "notes"]]
         method               baseline notes
    0   HS tree  CART, leaf size by CV
    1  majority
    """
    call = call_text(compare, locals())
    started = monotonic()
    n_workers = _workers(n_jobs)
    _check_budget(time_budget)
    if resume and checkpoint is None:
        raise ValueError("resume=True needs a checkpoint, the folder of the earlier run.")
    own = check_estimators(estimators)
    problem = make_problem(
        X,
        y,
        task=task,
        cv=cv,
        time=time,
        gap=gap,
        horizon=horizon,
        label_end=label_end,
        embargo=embargo,
        train_size=train_size,
        step=step,
        assets=assets,
        groups=groups,
        sample_weight=sample_weight,
        metadata=metadata,
        scoring=scoring,
        drop=drop,
    )
    contests = choose_contests(problem.task, methods, problem.metadata)
    candidates = make_candidates(contests, chosen_references(problem.task, references), own)
    kept = None if checkpoint is None else Checkpoint(checkpoint, problem, candidates, resume)
    raw = frozenset(name for name, model in own.items() if prefers_raw_columns(model, problem.frame, problem.y))
    fits = run_candidates(
        candidates,
        problem,
        budget=float(time_budget),
        n_workers=n_workers,
        verbose=verbose,
        raw=raw,
        started=started,
        checkpoint=kept,
    )
    interrupted = ["the run was interrupted: rows show what was done until then"] * fits.interrupted
    notes = (*interrupted, *problem.notes, *unused_metadata(problem, candidates))
    return Comparison(problem, tuple(candidates), fits, call, notes)
