from pathlib import Path

import pytest

from data_tools.manifest import ManifestError
from data_tools.manifests.librispeech import read_librispeech, read_mls


def librispeech(root):
    for subset, chapter in (("dev-clean", "84/121"), ("train-clean-100", "19/198")):
        folder = root / "LibriSpeech" / subset / chapter
        folder.mkdir(parents=True)
        name = chapter.replace("/", "-")
        lines = f"{name}-0000 GO DO YOU HEAR\n{name}-0001 BUT IN LESS\n"
        (folder / f"{name}.trans.txt").write_text(lines)


@pytest.mark.parametrize("below", ["", "LibriSpeech"])
def test_librispeech_subsets_become_splits(tmp_path, below):
    librispeech(tmp_path)
    utterances = read_librispeech(tmp_path / below)
    assert [u.id for u in utterances] == ["84-121-0000", "84-121-0001", "19-198-0000", "19-198-0001"]
    assert [u.split for u in utterances] == ["dev-clean"] * 2 + ["train-clean-100"] * 2
    assert (utterances[0].text, utterances[0].speaker) == ("GO DO YOU HEAR", "84")
    assert utterances[0].audio == str(tmp_path / "LibriSpeech/dev-clean/84/121/84-121-0000.flac")


def test_one_subset_of_librispeech_keeps_its_name(tmp_path):
    librispeech(tmp_path)
    assert {u.split for u in read_librispeech(tmp_path / "LibriSpeech/dev-clean")} == {"dev-clean"}


def test_transcripts_in_another_encoding_are_named(tmp_path):
    librispeech(tmp_path)
    (tmp_path / "LibriSpeech/dev-clean/84/121/84-121.trans.txt").write_bytes("84-121-0000 \u00c4".encode("latin-1"))
    with pytest.raises(ValueError, match=r"84-121.trans.txt is not UTF-8 \(byte 12\). Save it as UTF-8"):
        read_librispeech(tmp_path)


def test_no_such_librispeech_folder(tmp_path):
    with pytest.raises(ManifestError, match="no such folder. Check --librispeech"):
        read_librispeech(tmp_path / "none")


def test_a_folder_without_transcripts_is_no_librispeech(tmp_path):
    with pytest.raises(ManifestError, match="holds no subset/speaker/chapter"):
        read_librispeech(tmp_path)


def mls(root, ending=".flac"):
    for split, name in (("dev", "10_20_000001"), ("train", "30_40_000002")):
        speaker, book, _ = name.split("_")
        (root / split / "audio" / speaker / book).mkdir(parents=True)
        (root / split / "audio" / speaker / book / f"{name}{ending}").touch()
        (root / split / "transcripts.txt").write_text(f"{name}\tguten tag\n")


@pytest.mark.parametrize("ending", [".flac", ".opus"])
def test_mls_has_one_table_per_split(tmp_path, ending):
    mls(tmp_path, ending)
    train, dev = read_mls(tmp_path)
    assert (train.id, train.split, train.speaker, train.text) == ("30_40_000002", "train", "30", "guten tag")
    assert dev.audio == str(tmp_path / f"dev/audio/10/20/10_20_000001{ending}")
    assert Path(dev.audio).exists()


def test_a_folder_without_tables_is_no_mls(tmp_path):
    with pytest.raises(ManifestError, match="holds no train/transcripts.txt"):
        read_mls(tmp_path)


def test_a_line_of_mls_without_a_tab_is_named(tmp_path):
    mls(tmp_path)
    (tmp_path / "dev/transcripts.txt").write_text("10_20_000001 guten tag\n")
    with pytest.raises(ManifestError, match="dev/transcripts.txt, line 1 is not speaker_book_number, tab, text"):
        read_mls(tmp_path)
