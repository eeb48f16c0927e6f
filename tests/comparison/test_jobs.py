"""However the program ends: no worker goes on, and no copy of the table stays."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.preprocessing import FunctionTransformer

from skpapers.comparison._records import Key, Metric
from skpapers.comparison._worker import Job, Table, run_job
from tests.comparison._estimators import FLAG

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")

THREADS = Metric("threads", lambda *_: torch.get_num_threads(), "threads")
# The command line with one method, which sleeps.
PROGRAM = """
import sys
from skpapers import cli
from skpapers.comparison import _candidates
from tests.comparison._estimators import HERE, Spec, pairs
_candidates.contests_of = lambda task: pairs(("hangs", Spec(HERE + "Hangs"), Spec(HERE + "AlsoHangs")))
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture
def sleeping(tmp_path):
    """Start the program in a process group of its own; return it when a worker sleeps in a fit."""
    frame = pd.DataFrame({"x": np.full(40, FLAG), "y": np.arange(40) % 2})
    frame.to_csv(tmp_path / "table.csv", index=False)
    arguments = ["compare", str(tmp_path / "table.csv"), "--target", "y", "--n-jobs", "2", "--references", "none"]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    while not list(tmp_path.glob("skpapers-*/[0-9]*")):  # the mark of a running fit
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    assert living(process.pid)
    yield process
    for path in processes(process.pid):
        os.kill(int(path), signal.SIGKILL)


def assert_nothing_is_left(group, folder):
    """Give workers, and what watches over them, a few seconds to notice."""
    for _ in range(100):
        if not living(group) and not list(folder.glob("skpapers-*")):
            return
        time.sleep(0.1)
    assert (living(group), list(folder.glob("skpapers-*"))) == ([], [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_signals_leave_one_line_and_no_worker(sleeping, tmp_path, send, number):
    """To the program alone, or to the whole process group as a terminal sends them."""
    send(sleeping.pid, number)
    out, err = sleeping.communicate(timeout=60)
    assert (sleeping.returncode, out) == (128 + number, "")
    if (send, number) == (os.killpg, signal.SIGHUP):  # it kills joblib's resource tracker, which says so
        assert "skpapers: interrupted\n" in err
    else:
        assert err == "skpapers: interrupted\n"
    assert not list(tmp_path.glob("skpapers-*"))
    assert_nothing_is_left(sleeping.pid, tmp_path)


def test_workers_notice_that_their_parent_was_killed(sleeping, tmp_path):
    os.kill(sleeping.pid, signal.SIGKILL)
    sleeping.wait(timeout=60)
    assert_nothing_is_left(sleeping.pid, tmp_path)


def processes(group):
    """Return the ids of a group's processes that are no zombies, and their names."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = path.read_text().rsplit(")", 1)
        except (OSError, ValueError):
            continue
        state, _, process_group = rest.split()[:3]
        if int(process_group) == group and state != "Z":
            found[path.parent.name] = name
    return found


def living(group):
    """Return the names of a group's processes that are no zombies."""
    return list(processes(group).values())


def test_networks_run_on_one_thread(tmp_path):
    before = torch.get_num_threads()
    X = pd.DataFrame({"x": np.arange(10.0)})
    rows = np.arange(10)
    table = Table(X, rows % 2, np.arange(2), {}, (), FunctionTransformer(), (THREADS,))
    (tmp_path / "table").write_bytes(cloudpickle.dumps(table))
    job = Job(Key("dummy", 0), DummyClassifier(), rows, rows, {})
    torch.set_num_threads(2)
    try:
        assert run_job(str(tmp_path / "table"), str(tmp_path / "mark"), job).scores == {"threads": 1.0}
    finally:
        torch.set_num_threads(before)


def test_a_worker_that_is_ended_leaves_no_message_about_its_locks():
    """The process that removes its semaphores would write "leaked semlock objects" on the user's screen."""
    program = (
        "import numpy as np\n"
        "from skpapers.comparison import _candidates, compare\n"
        "from tests.comparison._estimators import DUMMY, HERE, Spec, pairs\n"
        '_candidates.contests_of = lambda task: pairs(("locks", Spec(HERE + "Locks"), DUMMY))\n'
        "result = compare(np.arange(80.0)[:, None], np.arange(80) % 2, references=[], time_budget=12.0, n_jobs=1)\n"
        "print(result.to_frame()['notes'][0])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "stopped on all rows" in done.stdout or "the budget of 12 s was spent" in done.stdout
    assert done.stderr == ""
