import pytest

from data_tools.manifest import ManifestError
from data_tools.manifests.tabular import read_table


def table(tmp_path, text, name="manifest.tsv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(tmp_path, text, name="manifest.tsv", **columns):
    return read_table(table(tmp_path, text, name), tmp_path, columns)


def test_columns_come_in_any_order_and_others_are_ignored(tmp_path):
    (one,) = read(tmp_path, "note\ttranscript\tsplit\tpath\tspeaker\nx\tHello\tdev\ta/b.wav\tanna\n")
    assert (one.id, one.audio, one.text) == ("a/b.wav", str(tmp_path / "a/b.wav"), "Hello")
    assert (one.speaker, one.split, one.source) == ("anna", "dev", "a/b.wav")


def test_two_columns_are_enough(tmp_path):
    (one,) = read(tmp_path, "path\ttranscript\na.wav\thi\n")
    assert (one.id, one.speaker, one.split) == ("a.wav", "", "train")


def test_an_id_column_names_the_utterance(tmp_path):
    (one,) = read(tmp_path, "id\tpath\ttranscript\nu1\ta.wav\thi\n")
    assert (one.id, one.source) == ("u1", "a.wav")


def test_two_channels_of_a_recording_are_two_utterances(tmp_path):
    utterances = read(tmp_path, "path\ttranscript\tchannel\na.wav\thi\t0\na.wav\tho\t1\na.wav\tboth\t\n")
    assert [(u.id, u.channel) for u in utterances] == [("a.wav#0", 0), ("a.wav#1", 1), ("a.wav", None)]


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
        read_table(tmp_path / "none.tsv", tmp_path)


def test_no_such_audio_root(tmp_path):
    with pytest.raises(ManifestError, match="none is not a folder"):
        read_table(table(tmp_path, "path\ttranscript\na\tb\n"), tmp_path / "none")


def test_no_line_ending_is_part_of_a_transcript(tmp_path):
    one, two = read(tmp_path, 'path,transcript\r\na.wav,"one\r\nline"\r\nb.wav,two\r\n', "m.csv")
    assert (one.text, two.text) == ("one\r\nline", "two")
    (one,) = read(tmp_path, '{"path": "a.wav", "transcript": "x"}\r\n', "m.jsonl")
    assert one.text == "x"


def test_csv_has_quotes_and_commas(tmp_path):
    one, two = read(tmp_path, 'path,transcript\na.wav,"Yes, ""please"""\n\nb.wav,no\n', "m.csv")
    assert (one.text, two.text) == ('Yes, "please"', "no")


def test_jsonl_has_objects_of_texts_and_numbers(tmp_path):
    one, two = read(
        tmp_path,
        '{"path": "a.wav", "transcript": "one", "speaker": 7, "lang": ["x"]}\n\n'
        '{"path": "b.wav", "transcript": "half\u2028line", "split": null}\n',
        "m.jsonl",
    )
    assert (one.speaker, one.split, two.text, two.split) == ("7", "train", "half\u2028line", "train")


def test_columns_under_other_names(tmp_path):
    (one,) = read(
        tmp_path,
        '{"audio_filepath": "a.wav", "duration": 2.5, "offset": 10, "text": "nemo"}',
        "m.jsonl",
        path="audio_filepath",
        transcript="text",
        start="offset",
    )
    assert (one.source, one.text, one.start_seconds, one.duration_seconds) == ("a.wav", "nemo", 10.0, 2.5)


def test_pieces_of_one_recording_have_ids_of_their_own(tmp_path):
    utterances = read(tmp_path, "path\ttranscript\tstart\tduration\na.wav\tx\t0\t1.5\na.wav\ty\t1.5\t\nb.wav\tz\t\t\n")
    assert [u.id for u in utterances] == ["a.wav@0+1.5", "a.wav@1.5", "b.wav"]
    assert [u.is_segment for u in utterances] == [True, True, False]
    assert {u.source for u in utterances} == {"a.wav", "b.wav"}


def test_paths_may_be_absolute_or_in_a_bucket(tmp_path):
    one, two = read(tmp_path, "path\ttranscript\n/data/a.wav\tx\ngs://bucket/b.wav\ty\n")
    assert (one.audio, two.audio) == ("/data/a.wav", "gs://bucket/b.wav")


def test_the_root_may_be_a_bucket(tmp_path):
    path = table(tmp_path, "path\ttranscript\na/b.wav\tx\n")
    assert read_table(path, "gs://bucket/corpus")[0].audio == "gs://bucket/corpus/a/b.wav"


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("m.csv", "path,transcript\na.wav,one,two\n", "line 2: 3 columns, the header names 2. Look for a comma"),
        ("m.csv", 'path,transcript\na.wav,"one\n', "line 2: .* Look for a quote that is not closed"),
        ("m.csv", "path,text\na.wav,one\n", "has no column transcript; its header reads path, text"),
        ("m.jsonl", '{"path": "a"\n', "line 1 is not JSON"),
        ("m.jsonl", '\n["a"]\n', "line 2 is no object but"),
        ("m.jsonl", '{"path": "a", "text": "x"}\n', "line 1 has no 'transcript'; it has path, text"),
        ("m.jsonl", '{"path": "a", "transcript": ["x"]}\n', "line 1: 'transcript' is a text or a number"),
        ("m.tsv", "path\ttranscript\tstart\na\tx\t-1\n", "line 2: start '-1' is no length in seconds"),
        ("m.tsv", "path\ttranscript\tchannel\na\tx\tleft\n", "line 2: channel 'left' is no channel. Count them from 0"),
        ("m.tsv", "path\ttranscript\tduration\na\tx\t0\n", "line 2: duration '0' is no length"),
        ("m.tsv", "path\ttranscript\tduration\na\tx\tlong\n", "duration 'long' is no length"),
    ],
)
def test_a_line_that_cannot_be_used_says_why(tmp_path, name, text, complaint):
    with pytest.raises(ManifestError, match=complaint):
        read(tmp_path, text, name)


def test_a_column_that_is_named_must_be_there(tmp_path):
    with pytest.raises(ManifestError, match="has no column who; its header reads"):
        read(tmp_path, "path\ttranscript\na\tx\n", speaker="who")


def test_an_unknown_name_for_a_column_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="--columns names 'words'; it may name path, transcript"):
        read(tmp_path, "path\ttranscript\na\tx\n", words="transcript")
