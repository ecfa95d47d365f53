import json
import shutil

import pytest
import tensorflow as tf

from data_tools.index import load_index
from data_tools.survey import choose, survey


@pytest.fixture
def folder(shards, tmp_path):
    return shutil.copytree(shards, tmp_path / "shards")


def edit_index(folder, change):
    path = folder / "index.json"
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")


def rewrite(folder, file, change):
    """Changes the list of a shard's records, and keeps the index true to its size."""
    path = folder / file
    records = [tf.train.Example.FromString(r) for r in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]
    change([record.features.feature for record in records])
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record.SerializeToString())

    def resize(content):
        for split in content["splits"].values():
            for shard in split["shards"]:
                shard["bytes"] = (folder / shard["file"]).stat().st_size

    edit_index(folder, resize)


def test_all_records_are_looked_at_when_all_shards_are(shards):
    found = survey(load_index(shards), every_shard=True)
    assert (found.findings, found.looked_at, found.is_whole) == ((), {"train": 40, "test": 7}, True)
    assert {split: dict(speakers) for split, speakers in found.speakers.items()} == {
        split: {"s": found.index.lengths(split).sum()} for split in ("train", "test")
    }
    assert found.shared_speakers() == {"s": ["train", "test"]}


def test_otherwise_only_the_shards_that_hold_the_samples(shards, monkeypatch):
    monkeypatch.setattr("data_tools.survey._NUM_AT_RANDOM", 0)
    found = survey(load_index(shards), every_shard=False)
    wanted = {sample.shard for sample in found.samples["train"]}
    records = sum(shard.records for shard in found.index.shards("train") if shard.file in wanted)
    assert found.looked_at["train"] == records < 40
    assert not found.is_whole


def test_samples_are_the_extremes_and_some_at_random(shards):
    samples = survey(load_index(shards), every_shard=False).samples["train"]
    assert [(sample.why, sample.record.id) for sample in samples[:3]] == [
        ("most labels per second", "003.wav"),
        ("fewest labels per second, longest", "039.wav"),
        ("shortest", "000.wav"),
    ]
    assert [sample.why for sample in samples[3:]] == ["at random"] * 4
    assert len({sample.record.id for sample in samples}) == 7
    assert (len(samples[1].record.samples), samples[1].record.text) == (70_400, "UP")


def test_the_choice_is_the_same_every_time(shards):
    index = load_index(shards)
    assert choose(index, "train") == choose(index, "train")


def test_rates_are_labels_per_second(shards):
    found = survey(load_index(shards), every_shard=False)
    assert found.rates("test").tolist()[:2] == pytest.approx([3 / 1.0, 2 / 1.1])


def test_an_id_in_two_shards_is_found(folder):
    def rename(features):
        features[1]["id"].bytes_list.value[0] = b"000.wav"

    rewrite(folder, "test-00000-of-00001.tfrecord", rename)
    (finding,) = survey(load_index(folder), every_shard=True).findings
    assert str(finding) == (
        "test-00000-of-00001.tfrecord, record 1: its id is also that of train-00000-of-00006.tfrecord, record 0"
    )


def test_many_repeated_ids_are_counted(folder, monkeypatch):
    monkeypatch.setattr("data_tools.survey.MOST_FINDINGS", 2)

    def rename(features):
        for feature in features:
            feature["id"].bytes_list.value[0] = b"same"

    rewrite(folder, "test-00000-of-00001.tfrecord", rename)
    findings = survey(load_index(folder), every_shard=True).findings
    assert [finding.record for finding in findings] == [1, 2, None]
    assert str(findings[-1]).endswith(": 4 more ids are repeated")


def test_characters_the_index_counts_otherwise_are_found(folder):
    edit_index(folder, lambda content: content["characters"].update(E=1, Q=2))
    told = [str(finding) for finding in survey(load_index(folder), every_shard=True).findings]
    assert "index.json: it counts 'Q' 2 times, the texts have it 0 times" in told
    assert any(line.startswith("index.json: it counts 'E' 1 times") for line in told)
    assert not survey(load_index(folder), every_shard=False).findings


def test_rejects_are_read_and_may_be_absent(folder):
    (folder / "rejects.tsv").write_text("id\tpath\treason\tdetail\na\ta.wav\tsilent\tall zero\n")
    assert survey(load_index(folder), every_shard=False).rejects == (("a", "a.wav", "silent", "all zero"),)
    (folder / "rejects.tsv").unlink()
    assert survey(load_index(folder), every_shard=False).rejects == ()
