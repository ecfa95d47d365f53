"""Claims about answers that must come in time: they come, their errors come, and what never comes is told."""

import threading

import pytest

from wav2vec2_tf.waiting import within


def test_an_answer_that_never_comes_is_told():
    with pytest.raises(TimeoutError, match=r"no answer within 0.01 seconds"):
        within(0.01, threading.Event().wait)


@pytest.mark.parametrize("error", [TimeoutError("the server's own"), ValueError("no"), KeyboardInterrupt("stop")])
def test_an_error_in_the_place_of_an_answer_comes_through(error):
    def ask():
        raise error

    with pytest.raises(type(error), match=str(error)):
        within(5, ask)
