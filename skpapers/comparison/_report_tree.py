"""A fitted tree as questions and answers in the words of the user's columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer

from skpapers.comparison._report_charts import written

_PARTS = ("days since 1970", "month", "weekday (0 is Monday)", "hour")


@dataclass(frozen=True)
class Column:
    """A column of the prepared table: what it holds, and the question that is asked of a yes-or-no column."""

    name: str
    question: str = ""


@dataclass(frozen=True)
class Node:
    """A question with two branches, or a leaf with its answer."""

    n_rows: int
    share: float
    question: str = ""
    answer: str = ""
    detail: str = ""
    yes: Node | None = None
    no: Node | None = None


def _parts_of_dates(names: list[str], hours: tuple[str, ...]) -> list[Column]:
    return [Column(f"{name}: {part}") for name in names for part in _PARTS[: 4 if name in hours else 3]]


def _with_indicators(columns: list[Column], imputer: Any) -> list[Column]:
    """Add the columns that say whether a value was missing."""
    missing = [] if imputer.indicator_ is None else imputer.indicator_.features_
    return columns + [Column(f"{columns[j].name} missing", f"{columns[j].name} is missing") for j in missing]


def prepared_columns(preprocessing: ColumnTransformer) -> list[Column]:
    """Describe the columns that the fitted preprocessing makes, in their order."""
    found: list[Column] = []
    for kind, step, names in preprocessing.transformers_:
        if kind == "numbers":
            found += _with_indicators([Column(name) for name in names], step)
        elif kind == "dates":
            found += _with_indicators(_parts_of_dates(names, step[0].kw_args["hours"]), step[-1])
        elif kind == "categories":
            found += _one_hot_columns(names, step[-1])
    return found


def _one_hot_columns(names: list[str], encoder: Any) -> list[Column]:
    columns = []
    for j, name in enumerate(names):
        rare = encoder.infrequent_categories_[j]
        kept = [value for value in encoder.categories_[j] if rare is None or value not in rare]
        columns += [Column(f"{name} = {value}", f"{name} is {value}") for value in kept]
        columns += [] if rare is None else [Column(f"{name}: rare value", f"{name} is a rare value")]
    return columns


def read_tree(
    tree: Any, columns: list[Column], answer: Callable[[NDArray], tuple[str, str]], spreads: NDArray[np.float64]
) -> Node:
    """Return the root of scikit-learn's `tree_`.

    Parameters
    ----------
    tree : sklearn.tree._tree.Tree
    columns : list of Column
        One for each feature.
    answer : callable
        Makes the answer and its detail from a leaf's value.
    spreads : ndarray of shape (n_features,)
        Standard deviations, which decide the digits of thresholds.
    """

    def node(number: int) -> Node:
        n_rows = int(tree.n_node_samples[number])
        share = n_rows / int(tree.n_node_samples[0])
        low = int(tree.children_left[number])
        if low < 0:
            text, detail = answer(tree.value[number][0])
            return Node(n_rows, share, answer=text, detail=detail)
        column = columns[tree.feature[number]]
        below = node(low)
        above = node(int(tree.children_right[number]))
        if column.question:
            return Node(n_rows, share, question=f"{column.question}?", yes=above, no=below)
        threshold = written([tree.threshold[number]], float(spreads[tree.feature[number]]) / 10)[0]
        if "." in threshold:
            threshold = threshold.rstrip("0").rstrip(".")
        return Node(n_rows, share, question=f"{column.name} ≤ {threshold}?", yes=below, no=above)

    return node(0)


def regression_answer(spread: float) -> Callable[[NDArray], tuple[str, str]]:
    """Return the function that writes the mean of a leaf."""
    return lambda value: (written([float(value[0])], spread / 10)[0], "")


def class_answer(classes: NDArray) -> Callable[[NDArray], tuple[str, str]]:
    """Return the function that writes the most frequent class of a leaf and its share."""

    def answer(value: NDArray) -> tuple[str, str]:
        shares = value / value.sum()
        best = int(np.argmax(shares))
        return str(classes[best]), f"{100 * shares[best]:.0f} %"

    return answer
