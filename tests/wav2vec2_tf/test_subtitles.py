"""Subtitles: short enough to read, parted where a reader expects it, every word once and in order."""

import numpy as np
import pytest

from wav2vec2_tf.decoding.transcript import Span, Transcript
from wav2vec2_tf.subtitles import LINE_CHARACTERS, LINES, LONGEST_SECONDS, Cue, cues


def spoken(text: str, seconds_per_word: float = 0.3, characters: bool = False) -> Transcript:
    """Makes a transcript whose words follow each other without a pause."""
    words, letters, now = [], [], 0.0
    for word in text.split():
        step = seconds_per_word / len(word)
        letters += [Span(char, now + i * step, now + (i + 1) * step, 1.0) for i, char in enumerate(word)]
        words.append(Span(word, letters[-len(word)].start_seconds, letters[-1].end_seconds, 1.0))
        now += seconds_per_word
    return Transcript(text, now, tuple(words), tuple(letters) if characters else ())


@pytest.mark.parametrize("seed", range(5))
def test_every_word_stands_once_in_cues_that_can_be_read(seed):
    rng = np.random.default_rng(seed)
    text = " ".join("".join(rng.choice(list("abc.?"), rng.integers(1, 15))) for _ in range(200))
    found = cues(spoken(text, seconds_per_word=rng.uniform(0.1, 0.9)))
    assert " ".join(line for cue in found for line in cue.lines).split() == text.split()
    for cue in found:
        assert len(cue.lines) <= LINES
        assert max(map(len, cue.lines)) <= LINE_CHARACTERS
        assert cue.end_seconds - cue.start_seconds <= LONGEST_SECONDS
    assert all(left.end_seconds <= right.start_seconds for left, right in zip(found, found[1:], strict=False))


def test_a_line_of_the_text_ends_its_cue():
    assert [cue.lines for cue in cues(spoken("one two\n\nthree\nfour"))] == [("one two",), ("three",), ("four",)]


def test_lines_of_a_text_that_has_other_words_are_ignored():
    words = spoken("ONE TWO").words
    assert [cue.lines for cue in cues(Transcript("one\ntwo", 1.0, words))] == [("ONE TWO",)]


def test_a_pause_parts_cues():
    words = (Span("ONE", 0.0, 0.5, 1.0), Span("TWO", 1.4, 1.6, 1.0), Span("THREE", 2.6, 2.8, 1.0))
    assert [cue.lines for cue in cues(Transcript("ONE TWO THREE", 3.0, words))] == [("ONE TWO",), ("THREE",)]


def test_a_sentence_ends_its_cue_only_once_a_line_is_full():
    text = "Mr. Quilter is the apostle of the middle classes. And we are glad"
    assert [" ".join(cue.lines) for cue in cues(spoken(text, 0.1))] == [text[:49], text[50:]]


def test_a_full_cue_ends_at_a_comma_or_where_it_must():
    text = "Making a famine where abundance lies, Thy self thy foe, to thy sweet self too cruel"
    comma, *_ = cues(spoken(text + " Thou that art now", 0.1))
    assert " ".join(comma.lines) == "Making a famine where abundance lies, Thy self thy foe,"
    must, *_ = cues(spoken(text.replace(",", "") + " Thou that art now", 0.1))
    assert " ".join(must.lines) == text.replace(",", "")


def test_a_comma_that_leaves_little_parts_nothing():
    text = "Yes, making a famine where abundance lies thy self thy foe to thy sweet self too cruel"
    assert " ".join(cues(spoken(text, 0.1))[0].lines).startswith("Yes, making a famine")


def test_a_short_cue_stays_a_second_but_not_over_the_next_or_the_end():
    words = (Span("A", 0.0, 0.2, 1.0), Span("B", 1.5, 1.7, 1.0), Span("C", 1.8, 1.9, 1.0))
    assert cues(Transcript("A\nB\nC", 2.0, words)) == [
        Cue(("A",), 0.0, 1.0), Cue(("B",), 1.5, 1.8), Cue(("C",), 1.8, 2.0),
    ]  # fmt: skip


def test_a_script_without_spaces_is_parted_between_characters():
    text = "客観的実在の判断的知識が成立するのである" * 10
    found = cues(spoken(text, seconds_per_word=40.0, characters=True))
    assert "".join("".join(cue.lines) for cue in found) == text
    assert len(found) == 6  # 40 seconds, at most seven each


def test_a_long_word_without_known_characters_stays_whole():
    assert cues(spoken("a" * 100)) == [Cue(("a" * 42, "a" * 42, "a" * 16), 0.0, 0.3)]


def test_text_without_words_is_one_cue_for_the_whole_recording():
    assert cues(Transcript("ONE\nTWO", 9.0)) == [Cue(("ONE TWO",), 0.0, 9.0)]
    assert cues(Transcript("", 9.0)) == []
