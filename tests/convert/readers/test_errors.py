"""Claims about files that are not what their name says: the message tells what they seem to be."""

import bz2
import gzip
import io
import lzma
import os
import tarfile

import numpy as np
import pytest

from convert.readers import CheckpointFileError, open_tensors
from tests.convert.readers.test_torch_file import GOLDEN


def tar() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.add(GOLDEN / "birth.json", "storages")
    return made.getvalue()


def npy() -> bytes:
    made = io.BytesIO()
    np.save(made, np.ones(3))
    return made.getvalue()


# what it seems to be                 content
SEEMING = (
    ("an HTML page",                  b"<!DOCTYPE html>\n<html><head><title>404</title>"),
    ("an HTML page",                  b"\xef\xbb\xbf \r\n<HTML lang=de>" + "ä".encode() * 400),
    ("an HTML page",                  b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"),
    ("a git-lfs pointer",             b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
    ("text that begins 'Entry not found'", b"Entry not found"),
    ('text that begins \'{"error":',  b'{"error": "Repository not found"}'),
    ("a gzip archive",                gzip.compress(b"x" * 99)),
    ("a bzip2 archive",               bz2.compress(b"x" * 99)),
    ("an xz archive",                 lzma.compress(b"x" * 99)),
    ("a tar archive",                 tar()),
    ("a NumPy array",                 npy()),
    ("an empty zip archive",          b"PK\x05\x06" + bytes(18)),
    ("zeros only",                    bytes(4096)),
    ("nothing known",                 b"\xfe\xff\x01\x02" * 5),
    ("nothing known",                 b"\x01\x02\x03" * 5),
)  # fmt: skip
READ = ("model.safetensors", "pytorch_model.bin", "checkpoint.pt", "tf_model.h5")


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize(("seeming", "content"), SEEMING, ids=[seeming for seeming, _ in SEEMING])
def test_it_is_told_what_a_file_seems_to_be(tmp_path, name, seeming, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointFileError, match=rf"{name} is not a .*: it seems to be .*Fetch it again") as caught:
        open_tensors([tmp_path / name])
    assert f"it seems to be {seeming}" in str(caught.value)


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize(
    ("seeming", "file"),
    [
        ("a safetensors file", "base_like/model.safetensors"),
        ("a zip archive .torch", "readers/state.bin"),
        ("a pickle .torch", "readers/state_legacy.bin"),
    ],
)
def test_a_weight_file_under_another_ending_is_told(tmp_path, name, seeming, file):
    if "torch" in seeming and name.endswith((".bin", ".pt")) or "safetensors" in seeming and "safetensors" in name:
        return
    (tmp_path / name).write_bytes((GOLDEN.parent / file).read_bytes())
    with pytest.raises(CheckpointFileError, match=f"it seems to be {seeming}.*rename it"):
        open_tensors([tmp_path / name])


@pytest.mark.parametrize("name", READ)
def test_an_empty_file_is_told(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(CheckpointFileError, match=f"{name} is empty"):
        open_tensors([tmp_path / name])


@pytest.mark.parametrize("name", READ)
def test_an_absent_file_is_told(tmp_path, name):
    (tmp_path / name).symlink_to(tmp_path / "gone")
    with pytest.raises(CheckpointFileError, match=f"{name} does not exist"):
        open_tensors([tmp_path / name])


def test_a_folder_and_a_pipe_are_no_weight_files(tmp_path):
    (tmp_path / "a.bin").mkdir()
    os.mkfifo(tmp_path / "b.bin")  # opening it would wait for ever
    for name in ("a.bin", "b.bin"):
        with pytest.raises(CheckpointFileError, match=f"{name} is not a plain file"):
            open_tensors([tmp_path / name])


def test_another_ending_is_no_weight_file(tmp_path):
    with pytest.raises(CheckpointFileError, match=r"a.onnx is no weight file; known endings are .safetensors, .bin"):
        open_tensors([tmp_path / "a.onnx"])
