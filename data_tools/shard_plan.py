"""Which utterance goes into which shard, decided before anything is decoded.

The plan is a pure function of the corpus, the options and the seed; neither the number of workers nor what ends first
has a say. Recordings are only asked for their length; decoding is left to `clips`, writing to `writer`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from data_tools.clips import Job
from data_tools.manifest import Utterance
from data_tools.sources import is_file, is_remote, open_audio
from data_tools.workers import Workers
from wav2vec2_tf import audio
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ

_RECORD_BYTES = 200  # names of the fields, lengths, checksums
_BYTES_PER_SECOND = {"pcm": 2 * SAMPLE_RATE_HZ, "flac": SAMPLE_RATE_HZ}  # FLAC of speech: about a half
_UNKNOWN_SECONDS = 10.0  # where no length in the corpus is known
_CHUNK = 256  # headers per message to a worker
_PROBES = 250  # headers read per kind of file
_MOST_SPREAD = 4.0  # between the seconds per byte of one kind; FLAC of speech stays within 2


@dataclass(frozen=True)
class ShardTask:
    """One shard to write.

    Args:
        file: Its name.
        split: Whose it is.
        jobs: What goes into it, in order.
        estimated_bytes: Its size if no clip is rejected.
    """

    file: str
    split: str
    jobs: tuple[Job, ...]
    estimated_bytes: int


@dataclass(frozen=True)
class ShardPlan:
    """The shards of a corpus.

    Args:
        order: Split -> int64 [n], places of its jobs in the corpus, as they are written.
        cuts: Split -> (jobs, estimated bytes) of each of its shards.
    """

    order: dict[str, np.ndarray]
    cuts: dict[str, tuple[tuple[int, int], ...]]

    @property
    def num_shards(self) -> int:
        """Shards of all splits."""
        return sum(map(len, self.cuts.values()))

    def tasks(self, jobs: Sequence[Job]) -> Iterator[ShardTask]:
        """Yields the shards to write, split by split."""
        for split, cuts in self.cuts.items():
            first = 0
            for number, (count, size) in enumerate(cuts):
                members = self.order[split][first : first + count]
                first += count
                file = f"{split}-{number:05d}-of-{len(cuts):05d}.tfrecord"
                yield ShardTask(file, split, tuple(jobs[i] for i in members), size)


def plan_shards(
    jobs: Sequence[Job], seconds: Sequence[float | None], shard_bytes: int, encoding: str, seed: int | None = None
) -> ShardPlan:
    """Cuts the jobs of each split into shards, so that none is planned larger than asked, unless one record is.

    Args:
        jobs: The corpus.
        seconds: Length of each, None where it is not known.
        shard_bytes: Most bytes of a shard.
        encoding: One of `schema.ENCODINGS`.
        seed: See `job_order`.
    Returns:
        The plan.
    """
    sizes, order = record_sizes(jobs, seconds, encoding), job_order(jobs, seed)
    return ShardPlan(order, {split: _cut(sizes[places], shard_bytes) for split, places in order.items()})


def job_order(jobs: Sequence[Job], seed: int | None) -> dict[str, np.ndarray]:
    """Gives the places of each split's jobs as they are written, in the order in which the splits are first met.

    Args:
        jobs: The corpus.
        seed: Shuffles the jobs of a split; None keeps the order of the corpus.
    Returns:
        Split -> int64 [n].
    """
    places: dict[str, list[int]] = {}
    for place, job in enumerate(jobs):
        places.setdefault(job.utterance.split, []).append(place)
    order = {split: np.array(members, np.int64) for split, members in places.items()}
    if seed is None:
        return order
    rng = np.random.Generator(np.random.PCG64(seed))
    return {split: rng.permutation(members) for split, members in order.items()}


def record_sizes(jobs: Sequence[Job], seconds: Sequence[float | None], encoding: str) -> np.ndarray:
    """Estimates the bytes that each record takes in a shard: int64 [jobs]; unknown lengths count as the mean."""
    lengths = np.array([np.nan if value is None else value for value in seconds], np.float64)
    known = lengths[~np.isnan(lengths)]
    lengths[np.isnan(lengths)] = known.mean() if len(known) else _UNKNOWN_SECONDS
    audio_bytes = (lengths * _BYTES_PER_SECOND[encoding]).astype(np.int64)
    return audio_bytes + np.array([_RECORD_BYTES + _text_bytes(job) for job in jobs], np.int64)


def measure_seconds(
    utterances: Sequence[Utterance], workers: Workers, rates: Mapping[str, float] | None = None
) -> Iterator[tuple[int, list[float | None]]]:
    """Yields (place of the first, lengths in seconds) for pieces of the corpus, in whatever order they are ready.

    The corpus is believed where it states a length. Else the recording's header is read; 0 where that cannot be done,
    as it will be rejected, and None for a recording in a bucket, which would have to be fetched for it.

    Args:
        utterances: Whose lengths.
        workers: Who reads.
        rates: From `seconds_per_byte`: for files of these kinds their size is enough.
    """
    measure = partial(_measure, rates=rates or {})
    chunks = ((first, utterances[first : first + _CHUNK]) for first in range(0, len(utterances), _CHUNK))
    for (first, _), seconds in workers.run(measure, chunks, lambda chunk: chunk[1][0].source):
        yield first, seconds


def seconds_per_byte(utterances: Sequence[Utterance]) -> dict[str, float]:
    """Finds the kinds of files whose size tells their length well enough to cut a corpus into shards.

    To open every file costs a tenth of the time that decoding short clips takes; to ask for its size, nearly nothing.

    Returns:
        Ending of the name -> seconds per byte, from a sample of the headers. Kinds with few files, and those in which
        the seconds per byte differ a lot, are left out.
    """
    kinds: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        if _is_whole_file(utterance):
            kinds.setdefault(_kind(utterance), []).append(utterance)
    rates = {}
    for kind, members in kinds.items():
        if len(members) > 4 * _PROBES:
            probed = [(_seconds(u), _size(u)) for u in members[:: len(members) // _PROBES]]
            each = [seconds / size for seconds, size in probed if seconds and size]
            if each and max(each) < _MOST_SPREAD * min(each):
                rates[kind] = sum(each) / len(each)
    return rates


def _measure(chunk: tuple[int, Sequence[Utterance]], rates: Mapping[str, float]) -> list[float | None]:
    return [_estimate(utterance, rates) for utterance in chunk[1]]


def _estimate(utterance: Utterance, rates: Mapping[str, float]) -> float | None:
    rate = rates.get(_kind(utterance)) if rates and _is_whole_file(utterance) else None
    return _seconds(utterance) if rate is None else rate * _size(utterance)


def _is_whole_file(utterance: Utterance) -> bool:
    return is_file(utterance.audio) and not utterance.is_segment


def _kind(utterance: Utterance) -> str:
    return os.path.splitext(utterance.audio)[1].lower()


def _size(utterance: Utterance) -> int:
    try:
        return os.stat(utterance.audio).st_size
    except OSError:
        return 0  # it will be rejected


def _seconds(utterance: Utterance) -> float | None:
    if utterance.duration_seconds is not None:
        return utterance.duration_seconds
    if is_remote(utterance.audio):
        return None
    try:
        return max((audio.duration_seconds(open_audio(utterance.audio)) or 0.0) - utterance.start_seconds, 0.0)
    except audio.AudioError:
        return 0.0


def _text_bytes(job: Job) -> int:
    utterance = job.utterance
    texts = (utterance.id, utterance.text, job.text, utterance.speaker, utterance.source)
    return sum(len(text.encode()) for text in texts)


def _cut(sizes: Iterable[int], shard_bytes: int) -> tuple[tuple[int, int], ...]:
    """Gives the records of each shard and their bytes.

    >>> _cut([4, 4, 4, 20, 1], 10)
    ((2, 8), (1, 4), (1, 20), (1, 1))
    """
    cuts = [[0, 0]]
    for size in map(int, sizes):
        if cuts[-1][0] and cuts[-1][1] + size > shard_bytes:
            cuts.append([0, 0])
        cuts[-1][0] += 1
        cuts[-1][1] += size
    return tuple((count, size) for count, size in cuts)
