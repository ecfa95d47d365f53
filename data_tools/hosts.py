"""How the records of a window are shared out between hosts that train together.

Every host gets its own records and as many batches as the others, of the same shapes in the same order. Which window,
and in which order batches come, is left to `plan`.
"""

import numpy as np

from data_tools.buckets import Buckets

_SNAP = 0.01  # of a host's share: a cut this close to the end of a shard moves there, and no host reads it in vain


def share_out(num_samples: np.ndarray, shard_records: np.ndarray, num_hosts: int) -> np.ndarray:
    """Cuts a window's records into one run per host, of about as many samples each.

    >>> share_out(np.full(8, 16_000), np.array([4, 4]), 2), share_out(np.full(8, 16_000), np.array([3, 5]), 2)
    (array([0, 4, 8]), array([0, 4, 8]))

    Args:
        num_samples: Samples of each record.
        shard_records: Records of each shard of the window.
        num_hosts: Runs wanted.
    Returns:
        int64 [num_hosts + 1]; host h has the records from bounds[h] up to bounds[h + 1].
    """
    before = np.concatenate([[0], np.cumsum(num_samples)])  # samples before each record
    bounds = np.searchsorted(before, before[-1] * np.arange(num_hosts + 1) // num_hosts)
    ends = np.concatenate([[0], np.cumsum(shard_records)])
    nearest = ends[np.abs(ends - bounds[:, None]).argmin(axis=1)]
    close = np.abs(before[nearest] - before[bounds]) <= _SNAP * before[-1] / num_hosts
    return np.where(close, nearest, bounds)


def shards_of(bounds: np.ndarray, shard_records: np.ndarray, host: int) -> slice:
    """Says which shards of a window hold the records of a host.

    >>> shards_of(np.array([0, 4, 8]), np.array([3, 5]), 0), shards_of(np.array([0, 3, 8]), np.array([3, 5]), 1)
    (slice(0, 2, None), slice(1, 2, None))
    """
    first, last = bounds[host], bounds[host + 1]
    ends = np.cumsum(shard_records)
    start = int(np.searchsorted(ends, first, side="right"))
    return slice(start, int(np.searchsorted(ends, last)) + 1 if last > first else start)


def cut_together(
    bucket: np.ndarray, bounds: np.ndarray, buckets: Buckets, rng: np.random.Generator | None
) -> list[list[tuple[int, np.ndarray]]]:
    """Cuts each host's records into batches of the same shapes.

    From long to short, a bucket gets as many batches as the host with most records of that length or longer needs; a
    host with fewer fills them with shorter records. So what is missing is missing in the shortest batches.

    Args:
        bucket: Bucket of each record of the window.
        bounds: From `share_out`.
        buckets: The shapes.
        rng: Shuffles each host's records; None keeps their order.
    Returns:
        Per host: (bucket, places in the window; -1 fills up) of each batch, from short to long.
    """
    runs = [np.arange(first, last) for first, last in zip(bounds[:-1], bounds[1:], strict=True)]
    runs = runs if rng is None else [rng.permutation(run) for run in runs]
    counts = np.array([np.bincount(bucket[run], minlength=len(buckets.edges)) for run in runs])
    needed = counts[:, ::-1].cumsum(axis=1).max(axis=0)[::-1]  # rows of each bucket or longer, where most are needed
    order, rows = [], 0
    for b in reversed(range(len(buckets.edges))):
        batches = max(0, -(-(int(needed[b]) - rows) // buckets.batch_sizes[b]))
        order += [b] * batches
        rows += batches * buckets.batch_sizes[b]
    ends = np.cumsum([buckets.batch_sizes[b] for b in order])
    cut = []
    for run in runs:
        longest_first = run[np.argsort(-bucket[run], kind="stable")]
        filled = np.pad(longest_first, (0, rows - len(run)), constant_values=-1)
        cut.append(list(zip(order, np.split(filled, ends[:-1]), strict=True))[::-1])
    return cut
