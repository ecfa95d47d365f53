"""The letters of languages: foreign accents are folded away, and it is known what is no letter of the language.

An utterance with other characters is left out by `data_tools.texts`; this module changes text only.
"""

import unicodedata
from functools import cache

_LATIN = "abcdefghijklmnopqrstuvwxyz"
_WORDS = " '"  # between words and inside them

# language   letters
LETTERS = {
    "ar": "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي",
    "az": _LATIN + "çəğıöşü",
    "be": "абвгдеёжзійклмнопрстуўфхцчшыьэюя",
    "bg": "абвгдежзийклмнопрстуфхцчшщъьюя",
    "ca": _LATIN + "àçèéíïòóúü",
    "cs": _LATIN + "áčďéěíňóřšťúůýž",
    "cy": _LATIN + "àáâäèéêëìíîïòóôöùúûüŵŷẁẃẅỳýÿ",
    "da": _LATIN + "åæéø",
    "de": _LATIN + "äöüß",
    "el": "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",
    "en": _LATIN,
    "eo": _LATIN + "ĉĝĥĵŝŭ",
    "es": _LATIN + "áéíñóúü",
    "et": _LATIN + "äõöüšž",
    "eu": _LATIN + "çñ",
    "fa": "ءآأؤئابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهی",
    "fi": _LATIN + "äåö",
    "fr": _LATIN + "àâæçèéêëîïôœùûüÿ",
    "ga": _LATIN + "áéíóú",
    "gl": _LATIN + "áéíïñóúü",
    "he": "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
    "hr": _LATIN + "ćčđšž",
    "hu": _LATIN + "áéíóöőúüű",
    "hy": "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆև",
    "id": _LATIN,
    "is": _LATIN + "áæéíðóöúýþ",
    "it": _LATIN + "àèéìíîòóùú",
    "ka": "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
    "kk": "аәбвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщъыіьэюя",
    "lt": _LATIN + "ąčėęįšūųž",
    "lv": _LATIN + "āčēģīķļņšūž",
    "nl": _LATIN + "áèéêëíïóöúü",
    "no": _LATIN + "åæèéêòóôø",
    "pl": _LATIN + "ąćęłńóśźż",
    "pt": _LATIN + "àáâãçéêíóôõúü",
    "ro": _LATIN + "âăîșț",
    "ru": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "sk": _LATIN + "áäčďéíĺľňóôŕšťúýž",
    "sl": _LATIN + "čšž",
    "sr": "абвгдђежзијклљмнњопрстћуфхцчџш",
    "sv": _LATIN + "äåéö",
    "sw": _LATIN,
    "tr": _LATIN + "âçğıîöşûü",
    "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "vi": _LATIN + "àáâãèéêìíòóôõùúýăđĩũơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ",
}  # fmt: skip

# what Unicode does not take apart
_FOLDED = {
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "ı": "i",
    "ş": "ș",
    "ţ": "ț",
}


def fold_letters(text: str, language: str) -> str:
    """Writes letters that a language does not have with those it has, without their accents.

    >>> fold_letters("Café Łódź, Größe", "en"), fold_letters("Café Größe", "de")
    ('Cafe Lodz, Grosse', 'Cafe Größe')

    Args:
        text: Text in NFC, of any case.
        language: A key of LETTERS.
    Returns:
        The text; what has no such letter stays, and so do digits and punctuation.
    """
    return text.translate(_table(language))


def plain_forms(char: str) -> tuple[str, str]:
    """Writes a letter with plainer ones: as a language would that lacks it, and without its accents.

    >>> plain_forms("é"), plain_forms("Æ"), plain_forms("a")
    (('', 'e'), ('AE', 'Æ'), ('', 'a'))

    Args:
        char: One character.
    Returns:
        Two forms, the better first; the first is "" for most letters.
    """
    lowered = _FOLDED.get(char.lower(), "")
    base = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    return lowered if char.islower() else lowered.upper(), base


@cache
def characters_of(language: str) -> frozenset[str]:
    """Gives the characters that texts of a language are made of: its letters in both cases, space and apostrophe.

    >>> "".join(sorted(characters_of("en")))
    " 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

    Args:
        language: A key of LETTERS.
    """
    letters = LETTERS[language]
    dotted = "İ" if "ı" in letters else ""
    return frozenset(letters + letters.upper() + dotted + _WORDS)


def check_language(language: str) -> None:
    """Refuses a language whose letters are not in the table.

    Raises:
        ValueError: It is not; the message lists those that are.
    """
    if language not in LETTERS:
        raise ValueError(f"The letters of {language!r} are not known. Choose from: {', '.join(LETTERS)}.")


class _Table(dict):
    """For `str.translate`: what a character becomes, found when it is first met."""

    def __init__(self, language: str):
        self._allowed = characters_of(language)

    def __missing__(self, code: int) -> str:
        self[code] = folded = self._fold(chr(code))
        return folded

    def _fold(self, char: str) -> str:
        if char in self._allowed:
            return char
        for candidate in plain_forms(char):
            if candidate and self._allowed.issuperset(candidate):
                return candidate
        return "" if unicodedata.combining(char) else char


@cache
def _table(language: str) -> _Table:
    return _Table(language)
