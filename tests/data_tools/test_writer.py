import resource
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from data_tools import schema
from data_tools.clips import Clip, Job
from data_tools.manifest import Utterance
from data_tools.writer import write_shards

RECORD_BYTES = 2_000


def clip(i, split="train", size=RECORD_BYTES):
    utterance = Utterance(f"u{i}", Path(f"{i}.wav"), "Yes.", "s", split, f"{i}.wav")
    return Clip(Job(utterance, "YES"), np.full(size // 2, i, "<i2").tobytes())


def ids(folder, shards):
    return [
        schema.parse(record)["id"].numpy().decode()
        for shard in shards
        for record in tf.data.TFRecordDataset(str(folder / shard.file))
    ]


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_records_keep_their_order_over_shards(tmp_path):
    splits = write_shards(map(clip, range(7)), tmp_path, shard_bytes=3 * (RECORD_BYTES + 200))
    assert files(tmp_path) == [f"train-0000{i}-of-00003.tfrecord" for i in range(3)]
    assert ids(tmp_path, splits["train"]) == [f"u{i}" for i in range(7)]
    assert [shard.records for shard in splits["train"]] == [3, 3, 1]


def test_a_shard_knows_its_size_and_the_lengths_in_it(tmp_path):
    (shard,) = write_shards([clip(0, size=400), clip(1, size=600)], tmp_path, 10**6)["train"]
    assert shard.bytes == (tmp_path / shard.file).stat().st_size
    assert (shard.num_samples.tolist(), shard.num_labels.tolist()) == ([200, 300], [3, 3])


def test_no_shard_is_larger_than_asked_unless_one_record_is(tmp_path):
    sizes = [500, 500, 5_000, 500]
    (shards,) = write_shards((clip(i, size=size) for i, size in enumerate(sizes)), tmp_path, 2_000).values()
    assert [shard.records for shard in shards] == [2, 1, 1]


def test_each_split_has_its_own_shards(tmp_path):
    splits = write_shards([clip(0), clip(1, "dev"), clip(2)], tmp_path, 10**6)
    assert {split: ids(tmp_path, shards) for split, shards in splits.items()} == {"train": ["u0", "u2"], "dev": ["u1"]}


def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))  # no file may grow past this
    try:
        with pytest.raises(OSError, match=r"could not be written \(.*\d+ bytes are free there. What was written has"):
            write_shards((clip(i, size=20_000) for i in range(50)), tmp_path, 10**6)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files(tmp_path) == []


def test_a_disk_that_is_full_at_the_end_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=f"{tmp_path} could not be written .*No space left on device"):
        write_shards([clip(0)], tmp_path, 10**6)
    assert files(tmp_path) == []


def test_a_file_that_lost_bytes_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr("data_tools.writer._FRAMING_BYTES", 17)
    with pytest.raises(OSError, match=r"train-00000.tfrecord.part has \d+ bytes on disk, \d+ were written"):
        write_shards([clip(0)], tmp_path, 10**6)
    assert files(tmp_path) == []


def test_names_are_given_to_all_shards_or_to_none(tmp_path, monkeypatch):
    rename = Path.rename

    def fails_at_the_second(self, target):
        if "00001-of" in str(target):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_at_the_second)
    with pytest.raises(OSError, match="Input/output error"):
        write_shards(map(clip, range(3)), tmp_path, shard_bytes=100)
    assert files(tmp_path) == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_leaves_nothing_behind(tmp_path, stop):
    def clips():
        yield clip(0)
        assert files(tmp_path) == ["train-00000.tfrecord.part"]
        raise stop

    with pytest.raises(stop):
        write_shards(clips(), tmp_path, 10**6)
    assert files(tmp_path) == []
