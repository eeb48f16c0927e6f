"""Phases of a training: how many epochs in which form, on which part of a schedule."""

import pytest

from skpapers.neural_network._monarch_phases import DENSE_RATE, WARM_STEPS, Phase, phases_of, schedule_of

MONARCH = (None, (4, 4, 1), None)
DENSE = (None, None, None)
GIVEN = {"monarch": MONARCH, "dense": DENSE, "switch_at": 0.9, "finetune": 0.3}


def phases(mode, start=None, n_epochs=20, **kwargs):
    return [(p.form, p.n_epochs, p.first, p.of) for p in phases_of(mode, n_epochs, start=start, **{**GIVEN, **kwargs})]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("end_to_end", [(MONARCH, 20, 0, 20)]),
        ("sparse_to_dense", [(MONARCH, 18, 0, 20), (DENSE, 2, 18, 20)]),
        ("dense_to_sparse", [(DENSE, 20, 0, 20), (MONARCH, 6, 0, 6)]),
        ("dense", [(DENSE, 20, 0, 20)]),
    ],
)
def test_from_new_weights(mode, expected):
    assert phases(mode) == expected


def test_dense_matrices_learn_at_a_lower_rate():
    for mode in ("sparse_to_dense", "dense_to_sparse"):
        assert {p.form: p.rate for p in phases_of(mode, 20, start=None, **GIVEN)} == {MONARCH: 1.0, DENSE: DENSE_RATE}


def test_forms_that_are_dense_anyway_learn_at_that_rate_from_the_first_fit_on():
    for mode in ("end_to_end", "sparse_to_dense", "dense_to_sparse", "dense"):
        for start in (None, DENSE):
            made = phases_of(mode, 20, start=start, **{**GIVEN, "monarch": DENSE})
            assert {p.rate for p in made} == {DENSE_RATE}


def test_the_rate_of_a_phase_is_a_factor_of_its_schedule():
    half = Phase(DENSE, 20, 0.5, of=20)
    full = Phase(DENSE, 20, of=20)
    for n_steps in (None, 400):
        for step in (0, 30, 399):
            assert schedule_of(half, n_steps)(step) == 0.5 * schedule_of(full, n_steps)(step)
    assert schedule_of(half, None)(1000) == 0.5


def test_shares_of_zero_and_one():
    assert phases("sparse_to_dense", switch_at=1.0) == [(MONARCH, 20, 0, 20), (DENSE, 0, 20, 20)]
    assert phases("sparse_to_dense", switch_at=0.0) == phases("dense")
    assert phases("dense_to_sparse", finetune=0.0)[1][:2] == (MONARCH, 0)
    assert phases("dense_to_sparse", finetune=0.001)[1] == (MONARCH, 1, 0, 1)


def test_warm_starts_keep_the_form():
    other = (None, (2, 8, 3), None)
    assert phases("end_to_end", start=other) == phases("dense", start=other) == [(other, 20, 0, 20)]
    assert phases("sparse_to_dense", start=other)[0] == (other, 18, 0, 20)
    assert phases("dense_to_sparse", start=other) == [(other, 6, 0, 6)]
    assert phases("end_to_end", start=DENSE) == phases("sparse_to_dense", start=DENSE) == [(DENSE, 20, 0, 20)]
    assert phases("dense_to_sparse", start=DENSE) == [(DENSE, 20, 0, 20), (MONARCH, 6, 0, 6)]


def test_two_phases_follow_one_schedule():
    first = schedule_of(Phase(MONARCH, 18, of=20), 400)
    then = schedule_of(Phase(DENSE, 2, first=18, of=20), 400)
    whole = [first(step) for step in range(400)]
    assert [then(step) for step in range(40)] == whole[360:]
    assert whole[0] == 1.0 / WARM_STEPS
    assert max(whole) == whole[WARM_STEPS] == 1.0
    assert whole[-1] < 1e-4
