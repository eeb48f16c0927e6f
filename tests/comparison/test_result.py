"""The result in a notebook, and its picture."""

import subprocess
import sys

import numpy as np
import pytest

from skpapers.comparison import Comparison, compare
from skpapers.papers import Spec
from tests.comparison._estimators import HERE, STUMP, TREE, numbers


def test_result_shows_itself(contests):
    import matplotlib

    matplotlib.use("agg")
    contests(("tree<1>", TREE, STUMP), ("tells", Spec(HERE + "Tells"), TREE))
    X, y = numbers(60)
    result = compare(X, y, cv=2)
    assert isinstance(result, Comparison)
    frame = result.to_frame()
    frame["score"] = 0.0
    assert result.to_frame()["score"][0] > 0
    html = result._repr_html_()
    assert "tree&lt;1&gt;" in html
    assert result.how_to_read.replace("'", "&#x27;") in html
    assert "60 rows, 4 columns | classification | 2 folds" in repr(result)
    display = result.plot()
    assert display.ax_.figure is display.figure_
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == [
        "tree<1> - DecisionTreeClassifier",
        "tells - tree<1>",
    ]
    points, _, (bars,) = display.lines_
    np.testing.assert_allclose(points.get_xdata()[0], result.to_frame()["difference"][0])
    low, high = bars.get_segments()[0][:, 0]
    assert (low, high) == pytest.approx(tuple(result.to_frame().loc[0, ["interval_low", "interval_high"]]))
    _, ax = matplotlib.pyplot.subplots()
    assert result.plot(ax=ax).ax_ is ax
    matplotlib.pyplot.close("all")


def test_matplotlib_is_loaded_to_draw_only():
    code = "import sys, skpapers.comparison; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
