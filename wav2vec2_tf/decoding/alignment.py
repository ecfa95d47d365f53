"""When each word of a known text is heard: the best CTC path through it, as a `Transcript` of the text as written.

The path is `trellis`', the labels of a text `spelling`'s; the model and audio of any length are `wav2vec2_tf.align`'s.
"""

from collections.abc import Iterator

import numpy as np

from wav2vec2_tf.decoding.spelling import WILDCARD, Spelling, between_words
from wav2vec2_tf.decoding.transcript import Span, Transcript
from wav2vec2_tf.decoding.trellis import BLANK, best_path
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

_GAP_NATS = 0.1  # what silence and spaces cost inside a wildcard, so that those around its speech stay outside


def align(
    log_probs: np.ndarray, spelling: Spelling, tokenizer: Wav2Vec2CTCTokenizer, seconds_per_frame: float
) -> Transcript:
    """Finds when the words of a text are heard.

    >>> from wav2vec2_tf.decoding.spelling import spell
    >>> tokenizer = Wav2Vec2CTCTokenizer({"<pad>": 0, "<unk>": 1, "|": 2, "a": 3, "b": 4})
    >>> heard = [0, 3, 3, 4, 2, 0, 4, 0]
    >>> log_probs = np.log(np.full((8, 5), 0.05) + 0.75 * np.eye(5)[heard])
    >>> for word in align(log_probs, spell("Ab, b.", tokenizer), tokenizer, seconds_per_frame=0.02).words:
    ...     print(f"{word.start_seconds:.2f} {word.end_seconds:.2f} {word.confidence:.2f} {word.text}")
    0.02 0.08 0.80 Ab,
    0.12 0.14 0.80 b.

    Args:
        log_probs: [T, V] log-probabilities of the real frames.
        spelling: The text in labels.
        tokenizer: The model's.
        seconds_per_frame: Distance of two frames.
    Returns:
        The text, all its words with their punctuation, and the labels as characters. As in greedy decoding, a word's
        confidence is that of all frames from its first to its last; it is 0 where the word has a wildcard ("*").
    Raises:
        ValueError: There are too few frames for the text, or they hold no numbers.
    """
    log_probs, labels = _with_wildcard(np.asarray(log_probs), spelling.labels, tokenizer)
    path = best_path(log_probs, labels, tokenizer.pad_token_id)
    chosen = np.where(path == BLANK, tokenizer.pad_token_id, labels[path])
    scores = log_probs[np.arange(len(path)), chosen].astype(np.float64)
    heard = _Heard(path, scores, len(labels), seconds_per_frame)
    return Transcript(
        spelling.text,
        len(path) * seconds_per_frame,
        words=tuple(heard.span(word.text, word.first, word.end, word.is_wild) for word in spelling.words),
        characters=tuple(_characters(spelling, heard, tokenizer)),
        confidence=float(np.exp(scores.mean())),
    )


def _with_wildcard(
    log_probs: np.ndarray, labels: np.ndarray, tokenizer: Wav2Vec2CTCTokenizer
) -> tuple[np.ndarray, np.ndarray]:
    """Gives wildcards a column: speech of any length, in any labels."""
    if WILDCARD not in labels:
        return log_probs, labels
    size = log_probs.shape[1]
    gaps = [tokenizer.pad_token_id, *between_words(tokenizer, size)]
    heard = np.delete(np.arange(size), gaps)
    anything = np.maximum(log_probs[:, heard].max(axis=1), log_probs[:, gaps].max(axis=1) - _GAP_NATS)
    return np.column_stack([log_probs, anything]), np.where(labels == WILDCARD, size, labels)


class _Heard:
    """When labels are heard, by their position, and how surely."""

    def __init__(self, path: np.ndarray, scores: np.ndarray, num_labels: int, seconds_per_frame: float):
        frames = np.flatnonzero(path != BLANK)
        self.first = frames[np.searchsorted(path[frames], np.arange(num_labels))]
        self.end = frames[np.searchsorted(path[frames], np.arange(num_labels), side="right") - 1] + 1
        self.sums = np.concatenate([[0.0], np.cumsum(scores)])
        self.seconds_per_frame = seconds_per_frame

    def span(self, text: str, first_label: int, end_label: int, is_wild: bool) -> Span:
        first, end = self.first[first_label], self.end[end_label - 1]
        start_seconds, end_seconds = (float(frame * self.seconds_per_frame) for frame in (first, end))
        confidence = 0.0 if is_wild else float(np.exp((self.sums[end] - self.sums[first]) / (end - first)))
        return Span(text, start_seconds, end_seconds, confidence)


def _characters(spelling: Spelling, heard: _Heard, tokenizer: Wav2Vec2CTCTokenizer) -> Iterator[Span]:
    surfaces = [text.strip() for text in tokenizer.surfaces]
    for position, label in enumerate(spelling.labels):
        text = "*" if label == WILDCARD else surfaces[label]
        if text:
            yield heard.span(text, position, position + 1, label == WILDCARD)
