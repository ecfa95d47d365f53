import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from data_tools.index import load_index
from data_tools.verify import MOST_FINDINGS, check_shard


@pytest.fixture
def shard(shards):
    index = load_index(shards)
    return shards / index.shards("train")[0].file, index.shards("train")[0]


def rewritten(path, tmp_path, change):
    """Copies a shard with `change` done to each record's features."""
    copy = tmp_path / path.name
    with tf.io.TFRecordWriter(str(copy)) as file:
        for place, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()):
            example = tf.train.Example.FromString(record)
            change(place, example.features.feature)
            file.write(example.SerializeToString())
    return copy


def check(path, shard, **more):
    return check_shard(str(path), dataclasses.replace(shard, bytes=path.stat().st_size), **more)


def test_a_sound_shard_has_no_findings(shard):
    facts = check(*shard, keep={2})
    assert not facts.findings
    assert len(facts.id_hashes) == len(set(facts.id_hashes)) == shard[1].records
    assert facts.speakers == {"s": shard[1].num_samples.sum()}
    assert sum(facts.characters.values()) == shard[1].num_labels.sum()
    (kept,) = facts.kept.values()
    assert (kept.text, len(kept.samples)) == ("LEFT RIGHT", shard[1].num_samples[2])


def test_a_damaged_record_is_named_and_the_others_are_checked(shard, tmp_path):
    def change(place, feature):
        if place in (1, 3):
            feature["num_samples"].int64_list.value[0] += 1

    facts = check(rewritten(shard[0], tmp_path, change), shard[1])
    said, there = shard[1].num_samples[1] + 1, shard[1].num_samples[1]
    assert [finding.record for finding in facts.findings] == [1, 3]
    assert str(facts.findings[0]) == (
        f"{shard[1].file}, record 1: (001.wav) num_samples says {said}, there are {there} samples in its audio"
    )
    assert facts.speakers["s"] == shard[1].num_samples.sum() - shard[1].num_samples[[1, 3]].sum()


def test_records_that_are_missing_are_noticed(shard, tmp_path):
    path = tmp_path / shard[0].name
    with tf.io.TFRecordWriter(str(path)) as file:
        for record in list(tf.data.TFRecordDataset(str(shard[0])).as_numpy_iterator())[:-1]:
            file.write(record)
    (finding,) = check(path, shard[1]).findings
    n = shard[1].records
    assert str(finding) == f"{shard[1].file}: it ends after {n - 1} records, the index says {n}"


def test_records_that_the_index_does_not_know_are_noticed(shard):
    fewer = dataclasses.replace(shard[1], records=2)
    findings = check(shard[0], fewer).findings
    assert str(findings[0]) == f"{shard[1].file}, record 2: the index knows 2 records of this shard only"


def test_a_shard_that_is_all_wrong_is_given_up(shard, tmp_path):
    many = tmp_path / "many.tfrecord"
    record = next(iter(tf.data.TFRecordDataset(str(shard[0])).as_numpy_iterator()))
    with tf.io.TFRecordWriter(str(many)) as file:
        for _ in range(50):
            file.write(record)
    wrong = dataclasses.replace(shard[1], records=50, num_samples=np.ones(50, int), num_labels=np.ones(50, int))
    findings = check(many, wrong).findings
    assert len(findings) == MOST_FINDINGS + 1
    assert str(findings[-1]).endswith(": nothing from record 20 on was looked at")


def test_a_shard_that_cannot_be_opened_is_a_finding(shard, tmp_path):
    (finding,) = check_shard(str(tmp_path / "gone"), shard[1]).findings
    assert "it cannot be read: " in str(finding)


def test_a_bucket_that_fails_in_between_is_a_finding(shard, monkeypatch):
    def read_records(path, size):
        raise RuntimeError("az://account/container/shard: no answer")
        yield

    monkeypatch.setattr("data_tools.verify.read_records", read_records)
    (finding,) = check(*shard).findings
    assert "it cannot be read: az://account/container/shard: no answer" in str(finding)
