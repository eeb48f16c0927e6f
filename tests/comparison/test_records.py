"""What the tables read from the records of a run."""

import numpy as np

from skpapers.comparison._records import Fits, Key, Metric, Outcome


def test_a_loss_is_shown_without_its_sign():
    loss = Metric("neg_mean_absolute_error", max, "MAE", loss=True)
    assert [loss.shown(-2.5), loss.shown(2.5)] == [2.5, -2.5]
    assert not np.signbit([loss.shown(0.0), loss.shown(-0.0)]).any()
    assert Metric("r2", max, "R2").shown(-2.5) == -2.5


def test_scores_are_those_of_one_candidate_and_size_by_fold():
    whole = {Key("a", 0): Outcome({"r2": 0.1}), Key("a", 2): Outcome({"mae": 0.3}), Key("b", 1): Outcome({"r2": 0.4})}
    fits = Fits(whole | {Key("a", 1, 50): Outcome({"r2": 0.2})}, shown={"a": None})
    np.testing.assert_array_equal(fits.scores("a", "r2", None, 3), [0.1, np.nan, np.nan])
    np.testing.assert_array_equal(fits.scores("a", "r2", 50, 3), [np.nan, 0.2, np.nan])
    assert fits.of("b", None, 3) == [None, whole[Key("b", 1)], None]
