"""Vocabularies nested by language, as MMS checkpoints have them: language -> token -> id.

What a vocabulary of one language means is the tokenizer's business.
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
