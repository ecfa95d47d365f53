import numpy as np
import pytest
import tensorflow as tf

from data_tools.buckets import Buckets
from train.layout import device_samples, host_share, parts_and_rows, split

BUCKETS = Buckets(edges=(16_000, 48_000), batch_sizes=(9, 3), label_widths=(5, 7))


@pytest.mark.parametrize("replicas", [1, 2, 3, 8])
@pytest.mark.parametrize("device_rows", [None, 1, 2, 5])
def test_every_row_is_in_one_block_and_blocks_have_one_shape_within_the_limit(replicas, device_rows):
    batch = {
        "audio": tf.reshape(tf.range(1, 8 * 40, dtype=tf.int32)[: 7 * 40], [7, 40]),
        "weight": tf.ones([7]),
        "id": tf.fill([7], "x"),
    }
    blocks = split(batch, replicas, device_rows and device_rows * 40)
    assert len(blocks) == replicas
    assert {block["audio"].shape for block in blocks} == {blocks[0]["audio"].shape}
    assert device_rows is None or blocks[0]["audio"].shape[1] <= device_rows
    rows = np.concatenate([block["audio"].numpy().reshape(-1, 40) for block in blocks])
    weights = np.concatenate([block["weight"].numpy().ravel() for block in blocks])
    np.testing.assert_array_equal(rows[:7], batch["audio"])
    np.testing.assert_array_equal(weights, [1] * 7 + [0] * (len(weights) - 7))
    assert not rows[7:].any()
    assert "id" not in blocks[0]


def test_no_more_parts_than_needed_and_rows_spread_evenly_over_them():
    assert parts_and_rows(10, 100, 1, 400) == (3, 4)
    assert parts_and_rows(10, 100, 1, 1000) == (1, 10)


def test_hosts_share_the_rows_of_every_bucket():
    assert host_share(BUCKETS, 1) == BUCKETS
    assert host_share(BUCKETS, 4).batch_sizes == (2, 1)


def test_a_device_that_holds_no_row_of_the_longest_bucket_is_refused():
    assert device_samples(BUCKETS, None) is None
    assert device_samples(BUCKETS, 3.0) == 48_000
    with pytest.raises(ValueError, match=r"device_seconds is 2.9, and the longest bucket has rows of 3 s. Raise it"):
        device_samples(BUCKETS, 2.9)
