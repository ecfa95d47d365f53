"""From recordings to the windows that a model hears: decoded, cut and normalised; one that fails ends in its error.

Decoding is `audio_blocks`', cutting `chunking`'s, what becomes of the windows the `transcriber`'s.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from data_tools.storage import in_storage, storage_of
from wav2vec2_tf.audio import Span
from wav2vec2_tf.audio_blocks import read_blocks
from wav2vec2_tf.chunking import Window, Windows
from wav2vec2_tf.features import Moments
from wav2vec2_tf.lengths import samples_for
from wav2vec2_tf.processor import Wav2Vec2Processor


@dataclass(frozen=True)
class Recording:
    """A recording, or a piece of one.

    Args:
        source: Path, gs:// address, bytes, or a file opened for reading bytes that can be rewound.
        span: Which piece; by default all.
        name: What messages call it; by default the path.
    """

    source: Any
    span: Span = field(default_factory=Span)
    name: str = ""

    def __str__(self) -> str:
        is_path = isinstance(self.source, str | os.PathLike)
        return self.name or (os.fspath(self.source) if is_path else "the audio")


@dataclass(frozen=True)
class End:
    """A recording has ended, well or with an error."""

    num_samples: int = 0
    error: Exception | None = None


class Intake:
    """Makes windows of recordings.

    Args:
        processor: Knows the sampling rate, and how to normalise.
        windows: How long recordings are cut.
    """

    def __init__(self, processor: Wav2Vec2Processor, windows: Windows):
        self._processor, self._windows, self._rate_hz = processor, windows, processor.feature.sampling_rate
        self._fewest_samples = samples_for(1, windows.convs)

    def pools(self, sources: Iterable, most_samples: float) -> Iterator[list[Window | End]]:
        """Gathers the windows of recordings, in order, until they hold so many samples.

        Args:
            sources: Paths, addresses, bytes, open files, or a `Recording` each.
            most_samples: When a pool is full; a window more may be in it.
        Yields:
            Windows, and after a recording's last an `End`.
        """
        pool, held = [], 0
        for event in self._events(sources):
            pool.append(event)
            held += len(event.samples) if isinstance(event, Window) else 0
            if held >= most_samples:
                yield pool
                pool, held = [], 0
        if pool:
            yield pool

    def _events(self, sources) -> Iterator[Window | End]:
        for source in sources:
            recording = source if isinstance(source, Recording) else Recording(source)
            try:
                yield from self._windows_of(recording)
            except (OSError, ValueError, ImportError) as error:  # without gcsfs there is no gs://
                yield End(error=error)

    def _windows_of(self, recording: Recording) -> Iterator[Window | End]:
        """Gives the windows of one recording, normalised over all of it, which takes a pass of its own."""
        first = next(self._windows.cut(self._blocks(recording)))
        if first.is_last:
            self._check_length(recording, len(first.samples))
            yield replace(first, samples=self._processor(first.samples))
            yield End(len(first.samples))
            return
        moments = Moments()
        for block in self._blocks(recording):
            moments = moments.add(block)
        for window in self._windows.cut(self._blocks(recording)):
            yield replace(window, samples=self._processor.feature.normalize(window.samples, moments))
        yield End(moments.num_samples)

    def _blocks(self, recording: Recording) -> Iterator[np.ndarray]:
        source = recording.source
        if in_storage(source):
            source = storage_of(source).open_read(source)
        return read_blocks(source, self._rate_hz, recording.span, str(recording))

    def _check_length(self, recording: Recording, num_samples: int) -> None:
        if num_samples < self._fewest_samples:
            raise ValueError(
                f"{recording} holds {num_samples} samples at {self._rate_hz} Hz; the model's first frame takes "
                f"{self._fewest_samples}. There is nothing to transcribe."
            )
