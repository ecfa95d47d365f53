"""What a command line names: files, folders, patterns, manifests, buckets, stdin; and what transcripts are called."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from wav2vec2_tf.recordings import expand, output_paths


@pytest.fixture
def corpus(tmp_path):
    for name in ("b.wav", "a.FLAC", "deep/c.mp3", "deep/notes.txt", "deep/b.ogg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def named(*arguments) -> list[str]:
    return [str(entry.recording) for entry in expand(arguments)]


def test_a_folder_is_all_its_recordings_at_any_depth(corpus):
    assert [Path(name).relative_to(corpus).as_posix() for name in named(f"{corpus}/")] == [
        *("a.FLAC", "b.wav", "deep/b.ogg", "deep/c.mp3"),
    ]


def test_a_pattern_is_what_fits_it(corpus):
    assert named(f"{corpus}/*.wav", f"{corpus}/**/c.*") == [f"{corpus}/b.wav", f"{corpus}/deep/c.mp3"]


def test_a_named_file_is_taken_whatever_it_is_called_and_if_it_is_not_there(corpus):
    assert named(f"{corpus}/deep/notes.txt", "absent.wav") == [f"{corpus}/deep/notes.txt", "absent.wav"]
    (corpus / "[1].wav").write_bytes(b"")
    assert named(f"{corpus}/[1].wav") == [f"{corpus}/[1].wav"]


def test_a_manifest_needs_no_transcripts_and_may_name_pieces(corpus):
    (corpus / "m.tsv").write_text("path\tstart\tduration\tchannel\nb.wav\t\t\t\ndeep/c.mp3\t1.5\t2\t1\n", "utf-8")
    whole, piece = (entry.recording for entry in expand([str(corpus / "m.tsv")]))
    assert (whole.source, whole.span.seconds) == (f"{corpus}/b.wav", None)
    assert (piece.span.start_seconds, piece.span.seconds, piece.span.channel) == (1.5, 2.0, 1)
    assert str(piece) == "deep/c.mp3@1.5+2#1"


def test_stdin_is_a_recording(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"RIFF")))
    (entry,) = expand(["-"])
    entry.recording.source.seek(0)
    assert (entry.recording.source.read(), str(entry.recording), entry.place) == (b"RIFF", "-", "stdin")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("{}/none", "none holds no recordings .* Name files or another folder"),
        ("{}/*.xyz", r"No file is called .*\*.xyz. Check the pattern"),
        ("{}/absent.tsv", "absent.tsv: no such manifest"),
        ("{}/bad.tsv", "bad.tsv, line 2 has no path; it has file. The column of files is called path"),
    ],
)
def test_what_names_nothing_is_said(tmp_path, argument, message):
    (tmp_path / "none").mkdir()
    (tmp_path / "bad.tsv").write_text("file\na.wav\n", "utf-8")
    with pytest.raises(ValueError, match=message):
        expand([argument.format(tmp_path)])


def test_transcripts_are_called_like_recordings_and_keep_their_folders(corpus):
    paths = output_paths(expand([str(corpus), "elsewhere/d.wav"]), "out")
    assert [path.as_posix() for path in paths] == ["out/a", "out/b", "out/deep/b", "out/deep/c", "out/d"]


def test_recordings_that_differ_in_their_ending_keep_it(corpus):
    (corpus / "b.mp3").write_bytes(b"")
    assert [path.name for path in output_paths(expand([f"{corpus}/b.*", f"{corpus}/a.FLAC"]), "out")] == [
        *("b.mp3", "b.wav", "a"),
    ]


def test_an_id_keeps_what_follows_its_dots(corpus):
    (corpus / "m.tsv").write_text("path\tid\nb.wav\tspk.001\na.FLAC\tother.2.wav\n", "utf-8")
    (corpus / "pieces.tsv").write_text("path\tstart\nb.wav\t1.5\n", "utf-8")
    entries = expand([f"{corpus}/m.tsv", f"{corpus}/pieces.tsv", f"{corpus}/absent/"])
    names = [path.as_posix() for path in output_paths(entries, "out")]
    assert names == ["out/spk.001", "out/other.2", "out/b.wav@1.5", "out/absent"]


def test_two_recordings_of_one_name_are_refused(corpus):
    (corpus / "deep/b.wav").write_bytes(b"")
    with pytest.raises(ValueError, match="Two recordings are called b.wav, and their transcripts would be one file"):
        output_paths(expand([f"{corpus}/b.wav", f"{corpus}/deep/b.wav"]), "out")


def test_no_transcript_leaves_the_folder(corpus):
    (corpus / "m.csv").write_text("path\n../x/y.wav\n/z/a.wav\ngs://bucket/deep/v.wav\n", "utf-8")
    paths = output_paths(expand([f"{corpus}/m.csv"]), "out")
    assert [path.as_posix() for path in paths] == ["out/y", "out/a", "out/bucket/deep/v"]


def test_folders_patterns_and_manifests_in_a_bucket(monkeypatch):
    from data_tools import gcs, sources

    files = ["a.wav", "deep/b.flac", "deep/notes.txt"]
    below = {"gs://bucket/x": files, "gs://bucket/x/deep": ["b.flac", "notes.txt"]}
    monkeypatch.setattr(gcs, "files_below", lambda folder: dict.fromkeys(below[folder], 1))
    monkeypatch.setattr(sources.storage_of("gs://b"), "read", lambda url: b"path\ndeep/b.flac\n")
    assert named("gs://bucket/x") == ["gs://bucket/x/a.wav", "gs://bucket/x/deep/b.flac"]
    assert named("gs://bucket/x/deep/*.flac") == ["gs://bucket/x/deep/b.flac"]
    assert named("gs://bucket/x/c.wav") == ["gs://bucket/x/c.wav"]
    assert named("gs://bucket/x/m.tsv") == ["deep/b.flac"]
    (entry,) = expand(["gs://bucket/x/m.tsv"])
    assert entry.recording.source == "gs://bucket/x/deep/b.flac"
