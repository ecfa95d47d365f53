"""The vocabulary beside shards, and labels of subwords while they are read."""

import re

import numpy as np
import pytest
import tensorflow as tf

from data_tools.buckets import Buckets
from data_tools.index import load_index
from data_tools.place import Place
from data_tools.vocabulary import label_options, load_vocabulary, save_vocabulary
from tests.data_tools.conftest import TEXTS
from tests.data_tools.test_reader import read
from wav2vec2_tf.text.subwords import SubwordTokenizer
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

BUCKETS = Buckets((32_000, 80_000), (10, 4), (14, 14))


@pytest.fixture(scope="module")
def index(shards):
    return load_index(shards)


@pytest.mark.parametrize(("kind", "size"), [("bpe", 40), ("unigram", 22)])
def test_labels_are_the_pieces_of_each_text(index, kind, size):
    tokenizer = SubwordTokenizer.train(TEXTS, size, kind)
    seen = set()
    for batch in read(index, BUCKETS, seed=1, **label_options(tokenizer)):
        for text, labels, count in zip(batch["text"], batch["labels"], batch["num_labels"], strict=True):
            assert labels[:count].tolist() == tokenizer.encode(text.decode())
            assert not labels[count:].any()
            seen.add(text.decode())
    assert seen == {*TEXTS, ""}  # "" fills batches up


def test_a_text_of_lone_characters_has_room_for_one_label_more(index):
    tokenizer = SubwordTokenizer.train([" ".join("".join(TEXTS).replace(" ", ""))], 21)
    batches = read(index, BUCKETS, **label_options(tokenizer))
    assert max(batch["num_labels"].max() for batch in batches) == 14 + 1
    assert {batch["labels"].shape[1] for batch in batches} == {14 + 1}


def test_labels_that_would_be_cut_off_are_an_error(index, monkeypatch):
    monkeypatch.setattr(SubwordTokenizer, "encode_all", lambda self, texts: [[5] * 16 for _ in texts])
    with pytest.raises(tf.errors.InvalidArgumentError, match="A text has more labels than characters"):
        read(index, BUCKETS, **label_options(SubwordTokenizer.train(TEXTS, 22)))


def test_types_are_those_of_characters(index):
    characters, pieces = (
        tf.nest.map_structure(np.shape, read(index, BUCKETS, **label_options(tokenizer))[0])
        for tokenizer in (Wav2Vec2CTCTokenizer.standard(), SubwordTokenizer.train(TEXTS, 22))
    )
    assert {name for name in characters if characters[name] != pieces[name]} == {"labels"}


def test_one_vocabulary_takes_the_place_of_another(tmp_path):
    place, characters, pieces = Place.of(tmp_path), Wav2Vec2CTCTokenizer.standard(), SubwordTokenizer.train(TEXTS, 22)
    for tokenizer in (characters, pieces, characters):
        save_vocabulary(tokenizer, place)
        assert load_vocabulary(place).vocab == tokenizer.vocab
        assert len(place.list()) == 1


def test_a_missing_vocabulary_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(f"There is no {tmp_path / 'vocab.json'}. Copy it from")):
        load_vocabulary(Place.of(tmp_path))


def test_a_vocabulary_that_is_not_json_is_named(tmp_path):
    (tmp_path / "vocab.json").write_text("{")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'vocab.json'} is not valid JSON")):
        load_vocabulary(Place.of(tmp_path))


def test_a_damaged_vocabulary_of_subwords_is_named(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"x")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'tokenizer.model'} is no SentencePiece model")):
        load_vocabulary(Place.of(tmp_path))
