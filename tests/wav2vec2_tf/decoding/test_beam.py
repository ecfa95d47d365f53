import sys
from pathlib import Path

import numpy as np
import pytest

from tests.brute_force import Arpa, best_paths
from wav2vec2_tf.decoding import beam as module
from wav2vec2_tf.decoding.arpa import words_of, write_arpa
from wav2vec2_tf.decoding.beam import BeamDecoder
from wav2vec2_tf.decoding.cuts import pieces
from wav2vec2_tf.decoding.ngram import estimate
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

pytest.importorskip("flashlight.lib.text", reason="flashlight-text is not installed (extra lm)")

LETTERS = ("<pad>", "|", "A", "B")  # few, so that every path can be tried
TEXT = ["AB A", "AB BA", "A AB BA", "BA", "BB A", "AB AB A", "A", "AB"]
FRAMES = 7
BINARY = Path(__file__).parents[2] / "golden" / "lmplz" / "words.bin"  # what build_binary makes of the fixture `lm`


@pytest.fixture
def tokenizer():
    special = dict(bos_token=None, eos_token=None, unk_token=None)
    return Wav2Vec2CTCTokenizer({token: i for i, token in enumerate(LETTERS)}, **special)


@pytest.fixture
def lm(tmp_path):
    write_arpa(tmp_path / "words.arpa", estimate([line.split() for line in TEXT], order=3))
    return tmp_path / "words.arpa"


@pytest.fixture
def label_lm(tmp_path):
    lines = [["|" if char == " " else char for char in line] for line in TEXT]
    write_arpa(tmp_path / "letters.arpa", estimate(lines, order=4))
    return tmp_path / "letters.arpa"


#: Nothing is given up, so that the search must find the best there is.
WHOLE = dict(beam_size=100_000, beam_threshold=1e4)


def frames(seed=0, count=FRAMES):
    drawn = np.random.default_rng(seed).dirichlet(np.full(len(LETTERS), 0.5), count) + 1e-4
    return np.log(drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float32)


def words_in(labels):
    return "".join(LETTERS[label].replace("|", " ") for label in labels).split()


def expect_equal(found, truth, count=5):
    best = sorted(truth, key=truth.get, reverse=True)[:count]
    assert [h.text for h in found] == best
    np.testing.assert_allclose([h.score for h in found], [truth[text] for text in best], atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_words_equal_trying_every_path(tokenizer, lm, seed):
    decoder = BeamDecoder(tokenizer, lm, lm_weight=1.3, word_score=0.7, **WHOLE)
    model, known = Arpa(lm), set(" ".join(TEXT).split())

    def score(labels):
        words = words_in(labels)
        said = " ".join(words), 1.3 * model.total(words, 3) + 0.7 * len(words)
        return said if known.issuperset(words) else None

    expect_equal(decoder.n_best(frames(seed), 5), best_paths(frames(seed), score))


@pytest.mark.parametrize("seed", range(4))
def test_labels_equal_trying_every_path(tokenizer, label_lm, seed):
    decoder = BeamDecoder(tokenizer, label_lm, lm_weight=0.8, **WHOLE)
    model = Arpa(label_lm)

    def score(labels):
        said = [LETTERS[label] for label in labels]
        return "".join(said).replace("|", " ").strip(), 0.8 * model.total(said, 4)

    expect_equal(decoder.n_best(frames(seed), 5), best_paths(frames(seed), score))


def test_a_kenlm_binary_is_the_same_model(tokenizer, lm):
    assert sorted(words_of(BINARY)) == sorted(words_of(lm))
    found, same = (BeamDecoder(tokenizer, path).n_best(frames(), 5) for path in (BINARY, lm))
    assert [h.text for h in found] == [h.text for h in same]
    np.testing.assert_allclose([h.score for h in found], [h.score for h in same], atol=1e-4)


def test_a_hot_word_is_heard_where_it_was_not_even_known(tokenizer, lm):
    assert "BAB" not in BeamDecoder(tokenizer, lm).n_best(spoken("BAB"), 1)[0].text.split()
    decoder = BeamDecoder(tokenizer, lm, hot_words={"bab": 8.0})
    assert decoder.n_best(spoken("BAB"), 1)[0].text == "BAB"


@pytest.mark.parametrize("unknown", [True, False])
def test_hot_phrases_add_their_bonus_and_nothing_else(tokenizer, lm, label_lm, unknown):
    phrase = "AB BB" if unknown else "AB BA"
    for path in (lm, label_lm):
        plain = {h.text: h.score for h in BeamDecoder(tokenizer, path, **WHOLE).n_best(frames(), 1000)}
        hot = {
            h.text: h.score
            for h in BeamDecoder(tokenizer, path, **WHOLE, hot_words={phrase: 3.0}).n_best(frames(), 1000)
        }
        both = plain.keys() & hot.keys()
        assert any(f" {phrase} " in f" {text} " for text in both)
        for text in both:
            times = f" {text} ".count(f" {phrase} ")
            assert hot[text] == pytest.approx(plain[text] + 3.0 * times, abs=1e-3), text


def spoken(text, sure=0.9):
    """Frames that say a text, a blank after each label."""
    path = [label for char in text for label in (LETTERS.index(char.replace(" ", "|")), 0)]
    probs = np.full((len(path), len(LETTERS)), (1 - sure) / (len(LETTERS) - 1), np.float32)
    probs[np.arange(len(path)), path] = sure
    return np.log(probs)


def test_words_have_the_times_and_confidences_of_their_frames(tokenizer, lm):
    heard = BeamDecoder(tokenizer, lm).decode(spoken("AB A"), 0.02)
    assert (heard.text, heard.duration_seconds) == ("AB A", pytest.approx(0.16))
    assert [(word.text, word.start_seconds, word.end_seconds) for word in heard.words] == [
        ("AB", 0.0, pytest.approx(0.06)), ("A", pytest.approx(0.12), pytest.approx(0.14)),
    ]  # fmt: skip
    assert heard.words[0].confidence == pytest.approx(0.9)


def test_only_given_words_are_heard(tokenizer):
    found = BeamDecoder(tokenizer, words=["AB", "B"]).n_best(spoken("BA B"), 20)
    assert {word for hypothesis in found for word in hypothesis.text.split()} == {"AB", "B"}


def test_without_language_model_and_words_any_text_may_come_out(tokenizer):
    assert BeamDecoder(tokenizer).n_best(spoken("BAB ABBA"), 1)[0].text == "BAB ABBA"


def test_weights_change_without_loading_again(tokenizer, lm):
    decoder = BeamDecoder(tokenizer, lm, lm_weight=0.0, word_score=0.0)
    before = decoder.n_best(frames(), 3)
    decoder.set_weights(2.0, -1.0)
    anew = BeamDecoder(tokenizer, lm, lm_weight=2.0, word_score=-1.0)
    assert [h.score for h in decoder.n_best(frames(), 3)] == [h.score for h in anew.n_best(frames(), 3)]
    assert before[0].score == pytest.approx(before[0].acoustic)


def test_pieces_of_words_are_searched_with_a_model_of_pieces(tmp_path):
    pytest.importorskip("sentencepiece")
    from wav2vec2_tf.decoding.build_lm import as_labels
    from wav2vec2_tf.text.subwords import SubwordTokenizer

    tokenizer = SubwordTokenizer.train(["GO ON", "GOON", "NO GO"], size=11)
    write_arpa(tmp_path / "pieces.arpa", estimate(as_labels(["GO ON", "NO GO"], tokenizer), 2))
    labels = tokenizer.encode("GO ON")
    probs = np.full((2 * len(labels), len(tokenizer)), 0.01, np.float32)
    probs[np.arange(0, len(probs), 2), labels] = probs[1::2, tokenizer.pad_token_id] = 0.9
    heard = BeamDecoder(tokenizer, tmp_path / "pieces.arpa").decode(np.log(probs), 0.02)
    assert [word.text for word in heard.words] == ["GO", "ON"]


def test_a_recording_without_frames_says_nothing(tokenizer, lm):
    heard = BeamDecoder(tokenizer, lm).decode(np.zeros((0, 4), np.float32), 0.02)
    assert (heard.text, heard.words, heard.duration_seconds) == ("", (), 0.0)


@pytest.mark.parametrize("wrong", [np.zeros(4), np.ones((3, 4)), np.full((3, 4), np.nan)])
def test_what_are_no_log_probabilities_is_refused(tokenizer, lm, wrong):
    with pytest.raises(ValueError, match="at most 0, of one recording"):
        BeamDecoder(tokenizer, lm).n_best(wrong, 1)


def test_a_model_of_labels_takes_no_words(tokenizer, label_lm):
    with pytest.raises(ValueError, match="takes no list of words"):
        BeamDecoder(tokenizer, label_lm, words=["AB"])


def test_what_kenlm_cannot_read_is_told(tokenizer, lm):
    lm.write_text(lm.read_text("utf-8").replace("\\2-grams", "\\7-grams"), "utf-8")
    with pytest.raises(ValueError, match=r"KenLM cannot read the language model .*words.arpa"):
        BeamDecoder(tokenizer, lm)


def test_words_of_another_alphabet_are_left_out_and_told(tokenizer, tmp_path):
    write_arpa(tmp_path / "lm.arpa", estimate([["AB", "C"], ["AB", "BA"]], 2))
    with pytest.warns(UserWarning, match="1 of 3 words .* 'C' for one"):
        BeamDecoder(tokenizer, tmp_path / "lm.arpa")


def test_the_missing_library_is_named(tokenizer, monkeypatch):
    monkeypatch.setitem(sys.modules, "flashlight.lib.text", None)
    with pytest.raises(ImportError, match=r"wav2vec2-tf\[lm\]"):
        BeamDecoder(tokenizer)


def test_long_recordings_are_cut_at_pauses_and_joined(tokenizer, lm, monkeypatch):
    pause = np.log(np.array([[0.97, 0.01, 0.01, 0.01]] * 6, np.float32))
    long = np.concatenate([piece for _ in range(5) for piece in (spoken("AB BA"), pause)])
    cuts = []
    monkeypatch.setattr(module, "pieces", lambda silent: cuts.extend(pieces(silent, 24)) or cuts)
    heard = BeamDecoder(tokenizer, lm).decode(long, 0.02)
    assert len(cuts) == 5
    assert heard.text == " ".join(["AB BA"] * 5)
    assert [word.start_seconds for word in heard.words[::2]] == pytest.approx([0.32 * i for i in range(5)])
    assert heard.duration_seconds == pytest.approx(len(long) * 0.02)
    assert len(heard.characters) == 20


def test_a_writing_without_spaces_gets_none_where_pieces_meet(monkeypatch):
    tokenizer = Wav2Vec2CTCTokenizer({token: label for label, token in enumerate(("<pad>", "<unk>", "|", *"你好"))})
    frames = [3, 0, 4, 0, 0, 0] * 8
    monkeypatch.setattr(module, "pieces", lambda silent: pieces(silent, 20))
    probs = np.full((len(frames), 7), 1e-3) + 0.99 * np.eye(7)[frames]  # <s> and </s> are appended
    heard = BeamDecoder(tokenizer).decode(np.log(np.minimum(probs, 1)), 0.02)
    assert heard.text == "你好" * 8
    assert "".join(word.text for word in heard.words) == heard.text


def test_without_a_pause_a_piece_is_as_long_as_it_may_be():
    assert pieces(np.zeros(12, bool), most=5) == [slice(0, 5), slice(5, 10), slice(10, 12)]
    assert pieces(np.zeros(0, bool)) == [slice(0, 0)]
