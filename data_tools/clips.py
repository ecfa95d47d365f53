"""From an utterance to the samples of its record, or to the reason why there is none; over many processes.

TensorFlow is not imported here, so that the processes start at once. Text is settled before (`make_tfrecords`), records
are made after (`writer`).
"""

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice

import numpy as np

from data_tools.manifest import Utterance
from wav2vec2_tf import audio
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ, ctc_frames_needed, frames_for

# reason                 the clip is left out because
REASONS = {
    "missing_file":       "there is no such file",
    "unreadable":         "libsndfile cannot decode it",
    "truncated":          "it ends before its header says",
    "empty":              "it holds no samples",
    "silent":             "all samples are zero",
    "non_finite":         "it holds NaN or infinite samples",
    "too_short":          "it is shorter than --min_seconds",
    "too_long":           "it is longer than --max_seconds",
    "empty_text":         "the text rules leave nothing of its transcript",
    "outside_vocabulary": "its text has characters that are not in --vocab",
    "infeasible":         "it has more labels than the model has frames",
    "duplicate_id":       "an earlier line has the same id",
}  # fmt: skip

_CHUNK = 8  # utterances per message: few enough to keep memory small, enough to keep the processes busy


@dataclass(frozen=True)
class Limits:
    """How long a clip may be, in seconds."""

    min_seconds: float
    max_seconds: float


@dataclass(frozen=True)
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
    """An utterance ready to be written; `pcm` is int16 little endian at 16 kHz."""

    job: Job
    pcm: bytes


def prepare(job: Job, limits: Limits) -> Clip | Rejection:
    """Decodes one recording and checks it.

    Args:
        job: What to decode.
        limits: Lengths to accept.
    Returns:
        The clip, or the first reason against it.
    """
    utterance = job.utterance
    stated = audio.duration_seconds(utterance.audio)
    if stated and stated > limits.max_seconds:  # before an hour is decoded for nothing
        return Rejection(utterance, "too_long", f"{stated:.2f} s, at most {limits.max_seconds:g} s are taken")
    try:
        samples = audio.to_int16(audio.load(utterance.audio))
    except audio.AudioError as error:
        return Rejection(utterance, error.reason, str(error))
    reason, detail = _objection(samples, job.text, limits)
    if reason:
        return Rejection(utterance, reason, detail)
    return Clip(job, samples.astype("<i2", copy=False).tobytes())


def _objection(samples: np.ndarray, text: str, limits: Limits) -> tuple[str, str]:
    seconds = len(samples) / SAMPLE_RATE_HZ
    if not len(samples):
        return "empty", "the file holds no samples"
    if not samples.any():
        return "silent", f"all {len(samples)} samples are zero"
    if seconds < limits.min_seconds:
        return "too_short", f"{seconds:.4f} s, at least {limits.min_seconds:g} s are needed"
    if seconds > limits.max_seconds:
        return "too_long", f"{seconds:.2f} s, at most {limits.max_seconds:g} s are taken"
    need, have = ctc_frames_needed(text), frames_for(len(samples))
    if need > have:
        return "infeasible", f"the {len(text)} labels need at least {need} frames, the clip has {have}"
    return "", ""


def prepare_all(jobs: Iterable[Job], limits: Limits, num_workers: int) -> Iterator[Clip | Rejection]:
    """Prepares clips in the order of the jobs, whatever the number of processes.

    Args:
        jobs: What to decode.
        limits: Lengths to accept.
        num_workers: Processes; 1 works in this one.
    Returns:
        An iterator that holds few clips at a time.
    Raises:
        RuntimeError: A process died, most often for want of memory.
    """
    if num_workers == 1:
        yield from (prepare(job, limits) for job in jobs)
        return
    # TensorFlow's threads do not survive a fork: processes are started anew.
    pool = ProcessPoolExecutor(num_workers, multiprocessing.get_context("spawn"))
    try:
        yield from _in_order(pool, _chunks(jobs), limits, ahead=3 * num_workers)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _in_order(pool, chunks: Iterator[tuple[Job, ...]], limits: Limits, ahead: int) -> Iterator[Clip | Rejection]:
    waiting = deque((chunk, pool.submit(_prepare_chunk, chunk, limits)) for chunk in islice(chunks, ahead))
    while waiting:
        chunk, future = waiting.popleft()
        try:
            results = future.result()
        except BrokenProcessPool as error:
            first, last = chunk[0].utterance.source, chunk[-1].utterance.source
            raise RuntimeError(
                f"A worker process died at or soon after {first} .. {last}, most often for want of memory. "
                "Use fewer --workers, or a smaller --max_seconds."
            ) from error
        waiting.extend((chunk, pool.submit(_prepare_chunk, chunk, limits)) for chunk in islice(chunks, 1))
        yield from results


def _chunks(jobs: Iterable[Job]) -> Iterator[tuple[Job, ...]]:
    jobs = iter(jobs)
    while chunk := tuple(islice(jobs, _CHUNK)):
        yield chunk


def _prepare_chunk(jobs: tuple[Job, ...], limits: Limits) -> list[Clip | Rejection]:
    return [prepare(job, limits) for job in jobs]
