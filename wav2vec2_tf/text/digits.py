"""Digits spelled out by num2words. The one importer of num2words.

Numbers are read as plain numbers: a currency, a unit, a date around them is not looked at.
"""

import re
from decimal import Decimal
from functools import cache, lru_cache

_POINT = frozenset("en en_IN en_NG am he ja ko kn te th".split())  # 1,234.5; elsewhere 1.234,5
_UNSPACED = frozenset("ja ko th".split())  # no space between a number and its neighbours
_ORDINAL_ENDINGS = {"en": "st|nd|rd|th"}
_MOST_DIGITS = 15  # longer ones are not numbers but names of things, read digit by digit


def spell_digits(text: str, language: str) -> str:
    """Writes numbers as words, with a space on either side that touches a letter.

    >>> spell_digits("Room 101 on the 2nd floor, 3.5 km: call 007", "en")
    'Room one hundred and one on the second floor, three point five km: call zero zero seven'

    Args:
        text: Any text. Words come with the hyphens, commas and capitals of the language: put this rule before
            `strip_punctuation` and before the case.
        language: A code of num2words, such as "en", "de" or "fr_CH"; it also says what 1.234 and 1,234 are.
    Returns:
        The text without digits; a number that the library cannot say stays as it is.
    """
    return _pattern(language).sub(lambda found: _spaced(found, _say(found[0], language), language), text)


def check_language(language: str) -> None:
    """Refuses a language that digits cannot be spelled in.

    Raises:
        ImportError: num2words is not installed.
        ValueError: It does not know the language.
    """
    known = _num2words().CONVERTER_CLASSES
    if language not in known:
        raise ValueError(f"num2words spells no numbers in {language!r}. It knows {', '.join(sorted(known))}.")


@cache
def _pattern(language: str) -> re.Pattern:
    group, point = (",", r"\.") if language in _POINT else (r"\.", ",")
    number = rf"(?:\d{{1,3}}(?:{group}\d{{3}})+(?!\d)|\d+)(?:{point}\d+)?"
    ending = _ORDINAL_ENDINGS.get(language)
    return re.compile(rf"\d+(?:{ending})\b|{number}" if ending else number)


@lru_cache(100_000)
def _say(number: str, language: str) -> str:
    digits = re.sub(r"[^\d]", "", number)
    if len(digits) > _MOST_DIGITS or (digits[0] == "0" and number.isdigit() and len(digits) > 1):
        return " ".join(_call(int(digit), language, digit) for digit in digits)
    if not number[-1].isdigit():
        return _call(int(digits), language, number, "ordinal")
    group, point = (",", ".") if language in _POINT else (".", ",")
    return _call(Decimal(number.replace(group, "").replace(point, ".")), language, number)


def _call(number: int | Decimal, language: str, otherwise: str, to: str = "cardinal") -> str:
    number = int(number) if number == int(number) else number
    try:
        return _num2words().num2words(number, lang=language, to=to)
    except (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError):
        # each language fails in its own way where it knows no word
        return otherwise


def _spaced(found: re.Match, words: str, language: str) -> str:
    if language in _UNSPACED:
        return words
    before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    return " " * before.isalpha() + words + " " * after.isalpha()


def _num2words():
    try:
        import num2words
    except ImportError as error:
        raise ImportError("Spelling digits out needs num2words: pip install 'wav2vec2-tf[digits]'.") from error
    return num2words
