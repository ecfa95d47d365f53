"""Audio: any file or bytes -> mono float32 at 16 kHz, and float <-> int16.

Decoding is libsndfile's (wav, flac, mp3, ogg, opus, aiff, ... told apart by content, not by name), resampling soxr's at
high quality. Zero mean and unit variance are left to `wav2vec2_tf.processor` and the training step; which lengths are
worth training on is left to `data_tools`.
"""

import contextlib
import io
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from wav2vec2_tf.lengths import SAMPLE_RATE_HZ

#: An MP3 states its length in whole frames and its decoder trims its own delay: less than two frames are no loss.
_MP3_SLACK_SAMPLES = 2 * 1152
#: Formats that hold no count of bytes beside their samples; asking libsndfile for its notes takes time.
_FRAMES_KNOWN = ("FLAC", "OGG", "MP3")
#: Where an utterance ends in its recording is known to a few hundredths of a second.
_SPAN_SLACK_SECONDS = 0.05
#: Declared chunk sizes from here up are written by programs that did not know the size yet (ffmpeg into a pipe).
_UNKNOWN_SIZE = 0x7FFFF000


class AudioError(ValueError):
    """A recording that cannot be used.

    Args:
        message: Names the recording and what is wrong with it.
        reason: One of missing_file, unreadable, truncated, non_finite, too_long, missing_channel.
    """

    def __init__(self, message: str, reason: str):
        super().__init__(message, reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.args[0]


@dataclass(frozen=True)
class Span:
    """A piece of a recording.

    Args:
        start_seconds: Where it begins.
        seconds: How long it is; None: to the end.
        max_seconds: How long it may be.
        channel: Which channel, counted from 0; None: the mean of all.
    """

    start_seconds: float = 0.0
    seconds: float | None = None
    max_seconds: float = math.inf
    channel: int | None = None

    def frames(self, file: soundfile.SoundFile, name: str) -> tuple[int, int]:
        """Finds the piece's first sample and the number of its samples per channel.

        Raises:
            AudioError: It is too long, begins where the recording has ended, or is of a channel that is not there.
        """
        if self.channel is not None and self.channel >= file.channels:
            raise AudioError(
                f"{name} has {file.channels} channels, counted from 0, and no channel {self.channel}. Name one of "
                "these, or none to average them.",
                "missing_channel",
            )
        first, promised = round(self.start_seconds * file.samplerate), _promised_frames(file)
        if first and first >= promised:
            raise AudioError(
                f"{name} lasts {promised / file.samplerate:.2f} s, the utterance begins at {self.start_seconds:g} s. "
                "Check its start, or fetch the recording again.",
                "truncated",
            )
        count = promised - first if self.seconds is None else round(self.seconds * file.samplerate)
        if count > self.max_seconds * file.samplerate:
            seconds = count / file.samplerate
            raise AudioError(f"{name}: {seconds:.2f} s, at most {self.max_seconds:g} s are taken", "too_long")
        return first, count


def load(source: str | os.PathLike | bytes | BinaryIO, sample_rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """Decodes a recording; several channels become their mean.

    >>> wav = io.BytesIO()
    >>> soundfile.write(wav, np.zeros((8_000, 2)), 8_000, format="WAV")    # one second of stereo
    >>> load(wav.getvalue()).shape
    (16000,)

    Args:
        source: Path, the bytes of a file, or a file opened for reading bytes.
        sample_rate_hz: Rate wanted.
    Returns:
        float32 [S], nominally in -1..1; S is 0 for a file that holds no samples.
    Raises:
        AudioError: There is no such file, libsndfile cannot read it, it ends before its header says, or it holds
            samples that are not finite numbers.
    """
    samples, rate_hz = _decode(source, Span(), "float32")
    return _resampled(samples, rate_hz, sample_rate_hz)


def load_int16(source: str | os.PathLike | bytes | BinaryIO, span: Span) -> np.ndarray:
    """Decodes a recording, or a piece of it and no more, to 16 bits at 16 kHz: `to_int16(load(source))`.

    A recording that is such already (mono, 16 kHz, 16 bits) does not go through floats; the samples are the same.

    Args:
        source: As for `load`.
        span: Which piece, and how long it may be.
    Returns:
        int16 [S].
    Raises:
        AudioError: As for `load`; or the piece is longer than `span.max_seconds` (nothing is decoded then), ends
            after the recording, or is of a channel that the recording lacks.
    """
    samples, rate_hz = _decode(source, span, "int16")
    return samples if samples.dtype == np.int16 else to_int16(_resampled(samples, rate_hz, SAMPLE_RATE_HZ))


def _resampled(samples: np.ndarray, rate_hz: int, wanted_hz: int) -> np.ndarray:
    if rate_hz != wanted_hz and len(samples):
        samples = soxr.resample(samples, rate_hz, wanted_hz, quality="HQ")
    return np.ascontiguousarray(samples, np.float32)


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Rounds float samples to 16 bits, clipping what lies outside -1..1.

    >>> to_int16(np.array([0.0, 0.5, 1.0, -1.0, 7.0])).tolist()
    [0, 16384, 32767, -32768, 32767]

    Args:
        samples: float [...], full scale 1.
    Returns:
        int16 [...].
    """
    return np.clip(np.rint(np.asarray(samples) * 32768.0), -32768, 32767).astype(np.int16)


def to_float(samples: np.ndarray) -> np.ndarray:
    """Undoes `to_int16`.

    >>> to_float(np.array([-32768, 16384], np.int16)).tolist()
    [-1.0, 0.5]

    Args:
        samples: int16 [...].
    Returns:
        float32 [...] in -1..1.
    """
    return np.asarray(samples, np.float32) / np.float32(32768)


def duration_seconds(source: str | os.PathLike | bytes) -> float | None:
    """Reads a recording's length from its header; nothing is decoded.

    Args:
        source: Path, or the bytes of a file.
    Returns:
        Seconds; None where the header cannot be read.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else os.fspath(source)) as file:
            return file.frames / file.samplerate
    except (soundfile.SoundFileError, OSError):
        return None


def _decode(source, span: Span, dtype: str) -> tuple[np.ndarray, int]:
    """Gives mono samples and their rate: int16 where that is asked for and what the file holds, else float32."""
    with opened(source) as (file, name):
        as_is = dtype == "int16" and _is_int16(file)
        first, count = span.frames(file, name)
        if first:
            file.seek(first)
        samples = file.read(count if span.seconds is not None else -1, dtype if as_is else "float32", True)
        check_end(file, name, span, count, len(samples))
        rate_hz = file.samplerate
    if not as_is:
        check_finite(samples, name)
    return mono(samples, span.channel), rate_hz


@contextlib.contextmanager
def opened(source: str | os.PathLike | bytes | BinaryIO, name: str = "") -> Iterator[tuple[soundfile.SoundFile, str]]:
    """Opens a recording, and says in this module's words what goes wrong while it is read.

    Args:
        source: As for `load`.
        name: What messages call it; by default the path.
    Yields:
        The file, and its name.
    Raises:
        AudioError: There is no such file, or libsndfile cannot read on.
    """
    is_path = not isinstance(source, bytes) and not hasattr(source, "read")
    name = name or (os.fspath(source) if is_path else "the audio")
    try:
        with soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            yield file, name
    except (soundfile.SoundFileError, OSError) as error:
        if is_path and not os.path.isfile(source):
            message = f"{name}: no such file. Check the path, or the folder it is relative to."
            raise AudioError(message, "missing_file") from error
        # libsndfile reports a FLAC stream that ends in the middle as one that cannot be followed
        reason = "truncated" if "lost sync" in str(error) else "unreadable"
        raise AudioError(f"{name} cannot be decoded: {error} Fetch or convert the file again.", reason) from error


def check_end(file: soundfile.SoundFile, name: str, span: Span, promised: int, num_samples: int) -> None:
    """Refuses a recording that ends before its header says.

    Args:
        file, name: From `opened`.
        span: What was read of it.
        promised: Samples per channel that there should be, from `span.frames`.
        num_samples: Those there are.
    Raises:
        AudioError: It ends early.
    """
    missing = promised - num_samples
    if missing > 0 and missing > _slack_samples(file, span):
        raise AudioError(
            f"{name} ends after {num_samples} of the {promised} samples its header promises. Fetch the file again.",
            "truncated",
        )


def check_finite(samples: np.ndarray, name: str) -> None:
    """Refuses samples that are NaN or infinite, with an AudioError."""
    if not np.isfinite(samples).all():
        message = f"{name} holds samples that are not finite numbers (NaN or infinity). Record or convert it again."
        raise AudioError(message, "non_finite")


def _is_int16(file: soundfile.SoundFile) -> bool:
    return (file.subtype, file.channels, file.samplerate) == ("PCM_16", 1, SAMPLE_RATE_HZ)


def mono(samples: np.ndarray, channel: int | None) -> np.ndarray:
    """Takes one channel of [S, channels], or the mean of all: [S]."""
    if samples.shape[1] == 1 or channel is not None:
        return samples[:, channel or 0]
    mean = samples[:, 0].copy()  # NumPy's own mean over so short an axis takes as long as decoding half of it
    for other in range(1, samples.shape[1]):
        mean += samples[:, other]
    return mean / samples.shape[1]


def _slack_samples(file: soundfile.SoundFile, span: Span) -> int:
    if file.format == "MP3":
        return _MP3_SLACK_SAMPLES
    return 0 if span.seconds is None else round(_SPAN_SLACK_SECONDS * file.samplerate)


def _promised_frames(file: soundfile.SoundFile) -> int:
    """Counts the samples per channel that the header states; libsndfile's own count is cut to what the file holds."""
    if file.format in _FRAMES_KNOWN:
        return file.frames
    note = re.search(r"^\s*(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if not note or file.frames == 0:
        return file.frames
    stated, present = int(note[1]), int(note[2])
    if stated >= _UNKNOWN_SIZE or stated <= present:
        return file.frames
    return round(file.frames * stated / present)
