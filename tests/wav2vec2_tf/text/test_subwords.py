"""Subwords: what training makes of texts, that text comes back, the files, transformers' answers, and the refusals."""

import base64
import io
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from wav2vec2_tf import Wav2Vec2CTCTokenizer, Wav2Vec2Processor
from wav2vec2_tf.text.subwords import KINDS, SubwordTokenizer

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "subwords.json").read_text(encoding="utf-8"))
TEXTS = ["THE CAT SAT ON THE MAT", "THAT HAT IS FLAT", "WHAT IS THE MATTER WITH THE CAT", "I AM A CAT"]
SIZE = 24


@pytest.fixture(params=KINDS)
def golden(request):
    return GOLDEN[request.param]


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request):
    return SubwordTokenizer.train(TEXTS, SIZE, request.param)


def foreign(**options) -> bytes:
    """Gives a model that was trained elsewhere."""
    model = io.BytesIO()
    settings = dict(vocab_size=SIZE, hard_vocab_limit=False, minloglevel=2) | options
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXTS), model_writer=model, **settings)
    return model.getvalue()


def test_texts_come_back(tokenizer):
    for text in TEXTS:
        assert tokenizer.decode(tokenizer.encode(text), group_tokens=False) == text


def test_the_vocabulary_begins_as_every_vocabulary(tokenizer):
    assert list(tokenizer.vocab)[:4] == ["<pad>", "<s>", "</s>", "<unk>"]
    assert (len(tokenizer), tokenizer.pad_token_id, tokenizer.unk_token_id) == (SIZE, 0, 3)
    assert [tokenizer.fits(size) for size in (SIZE - 1, SIZE, SIZE + 1)] == [False, True, False]


def test_a_text_has_fewer_labels_than_characters_and_never_two_more(tokenizer):
    assert len(tokenizer.encode(TEXTS[0])) < len(TEXTS[0]) * 2 / 3
    alone = SubwordTokenizer.train(["A B C"], 8)  # nothing but characters and the space
    assert len(alone.encode("A B C")) == len("A B C") + 1


def test_training_on_words_knows_no_order():
    shuffled = random.Random(1).sample(TEXTS, len(TEXTS))
    assert SubwordTokenizer.train(shuffled, SIZE).model == SubwordTokenizer.train(TEXTS, SIZE).model


def test_the_same_texts_give_the_same_vocabulary_in_another_process():
    code = (
        "import sys\nfrom wav2vec2_tf.text.subwords import SubwordTokenizer\n"
        f"for kind in {KINDS}:\n    sys.stdout.buffer.write(SubwordTokenizer.train({TEXTS!r}, {SIZE}, kind).model)"
    )
    there = subprocess.check_output([sys.executable, "-c", code])
    assert there == b"".join(SubwordTokenizer.train(TEXTS, SIZE, kind).model for kind in KINDS)


def test_unigram_of_a_large_corpus_takes_a_part_of_it(monkeypatch):
    monkeypatch.setattr("wav2vec2_tf.text.subwords._MOST_TEXTS", 2)
    assert SubwordTokenizer.train(["AB", "XY", "AB", "XY"], 7, "unigram").characters == set("AB ")


def test_surfaces_join_to_the_text(tokenizer):
    surfaces = tokenizer.surfaces
    assert "".join(surfaces[index] for index in tokenizer.encode(TEXTS[2])) == " " + TEXTS[2]
    assert surfaces[:4] == ("",) * 4
    assert tokenizer.longest == max(map(len, surfaces)) > 3


def test_frames_are_merged_blanks_left_out():
    tokenizer = SubwordTokenizer.train(TEXTS, SIZE)
    (the,), cat = tokenizer.encode("THE"), tokenizer.encode("CAT")
    frames = [0, the, the, 0, the, *(index for index in cat for _ in range(2)), 0, 3]
    assert tokenizer.decode(np.array([frames])) == "THE THE CAT"


def test_unknown_characters_become_one_label(tokenizer):
    assert tokenizer.unk_token_id in tokenizer.encode("THE ÄÖ")
    assert tokenizer.decode(tokenizer.encode("THE ÄÖ CAT"), group_tokens=False) == "THE  CAT"
    assert tokenizer.characters == set("".join(TEXTS))


def test_many_texts_at_once_get_the_same_labels(tokenizer):
    assert tokenizer.encode_all([*TEXTS, ""]) == [*map(tokenizer.encode, TEXTS), []]


def test_a_processor_comes_back_from_its_folder(tmp_path, tokenizer):
    Wav2Vec2Processor().save_pretrained(tmp_path)  # vocab.json makes way
    Wav2Vec2Processor(tokenizer=tokenizer).save_pretrained(tmp_path)
    again = Wav2Vec2Processor.from_pretrained(tmp_path)
    assert again.tokenizer.vocab == tokenizer.vocab
    assert again("THE CAT") == tokenizer.encode("THE CAT")
    assert {path.name for path in tmp_path.iterdir()} == {
        "preprocessor_config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json"
    }  # fmt: skip


def test_transformers_makes_the_same_labels_of_what_we_save(tmp_path, golden):
    tokenizer = SubwordTokenizer(base64.b64decode(golden["model"]))
    tokenizer.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "tokenizer.json").read_text("utf-8")) == golden["saved"]
    for text, ids in golden["encode"]:
        assert tokenizer.encode(text) == ids, text
    for frames, text in golden["decode"]:
        assert tokenizer.decode(frames) == text


def test_characters_take_the_place_of_subwords(tmp_path, tokenizer):
    tokenizer.save_pretrained(tmp_path)
    Wav2Vec2CTCTokenizer.standard().save_pretrained(tmp_path)
    assert Wav2Vec2CTCTokenizer.from_pretrained(tmp_path).encode("E") == [5]
    assert not (tmp_path / "tokenizer.json").exists()


def test_a_model_of_others_without_a_pad_piece_gets_a_blank_at_the_end(tmp_path):
    tokenizer = SubwordTokenizer(foreign())
    assert (tokenizer.vocab["<unk>"], tokenizer.pad_token_id) == (0, len(tokenizer) - 1)
    assert not tokenizer.fits(len(tokenizer) - 1)
    tokenizer.save_pretrained(tmp_path)
    assert Wav2Vec2CTCTokenizer.from_pretrained(tmp_path).vocab == tokenizer.vocab
    assert tokenizer.decode(tokenizer.encode(TEXTS[0]), group_tokens=False) == TEXTS[0]


@pytest.mark.parametrize(
    ("texts", "size", "kind", "why"),
    [
        (TEXTS, SIZE, "wordpiece", "no kind of subwords 'wordpiece'. Choose from: bpe, unigram"),
        (TEXTS, 5, "bpe", "5 subwords .bpe. cannot be made .* 5 vs .* Choose another --subwords"),
        (TEXTS, 5000, "unigram", "5000 subwords .unigram. cannot be made .* too high"),
        ([" ", ""], 28, "bpe", "transcripts, and none has a word"),
    ],
)
def test_a_vocabulary_that_cannot_be_made_is_refused(texts, size, kind, why):
    with pytest.raises(ValueError, match=why):
        SubwordTokenizer.train(texts, size, kind)


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"rubbish")
    with pytest.raises(ValueError, match=f"{tmp_path} is no SentencePiece model"):
        Wav2Vec2CTCTokenizer.from_pretrained(tmp_path)


def test_pieces_that_are_bytes_are_refused():
    with pytest.raises(ValueError, match="pieces that are bytes, not text .byte_fallback"):
        SubwordTokenizer(foreign(byte_fallback=True, vocab_size=300))


def test_without_sentencepiece_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ImportError, match=r"pip install 'wav2vec2-tf\[subwords\]'"):
        SubwordTokenizer.train(TEXTS, SIZE)
