"""How one update is cut up: over replicas, and within each into parts that fit into its memory.

The update itself, which utterances and how many rows, is decided by `data_tools.plan` alone. So it is the same update
on any number of devices: rows are dealt out in order, and empty rows fill up what does not divide evenly.
"""

import dataclasses

import tensorflow as tf

from data_tools.buckets import Buckets
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ


def parts_and_rows(rows, samples, replicas: int, device_samples: int | None):
    """Says in how many parts each replica takes its share of an update, and how many rows a part has.

    >>> parts_and_rows(8, 16_000, 2, None), parts_and_rows(9, 16_000, 2, 32_000)
    ((1, 4), (3, 2))

    Args:
        rows: Rows of the update on one host; an int or an integer tensor, as `samples`.
        samples: Samples per row, padding included.
        replicas: Devices of the host.
        device_samples: Most samples that a device holds at a time, at least `samples`; None: no limit.
    Returns:
        Parts, and rows of each.
    """
    share = -(-rows // replicas)
    parts = 1 if device_samples is None else -(-share // (device_samples // samples))
    return parts, -(-share // parts)


def split(batch: dict, replicas: int, device_samples: int | None = None) -> tuple[dict, ...]:
    """Cuts a batch into one block per replica, each in parts of one shape.

    >>> blocks = split({"audio": tf.ones([3, 400]), "weight": tf.ones([3])}, replicas=2, device_samples=500)
    >>> [block["weight"].numpy().tolist() for block in blocks]      # a device holds one row of 400 at a time
    [[[1.0], [1.0]], [[1.0], [0.0]]]

    Args:
        batch: From `data_tools.reader.batches`.
        replicas: Devices of this host.
        device_samples: As for `parts_and_rows`.
    Returns:
        Per replica, the batch's tensors but for its strings, [B, ...] -> [parts, rows, ...]. Rows that fill up are 0
        in everything, so their weight is 0.
    """
    size, samples = tf.unstack(tf.shape(batch["audio"]))
    parts, rows = parts_and_rows(size, samples, replicas, device_samples)
    missing = replicas * parts * rows - size

    def cut(value):
        filled = tf.pad(value, [[0, missing]] + [[0, 0]] * (len(value.shape) - 1))
        return tf.unstack(tf.reshape(filled, tf.concat([[replicas, parts, rows], tf.shape(value)[1:]], 0)), replicas)

    tensors = {name: value for name, value in batch.items() if value.dtype != tf.string}
    cuts = {name: cut(value) for name, value in tensors.items()}
    return tuple({name: pieces[i] for name, pieces in cuts.items()} for i in range(replicas))


def host_share(buckets: Buckets, num_hosts: int) -> Buckets:
    """Gives the shapes that one of several hosts reads: its share of an update's rows, rounded, at least one."""
    shares = tuple(max(1, round(rows / num_hosts)) for rows in buckets.batch_sizes)
    return dataclasses.replace(buckets, batch_sizes=shares)


def device_samples(buckets: Buckets, device_seconds: float | None) -> int | None:
    """Turns the limit of a device into samples.

    Args:
        buckets: All shapes.
        device_seconds: Most seconds of audio, padding included, that a device holds at a time; None: no limit.
    Raises:
        ValueError: A row of the longest bucket alone is more.
    """
    if device_seconds is None:
        return None
    longest = buckets.edges[-1] / SAMPLE_RATE_HZ
    if longest > device_seconds:
        raise ValueError(
            f"--batches.device_seconds is {device_seconds:g}, and the longest bucket has rows of {longest:g} s. Raise "
            "it, or write shards without utterances that long (--max_seconds)."
        )
    return int(device_seconds * SAMPLE_RATE_HZ)
