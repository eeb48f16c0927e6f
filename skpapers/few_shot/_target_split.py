"""Cross-validation that scores rows of the target alone: `TargetDomainSplit(cv=5, *, unlabeled=None)`.

`split(X, y, groups=None, *, sample_domain)` leaves every source row, and every row whose `y` is `unlabeled`, in every
training part; the labelled target rows are split by `cv`, so that any scorer sees target rows only. With metadata
routing `sample_domain` reaches it by itself, from `GridSearchCV.fit(X, y, sample_domain=d)`; without, the splits are
made before: `GridSearchCV(..., cv=list(TargetDomainSplit(5).split(X, y, sample_domain=d)))`.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.utils.validation import check_consistent_length

from skpapers._domains import source_rows
from skpapers._validation import safe_indexing
from skpapers.few_shot._domains import read_labels


class TargetDomainSplit(BaseCrossValidator):
    """Splits of the labelled target rows; source rows always train.

    Use it as the `cv` of a search or of :func:`~sklearn.model_selection.cross_validate` for a classifier that learns
    from another domain or from other classes: any scorer then sees target rows only.

    Parameters
    ----------
    cv : int or cross-validation generator, default=5
        How the labelled target rows are split: a number of stratified folds, or any splitter. One such as
        :class:`~sklearn.model_selection.TimeSeriesSplit` sees the target rows in their order in X.

    unlabeled : object, default=None
        The entry of `y` that marks a row without a label: such rows always train. NaN and the NA of pandas mark missing
        labels of any kind. None: every row has a label.

    See Also
    --------
    DistributionCalibratedFewShot : A classifier that takes `sample_domain`.
    STARTUPClassifier : Another one, that learns from unlabelled rows, too.

    Notes
    -----
    `sample_domain` follows the convention of skada: positive for rows of the source, negative for rows of the target.
    With metadata routing it is requested by default, so that ``search.fit(X, y, sample_domain=d)`` reaches the splitter
    and every step that takes it. Without routing, make the splits first:
    ``cv=list(TargetDomainSplit(5).split(X, y, sample_domain=d))``.

    Source rows train whatever their place in time: where rows are ordered, leave out those from after the first target
    row that is judged.

    Examples
    --------
    >>> import numpy as np
    >>> from skpapers.few_shot import TargetDomainSplit
    >>> X, y = np.arange(8).reshape(-1, 1), np.array(["a", "a", "b", "b", "c", "d", "c", "d"])
    >>> domain = np.array([1, 1, 1, 1, -1, -1, -1, -1])
    >>> for train, test in TargetDomainSplit(2).split(X, y, sample_domain=domain):
    ...     print(train, test)
    [0 1 2 3 6 7] [4 5]
    [0 1 2 3 4 5] [6 7]
    """

    # requested by default: with routing nobody has to call set_split_request
    __metadata_request__split: ClassVar[dict] = {"sample_domain": True, "groups": True}

    def __init__(self, cv: Any = 5, *, unlabeled: Any = None) -> None:
        self.cv = cv
        self.unlabeled = unlabeled

    def split(
        self, X: Any, y: Any = None, groups: Any = None, *, sample_domain: Any = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield the indices of training and test rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        y : array-like of shape (n_samples,)
            The labels.

        groups : array-like of shape (n_samples,), default=None
            Groups for `cv`, where it takes them.

        sample_domain : array-like of shape (n_samples,)
            Positive for rows of the source, negative for rows of the target.

        Yields
        ------
        train : ndarray
            All source rows, the unlabelled rows and the target rows that train, in ascending order.

        test : ndarray
            The labelled target rows that judge.
        """
        judged, y = self._judged(X, y, sample_domain)
        cv, parts = self._parts(judged, X, y, groups)
        everything = np.arange(len(judged))
        places = np.flatnonzero(judged)
        for train, test in cv.split(*parts):
            trains = ~judged
            trains[places[train]] = True
            yield everything[trains], places[test]

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None, *, sample_domain: Any = None) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), default=None
            The rows; needed where the number of splits of `cv` depends on them.

        y : array-like of shape (n_samples,), default=None
            The labels.

        groups : array-like of shape (n_samples,), default=None
            Groups for `cv`.

        sample_domain : array-like of shape (n_samples,), default=None
            Positive for rows of the source, negative for rows of the target.

        Returns
        -------
        n_splits : int
        """
        if X is None:
            return check_cv(self.cv).get_n_splits()
        judged, y = self._judged(X, y, sample_domain)
        cv, parts = self._parts(judged, X, y, groups)
        return cv.get_n_splits(*parts)

    def _judged(self, X: Any, y: Any, sample_domain: Any) -> tuple[NDArray[np.bool_], Any]:
        """Return a mask of the rows that are ever tested, and the labels as they are read."""
        if sample_domain is None:
            raise ValueError(
                "TargetDomainSplit needs sample_domain, but got None: with metadata routing pass it to the search's "
                "fit, without it give cv=list(TargetDomainSplit(...).split(X, y, sample_domain=...))."
            )
        judged = ~source_rows(sample_domain, X)
        y, unlabelled = read_labels(y, self.unlabeled)
        if unlabelled is not None:
            judged &= ~unlabelled
        if not judged.any():
            raise ValueError("TargetDomainSplit splits the labelled rows of the target, but there are none.")
        return judged, y

    def _parts(self, judged: NDArray[np.bool_], X: Any, y: Any, groups: Any) -> tuple[Any, list[Any]]:
        """Return the inner splitter, and what it splits."""
        check_consistent_length(X, y, groups)
        rows = np.flatnonzero(judged)
        parts = [None if part is None else safe_indexing(part, rows) for part in (X, y, groups)]
        return check_cv(self.cv, parts[1], classifier=True), parts
