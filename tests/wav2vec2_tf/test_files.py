"""Files that appear whole or not at all."""

from pathlib import Path

import pytest

from wav2vec2_tf.files import make_folder, write_text, write_together


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "index.json"
    write_text(path, "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("index.json", "old")]


@pytest.mark.parametrize("url", ["gs://bucket/model", Path("s3://bucket/model")])
def test_a_url_is_no_folder_to_write_to(url):
    with pytest.raises(ValueError, match=r"bucket/model is no local folder. Write to one, and copy it"):
        make_folder(url)


def test_files_that_belong_together_appear_together(tmp_path):
    places = [tmp_path / "weights", tmp_path / "config"]
    write_together({place: lambda part: part.write_text("old") for place in places})

    def fails(part):
        part.write_text("new")
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        write_together({places[0]: lambda part: part.write_text("new"), places[1]: fails})
    assert [place.read_text() for place in places] == ["old", "old"]
    assert sorted(tmp_path.iterdir()) == sorted(places)
