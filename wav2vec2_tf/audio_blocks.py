"""Recordings of any length, a block at a time: decoded, mixed to mono and resampled as `audio.load` does it.

So hours of audio take the memory of half a minute. Cutting them into windows is `chunking`'s.
"""

import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from wav2vec2_tf.audio import Span, check_end, check_finite, mono, opened
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ

BLOCK_SECONDS = 10


def read_blocks(
    source: str | os.PathLike | bytes | BinaryIO,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
    span: Span | None = None,
    name: str = "",
) -> Iterator[np.ndarray]:
    """Decodes a recording, or a piece of it, block by block.

    >>> import io
    >>> wav = io.BytesIO()
    >>> soundfile.write(wav, np.zeros((8_000 * 25, 2)), 8_000, format="WAV")    # 25 seconds of stereo
    >>> sum(len(block) for block in read_blocks(wav.getvalue()))
    400000

    Args:
        source: As for `audio.load`; an open file is read from its beginning.
        sample_rate_hz: Rate wanted.
        span: Which piece; by default all.
        name: What errors call it; by default the path.
    Yields:
        float32 [S]; one after the other they are what `audio.load` gives, but for the last bits after resampling.
    Raises:
        AudioError: As for `audio.load`; what is wrong with the end shows at the end.
    """
    span = span or Span()
    if hasattr(source, "seek"):
        source.seek(0)
    with opened(source, name) as (file, name):
        blocks = _decoded(file, name, span)
        if file.samplerate != sample_rate_hz:
            blocks = _resampled(blocks, soxr.ResampleStream(file.samplerate, sample_rate_hz, 1, "float32", "HQ"))
        yield from blocks


def _decoded(file: soundfile.SoundFile, name: str, span: Span) -> Iterator[np.ndarray]:
    first, promised = span.frames(file, name)
    if first:
        file.seek(first)
    left, done = promised if span.seconds is not None else sys.maxsize, 0
    # not file.blocks(): where an MP3 ends before its header says, it yields the rest of its uninitialised buffer
    while len(samples := file.read(min(BLOCK_SECONDS * file.samplerate, left - done), "float32", always_2d=True)):
        check_finite(samples, name)
        done += len(samples)
        yield np.ascontiguousarray(mono(samples, span.channel), np.float32)
    check_end(file, name, span, promised, done)


def _resampled(blocks: Iterator[np.ndarray], stream: soxr.ResampleStream) -> Iterator[np.ndarray]:
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
