"""Ten minutes of silence at the start; no grouping by length on a stream (transformers #10909, #28069, #15196)."""

import numpy as np

from data_tools.index import load_index
from data_tools.plan import plan_epoch
from data_tools.reader import batches, plan_buckets

CHARACTERS = {char: label for label, char in enumerate("YES", start=5)}


def planned(shards, max_buckets):
    index = load_index(shards)
    lengths, labels = index.lengths("train"), index.label_counts("train")
    return index, plan_buckets(lengths, labels, batch_seconds=12, max_buckets=max_buckets)


def test_an_epoch_is_planned_before_a_shard_is_opened(shards):
    index, buckets = planned(shards, 3)
    hidden = [path.rename(path.with_suffix(".hidden")) for path in shards.glob("*.tfrecord")]
    try:
        assert plan_epoch(index, "train", buckets, seed=1).num_batches > 3
    finally:
        for path in hidden:
            path.rename(path.with_suffix(".tfrecord"))


def test_a_stream_comes_grouped_by_length_and_says_how_long_its_clips_are(shards):
    padded = {}
    for max_buckets in (1, 4):
        index, buckets = planned(shards, max_buckets)
        listed = list(batches(index, "train", CHARACTERS, None, buckets, seed=1, window_bytes=10**6))
        real = sum(int(batch["num_samples"].numpy().sum()) for batch in listed)
        assert real == index.lengths("train").sum()
        rows = np.array([(batch["weight"].numpy() > 0).sum() for batch in listed])
        padded[max_buckets] = rows @ [batch["audio"].shape[1] for batch in listed] / real - 1
    assert padded[4] < 0.5 * padded[1]
