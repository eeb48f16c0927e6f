"""A comparison as if it had run."""

import pandas as pd

from skpapers.comparison import Comparison
from skpapers.comparison._layout import FIXED_COLUMNS
from skpapers.comparison._problem import make_problem
from skpapers.comparison._records import Fits
from tests.comparison._estimators import numbers
from tests.comparison._shown import against, row

PAPER = "A long title of a paper that goes on, VENUE 2000"
TREE = "sklearn.tree.DecisionTreeClassifier()"


class Made(Comparison):
    """A comparison whose frame is given."""

    frame = pd.DataFrame(
        [
            row(
                "A",
                "method",
                "skpapers.A(depth=2)",
                0.8765,
                0.0123,
                paper=PAPER,
                fit_seconds=0.0123,
                reference="",
                **against("CART", 0.0765, -0.0235, 0.1765),
            ),
            row(
                "B",
                "method",
                "skpapers.B()",
                paper=PAPER,
                reference="",
                notes="failed: ValueError: [no]",
                **against("CART", *[float("nan")] * 3),
            ),
        ],
        columns=list(FIXED_COLUMNS),
    )

    def report(self, path, *, name):
        """Write the heading alone: there are no fits to report."""
        path.write_text(name)
        return path


def result(interrupted=False):
    """Return a comparison of two methods, one of which failed."""
    X, y = numbers(100)
    problem = make_problem(X[:, :3], y, task="auto")
    return Made(problem, (), Fits({}, {}, interrupted=interrupted), notes=("beware",))
