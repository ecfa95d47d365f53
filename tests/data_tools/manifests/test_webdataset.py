import io
import json
import tarfile
from pathlib import Path

import pytest

from data_tools.manifest import ManifestError
from data_tools.manifests.webdataset import read_webdataset
from data_tools.sources import open_audio


def tar(path, mode="w", **members):
    with tarfile.open(path, mode) as file:
        for name, content in members.items():
            data = content if isinstance(content, bytes) else content.encode()
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def test_members_of_one_name_are_a_sample(tmp_path):
    tar(tmp_path / "dev-000.tar", a__flac=b"sound", a__txt="one\n", b__json='{"text": "two"}', b__wav=b"noise")
    one, two = read_webdataset(tmp_path)
    assert (one.id, one.text, one.split, one.source) == ("dev-000.tar/a", "one", "dev", "dev-000.tar/a.flac")
    assert two.text == "two"
    assert [open_audio(u.audio) for u in (one, two)] == [b"sound", b"noise"]


def test_keys_of_the_json_may_have_other_names(tmp_path):
    fields = {"sentence": "one", "who": 7, "split": "test"}
    path = tar(tmp_path / "x.tar", a__flac=b"", a__json=json.dumps(fields))
    (one,) = read_webdataset(path, {"transcript": "sentence", "speaker": "who"})
    assert (one.text, one.speaker, one.split) == ("one", "7", "test")


def test_a_sample_without_a_recording_is_a_missing_file(tmp_path):
    (one,) = read_webdataset(tar(tmp_path / "x.tar", a__txt="one"))
    assert not Path(one.audio).exists()


def test_long_names_are_read(tmp_path):
    name = "folder/" * 30 + "a__flac"
    (one,) = read_webdataset(tar(tmp_path / "x.tar", **{name: b"sound"}))
    assert (open_audio(one.audio), one.text) == (b"sound", "")


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"a__json": "{"}, "a.json is not JSON as WebDataset has it"),
        ({"a__json": "[]"}, "no object"),
        ({"a__txt": b"\xe4"}, "a.txt is not UTF-8"),
        ({"a__json": '{"split": "a/b"}'}, "x.tar, a: the split 'a/b' names files"),
    ],
)
def test_a_member_that_cannot_be_read_is_named(tmp_path, members, complaint):
    with pytest.raises(ManifestError, match=complaint):
        read_webdataset(tar(tmp_path / "x.tar", **members))


def test_a_tar_file_that_breaks_off_is_refused(tmp_path):
    path = tar(tmp_path / "x.tar", a__flac=b"1" * 9000, a__txt="one")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ManifestError, match="x.tar is compressed, broken off or no tar file"):
        read_webdataset(path)


def test_a_compressed_tar_file_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="x.tar is compressed"):
        read_webdataset(tar(tmp_path / "x.tar", "w:gz", a__txt="one"))


@pytest.mark.parametrize("name", ["none.tar", "none", "."])
def test_no_tar_file(tmp_path, name):
    with pytest.raises(ManifestError, match="no such file. Check --webdataset|is no .tar file and no folder"):
        read_webdataset(tmp_path / name)
