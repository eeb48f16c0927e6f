"""The command line: ``python -m skpapers compare TABLE --target COLUMN`` and ``python -m skpapers papers``."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from skpapers import papers
from skpapers.cli._compare import run_compare
from skpapers.cli._parser import make_parser

__all__ = ["main"]

_WIDEST = 120


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP end the program and its workers as Ctrl-C does; yield the numbers of the signals."""
    numbers: list[int] = []

    def interrupt(number: int, frame: Any) -> NoReturn:
        numbers.append(number)
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    before = {}
    for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            before[number] = signal.signal(number, interrupt)
    try:
        yield numbers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(arguments: list[str]) -> bool:
    """Run a command; return False if it was interrupted with a part of its result printed."""
    parser, compare = make_parser()
    given = vars(parser.parse_args(arguments))
    if given.pop("command") == "papers":
        print(papers.table().to_text(min(shutil.get_terminal_size().columns, _WIDEST)))
        return True
    return run_compare(given, compare)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        The words after the name of the program; None: those of this process.

    Returns
    -------
    code : int
        0, 2 after an error (one line), 130 after Ctrl-C, 128 + n after signal n.

    See Also
    --------
    skpapers.compare : The comparison in Python.

    Examples
    --------
    >>> from skpapers.cli import main
    >>> main(["--version"])  # doctest: +ELLIPSIS
    skpapers ...
    0
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if not arguments:
        make_parser()[0].print_help(sys.stderr)
        return 2
    numbers: list[int] = []
    try:
        with _ended_as_by_ctrl_c() as numbers:
            finished = _run(arguments)
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)
    except (ValueError, OSError) as error:
        print(f"skpapers: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        finished = False
    if finished:
        return 0
    with suppress(OSError):  # a terminal that hung up takes no line
        print("skpapers: interrupted", file=sys.stderr)
    return 128 + (numbers[-1] if numbers else signal.SIGINT)
