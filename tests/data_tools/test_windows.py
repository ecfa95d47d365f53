import shutil

import numpy as np
import pytest
import tensorflow as tf

from data_tools.index import load_index
from data_tools.plan import plan_epoch
from data_tools.reader import plan_buckets
from data_tools.windows import pick, rows_of, windows

OPTIONS = dict(seed=2, window_bytes=10**6)


@pytest.fixture(scope="module")
def index(shards):
    return load_index(shards)


@pytest.fixture(scope="module")
def plan(index):
    buckets = plan_buckets(index.lengths("train"), index.label_counts("train"), batch_seconds=12, max_buckets=3)
    return plan_epoch(index, "train", buckets, **OPTIONS)


def picked(index, plan, skip=0):
    """Gives the records of each batch, filled up rows left out."""
    rows, ends = rows_of(index.shards("train"), plan), np.append(plan.first_row, len(plan.record))
    return [
        [record for record in pick(carried, records, rows[ends[b] : ends[b + 1]]).numpy().tolist() if record]
        for first, last, carried, records in windows(index, "train", plan, skip, None)
        for b in range(int(first), int(last))
    ]


def test_each_batch_gets_the_records_that_the_plan_says(index, plan):
    files = [str(index.folder / shard.file) for shard in index.shards("train")]
    stored = list(tf.data.TFRecordDataset(files).as_numpy_iterator())
    assert sum(map(len, plan.carried)) > 0
    ends = np.append(plan.first_row, len(plan.record))
    wanted = [
        [stored[i] for i in plan.record[start:end] if i >= 0] for start, end in zip(ends[:-1], ends[1:], strict=True)
    ]
    assert picked(index, plan) == wanted


def test_a_run_that_begins_in_the_middle_reads_no_shard_in_vain(index, plan, shards, tmp_path):
    shutil.copytree(shards, tmp_path, dirs_exist_ok=True)
    copied = load_index(tmp_path)
    start = len(plan.window_files) - 1
    skip = int(plan.first_batch[start])
    begins = np.cumsum([0] + [shard.records for shard in index.shards("train")])
    needed = {*plan.window_files[start], *(np.searchsorted(begins, plan.carried[start], side="right") - 1).tolist()}
    unneeded = set(range(len(begins) - 1)) - needed
    assert unneeded
    assert needed > set(plan.window_files[start])
    for i in unneeded:
        (tmp_path / index.shards("train")[i].file).unlink()
    assert picked(copied, plan, skip) == picked(index, plan)[skip:]


def test_at_the_end_of_an_epoch_there_is_no_window(index, plan):
    assert not list(windows(index, "train", plan, plan.num_batches, None))
