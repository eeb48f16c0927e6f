"""Signals wait for the end of a block, and then do what they do."""

import os
import signal
import threading

import pytest

from skpapers.comparison import _jobs
from skpapers.comparison._jobs import Workers
from skpapers.comparison._signals import deferred_signals


@pytest.fixture
def ctrl_c():
    """Let SIGINT raise KeyboardInterrupt, also where a runner of tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="sends signals to this process")
@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_waits_for_the_end_of_the_block():
    before = signal.getsignal(signal.SIGINT)
    done = []

    def interrupted():
        with deferred_signals():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("after the signal")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == ["after the signal"]
    assert signal.getsignal(signal.SIGINT) is before


def test_without_a_signal_nothing_happens_and_ignored_ones_stay_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with deferred_signals():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_error_of_the_block_comes_through():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="in the block"), deferred_signals():
        raise ValueError("in the block")
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_change_no_handler():
    seen = []

    def enter():
        with deferred_signals():
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.skipif(os.name != "posix", reason="sends signals to this process")
@pytest.mark.usefixtures("ctrl_c")
def test_a_worker_is_started_before_the_interrupt(monkeypatch, tmp_path):
    started = []

    class Executor:
        def submit(self, *arguments):
            os.kill(os.getpid(), signal.SIGINT)
            started.append(arguments)

    monkeypatch.setattr(_jobs, "_executor", lambda place, n_workers: Executor())
    team = Workers(1, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        team.submit(type("Job", (), {"key": _jobs.Key("a", 0)})())
    assert len(started) == 1
    assert list(team.running.values()) == [0]
