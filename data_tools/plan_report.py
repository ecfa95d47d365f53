"""--plan: what a corpus would become, told before anything is written.

Lengths come from the corpus or from the headers of its recordings; nothing is decoded, so that silent or damaged
audio is not foreseen. The same functions as in a real run decide about texts, lengths and shards.
"""

import os
from collections import Counter
from collections.abc import Sequence

import numpy as np

from data_tools import report
from data_tools.assembly import Cutting, measured
from data_tools.clips import Job, Limits, Rejection, length_objection
from data_tools.index import Index, Shard
from data_tools.manifest import Utterance
from data_tools.place import Place
from data_tools.shard_plan import plan_shards, record_sizes
from data_tools.sources import is_file
from data_tools.splits import describe_leaks, find_leaks
from data_tools.texts import Texts
from data_tools.workers import Workers
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ
from wav2vec2_tf.text.vocabulary import build_vocabulary

_EXAMPLES = 3  # rejections shown of each reason


def describe_plan(
    utterances: Sequence[Utterance], texts: Texts, limits: Limits, cutting: Cutting, encoding: str, num_workers: int
) -> str:
    """Tells what would become of a corpus; nothing is written.

    Args:
        utterances: The corpus.
        texts: The same, settled.
        limits: Lengths to accept.
        cutting: How it would be cut into shards.
        encoding: Form of the audio, one of `schema.ENCODINGS`.
        num_workers: Processes that read headers; 0 is one per core.
    Returns:
        Lines of plain text: characters, splits, leakage, what would be left out, lengths, size and shards.
    """
    with Workers(num_workers) as workers:
        seconds = measured(texts.jobs, workers)
    unknown = sum(length is None for length in seconds)
    objections = [_objection(job, length, limits) for job, length in zip(texts.jobs, seconds, strict=True)]
    rejections = [*texts.rejections, *(objection for objection in objections if objection)]
    rejected = dict(Counter(rejection.reason for rejection in rejections).most_common())
    index = _foreseen(texts, [objection is None for objection in objections], seconds, cutting, encoding, rejected)
    _, characters = build_vocabulary((utterance.text for utterance in utterances), texts.rules)
    lines = [str(characters), "", *describe_leaks(find_leaks(utterances)), ""]
    lines += [*report.summary(index, len(utterances)), "", *_examples(rejections)]
    if unknown:
        lines.append(
            f"the lengths of {unknown} recordings in a bucket are not known: the mean of the others is assumed"
        )
    return "\n".join([*lines, "Nothing was written. Silent and damaged recordings show only when they are decoded."])


def _objection(job: Job, seconds: float | None, limits: Limits) -> Rejection | None:
    if seconds is None:
        return None
    if not seconds:
        path = job.utterance.audio
        gone = is_file(path) and not os.path.isfile(path)
        reason, detail = ("missing_file", f"{path}: no such file") if gone else ("unreadable", f"{path} has no header")
    else:
        reason, detail = length_objection(round(seconds * SAMPLE_RATE_HZ), job.text, limits)
    return Rejection(job.utterance, reason, detail) if reason else None


def _foreseen(
    texts: Texts,
    accepted: Sequence[bool],
    seconds: Sequence[float | None],
    cutting: Cutting,
    encoding: str,
    rejected: dict[str, int],
) -> Index:
    """Makes the index that the run would end with, as far as lengths tell."""
    jobs, kept = texts.jobs, np.array(accepted, bool)
    known = [length for length, good in zip(seconds, accepted, strict=True) if length and good]
    assumed = float(np.mean(known)) if known else 0.0
    samples = np.array([(assumed if length is None else length) * SAMPLE_RATE_HZ for length in seconds], np.int64)
    labels = np.array([len(job.text) for job in jobs], np.int64)
    sizes = record_sizes(jobs, seconds, encoding)
    plan = plan_shards(jobs, seconds, cutting.shard_bytes, encoding, cutting.shuffle_seed)
    splits: dict[str, tuple[Shard, ...]] = {}
    for task in plan.tasks(range(len(jobs))):  # places of the jobs instead of the jobs
        places = np.array(task.jobs, np.int64)[kept[list(task.jobs)]]
        if len(places):
            shard = Shard(task.file, len(places), int(sizes[places].sum()), samples[places], labels[places])
            splits[task.split] = (*splits.get(task.split, ()), shard)
    return Index(Place.of("."), SAMPLE_RATE_HZ, texts.rules, {}, rejected, splits, encoding)


def _examples(rejections: Sequence[Rejection]) -> list[str]:
    lines, shown = [], Counter()
    for rejection in rejections:
        shown[rejection.reason] += 1
        if shown[rejection.reason] <= _EXAMPLES:
            lines.append(f"{rejection.reason}: {rejection.utterance.id}: {rejection.detail}")
    return [*sorted(lines), ""] if lines else []
