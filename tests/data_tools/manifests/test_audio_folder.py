import pytest

from data_tools.manifest import ManifestError
from data_tools.manifests.audio_folder import read_audio_folder


def metadata(root, name, text):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def test_folders_name_the_splits_and_hold_the_files(tmp_path):
    metadata(tmp_path, "data/train/metadata.csv", 'file_name,transcription\nx/a.wav,"one, two"\n')
    metadata(tmp_path, "data/test/metadata.jsonl", '{"file_name": "a.wav", "transcription": "three"}\n')
    train, test = read_audio_folder(tmp_path)
    assert (train.id, train.split, train.text) == ("data/train/x/a.wav", "train", "one, two")
    assert (test.audio, test.split) == (str(tmp_path / "data/test/a.wav"), "test")


def test_the_columns_may_have_other_names(tmp_path):
    metadata(tmp_path, "metadata.csv", "file_name,sentence,who,split\na.wav,one,7,dev\n")
    (one,) = read_audio_folder(tmp_path, {"transcript": "sentence", "speaker": "who"})
    assert (one.text, one.speaker, one.split, one.source) == ("one", "7", "dev", "a.wav")


def test_a_folder_without_metadata_is_refused(tmp_path):
    metadata(tmp_path, "my_metadata.csv", "file_name,transcription\na.wav,one\n")
    with pytest.raises(ManifestError, match="holds no metadata.csv or metadata.jsonl"):
        read_audio_folder(tmp_path)


def test_no_such_folder(tmp_path):
    with pytest.raises(ManifestError, match="none: no such folder. Check --audio_folder"):
        read_audio_folder(tmp_path / "none")
