"""Digits spelled out: what is a number, and in which language."""

import sys

import pytest

from wav2vec2_tf.text import digits
from wav2vec2_tf.text.digits import check_language, spell_digits

pytest.importorskip("num2words")


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "21", "twenty-one"),
        ("en", "1,234,567", "one million, two hundred and thirty-four thousand, five hundred and sixty-seven"),
        ("en", "12,5", "twelve,five"),
        ("en", "3.14 and 2.", "three point one four and two."),
        ("en", "the 1st and 22nd", "the first and twenty-second"),
        ("en", "at 2:30", "at two:thirty"),
        ("en", "B2B mp3", "B two B mp three"),
        ("en", "007", "zero zero seven"),
        ("en", "1234567890123456", "one two three four five six seven eight nine zero one two three four five six"),
        ("de", "1.234 und 2,5", "eintausendzweihundertvierunddreißig und zwei Komma fünf"),
        ("de", "am 24.12.", "am vierundzwanzig.zwölf."),
        ("fr", "80", "quatre-vingts"),
        ("fr_CH", "80", "huitante"),
        ("ar", "٣", "ثلاثة"),
        ("ja", "全部で21個", "全部で二十一個"),
        ("en", "none here", "none here"),
    ],
)
def test_numbers_become_words(language, text, expected):
    assert spell_digits(text, language) == expected


def test_a_number_that_the_library_cannot_say_stays(monkeypatch):
    def fail(*args, **kwargs):
        raise NotImplementedError

    monkeypatch.setattr(digits._num2words(), "num2words", fail)
    assert spell_digits("about 98765", "en") == "about 98765"


def test_no_digit_is_left_in_any_language():
    languages = set(digits._num2words().CONVERTER_CLASSES) - {"am"}  # it cannot say 1999 in num2words 0.5.14
    left = [name for name in languages if any(char.isdigit() for char in spell_digits("0 7 21 1999", name))]
    assert left == []


def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "num2words", None)
    with pytest.raises(ImportError, match=r"needs num2words: pip install 'wav2vec2-tf\[digits\]'"):
        check_language("en")
