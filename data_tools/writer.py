"""One shard: its utterances -> a file of records and an account of it, whole or not at all.

Which utterances those are is left to `shard_plan`, what happens to them to `clips`, the form of a record to `schema`;
which shards are still to be written, and their index, to `progress`. Needs no TensorFlow.
"""

import os
import shutil
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from data_tools import schema
from data_tools.clips import Clip, Job, Limits, Rejection, prepare
from data_tools.index import disk_error
from data_tools.place import Place
from data_tools.records import FRAME_BYTES, frame
from data_tools.shard_plan import ShardTask
from data_tools.sources import is_remote, open_audio

_FETCHES = 8  # recordings in a bucket that one process asks for at a time
_BUFFER_BYTES = 1 << 20  # of a shard: few large writes take half the time of many small ones
KEPT = "Finished shards are kept."


@dataclass(frozen=True)
class Recipe:
    """What all shards of a corpus have in common.

    Args:
        place: Where they go.
        limits: Lengths to accept.
        encoding: One of `schema.ENCODINGS`.
    """

    place: Place
    limits: Limits
    encoding: str


@dataclass
class Account:
    """What became of the jobs of one shard; JSON is made of it.

    Args:
        file: The shard; there is none of 0 records.
        records, bytes: How many, and its size.
        num_samples, num_labels: Of each record.
        characters: Character -> occurrences in the records' texts.
        rejections: [place among the shard's jobs, reason, detail] of each job that is left out.
    """

    file: str
    records: int = 0
    bytes: int = 0
    num_samples: list[int] = field(default_factory=list)
    num_labels: list[int] = field(default_factory=list)
    characters: Counter[str] = field(default_factory=Counter)
    rejections: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, clip: Clip, size: int) -> None:
        """Books a record."""
        self.records += 1
        self.bytes += size
        self.num_samples.append(clip.num_samples)
        self.num_labels.append(len(clip.job.text))
        self.characters.update(clip.job.text)


def write_shard(task: ShardTask, recipe: Recipe) -> Account:
    """Decodes the utterances of a shard and writes it. One clip is in memory at a time.

    Args:
        task: What to write.
        recipe: How, and where to.
    Returns:
        The account. The file has its name if there is a record in it; one that was there is replaced.
    Raises:
        OSError: The disk is full, or refuses for another reason; or a bucket cannot be reached. Nothing of this shard
            is left behind.
    """
    account = Account(task.file)
    try:
        with recipe.place.workshop() as folder:
            _check_room(folder, task)
            part = folder / f"{task.file}.{os.getpid()}.part"  # a run that was killed may have a moment to live yet
            try:
                _write(task, recipe, part, account)
                if account.records:
                    recipe.place.upload(part, task.file)
            finally:
                part.unlink(missing_ok=True)
    except _SourceError as error:
        raise error.__cause__ from None
    except OSError as error:
        raise disk_error(recipe.place, error, KEPT) from error
    return account


class _SourceError(Exception):
    """Carries an OSError of reading a recording past what handles those of writing."""


def _check_room(folder: Path, task: ShardTask) -> None:
    free = shutil.disk_usage(folder).free
    if task.estimated_bytes > free:
        raise OSError(f"{task.file} takes about {task.estimated_bytes} bytes")


def _write(task: ShardTask, recipe: Recipe, part: Path, account: Account) -> None:
    with open(part, "wb", buffering=_BUFFER_BYTES) as file:
        for place, result in enumerate(_results(task.jobs, recipe)):
            if isinstance(result, Rejection):
                account.rejections.append((place, result.reason, result.detail))
            else:
                account.add(result, _write_record(file, result, recipe.encoding))
    if part.stat().st_size != account.bytes:
        raise OSError(f"{part.name} has {part.stat().st_size} bytes on disk, {account.bytes} were written")


def _write_record(file: BinaryIO, clip: Clip, encoding: str) -> int:
    utterance = clip.job.utterance
    pieces = schema.serialize_pieces(
        id=utterance.id, audio=clip.audio, encoding=encoding, num_samples=clip.num_samples,
        transcript=utterance.text, text=clip.job.text, speaker=utterance.speaker, source=utterance.source,
    )  # fmt: skip
    file.writelines(frame(*pieces))
    return sum(map(len, pieces)) + FRAME_BYTES


def _results(jobs: Sequence[Job], recipe: Recipe) -> Iterator[Clip | Rejection]:
    for job, opened in _opened(jobs):
        try:
            result = prepare(job, recipe.limits, recipe.encoding, opened)
        except OSError as error:
            raise _SourceError from error
        yield result


def _opened(jobs: Sequence[Job]) -> Iterator[tuple[Job, Future | None]]:
    """Asks for recordings in a bucket ahead of time, many at once: it takes its time for each answer."""
    if not any(is_remote(job.utterance.audio) for job in jobs):
        yield from ((job, None) for job in jobs)
        return
    with ThreadPoolExecutor(_FETCHES) as pool:
        asked = ((job, pool.submit(open_audio, job.utterance.audio)) for job in jobs)
        waiting = deque(islice(asked, 2 * _FETCHES))
        while waiting:
            yield waiting.popleft()
            waiting.extend(islice(asked, 1))
