"""How the command line ends: full disks, closed pipes, signals."""

import os
import signal
import subprocess
import sys
import threading
import time

import pandas as pd
import pytest

import skpapers
from skpapers import cli
from tests.cli._made import result
from tests.cli.test_compare import outputs


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Write a table, return its path; the comparison of it is made up."""
    monkeypatch.setattr(skpapers.comparison, "compare", lambda X, y, **options: result())
    (tmp_path / "table.csv").write_text("x,y\n1,2\n")
    return str(tmp_path / "table.csv")


def test_files_are_saved_although_printing_fails(table, tmp_path, monkeypatch, capsys):
    def full(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(sys.stdout, "write", full)
    assert cli.main(["compare", table, "--target", "y", "--out", str(tmp_path / "out")]) == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == outputs()
    assert capsys.readouterr().err == "skpapers: error: No space left on device\n"


def test_the_result_is_printed_although_saving_fails(table, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pd.DataFrame, "to_csv", lambda *args, **options: (_ for _ in ()).throw(OSError("full")))
    assert cli.main(["compare", table, "--target", "y", "--out", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert "0.876 ± 0.012" in captured.out
    assert captured.err == "skpapers: error: full\n"


def test_a_pipe_that_closes_early_ends_quietly_with_all_files(tmp_path):
    """As ``skpapers compare --out DIR | head -1`` does, on both built-in tables."""
    done = run_into_a_closed_pipe("compare", "--out", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert {p.name for p in tmp_path.iterdir()} == outputs("concrete") | outputs("raisin")


def test_without_a_reader_and_a_folder_nothing_more_runs():
    done = run_into_a_closed_pipe("compare")
    assert (done.returncode, done.stderr.count("ran")) == (0, 1)


def run_into_a_closed_pipe(*arguments):
    """Run the command line, its comparisons made up, into a pipe that nobody reads."""
    code = (
        "import sys, skpapers.comparison; from skpapers import cli; from tests.cli._made import result\n"
        "def compare(X, y, **options):\n"
        "    if '--out' not in sys.argv: print('ran', file=sys.stderr)\n"
        "    return result()\n"
        "skpapers.comparison.compare = compare\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write_end)
    return done


def test_interrupt(table, capsys, monkeypatch):
    def interrupted(X, y, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(skpapers.comparison, "compare", interrupted)
    assert cli.main(["compare", table, "--target", "y"]) == 130
    assert capsys.readouterr().err == "skpapers: interrupted\n"


def test_a_part_of_the_result_is_printed_after_an_interrupt(table, capsys, monkeypatch):
    monkeypatch.setattr(skpapers.comparison, "compare", lambda X, y, **options: result(interrupted=True))
    assert cli.main(["compare", table, "--target", "y"]) == 130
    captured = capsys.readouterr()
    assert "0.876 ± 0.012" in captured.out
    assert captured.err == "skpapers: interrupted\n"


def test_signals_interrupt_and_their_handlers_come_back(table, capsys, monkeypatch):
    def ended(X, y, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    def nobody(number, frame):
        pytest.fail("the handler of the caller was not replaced")

    monkeypatch.setattr(skpapers.comparison, "compare", ended)
    before = signal.signal(signal.SIGTERM, nobody)
    try:
        assert cli.main(["compare", table, "--target", "y"]) == 128 + signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is nobody
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err == "skpapers: interrupted\n"


def test_a_hangup_that_is_ignored_stays_ignored(table, capsys, monkeypatch):
    """``nohup`` starts a program that way."""
    monkeypatch.setattr(
        skpapers.comparison, "compare", lambda X, y, **options: os.kill(os.getpid(), signal.SIGHUP) or result()
    )
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert cli.main(["compare", table, "--target", "y"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_main_runs_in_a_thread(table, capsys):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(cli.main(["compare", table, "--target", "y"])))
    thread.start()
    thread.join()
    assert codes == [0]
