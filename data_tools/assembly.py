"""Every shard of a corpus: planned, written by many processes, put together.

Reading the corpus and settling its texts is left to `make_tfrecords`, one shard to `writer`, what was done before a
run was stopped to `progress`.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import soundfile
import soxr
from tqdm import tqdm

from data_tools import beam
from data_tools.clips import Job, Rejection
from data_tools.index import Index, Shard
from data_tools.progress import Progress, finish_shard
from data_tools.schema import SCHEMA_VERSION
from data_tools.shard_plan import ShardPlan, ShardTask, job_order, measure_seconds, plan_shards, seconds_per_byte
from data_tools.texts import Texts
from data_tools.workers import Workers
from data_tools.writer import Account, Recipe
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Cutting:
    """How a corpus is cut into shards: most bytes of one, and what shuffles the utterances (None: nothing)."""

    shard_bytes: int
    shuffle_seed: int | None = None


def settings(texts: Texts, cutting: Cutting, recipe: Recipe) -> dict:
    """Gives all that decides what is in the shards, as JSON knows it; two runs with the same write the same bytes."""
    return {
        "schema": SCHEMA_VERSION,
        "corpus": _digest(texts),
        "utterances": len(texts.jobs) + len(texts.rejections),
        "text_rules": list(texts.rules),
        "encoding": recipe.encoding,
        "shard_megabytes": cutting.shard_bytes / 1e6,
        "shuffle_seed": cutting.shuffle_seed,
        "min_seconds": recipe.limits.min_seconds,
        "max_seconds": recipe.limits.max_seconds,
        "libsndfile": soundfile.__libsndfile_version__,
        "soxr": soxr.__version__,
    }


def _digest(texts: Texts) -> str:
    """Tells one list of utterances from another; where the recordings are mounted does not matter."""
    digest = hashlib.blake2b(digest_size=8)
    for job in texts.jobs:
        u = job.utterance
        fields = (u.id, u.source, u.text, job.text, u.speaker, u.split, u.start_seconds, u.duration_seconds)
        fields += () if u.channel is None else (u.channel,)
        digest.update(repr(fields).encode())
    for rejection in texts.rejections:
        digest.update(repr((rejection.utterance.id, rejection.reason)).encode())
    return digest.hexdigest()


def planned(progress: Progress, jobs: Sequence[Job], cutting: Cutting, encoding: str, workers: Workers) -> ShardPlan:
    """Gives the plan of the run that was stopped; else asks the recordings for their lengths and makes one."""
    if cuts := progress.begun():
        return ShardPlan(job_order(jobs, cutting.shuffle_seed), cuts)
    rates = seconds_per_byte([job.utterance for job in jobs])
    return plan_shards(jobs, measured(jobs, workers, rates), cutting.shard_bytes, encoding, cutting.shuffle_seed)


def measured(jobs: Sequence[Job], workers: Workers, rates: Mapping[str, float] | None = None) -> list[float | None]:
    """Gives the length of each job in seconds, with a bar to look at; see `shard_plan.measure_seconds`."""
    seconds: list[float | None] = [None] * len(jobs)
    with tqdm(total=len(jobs), unit="clip", desc="lengths") as bar:
        for first, some in measure_seconds([job.utterance for job in jobs], workers, rates):
            seconds[first : first + len(some)] = some
            bar.update(len(some))
    return seconds


def check_space(progress: Progress, plan: ShardPlan, done: Mapping[str, Account], jobs: Sequence[Job]) -> None:
    """Compares what the shards still to be written will take with what is free.

    Raises:
        OSError: There is too little.
    """
    need = sum(task.estimated_bytes for task in _unfinished(plan, jobs, done))
    free = progress.place.free_space()
    if free is not None and need > free:
        raise OSError(
            f"The shards will take about {need} bytes, the disk of {progress.place} has {free} free. Make room, or "
            "name an --out on another disk."
        )


def write_all(plan: ShardPlan, jobs: Sequence[Job], recipe: Recipe, done: dict, workers: Workers) -> float:
    """Writes the shards that are not in `done` and enters their accounts there.

    Returns:
        Seconds of audio written.
    Raises:
        OSError: A disk is full, or a bucket cannot be reached; see `writer.write_shard`.
        RuntimeError: A process died.
    """
    tasks = _unfinished(plan, jobs, done)
    kept = len(jobs) - sum(len(task.jobs) for task in tasks)
    num_samples = 0
    with tqdm(total=len(jobs), initial=kept, unit="clip", desc="shards", smoothing=0.05) as bar:
        for task, account in workers.run(partial(finish_shard, recipe=recipe), tasks, _span):
            done[task.file] = account
            num_samples += sum(account.num_samples)
            bar.update(len(task.jobs))
    return num_samples / SAMPLE_RATE_HZ


def write_all_by_beam(
    plan: ShardPlan, jobs: Sequence[Job], recipe: Recipe, done: dict, progress: Progress, options: Sequence[str]
) -> float:
    """Does as `write_all` does, on Apache Beam; `options` are Beam's own.

    Raises:
        ImportError: Beam is not installed.
        RuntimeError: It gave up.
    """
    kept = set(done)
    beam.write_shards(_unfinished(plan, jobs, done), recipe, options)
    done.update(progress.finished())
    return sum(sum(done[file].num_samples) for file in set(done) - kept) / SAMPLE_RATE_HZ


def _unfinished(plan: ShardPlan, jobs: Sequence[Job], done: Mapping[str, Account]) -> list[ShardTask]:
    return [task for task in plan.tasks(jobs) if task.file not in done]


def _span(task: ShardTask) -> str:
    return f"{task.jobs[0].utterance.source} .. {task.jobs[-1].utterance.source}"


def put_together(
    plan: ShardPlan, texts: Texts, recipe: Recipe, accounts: Mapping[str, Account]
) -> tuple[Index, list[Rejection]]:
    """Makes the index, and the list of what was left out, in the order of the plan whoever wrote the shards when."""
    characters: Counter[str] = Counter()
    rejections, splits = list(texts.rejections), {}
    for task in plan.tasks(texts.jobs):
        account = accounts[task.file]
        characters.update(account.characters)
        rejections += [Rejection(task.jobs[i].utterance, reason, detail) for i, reason, detail in account.rejections]
        if account.records:
            splits.setdefault(task.split, []).append(_shard(account))
    rejected = Counter(rejection.reason for rejection in rejections)
    index = Index(
        recipe.place, SAMPLE_RATE_HZ, texts.rules, dict(characters.most_common()), dict(rejected.most_common()),
        {split: tuple(shards) for split, shards in splits.items()}, recipe.encoding,
    )  # fmt: skip
    return index, rejections


def _shard(account: Account) -> Shard:
    counts = (np.array(counts, np.int64) for counts in (account.num_samples, account.num_labels))
    return Shard(account.file, account.records, account.bytes, *counts)
