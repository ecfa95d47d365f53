import json

import numpy as np
import pytest

from data_tools.index import Index, Shard, ShardsError, disk_error, load_index, save_index


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train-00000-of-00001.tfrecord").write_bytes(bytes(10))
    shard = Shard("train-00000-of-00001.tfrecord", 2, 10, np.array([400, 800]), np.array([1, 2]))
    save_index(Index(tmp_path, 16_000, ("upper",), {"A": 3}, {"silent": 1}, {"train": (shard,)}))
    return tmp_path


def test_an_index_reads_back_as_written(folder):
    index = load_index(str(folder))
    assert (index.sample_rate_hz, index.text_rules, index.characters) == (16_000, ("upper",), {"A": 3})
    assert (index.rejected, list(index.splits)) == ({"silent": 1}, ["train"])
    assert index.lengths("train").tolist() == [400, 800]
    assert index.label_counts("train").tolist() == [1, 2]


def test_the_file_is_what_the_documents_say(folder):
    content = json.loads((folder / "index.json").read_text())
    assert list(content) == ["schema", "sample_rate_hz", "encoding", "text_rules", "characters", "rejected", "splits"]
    assert content["splits"]["train"]["shards"] == [
        {"file": "train-00000-of-00001.tfrecord", "records": 2, "bytes": 10, "num_samples": [400, 800],
         "num_labels": [1, 2]}
    ]  # fmt: skip


def test_an_unknown_split_names_those_there_are(folder):
    with pytest.raises(ValueError, match=r"has no split 'dev'; it has train"):
        load_index(folder).lengths("dev")


def test_a_folder_without_index_was_not_finished(folder):
    (folder / "index.json").unlink()
    with pytest.raises(ShardsError, match="holds no index.json: make_tfrecords was not run there or did not finish"):
        load_index(folder)


def test_an_index_that_is_not_json_is_refused(folder):
    (folder / "index.json").write_text('{"schema": 1')
    with pytest.raises(ShardsError, match="index.json is not JSON"):
        load_index(folder)


def test_another_schema_is_refused(folder):
    path = folder / "index.json"
    path.write_text(path.read_text().replace('"schema": 2', '"schema": 3'))
    with pytest.raises(ShardsError, match="is of schema 3, this version reads 1 and 2. Write the shards again"):
        load_index(folder)


def test_a_folder_of_schema_1_holds_pcm(folder):
    path = folder / "index.json"
    content = json.loads(path.read_text()) | {"schema": 1}
    del content["encoding"]
    path.write_text(json.dumps(content))
    assert load_index(folder).encoding == "pcm"


def test_a_missing_shard_is_named(folder):
    (folder / "train-00000-of-00001.tfrecord").unlink()
    with pytest.raises(ShardsError, match=r"train-00000-of-00001.tfrecord is missing, the index says 10 bytes"):
        load_index(folder)


def test_a_shard_of_another_size_is_named(folder):
    (folder / "train-00000-of-00001.tfrecord").write_bytes(bytes(9))
    with pytest.raises(ShardsError, match=r"train-00000-of-00001.tfrecord has 9 bytes, the index says 10 bytes"):
        load_index(folder)


@pytest.mark.parametrize("content", ['{"schema": 1}', '{"schema": 1, "splits": {"train": {"shards": [{}]}}}'])
def test_a_damaged_index_is_named(folder, content):
    (folder / "index.json").write_text(content)
    with pytest.raises(ShardsError, match=r"index.json is damaged .* Write the shards again"):
        load_index(folder)


def test_an_index_that_is_no_object_has_no_schema(folder):
    (folder / "index.json").write_text("[]")
    with pytest.raises(ShardsError, match="is of schema None, this version reads 1 and 2"):
        load_index(folder)


def test_a_disk_error_tells_folder_cause_and_room(tmp_path):
    message = str(disk_error(tmp_path, OSError("full"), "All is gone."))
    assert message.startswith(f"{tmp_path} could not be written (full); ")
    assert "bytes are free there. All is gone. Make room" in message
