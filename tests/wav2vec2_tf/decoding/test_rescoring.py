import sys
from types import SimpleNamespace

import numpy as np
import pytest

from wav2vec2_tf.decoding.beam import Hypothesis
from wav2vec2_tf.decoding.rescoring import Rescorer, RescoringDecoder

LETTERS = " abcdefghijklmnopqrstuvwxyz'"


class Preprocessor:
    """Letters to ids, a begin before them (0) and an end after them (0), as keras-hub's give them."""

    def tokenizer(self, texts):
        return [[LETTERS.index(char) + 1 for char in text] for text in texts]

    def __call__(self, texts, sequence_length):
        ids = np.zeros((len(texts), sequence_length + 1), int)
        for row, tokens in zip(ids, self.tokenizer(texts), strict=True):
            row[1 : len(tokens) + 1] = tokens
        real = np.arange(sequence_length)[None] <= np.array([[len(text)] for text in texts])
        return ids[:, :-1], ids[:, 1:], real


class Model:
    """Expects the letter that follows in the alphabet."""

    preprocessor = Preprocessor()

    def __call__(self, ids):
        return np.eye(len(LETTERS) + 1)[(ids + 1) % (len(LETTERS) + 1)] * 5


@pytest.fixture
def rescorer():
    return Rescorer(Model(), weight=1.0, word_score=0.0)


def hypothesis(text, score):
    return Hypothesis(text, score, score, np.zeros(0, np.int32))


LISTS = [hypothesis("CBA", -1.0), hypothesis("ABC", -2.0)]


def test_log_probabilities_are_of_the_text_and_its_end_only(rescorer):
    expected, other = np.log(np.exp([5.0, 0.0]) / (np.exp(5) + len(LETTERS)))
    sums = [other, 3 * other + expected, 2 * expected + 2 * other]
    np.testing.assert_allclose(rescorer.log_probs(["", "bbc", "abc"]), sums, rtol=1e-5)


def test_a_likely_text_comes_first_and_capitals_do_not_matter(rescorer):
    found = rescorer.rescore(LISTS)
    assert [h.text for h in found] == ["ABC", "CBA"]
    assert found[0].score == pytest.approx(-2.0 + rescorer.log_probs(["abc"])[0])
    assert Rescorer(Model(), weight=0.0).rescore(LISTS)[0].text == "CBA"


def test_words_add_their_score():
    rescorer = Rescorer(Model(), weight=0.0, word_score=2.0)
    assert rescorer.rescore([hypothesis("AB", -1.0), hypothesis("A B", -2.0)])[0].text == "A B"


def test_a_decoder_gives_the_rescored_best(rescorer):
    beam = SimpleNamespace(
        n_best=lambda frames, count: LISTS[:count], read=lambda frames, seconds, choose: choose(frames).text
    )
    decoder = RescoringDecoder(beam, rescorer)
    assert decoder.decode(np.zeros((1, 2)), 0.02) == "ABC"
    assert [h.text for h in decoder.n_best(np.zeros((1, 2)), 1)] == ["CBA"]


def test_the_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ImportError, match=r"wav2vec2-tf\[rescoring\]"):
        Rescorer.from_preset("gpt2_base_en")


def test_a_model_of_keras_hub_is_saved_loaded_and_scores(tmp_path):
    keras_hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed: make test-rescoring")
    vocabulary = {token: i for i, token in enumerate(["<|endoftext|>", *LETTERS[1:], "Ġ", "he"])}
    tokenizer = keras_hub.models.GPT2Tokenizer(vocabulary=vocabulary, merges=["h e"])
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=len(vocabulary), num_layers=1, num_heads=1, hidden_dim=8, intermediate_dim=8,
        max_sequence_length=64,
    )  # fmt: skip
    preprocessor = keras_hub.models.GPT2CausalLMPreprocessor(tokenizer, sequence_length=16)
    model = keras_hub.models.GPT2CausalLM(backbone, preprocessor)
    model.save_to_preset(str(tmp_path / "lm"))
    texts = ["THE HEN", "", "A LONGER TEXT THAN THE OTHERS ARE"]
    scores = Rescorer(model).log_probs(texts)
    np.testing.assert_allclose(Rescorer.from_preset(tmp_path / "lm").log_probs(texts), scores, rtol=1e-4)
    np.testing.assert_allclose([Rescorer(model).log_probs([text])[0] for text in texts], scores, rtol=1e-4)
    near_chance = np.array([len(tokenizer(text.lower())) + 1 for text in texts]) * -np.log(len(vocabulary))
    np.testing.assert_allclose(scores, near_chance, rtol=0.1)
    with pytest.raises(ValueError, match="finds no causal language model .*nothing"):
        Rescorer.from_preset(tmp_path / "nothing")
