"""Windows: every frame of a recording is kept once, at its place, whatever pieces the samples come in."""

import numpy as np
import pytest

from tests.tiny import tiny
from wav2vec2_tf.chunking import Windows, batches, padded_length
from wav2vec2_tf.lengths import BASE, frames_for, hop_samples

CONVS = tiny().convs


def places(windows: Windows, num_samples: int, block: int) -> list[int]:
    """Cuts a ramp; gives the first sample that each kept frame of the windows stands on."""
    ramp = np.arange(num_samples, dtype=np.float64)
    cut = windows.cut(ramp[first : first + block] for first in range(0, num_samples, block))
    hop = hop_samples(windows.convs)
    return [int(window.samples[frame * hop]) for window in cut for frame in range(*window.kept.indices(1 << 30))]


@pytest.mark.parametrize("convs", [BASE, CONVS], ids=["base", "tiny"])
@pytest.mark.parametrize("num_samples", [16_000, 16_001, 20_000, 25_601, 64_000, 100_003])
def test_kept_frames_are_the_recordings_own_in_order(convs, num_samples):
    windows = Windows.of(1.0, 0.1, convs)
    expected = [frame * hop_samples(convs) for frame in range(frames_for(num_samples, convs))]
    assert places(windows, num_samples, block=7_000) == expected


def test_pieces_of_any_length_give_the_same_windows():
    windows = Windows.of(1.0, 0.25, CONVS)
    assert places(windows, 50_000, 50_000) == places(windows, 50_000, 333) == places(windows, 50_000, 16_000)


def test_both_neighbours_hear_beyond_the_place_where_they_are_joined():
    first, second, *_ = Windows.of(1.0, 0.1).cut([np.zeros(40_000, np.float32)])
    context = frames_for(16_000) - first.kept.stop, second.kept.start
    assert min(context) >= 4  # of the 5 frames in a tenth of a second


def test_a_short_recording_is_one_window_and_an_empty_one_too():
    for num_samples in (0, 10, 16_000):
        (window,) = Windows.of(1.0, 0.1).cut([np.zeros(num_samples, np.float32)])
        assert window.is_last
        assert len(window.samples) == num_samples
        assert window.kept == slice(0, frames_for(num_samples))


@pytest.mark.parametrize(("seconds", "margin"), [(10, 3), (1, 0), (0.1, 0.01), (0, 0), (-1, -0.1)])
def test_windows_that_do_not_work_are_refused(seconds, margin):
    with pytest.raises(ValueError, match=f"Windows of {seconds} s with margins of {margin} s do not work"):
        Windows.of(seconds, margin)


def test_padding_costs_an_eighth_at_most_and_shapes_are_few():
    lengths = np.arange(2**13 + 1, 2**20, 997)
    padded = np.array([padded_length(int(n)) for n in lengths])
    assert (padded >= lengths).all()
    assert (padded <= 1.125 * lengths + 1).all()
    assert len(set(padded.tolist())) <= 8 * 7 + 1


def test_batches_hold_every_window_once_and_no_more_than_asked():
    lengths = np.random.default_rng(0).integers(1_000, 60_000, 100).tolist()
    found = batches(lengths, batch_samples=100_000)
    assert sorted(position for batch in found for position in batch) == list(range(100))
    assert all(len({padded_length(lengths[position]) for position in batch}) == 1 for batch in found)
    assert all(len(batch) * padded_length(lengths[batch[0]]) <= 100_000 for batch in found)
    assert len(batches([20_000] * 12, batch_samples=100_000)) == 3
