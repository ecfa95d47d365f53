"""Greedy decoding: the best label of real frames only, and when words and characters are heard."""

import numpy as np
import pytest

from wav2vec2_tf.decoding.greedy import Greedy, best_ids, collapse
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer


def test_frames_beyond_the_real_ones_are_left_out():
    logits = np.random.default_rng(0).normal(size=(2, 5, 4))
    rows = best_ids(logits, num_frames=[3, 0])
    assert [row.tolist() for row in rows] == [logits[0, :3].argmax(-1).tolist(), []]


def test_ids_chosen_before_pass_through():
    assert [row.tolist() for row in best_ids(np.array([[1, 0, 2]]), [2])] == [[1, 0]]


def test_repeats_merge_before_blanks_go():
    assert collapse([5, 5, 0, 5, 0, 0, 6]) == [5, 5, 6]
    assert collapse([3, 3, 0, 0], blank=3) == [0]
    assert collapse([]) == []


@pytest.mark.parametrize("num_frames", [[4], [-1, 2], [1, 6], [[1, 2]]])
def test_lengths_that_do_not_fit_are_refused(num_frames):
    with pytest.raises(ValueError, match=r"one value in 0\.\.5 for each of 2 rows"):
        best_ids(np.zeros((2, 5, 4)), num_frames)


def test_logits_without_batch_axis_are_refused():
    with pytest.raises(ValueError, match=r"axes \[B, T, V\]; got shape \(5, 4\)"):
        best_ids(np.zeros((5, 4)))


def test_ids_without_batch_axis_are_refused():
    with pytest.raises(ValueError, match=r"axes \[B, T\]; got shape \(5,\)"):
        best_ids(np.zeros(5, int))


def read(tokens: str, log_probs=None, **how):
    """Reads frames written as letters: "." is the blank, "|" the delimiter."""
    vocab = {".": 0, "<unk>": 1, "|": 2, "A": 3, "B": 4}
    tokenizer = Wav2Vec2CTCTokenizer(vocab, pad_token=".", bos_token=None, eos_token=None)
    ids = [vocab[token] for token in tokens]
    return Greedy(tokenizer).read(ids, np.zeros(len(ids)) if log_probs is None else log_probs, 0.5, **how)


def times(spans) -> list[tuple]:
    return [(span.text, span.start_seconds, span.end_seconds) for span in spans]


def test_words_and_characters_are_where_their_frames_are():
    heard = read("..AA.AB||..B.")
    assert heard.text == "AAB B"
    assert times(heard.characters) == [("A", 1, 2), ("A", 2.5, 3), ("B", 3, 3.5), ("B", 5.5, 6)]
    assert times(heard.words) == [("AAB", 1, 3.5), ("B", 5.5, 6)]
    assert heard.duration_seconds == 6.5


def test_times_may_begin_later():
    assert times(read("A.B", first_frame=10).words) == [("AB", 5, 6.5)]


def test_confidence_is_the_geometric_mean_of_the_frames_from_first_to_last():
    heard = read("A.B|A", np.log([0.5, 0.4, 0.3, 0.2, 0.1]))
    assert heard.words[0].confidence == pytest.approx((0.5 * 0.4 * 0.3) ** (1 / 3))
    assert [c.confidence for c in heard.characters] == pytest.approx([0.5, 0.3, 0.1])
    assert heard.confidence == pytest.approx((0.5 * 0.4 * 0.3 * 0.2 * 0.1) ** (1 / 5))


@pytest.mark.parametrize("frames", ["", ".", "|", "..|.|"])
def test_nothing_said_is_no_word(frames):
    heard = read(frames)
    assert (heard.text, heard.words, heard.characters) == ("", (), ())
    assert heard.confidence == (1.0 if frames else 0.0)


@pytest.mark.parametrize("frames", ["|A|", "A||B", "A|.|B", "AB", "|A.A|B|"])
def test_words_are_the_texts_own(frames):
    assert [word.text for word in read(frames).words] == read(frames).text.split()


def test_log_probs_are_decoded_as_their_best_labels():
    tokenizer = Wav2Vec2CTCTokenizer.standard()
    log_probs = np.log(np.random.default_rng(0).dirichlet(np.ones(32), 50))
    expected = Greedy(tokenizer).read(log_probs.argmax(1), log_probs.max(1), 0.02)
    assert Greedy(tokenizer).decode(log_probs, 0.02) == expected
    assert expected.text == tokenizer.decode(log_probs.argmax(1))


def test_pieces_of_words_are_joined():
    pytest.importorskip("sentencepiece")
    from wav2vec2_tf.text.subwords import SubwordTokenizer

    tokenizer = SubwordTokenizer.train(["THE CAT", "THE HAT", "THAT CAT"], size=14)
    ids = [index for piece in tokenizer.encode("THAT HAT") for index in (piece, tokenizer.pad_token_id)]
    heard = Greedy(tokenizer).read(ids, np.zeros(len(ids)), 0.02)
    assert heard.text == "THAT HAT"
    assert [word.text for word in heard.words] == ["THAT", "HAT"]
