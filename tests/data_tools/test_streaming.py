"""Shards in a bucket, through the real clients over TLS: written from recordings in a bucket, streamed by TensorFlow.

One process reads several buckets, each with a fault of its own; the tests look at what became of each.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_tools.index import load_index
from data_tools.streaming import check_streaming
from tests.gcs_tls_server import GcsTls

ROOT = Path(__file__).parents[2]
SHARD = "train-00001-of-.*tfrecord"

READ_ALL = """
import hashlib, json, os, sys, time
from data_tools.index import load_index
from data_tools.reader import batches, plan_buckets
from train.flags import parse
from train.setup import load_processor

def digest(folder):
    index = load_index(folder)
    characters = {char: place for place, char in enumerate(sorted(index.characters))}
    buckets = plan_buckets(index.lengths("train"), index.label_counts("train"), batch_seconds=20)
    found = hashlib.sha256()
    for batch in batches(index, "train", characters, None, buckets, seed=1):
        found.update(b" ".join(batch["id"].numpy()) + batch["audio"].numpy().tobytes())
    return found.hexdigest()
"""

EACH = """
outcomes = {}
for name in sys.argv[1:]:
    try:
        outcomes[name] = digest(f"gs://{name}/shards")
    except Exception as error:
        outcomes[name] = f"{type(error).__name__}: {error}"
time.sleep(3)
outcomes["later"] = digest("gs://private/shards")
config = parse(["--data", "gs://sound/shards", "--out", "x"]).config
outcomes["vocabulary"] = load_processor(config).tokenizer.vocab
outcomes["block"] = os.environ["GCS_READ_CACHE_BLOCK_SIZE_MB"]
print(json.dumps(outcomes))
"""


def run(storage, command: list[str], **environ: str) -> subprocess.CompletedProcess:
    surroundings = os.environ | storage.environ | environ
    surroundings.pop("STORAGE_EMULATOR_HOST", None)
    return subprocess.run(command, capture_output=True, text=True, env=surroundings, cwd=ROOT, check=False)


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    pytest.importorskip("gcsfs")
    with GcsTls(tmp_path_factory.mktemp("tls")) as server:
        yield server


@pytest.fixture(scope="module")
def outcomes(storage, shards) -> dict:
    """What became of each bucket: the digest of all it gave, or the error."""
    objects = {f"shards/{path.name}": path.read_bytes() for path in shards.iterdir() if path.is_file()}
    names = ("sound", "private", "busy", "hung-up", "cut", "flipped", "forbidden", "unfinished", "one-missing")
    for name in names:
        storage.bucket(name, objects, private=name == "private")
    storage.remove("unfinished", "shards/index.json")
    storage.remove("one-missing", next(name for name in objects if name.startswith("shards/train-00001")))
    storage.fault("503", f"GET /busy/.*{SHARD}", times=2)
    storage.fault("reset", f"GET /hung-up/.*{SHARD}", times=2)
    storage.fault("truncate", f"GET /cut/.*{SHARD}", times=2)
    storage.fault("flip", f"GET /flipped/.*{SHARD}", times=99)
    storage.fault("403", "GET .*/b/forbidden/o/.*fields=size", times=99)  # only TensorFlow asks for fields
    storage.tokens(62)  # TensorFlow renews a token a minute before its end
    done = run(
        storage, [sys.executable, "-c", READ_ALL + EACH, *names], GOOGLE_APPLICATION_CREDENTIALS=storage.key_file
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def local(shards) -> str:
    """The digest of the same shards on this machine."""
    namespace = {}
    exec(READ_ALL, namespace)
    return namespace["digest"](shards)


def test_a_bucket_streams_what_a_folder_does(outcomes, local):
    assert outcomes["sound"] == local


@pytest.mark.parametrize("name", ["busy", "hung-up", "cut"])
def test_what_passes_by_itself_changes_nothing(outcomes, local, name):
    assert outcomes[name] == local


def test_a_token_that_runs_out_is_renewed(outcomes, local, storage):
    assert (outcomes["private"], outcomes["later"]) == (local, local)
    assert sum("POST /oauth2/v4/token" in line for line in storage.requests()) >= 2  # where TensorFlow asks


def test_a_flipped_byte_names_the_shard(outcomes):
    assert outcomes["flipped"].startswith("InvalidArgumentError: ")
    assert "A shard is damaged or gone" in outcomes["flipped"]
    assert "gs://flipped/shards/train-00001-of-" in outcomes["flipped"]


def test_credentials_that_tensorflow_lacks_are_told_before_the_epoch(outcomes):
    assert outcomes["forbidden"].startswith("PermissionError: gs://forbidden/shards/train-00000-of-")
    assert "may not be streamed with the credentials that TensorFlow finds" in outcomes["forbidden"]


def test_a_bucket_without_index_was_not_finished(outcomes):
    assert outcomes["unfinished"].startswith("ShardsError: gs://unfinished/shards holds no index.json")


def test_a_missing_shard_is_named(outcomes):
    assert outcomes["one-missing"].startswith("ShardsError: gs://one-missing/shards/train-00001-of-")
    assert " is missing, the index says " in outcomes["one-missing"]


def test_a_run_takes_its_vocabulary_from_the_bucket(outcomes, shards):
    assert outcomes["vocabulary"] == json.loads((shards / "vocab.json").read_text())


def test_blocks_are_small(outcomes):
    assert outcomes["block"] == "16"


def test_a_bucket_that_tensorflow_cannot_reach_is_told(monkeypatch):
    monkeypatch.setattr("data_tools.streaming._SECONDS", 0.01)
    monkeypatch.setattr("data_tools.streaming.tf.io.gfile.stat", lambda file: __import__("time").sleep(1))
    with pytest.raises(ConnectionError, match="gs://b/x cannot be streamed by TensorFlow .no answer within 0.01 sec"):
        check_streaming("gs://b/x")


def test_shards_are_written_from_bucket_to_bucket(storage, corpus, tmp_path):
    for i, text in enumerate(("YES", "NO", "YES NO", "NO NO")):
        corpus.add(text, seconds=1 + i / 10, split="dev" if i == 3 else "train")
    corpus.list("NO", "absent.wav")
    manifest = corpus.manifest
    sources = {f"speech/{path.name}": path.read_bytes() for path in corpus.root.iterdir()}
    storage.bucket("sources", sources)
    storage.bucket("target")
    storage.fault("503", "GET /download/.*sources.*wav", times=1)
    storage.fault("reset", "POST /upload/.*target", times=1, after=2)
    command = [sys.executable, "-m", "data_tools.make_tfrecords", "--workers", "1"]
    near = run(storage, [*command, "--manifest", manifest, "--audio_root", corpus.root, "--out", tmp_path / "out"])
    assert near.returncode == 0, near.stderr
    root = ["--manifest", "gs://sources/speech/manifest.tsv", "--audio_root", "gs://sources/speech"]
    far = run(storage, [*command, *root, "--out", "gs://target/out"])
    assert far.returncode == 0, far.stderr
    written = storage.objects("target")
    assert sorted(written) == sorted(f"out/{path.name}" for path in (tmp_path / "out").iterdir())
    assert load_index(tmp_path / "out").rejected == {"missing_file": 1}
    for path in (tmp_path / "out").glob("*.tfrecord"):
        assert hashlib.sha256(written[f"out/{path.name}"]).digest() == hashlib.sha256(path.read_bytes()).digest()
    assert json.loads(written["out/index.json"]) == json.loads((tmp_path / "out" / "index.json").read_text())
    asked = storage.requests()
    first = [next(i for i, line in enumerate(asked) if part in line) for part in ("b/target/o/out%2F.probe", ".wav")]
    assert first == sorted(first)  # writing is tried out before anything is decoded


def test_a_bucket_that_may_not_be_written_is_told_before_the_work(storage, corpus):
    corpus.add("YES")
    storage.bucket("locked", private=True)
    for bucket, told in (("locked", "may not be read with these credentials, or without any"), ("gone", "no bucket")):
        command = ["--manifest", corpus.manifest, "--audio_root", corpus.root, "--out", f"gs://{bucket}/out"]
        done = run(storage, [sys.executable, "-m", "data_tools.make_tfrecords", *command])
        assert done.returncode == 1
        assert done.stderr.startswith("make_tfrecords: ")
        assert told in done.stderr
