"""Named text rules: each takes a string and gives a string; a corpus states the names it was written with.

Some are of a language and carry its code: `spell_digits:en`. Which characters then become labels is decided by
`vocabulary`, not here.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache, partial

from wav2vec2_tf.text import digits, letters

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u00b4\u0060\uff07", "'"))  # ‘ ’ ʼ ´ ` ＇


def strip_punctuation(text: str) -> str:
    """Turns every punctuation mark and symbol into a space, except an apostrophe inside a word.

    >>> strip_punctuation("'Tis forty-two, isn't it?")
    " Tis forty two  isn't it "

    Args:
        text: Any text; put `straight_apostrophe` before this rule where apostrophes are typographic.
    Returns:
        The text at the same length; `collapse_space` removes the spaces this leaves.
    """
    if text.replace(" ", "").isalnum():
        return text  # most texts of a large corpus, and ten times as fast

    def keeps(i: int, char: str) -> bool:
        if char == "'":
            return 0 < i < len(text) - 1 and text[i - 1].isalnum() and text[i + 1].isalnum()
        return unicodedata.category(char)[0] not in "PS"

    return "".join(char if keeps(i, char) else " " for i, char in enumerate(text))


# name                     what it does                                                     example
RULES: dict[str, Callable[[str], str]] = {
    "nfc":                 lambda text: unicodedata.normalize("NFC", text),                 # e + U+0301 -> é
    "nfkc":                lambda text: unicodedata.normalize("NFKC", text),                # ﬁ -> fi, Ａ -> A
    "upper":               str.upper,                                                       # straße -> STRASSE
    "lower":               str.lower,                                                       # Straße -> straße
    "straight_apostrophe": lambda text: text.translate(_APOSTROPHES),                       # beauty’s -> beauty's
    "strip_punctuation":   strip_punctuation,                                               # forty-two, -> forty two
    "collapse_space":      lambda text: re.sub(r"\s+", " ", text).strip(),                  # " a \t b" -> "a b"
}  # fmt: skip

# name              what it does (text, language)    whether it can      example
LANGUAGE_RULES = {
    "spell_digits": (digits.spell_digits,           digits.check_language),   # spell_digits:en  21 -> twenty-one
    "letters":      (letters.fold_letters,          letters.check_language),  # letters:en       café -> cafe
}  # fmt: skip

#: Words and apostrophes in capitals, the form of LibriSpeech transcripts and of the standard English vocabulary.
DEFAULT_RULES = ("nfc", "straight_apostrophe", "strip_punctuation", "upper", "collapse_space")


@cache
def find_rule(name: str) -> Callable[[str], str]:
    """Gives the function of a rule.

    >>> find_rule("letters:en")("Größe")
    'Grosse'

    Args:
        name: Out of `RULES`, or out of `LANGUAGE_RULES` with a language.
    Raises:
        ValueError: There is no such rule, or not for this language; the message lists those there are.
        ImportError: It needs a library that is not installed.
    """
    if name in RULES:
        return RULES[name]
    family, _, language = name.partition(":")
    if family not in LANGUAGE_RULES or not language:
        known = [*RULES, *(f"{family}:LANGUAGE" for family in LANGUAGE_RULES)]
        raise ValueError(f"There is no text rule {name!r}. Choose from: {', '.join(known)}.")
    function, check = LANGUAGE_RULES[family]
    check(language)
    return partial(function, language=language)


def allowed_characters(rules: Sequence[str]) -> frozenset[str] | None:
    """Gives the characters that a text may have after these rules: those of each language in `letters:LANGUAGE`.

    >>> allowed_characters(["lower"]) is None, "ß" in allowed_characters(["letters:en", "letters:de"])
    (True, True)

    Args:
        rules: Names of rules.
    Returns:
        The characters; None where no rule limits them.
    """
    languages = [name.removeprefix("letters:") for name in rules if name.startswith("letters:")]
    return frozenset().union(*map(letters.characters_of, languages)) if languages else None


def check_rules(rules: Sequence[str]) -> tuple[str, ...]:
    """Gives the rule names back as a tuple, once each of them is known.

    Args:
        rules: Names of rules, in the order they apply.
    Raises:
        TypeError: `rules` is one string.
        ValueError, ImportError: See `find_rule`.
    """
    if isinstance(rules, str):
        raise TypeError(f"Text rules come as a list of names, not as one string; write [{rules!r}].")
    for name in rules:
        find_rule(name)
    return tuple(rules)


def normalize(text: str, rules: Sequence[str] = DEFAULT_RULES) -> str:
    """Applies rules by name, first to last.

    >>> normalize("Thy beauty’s field,\\n forty-two!")
    "THY BEAUTY'S FIELD FORTY TWO"

    Args:
        text: One transcript.
        rules: Names of rules.
    Returns:
        The transcript as the labels see it.
    Raises:
        ValueError, ImportError: See `find_rule`.
    """
    for name in check_rules(rules):
        text = find_rule(name)(text)
    return text
