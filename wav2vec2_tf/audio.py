"""Audio: any file or bytes -> mono float32 at 16 kHz, and float <-> int16.

Decoding is libsndfile's (wav, flac, mp3, ogg, opus, aiff, ... told apart by content, not by name), resampling soxr's at
high quality. Zero mean and unit variance are left to `wav2vec2_tf.processor` and the training step; which lengths are
worth training on is left to `data_tools`.
"""

import io
import os
import re
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from wav2vec2_tf.lengths import SAMPLE_RATE_HZ

#: An MP3 states its length in whole frames and its decoder trims its own delay: less than two frames are no loss.
_MP3_SLACK_SAMPLES = 2 * 1152
#: Declared chunk sizes from here up are written by programs that did not know the size yet (ffmpeg into a pipe).
_UNKNOWN_SIZE = 0x7FFFF000


class AudioError(ValueError):
    """A recording that cannot be used.

    Args:
        message: Names the recording and what is wrong with it.
        reason: One of missing_file, unreadable, truncated, non_finite.
    """

    def __init__(self, message: str, reason: str):
        super().__init__(message, reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.args[0]


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
    name = "the audio" if isinstance(source, bytes) or hasattr(source, "read") else os.fspath(source)
    samples, rate_hz = _decode(source, name)
    if not np.isfinite(samples).all():
        message = f"{name} holds samples that are not finite numbers (NaN or infinity). Record or convert it again."
        raise AudioError(message, "non_finite")
    if rate_hz != sample_rate_hz and len(samples):
        samples = soxr.resample(samples, rate_hz, sample_rate_hz, quality="HQ")
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


def duration_seconds(path: str | os.PathLike) -> float | None:
    """Reads a recording's length from its header; nothing is decoded.

    Args:
        path: The file.
    Returns:
        Seconds; None where the header cannot be read.
    """
    try:
        return soundfile.info(os.fspath(path)).duration
    except (soundfile.SoundFileError, OSError):
        return None


def _decode(source, name: str) -> tuple[np.ndarray, int]:
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    elif not hasattr(source, "read") and not os.path.isfile(source):
        raise AudioError(f"{name}: no such file. Check the path, or the folder it is relative to.", "missing_file")
    try:
        with soundfile.SoundFile(source) as file:
            promised = _promised_frames(file)
            samples = file.read(dtype="float32", always_2d=True)  # [S, C]
            slack = _MP3_SLACK_SAMPLES if file.format == "MP3" else 0
            rate_hz = file.samplerate
    except (soundfile.SoundFileError, OSError) as error:
        # libsndfile reports a FLAC stream that ends in the middle as one that cannot be followed
        reason = "truncated" if "lost sync" in str(error) else "unreadable"
        raise AudioError(f"{name} cannot be decoded: {error} Fetch or convert the file again.", reason) from error
    if len(samples) < promised - slack:
        raise AudioError(
            f"{name} ends after {len(samples)} of the {promised} samples its header promises. Fetch the file again.",
            "truncated",
        )
    return (samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)), rate_hz


def _promised_frames(file: soundfile.SoundFile) -> int:
    """Counts the samples per channel that the header states; libsndfile's own count is cut to what the file holds."""
    note = re.search(r"^\s*(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if not note or file.frames == 0:
        return file.frames
    stated, present = int(note[1]), int(note[2])
    if stated >= _UNKNOWN_SIZE or stated <= present:
        return file.frames
    return round(file.frames * stated / present)
