"""Named text rules: each takes a string and gives a string; a corpus states the names it was written with.

Which characters then become labels is decided by `vocabulary`, not here.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence

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

#: Words and apostrophes in capitals, the form of LibriSpeech transcripts and of the standard English vocabulary.
DEFAULT_RULES = ("nfc", "straight_apostrophe", "strip_punctuation", "upper", "collapse_space")


def check_rules(rules: Sequence[str]) -> tuple[str, ...]:
    """Gives the rule names back as a tuple, once each of them is known.

    Args:
        rules: Names out of `RULES`, in the order they apply.
    Raises:
        TypeError: `rules` is one string.
        ValueError: A name is not in the table; the message lists the names that are.
    """
    if isinstance(rules, str):
        raise TypeError(f"Text rules come as a list of names, not as one string; write [{rules!r}].")
    for name in rules:
        if name not in RULES:
            raise ValueError(f"There is no text rule {name!r}. Choose from: {', '.join(RULES)}.")
    return tuple(rules)


def normalize(text: str, rules: Sequence[str] = DEFAULT_RULES) -> str:
    """Applies rules by name, first to last.

    >>> normalize("Thy beauty’s field,\\n forty-two!")
    "THY BEAUTY'S FIELD FORTY TWO"

    Args:
        text: One transcript.
        rules: Names out of `RULES`.
    Returns:
        The transcript as the labels see it.
    Raises:
        ValueError: A rule is unknown.
    """
    for name in check_rules(rules):
        text = RULES[name](text)
    return text
