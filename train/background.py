"""Work beside training: jobs that one thread does in turn, and whose errors end the run."""

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

_LESS_URGENT = 10  # of 20 steps: a tenth of a core that training wants as well


class Background:
    """Does jobs one after the other, in a thread that gives way to training; none after one that failed.

    >>> work, done = Background(), []
    >>> work.submit(lambda: done.append("written"))
    >>> work.wait(); done
    ['written']
    """

    def __init__(self):
        self._pool = ThreadPoolExecutor(1, "background", _give_way)
        self._jobs: list[Future] = []
        self._failed = False

    def submit(self, job: Callable[[], None]) -> None:
        """Takes a job and returns at once."""
        self._jobs.append(self._pool.submit(self._run, job))

    def check(self) -> None:
        """Raises the error of a job that has failed by now."""
        while self._jobs and self._jobs[0].done():
            self._jobs.pop(0).result()

    def wait(self) -> None:
        """Waits until all jobs are done; raises the error of the one that failed."""
        while self._jobs:
            self._jobs.pop(0).result()

    def close(self) -> None:
        """Waits, and says nothing of errors: for a run that ends with one of its own, or has none."""
        self._pool.shutdown()

    def _run(self, job: Callable[[], None]) -> None:
        if self._failed:  # a checkpoint must not tell of a `best` that could not be written
            return
        try:
            job()
        except BaseException:
            self._failed = True
            raise


def _give_way() -> None:
    with contextlib.suppress(OSError):  # Linux alone knows priorities of threads
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(own + _LESS_URGENT, 19))
