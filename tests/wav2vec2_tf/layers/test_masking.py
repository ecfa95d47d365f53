"""Claims about SpecAugment: spans as fairseq draws them, inside the valid part, from the seed pair alone."""

import numpy as np
import pytest
import tensorflow as tf

from tests import reference
from tests.tiny import noise, tiny
from wav2vec2_tf.layers.masking import mask_channels, mask_time, span_mask

ROWS = 3000


def drawn(length, size, probability, span, min_spans=0, rows=ROWS, seed=(1, 2)):
    return span_mask(tf.fill([rows], length), size, probability, span, min_spans, tf.constant(seed)).numpy()


@pytest.mark.parametrize(("length", "size"), [(100, 100), (60, 100)])
def test_masks_have_the_statistics_of_fairseq(length, size):
    rng = np.random.default_rng(0)
    truth = np.array([reference.span_mask(rng, length, size, 0.65, 10, 0) for _ in range(ROWS)])
    found = drawn(length, size, 0.65, 10)
    assert found.mean() == pytest.approx(truth.mean(), abs=0.01)
    np.testing.assert_allclose(found.mean(0), truth.mean(0), atol=0.06)  # as likely at every position
    np.testing.assert_allclose(found.sum(1).std(), truth.sum(1).std(), rtol=0.1)


def test_the_number_of_spans_is_rounded_at_random():
    counts = drawn(45, 45, 0.1, 1).sum(1)  # spans of one frame do not overlap: int(4.5 + U[0, 1))
    assert set(counts) == {4, 5}
    assert counts.mean() == pytest.approx(4.5, abs=0.05)


def test_spans_are_whole_and_lie_in_the_valid_part():
    found = drawn(30, 50, 0.3, 5, rows=200)
    assert found.any(1).all()
    for row in found:
        assert all(length >= 5 and start + length <= 30 for start, length in reference.runs(row))


def test_starts_differ_so_that_spans_add_up():
    # 9 allowed starts and 9 spans of one frame: all of them are taken
    assert drawn(10, 12, 0.9, 1, rows=50).sum(1).tolist() == [9] * 50


def test_fewest_spans_are_kept_where_there_is_room():
    assert set(drawn(100, 100, 0.0, 1, min_spans=2, rows=50).sum(1)) == {2}


@pytest.mark.parametrize("length", [0, 3, 4])
def test_rows_too_short_for_a_span_have_none(length):
    assert not drawn(length, 20, 1.0, 4, min_spans=2, rows=50).any()


def test_a_span_may_be_longer_than_the_mask():
    assert not drawn(20, 20, 0.5, 40, min_spans=2, rows=5).any()


def test_rows_and_steps_differ_and_a_seed_repeats():
    first, again, later = (drawn(100, 100, 0.65, 10, rows=20, seed=seed) for seed in ((1, 2), (1, 2), (1, 3)))
    np.testing.assert_array_equal(first, again)
    assert (first != later).any(1).all()
    assert len({row.tobytes() for row in first}) == 20


def test_lengths_of_rows_count_one_by_one():
    found = span_mask(tf.constant([100, 10, 0]), 100, 0.5, 5, 1, tf.constant([1, 2])).numpy()
    assert found[0, 10:].any()
    assert found[1].any()
    assert not found[1, 10:].any()
    assert not found[2].any()


def test_masked_frames_hold_the_learned_vector_and_others_are_untouched():
    x, vector = noise(4, 30, 16), noise(16, seed=1)
    out = mask_time(tf.constant(x), tf.constant([30, 30, 20, 0]), vector, tiny(mask_time_prob=0.4), [1, 2]).numpy()
    masked = (out == vector).all(-1)
    assert 0.1 < masked[:2].mean() < 0.6
    np.testing.assert_array_equal(out[~masked], x[~masked])
    assert not masked[3].any()


def test_masked_channels_are_zero_over_all_frames():
    x = noise(4, 30, 16)
    out = mask_channels(tf.constant(x), tiny(mask_feature_prob=0.4), [1, 2]).numpy()
    masked = (out == 0).all(1)
    assert 0.1 < masked.mean() < 0.7
    np.testing.assert_array_equal(out, np.where(masked[:, None], 0, x))


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_a_traced_mask_repeats_for_a_seed_and_differs_between_steps(jit):
    lengths = tf.fill([20], 100)
    mask = tf.function(lambda step: span_mask(lengths, 100, 0.65, 10, 1, tf.stack([5, step])), jit_compile=jit)
    first, again, later = (mask(tf.constant(step)).numpy() for step in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != later).any(1).all()
    assert first.mean() == pytest.approx(0.46, abs=0.05)
