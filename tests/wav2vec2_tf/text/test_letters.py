"""Letters of languages: foreign ones are folded where that is possible, and stay where it is not."""

import unicodedata

import pytest

from wav2vec2_tf.text.letters import LETTERS, characters_of, fold_letters


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "naïve Ærøskøbing", "naive AEroskobing"),
        ("de", "Ærger, Çelik", "AErger, Celik"),
        ("fr", "œuvre Ångström", "œuvre Angstrom"),
        ("ro", "peşte Ţară", "pește Țară"),
        ("he", "שָׁלוֹם", "שלום"),
        ("ar", "مُحَمَّد", "محمد"),
        ("en", "日本 Дом 5-7!", "日本 Дом 5-7!"),
    ],
)
def test_letters_a_language_lacks_are_folded(language, text, expected):
    assert fold_letters(text, language) == expected


@pytest.mark.parametrize("language", LETTERS)
def test_own_letters_stay_in_both_cases(language):
    text = "".join(characters_of(language))
    assert fold_letters(text, language) == text
    assert unicodedata.normalize("NFC", LETTERS[language]) == LETTERS[language]
    assert len(set(LETTERS[language])) == len(LETTERS[language])
    assert all(char.isalpha() for char in LETTERS[language])


def test_capitals_are_those_of_the_language():
    assert {"ẞ", "S"} & characters_of("de") == {"S"}
    assert {"İ", "I", "ı", "i"} <= characters_of("tr")
