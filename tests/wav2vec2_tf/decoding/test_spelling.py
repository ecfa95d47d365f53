"""Texts as labels: every word keeps its own, whatever the tokenizer cannot spell."""

import pytest

from wav2vec2_tf.decoding.spelling import WILDCARD, spell
from wav2vec2_tf.text.subwords import SubwordTokenizer
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

ENGLISH = Wav2Vec2CTCTokenizer.standard()
GERMAN = Wav2Vec2CTCTokenizer(
    {"<pad>": 0, "<unk>": 1, "|": 2} | {char: i for i, char in enumerate("abcdeforstuüß-", 3)}
)
CHINESE = Wav2Vec2CTCTokenizer({"<pad>": 0, "<unk>": 1} | {char: i for i, char in enumerate("广州市房", 2)})


def spelled(text: str, tokenizer=ENGLISH) -> dict[str, str]:
    """Gives the words and what stands for them, wildcards as "*"."""
    spelling = spell(text, tokenizer)
    surfaces = tokenizer.surfaces
    return {
        word.text: "".join("*" if i == WILDCARD else surfaces[i] for i in spelling.labels[word.first : word.end])
        for word in spelling.words
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Printing, in the", {"Printing,": "PRINTING", "in": "IN", "the": "THE"}),
        ("forty-two", {"forty-two": "FORTY TWO"}),
        ("don’t ‘say’ 'Tis dogs'", {"don’t": "DON'T", "‘say’": "SAY", "'Tis": "TIS", "dogs'": "DOGS"}),
        ("Café Größe Łódź", {"Café": "CAFE", "Größe": "GROSSE", "Łódź": "LODZ"}),
        ("e\u0301te\u0301", {"e\u0301te\u0301": "ETE"}),
        ("in 1984, 21%", {"in": "IN", "1984,": "*", "21%": "*"}),
        ("rock & roll", {"rock": "ROCK", "&": "*", "roll": "ROLL"}),
        ("4x4 b2b", {"4x4": "*X*", "b2b": "B*B"}),
        ("a|b", {"a|b": "A B"}),
        ("真 one", {"真": "*", "one": "ONE"}),
        ("“Yes” — no … !", {"“Yes” —": "YES", "no … !": "NO"}),
        ("— Yes", {"— Yes": "YES"}),
    ],
)
def test_english_labels(text, words):
    assert spelled(text) == words


def test_case_and_signs_are_the_tokenizers():
    assert spelled("Straße E-Bus ÜBER co₂", GERMAN) == {
        "Straße": "straße", "E-Bus": "e-bus", "ÜBER": "über", "co₂": "co*",
    }  # fmt: skip


def test_a_vocabulary_of_capitals_for_lower_case_text():
    tokenizer = Wav2Vec2CTCTokenizer({"<pad>": 0, "<unk>": 1, "|": 2, "A": 3, "B": 4}, do_lower_case=True)
    assert spell("ab Ba", tokenizer).labels.tolist() == [3, 4, 2, 4, 3]


def test_an_apostrophe_the_tokenizer_lacks_parts_no_word():
    without = Wav2Vec2CTCTokenizer({"<pad>": 0, "<unk>": 1, "|": 2, "D": 3, "O": 4, "N": 5, "T": 6})
    assert spelled("don't", without) == {"don't": "DONT"}


def test_words_are_parted_by_the_delimiter_alone():
    spelling = spell("a b\n\nc", ENGLISH)
    assert spelling.labels.tolist() == [7, 4, 24, 4, 19]
    assert [(word.first, word.end) for word in spelling.words] == [(0, 1), (2, 3), (4, 5)]


def test_a_script_without_spaces_has_no_delimiter():
    num_labels = 6  # of a model; the tokenizer has appended a delimiter, as it does with every special token
    assert CHINESE.word_delimiter_token_id >= num_labels
    assert spell("广州 市,龙", CHINESE, num_labels).labels.tolist() == [2, 3, 4, WILDCARD]


def test_all_that_is_written_stands_in_the_words():
    text = " … 'One', — two-\n 3 €!\n*** four "
    spelling = spell(text, ENGLISH)
    assert " ".join(word.text for word in spelling.words).split() == text.split()
    assert spelling.text == text.strip()


def test_subwords_begin_words_without_a_delimiter():
    tokenizer = SubwordTokenizer.train(["THE CAT", "THE HAT", "THAT CAT"], size=14)
    spelling = spell("The hat, 9!", tokenizer)
    assert spelling.labels[:-1].tolist() == tokenizer.encode("THE HAT")
    assert spelling.labels[-1] == WILDCARD
    assert [word.text for word in spelling.words] == ["The", "hat,", "9!"]


@pytest.mark.parametrize("text", ["", " \n", "— … ?"])
def test_a_text_without_a_word_is_refused(text):
    with pytest.raises(ValueError, match="no word in the text .* Give what is said"):
        spell(text, ENGLISH)


def test_a_label_for_the_space_alone_is_of_no_word():
    tokenizer = SubwordTokenizer.train(["A B C"], size=8)  # nothing but characters and the space
    assert len(spell("A B", tokenizer).labels) == 4
    assert spelled("A B", tokenizer) == {"A": "A", "B": "B"}
