import json
import os
from pathlib import Path

import pytest
import tensorflow as tf

from data_tools import schema, writer
from data_tools.clips import Clip, Job, Limits, Rejection
from data_tools.manifest import Utterance
from data_tools.place import Place
from data_tools.shard_plan import ShardTask
from data_tools.writer import Recipe, write_shard

RECORD_BYTES = 2_000


@pytest.fixture(autouse=True)
def clips_of_a_chosen_size(monkeypatch):
    """Each clip is as large as its transcript says; "silent" ones are rejected."""

    def prepare(job, limits, encoding, opened):
        if job.utterance.text == "silent":
            return Rejection(job.utterance, "silent", "all samples are zero")
        return Clip(job, bytes(int(job.utterance.text)), int(job.utterance.text) // 2)

    monkeypatch.setattr(writer, "prepare", prepare)


def task(*sizes, estimated_bytes=0):
    jobs = (Job(Utterance(f"u{i}", Path(f"{i}.wav"), str(size), "s", "dev", ""), "YES") for i, size in enumerate(sizes))
    return ShardTask("dev-00000-of-00001.tfrecord", "dev", tuple(jobs), estimated_bytes)


def recipe(folder):
    return Recipe(Place.of(folder), Limits(0.1, 30), "pcm")


def ids(path):
    return [schema.parse(record)["id"].numpy().decode() for record in tf.data.TFRecordDataset(str(path))]


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_tensorflow_reads_the_records_in_their_order(tmp_path):
    write_shard(task(*[RECORD_BYTES] * 7), recipe(tmp_path))
    assert files(tmp_path) == ["dev-00000-of-00001.tfrecord"]
    assert ids(tmp_path / "dev-00000-of-00001.tfrecord") == [f"u{i}" for i in range(7)]


def test_an_account_tells_size_lengths_characters_and_rejections(tmp_path):
    account = write_shard(task(400, "silent", 600), recipe(tmp_path))
    assert account.bytes == (tmp_path / account.file).stat().st_size
    assert (account.records, account.num_samples, account.num_labels) == (2, [200, 300], [3, 3])
    assert account.characters == {"Y": 2, "E": 2, "S": 2}
    assert account.rejections == [(1, "silent", "all samples are zero")]
    json.dumps(vars(account))


def test_a_shard_of_nothing_is_no_file(tmp_path):
    assert write_shard(task("silent"), recipe(tmp_path)).records == 0
    assert files(tmp_path) == []


def test_a_shard_that_is_there_is_replaced(tmp_path):
    (tmp_path / "dev-00000-of-00001.tfrecord").write_bytes(b"of an end between the shard and its note")
    write_shard(task(400), recipe(tmp_path))
    assert ids(tmp_path / "dev-00000-of-00001.tfrecord") == ["u0"]


def test_a_disk_that_fills_up_leaves_nothing_of_the_shard_behind(tmp_path, files_end_at):
    told = r"could not be written \(.*bytes are free there. Finished shards are kept."
    with files_end_at(100_000), pytest.raises(OSError, match=told):
        write_shard(task(*[20_000] * 50), recipe(tmp_path))
    assert files(tmp_path) == []


def test_a_disk_that_is_full_at_the_end_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=f"{tmp_path} could not be written .*No space left on device"):
        write_shard(task(400), recipe(tmp_path))
    assert files(tmp_path) == []


def test_a_shard_is_not_begun_where_there_is_no_room_for_it(tmp_path):
    with pytest.raises(OSError, match=r"dev-00000-of-00001.tfrecord takes about 1\d+ bytes\); \d+ bytes are free"):
        write_shard(task(400, estimated_bytes=10**18), recipe(tmp_path))


def test_a_file_that_lost_bytes_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr("data_tools.writer.FRAME_BYTES", 17)
    with pytest.raises(OSError, match=r"dev-00000-of-00001.tfrecord.\d+.part has \d+ bytes on disk, \d+ were written"):
        write_shard(task(400), recipe(tmp_path))
    assert files(tmp_path) == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ConnectionError])
def test_what_stops_the_decoding_is_told_as_it_is_and_leaves_nothing_behind(tmp_path, monkeypatch, stop):
    def prepare(job, limits, encoding, opened):
        assert files(tmp_path) == [f"dev-00000-of-00001.tfrecord.{os.getpid()}.part"]
        raise stop("the storage cannot be reached")

    monkeypatch.setattr(writer, "prepare", prepare)
    with pytest.raises(stop, match="^the storage cannot be reached$"):
        write_shard(task(400), recipe(tmp_path))
    assert files(tmp_path) == []


def test_recordings_in_a_bucket_are_asked_for_ahead_of_time(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(writer, "open_audio", lambda audio: asked.append(audio) or b"bytes")

    def prepare(job, limits, encoding, opened):
        assert opened.result() == b"bytes"
        assert len(asked) > int(job.utterance.id[1:])
        return Clip(job, bytes(2), 1)

    monkeypatch.setattr(writer, "prepare", prepare)
    jobs = [Job(Utterance(f"u{i}", f"gs://bucket/{i}.wav", "x", "s", "dev", ""), "YES") for i in range(40)]
    account = write_shard(ShardTask("dev-00000-of-00001.tfrecord", "dev", tuple(jobs), 0), recipe(tmp_path))
    assert ids(tmp_path / account.file) == [f"u{i}" for i in range(40)]
