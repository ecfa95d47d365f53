"""A text as CTC labels, every word of which knows its labels: what `alignment` looks for in a recording.

The text stays as it was written; here is decided what of it is heard. What a tokenizer cannot spell is not lost, but
becomes a wildcard: something is said there.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from wav2vec2_tf.text.letters import plain_forms
from wav2vec2_tf.text.normalize import find_rule
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

#: Stands among the labels for speech that the tokenizer cannot spell.
WILDCARD = -1

_SPOKEN = "&%@§#+=°"  # symbols that are words, as those of currencies


@dataclass(frozen=True)
class Word:
    """A word of the text.

    Args:
        text: As written, with the punctuation around it.
        first, end: Its labels are those from `first` up to `end`.
        is_wild: It has a wildcard.
    """

    text: str
    first: int
    end: int
    is_wild: bool


@dataclass(frozen=True)
class Spelling:
    """A text in labels.

    Args:
        text: As written, spaces at its ends left out.
        words: All that stands in the text, in order.
        labels: [U] int64 ids, and `WILDCARD`; those of no word lie between words.
    """

    text: str
    words: tuple[Word, ...]
    labels: np.ndarray


def spell(text: str, tokenizer: Wav2Vec2CTCTokenizer, vocab_size: int | None = None) -> Spelling:
    """Spells a text with the labels of a tokenizer.

    Letters take the case that the tokenizer has, and lose accents that it lacks. Punctuation that it lacks parts words
    (forty-two), an apostrophe does not (don't). Other letters, digits and symbols such as % become wildcards.

    >>> spelling = spell("Isn't he — 21?", Wav2Vec2CTCTokenizer.standard())
    >>> [word.text for word in spelling.words], [word.text for word in spelling.words if word.is_wild]
    (["Isn't", 'he —', '21?'], ['21?'])
    >>> spelling.labels.tolist()
    [10, 12, 9, 27, 6, 4, 11, 5, 4, -1]

    Args:
        text: As written, of any length.
        tokenizer: The model's, of characters or of subwords.
        vocab_size: Labels that the model scores; by default all that the tokenizer has.
    Raises:
        ValueError: Nothing in the text is spoken.
    """
    speller, words, labels = _Speller(tokenizer, vocab_size), [], []
    for word, own in _joined((token, speller.labels(token)) for token in text.split()):
        labels += speller.between if labels else []
        words.append(Word(word, len(labels) + speller.unheard(own), len(labels) + len(own), WILDCARD in own))
        labels += own
    if not labels:
        raise ValueError(f"There is no word in the text {text[:40]!r}. Give what is said in the recording.")
    return Spelling(text.strip(), tuple(words), np.array(labels, np.int64))


def _joined(tokens: Iterable[tuple[str, list[int]]]) -> Iterator[tuple[str, list[int]]]:
    """Joins what is not spoken to the word before it, or to the first word."""
    word, labels = "", []
    for token, own in tokens:
        if word and own and labels:
            yield word, labels
            word, labels = "", []
        word, labels = f"{word} {token}".strip(), labels + own
    yield word, labels


def between_words(tokenizer: Wav2Vec2CTCTokenizer, vocab_size: int | None = None) -> list[int]:
    """Gives the labels that stand between two words: none with subwords, or where the model scores no delimiter."""
    label = tokenizer.vocab.get(tokenizer.word_delimiter_token)
    return [] if label is None or label >= (vocab_size or len(tokenizer.surfaces)) else [label]


class _Speller:
    """Finds the labels of words; each different word once."""

    def __init__(self, tokenizer: Wav2Vec2CTCTokenizer, vocab_size: int | None):
        self._tokenizer, self._surfaces = tokenizer, tokenizer.surfaces
        self.between = between_words(tokenizer, vocab_size)
        self._known = frozenset(tokenizer.characters) - {" ", tokenizer.word_delimiter_token}
        self._seen: dict[str, list[int]] = {}

    def labels(self, word: str) -> list[int]:
        if word not in self._seen:
            self._seen[word] = self._spell(word)
        return self._seen[word]

    def unheard(self, labels: list[int]) -> int:
        """Counts the labels before a word's first letter: subwords may have one for the space alone."""
        heard = (i for i, label in enumerate(labels) if label == WILDCARD or self._surfaces[label].strip())
        return next(heard, 0)

    def _spell(self, word: str) -> list[int]:
        heard = [self._heard(char) for char in _without_quotes(unicodedata.normalize("NFC", word))]
        labels: list[int] = []
        for part in " ".join("".join("\0" if char is None else char for char in heard).split()).split(" "):
            labels += self.between if labels and part else []
            for is_wild, run in groupby(part, "\0".__eq__):
                labels += [WILDCARD] if is_wild else self._encoded("".join(run))
        return labels

    def _encoded(self, text: str) -> list[int]:
        unknown = self._tokenizer.unk_token_id
        return [WILDCARD if label == unknown else label for label in self._tokenizer.encode(text)]

    def _heard(self, char: str) -> str | None:
        """Gives a character as the tokenizer knows it, "" or " " for what is not heard, None for a wildcard."""
        for form in (char, *plain_forms(char)):
            for cased in (form, form.lower(), form.upper()):
                if form and self._known.issuperset(cased):
                    return cased
        kind = unicodedata.category(char)
        if char == "'" or kind[0] == "M":
            return ""
        return None if kind[0] in "LN" or kind == "Sc" or char in _SPOKEN else " "


def _without_quotes(word: str) -> str:
    """Makes apostrophes straight, and drops them around a word.

    >>> _without_quotes("‘don’t’,")
    " don't ,"
    """
    word = find_rule("straight_apostrophe")(word)
    return "".join(
        " " if char == "'" and not (word[i - 1 : i].isalnum() and word[i + 1 : i + 2].isalnum()) else char
        for i, char in enumerate(word)
    )
