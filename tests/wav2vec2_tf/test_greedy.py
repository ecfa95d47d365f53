"""Greedy decoding: the best label of real frames only."""

import numpy as np
import pytest

from wav2vec2_tf.decoding.greedy import best_ids, collapse


def test_frames_beyond_the_real_ones_are_left_out():
    logits = np.random.default_rng(0).normal(size=(2, 5, 4))
    rows = best_ids(logits, num_frames=[3, 0])
    assert [row.tolist() for row in rows] == [logits[0, :3].argmax(-1).tolist(), []]


def test_ids_chosen_before_pass_through():
    assert [row.tolist() for row in best_ids(np.array([[1, 0, 2]]), [2])] == [[1, 0]]


def test_repeats_merge_before_blanks_go():
    assert collapse([5, 5, 0, 5, 0, 0, 6]) == [5, 5, 6]
    assert collapse([3, 3, 0, 0], blank=3) == [0]
    assert collapse([]) == []


@pytest.mark.parametrize("num_frames", [[4], [-1, 2], [1, 6], [[1, 2]]])
def test_lengths_that_do_not_fit_are_refused(num_frames):
    with pytest.raises(ValueError, match=r"one value in 0\.\.5 for each of 2 rows"):
        best_ids(np.zeros((2, 5, 4)), num_frames)


def test_logits_without_batch_axis_are_refused():
    with pytest.raises(ValueError, match=r"axes \[B, T, V\]; got shape \(5, 4\)"):
        best_ids(np.zeros((5, 4)))


def test_ids_without_batch_axis_are_refused():
    with pytest.raises(ValueError, match=r"axes \[B, T\]; got shape \(5,\)"):
        best_ids(np.zeros(5, int))
