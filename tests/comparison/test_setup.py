"""What an estimator selects by if the folds inside it may lack a class."""

from dataclasses import replace

import numpy as np
import pytest

from skpapers.comparison._records import Candidate, Key
from skpapers.comparison._setup import Setup
from skpapers.tree import HierarchicalShrinkageClassifierCV
from tests.comparison._fits import classification


def job_on(late, scoring=None, **problem):
    """Return the job of the last fold of rows in time whose rare class is at their end, or everywhere."""
    table = replace(classification(120, (0.85, 0.15), cv="time", scoring=scoring), **problem)
    y = (np.arange(120) % 7 == 0).astype(int) if not late else (np.arange(120) > 90).astype(int)
    setup = Setup(Candidate("HS", "method", HierarchicalShrinkageClassifierCV(), ""), replace(table, y=y))
    return setup.job(Key("HS", 0), *table.plan.folds[-1]), setup.notes, replace(table, y=y)


@pytest.mark.parametrize(("late", "expected"), [(False, "roc_auc"), (True, None)])
def test_roc_auc_needs_both_classes_in_every_fold_inside(late, expected):
    job, notes, problem = job_on(late, scoring="roc_auc")
    assert job.estimator.scoring == expected
    assert notes == ["its own selection does not use ROC AUC"] * late
    job.estimator.fit(problem.frame.iloc[job.train], problem.y[job.train])


@pytest.mark.parametrize("late", [False, True])
def test_log_loss_knows_a_class_that_a_fold_lacks(late):
    job, notes, problem = job_on(late, scoring="log_loss")
    assert callable(job.estimator.scoring) == late
    assert notes == []
    job.estimator.fit(problem.frame.iloc[job.train], problem.y[job.train])
    assert np.isfinite(job.estimator.best_score_)


def test_own_folds_are_stratified():
    plan = classification(120).plan
    for n_rare, expected in ((20, "roc_auc"), (3, None)):
        y = np.arange(120) % 40 // (40 - n_rare // 3)
        table = replace(classification(120, scoring="roc_auc"), y=y, plan=plan)
        setup = Setup(Candidate("HS", "method", HierarchicalShrinkageClassifierCV(), ""), table)
        assert setup.job(Key("HS", 0), *plan.folds[0]).estimator.scoring == expected


@pytest.mark.parametrize("label_end", [None, np.full(120, 200)])
def test_too_few_rows_for_folds_inside_are_an_error_of_the_fit_alone(label_end):
    table = classification(120, cv="time")
    table = replace(table, plan=replace(table.plan, label_end=label_end))
    setup = Setup(Candidate("HS", "method", HierarchicalShrinkageClassifierCV(), ""), table)
    job = setup.job(Key("HS", 0), np.arange(60 if label_end is not None else 2), np.arange(60, 80))
    with pytest.raises(ValueError, match=r"The training rows are too few|Too many splits|Cannot have number of folds"):
        job.estimator.fit(table.frame.iloc[job.train].to_numpy(dtype=float), table.y[job.train])
