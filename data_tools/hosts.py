"""Cuts the records of window after window into batches, for one host or for several that train together.

Every host gets its own records and as many batches as the others, of the same shapes in the same order. What does not
fill a batch waits for the next window. Which window, and in which order batches come, is left to `plan`.
"""

import numpy as np

from data_tools.buckets import Buckets

_SNAP = 0.01  # of a host's share: a cut this close to the end of a shard moves there, and no host reads it in vain
_MOST_WAITING = 8  # batches per bucket and host: what waits is in memory


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


class Pools:
    """The records that wait to be put into batches, by host and bucket, in the order in which they came.

    Args:
        bucket: Bucket of each record of the split.
        buckets: The shapes.
        num_hosts: How many share them.
        rng: Shuffles what is cut; None keeps the order.
    """

    def __init__(self, bucket: np.ndarray, buckets: Buckets, num_hosts: int, rng: np.random.Generator | None):
        self._bucket, self._sizes, self._rng = bucket, buckets.batch_sizes, rng
        self._waiting = [[np.arange(0) for _ in buckets.edges] for _ in range(num_hosts)]

    def waiting(self, host: int) -> np.ndarray:
        """Gives the places in the split of a host's records that are in no batch yet, sorted."""
        return np.sort(np.concatenate(self._waiting[host]))

    def cut(self, runs: list[np.ndarray], is_last: bool) -> list[list[tuple[int, np.ndarray]]]:
        """Adds a window's records and cuts what fills batches on every host; of the last window, all there is.

        From long to short, a bucket gets as many batches as the host with fewest records can fill. One that would
        have too many waiting makes it more, and so do all in the last window: a host with fewer fills them with
        shorter records. So what is missing is missing in the shortest batches.

        Args:
            runs: Each host's new records, as places in the split.
            is_last: Nothing may wait any more.
        Returns:
            Per host: (bucket, places in the split; -1 fills up) of each batch, from short to long. What has waited
            is in as few of them as can be.
        """
        waited = [self.waiting(host) for host in range(len(runs))]
        for pool, run in zip(self._waiting, runs, strict=True):
            for b in range(len(pool)):
                pool[b] = np.concatenate([pool[b], run[self._bucket[run] == b]])
        cut = [[] for _ in runs]
        for b in reversed(range(len(self._sizes))):
            rows = self._sizes[b] * self._batches(b, is_last)
            for host, batches in enumerate(cut):
                taken = self._shuffled(self._take(host, b, rows), waited[host])
                filled = np.pad(taken, (0, rows - len(taken)), constant_values=-1)
                batches += [(b, each) for each in reversed(filled.reshape(-1, self._sizes[b]))]
        return [batches[::-1] for batches in cut]

    def _batches(self, b: int, is_last: bool) -> int:
        counts = [len(pool[b]) for pool in self._waiting]
        if is_last:
            return -(-max(counts) // self._sizes[b])
        return max(min(counts) // self._sizes[b], -(-max(counts) // self._sizes[b]) - _MOST_WAITING)

    def _take(self, host: int, b: int, rows: int) -> np.ndarray:
        """Takes what came first from a bucket, then from shorter ones."""
        taken, pool = [], self._waiting[host]
        for shorter in range(b, -1, -1):
            taken.append(pool[shorter][:rows])
            pool[shorter] = pool[shorter][rows:]
            rows -= len(taken[-1])
        return np.concatenate(taken)

    def _shuffled(self, taken: np.ndarray, waited: np.ndarray) -> np.ndarray:
        if self._rng is None:
            return taken
        taken = self._rng.permutation(taken)
        has_waited = np.isin(taken, waited)
        return np.concatenate([taken[has_waited], taken[~has_waited]])
