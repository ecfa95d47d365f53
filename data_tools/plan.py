"""Which records make up which batch: the order of an epoch as a pure function of its seed.

NumPy only, computed from the lengths in the index before anything is read; so the number of batches is known beforehand
and a resumed run starts at any batch at once. Reading is left to `reader`.

A window is a group of shards held in memory together. Records are shuffled and bucketed within it, so that shards are
read once, in sequence; a corpus of less than `window_bytes` is one window, shuffled as a whole. Its size follows from
that of the batches, not of the corpus, and so does the memory. Several hosts share each window (`hosts`); every one
computes the plan of all, so they agree without a word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_tools.buckets import Buckets
from data_tools.hosts import cut_together, shards_of, share_out
from data_tools.index import Index
from wav2vec2_tf.lengths import BASE, frames_for

ORDER_VERSION = 2
"""Goes up when the same seed gives another order: a run is not resumed across."""

LEAST_WINDOW_BYTES, MOST_WINDOW_BYTES = 100_000_000, 2_500_000_000  # a shard of the default size; what a host can spare
_BATCHES_PER_WINDOW = 50  # a window's last batches are short of rows: with fewer batches, too many are
_BYTES_PER_SAMPLE = 2


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
        record: int64 [rows of all batches], place of the record in the split; -1 fills a batch up.
    """

    window_files: tuple[tuple[int, ...], ...]
    first_batch: np.ndarray
    bucket: np.ndarray
    first_row: np.ndarray
    row: np.ndarray
    speed: np.ndarray
    record: np.ndarray

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
    window_bytes: int | None = None,
    num_hosts: int = 1,
    host: int = 0,
) -> EpochPlan:
    """Assigns every record of a split to a batch; what a bucket leaves over moves on to the next longer one.

    Args:
        index: The shards.
        split: Which of them.
        buckets: Shapes of the batches.
        seed: With `epoch` decides the order and the speeds; None keeps the order of the index, at speed 1.
        epoch: From 0.
        speeds: Each record gets one of these at random; one whose clip then fits no bucket, or has too few frames for
            its labels, keeps speed 1.
        shortest_first: Batches come in order of their length instead of at random.
        window_bytes: Most bytes of shards to hold at a time (at least one shard is held; where hosts cannot be dealt
            whole shards, two more); None: as `window_bytes_for` says, or 2.5 GB for `shortest_first`.
        num_hosts: Readers that share the epoch. All get as many batches, of the same shapes in the same order; every
            record is with one of them.
        host: Which of them reads this, from 0.
    Returns:
        The plan: the same for the same arguments, on any machine.
    Raises:
        ValueError: A record fits no bucket, `shortest_first` is wanted of a split larger than a window, or there is no
            such host.
    """
    if not 0 <= host < num_hosts:
        raise ValueError(f"host={host} of num_hosts={num_hosts}: hosts are counted from 0 and there is no such one.")
    window_bytes = window_bytes or (MOST_WINDOW_BYTES if shortest_first else window_bytes_for(buckets))
    shards = index.shards(split)
    rng = None if seed is None else np.random.default_rng((seed, epoch))
    num_samples, num_labels = index.lengths(split), index.label_counts(split)
    speed = _draw_speeds(num_samples, num_labels, buckets, speeds, rng)
    bucket = _bucket_of(np.floor(num_samples / speed), num_labels, buckets)
    _check_fit(index, split, bucket, buckets)
    order = np.arange(len(shards)) if rng is None else rng.permutation(len(shards))
    windows = _windows(order, [shard.bytes for shard in shards], window_bytes, num_hosts)
    if shortest_first and len(windows) > 1:
        raise ValueError(
            f"shortest_first sorts what is in memory: {split} of {index.folder} has more than {window_bytes} bytes. "
            "Do without it, or raise window_bytes."
        )
    begins = np.cumsum([0] + [shard.records for shard in shards])
    parts = []
    for window in windows:
        if num_hosts == 1:
            places = _places(begins, window)
            batches = _cut(bucket[places], buckets, rng)
        else:
            window, places, batches = _host_part(window, begins, num_samples, bucket, buckets, rng, num_hosts, host)
        if rng is not None and not shortest_first:
            batches = [batches[i] for i in rng.permutation(len(batches))]
        parts.append((window, places, batches))
    return _join(parts, speed)


def window_bytes_for(buckets: Buckets) -> int:
    """Says how large a window is where nobody asks for a size: 50 of the largest batches, 100 MB to 2.5 GB.

    >>> window_bytes_for(Buckets(edges=(160_000, 320_000), label_widths=(20, 40), batch_sizes=(12, 6)))
    192000000
    """
    batch = max(edge * size for edge, size in zip(buckets.edges, buckets.batch_sizes, strict=True)) * _BYTES_PER_SAMPLE
    return min(max(_BATCHES_PER_WINDOW * batch, LEAST_WINDOW_BYTES), MOST_WINDOW_BYTES)


def _places(begins: np.ndarray, window: Sequence[int]) -> np.ndarray:
    """Lists the places in the split of a window's records."""
    return np.concatenate([np.arange(begins[i], begins[i + 1]) for i in window] or [np.arange(0)])


def _host_part(window, begins, num_samples, bucket, buckets: Buckets, rng, num_hosts: int, host: int):
    """Gives what `host` reads of a window: its shards, the places of their records, its batches of rows in those."""
    places, counts = _places(begins, window), np.diff(begins)[list(window)]
    bounds = share_out(num_samples[places], counts, num_hosts)
    batches = cut_together(bucket[places], bounds, buckets, rng)[host]
    own = shards_of(bounds, counts, host)
    before = counts[: own.start].sum()
    moved = [(b, np.where(rows < 0, -1, rows - before)) for b, rows in batches]
    return window[own], _places(begins, window[own]), moved


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


def _windows(order: np.ndarray, sizes: Sequence[int], window_bytes: int, num_hosts: int) -> tuple[tuple[int, ...], ...]:
    if num_hosts > 1:  # as many whole shards for each host
        group = num_hosts * max(1, window_bytes // max(sizes))
        return tuple(tuple(order[i : i + group].tolist()) for i in range(0, len(order), group))
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


def _join(parts, speed: np.ndarray) -> EpochPlan:
    batches = [batch for _, _, cut in parts for batch in cut]
    # row -1 finds the -1 at the end
    records = [np.append(places, -1)[rows] for _, places, cut in parts for _, rows in cut]
    record = np.concatenate(records)
    return EpochPlan(
        window_files=tuple(window for window, _, _ in parts),
        first_batch=np.cumsum([0] + [len(cut) for _, _, cut in parts]),
        bucket=np.array([b for b, _ in batches], np.int32),
        first_row=np.cumsum([0] + [len(rows) for _, rows in batches])[:-1],
        row=np.concatenate([rows for _, rows in batches]).astype(np.int32),
        speed=np.where(record < 0, 1.0, speed[record]).astype(np.float32),
        record=record,
    )
