import pytest

from data_tools.sources import TarMember, find, open_audio
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
