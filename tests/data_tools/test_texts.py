import json
from pathlib import Path

import pytest

from data_tools import gcs
from data_tools.clips import REASONS
from data_tools.manifest import Utterance
from data_tools.texts import read_vocabulary, settle_corpus, settle_texts
from wav2vec2_tf.text.subwords import SubwordTokenizer
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


LETTERS = ("strip_punctuation", "letters:en", "upper", "collapse_space")


def test_letters_of_a_language_limit_texts_and_vocabulary():
    texts = settle_corpus([utterance("0", "Señor Øst"), utterance("1", "Ångström, 日本")], LETTERS, None)
    assert [job.text for job in texts.jobs] == ["SENOR OST"]
    assert [(rejection.reason, rejection.detail) for rejection in texts.rejections] == [
        ("outside_vocabulary", "日 本 in 'ANGSTROM 日本'")
    ]
    assert set(texts.tokenizer.characters) - {" ", "|"} == set("SENORT")


def test_letters_and_a_vocabulary_limit_together(tmp_path):
    (tmp_path / "vocab.json").write_text('{"<pad>": 0, "|": 1, "A": 2, "\u00d8": 3}', encoding="utf-8")
    texts = settle_corpus(
        [utterance(text, text) for text in ("a", "b", "ø")], ("upper", "letters:fi"), tmp_path / "vocab.json"
    )
    assert [job.text for job in texts.jobs] == ["A"]
    assert texts.account == f"7 tokens from {tmp_path / 'vocab.json'}"


def test_without_a_letter_there_is_no_vocabulary():
    with pytest.raises(ValueError, match="No character is left of 2 transcripts"):
        settle_corpus([utterance("0", "?"), utterance("1", "!")], LETTERS, None)


@pytest.mark.parametrize("content", [None, "{", ""])
def test_a_vocabulary_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "vocab.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match="--vocab .*vocab.json cannot be read"):
        read_vocabulary(path)


def test_a_vocabulary_may_be_in_a_bucket(monkeypatch):
    vocab = {"<pad>": 0, "<unk>": 1, "|": 2, "A": 3}
    monkeypatch.setattr(gcs, "read", {"gs://bucket/vocab.json": json.dumps(vocab).encode()}.__getitem__)
    assert read_vocabulary(Path("gs://bucket/vocab.json")).vocab["A"] == 3


SPOKEN = [utterance("0", "the cat"), utterance("1", "that hat"), Utterance("2", Path("2"), "ugh", "", "test", "2")]


def test_subwords_are_made_from_what_is_not_for_testing():
    texts = settle_corpus(SPOKEN, ("upper",), None, subwords=12)
    assert texts.tokenizer.encode("THE CAT") == SubwordTokenizer.train(["THE CAT", "THAT HAT"], 12).encode("THE CAT")
    assert not {"U", "G"} & texts.tokenizer.characters
    first, pieces, *_ = texts.account.splitlines()
    assert first.startswith("12 subwords (bpe) from 2 transcripts: ")
    assert pieces.split() == list(texts.tokenizer.vocab)
    assert "'U'" in texts.account  # the account of characters is there as well


def test_where_no_split_is_for_training_subwords_are_made_from_all():
    assert {"U", "G"} <= settle_corpus(SPOKEN[2:], ("upper",), None, 8, "unigram").tokenizer.characters


def test_subwords_of_another_corpus_are_kept_to(tmp_path):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(SubwordTokenizer.train(["THE CAT", "THAT HAT"], 12).model)
    texts = settle_corpus(SPOKEN, ("upper",), path)
    assert [rejection.detail for rejection in texts.rejections] == ["G U in 'UGH'"]
    assert texts.account == f"12 tokens from {path}"


def test_a_vocabulary_is_given_or_made(tmp_path):
    with pytest.raises(ValueError, match="--vocab v.json is a vocabulary, and --subwords 9 makes one. Give one"):
        settle_corpus(SPOKEN, ("upper",), Path("v.json"), subwords=9)


def test_what_is_no_tokenizer_model_is_refused(tmp_path):
    (tmp_path / "x.model").write_bytes(b"x")
    with pytest.raises(ValueError, match="--vocab .*x.model cannot be read .*or a tokenizer.model of subwords"):
        read_vocabulary(tmp_path / "x.model")
