"""Vocabularies from transcripts: their order, and the account of every character."""

from collections import Counter

import pytest

from wav2vec2_tf.text.normalize import normalize
from wav2vec2_tf.text.vocabulary import build_vocabulary

TRANSCRIPTS = ["San’yaku bringt Vergünstigungen, aber auch Pflichten.", "A-b | c", "砸自己的脚"]


def test_special_tokens_come_first_then_frequent_characters():
    tokenizer, _ = build_vocabulary(["bba", "ca c"], rules=[])
    assert list(tokenizer.vocab.items()) == [
        ("<pad>", 0), ("<s>", 1), ("</s>", 2), ("<unk>", 3), ("|", 4), ("a", 5), ("b", 6), ("c", 7)
    ]  # fmt: skip


def test_every_character_of_the_normalised_corpus_has_a_label():
    tokenizer, _ = build_vocabulary(TRANSCRIPTS)
    for text in TRANSCRIPTS:
        assert tokenizer.unk_token_id not in tokenizer.encode(normalize(text))


def test_order_of_transcripts_does_not_matter():
    assert build_vocabulary(TRANSCRIPTS)[0].vocab == build_vocabulary(TRANSCRIPTS[::-1])[0].vocab


def test_report_accounts_for_every_character_kept():
    _, report = build_vocabulary(TRANSCRIPTS)
    counted = Counter("".join(normalize(text) for text in TRANSCRIPTS))
    del counted[" "]
    assert report.of("kept") == counted


def test_report_names_rule_and_target_of_mapped_characters():
    _, report = build_vocabulary(TRANSCRIPTS)
    fates = {(fate.character, fate.rule): fate for fate in report.fates}
    assert fates["’", "straight_apostrophe"].into == "'"
    assert fates["ü", "upper"].into == "Ü"
    assert fates[" ", "word delimiter"].into == "|"


def test_report_names_rule_count_and_example_of_dropped_characters():
    _, report = build_vocabulary(TRANSCRIPTS)
    fates = {fate.character: fate for fate in report.fates if fate.outcome == "dropped"}
    assert set(fates) == {",", ".", "-", "|"}
    assert (fates["-"].rule, fates["-"].count, fates["-"].example) == ("strip_punctuation", 1, "A-b | c")


def test_the_example_shows_the_occurrence_that_was_dropped():
    _, report = build_vocabulary(["isn't " + "a" * 60 + " 'so'"])
    fate = next(fate for fate in report.fates if fate.character == "'" and fate.outcome == "dropped")
    assert "'so" in fate.example


def test_a_composed_character_is_reported_as_mapped():
    _, report = build_vocabulary(["u\u0308"], rules=["nfc"])
    assert {(fate.character, fate.into) for fate in report.fates if fate.rule == "nfc"} == {("u", "ü"), ("\u0308", "ü")}


def test_rare_characters_become_unknown_and_are_reported():
    tokenizer, report = build_vocabulary(["AAB"], min_count=2)
    assert tokenizer.encode("AB") == [5, tokenizer.unk_token_id]
    assert report.of("dropped") == {"B": 1}


def test_a_delimiter_in_the_text_stays_one_label():
    tokenizer, report = build_vocabulary(["a|b"], rules=[])
    assert tokenizer.encode("a|b") == tokenizer.encode("a b")
    assert report.of("mapped") == {"|": 1}


def test_printed_report_shows_each_fate():
    text = str(build_vocabulary(TRANSCRIPTS)[1])
    assert text.startswith("3 transcripts: ")
    assert 'mapped to "\'" (straight_apostrophe)' in text
    assert "dropped (strip_punctuation)" in text
    assert "U+7838" in text


def test_long_examples_are_cut_around_the_character():
    _, report = build_vocabulary(["a" * 200 + "é" + "a" * 200], rules=[])
    example = next(fate.example for fate in report.fates if fate.character == "é")
    assert "é" in example
    assert len(example) <= 40


@pytest.mark.parametrize("transcripts", [[], ["", "  "], ["?!"]])
def test_nothing_left_is_refused(transcripts):
    with pytest.raises(ValueError, match="No character is left of . transcripts"):
        build_vocabulary(transcripts)


def test_min_count_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1; got 0"):
        build_vocabulary(["a"], min_count=0)
