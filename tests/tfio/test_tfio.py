"""s3:// and az:// serve as gs:// does, with tensorflow-io and TensorFlow 2.16: `make test-tfio`.

Each script runs in a process of its own: TensorFlow reads its surroundings once.
"""

import os
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
from data_tools import tfio
from data_tools.place import Place
from data_tools.storage import storage_of
"""


@pytest.fixture(scope="module", params=["s3", "az"])
def server(request):
    yield from getattr(servers, request.param)()


@pytest.fixture
def bucket(server):
    """The address of an empty bucket."""
    url = server.url(f"bucket-{uuid.uuid4().hex}")
    ended = run(server, make_bucket(url))
    assert ended.returncode == 0, ended.stderr
    return url


def make_bucket(url: str) -> str:
    if url.startswith("az://"):
        return f"tfio.load().io.gfile.mkdir({url!r})"
    request = f"os.environ['S3_ENDPOINT'] + '/' + {url.removeprefix('s3://')!r}, method='PUT'"
    return f"import os, urllib.request\nurllib.request.urlopen(urllib.request.Request({request}))"


def run(server, code: str, **environ: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", PREAMBLE + code], capture_output=True, text=True, cwd=ROOT, timeout=200, check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | server.environ | environ,
    )  # fmt: skip


def told(server, code: str, **environ: str) -> str:
    """Gives what a script printed, or the last line of its error."""
    done = run(server, code, **environ)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def test_a_bucket_answers_as_a_folder_does(server, bucket):
    code = f"""
place = Place.of("{bucket}/shards")
storage = storage_of(place.url)
print(place.list(), place.exists("a"))
place.check_writable()
place.write_text("b.txt", "Grüße")
storage.write("{bucket}/shards/deep/er/c", b"x")
print(place.read_text("b.txt"), place.exists("b.txt"), place.exists("deep"), place.free_space())
print(place.list(), storage.files_below(place.url))
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
    assert told(server, code).splitlines() == [
        "{} False",
        "Grüße True False None",
        "{'b.txt': 7} {'b.txt': 7, 'deep/er/c': 1}",
        "False {'c': 20000000} True",
        "{'c': 0} b''",
        "5 b'ell' b'lo'",
        "b'll' 4",
    ]


@pytest.mark.parametrize("do", ["read(URL)", "read_part(URL, 2, 3)", "open_read(URL)"])
def test_an_absent_file_is_told(server, bucket, do):
    error = told(server, f"URL = '{bucket}/none'\ntfio.{do}")
    assert error == f"FileNotFoundError: There is no bucket, folder or file {bucket}/none."


def test_an_absent_bucket_is_told(server):
    url = server.url("absent") + "/x"
    assert told(server, f"Place.of('{url}').check_writable()").startswith("FileNotFoundError: There is no")
    assert told(server, f"Place.of('{url}').read_text('a')").startswith("FileNotFoundError: There is no")


@pytest.mark.parametrize(("do", "verb"), [("check_writable()", "written"), ("list()", "read")])
def test_missing_rights_are_told(server, bucket, do, verb):
    error = told(server, f"Place.of('{bucket}/x').{do}", **server.strangers)
    assert error.startswith(f"PermissionError: {bucket}/x")
    assert f"may not be {verb} with these credentials, or without any" in error
    assert {"s3": "AWS_ACCESS_KEY_ID", "az": "TF_AZURE_STORAGE_KEY"}[server.kind] in error


def test_no_network_is_told_and_is_no_empty_folder(server):
    error = told(server, f"Place.of('{server.url('b')}/x').list()", **server.nowhere)
    assert error.startswith(f"ConnectionError: {server.url('b')}/x could not be read (")


def test_an_object_of_another_size_is_removed_and_told(server, bucket, tmp_path):
    (tmp_path / "c").write_bytes(b"12345")
    code = f"size = tfio._size\ntfio._size = lambda url: 3\ntfio.upload(Path({str(tmp_path / 'c')!r}), '{bucket}/x/c')"
    assert told(server, code).endswith("arrived with 3 of 5 bytes and was removed. Run it again.")
    assert told(server, f"print(Place.of('{bucket}/x').list())") == "{}"


def test_a_probe_that_reads_back_otherwise_is_told(server, bucket):
    error = told(server, f"tfio.read = lambda url: b'prnbe'\nPlace.of('{bucket}/x').check_writable()")
    assert error.endswith("was written and reads back as b'prnbe'. Is a proxy in between?")


def test_the_exit_status_is_that_of_the_script(server, bucket):
    code = f"import sys\nPlace.of('{bucket}/x').write_text('a', 'b')\nprint('told')\nsys.exit(7)"
    done = run(server, code)
    assert (done.returncode, done.stdout) == (7, "told\n")


def test_a_corpus_in_a_bucket_becomes_the_shards_and_batches_of_a_local_one(server, bucket, tmp_path):
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
print("RESULT", Place.of(out).list().keys() == Place.of(local / "shards").list().keys())
def audio(folder):
    index = load_index(folder)
    buckets = plan_buckets(index.lengths("train"), index.label_counts("train"), batch_seconds=4, max_buckets=2)
    labels = {{char: i for i, char in enumerate(sorted(index.characters))}}
    read = batches(index, "train", labels, None, buckets, seed=3, window_bytes=100_000)
    return [(batch["id"].numpy().tolist(), batch["audio"].numpy().tolist()) for batch in read]
print("RESULT", len(audio(out)), audio(out) == audio(local / "shards"))
print("RESULT", inspect(out, verify=True, out=local / "told").findings)
"""
    done = run(server, code)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert lines == ["RESULT 0 0", "RESULT True", "RESULT 4 True", "RESULT []"]
