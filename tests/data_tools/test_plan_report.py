import numpy as np
import pytest

from data_tools import report
from data_tools.make_tfrecords import Options, main, make_tfrecords, tell_plan


def options(corpus, out, **more):
    return Options(**(dict(out=out, manifest=corpus.manifest, audio_root=corpus.root, workers=1) | more))


@pytest.fixture
def mixed(corpus):
    for i in range(12):
        corpus.add("Yes, no.", seconds=0.5 + i / 10)
    corpus.add("Größe", seconds=1.0, split="test")
    return corpus


def spoil(corpus):
    corpus.add("x", name="long.wav", seconds=3)
    corpus.add("x", name="short.wav", seconds=0.01)
    corpus.add("x" * 200, name="dense.wav")
    corpus.add("x", name="text.wav").write_text("no audio")
    corpus.list("x", "none.wav")
    corpus.add("?!", name="empty.wav")


def split_tables(text):
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("split "))
    return lines[first : first + 3]


@pytest.mark.parametrize("more", [{}, {"encoding": "flac"}, {"shuffle_seed": 3}])
def test_the_plan_tells_what_the_run_does(mixed, tmp_path, more):
    spoil(mixed)
    given = options(mixed, tmp_path / "out", shard_megabytes=0.1, max_seconds=2.0, **more)
    told = tell_plan(given)
    index = make_tfrecords(given)
    done = report.summary(index, 19)
    for line in done[4 : done.index("lengths")]:  # rejected, and why
        assert line in told
    for foreseen, line in zip(split_tables(told)[1:], done[1:3], strict=True):
        foreseen, line = foreseen.split(), line.split()
        del foreseen[4], line[4]  # megabytes
        assert foreseen == line


def test_the_size_is_foreseen(mixed, tmp_path):
    given = options(mixed, tmp_path / "out", shard_megabytes=0.1)
    foreseen = [float(line.split()[4]) for line in split_tables(tell_plan(given))[1:]]
    real = [sum(shard.bytes for shard in shards) / 1e6 for shards in make_tfrecords(given).splits.values()]
    np.testing.assert_allclose(foreseen, real, rtol=0.02, atol=0.06)


def test_nothing_is_written(mixed, tmp_path, capsys):
    before = sorted(tmp_path.rglob("*"))
    arguments = ["--manifest", str(mixed.manifest), "--audio-root", str(mixed.root), "--out", str(tmp_path / "out")]
    before = sorted(tmp_path.rglob("*"))
    assert main([*arguments, "--plan", "--workers", "1"]) == 0
    assert sorted(tmp_path.rglob("*")) == before
    assert "Nothing was written." in capsys.readouterr().out


def test_reasons_come_with_examples(mixed, tmp_path):
    spoil(mixed)
    told = tell_plan(options(mixed, tmp_path, max_seconds=2.0, text_rules=("strip_punctuation", "letters:en", "lower")))
    for line in (
        "empty_text: empty.wav: nothing is left of '?!'",
        "too_long: long.wav: 3.00 s, at most 2 s are taken",
        "too_short: short.wav: 0.0100 s, at least 0.1 s are needed",
        "infeasible: dense.wav: the 200 labels need at least",
        "unreadable: text.wav: ",
        "missing_file: none.wav: ",
    ):
        assert line in told


def test_characters_are_shown_with_counts_and_examples(mixed, tmp_path):
    told = tell_plan(options(mixed, tmp_path))
    assert "'Y'        U+0059          12  kept                             YES NO" in told
    assert "','        U+002C          12  dropped (strip_punctuation)      Yes, no." in told


def test_letters_that_will_be_refused_are_shown(mixed, tmp_path):
    mixed.add("Øl 5", split="test")
    told = tell_plan(
        options(mixed, tmp_path, text_rules=("strip_punctuation", "letters:fi", "lower", "collapse_space"))
    )
    assert "outside_vocabulary: 013.wav: 5 in 'ol 5'" in told
    assert "'5'" in told


def test_leakage_is_told(mixed, tmp_path):
    assert "LEAKAGE: speakers in more than one split: 1\n  s: 12 in train, 1 in test" in tell_plan(
        options(mixed, tmp_path)
    )


def test_recordings_in_a_bucket_are_not_fetched_for_their_length(corpus, tmp_path):
    corpus.add("yes", seconds=2)
    corpus.rows.append("gs://nobody/a.wav\tyes\ts\ttrain")
    told = tell_plan(options(corpus, tmp_path))
    assert "the lengths of 1 recordings in a bucket are not known" in told
    assert split_tables(told)[1].split()[:2] == ["train", "2"]


def test_leakage_is_told_by_the_run_too(mixed, tmp_path, capsys):
    make_tfrecords(options(mixed, tmp_path / "out"))
    assert "LEAKAGE: speakers in more than one split: 1" in capsys.readouterr().out
    assert "s: 12 in train, 1 in test" in (tmp_path / "out/report.txt").read_text("utf-8")
