import pytest

from data_tools.manifest import ManifestError, read_librispeech, read_tsv


def table(tmp_path, text):
    path = tmp_path / "manifest.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(tmp_path, text):
    return read_tsv(table(tmp_path, text), tmp_path)


def test_columns_come_in_any_order_and_others_are_ignored(tmp_path):
    (one,) = read(tmp_path, "note\ttranscript\tsplit\tpath\tspeaker\nx\tHello\tdev\ta/b.wav\tanna\n")
    assert (one.id, one.audio, one.text) == ("a/b.wav", tmp_path / "a/b.wav", "Hello")
    assert (one.speaker, one.split, one.source) == ("anna", "dev", "a/b.wav")


def test_two_columns_are_enough(tmp_path):
    (one,) = read(tmp_path, "path\ttranscript\na.wav\thi\n")
    assert (one.id, one.speaker, one.split) == ("a.wav", "", "train")


def test_an_id_column_names_the_utterance(tmp_path):
    (one,) = read(tmp_path, "id\tpath\ttranscript\nu1\ta.wav\thi\n")
    assert (one.id, one.source) == ("u1", "a.wav")


@pytest.mark.parametrize("text", ['"hi', 'say "hi" twice', "it's", "a,b;c", "zażółć 語", "half\u2028line"])
def test_no_character_of_a_transcript_is_special(tmp_path, text):
    first, second = read(tmp_path, f"path\ttranscript\na.wav\t{text}\nb.wav\tnext\n")
    assert (first.text, second.text) == (text, "next")


def test_windows_files_read_alike(tmp_path):
    (one,) = read(tmp_path, b"\xef\xbb\xbfpath\ttranscript\r\na.wav\thi\r\n\r\n")
    assert (one.id, one.text) == ("a.wav", "hi")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("path\ttranscript\n", "a header and no utterance"),
        ("path\ttext\na\tb\n", "has no column transcript; its header reads path, text"),
        ("path,transcript\na,b\n", "has no column path and no column transcript"),
        ("path\ttranscript\na.wav\tone\ttwo\n", "line 2: 3 columns, the header names 2"),
        ("path\ttranscript\na.wav\tok\nb.wav\n", "line 3: 1 columns, the header names 2"),
        ("path\ttranscript\tsplit\na.wav\tok\tde/v\n", "line 2: the split 'de/v' names files"),
        ("path\ttranscript\na.wav\tÄ\n".encode("latin-1"), r"is not UTF-8 \(byte 22\)"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_says_why(tmp_path, text, complaint):
    with pytest.raises(ManifestError, match=complaint):
        read(tmp_path, text)


def test_no_such_manifest(tmp_path):
    with pytest.raises(ManifestError, match="none.tsv: no such manifest"):
        read_tsv(tmp_path / "none.tsv", tmp_path)


def test_no_such_audio_root(tmp_path):
    with pytest.raises(ManifestError, match="none is not a folder"):
        read_tsv(table(tmp_path, "path\ttranscript\na\tb\n"), tmp_path / "none")


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
    assert utterances[0].audio == tmp_path / "LibriSpeech/dev-clean/84/121/84-121-0000.flac"


def test_one_subset_of_librispeech_keeps_its_name(tmp_path):
    librispeech(tmp_path)
    assert {u.split for u in read_librispeech(tmp_path / "LibriSpeech/dev-clean")} == {"dev-clean"}


def test_no_such_librispeech_folder(tmp_path):
    with pytest.raises(ManifestError, match="no such folder. Check --librispeech"):
        read_librispeech(tmp_path / "none")


def test_a_folder_without_transcripts_is_no_librispeech(tmp_path):
    with pytest.raises(ManifestError, match="holds no subset/speaker/chapter"):
        read_librispeech(tmp_path)
