"""Many processes that do one kind of task, with few tasks under way at a time, whatever becomes of the one that asked.

What a task is, is left to those who ask: `shard_plan` (reading headers) and `make_tfrecords` (writing shards).
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import connection
from typing import Any

_AHEAD = 2  # tasks per process: one at work, one waiting


class Workers:
    """Processes that live until the `with` block ends.

    Args:
        count: How many; 0 is one per core, 1 works in this process.
    """

    def __init__(self, count: int = 0):
        self.count = count or len(os.sched_getaffinity(0))

    def __enter__(self) -> "Workers":
        self._others = set(multiprocessing.active_children())
        self._pool = None
        if self.count > 1:  # TensorFlow's threads do not survive a fork: processes are started anew
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.count, context, initializer=_serve_one_parent)
        return self

    def __exit__(self, kind, error, trace) -> None:
        if self._pool is None:
            return
        self._pool.shutdown(wait=False, cancel_futures=True)
        if kind is not None:  # do not wait for what nobody wants any more
            for process in set(multiprocessing.active_children()) - self._others:
                process.terminate()
                process.join()

    def run(self, work: Callable[[Any], Any], tasks: Iterable[Any], name: Callable[[Any], str]) -> Iterator[tuple]:
        """Does tasks, in whatever order they end.

        Args:
            work: A function that other processes can import.
            tasks: What it is given, one at a time; taken from the iterable shortly before they are done.
            name: Tells a task for an error.
        Yields:
            (task, result)
        Raises:
            RuntimeError: A process died, most often for want of memory.
            Exception: The first one that `work` raised.
        """
        if self._pool is None:
            yield from ((task, work(task)) for task in tasks)
            return
        tasks, under_way = iter(tasks), {}
        while True:
            for task in islice(tasks, _AHEAD * self.count - len(under_way)):
                under_way[self._pool.submit(work, task)] = task
            if not under_way:
                return
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                yield under_way[future], _result(future, [name(task) for task in under_way.values()])
                del under_way[future]


def _result(future: Future, names: list[str]) -> Any:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise RuntimeError(
            f"A worker process died at one of {'; '.join(names)}: most often for want of memory, else of a recording "
            "that crashes libsndfile. Use fewer --workers or a smaller --max_seconds, or take that recording out."
        ) from error


def _serve_one_parent() -> None:
    """Lets Ctrl-C be the parent's affair, and ends the process when the parent is gone, even by kill -9."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    with contextlib.suppress(OSError):
        connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
