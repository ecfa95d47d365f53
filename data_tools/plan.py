"""Which records make up which batch: the order of an epoch as a pure function of its seed.

NumPy only, computed from the lengths in the index before anything is read; so the number of batches is known beforehand
and a resumed run starts at any batch at once. Reading is left to `reader`.

A window is a group of shards held in memory together. Records are shuffled and bucketed within it, so that shards are
read once, in sequence; a corpus of less than `window_bytes` is one window, shuffled as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_tools.buckets import Buckets
from data_tools.index import Index
from wav2vec2_tf.lengths import BASE, frames_for

WINDOW_BYTES = 400_000_000  # four shards of the default size; two windows are in memory at a time


@dataclass(frozen=True, eq=False)
class EpochPlan:
    """All batches of an epoch, in order.

    Args:
        window_files: Per window, its shards' places in the index.
        first_batch: int64 [windows + 1], the batches of window w are first_batch[w] up to first_batch[w + 1].
        bucket: int32 [batches].
        first_row: int64 [batches], where each batch begins in `row` and `speed`.
        row: int32 [rows of all batches], place of the record in its window; -1 fills a batch up.
        speed: float32 [rows of all batches], 1 where nothing is changed.
    """

    window_files: tuple[tuple[int, ...], ...]
    first_batch: np.ndarray
    bucket: np.ndarray
    first_row: np.ndarray
    row: np.ndarray
    speed: np.ndarray

    @property
    def num_batches(self) -> int:
        """Steps of the epoch."""
        return len(self.bucket)


def plan_epoch(
    index: Index,
    split: str,
    buckets: Buckets,
    *,
    seed: int | None = None,
    epoch: int = 0,
    speeds: Sequence[float] = (1.0,),
    shortest_first: bool = False,
    window_bytes: int = WINDOW_BYTES,
) -> EpochPlan:
    """Assigns every record of a split to a batch; what bucket leaves over moves on to the next longer one.

    Args:
        index: The shards.
        split: Which of them.
        buckets: Shapes of the batches.
        seed: With `epoch` decides the order and the speeds; None keeps the order of the index, at speed 1.
        epoch: From 0.
        speeds: Each record gets one of these at random; one whose clip then fits no bucket, or has too few frames for
            its labels, keeps speed 1.
        shortest_first: Batches come in order of their length instead of at random.
        window_bytes: Most bytes of shards to hold at a time (at least one shard is held).
    Returns:
        The plan: the same for the same arguments, on any machine.
    Raises:
        ValueError: A record fits no bucket, or `shortest_first` is wanted of a split larger than a window.
    """
    shards = index.shards(split)
    rng = None if seed is None else np.random.default_rng((seed, epoch))
    num_samples, num_labels = index.lengths(split), index.label_counts(split)
    speed = _draw_speeds(num_samples, num_labels, buckets, speeds, rng)
    bucket = _bucket_of(np.floor(num_samples / speed), num_labels, buckets)
    _check_fit(index, split, bucket, buckets)
    order = np.arange(len(shards)) if rng is None else rng.permutation(len(shards))
    windows = _windows(order, [shard.bytes for shard in shards], window_bytes)
    if shortest_first and len(windows) > 1:
        raise ValueError(
            f"shortest_first sorts what is in memory: {split} of {index.folder} has more than {window_bytes} bytes. "
            "Do without it, or raise window_bytes."
        )
    begins = np.cumsum([0] + [shard.records for shard in shards])
    parts = []
    for window in windows:
        places = np.concatenate([np.arange(begins[i], begins[i + 1]) for i in window])
        batches = _cut(bucket[places], buckets, rng)
        if rng is not None and not shortest_first:
            batches = [batches[i] for i in rng.permutation(len(batches))]
        parts.append((places, batches))
    return _join(windows, parts, speed)


def _draw_speeds(num_samples, num_labels, buckets: Buckets, speeds: Sequence[float], rng) -> np.ndarray:
    if rng is None or tuple(speeds) == (1.0,):
        return np.ones(len(num_samples))
    # the reader gets speeds as float32; dividing by the same numbers here, it comes to the same lengths
    drawn = rng.choice(np.asarray(speeds, np.float32), len(num_samples)).astype(np.float64)
    length = np.floor(num_samples / drawn).astype(np.int64)
    # labels + repeats is not in the index; twice the labels is the most it can be, and costs only a few short clips
    fits = (length <= buckets.edges[-1]) & (frames_for(length, BASE) >= 2 * num_labels)
    return np.where(fits, drawn, 1.0)


def _bucket_of(num_samples: np.ndarray, num_labels: np.ndarray, buckets: Buckets) -> np.ndarray:
    """Finds the first bucket with room for the samples and for the labels; len(edges) where there is none."""
    by_samples = np.searchsorted(buckets.edges, num_samples)
    return np.maximum(by_samples, np.searchsorted(buckets.label_widths, num_labels))


def _check_fit(index: Index, split: str, bucket: np.ndarray, buckets: Buckets) -> None:
    outside = np.flatnonzero(bucket == len(buckets.edges))
    if len(outside):
        place = outside[0]
        raise ValueError(
            f"{index.folder}, {split}: record {place} has {index.lengths(split)[place]} samples and "
            f"{index.label_counts(split)[place]} labels, the largest bucket takes {buckets.edges[-1]} and "
            f"{buckets.label_widths[-1]}. Plan the buckets from this split's lengths too."
        )


def _windows(order: np.ndarray, sizes: Sequence[int], window_bytes: int) -> tuple[tuple[int, ...], ...]:
    windows, held = [], window_bytes
    for i in order:
        if held + sizes[i] > window_bytes:
            windows.append([])
            held = 0
        windows[-1].append(int(i))
        held += sizes[i]
    return tuple(map(tuple, windows))


def _cut(bucket: np.ndarray, buckets: Buckets, rng) -> list[tuple[int, np.ndarray]]:
    """Cuts a window's records into (bucket, rows) from short to long; only the last batch can be short of rows."""
    order = np.arange(len(bucket)) if rng is None else rng.permutation(len(bucket))
    batches, left = [], order[:0]
    last = int(bucket.max())
    for b in range(last + 1):
        size = buckets.batch_sizes[b]
        pool = np.concatenate([left, order[bucket[order] == b]])
        whole = len(pool) if b == last else len(pool) // size * size
        batches += [(b, pool[start : min(start + size, whole)]) for start in range(0, whole, size)]
        left = pool[whole:]
    return [(b, np.pad(rows, (0, buckets.batch_sizes[b] - len(rows)), constant_values=-1)) for b, rows in batches]


def _join(windows, parts, speed: np.ndarray) -> EpochPlan:
    batches = [batch for _, cut in parts for batch in cut]
    speeds = [np.where(rows < 0, 1.0, speed[places[rows]]) for places, cut in parts for _, rows in cut]
    sizes = [len(rows) for _, rows in batches]
    return EpochPlan(
        window_files=windows,
        first_batch=np.cumsum([0] + [len(cut) for _, cut in parts]),
        bucket=np.array([b for b, _ in batches], np.int32),
        first_row=np.cumsum([0] + sizes)[:-1],
        row=np.concatenate([rows for _, rows in batches]).astype(np.int32),
        speed=np.concatenate(speeds).astype(np.float32),
    )
