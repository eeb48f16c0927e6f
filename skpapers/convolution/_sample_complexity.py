"""How many rows an estimator needs for a score, with an interval over repeats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state, indexable

from skpapers._validation import safe_indexing
from skpapers.convolution._rows_needed import mean_interval, rows_needed

MakeData = Callable[..., tuple[Any, Any]]


@dataclass(frozen=True, eq=False)
class SampleComplexityCurve:
    """Scores by the number of training rows, and the rows needed for a target score.

    Parameters
    ----------
    n_samples : ndarray of shape (n_sizes,)
        Numbers of training rows, increasing.

    scores : ndarray of shape (n_repeats, n_sizes)
        Score of each fit on its test rows.

    target_score : float
        The score to reach.

    confidence : float
        Of the intervals.

    See Also
    --------
    sample_complexity_curve : Measures it.
    SampleComplexityDisplay : Draws it.

    Examples
    --------
    >>> import numpy as np
    >>> from skpapers.convolution import SampleComplexityCurve
    >>> scores = np.array([[0.5, 0.7, 0.9], [0.5, 0.72, 0.88]])
    >>> SampleComplexityCurve(np.array([10, 100, 1000]), scores, 0.8, 0.95)
    score 0.8: 316 rows, 95% interval [78, more than 1000] over 2 repeats
    """

    n_samples: NDArray[np.intp]
    scores: NDArray[np.float64]
    target_score: float
    confidence: float

    @property
    def mean_scores(self) -> NDArray[np.float64]:
        """Mean score of each number of rows."""
        return self.scores.mean(axis=0)

    @property
    def score_intervals(self) -> NDArray[np.float64]:
        """Ends of the t interval of each mean score over the repeats, of shape (n_sizes, 2)."""
        return np.column_stack(mean_interval(self.scores, self.confidence)[1:])

    @property
    def rows_needed(self) -> float:
        """Smallest number of rows with a mean score of the target; infinity if it was not reached."""
        return rows_needed(self.n_samples, self.mean_scores, self.target_score)

    @property
    def rows_interval(self) -> tuple[float, float]:
        """Interval of the rows needed: the numbers of rows whose mean score may be the target.

        Its ends are where the upper and the lower end of the interval of the mean score reach the target; the upper end
        is infinite if the lower end of the scores does not.
        """
        low, high = self.score_intervals.T
        return (
            rows_needed(self.n_samples, high, self.target_score),
            rows_needed(self.n_samples, low, self.target_score),
        )

    @property
    def rows_needed_of_repeats(self) -> NDArray[np.float64]:
        """Rows needed in each repeat: infinity if more than the most rows, the fewest rows if these or fewer."""
        return np.array([rows_needed(self.n_samples, scores, self.target_score) for scores in self.scores])

    @property
    def censored(self) -> str | None:
        """What is known of the rows needed: "right" if more than the most rows, "left" if at most the fewest."""
        if np.isinf(self.rows_needed):
            return "right"
        return "left" if self.mean_scores[0] >= self.target_score else None

    def gains(self) -> NDArray[np.float64]:
        """Return what each step in the number of rows adds to the score, with its interval.

        With ``order="most_recent"`` the rows that are added are the older ones.

        Returns
        -------
        gains : ndarray of shape (n_sizes - 1, 3)
            Mean difference of the scores within a repeat, and the ends of its t interval. Older rows still help where
            the lower end is above 0, and do harm where the upper one is below.
        """
        return np.column_stack(mean_interval(np.diff(self.scores, axis=1), self.confidence))

    def __repr__(self) -> str:
        low, high = (self._written(value) for value in self.rows_interval)
        return (
            f"score {self.target_score:g}: {self._written(self.rows_needed)} rows, {self.confidence:.0%} interval "
            f"[{low}, {high}] over {len(self.scores)} repeats"
        )

    def _written(self, rows: float) -> str:
        if np.isinf(rows):
            return f"more than {self.n_samples[-1]}"
        return f"at most {self.n_samples[0]}" if rows <= self.n_samples[0] else f"{rows:.0f}"


def sample_complexity_curve(
    estimator: Any,
    make_data: MakeData | tuple[Any, Any],
    n_samples: ArrayLike,
    target_score: float,
    *,
    n_test: int = 1000,
    n_repeats: int = 5,
    order: str = "random",
    gap: int = 0,
    scoring: Any = None,
    confidence: float = 0.95,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> SampleComplexityCurve:
    """Measure how many rows an estimator needs for a score.

    In the manner of :func:`sklearn.model_selection.learning_curve`, with an answer in rows: how many more rows would it
    take, and does older data still help?

    Parameters
    ----------
    estimator : estimator
        Any classifier or regressor with the methods of scikit-learn.

    make_data : callable, or tuple (X, y)
        ``make_data(n_samples=..., random_state=...)`` returns X and y, as the generators of :mod:`skpapers.datasets`
        do; fix their other arguments by :func:`functools.partial`. Or one table, of which each repeat takes rows.

    n_samples : array-like of int
        Numbers of training rows.

    target_score : float
        The score to reach; greater is better.

    n_test : int, default=1000
        Test rows of each repeat.

    n_repeats : int, default=5
        Number of repeats, each with test rows and a seed of its own.

    order : {"random", "most_recent"}, default="random"
        "random" draws test rows and training rows at random. "most_recent" takes rows to be in the order of time:
        the training rows are the last ones before the test rows, in this order, so that more rows are older rows. The
        tests of the repeats on one table are then its last blocks of `n_test` rows.

    gap : int, default=0
        For "most_recent": rows left out between training and test rows, where targets look ahead.

    scoring : str, callable or None, default=None
        A scorer; None is the estimator's own score.

    confidence : float, default=0.95
        Of the intervals over repeats.

    n_jobs : int or None, default=None
        Fits that run side by side, in processes.

    random_state : int, RandomState instance or None, default=None
        Seed of the draws. Each `random_state` of the estimator is set by it, anew for each repeat.

    Returns
    -------
    curve : SampleComplexityCurve
        Scores, and the rows needed. A target that is not reached is reported as more than the most rows tried.

    Raises
    ------
    ValueError
        If a table has too few rows for the repeats, if an argument is out of its range, if `make_data` returns another
        number of rows than it was asked for, or if a score is NaN.

    See Also
    --------
    SampleComplexityDisplay : Draws it.
    skpapers.datasets.make_quadratic_halves : A task that a convolution learns from few rows.
    sklearn.model_selection.learning_curve : Scores by the number of rows, by cross-validation.

    Notes
    -----
    The rows needed are where the mean score over the repeats first reaches the target, on the line between two numbers
    of rows, in the logarithm of that number. Their interval contains the numbers of rows at which the t interval of the
    mean score contains the target. On one table in the order of time, training rows of the repeats overlap, and the
    interval is too short. Cost: a fit for each number of rows and repeat.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.datasets import make_classification
    >>> from skpapers.convolution import sample_complexity_curve
    >>> curve = sample_complexity_curve(
    ...     LogisticRegression(), make_classification(4000, random_state=0), [25, 100, 400], 0.85, random_state=0
    ... )
    >>> 25 < curve.rows_needed < 400
    True
    """
    sizes = _checked_sizes(n_samples, target_score, n_test, n_repeats, order, gap, confidence)
    longest = int(sizes[-1])
    rng = check_random_state(random_state)
    seeds = rng.randint(np.iinfo(np.int32).max, size=(n_repeats, 3))
    n_rows = longest + gap + n_test
    made: list[tuple[Any, Any, NDArray[np.intp]]] | None = None
    if isinstance(scoring, list | tuple | set | dict):
        raise ValueError(f"scoring must be one metric, not {scoring!r}.")
    if not callable(make_data):
        if not isinstance(make_data, list | tuple) or len(make_data) != 2:
            raise ValueError(f"make_data must be a function or a tuple (X, y), not {type(make_data).__name__}.")
        X, y = indexable(*make_data)
        made = [(X, y, rows) for rows in _rows_of_repeats(len(y), n_rows, n_test, order, seeds[:, 0])]
    scorer = check_scoring(estimator, scoring=scoring)
    tasks = [(repeat, int(n)) for repeat in range(n_repeats) for n in sizes]
    scores = Parallel(n_jobs=n_jobs)(
        delayed(_score)(
            estimator,
            make_data if made is None else made[repeat],
            n,
            (longest, gap, n_test, order),
            scorer,
            tuple(map(int, seeds[repeat])),
        )
        for repeat, n in tasks
    )
    return SampleComplexityCurve(
        sizes, np.array(scores).reshape(n_repeats, len(sizes)), float(target_score), float(confidence)
    )


def _score(
    estimator: Any,
    data: MakeData | tuple[Any, Any, NDArray[np.intp]],
    n: int,
    layout: tuple[int, int, int, str],
    scorer: Any,
    seeds: tuple[int, ...],
) -> float:
    """Return the score of one fit on n rows: the last ones before the gap and the test rows, in the order of rows."""
    longest, gap, n_test, order = layout
    if callable(data):
        asked = longest + gap + n_test
        X, y = indexable(*data(n_samples=asked, random_state=seeds[0]))
        if len(y) != asked:
            raise ValueError(f"make_data returned {len(y)} rows where n_samples={asked} was asked for.")
        rows = np.arange(asked)
        if order == "random":
            rows = np.random.RandomState(seeds[1]).permutation(rows)
    else:
        X, y, rows = data
    train = rows[longest - n : longest]
    test = rows[longest + gap :]
    model = _seeded(estimator, seeds[2]).fit(safe_indexing(X, train), safe_indexing(y, train))
    score = float(scorer(model, safe_indexing(X, test), safe_indexing(y, test)))
    if np.isnan(score):
        raise ValueError(f"The score of a fit on {n} rows is NaN on {n_test} test rows; take more of them.")
    return score


def _seeded(estimator: Any, seed: int) -> Any:
    """Return a clone in which every `random_state` is set."""
    model: BaseEstimator = clone(estimator)
    names = [name for name in model.get_params() if name.rpartition("__")[2] == "random_state"]
    return model.set_params(**dict.fromkeys(names, seed))


def _rows_of_repeats(
    n: int, n_rows: int, n_test: int, order: str, seeds: NDArray[np.integer]
) -> list[NDArray[np.intp]]:
    """Return the rows of a table of n rows that each repeat takes: training rows, gap and test rows, in this order."""
    is_random = order == "random"
    n_repeats = len(seeds)
    needed = n_rows if is_random else n_rows + (n_repeats - 1) * n_test
    if n < needed:
        raise ValueError(
            f"The table has {n} rows; {n_repeats} repeats of {n_test} test rows with the largest of n_samples need "
            f"{needed}. Take fewer test rows, repeats or training rows."
        )
    if is_random:
        return [np.random.RandomState(seed).permutation(n)[:n_rows] for seed in seeds]
    ends = [n - n_test * later for later in reversed(range(n_repeats))]
    return [np.arange(end - n_rows, end) for end in ends]


def _checked_sizes(
    n_samples: ArrayLike, target_score: float, n_test: int, n_repeats: int, order: str, gap: int, confidence: float
) -> NDArray[np.intp]:
    """Return the numbers of rows, increasing, after a look at all arguments."""
    sizes = np.unique(np.asarray(n_samples))
    if sizes.ndim != 1 or len(sizes) == 0 or sizes.dtype.kind not in "iu" or sizes[0] < 1:
        raise ValueError(f"n_samples must hold integers from 1, not {n_samples!r}.")
    for name, value, least in (("n_test", n_test, 1), ("n_repeats", n_repeats, 1), ("gap", gap, 0)):
        if not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name} must be an integer from {least}, not {value!r}.")
    if not isinstance(target_score, Real) or not np.isfinite(target_score):
        raise ValueError(f"target_score must be a finite number, not {target_score!r}.")
    if not isinstance(confidence, Real) or not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}.")
    if order not in ("random", "most_recent"):
        raise ValueError(f'order must be "random" or "most_recent", not {order!r}.')
    if gap and order == "random":
        raise ValueError('gap is for order="most_recent".')
    return sizes.astype(np.intp)
