"""Work done ahead, in a thread: audio is decoded while the model computes."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


def ahead(items: Iterator[Item], count: int) -> Iterator[Item]:
    """Takes items of an iterator in a thread, up to `count` before they are asked for.

    >>> list(ahead(iter("abc"), 2))
    ['a', 'b', 'c']

    Args:
        items: Used by the thread alone; what it raises is raised here, after the items before.
        count: How many items wait at most.
    """
    with ThreadPoolExecutor(1, "ahead") as worker:  # one worker, so the order stays
        waiting = deque(worker.submit(next, items, _END) for _ in range(count))
        try:
            while (item := waiting.popleft().result()) is not _END:
                waiting.append(worker.submit(next, items, _END))
                yield item
        finally:
            for future in waiting:
                future.cancel()
