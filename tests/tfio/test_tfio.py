"""s3:// and az:// serve as gs:// does, with tensorflow-io and TensorFlow 2.16: `make test-tfio`.

Scripts run in processes of their own: the native code reads its surroundings once.
"""

import json
import os
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.tfio import servers

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.tfio

PREAMBLE = """
from pathlib import Path
from unittest.mock import patch
from data_tools import tfio
from data_tools.place import Place
from data_tools.storage import storage_of
"""

SERVE = """
import contextlib, io, json, sys
for line in sys.stdin:
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told):
            exec(json.loads(line), dict(globals()))
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=told)
    print(json.dumps(told.getvalue().strip()), flush=True)
"""


class Client:
    """A process that runs one script after the other; it takes a while to start."""

    def __init__(self, server, **environ: str):
        command = [sys.executable, "-c", PREAMBLE + SERVE]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=surroundings(server) | environ, cwd=ROOT, **pipes)

    def told(self, code: str) -> str:
        """Gives what a script printed, and its error."""
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self) -> int:
        self.process.stdin.close()
        return self.process.wait(60)


def surroundings(server) -> dict[str, str]:
    return os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | server.environ


@pytest.fixture(scope="module", params=["s3", "az"])
def server(request):
    yield from getattr(servers, request.param)()


@pytest.fixture(scope="module")
def client(server):
    client = Client(server)
    yield client
    assert client.end() == 0


@pytest.fixture
def bucket(server, client):
    """The address of an empty bucket."""
    url = server.url(f"bucket-{uuid.uuid4().hex}")
    assert client.told(make_bucket(url)) == ""
    return url


def make_bucket(url: str) -> str:
    if url.startswith("az://"):
        return f"tfio.load().io.gfile.mkdir({url!r})"
    request = f"os.environ['S3_ENDPOINT'] + '/' + {url.removeprefix('s3://')!r}, method='PUT'"
    return f"import os, urllib.request\nurllib.request.urlopen(urllib.request.Request({request}))"


def test_a_bucket_answers_as_a_folder_does(client, bucket):
    code = f"""
place = Place.of("{bucket}/shards")
storage = storage_of(place.url)
print(place.list(), place.exists("a"))
place.check_writable()
place.write_text("b.txt", "Grüße")
storage.write("{bucket}/shards/deep/er/c", b"x")
print(place.read_text("b.txt"), place.exists("b.txt"), place.exists("deep"), place.free_space())
print(place.list(), sorted(storage.files_below(place.url).items()))
place.remove("b.txt"); place.remove("b.txt")
big = bytes(range(250)) * 80_000
with place.workshop() as folder:
    (folder / "c").write_bytes(big)
    place.upload(folder / "c", "c")
print(folder.exists(), place.list(), storage.read(place / "c") == big)
place.write_text("c", "")
print(place.list(), storage.read(place / "c"))
place.write_text("a b+%.txt", "hello")
odd = place / "a b+%.txt"
print(place.list()["a b+%.txt"], storage.read_part(odd, 1, 3), storage.read_part(odd, 3, 9))
with storage.open_read(odd) as file:
    file.seek(2)
    print(file.read(2), file.tell())
"""
    assert client.told(code).splitlines() == [
        "{} False",
        "Grüße True False None",
        "{'b.txt': 7} [('b.txt', 7), ('deep/er/c', 1)]",
        "False {'c': 20000000} True",
        "{'c': 0} b''",
        "5 b'ell' b'lo'",
        "b'll' 4",
    ]


@pytest.mark.parametrize("do", ["read(URL)", "read_part(URL, 2, 3)", "open_read(URL)"])
def test_an_absent_file_is_told(client, bucket, do):
    error = client.told(f"URL = '{bucket}/none'\ntfio.{do}")
    assert error == f"FileNotFoundError: There is no bucket, folder or file {bucket}/none."


def test_an_absent_bucket_is_told(server, client):
    url = server.url("absent") + "/x"
    assert client.told(f"Place.of('{url}').check_writable()").startswith("FileNotFoundError: There is no")
    assert client.told(f"Place.of('{url}').read_text('a')").startswith("FileNotFoundError: There is no")


def test_an_object_of_another_size_is_removed_and_told(client, bucket, tmp_path):
    (tmp_path / "c").write_bytes(b"12345")
    wrong = (
        f"with patch.object(tfio, '_size', lambda url: 3): tfio.upload(Path({str(tmp_path / 'c')!r}), '{bucket}/x/c')"
    )
    assert client.told(wrong).endswith("arrived with 3 of 5 bytes and was removed. Run it again.")
    assert client.told(f"print(Place.of('{bucket}/x').list())") == "{}"


def test_a_probe_that_reads_back_otherwise_is_told(client, bucket):
    wrong = f"with patch.object(tfio, 'read', lambda url: b'prnbe'): Place.of('{bucket}/x').check_writable()"
    assert client.told(wrong).endswith("was written and reads back as b'prnbe'. Is a proxy in between?")


def test_missing_rights_are_told(server):
    stranger, url = Client(server, **server.strangers), server.url("bucket") + "/x"
    for do, verb in (("check_writable()", "written"), ("list()", "read")):
        error = stranger.told(f"Place.of('{url}').{do}")
        assert error.startswith(f"PermissionError: {url}")
        assert f"may not be {verb} with these credentials, or without any" in error
        assert {"s3": "AWS_ACCESS_KEY_ID", "az": "TF_AZURE_STORAGE_KEY"}[server.kind] in error
    stranger.end()


def test_no_network_is_told_and_is_no_empty_folder(server):
    lost, url = Client(server, **server.nowhere), server.url("bucket") + "/x"
    assert lost.told(f"Place.of('{url}').list()").startswith(f"ConnectionError: {url} could not be read (")
    lost.process.kill()


def test_a_silent_storage_is_given_up(server):
    """Silent, because nobody accepts what the system has queued for the socket."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        lost = Client(server, **{name: value.replace(":9", f":{port}") for name, value in server.nowhere.items()})
        url = server.url("bucket") + "/x"
        error = lost.told(f"tfio._REACH_SECONDS = 1\nPlace.of('{url}').list()")
        lost.process.kill()
    assert error.startswith(f"ConnectionError: {url} could not be read (no answer within 1 seconds)")


def test_the_exit_status_is_that_of_the_script(server):
    code = f"import sys\nprint(Place.of('{server.url('absent')}/x').list())\nsys.exit(7)"
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + code], capture_output=True, text=True, cwd=ROOT, check=False,
        env=surroundings(server),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (7, "{}\n")


def test_a_corpus_in_a_bucket_becomes_the_shards_and_batches_of_a_local_one(client, bucket, tmp_path):
    rows = ["path\ttranscript\tsplit"]
    for i in range(12):
        samples = np.random.default_rng(i).normal(0, 0.1, 8_000 + 800 * i).astype(np.float32)
        soundfile.write(tmp_path / f"{i:02d}.wav", samples, 16_000)
        rows.append(f"{i:02d}.wav\t{'YES NO'.split()[i % 2]}\t{'train' if i < 9 else 'test'}")
    (tmp_path / "manifest.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    code = f"""
from data_tools.inspect import inspect
from data_tools.make_tfrecords import main
from data_tools.reader import batches, load_index, plan_buckets
local, remote, out = Path({str(tmp_path)!r}), "{bucket}/corpus", "{bucket}/shards"
for path in [*local.glob("*.wav"), local / "manifest.tsv"]:
    tfio.write(f"{{remote}}/{{path.name}}", path.read_bytes())
def write(corpus, out, workers):
    same = ["--shard_megabytes=0.1", "--shuffle_seed=1", f"--workers={{workers}}"]
    return main([f"--manifest={{corpus}}/manifest.tsv", f"--audio_root={{corpus}}", f"--out={{out}}", *same])
print("RESULT", write(local, local / "shards", 1), write(remote, out, 2))
print("RESULT", *sorted(name for name in Place.of(out).list() if "tfrecord" not in name))
def audio(folder):
    index = load_index(folder)
    buckets = plan_buckets(index.lengths("train"), index.label_counts("train"), batch_seconds=4, max_buckets=2)
    labels = {{char: i for i, char in enumerate(sorted(index.characters))}}
    found = {{}}
    for batch in batches(index, "train", labels, None, buckets, seed=3, window_bytes=100_000):
        for id, clip, count in zip(batch["id"].numpy(), batch["audio"].numpy(), batch["num_samples"].numpy()):
            found[id.decode()] = clip[:count].tobytes()
    found.pop("", None)  # of rows that fill up
    return found
print("RESULT", len(audio(out)), audio(out) == audio(local / "shards"))
print("RESULT", inspect(out, verify=True, out=local / "told").findings)
"""
    told = client.told(code)
    lines = [line for line in told.splitlines() if line.startswith("RESULT")]
    assert lines == [
        "RESULT 0 0",
        "RESULT index.json lengths.png rejects.tsv report.txt vocab.json",
        "RESULT 9 True",
        "RESULT ()",
    ], told
