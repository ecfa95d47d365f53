import json
import shutil
from collections import namedtuple

import numpy as np
import pytest

from data_tools import make_tfrecords as door
from data_tools.index import load_index
from data_tools.make_tfrecords import Options, main, make_tfrecords
from data_tools.reader import batches, plan_buckets
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer


def options(corpus, out, **more):
    return Options(**(dict(out=out, manifest=corpus.manifest, audio_root=corpus.root, workers=1) | more))


def rejects(out):
    lines = (out / "rejects.tsv").read_text("utf-8").splitlines()
    return {line.split("\t")[1]: line.split("\t")[2] for line in lines[1:]}


@pytest.fixture
def small(corpus):
    for text in ("Yes, no.", "Up!", "left"):
        corpus.add(text)
    return corpus


def test_a_corpus_ends_as_a_finished_folder(small, tmp_path, capsys):
    small.add("down", split="test")
    index = make_tfrecords(options(small, tmp_path / "out"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "index.json", "lengths.png", "rejects.tsv", "report.txt", "test-00000-of-00001.tfrecord",
        "train-00000-of-00001.tfrecord", "vocab.json",
    ]  # fmt: skip
    assert {split: len(index.lengths(split)) for split in index.splits} == {"train": 3, "test": 1}
    shown = capsys.readouterr().out
    assert "'E'" in shown
    assert "rejected: 0 of 4" in shown


def test_index_states_rules_and_characters(small, tmp_path):
    make_tfrecords(options(small, tmp_path / "out", text_rules=("lower", "strip_punctuation", "collapse_space")))
    index = load_index(tmp_path / "out")
    assert index.text_rules == ("lower", "strip_punctuation", "collapse_space")
    assert index.characters == {"e": 2, "s": 1, "y": 1, " ": 1, "n": 1, "o": 1, "u": 1, "p": 1, "l": 1, "f": 1, "t": 1}
    assert set("yesnouplft") < set(json.loads((tmp_path / "out/vocab.json").read_text()))


def test_shards_do_not_depend_on_the_number_of_workers(small, tmp_path):
    for i in range(30):
        small.add("more", seconds=0.3 + i / 100)
    small.list("gone", "none.wav")
    for workers in (1, 2):
        make_tfrecords(options(small, tmp_path / str(workers), workers=workers, shard_megabytes=0.1))
    for path in (tmp_path / "1").iterdir():
        if path.suffix in (".tfrecord", ".json", ".tsv"):
            assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


def test_every_kind_of_bad_clip_is_listed_and_the_run_goes_on(small, tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    small.list("x", "none.wav")
    small.add("x", name="text.wav").write_text("no audio")
    flac = small.add("x", name="cut.flac", samples=(noise * 32_000).astype(np.int16))
    flac.write_bytes(flac.read_bytes()[:-2_000])
    small.add("x", name="empty.wav", seconds=0)
    small.add("x", name="silent.wav", samples=np.zeros(16_000, np.float32))
    small.add("x", name="nan.wav", samples=np.where(noise > 0.3, np.nan, noise).astype(np.float32))
    small.add("x", name="100.wav", seconds=100 / 16_000)
    small.add("x", name="long.wav", seconds=3)
    small.add("?!", name="no_text.wav")
    small.add("x" * 200, name="dense.wav")
    small.list("again", "000.wav")
    index = make_tfrecords(options(small, tmp_path / "out", max_seconds=2.5))
    assert rejects(tmp_path / "out") == {
        "none.wav": "missing_file", "text.wav": "unreadable", "cut.flac": "truncated", "empty.wav": "empty",
        "silent.wav": "silent", "nan.wav": "non_finite", "100.wav": "too_short", "long.wav": "too_long",
        "no_text.wav": "empty_text", "dense.wav": "infeasible", "000.wav": "duplicate_id",
    }  # fmt: skip
    assert index.rejected == dict.fromkeys(rejects(tmp_path / "out").values(), 1)
    assert len(index.lengths("train")) == 3


def test_a_given_vocabulary_is_kept_and_keeps_others_out(small, tmp_path):
    vocab = {token: i for i, token in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *"YESNOUP"])}
    path = tmp_path / "vocab.json"
    path.write_text(json.dumps(vocab))
    make_tfrecords(options(small, tmp_path / "out", vocab=path))
    assert json.loads((tmp_path / "out/vocab.json").read_text()) == vocab
    assert rejects(tmp_path / "out") == {"002.wav": "outside_vocabulary"}
    assert "F L T in 'LEFT'" in (tmp_path / "out/rejects.tsv").read_text()


def test_shards_of_subwords_differ_in_the_vocabulary_alone(small, tmp_path, capsys):
    make_tfrecords(options(small, tmp_path / "letters"))
    make_tfrecords(options(small, tmp_path / "pieces", subwords=15, subword_kind="unigram"))
    assert "15 subwords (unigram) from 3 transcripts" in capsys.readouterr().out
    names = [{path.name for path in (tmp_path / kind).iterdir()} for kind in ("letters", "pieces")]
    assert (names[0] - names[1], names[1] - names[0]) == ({"vocab.json"}, {"tokenizer.model"})
    for name in ("index.json", "train-00000-of-00001.tfrecord"):
        assert (tmp_path / "letters" / name).read_bytes() == (tmp_path / "pieces" / name).read_bytes()


def test_a_folder_that_holds_shards_is_left_alone(small, tmp_path):
    make_tfrecords(options(small, tmp_path / "out"))
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(FileExistsError, match="already holds index.json and 1 more files of shards. Remove"):
        make_tfrecords(options(small, tmp_path / "out"))
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_folder_of_a_killed_run_is_not_taken_for_finished(small, tmp_path):
    (tmp_path / "train-00000.tfrecord.part").write_bytes(b"half")
    with pytest.raises(ValueError, match="did not finish"):
        load_index(tmp_path)
    with pytest.raises(FileExistsError, match="already holds train-00000.tfrecord.part"):
        make_tfrecords(options(small, tmp_path))


def test_ctrl_c_leaves_no_half_shard_and_says_how_to_go_on(small, tmp_path, monkeypatch, capsys):
    def interrupted(**fields):
        raise KeyboardInterrupt

    monkeypatch.setattr("data_tools.schema.serialize_pieces", interrupted)
    flags = ["--manifest", str(small.manifest), "--audio_root", str(small.root), "--out", str(tmp_path / "out")]
    assert main([*flags, "--workers", "1"]) == 130
    assert "interrupted; ask for the same again and it goes on" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["unfinished"]


def test_nothing_accepted_is_an_error_without_index(corpus, tmp_path):
    corpus.list("x", "none.wav")
    with pytest.raises(ValueError, match=r"All 1 utterances were rejected; .*rejects.tsv says why"):
        make_tfrecords(options(corpus, tmp_path / "out"))
    assert rejects(tmp_path / "out") == {"none.wav": "missing_file"}
    assert not (tmp_path / "out/index.json").exists()


def test_a_corpus_larger_than_the_disk_is_refused_before_work(small, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**6, 10**6 - 95_000, 95_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"will take about 966\d\d bytes, the disk of .*out has 95000 free"):
        make_tfrecords(options(small, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fills_up_after_the_shards_leaves_no_index(small, tmp_path, monkeypatch):
    def full(index):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(door, "save_index", full)
    with pytest.raises(OSError, match=r"out could not be written .*No space left.*their index is not. Make"):
        make_tfrecords(options(small, tmp_path / "out"))
    with pytest.raises(ValueError, match="did not finish"):
        load_index(tmp_path / "out")
    monkeypatch.undo()
    assert make_tfrecords(options(small, tmp_path / "out")).lengths("train").tolist() == [16_000] * 3


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ([], "Name one corpus"),
        (["--manifest=m.tsv", "--librispeech=x"], "Name one corpus"),
        (["--manifest=m.tsv"], "--manifest needs --audio_root"),
        (["--manifest=m.tsv", "--audio-root=."], "m.tsv: no such manifest"),
        (["--librispeech", "none"], "none: no such folder"),
        (["--librispeech=none", "--text-rules=[upper,loud]"], "There is no text rule 'loud'"),
    ],
)
def test_a_wrong_command_ends_with_one_line_and_status_1(flags, complaint, tmp_path, capsys):
    assert main([*flags, "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert told.startswith("make_tfrecords: ")
    assert complaint in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("root_flag", ["--audio-root", "--audio_root"])
def test_flags_are_spelled_either_way(small, tmp_path, root_flag):
    flags = ["--manifest", str(small.manifest), root_flag, str(small.root), f"--out={tmp_path / 'a-b'}", "--workers=1"]
    assert main(flags) == 0
    assert (tmp_path / "a-b/index.json").exists()


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    shown = capsys.readouterr().out
    for flag in ("--manifest", "--librispeech", "--vocab", "--shard_megabytes", "path and transcript"):
        assert flag in " ".join(shown.split())


def test_librispeech_from_end_to_end(speech_dir, tmp_path):
    chapter = tmp_path / "LibriSpeech/dev-clean/2412/153948"
    chapter.mkdir(parents=True)
    shutil.copy(speech_dir / "wild/librispeech/2412-153948-0000.flac", chapter)
    (chapter / "2412-153948.trans.txt").write_text("2412-153948-0000 IF THE READER WILL EXCUSE ME\n")
    index = make_tfrecords(Options(out=tmp_path / "out", librispeech=tmp_path / "LibriSpeech", workers=1))
    assert index.lengths("dev-clean").tolist() == [186_560]


def test_real_odd_files_get_the_verdicts_they_deserve(speech_dir, corpus, tmp_path):
    for name in ("mp3_named_wav.wav", "near_silence.wav", "truncated_last_frame.flac"):
        shutil.copy(speech_dir / "wild/odd" / name, corpus.root)
        corpus.list("some words", name)
    index = make_tfrecords(options(corpus, tmp_path / "out"))
    assert rejects(tmp_path / "out") == {"truncated_last_frame.flac": "truncated"}
    assert len(index.lengths("train")) == 2  # an MP3 is told by its content; faint noise is not digital silence


def test_real_recordings_of_all_kinds_go_in_and_come_out(speech_dir, tmp_path):
    wild = speech_dir / "wild"
    index = make_tfrecords(
        Options(out=tmp_path, manifest=wild / "manifest.tsv", audio_root=wild, max_seconds=80, workers=1)
    )
    assert (len(index.lengths("test")), index.rejected) == (102, {})
    characters = Wav2Vec2CTCTokenizer(json.loads((tmp_path / "vocab.json").read_text("utf-8"))).characters
    buckets = plan_buckets(index.lengths("test"), index.label_counts("test"), batch_seconds=80)
    num_read = sum(int(batch["weight"].numpy().sum()) for batch in batches(index, "test", characters, None, buckets))
    assert num_read == 102
