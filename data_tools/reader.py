"""Shards -> batches of static shape, as a tf.data pipeline; in its path, Python does FLAC, augmentation and subwords.

The order is decided by `plan`, before anything is read; labels are looked up from the records' text, so shards do not
depend on a vocabulary. Payloads are unpacked by `payload`, clips changed by `augment`; normalising them is left to the
training step.
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from data_tools.augment import AugmentConfig, make_augmenter
from data_tools.buckets import Buckets, plan_buckets
from data_tools.cache import ShardCache
from data_tools.index import Index, Shard, load_index
from data_tools.payload import unpack
from data_tools.plan import EpochPlan, plan_epoch
from data_tools.schema import READABLE_VERSIONS, parse_batch
from data_tools.service import Request, batches_of
from data_tools.streaming import check_streaming
from data_tools.vocabulary import character_lookup, subword_lookup

__all__ = ["Buckets", "Index", "batches", "load_index", "plan_buckets", "plan_epoch"]

_PARALLEL_READS = 4  # shards on their way from a bucket, besides the window; from a disk, one is enough
_PARALLEL_BATCHES = min(8, os.cpu_count() or 2)
_PREPARED_BATCHES = 2


def batches(
    index: Index,
    split: str,
    characters: Mapping[str, int],
    unk_id: int | None,
    buckets: Buckets,
    *,
    seed: int | None = None,
    epoch: int = 0,
    speeds: Sequence[float] = (1.0,),
    shortest_first: bool = False,
    augment: AugmentConfig | None = None,
    subwords: str | None = None,
    skip: int = 0,
    window_bytes: int | None = None,
    num_hosts: int = 1,
    host: int = 0,
    cache: ShardCache | None = None,
    service: str | None = None,
) -> tf.data.Dataset:
    """Reads one epoch of a split. All batches of a bucket have one shape; nothing is dropped.

    Args:
        index: From `load_index`.
        split: Which part of the corpus.
        characters: Character -> label id, the space included (`Wav2Vec2CTCTokenizer.characters`).
        unk_id: Label of all other characters; None makes one of them an error.
        buckets: From `plan_buckets`.
        seed, epoch, speeds, shortest_first, window_bytes, num_hosts, host: See `plan.plan_epoch`, which decides the
            order, and what is read here.
        augment: How clips are changed, given a seed; None: not at all.
        subwords: A vocabulary of pieces of words in the place of `characters` (`vocabulary.label_options`); then U is
            one more than the buckets say, for a text has at most one piece more than characters.
        cache: Keeps shards of a bucket on a local disk; None: each epoch streams them.
        service: "host:port" of an input host (`input_host`) that is to do the work; it opens `index.folder` itself,
            with a cache of its own. The batches are the same, in the same order. None: this machine does it.
        skip: Batches to leave out at the start; those before the window they lie in are not even read.
    Returns:
        Batches {"id": [B] string, "audio": [B, S] int16, "num_samples": [B] int32, "labels": [B, U] int32 (0 beyond
        "num_labels": [B] int32), "text" and "speaker": [B] string, "weight": [B] float32}. Rows that fill up a short
        batch have weight 0, no samples, no labels and id "".
    Raises:
        ValueError: See `plan.plan_epoch`; a character of the split has no label and `unk_id` is None; or a folder of
            `augment` holds no recording.
        OSError: TensorFlow cannot read the bucket (see `streaming`), or the input host does not answer.
        tf.errors.InvalidArgumentError: While reading: a shard or a record is damaged (the message names it).
    """
    options = dict(seed=seed, epoch=epoch, speeds=speeds, shortest_first=shortest_first, window_bytes=window_bytes,
                   num_hosts=num_hosts, host=host, skip=skip, subwords=subwords)  # fmt: skip
    if service:
        spec = batches(index, split, characters, unk_id, buckets, **options).element_spec
        return batches_of(service, Request.of(index, split, characters, unk_id, buckets, augment, options), spec)
    check_streaming(str(index.folder / index.shards(split)[0].file))
    plan = plan_epoch(
        index, split, buckets, seed=seed, epoch=epoch, speeds=speeds,
        shortest_first=shortest_first, window_bytes=window_bytes, num_hosts=num_hosts, host=host,
    )  # fmt: skip
    look_up = subword_lookup(subwords) if subwords else character_lookup(label_table(index, characters, unk_id))
    widths = np.array(buckets.label_widths, np.int32) + bool(subwords)
    assemble = _assembler(buckets, look_up, widths, changes_speed=bool((plan.speed != 1).any()))
    change = _changer(augment, seed, epoch)
    row = tf.constant(_rows(index.shards(split), plan))
    speed, record = tf.constant(plan.speed), tf.constant(plan.record)
    bucket, first_row = tf.constant(plan.bucket), tf.constant(plan.first_row)
    last_row = first_row + tf.gather(tf.constant(buckets.batch_sizes, tf.int64), bucket)

    def window_batches(first, last, records):
        def batch(i):
            rows = slice(first_row[i], last_row[i])
            return change(assemble(records, row[rows], speed[rows], bucket[i]), record[rows])

        return tf.data.Dataset.range(first, last).map(batch, num_parallel_calls=_PARALLEL_BATCHES, deterministic=True)

    windows = _windows(index, index.shards(split), plan, skip, cache)
    return windows.flat_map(window_batches).prefetch(_PREPARED_BATCHES)


def label_table(index: Index, characters: Mapping[str, int], unk_id: int | None) -> np.ndarray:
    """Gives the label of each code point: int32 [highest known code point + 2], the last one for all above.

    Raises:
        ValueError: The corpus has a character without a label and `unk_id` is None.
    """
    unknown = sorted(set(index.characters) - set(characters))
    if unk_id is None and unknown:
        raise ValueError(
            f"{index.folder} has characters without a label: {' '.join(unknown)}. Use the vocab.json written beside "
            "the shards, or write the shards again with --vocab."
        )
    table = np.full(max(map(ord, characters)) + 2, 0 if unk_id is None else unk_id, np.int32)
    for char, label in characters.items():
        table[ord(char)] = label
    return table


def _windows(index: Index, shards: Sequence[Shard], plan: EpochPlan, skip: int, cache) -> tf.data.Dataset:
    """Yields (first batch, last batch, records: string [n], an empty one after each shard's) per window.

    Shards are read ahead across the borders of windows: while one window is in use, the next is on its way, and a
    bucket's connections are never idle because a window waits for its last shard.
    """
    start = int(np.searchsorted(plan.first_batch, skip, side="right")) - 1
    nothing = len(shards)  # stands for a shard where a host has no records in a window
    members = [files or (nothing,) for files in plan.window_files[start:]]
    if not members:
        return tf.data.Dataset.range(0).map(lambda i: (i, i, tf.constant([b""])))
    files = tf.constant([str(index.folder / shard.file) for shard in shards] + [""])
    counts = np.array([shard.records for shard in shards] + [0])
    held = tf.constant([counts[list(window)].sum() + len(window) for window in members], tf.int64)
    order = tf.data.Dataset.from_tensor_slices(np.concatenate(members).astype(np.int64))
    records = order.map(
        lambda i: _read_shard(files[i], tf.constant(counts)[i], cache if index.folder.is_bucket else None),
        num_parallel_calls=_PARALLEL_READS if index.folder.is_bucket else 1,
        deterministic=True,
    ).rebatch(held)
    first = np.maximum(plan.first_batch[start:-1], skip)
    batch_ranges = tf.data.Dataset.from_tensor_slices((first, plan.first_batch[start + 1 :]))
    return tf.data.Dataset.zip(batch_ranges, records).map(lambda bounds, records: (*bounds, records))


def _rows(shards: Sequence[Shard], plan: EpochPlan) -> np.ndarray:
    """Gives the plan's `row` for windows in which an empty record follows each shard: int32 [rows of all batches]."""
    rows = plan.row.copy()
    ends = np.append(plan.first_row, len(rows))[plan.first_batch]  # of each window's rows
    for files, first, last in zip(plan.window_files, ends[:-1], ends[1:], strict=True):
        own = rows[first:last]
        shards_before = np.searchsorted(np.cumsum([shards[i].records for i in files]), own, side="right")
        own += np.where(own < 0, 0, shards_before).astype(np.int32)
    return rows


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


def _assembler(buckets: Buckets, look_up, label_widths: np.ndarray, changes_speed: bool):
    edges = tf.constant(buckets.edges, tf.int32)
    widths = tf.constant(label_widths, tf.int32)

    def assemble(records, row, speed, bucket):
        place = tf.where(row < 0, tf.size(records) - 1, row)
        fields = parse_batch(tf.gather(records, place))
        _check_schema(fields["schema"], row)
        audio, num_samples = _audio(fields, speed if changes_speed else None, edges[bucket])
        ids, width = look_up(fields["text"]), widths[bucket]
        message = "A text has more labels than characters, which would be cut off; is that its vocabulary? Id, labels:"
        most = tf.argmax(ids.row_lengths())
        fits = ids.row_lengths()[most] <= tf.cast(width, tf.int64)
        tf.debugging.Assert(fits, [message, fields["id"][most], ids.row_lengths()[most]])
        return {
            "id": fields["id"],
            "audio": audio,
            "num_samples": num_samples,
            "labels": ids.to_tensor(0, shape=tf.stack([-1, width])),
            "num_labels": tf.cast(ids.row_lengths(), tf.int32),
            "text": fields["text"],
            "speaker": fields["speaker"],
            "weight": tf.cast(row >= 0, tf.float32),
        }

    return assemble


def _changer(augment: AugmentConfig | None, seed: int | None, epoch: int):
    if seed is None or augment is None or not augment.changes_anything:
        return lambda batch, record: batch
    augmenter = make_augmenter(augment, seed, epoch)

    def change(batch, record):
        arguments = [batch["audio"], batch["num_samples"], record]
        audio = tf.numpy_function(augmenter, arguments, tf.int16, stateful=False)
        return batch | {"audio": tf.ensure_shape(audio, batch["audio"].shape)}

    return change


def _check_schema(schema: tf.Tensor, row: tf.Tensor) -> None:
    found = tf.boolean_mask(schema, row >= 0)
    known = tf.reduce_any(found[:, None] == tf.constant(READABLE_VERSIONS, tf.int64), axis=1)
    message = f"Records of schema {' or '.join(map(str, READABLE_VERSIONS))} are expected; write them again. Found:"
    tf.debugging.Assert(tf.reduce_all(known), [message, found])


def _audio(fields, speed: tf.Tensor | None, width: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    num_samples = tf.cast(fields["num_samples"], tf.int32)
    if speed is None:
        return unpack(fields, width), num_samples
    audio = unpack(fields, tf.reduce_max(num_samples) + 1)
    return change_speed(audio, num_samples, speed, width)


def change_speed(
    audio: tf.Tensor, num_samples: tf.Tensor, speed: tf.Tensor, width: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Plays each row faster or slower, pitch included, by linear interpolation.

    >>> audio, n = change_speed(tf.constant([[0, 10, 20, 30, 0]], tf.int16), tf.constant([4]), tf.constant([2.0]), 3)
    >>> audio.numpy().tolist(), n.numpy().tolist()
    ([[0, 20, 0]], [2])

    Args:
        audio: int16 [B, S], at least one sample of padding in each row.
        num_samples: int32 [B].
        speed: float32 [B]; a clip of n samples gets floor(n / speed).
        width: Samples per row of the result.
    Returns:
        int16 [B, width], zero beyond the clip, and int32 [B], its samples.
    """
    speed = tf.cast(speed, tf.float64)  # float32 cannot tell the samples of a long clip apart
    length = tf.cast(tf.floor(tf.cast(num_samples, tf.float64) / speed), tf.int32)
    at = tf.range(tf.cast(width, tf.float64), dtype=tf.float64) * speed[:, None]  # [B, width]
    last = tf.shape(audio)[1] - 2
    left = tf.minimum(tf.cast(at, tf.int32), last)
    part = tf.cast(at - tf.floor(at), tf.float32)
    a = tf.cast(tf.gather(audio, left, batch_dims=1), tf.float32)
    b = tf.cast(tf.gather(audio, left + 1, batch_dims=1), tf.float32)
    mixed = tf.cast(tf.round(a + part * (b - a)), tf.int16)
    return tf.where(tf.sequence_mask(length, width), mixed, tf.zeros_like(mixed)), length
