"""Greedy CTC decoding in NumPy: the best label of each real frame, repeats merged, blanks removed.

Turning label ids into text is the tokenizer's part.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np


def best_ids(logits, num_frames: Sequence[int] | None = None) -> list[np.ndarray]:
    """Picks the best label of every real frame.

    >>> logits = np.array([[[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]])
    >>> best_ids(logits)[0].tolist(), best_ids(logits, num_frames=[2])[0].tolist()
    ([1, 0, 1], [1, 0])

    Args:
        logits: [B, T, V] floats, or [B, T] ids that were chosen already (on the device, say); arrays or tensors.
        num_frames: [B] real frames of each row; None where every frame is real.
    Returns:
        One int32 array of ids per row, `num_frames` long.
    Raises:
        ValueError: The axes are not [B, T, V] or [B, T], or `num_frames` does not fit them.
    """
    logits = np.asarray(logits)
    ids = logits
    if np.issubdtype(logits.dtype, np.floating):
        if logits.ndim != 3:
            raise ValueError(
                f"Logits have the axes [B, T, V]; got shape {logits.shape}. Add the batch axis with x[None]."
            )
        ids = logits.argmax(axis=-1)
    if ids.ndim != 2:
        raise ValueError(f"Frame ids have the axes [B, T]; got shape {ids.shape}. Add the batch axis with x[None].")
    rows, frames = ids.shape
    lengths = np.full(rows, frames) if num_frames is None else np.asarray(num_frames)
    if lengths.shape != (rows,) or (lengths < 0).any() or (lengths > frames).any():
        raise ValueError(
            f"num_frames needs one value in 0..{frames} for each of {rows} rows; got {lengths.tolist()}. "
            "It counts frames, not samples: see wav2vec2_tf.lengths.frames_for."
        )
    return [row[:length].astype(np.int32) for row, length in zip(ids, lengths, strict=True)]


def collapse(ids: Iterable[int], blank: int = 0) -> list[int]:
    """Merges repeats, then removes blanks: the label sequence that a frame sequence stands for.

    >>> collapse([0, 7, 7, 0, 7, 5, 5])
    [7, 7, 5]

    Args:
        ids: One label id per frame.
        blank: The CTC blank (`pad_token_id`).
    Returns:
        Label ids.
    Source: Graves et al. 2006, section 3.1 (the map B).
    """
    return [index for index, _ in groupby(np.asarray(ids).ravel().tolist()) if index != blank]
