"""A local folder and a bucket are asked and filled alike; a bucket's faults are healed or told.

Each test of the bucket (tests/gcs_tls_server.py) runs real clients in a process of its own: they read their
surroundings once.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_tools.place import Place
from tests.gcs_tls_server import GcsTls

ROOT = Path(__file__).parents[2]

# Waits between tries are left out; the last line says how a script ended.
PREAMBLE = """
import asyncio, os, sys, time
import gcsfs.retry
from pathlib import Path
from data_tools import gcs
from data_tools.place import Place
wait = asyncio.sleep
async def soon(seconds):
    await wait(0)
gcsfs.retry.asyncio.sleep = soon
"""


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    pytest.importorskip("gcsfs")
    with GcsTls(tmp_path_factory.mktemp("tls")) as server:
        yield server


@pytest.fixture
def bucket(storage, request):
    """A bucket's name; TensorFlow and others remember what they saw, so each test has its own."""
    name = request.node.originalname.replace("_", "-")[:40] + str(time.monotonic_ns())
    storage.bucket(name, {"shards/a.txt": b"hello", "shards/deep/b": b"x"})
    return name


def run(storage, code: str, **environ: str) -> str:
    """Runs a script among the server's surroundings; gives what it printed, or the last line of its error."""
    surroundings = os.environ | storage.environ | environ
    surroundings.pop("STORAGE_EMULATOR_HOST", None)
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + code], capture_output=True, text=True, env=surroundings, cwd=ROOT,
        timeout=120, check=False,
    )  # fmt: skip
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


# -- local ------------------------------------------------------------------------------------------------------------


def test_a_local_place_is_its_folder(tmp_path):
    place = Place.of(tmp_path / "new")
    assert (str(place), place / "a", place.name) == (str(tmp_path / "new"), str(tmp_path / "new" / "a"), "new")
    assert (place.is_bucket, place.list(), place.exists("a")) == (False, {}, False)
    assert place.free_space() == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    place.check_writable()
    place.write_text("a", "text")
    assert (place.read_text("a"), place.list(), place.exists("a")) == ("text", {"a": 4}, True)
    place.remove("a")
    place.remove("a")
    assert place.list() == {}


def test_a_finished_file_is_moved_to_its_name(tmp_path):
    place = Place.of(tmp_path / "new")
    with place.workshop() as folder:
        (folder / "a.part").write_bytes(b"12")
        place.upload(folder / "a.part", "a")
    assert place.list() == {"a": 2}


@pytest.mark.parametrize("folder", ["gs://b/x", "gs://b/x/", Path("gs://b/x"), "gs:/b/x", Place("gs://b/x")])
def test_a_bucket_is_known_however_it_is_spelled(folder):
    place = Place.of(folder)
    assert (place.url, place.is_bucket, place.name, place / "a") == ("gs://b/x", True, "x", "gs://b/x/a")


@pytest.mark.parametrize("folder", ["s3://b/x/", Path("s3://b/x"), "az://b/x"])
def test_other_storages_have_their_addresses(folder):
    place = Place.of(folder)
    assert (place.url[1:], place.is_bucket, place / "a") == (f"{str(folder)[1]}://b/x", True, f"{place.url}/a")


@pytest.mark.parametrize("folder", ["oss://b/x", "gs://", Path("hdfs://b/x")])
def test_another_kind_of_storage_is_refused(folder):
    with pytest.raises(ValueError, match="is neither a local folder nor gs://BUCKET/FOLDER, s3://BUCKET/FOLDER or az:"):
        Place.of(folder)


# -- in a bucket ------------------------------------------------------------------------------------------------------


def test_a_bucket_answers_as_a_folder_does(storage, bucket):
    told = run(
        storage,
        f"""
place = Place.of("gs://{bucket}/shards")
place.check_writable()
place.write_text("b.txt", "Grüße")
print(place.read_text("b.txt"), place.exists("b.txt"), place.exists("deep"), place.free_space())
place.remove("b.txt"); place.remove("b.txt")
with place.workshop() as folder:
    (folder / "c").write_bytes(bytes(6_000_000))
    place.upload(folder / "c", "c")
    print(list(folder.iterdir()))
print(folder.exists(), place.list(), Place.of("gs://{bucket}/none").list(), gcs.files_below(str(place)))
print(gcs.read_part(place / "a.txt", 1, 3), gcs.read_part(place / "a.txt", 3, 9))
""",
    )
    listed = "{'a.txt': 5, 'c': 6000000}"
    below = "{'a.txt': 5, 'c': 6000000, 'deep/b': 1}"
    assert told == f"Grüße True False None\n[]\nFalse {listed} {{}} {below}\nb'ell' b'lo'"
    assert storage.objects(bucket) == {"shards/a.txt": b"hello", "shards/c": bytes(6_000_000), "shards/deep/b": b"x"}


@pytest.mark.parametrize("kind", ["503", "429", "reset", "truncate", "flip"])
def test_what_passes_by_itself_is_tried_again_while_reading(storage, bucket, kind):
    storage.fault(kind, f"GET /download/.*{bucket}.*a.txt", times=2)
    assert run(storage, f"print(gcs.read('gs://{bucket}/shards/a.txt'))") == "b'hello'"


@pytest.mark.parametrize("kind", ["503", "reset", "lose"])
def test_what_passes_by_itself_is_tried_again_while_uploading(storage, bucket, kind, tmp_path):
    content = os.urandom(6_000_000)  # more than is sent in one request
    (tmp_path / "big").write_bytes(content)
    storage.fault(kind, f"POST /upload/.*{bucket}.*{'upload_id' if kind != '503' else ''}", times=2)
    assert run(storage, f"Place.of('gs://{bucket}/x').upload(Path({str(tmp_path / 'big')!r}), 'big')") == ""
    assert storage.objects(bucket)["x/big"] == content
    assert not (tmp_path / "big").exists()


def test_bytes_that_keep_changing_are_told(storage, bucket, tmp_path):
    storage.fault("flip", f"GET /download/.*{bucket}", times=99)
    told = run(storage, f"gcs.read('gs://{bucket}/shards/a.txt')")
    assert "a.txt came 3 times with another checksum than the storage states" in told
    (tmp_path / "shard").write_bytes(b"123")
    storage.fault("lose", f"POST /upload/.*{bucket}", times=99)
    told = run(storage, f"gcs.upload(Path({str(tmp_path / 'shard')!r}), 'gs://{bucket}/shard')")
    assert "/shard arrived 3 times with another checksum than" in told
    assert "shard" not in storage.objects(bucket)


def test_a_proxy_that_answers_otherwise_is_told(storage, bucket):
    storage.fault("flip", f"GET /download/.*{bucket}", times=1)
    told = run(storage, f"Place.of('gs://{bucket}/x').check_writable()")
    assert "was written and reads back as b'prnbe'. Is a proxy in between?" in told


@pytest.mark.parametrize(
    ("do", "error"),
    [
        ("check_writable()", "FileNotFoundError: There is no bucket, folder or file gs://absent/x."),
        ("write_text('a', 'b')", "FileNotFoundError: There is no bucket, folder or file gs://absent/x/a."),
        ("read_text('a')", "FileNotFoundError: There is no bucket, folder or file gs://absent/x/a."),
    ],
)
def test_an_absent_bucket_is_told_at_once(storage, do, error):
    assert run(storage, f"Place.of('gs://absent/x').{do}").startswith(error)


def test_missing_credentials_are_told_at_once(storage, bucket):
    storage.bucket("private", {"x/a": b"1"}, private=True)
    for do, verb in (("check_writable()", "written"), ("list()", "read")):
        told = run(storage, f"Place.of('gs://private/x').{do}")
        assert told.startswith(f"PermissionError: gs://private/x may not be {verb} with these credentials, or without")


def test_expired_credentials_are_told_at_once(storage, bucket):
    storage.tokens(3600, refused=True)
    start = time.monotonic()
    told = run(storage, f"Place.of('gs://{bucket}/x').list()", GOOGLE_APPLICATION_CREDENTIALS=storage.key_file)
    storage.tokens(3600)
    assert "PermissionError" in told
    assert "gcloud auth application-default login" in told
    assert time.monotonic() - start < 20


def test_a_token_that_runs_out_is_renewed(storage):
    storage.bucket("renewed", {"x/a": b"1"}, private=True)
    storage.tokens(302)  # renewed five minutes before its end
    code = "for _ in range(3):\n    print(Place.of('gs://renewed/x').read_text('a'))\n    time.sleep(1.5)"
    told = run(storage, code, GOOGLE_APPLICATION_CREDENTIALS=storage.key_file)
    storage.tokens(3600)
    assert told == "1\n1\n1"
    assert sum("token" in line for line in storage.requests()) >= 2


def test_a_storage_that_says_nothing_is_told(storage, bucket):
    storage.fault("silent", f"POST /upload/.*{bucket}", times=9)
    code = f"gcs._PROBE_SECONDS = 1\nPlace.of('gs://{bucket}/x').check_writable()"
    assert "could not be written (no answer within 1 seconds)" in run(storage, code + "\nos._exit(0)")


def test_no_network_is_told_at_once(storage):
    told = run(storage, "Place.of('gs://b/x').list()", https_proxy="http://127.0.0.1:9")
    assert told.startswith("ConnectionError: gs://b/x could not be fetched ([Errno 111] Connection refused)")


def test_a_metadata_server_that_is_absent_is_asked_once(storage):
    code = "from wav2vec2_tf.gcs import skip_absent_metadata\nskip_absent_metadata()\nprint(os.environ['NO_GCE_CHECK'])"
    assert run(storage, code, NO_GCE_CHECK="", GCE_METADATA_HOST="127.0.0.1:9") == "true"
    assert run(storage, code, NO_GCE_CHECK="", GCE_METADATA_HOST=f"127.0.0.1:{storage.port}") == ""
