"""What a vocabulary may be: token -> id; or, as MMS checkpoints have it, language -> token -> id.

What the tokens mean is the tokenizer's business.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def is_nested(vocab: Mapping[str, Any]) -> bool:
    """Tells a vocabulary per language from one vocabulary.

    >>> is_nested({"eng": {"a": 0}, "swe": {"å": 0}}), is_nested({"a": 0})
    (True, False)
    """
    return bool(vocab) and all(isinstance(value, Mapping) for value in vocab.values())


def of_language(vocab: Mapping[str, Mapping[str, int]], language: str | None, place: str | Path) -> dict[str, int]:
    """Picks the vocabulary of one language.

    >>> of_language({"eng": {"a": 0}, "swe": {"å": 0}}, "swe", "vocab.json")
    {'å': 0}

    Args:
        vocab: Nested.
        language: Its code, such as "swe"; None where nothing says which.
        place: What the error calls the vocabulary.
    Raises:
        ValueError: No language is given, or one that is not there.
    """
    if language in vocab:
        return dict(vocab[language])
    known = ", ".join(sorted(vocab)[:10]) + (f" and {len(vocab) - 10} more" if len(vocab) > 10 else "")
    if language is None:
        raise ValueError(f"{place} holds one vocabulary per language ({known}). Choose: target_lang={min(vocab)!r}.")
    raise ValueError(f"{place} has no language {language!r}; it has {known}. Choose with target_lang=.")


def check_vocab(vocab: Mapping[str, int], place: str = "vocab.json") -> None:
    """Refuses what is no vocabulary of one language.

    Raises:
        ValueError: It is empty, an id is no integer from 0 up, or two tokens share one.
    """
    if not vocab:
        raise ValueError(f"{place}: the vocabulary is empty. It needs a token -> id entry per label.")
    by_id: dict[int, str] = {}
    for token, index in vocab.items():
        if not isinstance(index, int) or index < 0:
            raise ValueError(f"{place}: token {token!r} has id {index!r}; ids are integers from 0 up.")
        if index in by_id:
            raise ValueError(f"{place}: tokens {by_id[index]!r} and {token!r} share the id {index}. Give each its own.")
        by_id[index] = token
