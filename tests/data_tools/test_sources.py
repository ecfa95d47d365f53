import gzip
import io
import tracemalloc

import pytest

from data_tools.sources import TarMember, find, open_audio, read_lines
from wav2vec2_tf.audio import AudioError


def test_a_file_is_opened_by_who_decodes_it(tmp_path):
    assert open_audio(tmp_path / "none.wav") == tmp_path / "none.wav"


def test_a_member_is_read_alone(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"0123456789")
    assert open_audio(TarMember(tmp_path / "x.tar", 3, 4)) == b"3456"


@pytest.mark.parametrize(("content", "reason"), [(b"01234", "truncated"), (None, "missing_file")])
def test_a_member_that_is_gone_is_a_reason_to_leave_it_out(tmp_path, content, reason):
    if content:
        (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(AudioError, match=r"x.tar.* Fetch") as error:
        open_audio(TarMember(tmp_path / "x.tar", 3, 4))
    assert error.value.reason == reason


def test_files_are_found_at_any_depth_in_order_of_their_folders(tmp_path):
    for name in ("a-b/x.txt", "a/x.txt", "a/y.wav", "x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find(tmp_path, ".txt") == ["a/x.txt", "a-b/x.txt", "x.txt"]


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
def test_lines_in_a_bucket_are_few_in_memory_at_a_time(monkeypatch, ending):
    content = b"".join(b"%d \xe2\x80\xa8\n" % number for number in range(100_000))  # with U+2028, which ends no line
    content = gzip.compress(content) if ending.endswith(".gz") else content
    file = io.BytesIO(content)
    monkeypatch.setattr("data_tools.gcs.pieces", lambda url: iter(lambda: file.read(10_001), b""))
    tracemalloc.start()
    for number, line in enumerate(read_lines(f"gs://bucket/cuts{ending}")):
        assert line == f"{number} \u2028\n"
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert number == 99_999
    assert most < 300_000


def test_an_empty_file_in_a_bucket_has_no_lines(monkeypatch):
    monkeypatch.setattr("data_tools.gcs.pieces", lambda url: iter([]))
    assert not list(read_lines("gs://bucket/cuts.jsonl"))
