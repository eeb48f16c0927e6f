"""A limit on the threads of BLAS that fits of convex networks share."""

from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController


class _OneThread:
    """Lets BLAS use one thread: the matrices are small, and sums in another order lead to another model.

    The limit is one of the whole process: the first fit that runs sets it, and the last one takes it back.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.fits = 0
        self.pools: ThreadpoolController | None = None

    def __enter__(self) -> None:
        with self.lock:
            if self.pools is None:  # looks through all libraries of the process, which takes milliseconds
                self.pools = ThreadpoolController()
            if not self.fits:
                self.limit = self.pools.limit(limits=1, user_api="blas")
            self.fits += 1

    def __exit__(self, *_: Any) -> None:
        with self.lock:
            self.fits -= 1
            if not self.fits:
                self.limit.restore_original_limits()


one_thread = _OneThread()
