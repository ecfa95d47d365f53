"""The cache of shards: with files in the place of a bucket, and with a bucket over TLS."""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from data_tools import cache as cache_module
from data_tools.cache import ShardCache
from tests.data_tools.test_streaming import READ_ALL, run, storage  # noqa: F401  (a fixture)


@pytest.fixture
def bucket(tmp_path):
    """Four shards of 1000 bytes in each of two corpora."""
    for corpus in "ab":
        (tmp_path / corpus).mkdir()
        for number in range(4):
            (tmp_path / corpus / f"train-{number}.tfrecord").write_bytes(bytes([number]) * 1000)
    return tmp_path


@pytest.fixture
def shard_cache(tmp_path):
    return ShardCache(tmp_path / "cache", 2.5e-6)


def url(bucket, corpus, number):
    return str(bucket / corpus / f"train-{number}.tfrecord")


def kept(shard_cache):
    return sorted(path.name.split("-", 1)[1].rsplit("-", 2)[0] for path in shard_cache.folder.glob("*-*"))


def age(shard_cache, minutes=20):
    for path in shard_cache.folder.iterdir():
        os.utime(path, (time.time() - 60 * minutes,) * 2)


@pytest.fixture
def copies(monkeypatch):
    copied, real = [], cache_module.tf.io.gfile.copy

    def copy(source, target, overwrite):
        copied.append(source)
        real(source, target, overwrite=overwrite)

    monkeypatch.setattr(cache_module.tf.io.gfile, "copy", copy)
    return copied


def test_a_shard_is_fetched_once(bucket, shard_cache, copies):
    with ThreadPoolExecutor(8) as pool:  # each opens the lock by itself, as processes do
        paths = set(pool.map(shard_cache.open, [url(bucket, "a", 1)] * 8))
    assert len(copies) == len(paths) == 1
    assert Path(paths.pop()).read_bytes() == bytes([1]) * 1000


def test_what_finds_no_room_is_streamed(bucket, shard_cache):
    opened = [shard_cache.open(url(bucket, "a", number)) for number in range(3)]
    assert [os.path.dirname(path) == str(shard_cache.folder) for path in opened] == [True, True, False]
    assert opened[2] == url(bucket, "a", 2)


def test_a_corpus_does_not_drive_out_its_own_shards(bucket, shard_cache):
    for _ in range(2):
        for number in range(4):
            shard_cache.open(url(bucket, "a", number))
        age(shard_cache)
    assert kept(shard_cache) == ["train-0.tfrecord", "train-1.tfrecord"]


def test_another_corpus_takes_the_room_of_what_was_opened_longest_ago(bucket, shard_cache):
    for number in (0, 1):
        shard_cache.open(url(bucket, "a", number))
    age(shard_cache, 30)
    shard_cache.open(url(bucket, "a", 0))
    assert shard_cache.open(url(bucket, "b", 3)) != url(bucket, "b", 3)
    assert kept(shard_cache) == ["train-0.tfrecord", "train-3.tfrecord"]


def test_what_was_opened_in_the_last_minutes_stays(bucket, shard_cache):
    for number in (0, 1):
        shard_cache.open(url(bucket, "a", number))
    assert shard_cache.open(url(bucket, "b", 3)) == url(bucket, "b", 3)
    assert kept(shard_cache) == ["train-0.tfrecord", "train-1.tfrecord"]


def test_a_shard_written_anew_is_fetched_anew(bucket, shard_cache):
    path = bucket / "a" / "train-0.tfrecord"
    shard_cache.open(str(path))
    path.write_bytes(b"x" * 1000)
    os.utime(path, (1, 1))
    assert Path(shard_cache.open(str(path))).read_bytes() == b"x" * 1000


def test_what_a_killed_run_left_makes_room_and_other_files_stay(bucket, shard_cache, monkeypatch):
    monkeypatch.setattr(cache_module.tf.io.gfile, "copy", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    for number in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            shard_cache.open(url(bucket, "a", number))
    monkeypatch.undo()
    (shard_cache.folder / "notes.txt").write_text("mine")
    assert shard_cache.open(url(bucket, "a", 2)) == url(bucket, "a", 2)
    age(shard_cache)
    for number in (2, 3):
        assert shard_cache.open(url(bucket, "a", number)) != url(bucket, "a", number)
    assert sorted(os.listdir(shard_cache.folder))[-2:] == ["locks", "notes.txt"]
    assert not list(shard_cache.folder.glob("*.part"))


def test_again_replaces_what_is_there(bucket, shard_cache):
    path = Path(shard_cache.open(url(bucket, "a", 1)))
    path.write_bytes(b"damaged")
    assert Path(shard_cache.open(url(bucket, "a", 1), again=True)).read_bytes() == bytes([1]) * 1000


def test_a_full_disk_is_told_and_leaves_no_part(bucket, shard_cache, files_end_at):
    with files_end_at(500), pytest.raises(OSError, match="could not be kept in .* Make room there, or give the cache"):
        shard_cache.open(url(bucket, "a", 1))
    assert not kept(shard_cache)


def test_a_cache_without_room_is_refused(tmp_path):
    with pytest.raises(ValueError, match="A cache of 0 GB holds nothing. Give it room, or leave it out."):
        ShardCache(tmp_path, 0)


EPOCHS = """
from pathlib import Path
import data_tools.reader as reader
from data_tools.cache import ShardCache
cache = ShardCache(Path(sys.argv[1]), 1)
plain = reader.batches
batches = lambda *given, **named: plain(*given, cache=cache, **named)
found = [digest("gs://kept/shards"), digest("gs://kept/shards")]
shard = sorted(path for path in Path(sys.argv[1]).glob("*-train-*"))[1]
content = bytearray(shard.read_bytes())
content[5000] ^= 1
shard.write_bytes(content)
found.append(digest("gs://kept/shards"))
print(json.dumps(found))
"""


def test_repeated_epochs_are_read_from_the_cache_and_damage_is_mended(storage, shards, tmp_path):  # noqa: F811
    storage.bucket("kept", {f"shards/{path.name}": path.read_bytes() for path in shards.iterdir() if path.is_file()})
    done = run(storage, [sys.executable, "-c", READ_ALL + EPOCHS, str(tmp_path / "cache")])
    assert done.returncode == 0, done.stderr[-3000:]
    namespace = {}
    exec(READ_ALL, namespace)
    assert json.loads(done.stdout) == [namespace["digest"](shards)] * 3
    bodies = [line for line in storage.requests() if line.startswith("GET /kept/") and "train-" in line]
    times = {name: sum(name in line for line in bodies) for name in (path.name for path in shards.glob("train-*"))}
    assert sorted(times.values()) == [1] * (len(times) - 1) + [2]
