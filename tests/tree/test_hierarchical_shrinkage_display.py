"""The picture shows the numbers of `cv_results_`."""

import matplotlib.pyplot as plt
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError

from skpapers.tree import HierarchicalShrinkagePathDisplay, HierarchicalShrinkageRegressorCV


def test_draws_every_fold_their_mean_and_the_choice():
    model = HierarchicalShrinkageRegressorCV(reg_params=[100, 0, 1]).fit(*load_diabetes(return_X_y=True))
    _, ax = plt.subplots()
    display = HierarchicalShrinkagePathDisplay.from_estimator(model, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    *folds, mean, choice = ax.get_lines()
    assert len(folds) == model.n_splits_
    assert_array_equal(mean.get_xdata(), [0, 1, 100])
    assert_array_equal(mean.get_ydata(), model.cv_results_["mean_test_score"][[1, 2, 0]])
    assert choice.get_xdata()[0] == model.reg_param_
    plt.close("all")


def test_one_split_and_a_path_of_zero():
    model = HierarchicalShrinkageRegressorCV(RandomForestRegressor(20, random_state=0), reg_params=[0], cv="oob")
    display = HierarchicalShrinkagePathDisplay.from_estimator(model.fit(*load_diabetes(return_X_y=True)))
    assert len(display.ax_.get_lines()) == 2
    assert display.ax_.get_xscale() == "linear"
    plt.close("all")


def test_an_unfitted_estimator_is_refused():
    with pytest.raises(NotFittedError):
        HierarchicalShrinkagePathDisplay.from_estimator(HierarchicalShrinkageRegressorCV())
