"""Work beside training: jobs that one thread does in turn, and whose errors end the run."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Background:
    """Does jobs one after the other, in a thread of its own; none after one that failed.

    The thread is as urgent as the others: one that gives way holds Python's lock for long when the machine is busy, and
    training waits for that lock.

    >>> work, done = Background(), []
    >>> work.submit(lambda: done.append("written"))
    >>> work.wait(); done
    ['written']
    """

    def __init__(self):
        self._pool = ThreadPoolExecutor(1, "background")
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
