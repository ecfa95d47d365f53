"""gs:// folders over real HTTP (tests/gcs_server.py): chosen files come whole or not at all, refusals are told."""

import asyncio
import gc
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.gcs_server import GcsServer
from wav2vec2_tf import gcs
from wav2vec2_tf.remote import fetch

pytest.importorskip("gcsfs")

FILES = {"config.json": b"{}", "model.safetensors": os.urandom(200_000), "notes/deep.json": b"{}"}


@pytest.fixture
def storage(monkeypatch, tmp_path):
    """A bucket with a model in runs/best, and an own place for temporary folders."""
    objects = {f"runs/best/{name}": content for name, content in FILES.items()}
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with GcsServer({"bucket": objects, "empty": {}}) as server:
        server.temporary = tmp_path / "temporary"
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        monkeypatch.setenv("NO_GCE_CHECK", "true")  # no search for Google's metadata server
        yield server


@pytest.mark.parametrize("url", ["gs://bucket/runs/best", "gs://bucket/runs/best/"])
def test_a_folder_comes_byte_for_byte(storage, url):
    fetched = fetch(url, sorted)
    assert fetched.files == ("config.json", "model.safetensors")
    assert [path.read_bytes() for path in fetched.paths] == [FILES[name] for name in fetched.files]
    assert fetched.name == url


def test_only_what_is_chosen_is_copied(storage):
    assert os.listdir(fetch("gs://bucket/runs/best", lambda names: names[:1]).folder) == ["config.json"]


def test_a_file_is_its_own_choice(storage):
    fetched = fetch("gs://bucket/runs/best/config.json", lambda names: [])
    assert [path.read_bytes() for path in fetched.paths] == [b"{}"]


def test_the_copy_lives_as_long_as_what_was_fetched(storage):
    fetched = fetch("gs://bucket/runs/best", sorted)
    assert os.listdir(storage.temporary) == [fetched.folder.name]
    del fetched
    gc.collect()
    assert os.listdir(storage.temporary) == []


@pytest.mark.parametrize("url", ["gs://absent/runs", "gs://bucket/runs/worst", "gs://empty", "gs://"])
def test_what_is_not_there_is_told(storage, url):
    with pytest.raises(FileNotFoundError, match=f"There is no bucket, folder or file {url}"):
        fetch(url, sorted)


@pytest.mark.parametrize("fault", ["anonymous", "forbidden"])
def test_missing_rights_say_how_to_get_them(storage, fault, capfd):
    storage.fault = fault
    with pytest.raises(PermissionError, match=r"gs://bucket/runs may not be read .*application-default login"):
        fetch("gs://bucket/runs", sorted)
    assert "Traceback" not in capfd.readouterr().err


def test_a_cut_download_leaves_nothing_behind(storage, monkeypatch):
    async def no_sleep(seconds, wait=asyncio.sleep):
        await wait(0)

    monkeypatch.setattr("gcsfs.retry.asyncio.sleep", no_sleep)
    storage.fault = "cut"
    with pytest.raises(ConnectionError, match="gs://bucket/runs/best could not be fetched .*Nothing of it was kept"):
        fetch("gs://bucket/runs/best", sorted)
    assert os.listdir(storage.temporary) == []
    storage.fault = None
    fetched = fetch("gs://bucket/runs/best", sorted)
    assert fetched.paths[1].read_bytes() == FILES["model.safetensors"]


def test_a_copy_of_another_size_is_refused(storage, monkeypatch):
    monkeypatch.setattr("gcsfs.core.GCSFileSystem.get_file", lambda self, source, target: Path(target).write_bytes(b""))
    with pytest.raises(ConnectionError, match="config.json came with 0 of 2 bytes"):
        fetch("gs://bucket/runs/best", sorted)


def test_a_full_disk_is_an_error_of_the_disk(storage, monkeypatch):
    def full(self, source, target):
        raise OSError(28, "No space left on device", target)

    monkeypatch.setattr("gcsfs.core.GCSFileSystem.get_file", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        fetch("gs://bucket/runs/best", sorted)
    assert not isinstance(caught.value, ConnectionError)


@pytest.mark.parametrize("case", ["closed port", "no such host", "no resolver", "silent"])
def test_no_network_fails_within_five_seconds(storage, case, monkeypatch):
    if case == "silent":
        storage.fault = "silent"
        monkeypatch.setattr(gcs, "_LIST_SECONDS", 1)
    else:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:9" if case == "closed port" else "storage.invalid")
    if case == "no resolver":
        monkeypatch.setattr(gcs, "REACH_SECONDS", 1)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: time.sleep(30))
    start = time.monotonic()
    with pytest.raises(ConnectionError, match="gs://bucket/runs could not be fetched"):
        fetch("gs://bucket/runs", sorted)
    assert time.monotonic() - start < 5


def test_without_gcsfs_the_extra_is_named(storage):
    code = "import sys; sys.modules['gcsfs'] = None\nfrom wav2vec2_tf import remote; remote.fetch('gs://b/x', sorted)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )
    assert done.stderr.strip().endswith("pip install 'wav2vec2-tf[gcs]'.")
