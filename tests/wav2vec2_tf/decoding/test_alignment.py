"""When words are heard: known frames are found again, with punctuation, wildcards and confidences."""

import numpy as np
import pytest

from wav2vec2_tf.decoding.alignment import align
from wav2vec2_tf.decoding.greedy import Greedy
from wav2vec2_tf.decoding.spelling import spell
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

TOKENIZER = Wav2Vec2CTCTokenizer.standard()


def spoken(frames: str, sureness: float = 0.9) -> np.ndarray:
    """Makes log-probabilities in which each character is heard in one frame, "_" being the blank, " " the delimiter."""
    ids = [0 if char == "_" else TOKENIZER.characters[char] for char in frames]
    probs = np.full((len(ids), len(TOKENIZER)), (1 - sureness) / (len(TOKENIZER) - 1))
    probs[np.arange(len(ids)), ids] = sureness
    return np.log(probs).astype(np.float32)


def frames_of(text: str, log_probs: np.ndarray) -> dict[str, tuple[int, int]]:
    found = align(log_probs, spell(text, TOKENIZER), TOKENIZER, seconds_per_frame=1.0)
    return {word.text: (int(word.start_seconds), int(word.end_seconds)) for word in found.words}


def test_words_are_found_where_they_are_said():
    assert frames_of("Hello, world!", spoken("__HEL_LO_ _WOR_LD__")) == {"Hello,": (2, 8), "world!": (11, 17)}


def test_a_misheard_letter_moves_no_other_word():
    assert frames_of("one two three", spoken("ONE__TEO_ THRE_E_")) == {"one": (0, 3), "two": (5, 8), "three": (10, 16)}


def test_a_long_sound_is_one_letter():
    assert frames_of("oh no", spoken("OOOHH  NNO")) == {"oh": (0, 5), "no": (7, 10)}


def test_seconds_follow_the_frames():
    found = align(spoken("_NO__"), spell("no", TOKENIZER), TOKENIZER, seconds_per_frame=0.02)
    assert (found.words[0].start_seconds, found.words[0].end_seconds) == pytest.approx((0.02, 0.06))
    assert found.duration_seconds == pytest.approx(0.1)
    assert [(span.text, span.start_seconds) for span in found.characters] == [("N", 0.02), ("O", 0.04)]


@pytest.mark.parametrize(
    ("text", "frames", "place"),
    [
        ("in 1984 we", "_IN_ NI_NETEEN_EIGHTY_FOUR_ WE_", (5, 26)),
        ("in 21 we", "_IN_ __TWENTY ONE___ WE_", (7, 17)),
        ("21 we", "TWENTY_ WE", (0, 6)),
        ("in 21", "IN _TWENTY__", (4, 10)),
        ("in 1984 we", "IN NINETEEN_ __EIGHTY FOUR WE", (3, 26)),
    ],
)
def test_what_cannot_be_spelled_lies_where_something_else_is_said(text, frames, place):
    found = frames_of(text, spoken(frames))
    assert found[next(word for word in found if word.isdigit())] == place
    for word in text.split():
        if not word.isdigit():
            first, end = found[word]
            assert frames[first:end] == word.upper()


def test_a_sign_stands_for_an_announcement_that_the_text_lacks():
    frames = "THIS IS_ A RECORDING__ ONE TWO THE END"
    assert frames_of("# one two #", spoken(frames)) != frames_of("one two", spoken(frames))
    found = align(spoken(frames), spell("# one two #", TOKENIZER), TOKENIZER, seconds_per_frame=1.0)
    assert [(word.start_seconds, word.end_seconds) for word in found.words] == [(0, 20), (23, 26), (27, 30), (31, 38)]


def test_a_wildcard_has_no_confidence():
    found = align(spoken("IN TWO"), spell("in 2", TOKENIZER), TOKENIZER, 0.02)
    assert [round(word.confidence, 2) for word in found.words] == [0.9, 0.0]
    assert [(span.text, span.confidence > 0) for span in found.characters] == [("I", True), ("N", True), ("*", False)]


def test_confidence_tells_a_wrong_word():
    found = align(spoken("ONE TWO THRE_E"), spell("one six three", TOKENIZER), TOKENIZER, 0.02)
    one, six, three = (word.confidence for word in found.words)
    assert min(one, three) == pytest.approx(0.9)
    assert six < 0.1
    assert six < found.confidence < one


def test_of_what_greedy_decoding_hears_it_says_the_same():
    rng = np.random.default_rng(0)
    log_probs = np.log(rng.dirichlet(np.full(len(TOKENIZER), 0.02), 400) + 1e-9).astype(np.float32)
    log_probs[:, 1:4] = -30  # no special tokens
    heard = Greedy(TOKENIZER).decode(log_probs, 0.02)
    found = align(log_probs, spell(heard.text, TOKENIZER), TOKENIZER, 0.02)
    assert len(found.words) > 5
    inner = [word for word in found.words if "'" not in word.text]
    same = [word for word in heard.words if "'" not in word.text]
    assert [word.text for word in inner] == [word.text for word in same]
    for mine, theirs in zip(inner, same, strict=True):
        assert (mine.start_seconds, mine.end_seconds) == (theirs.start_seconds, theirs.end_seconds)
        assert mine.confidence == pytest.approx(theirs.confidence, rel=1e-4)


def test_the_text_keeps_its_lines():
    assert align(spoken("ONE TWO"), spell("one\ntwo\n", TOKENIZER), TOKENIZER, 0.02).text == "one\ntwo"


def test_subwords_are_aligned_too():
    from wav2vec2_tf.text.subwords import SubwordTokenizer

    tokenizer = SubwordTokenizer.train(["THE CAT", "THE HAT", "THAT CAT"], size=14)
    ids = np.repeat(tokenizer.encode("THE CAT"), 2)
    log_probs = np.log(np.full((len(ids), len(tokenizer)), 0.01) + 0.8 * np.eye(len(tokenizer))[ids])
    found = align(log_probs, spell("The cat.", tokenizer), tokenizer, 1.0)
    assert [word.text for word in found.words] == ["The", "cat."]
    assert "".join(span.text for span in found.characters) == "THECAT"


def test_a_text_longer_than_the_recording_is_refused():
    with pytest.raises(ValueError, match="9 labels need at least 9 frames; the recording has 3"):
        align(spoken("ONE"), spell("far longer"[:9], TOKENIZER), TOKENIZER, 0.02)
