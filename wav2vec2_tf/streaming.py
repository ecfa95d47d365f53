"""Transcripts of what is being said: every step the model hears the last seconds anew, and what has been followed by
enough speech is certain.

The model is asked through the `Transcriber`, so training, files and streams go one way; a stream knows less: what
follows a frame only for `lookahead_seconds`, what came before for `context_seconds`, and loudness from what was heard.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from wav2vec2_tf.decoding.greedy import Greedy
from wav2vec2_tf.decoding.transcript import Span
from wav2vec2_tf.features import Moments, checked_samples
from wav2vec2_tf.lengths import hop_samples, samples_for


@dataclass(frozen=True)
class Partial:
    """What is known of a stream at some moment.

    Args:
        text: What is certain; what comes later only adds to it.
        tentative: What seems to follow, and may change.
        words: The whole words that became certain since the `Partial` before, with times in the stream.
        seconds: How much of the stream has been heard.
    """

    text: str
    tentative: str
    words: tuple[Span, ...]
    seconds: float


class Stream:
    """One stream of audio, in whose course memory does not grow, but for the text.

    Args:
        transcriber: The `Transcriber` whose model listens.
        step_seconds: How often it does.
        lookahead_seconds: What must follow a frame before it is certain.
        context_seconds: What the model hears before a frame.
    Raises:
        ValueError: A duration is below zero, or there is neither context nor look-ahead.
    """

    def __init__(
        self, transcriber, step_seconds: float = 1.0, lookahead_seconds: float = 1.0, context_seconds: float = 10.0
    ):
        if min(lookahead_seconds, context_seconds) < 0 or lookahead_seconds + context_seconds < 0.1:
            raise ValueError(
                f"lookahead_seconds is {lookahead_seconds:g} and context_seconds {context_seconds:g}; neither is below "
                "zero, and both together are at least 0.1 s: the model must hear something around a frame."
            )
        self._transcriber, convs = transcriber, transcriber.model.config.convs
        self._greedy, self._spf = Greedy(transcriber.processor.tokenizer), transcriber.seconds_per_frame
        self._hop, self._fewest = hop_samples(convs), samples_for(1, convs)
        self._step_samples = round(step_seconds * transcriber.rate_hz)
        self._lookahead, self._context = (round(s / self._spf) for s in (lookahead_seconds, context_seconds))
        self._samples, self._start = np.zeros(0, np.float32), 0  # held; the frame they begin with
        self._moments, self._heard_samples = Moments(), 0
        self._frames = Frames()  # certain ones, from the beginning of the last word
        self._text = ""  # of the words before

    def add(self, chunk) -> Partial | None:
        """Takes the next samples; gives news when a step is full.

        Args:
            chunk: [S] at the model's rate, float in [-1, 1] or int16; may be empty.
        Raises:
            ValueError: It is no audio (`features.checked_samples`).
        """
        if len(chunk):
            samples = checked_samples(chunk, "the chunk", axes=(1,)).astype(np.float32)
            self._samples, self._moments = np.concatenate([self._samples, samples]), self._moments.add(samples)
        if self._moments.num_samples - self._heard_samples < max(self._step_samples, self._fewest):
            return None
        return self._listen(self._lookahead)

    def end(self) -> Iterator[Partial]:
        """Gives what the end of the stream makes certain, all of it; nothing where less than a frame was said."""
        if self._moments.num_samples >= self._fewest:
            yield self._listen(0, is_end=True)

    def _listen(self, lookahead: int, is_end: bool = False) -> Partial:
        self._heard_samples = self._moments.num_samples
        values = self._transcriber.processor.feature.normalize(self._samples, self._moments)
        ids, log_probs = self._transcriber.hear_best(values)
        certain = self._frames.end - self._start  # in the frames just heard
        rest = max(certain, len(ids) - lookahead)
        self._frames = self._frames.add(ids[certain:rest], log_probs[certain:rest])
        everything = self._join(self._read(self._frames.add(ids[rest:], log_probs[rest:])))
        text, words = self._settle(is_end)
        self._forget()
        return Partial(text, everything[len(text) :], words, self._heard_samples / self._transcriber.rate_hz)

    def _settle(self, is_end: bool) -> tuple[str, tuple[Span, ...]]:
        """Lets go of words that are whole: another one has begun, or nothing was said for long. Gives all text."""
        words = self._read(self._frames)
        text, open_from = self._join(words), self._frames.end
        if words and not is_end:
            last = words[-1]
            paused = self._frames.end - round(last.end_seconds / self._spf) > self._context
            open_from = open_from if paused else round(last.start_seconds / self._spf)
            words = words if paused else words[:-1]
        self._text, self._frames = self._join(words), self._frames.since(open_from)
        return text, words

    def _read(self, frames: "Frames") -> tuple[Span, ...]:
        return self._greedy.read(frames.ids, frames.log_probs, self._spf, frames.first).words

    def _join(self, words: tuple[Span, ...]) -> str:
        return " ".join([self._text] * bool(self._text) + [word.text for word in words])

    def _forget(self) -> None:
        """Drops samples that no frame to come will have as context."""
        frames = max(0, self._frames.end - self._context - self._start)
        self._samples, self._start = self._samples[frames * self._hop :], self._start + frames


@dataclass(frozen=True)
class Frames:
    """The best labels [T] of frames in a row, and their log-probabilities [T]; `first` is the first one's place."""

    first: int = 0
    ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    log_probs: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def end(self) -> int:
        """The frame after the last."""
        return self.first + len(self.ids)

    def add(self, ids: np.ndarray, log_probs: np.ndarray) -> "Frames":
        """Gives these frames and those that follow."""
        return Frames(self.first, np.concatenate([self.ids, ids]), np.concatenate([self.log_probs, log_probs]))

    def since(self, first: int) -> "Frames":
        """Gives the frames from `first` on."""
        return Frames(first, self.ids[first - self.first :], self.log_probs[first - self.first :])
