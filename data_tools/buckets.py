"""The few shapes that batches come in, chosen so that padding is least.

Which record goes into which batch is left to `plan`.
"""

from dataclasses import dataclass

import numpy as np

from wav2vec2_tf.lengths import SAMPLE_RATE_HZ

_MAX_BINS = 400
_BIN_SAMPLES = SAMPLE_RATE_HZ // 10


@dataclass(frozen=True)
class Buckets:
    """The shapes that batches come in, short to long.

    Args:
        edges: Samples per row (S) of each bucket.
        batch_sizes: Rows (B) of each bucket.
        label_widths: Labels per row (U) of each bucket.
    """

    edges: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    label_widths: tuple[int, ...]


def plan_buckets(
    num_samples: np.ndarray, num_labels: np.ndarray, batch_seconds: float, max_buckets: int = 6
) -> Buckets:
    """Chooses the shapes that need the least padding.

    >>> plan_buckets(np.array([16_000, 15_000, 48_000]), np.array([5, 9, 7]), batch_seconds=4, max_buckets=2)
    Buckets(edges=(16000, 48000), batch_sizes=(2, 1), label_widths=(9, 9))

    Args:
        num_samples: Samples of each record.
        num_labels: Labels of each record.
        batch_seconds: Most seconds in a batch, padding included; a longer record is a batch of its own.
        max_buckets: Most shapes.
    Returns:
        The buckets; every record fits into the last one.
    Raises:
        ValueError: There is no record, or a number is below what makes sense.
    """
    if not len(num_samples):
        raise ValueError("Buckets are planned from the lengths of records, and there is none. Check the split.")
    if batch_seconds <= 0 or max_buckets < 1:
        raise ValueError(f"batch_seconds={batch_seconds} and max_buckets={max_buckets} must be above 0.")
    longest = int(num_samples.max())
    bin_samples = max(_BIN_SAMPLES, -(-longest // _MAX_BINS))
    bins = -(-np.asarray(num_samples) // bin_samples)
    edges = tuple(int(edge) * bin_samples for edge in _best_edges(np.bincount(bins), max_buckets))
    held = np.searchsorted(edges, num_samples)  # bucket of each record
    sizes = [max(1, int(batch_seconds * SAMPLE_RATE_HZ / edge)) for edge in edges]
    reach = [int(num_labels[held <= bucket].max()) for bucket in range(len(edges))]
    capped = [min(size, int((held <= bucket).sum())) for bucket, size in enumerate(sizes)]
    return Buckets(edges, tuple(capped), tuple(reach))


def _best_edges(counts: np.ndarray, max_buckets: int) -> list[int]:
    """Cuts bins 0..M into at most `max_buckets` runs whose padding, count * (end of run - bin), is least in sum."""
    last = len(counts) - 1
    below = np.concatenate([[0], np.cumsum(counts)])  # clips in bins before each
    cost = below[1:] * np.arange(last + 1, dtype=float)  # padded length of bins 0..e in the buckets so far
    came_from = []
    for _ in range(max_buckets - 1):
        # [s, e]: bins up to s are covered already, one more bucket takes s+1..e
        total = cost[:, None] + (below[None, 1:] - below[1:, None]) * np.arange(last + 1)
        total[np.tril_indices(last + 1, -1)] = np.inf
        came_from.append(total.argmin(axis=0))
        cost = total.min(axis=0)
    edges = [last]
    for choice in reversed(came_from):
        edges.append(int(choice[edges[-1]]))
    return sorted(edge for edge in set(edges) if edge > 0 and below[edge + 1] > 0)
