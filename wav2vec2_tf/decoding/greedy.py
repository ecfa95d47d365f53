"""Greedy CTC decoding in NumPy: the best label of each real frame, repeats merged, blanks removed.

Which label is the best one of a frame is found on the device (`model_ctc.best_labels`), or here from logits. What a
label adds to a text is the tokenizer's knowledge.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from wav2vec2_tf.decoding.transcript import Span, Transcript


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


@dataclass(frozen=True)
class _Heard:
    """A piece of text on the frames from `first` up to `end`."""

    text: str
    first: int
    end: int


class Greedy:
    """Reads frame labels as a transcript with times and confidences.

    >>> from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer
    >>> heard = Greedy(Wav2Vec2CTCTokenizer.standard()).read([11, 11, 0, 10, 4, 4, 24], np.log([0.9] * 7), 0.02)
    >>> heard.text, [(word.text, word.start_seconds, round(word.confidence, 2)) for word in heard.words]
    ('HI B', [('HI', 0.0, 0.9), ('B', 0.12, 0.9)])

    Args:
        tokenizer: Says what each label adds to a text (`surfaces`), and what text labels make (`decode`).
    """

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self._surfaces = tokenizer.surfaces

    def decode(self, log_probs: np.ndarray, seconds_per_frame: float) -> Transcript:
        """Decodes log-probabilities [T, V] of real frames."""
        return self.read(log_probs.argmax(axis=1), log_probs.max(axis=1), seconds_per_frame)

    def read(self, ids, log_probs, seconds_per_frame: float, first_frame: int = 0) -> Transcript:
        """Reads the best labels of a recording.

        A label is heard from the first of its frames to the last; with CTC that is often a single one, where the model
        is surest. The confidence of a word is that of all frames from its first to its last, blanks among them.

        Args:
            ids: [T] label ids, one a real frame.
            log_probs: [T] natural logarithms of their probabilities.
            seconds_per_frame: From one frame to the next.
            first_frame: Where they begin in the recording.
        """
        ids = np.asarray(ids)
        sums = np.concatenate([[0.0], np.cumsum(log_probs, dtype=np.float64)])

        def span(heard: _Heard) -> Span:
            start, end = (float((frame + first_frame) * seconds_per_frame) for frame in (heard.first, heard.end))
            return Span(heard.text, start, end, _mean(sums, heard.first, heard.end))

        labels = self._labels(ids)
        characters = [_Heard(surface.strip(), *frames) for surface, *frames in labels if surface.strip()]
        return Transcript(
            text=self.tokenizer.decode(ids),
            duration_seconds=float(len(ids) * seconds_per_frame),
            words=tuple(map(span, _words(labels))),
            characters=tuple(map(span, characters)),
            confidence=_mean(sums, 0, len(ids)),
        )

    def _labels(self, ids: np.ndarray) -> list[tuple[str, int, int]]:
        """Lists the labels that add something to the text: what, first frame, end."""
        edges = np.flatnonzero(np.diff(ids, prepend=-1, append=-1)).tolist() if len(ids) else [0]
        runs = zip(ids[edges[:-1]].tolist(), edges[:-1], edges[1:], strict=True)
        return [(self._surfaces[index], first, end) for index, first, end in runs if self._surfaces[index]]


def _words(labels: list[tuple[str, int, int]]) -> list[_Heard]:
    """Joins labels to words: a space before or after what a label adds is where a word ends."""
    words, starts_anew = [], True
    for surface, first, end in labels:
        text = surface.strip()
        starts_anew |= surface[0].isspace()
        if text and starts_anew:
            words.append(_Heard(text, first, end))
        elif text:
            words[-1] = _Heard(words[-1].text + text, words[-1].first, end)
        starts_anew = surface[-1].isspace() or (starts_anew and not text)
    return words


def _mean(sums: np.ndarray, first: int, end: int) -> float:
    """Gives the geometric mean of probabilities, from the running sums of their logarithms; 0 of none."""
    return float(np.exp((sums[end] - sums[first]) / (end - first))) if end > first else 0.0
