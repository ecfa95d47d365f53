import signal
import threading

import pytest

from train.preemption import Preempted, Preemption


def test_sigterm_is_noted_within_the_block_only():
    before = signal.getsignal(signal.SIGTERM)
    with Preemption() as preemption:
        assert list(preemption.watch("ab")) == ["a", "b"]
        signal.raise_signal(signal.SIGTERM)
        assert preemption.asked
        with pytest.raises(Preempted):
            next(preemption.watch("ab"))
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL  # a second one ends the process
    assert signal.getsignal(signal.SIGTERM) == before


def test_in_another_thread_signals_stay_as_they_are():
    def work():
        with Preemption() as preemption:
            found.append((preemption.asked, signal.getsignal(signal.SIGTERM)))

    found, before = [], signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(False, before)]
