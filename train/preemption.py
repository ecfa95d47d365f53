"""SIGTERM, by which machines that are about to be taken away are told: the run saves and ends with a status of its own.

A status of its own lets a script tell «start me again» from an error: `while [ $? = 75 ]; do ... --resume; done`.
"""

import os
import signal
import threading

STATUS = os.EX_TEMPFAIL  # 75: "temporary failure; the user is invited to retry"


class Preempted(Exception):
    """The run was asked to stop, and has saved where it stands."""


class Preemption:
    """Whether this process was asked to stop, within a `with` block.

    A second SIGTERM ends the process at once. Signals reach the main thread only; elsewhere nothing is changed.
    """

    def __init__(self):
        self.asked = False
        self._before = None

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._ask)
        return self

    def __exit__(self, *_):
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _ask(self, *_):
        self.asked = True
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def watch(self, items):
        """Yields items until this process is asked to stop.

        Raises:
            Preempted: It was asked.
        """
        for item in items:
            if self.asked:
                raise Preempted
            yield item
