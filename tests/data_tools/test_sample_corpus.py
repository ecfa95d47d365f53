import csv
import shutil

import numpy as np
import pytest

from data_tools import sample_corpus
from data_tools.sample_corpus import VARIANTS, WORDS, make_sample_corpus, plan_clips, speak
from wav2vec2_tf import audio

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")


def rows_of(manifest):
    with manifest.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def voices(rows, split):
    return {row["speaker"].partition("+")[2] for row in rows if row["split"] == split}


def test_the_committed_manifest_is_the_plan(sample_dir):
    plan = plan_clips("train", 900, seed=0) + plan_clips("test", 96, seed=0)
    expected = [{column: getattr(clip, column) for column in sample_corpus.COLUMNS} for clip in plan]
    assert rows_of(sample_dir / "manifest.tsv") == expected


def test_voices_of_one_split_are_never_heard_in_another(sample_dir):
    rows = rows_of(sample_dir / "manifest.tsv")
    train, dev, test = (voices(rows, split) for split in ("train", "dev", "test"))
    assert (len(train), len(dev), len(test)) == (36, 2, 8)
    assert len(train | dev | test) == 36 + 2 + 8


def test_every_split_says_every_word(sample_dir):
    rows = rows_of(sample_dir / "manifest.tsv")
    for split in ("train", "dev", "test"):
        assert {word for row in rows if row["split"] == split for word in row["transcript"].split()} == set(WORDS)


def test_the_corpus_stays_under_three_megabytes_and_holds_nothing_else(sample_dir):
    files = {str(path.relative_to(sample_dir)) for path in sample_dir.rglob("*") if path.is_file()}
    assert files == {"manifest.tsv"} | {row["path"] for row in rows_of(sample_dir / "manifest.tsv")}
    assert sum((sample_dir / name).stat().st_size for name in files) < 3_000_000


def test_a_clip_is_one_to_four_words_of_clear_speech(sample_dir):
    row = rows_of(sample_dir / "manifest.tsv")[-1]
    samples = audio.load(sample_dir / row["path"])
    assert 0.3 < len(samples) / audio.SAMPLE_RATE_HZ < 3
    assert 0.3 < np.abs(samples).max() < 1
    assert 1 <= len(row["transcript"].split()) <= 4


def test_another_seed_says_something_else():
    first, second = (plan_clips("test", 20, seed=seed) for seed in (0, 1))
    assert [clip.transcript for clip in first] != [clip.transcript for clip in second]
    assert {clip.variant for clip in first} == set(VARIANTS["test"])


@needs_espeak
def test_a_new_corpus_is_spoken_as_planned(tmp_path):
    manifest = make_sample_corpus(tmp_path / "new", train_clips=2, test_clips=1)
    rows = rows_of(manifest)
    assert [row["split"] for row in rows] == ["train", "train", "test"]
    spoken, planned = audio.load(tmp_path / "new" / rows[0]["path"]), speak(plan_clips("train", 2, seed=0)[0])
    assert len(spoken) == len(planned)
    assert np.corrcoef(spoken, planned)[0, 1] > 0.8  # what 16 kbit/s leave of it


def test_a_folder_with_content_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="is not empty.*Remove it or name another"):
        make_sample_corpus(tmp_path)


def test_without_espeak_the_error_names_the_package(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="apt-get install espeak-ng"):
        speak(plan_clips("test", 1, seed=0)[0])


@needs_espeak
def test_an_unknown_voice_is_an_error_with_its_name(monkeypatch):
    monkeypatch.setattr(sample_corpus, "ACCENTS", ["zz"])
    with pytest.raises(RuntimeError, match=r"espeak-ng -v zz\+.*espeak-ng 1.51"):
        speak(plan_clips("test", 1, seed=0)[0])
