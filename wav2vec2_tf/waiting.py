"""Answers that must come in time, whatever the network does. What is asked of whom is the callers' business."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


def within(seconds: float, ask: Callable[[], Any]) -> Any:
    """Gives the answer of a call if it comes in time.

    The timeouts of network libraries bound single steps; a resolver that waits, or a server that sends a byte now and
    then, adds up to minutes. Here the caller goes on in any case, and what still waits ends with the process.

    >>> within(1, lambda: "here")
    'here'

    Args:
        seconds: How long to wait.
        ask: The call, made in a thread of its own; what it raises is raised here.
    Raises:
        TimeoutError: There was no answer.
    """
    answer = Future()

    def run():
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001 - raised below, where the answer is awaited
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError as error:
        if answer.done():
            raise
        raise TimeoutError(f"no answer within {seconds:g} seconds") from error
