"""The words of a language model, spelled in the labels of a model: where the two alphabets meet.

Which words a language model knows is `arpa`'s part, what to do with them `beam`'s.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

_CASES: tuple[Callable[[str], str], ...] = (str, str.upper, str.lower)
_FEWEST = 0.5  # of the words must be spelled, or it is another language's model
_EXAMPLES = 5


@dataclass(frozen=True)
class Lexicon:
    """Words and their labels.

    Args:
        words: As the language model writes them.
        spellings: The labels of each word, without the word delimiter.
        left_out: Words with a character that has no label: they cannot be heard.
    """

    words: tuple[str, ...]
    spellings: tuple[tuple[int, ...], ...]
    left_out: tuple[str, ...] = ()


def spell(words: Iterable[str], tokenizer: Wav2Vec2CTCTokenizer) -> Lexicon:
    """Spells words, in capitals or small letters if that is what the labels are.

    >>> lexicon = spell(["go", "9"], Wav2Vec2CTCTokenizer.standard())
    >>> lexicon.words, lexicon.spellings, lexicon.left_out
    (('go',), ((21, 8),), ('9',))

    Args:
        words: As the language model writes them.
        tokenizer: With a label for the space between words.
    Raises:
        ValueError: The tokenizer's labels are pieces of words, or most words cannot be spelled.
    """
    if tokenizer.word_delimiter_token is None:
        raise ValueError(
            "A language model of words needs a label between words, and these labels are pieces of words. Make one of "
            "pieces: python -m wav2vec2_tf.decoding.build_lm --tokenizer MODEL."
        )
    words, table = list(words), tokenizer.characters
    found = max((_spelled(words, table, case) for case in _CASES), key=lambda lexicon: len(lexicon.words))
    if len(found.words) < _FEWEST * len(words):
        raise ValueError(
            f"Only {len(found.words)} of the language model's {len(words)} words can be spelled in the model's labels "
            f"({''.join(sorted(table))!r}); {_some(found.left_out)} cannot. Take a language model of the same "
            "language, from text that went through the same rules (wav2vec2_tf.text.normalize)."
        )
    return found


def labels_of(phrase: str, tokenizer: Wav2Vec2CTCTokenizer) -> tuple[int, ...]:
    """Gives the labels of a hot word or phrase, in capitals or small letters if that is what they are.

    Args:
        phrase: One word or several.
        tokenizer: Any.
    Raises:
        ValueError: It is empty, or has a character without a label.
    """
    for case in _CASES:
        try:
            labels = tokenizer.encode(case(" ".join(phrase.split())))
        except ValueError:  # there is no label for unknown characters
            continue
        if labels and tokenizer.unk_token_id not in labels:
            return tuple(labels)
    raise ValueError(f"The hot word {phrase!r} cannot be spelled in the model's labels. Write it as it is spoken.")


def _spelled(words: Sequence[str], table: dict[str, int], case: Callable[[str], str]) -> Lexicon:
    kept, spellings, left_out = [], [], []
    for word in words:
        letters = case(word)
        if letters and all(char in table for char in letters):
            kept.append(word)
            spellings.append(tuple(table[char] for char in letters))
        else:
            left_out.append(word)
    return Lexicon(tuple(kept), tuple(spellings), tuple(left_out))


def _some(words: Sequence[str]) -> str:
    return ", ".join(repr(word) for word in words[:_EXAMPLES])
