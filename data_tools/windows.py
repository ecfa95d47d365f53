"""Shards -> windows of records, each with what the windows before have left over for it.

Which shards make up a window, and what is carried from one to the next, is decided by `plan`; what becomes of the
records is left to `reader`. A run that begins in the middle reads, besides its window, only the shards that hold what
is carried into it, one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from data_tools.cache import ShardCache
from data_tools.index import Index, Shard
from data_tools.plan import EpochPlan

_PARALLEL_READS = 4  # shards on their way from a bucket, besides the window; from a disk, one is enough


@dataclass(frozen=True, eq=False)
class _Stage:
    """A window; or one shard of earlier ones, read again for what is carried, with no batch of its own.

    Args:
        files: Places of its shards in the index.
        carried: Records carried into it, as in `EpochPlan`.
        left: Those carried out of it.
        first, last: Its batches, from first up to last.
    """

    files: tuple[int, ...]
    carried: np.ndarray
    left: np.ndarray
    first: int
    last: int


def windows(index: Index, split: str, plan: EpochPlan, skip: int, cache: ShardCache | None) -> tf.data.Dataset:
    """Reads the windows of an epoch.

    Shards are read ahead across the borders of windows: while one window is in use, the next is on its way, and a
    bucket's connections are never idle because a window waits for its last shard.

    Args:
        index: The shards.
        split: Which of them.
        plan: From `plan_epoch`.
        skip: Batches that are not wanted.
        cache: Keeps shards of a bucket on a local disk; None: they are streamed.
    Returns:
        Per window: its first batch that is wanted, the one after its last, the records carried into it (string [n])
        and those of its shards (string [m], an empty one after each shard's, and one where there is no shard), for
        `pick`.
    """
    shards = index.shards(split)
    stages = _stages(shards, plan, skip)
    if not stages:
        return tf.data.Dataset.range(0).map(lambda i: (i, i, tf.constant([b""]), tf.constant([b""])))
    records = _records(index, shards, stages, cache)
    positions = _Positions(shards)
    left = [positions.of(stage.left, stage.files, stage.carried) for stage in stages]
    ends = np.cumsum([0] + [len(each) for each in left])
    bounds = [(stage.first, stage.last, *ends[s : s + 2]) for s, stage in enumerate(stages)]
    left = tf.constant(np.concatenate(left))

    def carry(carried, element):
        (first, last, begin, end), records = element
        return pick(carried, records, left[begin:end]), (first, last, carried, records)

    bounds = tf.data.Dataset.from_tensor_slices(tuple(np.array(bounds, np.int64).T))
    return tf.data.Dataset.zip(bounds, records).scan(tf.constant([], tf.string), carry)


def pick(carried: tf.Tensor, records: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Picks records of a window.

    Args:
        carried: What `windows` gives: string [n].
        records: And of its shards: string [m].
        rows: int32 [k] from `rows_of`; -1 picks an empty one.
    Returns:
        string [k].
    """
    rows = tf.where(rows < 0, tf.size(records) - 1, rows - tf.size(carried))

    def of_both():
        old, new = tf.where(rows < 0)[:, 0], tf.where(rows >= 0)[:, 0]
        found = tf.gather(carried, tf.gather(rows, old) + tf.size(carried)), tf.gather(records, tf.gather(rows, new))
        return tf.dynamic_stitch([tf.cast(old, tf.int32), tf.cast(new, tf.int32)], found)

    # stitching copies all of them once more: few batches have to
    return tf.cond(tf.reduce_any(rows < 0), of_both, lambda: tf.gather(records, rows))


def rows_of(shards: Sequence[Shard], plan: EpochPlan) -> np.ndarray:
    """Says for each row of the plan where `pick` finds its record: int32 [rows of all batches], -1 fills up."""
    ends = np.append(plan.first_row, len(plan.record))[plan.first_batch]  # of each window's rows
    positions = _Positions(shards)
    windows = zip(plan.window_files, plan.carried, ends[:-1], ends[1:], strict=True)
    found = [positions.of(plan.record[begin:end], files, carried) for files, carried, begin, end in windows]
    return np.concatenate(found)


class _Positions:
    """Says where records stand in a window: those carried first, then those of its shards, an empty one after each."""

    def __init__(self, shards: Sequence[Shard]):
        self._begins = np.cumsum([0] + [shard.records for shard in shards])
        self._moved = np.zeros(len(shards), np.int64)  # from its place in the split to that among a window's shards

    def of(self, records: np.ndarray, files: Sequence[int], carried: np.ndarray) -> np.ndarray:
        files = np.array(files, np.int64)
        counts = self._begins[files + 1] - self._begins[files] + 1
        self._moved[files] = len(carried) + np.cumsum(counts) - counts - self._begins[files]
        shard = np.searchsorted(self._begins, np.maximum(records, 0), side="right") - 1
        among_carried = np.searchsorted(carried, records)
        is_carried = np.append(carried, -2)[among_carried] == records
        found = np.where(is_carried, among_carried, records + self._moved[shard])
        return np.where(records < 0, -1, found).astype(np.int32)


def _stages(shards: Sequence[Shard], plan: EpochPlan, skip: int) -> list[_Stage]:
    start = int(np.searchsorted(plan.first_batch, skip, side="right")) - 1
    if start == len(plan.window_files):
        return []
    begins = np.cumsum([0] + [shard.records for shard in shards])
    wanted, stages = plan.carried[start], []
    for shard in np.unique(np.searchsorted(begins, wanted, side="right") - 1).tolist():
        before, within = (wanted[: np.searchsorted(wanted, begins[i])] for i in (shard, shard + 1))
        stages.append(_Stage((shard,), before, within, skip, skip))
    lefts = [*plan.carried[1:], np.arange(0)]
    firsts = np.maximum(plan.first_batch[:-1], skip)
    windows = zip(plan.window_files, plan.carried, lefts, firsts, plan.first_batch[1:], strict=True)
    return stages + [_Stage(*window) for window in list(windows)[start:]]


def _records(index: Index, shards: Sequence[Shard], stages: Sequence[_Stage], cache) -> tf.data.Dataset:
    """Reads the shards of each stage: string [records + shards]."""
    nothing = len(shards)  # stands for a shard where a host has no records in a window
    members = [stage.files or (nothing,) for stage in stages]
    files = tf.constant([str(index.folder / shard.file) for shard in shards] + [""])
    counts = np.array([shard.records for shard in shards] + [0])
    held = tf.constant([counts[list(files)].sum() + len(files) for files in members], tf.int64)
    order = tf.data.Dataset.from_tensor_slices(np.concatenate(members).astype(np.int64))
    return order.map(
        lambda i: _read_shard(files[i], tf.constant(counts)[i], cache if index.folder.is_bucket else None),
        num_parallel_calls=_PARALLEL_READS if index.folder.is_bucket else 1,
        deterministic=True,
    ).rebatch(held)


def _read_shard(file: tf.Tensor, count: tf.Tensor, cache: ShardCache | None) -> tf.Tensor:
    """Reads a shard whole: string [count + 1], the last one empty; only that one without a file."""
    records = _read_whole(_open(cache, file), count)
    if cache is not None:  # what was kept may be damaged, or gone meanwhile; the bucket's own is asked for then
        is_whole = tf.size(records, tf.int64) == count + 1
        records = tf.cond(is_whole, lambda: records, lambda: _read_whole(_open(cache, file, again=True), count))
    found = tf.size(records, tf.int64) - 1
    message = "A shard is damaged or gone; copy it again, or write the shards again. File, records read, records there:"
    tf.debugging.Assert(found == count, [message, file, found, count])
    return records


def _read_whole(path: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Reads records up to the first damaged one; an empty one follows."""
    # TensorFlow's own error does not name the file; so let the stream end at a damaged record, and count.
    readable = tf.data.TFRecordDataset(tf.boolean_mask([path], [path != ""])).ignore_errors(log_warning=True)
    with_end = readable.concatenate(tf.data.Dataset.from_tensors(b""))
    return with_end.batch(count + 2).get_single_element()  # cutting the end off would copy all records: it stays


def _open(cache: ShardCache | None, file: tf.Tensor, again: bool = False) -> tf.Tensor:
    if cache is None:
        return file

    def path(url: bytes) -> bytes:
        return cache.open(url.decode(), again).encode() if url else url

    return tf.ensure_shape(tf.numpy_function(path, [file], tf.string, stateful=False), [])
