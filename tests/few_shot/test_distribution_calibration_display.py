"""The picture shows the rows, the calibrated means and draws around them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from skpapers.few_shot import DistributionCalibratedFewShot, DistributionCalibrationDisplay

X, Y = load_digits(return_X_y=True)
NAMES = np.array(["n" + str(i) for i in range(10)])
# the first forty rows of each digit, three of digits 2 and 7
TRAIN = np.concatenate([np.flatnonzero(c == Y)[: 3 if c in (2, 7) else 40] for c in range(10)])


@pytest.fixture(scope="module")
def model():
    return DistributionCalibratedFewShot(tukey=0.5, method="closed_form").fit(X[TRAIN], NAMES[Y[TRAIN]])


def test_rows_means_and_draws_in_the_components_of_the_rows(model):
    _, ax = plt.subplots()
    display = DistributionCalibrationDisplay.from_estimator(model, X, NAMES[Y], n_generate=2000, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    pca = PCA(2).fit(np.sqrt(X))
    assert_allclose(np.abs(display.rows), np.abs(pca.transform(np.sqrt(X))), atol=1e-6)
    assert_allclose(display.explained_variance_ratio, pca.explained_variance_ratio_)
    assert_array_equal(display.mean_labels, ["n2"] * 3 + ["n7"] * 3)
    assert_array_equal(np.unique(display.drawn_labels, return_counts=True)[1], [2000, 2000])
    for label in ("n2", "n7"):
        drawn = display.drawn[display.drawn_labels == label]
        spread = drawn.std(axis=0).max()
        centre = display.means[display.mean_labels == label].mean(axis=0)
        assert_allclose(drawn.mean(axis=0), centre, atol=0.1 * spread)
    # what is drawn lies where unseen rows of the class are, nearer than those of the others
    unseen = display.rows[Y == 2].mean(axis=0)
    others = [np.linalg.norm(display.rows[c == Y].mean(axis=0) - unseen) for c in range(10) if c != 2]
    assert np.linalg.norm(display.drawn[display.drawn_labels == "n2"].mean(axis=0) - unseen) < np.median(others)
    shown = [len(part.get_offsets()) for part in ax.collections]
    assert shown == [np.sum(~np.isin(Y, [2, 7])), np.sum(Y == 2), 2000, 3, np.sum(Y == 7), 2000, 3, 0, 0]
    assert {text.get_text() for text in ax.get_legend().get_texts()} >= {"n2", "n7", "drawn", "calibrated mean"}
    plt.close("all")


def test_draws_are_those_of_the_seed(model):
    a, b, c = (DistributionCalibrationDisplay.from_estimator(model, X, Y, random_state=seed) for seed in (0, 0, 1))
    assert_array_equal(a.drawn, b.drawn)
    assert not np.array_equal(a.drawn, c.drawn)
    plt.close("all")


def test_one_feature_and_no_rare_class():
    line = np.concatenate([np.arange(40.0), [90.0, 91.0]])[:, None]
    labels = np.repeat([0, 1, 2], [20, 20, 2])
    display = DistributionCalibrationDisplay.from_estimator(
        DistributionCalibratedFewShot().fit(line, labels), line, labels
    )
    assert_array_equal(display.rows[:, 1], 0)
    assert display.drawn.shape == (100, 2)
    none = DistributionCalibratedFewShot(min_base_samples=2).fit(line, labels)
    assert DistributionCalibrationDisplay.from_estimator(none, line, labels).drawn.shape == (0, 2)
    plt.close("all")


def test_what_cannot_be_drawn(model):
    with pytest.raises(NotFittedError):
        DistributionCalibrationDisplay.from_estimator(DistributionCalibratedFewShot(), X, Y)
    with pytest.raises(ValueError, match="X has 1797 rows, but y has 10 labels"):
        DistributionCalibrationDisplay.from_estimator(model, X, Y[:10])
