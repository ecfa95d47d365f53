import threading

import pytest

from train.background import Background


def test_a_failed_job_is_told_at_the_next_look_and_no_other_is_done():
    work, done = Background(), []
    work.submit(lambda: done.append(1))
    work.submit(lambda: 1 / 0)
    work.submit(lambda: done.append(2))
    work.close()
    with pytest.raises(ZeroDivisionError):
        work.check()
    work.wait()
    assert done == [1]


def test_nothing_is_told_while_a_job_is_under_way():
    work, go, done = Background(), threading.Event(), []
    work.submit(lambda: done.append(go.wait()))
    work.check()
    assert done == []
    go.set()
    work.wait()
    assert done == [True]
