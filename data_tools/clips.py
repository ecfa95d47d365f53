"""From an utterance to the audio of its record, or to the reason why there is none.

TensorFlow is not imported here, so that worker processes start at once. Text is settled before (`texts`), records are
made after (`writer`).
"""

import io
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import soundfile

from data_tools.flac import as_recorded
from data_tools.manifest import Utterance
from data_tools.sources import open_audio
from wav2vec2_tf import audio
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ, ctc_frames_needed, frames_for

# reason                 the clip is left out because
REASONS = {
    "missing_file":       "there is no such file",
    "unreadable":         "libsndfile cannot decode it",
    "truncated":          "it ends before its header or the manifest says",
    "missing_channel":    "it lacks the channel that the manifest names",
    "empty":              "it holds no samples",
    "silent":             "all samples are zero",
    "non_finite":         "it holds NaN or infinite samples",
    "too_short":          "it is shorter than --min_seconds",
    "too_long":           "it is longer than --max_seconds",
    "empty_text":         "the text rules leave nothing of its transcript",
    "outside_vocabulary": "its text has characters outside --vocab or the letters of its language",
    "infeasible":         "it has more labels than the model has frames",
    "duplicate_id":       "an earlier line has the same id",
}  # fmt: skip


_FIRST_SAMPLES = 1_000


@dataclass(frozen=True)
class Limits:
    """How long a clip may be, in seconds."""

    min_seconds: float
    max_seconds: float


@dataclass(frozen=True, slots=True)
class Job:
    """An utterance and the text its labels are made from."""

    utterance: Utterance
    text: str


@dataclass(frozen=True)
class Rejection:
    """An utterance that is left out; `reason` is a key of REASONS, `detail` says it in this case's numbers."""

    utterance: Utterance
    reason: str
    detail: str


@dataclass(frozen=True)
class Clip:
    """An utterance ready to be written.

    Args:
        job: Whose it is.
        audio: Mono 16 kHz, in the form asked for.
        num_samples: Samples in it.
    """

    job: Job
    audio: bytes
    num_samples: int


def prepare(job: Job, limits: Limits, encoding: str = "pcm", opened: Future | None = None) -> Clip | Rejection:
    """Decodes one recording, or the piece of it that the utterance is, and checks it.

    Args:
        job: What to decode.
        limits: Lengths to accept.
        encoding: Form of the clip's audio, one of `schema.ENCODINGS`.
        opened: What `open_audio` gives, where it was asked ahead of time.
    Returns:
        The clip, or the first reason against it.
    Raises:
        OSError: The storage cannot be reached, which says nothing about the clip.
    """
    utterance = job.utterance
    span = audio.Span(utterance.start_seconds, utterance.duration_seconds, limits.max_seconds, utterance.channel)
    try:
        source = open_audio(utterance.audio) if opened is None else opened.result()
        samples = audio.load_int16(source, span)
    except (ValueError, RuntimeError) as error:  # an AudioError, or what a damaged file makes a decoder say
        return Rejection(utterance, getattr(error, "reason", "unreadable"), str(error))
    reason, detail = _objection(samples, job.text, limits)
    if reason:
        return Rejection(utterance, reason, detail)
    payload = as_recorded(source, len(samples)) if encoding == "flac" and not utterance.is_segment else None
    return Clip(job, payload or encode(samples, encoding), len(samples))


def encode(samples: np.ndarray, encoding: str) -> bytes:
    """Makes the payload of a record.

    >>> encode(np.array([1, -2], np.int16), "pcm"), encode(np.array([1, -2], np.int16), "flac")[:4]
    (b'\\x01\\x00\\xfe\\xff', b'fLaC')

    Args:
        samples: int16 [S] at 16 kHz.
        encoding: One of `schema.ENCODINGS`.
    Returns:
        The samples, little endian; or a FLAC file of them, the same on every machine with one version of libsndfile.
    """
    if encoding == "pcm":
        return samples.astype("<i2", copy=False).tobytes()
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _objection(samples: np.ndarray, text: str, limits: Limits) -> tuple[str, str]:
    if not len(samples):
        return "empty", "the file holds no samples"
    if not (samples[:_FIRST_SAMPLES].any() or samples.any()):  # nearly always the first look is enough
        return "silent", f"all {len(samples)} samples are zero"
    return length_objection(len(samples), text, limits)


def length_objection(num_samples: int, text: str, limits: Limits) -> tuple[str, str]:
    """Says what speaks against a clip of this length.

    Args:
        num_samples: Samples at 16 kHz.
        text: Of its labels.
        limits: Lengths to accept.
    Returns:
        Reason (a key of REASONS) and detail; both "" where nothing does.
    """
    seconds = num_samples / SAMPLE_RATE_HZ
    if seconds < limits.min_seconds:
        return "too_short", f"{seconds:.4f} s, at least {limits.min_seconds:g} s are needed"
    if seconds > limits.max_seconds:
        return "too_long", f"{seconds:.2f} s, at most {limits.max_seconds:g} s are taken"
    need, have = ctc_frames_needed(text), frames_for(num_samples)
    if need > have:
        return "infeasible", f"the {len(text)} labels need at least {need} frames, the clip has {have}"
    return "", ""
