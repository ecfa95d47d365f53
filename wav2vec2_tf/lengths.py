"""Samples, frames and seconds: the only place that knows stride arithmetic.

Every function works on plain integers, NumPy arrays and TensorFlow integer tensors alike, since it is written in
integer operators only. Masks on the device are made by the layers from the frame counts computed here.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

SAMPLE_RATE_HZ = 16_000


class Conv(NamedTuple):
    """One convolution of the feature encoder: kernel and stride in steps of its input."""

    kernel: int
    stride: int


#: The seven convolutions of every published wav2vec 2.0 model.
BASE = (Conv(10, 5), Conv(3, 2), Conv(3, 2), Conv(3, 2), Conv(3, 2), Conv(2, 2), Conv(2, 2))


def frames_for(num_samples, convs: Sequence[Conv] = BASE):
    """Counts the frames the feature encoder yields.

    >>> frames_for(16_000)          # one second
    49
    >>> [frames_for(n) for n in (0, 399, 400, 246_000)]
    [0, 0, 1, 768]

    Args:
        num_samples: Real samples at 16 kHz, padding excluded; an int, an array or an integer tensor; 0 is fine.
        convs: Kernels and strides, first to last.
    Returns:
        Frames, 20 ms apart for BASE; 0 below the receptive field (400 samples for BASE). Same type as the input.
    Raises:
        ValueError: `num_samples` is a negative int.
    Source: wav2vec 2.0, section 4.2 (arXiv:2006.11477).
    """
    if isinstance(num_samples, int) and num_samples < 0:
        raise ValueError(f"num_samples counts samples and cannot be negative; got {num_samples}.")
    for kernel, stride in convs:
        num_samples = (num_samples - kernel) // stride + 1  # below zero stays below zero
    return (num_samples + abs(num_samples)) // 2  # max(n, 0) for ints, arrays and tensors alike


def samples_for(num_frames: int, convs: Sequence[Conv] = BASE) -> int:
    """Counts the fewest samples that yield `num_frames` frames.

    >>> samples_for(1), samples_for(49), frames_for(samples_for(49) - 1)
    (400, 15760, 48)

    Args:
        num_frames: Frames wanted; at least 1.
        convs: Kernels and strides, first to last.
    Returns:
        Samples at 16 kHz.
    Raises:
        ValueError: `num_frames` is below 1.
    """
    if num_frames < 1:
        raise ValueError(f"num_frames must be at least 1; got {num_frames}.")
    for kernel, stride in reversed(convs):
        num_frames = (num_frames - 1) * stride + kernel
    return num_frames


def hop_samples(convs: Sequence[Conv] = BASE) -> int:
    """Gives the distance between two frames in samples (`inputs_to_logits_ratio`).

    >>> hop_samples()
    320
    """
    hop = 1
    for conv in convs:
        hop *= conv.stride
    return hop


def ctc_frames_needed(labels: Sequence) -> int:
    """Counts the frames that CTC needs for a label sequence: one each, and one blank between equal neighbours.

    >>> ctc_frames_needed("HELLO"), ctc_frames_needed([]), ctc_frames_needed([5, 5, 5])
    (6, 0, 5)

    Args:
        labels: Label ids or characters.
    Returns:
        Frames; a clip with fewer has no alignment and an infinite loss.
    Source: Graves et al. 2006, section 3.1.
    """
    return len(labels) + sum(a == b for a, b in pairwise(labels))
