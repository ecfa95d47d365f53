"""Shards -> batches of static shape, as a tf.data pipeline; in its path, Python does FLAC, augmentation and subwords.

The order is decided by `plan`, before anything is read; labels are looked up from the records' text, so shards do not
depend on a vocabulary. Shards are read by `windows`, payloads unpacked by `payload`, clips changed by `augment`;
normalising them is left to the training step.
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from data_tools.augment import AugmentConfig, make_augmenter
from data_tools.buckets import Buckets, plan_buckets
from data_tools.cache import ShardCache
from data_tools.index import Index, load_index
from data_tools.payload import unpack
from data_tools.plan import plan_epoch
from data_tools.schema import READABLE_VERSIONS, parse_batch
from data_tools.service import Request, batches_of
from data_tools.streaming import check_streaming
from data_tools.vocabulary import character_lookup, subword_lookup
from data_tools.windows import pick, rows_of, windows

__all__ = ["Buckets", "Index", "batches", "load_index", "plan_buckets", "plan_epoch"]

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
        skip: Batches to leave out at the start; shards of which nothing is wanted any more are not even read.
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
    row = tf.constant(rows_of(index.shards(split), plan))
    speed, record = tf.constant(plan.speed), tf.constant(plan.record)
    bucket, first_row = tf.constant(plan.bucket), tf.constant(plan.first_row)
    last_row = first_row + tf.gather(tf.constant(buckets.batch_sizes, tf.int64), bucket)

    def window_batches(first, last, carried, records):
        def batch(i):
            rows = slice(first_row[i], last_row[i])
            picked = pick(carried, records, row[rows])
            return change(assemble(picked, row[rows] >= 0, speed[rows], bucket[i]), record[rows])

        return tf.data.Dataset.range(first, last).map(batch, num_parallel_calls=_PARALLEL_BATCHES, deterministic=True)

    return windows(index, split, plan, skip, cache).flat_map(window_batches).prefetch(_PREPARED_BATCHES)


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


def _assembler(buckets: Buckets, look_up, label_widths: np.ndarray, changes_speed: bool):
    edges = tf.constant(buckets.edges, tf.int32)
    widths = tf.constant(label_widths, tf.int32)

    def assemble(records, is_there, speed, bucket):
        fields = parse_batch(records)
        _check_schema(fields["schema"], is_there)
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
            "weight": tf.cast(is_there, tf.float32),
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


def _check_schema(schema: tf.Tensor, is_there: tf.Tensor) -> None:
    found = tf.boolean_mask(schema, is_there)
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
