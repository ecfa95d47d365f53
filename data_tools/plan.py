"""Which records make up which batch: the order of an epoch as a pure function of its seed.

NumPy only, computed from the lengths in the index before anything is read; so the number of batches is known beforehand
and a resumed run starts at any batch at once. Reading is left to `reader`.

A window is a group of shards held in memory together. Records are shuffled and bucketed within it, so that shards are
read once, in sequence; a corpus of less than `window_bytes` is one window, shuffled as a whole. What does not fill a
batch is carried into the next window. A window's size follows from that of the batches, not of the corpus, and so does
the memory. Several hosts share each window (`hosts`); every one computes the plan of all, so they agree without a word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_tools.buckets import Buckets
from data_tools.hosts import Pools, shards_of, share_out
from data_tools.index import Index
from wav2vec2_tf.lengths import BASE, frames_for

ORDER_VERSION = 3
"""Goes up when the same seed gives another order: a run is not resumed across."""

LEAST_WINDOW_BYTES, MOST_WINDOW_BYTES = 100_000_000, 2_500_000_000  # a shard of the default size; what a host can spare
_BATCHES_PER_WINDOW = 50  # among which records are shuffled
_BYTES_PER_SAMPLE = 2


@dataclass(frozen=True, eq=False)
class EpochPlan:
    """All batches of an epoch, in order.

    Args:
        window_files: Per window, its shards' places in the index.
        carried: Per window, records of earlier windows' shards that are still to come: int64, sorted places in the
            split. A batch has records of these and of its window's shards.
        first_batch: int64 [windows + 1], the batches of window w are first_batch[w] up to first_batch[w + 1].
        bucket: int32 [batches].
        first_row: int64 [batches], where each batch begins in `record` and `speed`.
        record: int64 [rows of all batches], place of the record in the split; -1 fills a batch up.
        speed: float32 [rows of all batches], 1 where nothing is changed.
    """

    window_files: tuple[tuple[int, ...], ...]
    carried: tuple[np.ndarray, ...]
    first_batch: np.ndarray
    bucket: np.ndarray
    first_row: np.ndarray
    record: np.ndarray
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
    window_bytes: int | None = None,
    num_hosts: int = 1,
    host: int = 0,
) -> EpochPlan:
    """Assigns every record of a split to a batch; what a window leaves over in a bucket goes into the next window's.

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
            whole shards, two more), besides what is carried; None: as `window_bytes_for` says, or 2.5 GB for
            `shortest_first`.
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
    pools = Pools(bucket, buckets, num_hosts, rng)
    parts = []
    for w, window in enumerate(windows):
        carried = pools.waiting(host)
        files, runs = _share(window, begins, num_samples, num_hosts, host)
        batches = pools.cut(runs, is_last=w == len(windows) - 1)[host]
        if rng is not None and not shortest_first:
            batches = [batches[i] for i in rng.permutation(len(batches))]
        parts.append((files, carried, batches))
    return _join(parts, speed)


def window_bytes_for(buckets: Buckets) -> int:
    """Says how large a window is where nobody asks for a size: 50 of the largest batches, 100 MB to 2.5 GB.

    >>> window_bytes_for(Buckets(edges=(160_000, 320_000), label_widths=(20, 40), batch_sizes=(12, 6)))
    192000000
    """
    batch = max(edge * size for edge, size in zip(buckets.edges, buckets.batch_sizes, strict=True)) * _BYTES_PER_SAMPLE
    return min(max(_BATCHES_PER_WINDOW * batch, LEAST_WINDOW_BYTES), MOST_WINDOW_BYTES)


def _share(window, begins, num_samples, num_hosts: int, host: int) -> tuple[tuple[int, ...], list[np.ndarray]]:
    """Gives the shards of a window that `host` reads, and the places in the split of every host's records."""
    places = np.concatenate([np.arange(begins[i], begins[i + 1]) for i in window])
    counts = np.diff(begins)[list(window)]
    bounds = share_out(num_samples[places], counts, num_hosts)
    return window[shards_of(bounds, counts, host)], np.split(places, bounds[1:-1])


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


def _join(parts, speed: np.ndarray) -> EpochPlan:
    batches = [batch for _, _, cut in parts for batch in cut]
    record = np.concatenate([records for _, records in batches])
    return EpochPlan(
        window_files=tuple(files for files, _, _ in parts),
        carried=tuple(carried for _, carried, _ in parts),
        first_batch=np.cumsum([0] + [len(cut) for _, _, cut in parts]),
        bucket=np.array([b for b, _ in batches], np.int32),
        first_row=np.cumsum([0] + [len(records) for _, records in batches])[:-1],
        record=record,
        speed=np.where(record < 0, 1.0, speed[record]).astype(np.float32),
    )
