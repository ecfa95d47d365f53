"""Caches of float features filled the disk; what was open was half written (datasets #2591, transformers #20195)."""

import shutil
from collections import namedtuple

import pytest

from data_tools.index import ShardsError, load_index
from data_tools.make_tfrecords import main


def test_a_record_takes_two_bytes_per_sample(shards):
    index = load_index(shards)
    for shard in index.shards("train"):
        assert shard.bytes < 2 * shard.num_samples.sum() + 300 * shard.records


def test_a_disk_too_small_is_told_before_anything_is_written(recordings, tmp_path, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 100_000, 100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    flags = ["--manifest", f"{recordings}/manifest.tsv", "--audio_root", str(recordings), "--workers", "1"]
    assert main([*flags, "--out", str(tmp_path / "out")]) == 1
    assert "100000 free" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.tfrecord*"))


def test_shards_without_their_last_file_are_not_opened(shards, tmp_path):
    folder = shutil.copytree(shards, tmp_path / "copy", ignore=shutil.ignore_patterns("index.json"))
    with pytest.raises(ShardsError, match="did not finish"):
        load_index(folder)


def test_a_shard_copied_by_half_is_not_opened(shards, tmp_path):
    folder = shutil.copytree(shards, tmp_path / "copy")
    half = sorted(folder.glob("*.tfrecord"))[1]
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    with pytest.raises(ShardsError, match=f"{half.name} has .* bytes, the index says"):
        load_index(folder)
