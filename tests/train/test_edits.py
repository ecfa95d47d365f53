import pytest

from train.edits import (
    Confusion,
    Errors,
    align_characters,
    align_words,
    character_errors,
    confusions,
    word_errors,
)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("GO ON NOW", "GO ON NOW", Errors(0, 0, 0, 3)),
        ("GO ON NOW", "GO IN", Errors(1, 1, 0, 3)),
        ("GO", "GO ON", Errors(0, 0, 1, 1)),
        ("GO ON", "", Errors(0, 2, 0, 2)),
        ("", "GO ON", Errors(0, 0, 2, 0)),
        ("", "", Errors(0, 0, 0, 0)),
    ],
)
def test_word_edits(reference, hypothesis, expected):
    assert word_errors(reference, hypothesis) == expected


def test_characters_count_spaces():
    assert character_errors("GO ON", "GOON") == Errors(0, 1, 0, 5)


@pytest.mark.parametrize(("hypothesis", "rate"), [("", 0.0), ("UH", 1.0)])
def test_an_empty_corpus_has_a_defined_rate(hypothesis, rate):
    assert word_errors("", hypothesis).rate == rate


def test_errors_add_up_over_a_corpus_not_as_a_mean_of_rates():
    total = word_errors("A", "B") + word_errors("A B C", "A B C")
    assert total.rate == 0.25


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("GO ON NOW", "GO IN", [("GO", "GO"), ("ON", "IN"), ("NOW", "")]),
        ("GO", "GO ON NOW", [("GO", "GO"), ("", "ON"), ("", "NOW")]),
        ("GO ON", "", [("GO", ""), ("ON", "")]),
        ("", "UH", [("", "UH")]),
        ("", "", []),
    ],
)
def test_words_are_set_side_by_side_with_the_fewest_edits(reference, hypothesis, expected):
    assert align_words(reference, hypothesis) == expected


def test_characters_are_set_side_by_side_spaces_included():
    assert align_characters("A B", "AB") == [("A", "A"), (" ", ""), ("B", "B")]
    assert align_characters("", "") == []


def test_confusions_are_counted_over_utterances_the_most_frequent_first():
    pairs = [("A B A", "A C"), ("B", "C"), ("", "UH"), ("A", "A")]
    found = confusions(align_words(*pair) for pair in pairs)
    assert found == (Confusion("B", "C", 2, 2), Confusion("", "UH", 1, 0), Confusion("A", "", 1, 3))
