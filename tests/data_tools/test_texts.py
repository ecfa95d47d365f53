from pathlib import Path

import pytest

from data_tools.clips import REASONS
from data_tools.manifest import Utterance
from data_tools.texts import read_vocabulary, settle_texts
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

RULES = ("upper", "strip_punctuation", "collapse_space")


def utterance(id, text):
    return Utterance(id, Path(id), text, "", "train", id)


def settle(*texts, tokenizer=None):
    return settle_texts([utterance(str(i), text) for i, text in enumerate(texts)], RULES, tokenizer)


def only_rejection(*texts, **more):
    _, (rejection,) = settle(*texts, **more)
    assert rejection.reason in REASONS
    return rejection


def test_the_rules_make_the_text():
    (job,), _ = settle("Yes, please!")
    assert (job.text, job.utterance.text) == ("YES PLEASE", "Yes, please!")


@pytest.mark.parametrize("text", ["", "  ", "...", "?!"])
def test_nothing_left_of_a_transcript_is_a_rejection(text):
    assert only_rejection(text).reason == "empty_text"


def test_characters_outside_the_vocabulary_are_named():
    rejection = only_rejection("YES", "Çá va", tokenizer=Wav2Vec2CTCTokenizer.standard())
    assert (rejection.reason, rejection.utterance.id) == ("outside_vocabulary", "1")
    assert rejection.detail == "Á Ç in 'ÇÁ VA'"


def test_without_a_vocabulary_all_characters_are_fine():
    jobs, rejections = settle("YES", "Çá va")
    assert (len(jobs), rejections) == (2, [])


def test_the_second_of_one_id_is_rejected():
    jobs, (rejection,) = settle_texts([utterance("a", "ONE"), utterance("a", "TWO")], RULES, None)
    assert [job.text for job in jobs] == ["ONE"]
    assert (rejection.reason, rejection.utterance.text) == ("duplicate_id", "TWO")


@pytest.mark.parametrize("content", [None, "{", ""])
def test_a_vocabulary_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "vocab.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match="--vocab .*vocab.json cannot be read"):
        read_vocabulary(path)
