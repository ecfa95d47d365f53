"""Claims about lengths: one formula for ints, arrays and tensors, and its inverse."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tiny import tiny
from wav2vec2_tf.lengths import BASE, Conv, ctc_frames_needed, frames_for, hop_samples, samples_for


def counted(num_samples, convs):
    """Slides every convolution by hand."""
    for conv in convs:
        num_samples = sum(1 for start in range(0, num_samples, conv.stride) if start + conv.kernel <= num_samples)
    return num_samples


@pytest.mark.parametrize("convs", [BASE, tiny().convs, (Conv(1, 1),)], ids=["base", "tiny", "one"])
def test_frames_are_those_of_sliding_windows(convs):
    sizes = [*range(60), 399, 400, 401, 719, 720, 1600]
    assert [frames_for(n, convs) for n in sizes] == [counted(n, convs) for n in sizes]


@pytest.mark.parametrize("make", [np.array, tf.constant], ids=["numpy", "tensorflow"])
def test_arrays_and_tensors_give_the_same_numbers(make):
    sizes = [0, 1, 399, 400, 719, 720, 16_000, 246_000]
    frames = frames_for(make(sizes, dtype="int32"))
    assert frames.dtype == "int32"
    assert np.asarray(frames).tolist() == [0, 0, 0, 1, 1, 2, 49, 768] == [frames_for(n) for n in sizes]


def test_samples_are_the_fewest_that_give_the_frames():
    for convs in (BASE, tiny().convs):
        for num_frames in (1, 2, 49, 768):
            least = samples_for(num_frames, convs)
            assert frames_for(least, convs) == num_frames == frames_for(least - 1, convs) + 1


def test_hop_is_the_distance_of_two_frames():
    for convs in (BASE, tiny().convs):
        assert hop_samples(convs) == samples_for(8, convs) - samples_for(7, convs)


def test_ctc_needs_a_blank_between_equal_neighbours():
    assert [ctc_frames_needed(labels) for labels in ([], [4], [4, 4], "HELLO", (1, 2, 1))] == [0, 1, 3, 6, 3]


def test_negative_samples_are_refused():
    with pytest.raises(ValueError, match="num_samples counts samples and cannot be negative; got -1"):
        frames_for(-1)


def test_no_frames_are_refused():
    with pytest.raises(ValueError, match="num_frames must be at least 1; got 0"):
        samples_for(0)
