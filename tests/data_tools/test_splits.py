from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from data_tools.manifest import Utterance
from data_tools.manifests import CorpusOptions, read_corpus
from data_tools.sources import TarMember
from data_tools.splits import describe_leaks, find_leaks, split_anew

SHARES = {"dev": 0.1, "test": 0.2}


def utterance(i, speaker="", split="train", audio=None, source=None):
    return Utterance(f"u{i}", audio or Path(f"{i}.wav"), "x", speaker, split, source or f"{i}.wav")


def corpus(num_speakers, each=3):
    return [utterance(i, f"s{i % num_speakers}") for i in range(num_speakers * each)]


def splits_of(utterances):
    return {u.speaker: u.split for u in utterances}


def test_no_speaker_is_in_two_splits_and_shares_are_met():
    utterances = split_anew(corpus(2000), "speaker", SHARES)
    assert find_leaks(utterances) == []
    counts = Counter(splits_of(utterances).values())
    assert counts["dev"] == pytest.approx(200, rel=0.2)
    assert counts["test"] == pytest.approx(400, rel=0.2)


def test_pieces_of_a_recording_stay_together():
    pieces = [replace(utterance(i % 100), id=str(i)) for i in range(300)]
    assert find_leaks(split_anew(pieces, "recording", SHARES)) == []


def test_a_corpus_that_grows_keeps_its_splits():
    before, after = (splits_of(split_anew(corpus(size), "speaker", SHARES)) for size in (100, 300))
    assert before.items() <= after.items()


def test_the_split_is_the_same_everywhere():
    utterances = split_anew([utterance(i) for i in range(12)], "recording", {"dev": 0.3, "test": 0.3}, seed=1)
    assert " ".join(u.split for u in utterances) == "dev test train train test train test train dev train train train"


def test_another_seed_is_another_split():
    one, two = (split_anew(corpus(100), "speaker", SHARES, seed) for seed in (0, 1))
    assert one != two


def test_options_ask_for_a_split(tmp_path):
    rows = "".join(f"{i}.wav\tx\ts{i}\ttest\n" for i in range(200))
    (tmp_path / "m.tsv").write_text("path\ttranscript\tspeaker\tsplit\n" + rows)
    options = CorpusOptions(manifest=tmp_path / "m.tsv", audio_root=tmp_path)
    assert {u.split for u in read_corpus(options)} == {"test"}
    anew = read_corpus(replace(options, split_by="speaker", split_shares={"held": 0.5}))
    assert {u.split for u in anew} == {"train", "held"}


@pytest.mark.parametrize(
    ("shares", "complaint"),
    [
        ({"dev": 0}, "gives dev 0; shares are between 0 and 1"),
        ({"train": 0.5}, "train is the rest"),
        ({"dev": 0.5, "test": 0.5}, "add up to 1 and leave nothing to train"),
        ({"d/v": 0.5}, "--split_shares: the split 'd/v' names files"),
        ({"dev": 0.00001}, "None of the 10 speakers falls into dev"),
    ],
)
def test_shares_that_cannot_be_met_are_refused(shares, complaint):
    with pytest.raises(ValueError, match=complaint):
        split_anew(corpus(10), "speaker", shares)


def test_an_unknown_speaker_cannot_be_split():
    with pytest.raises(ValueError, match="u0 has no speaker.* use --split_by recording"):
        split_anew([utterance(0)], "speaker", SHARES)


def test_a_speaker_in_two_splits_is_found():
    (leak,) = find_leaks([utterance(0, "anna"), utterance(1, "anna", "dev"), utterance(2, "ben", "dev")])
    assert (leak.kind, leak.what, leak.utterances) == ("speaker", "anna", {"train": 1, "dev": 1})


def test_a_recording_in_two_splits_is_found():
    shared = "gs://bucket/a.wav"
    (leak,) = find_leaks([utterance(i, "", split, shared, "a.wav") for i, split in enumerate(("train", "dev"))])
    assert (leak.kind, leak.what) == ("recording", "a.wav")


def test_equal_files_under_two_names_are_found(tmp_path):
    files = {"a": b"x" * 9000, "b": b"x" * 9000, "c": b"x" * 8999 + b"y", "d": b"x" * 9}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "t.tar").write_bytes(b"head" + files["a"])
    audios = [tmp_path / name for name in files] + [tmp_path / "gone"]
    train = [utterance(i, audio=audio, source=audio.name) for i, audio in enumerate(audios)]
    test = [utterance(9, "", "test", TarMember(tmp_path / "t.tar", 4, 9000), "t.tar/a")]
    (leak,) = find_leaks(train + test)
    assert (leak.kind, leak.what, leak.utterances) == ("content", "a, b, t.tar/a", {"train": 2, "test": 1})


def test_leaks_are_told_with_the_worst_first():
    people = [utterance(i, f"s{i % 7}", ("train", "dev")[i % 2]) for i in range(28)] + [utterance(99, "s3", "dev")]
    lines = describe_leaks(find_leaks(people))
    assert lines[0] == "LEAKAGE: speakers in more than one split: 7"
    assert lines[1] == "  s3: 2 in dev, 3 in train" or lines[1] == "  s3: 3 in dev, 2 in train"
    assert len(lines) == 6


def test_no_leak_is_told_too():
    assert describe_leaks([]) == ["leakage: no speaker, no recording and no file is in two splits"]
