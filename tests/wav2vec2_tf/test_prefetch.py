"""Work ahead: in order, no further than asked, and errors arrive where they happened."""

import threading

import pytest

from wav2vec2_tf.prefetch import ahead


def test_items_come_in_order_from_another_thread():
    def items():
        for number in range(50):
            yield number, threading.get_ident()

    numbers, threads = zip(*ahead(items(), 8), strict=True)
    assert numbers == tuple(range(50))
    assert set(threads) != {threading.get_ident()}
    assert len(set(threads)) == 1


def test_no_more_is_made_than_may_wait():
    made = []
    items = ahead((made.append(number) or number for number in range(100)), 3)
    assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
    items.close()
    assert len(made) <= 5 + 3 + 1


def test_an_error_comes_after_what_went_well():
    def items():
        yield 1
        raise OSError("gone")

    heard = ahead(items(), 4)
    assert next(heard) == 1
    with pytest.raises(OSError, match="gone"):
        next(heard)
