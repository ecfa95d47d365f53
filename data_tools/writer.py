"""Clips -> shards on disk, whole or not at all.

Shards are written as `.part` files and get their names when all of them are complete; the caller writes the index after
that. Decoding is left to `clips`, the form of a record to `schema`.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from data_tools import schema
from data_tools.clips import Clip
from data_tools.index import Shard, disk_error

_FRAMING_BYTES = 16  # per record: length, checksum of the length, checksum of the record


def write_shards(clips: Iterable[Clip], folder: Path, shard_bytes: int) -> dict[str, tuple[Shard, ...]]:
    """Writes clips to `SPLIT-00000-of-00003.tfrecord` files, in order, one sequence of shards per split.

    Args:
        clips: What to write; taken one at a time.
        folder: Where to; must exist.
        shard_bytes: A shard is closed before it would grow past this; a record that is larger has a shard of its own.
    Returns:
        Split -> its shards, in the order in which the splits were first met.
    Raises:
        OSError: The disk is full, or refuses for another reason. Nothing of this call is left behind.
    """
    writers: dict[str, _SplitWriter] = {}
    placed: list[Path] = []
    try:
        for clip in clips:
            split = clip.job.utterance.split
            writers.setdefault(split, _SplitWriter(folder, split, shard_bytes)).add(clip)
        return {split: writer.finish(placed) for split, writer in writers.items()}
    except (OSError, tf.errors.OpError) as error:
        _remove(writers, placed)
        raise disk_error(folder, error, "What was written has been removed.") from error
    except BaseException:
        _remove(writers, placed)
        raise


def _remove(writers: dict[str, "_SplitWriter"], placed: list[Path]) -> None:
    for writer in writers.values():
        writer.abandon()
    for path in placed:
        path.unlink(missing_ok=True)


class _SplitWriter:
    """The shards of one split."""

    def __init__(self, folder: Path, split: str, shard_bytes: int):
        self._folder, self._split, self._shard_bytes = folder, split, shard_bytes
        self._shards: list[Shard] = []  # closed ones
        self._file: tf.io.TFRecordWriter | None = None
        self._parts: list[Path] = []

    def add(self, clip: Clip) -> None:
        utterance = clip.job.utterance
        record = schema.serialize(
            id=utterance.id, audio=clip.pcm, encoding="pcm", num_samples=len(clip.pcm) // 2,
            transcript=utterance.text, text=clip.job.text, speaker=utterance.speaker, source=utterance.source,
        )  # fmt: skip
        size = len(record) + _FRAMING_BYTES
        if self._file is not None and self._bytes + size > self._shard_bytes:
            self._close()
        if self._file is None:
            self._open()
        self._file.write(record)
        self._bytes += size
        self._num_samples.append(len(clip.pcm) // 2)
        self._num_labels.append(len(clip.job.text))

    def finish(self, placed: list[Path]) -> tuple[Shard, ...]:
        """Closes the last shard and gives all their final names; `placed` takes note of each file that has one."""
        self._close()
        named = []
        for number, (part, shard) in enumerate(zip(self._parts, self._shards, strict=True)):
            file = f"{self._split}-{number:05d}-of-{len(self._shards):05d}.tfrecord"
            placed.append(part.rename(self._folder / file))
            named.append(Shard(file, shard.records, shard.bytes, shard.num_samples, shard.num_labels))
        return tuple(named)

    def abandon(self) -> None:
        """Removes what has no final name."""
        if self._file is not None:
            with contextlib.suppress(tf.errors.OpError):  # a disk that failed before fails again
                self._file.close()
        for part in self._parts:
            part.unlink(missing_ok=True)

    def _open(self) -> None:
        self._parts.append(self._folder / f"{self._split}-{len(self._shards):05d}.tfrecord.part")
        self._file = tf.io.TFRecordWriter(str(self._parts[-1]))
        self._bytes, self._num_samples, self._num_labels = 0, [], []

    def _close(self) -> None:
        self._file.close()
        self._file = None
        part = self._parts[-1]
        with part.open("rb") as file:
            os.fsync(file.fileno())
        if part.stat().st_size != self._bytes:
            raise OSError(f"{part.name} has {part.stat().st_size} bytes on disk, {self._bytes} were written")
        counts = (np.array(counts, np.int64) for counts in (self._num_samples, self._num_labels))
        self._shards.append(Shard(part.name, len(self._num_samples), self._bytes, *counts))
