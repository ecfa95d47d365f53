"""The CTC tokenizer: text to label ids and back, and the Hugging Face files that describe it.

Encoding and decoding follow transformers' `Wav2Vec2CTCTokenizer`, with one correction: there, skipping special tokens
removes the blanks before repeats are merged, so that "L <pad> L" loses a letter; here repeats are merged first.
Building a vocabulary is left to `vocabulary`, the choice of ids out of logits to `wav2vec2_tf.decoding`.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from wav2vec2_tf.files import read_json, write_json

#: The vocabulary of the published English checkpoints.
STANDARD_TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ")

# The order in which transformers appends tokens that vocab.json lacks.
_TOKEN_ROLES = ("bos_token", "eos_token", "unk_token", "pad_token", "word_delimiter_token")
_SETTINGS = (*_TOKEN_ROLES, "do_lower_case", "replace_word_delimiter_char")


class Wav2Vec2CTCTokenizer:
    """Maps text to CTC labels, one per character, and ids back to text.

    >>> tokenizer = Wav2Vec2CTCTokenizer.standard()
    >>> tokenizer.encode("HI BOB")
    [11, 10, 4, 24, 8, 24]
    >>> tokenizer.decode([11, 11, 0, 10, 4, 4, 24, 8, 0, 24, 24])
    'HI BOB'

    Args:
        vocab: Token -> id. Tokens of several characters are matched whole, longest first, and swallow the spaces
            around them, as in transformers.
        bos_token, eos_token, unk_token, pad_token: The special tokens, None where there is none; one that `vocab`
            lacks is appended to it. `pad_token` is the CTC blank.
        word_delimiter_token: Stands for a space in the labels.
        replace_word_delimiter_char: What the delimiter becomes in decoded text.
        do_lower_case: The vocabulary is in capitals while the text is not: encode capitalises, decode lowers.
        extra: Other keys of tokenizer_config.json, kept to be written back.
    Raises:
        ValueError: `vocab` is empty, nested by language, or gives one id to two tokens.
    Source: transformers `tokenization_wav2vec2.py`, wav2vec 2.0 vocabularies.
    """

    def __init__(
        self,
        vocab: Mapping[str, int],
        unk_token: str | None = "<unk>",
        pad_token: str = "<pad>",
        word_delimiter_token: str = "|",
        bos_token: str | None = "<s>",
        eos_token: str | None = "</s>",
        replace_word_delimiter_char: str = " ",
        do_lower_case: bool = False,
        extra: Mapping[str, Any] | None = None,
    ):
        _check_vocab(vocab)
        self.bos_token, self.eos_token, self.unk_token, self.pad_token = bos_token, eos_token, unk_token, pad_token
        self.word_delimiter_token = word_delimiter_token
        self.replace_word_delimiter_char, self.do_lower_case = replace_word_delimiter_char, do_lower_case
        self.extra = dict(extra or {})
        self.vocab = dict(vocab)
        for role in _TOKEN_ROLES:
            token = getattr(self, role)
            if token is not None and token not in self.vocab:
                self.vocab[token] = len(self.vocab)
        _check_vocab(self.vocab)  # a hole in the ids can make an appended one collide
        self._num_given = len(vocab)
        self._tokens = {index: token for token, index in self.vocab.items()}
        whole = sorted((token for token in self.vocab if len(token) > 1), key=len, reverse=True)
        self._whole = re.compile("(" + "|".join(map(re.escape, whole)) + ")") if whole else None

    @classmethod
    def standard(cls) -> "Wav2Vec2CTCTokenizer":
        """The 32 tokens of the published English checkpoints."""
        return cls({token: index for index, token in enumerate(STANDARD_TOKENS)})

    @classmethod
    def from_file(cls, path: str | Path) -> "Wav2Vec2CTCTokenizer":
        """Reads a vocab.json on its own, with the usual special tokens.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is not JSON, or the vocabulary breaks a rule.
        """
        return cls(_read_vocab(Path(path)))

    def __len__(self) -> int:
        """Counts the tokens, which is the `vocab_size` a model needs."""
        return len(self.vocab)

    @property
    def pad_token_id(self) -> int:
        """The CTC blank."""
        return self.vocab[self.pad_token]

    @property
    def unk_token_id(self) -> int | None:
        """What an unknown character becomes; None where the vocabulary has no such token."""
        return self.vocab.get(self.unk_token)

    @property
    def word_delimiter_token_id(self) -> int:
        """What a space becomes."""
        return self.vocab[self.word_delimiter_token]

    @property
    def characters(self) -> dict[str, int]:
        """Gives the id of every single character that has one, the space included: a table for a static lookup.

        >>> table = Wav2Vec2CTCTokenizer.standard().characters
        >>> table["E"], table[" "], "e" in table
        (5, 4, False)
        """
        singles = {token for token in self.vocab if len(token) == 1} | {" "}
        if self.do_lower_case:
            singles |= {char.lower() for char in singles if len(char.lower()) == 1}
        known = {char: self._ids_of(char) for char in sorted(singles)}
        return {char: ids[0] for char, ids in known.items() if len(ids) == 1 and ids[0] != self.unk_token_id}

    def encode(self, text: str) -> list[int]:
        """Turns text into label ids.

        Args:
            text: One transcript, already normalised; spaces become the word delimiter.
        Returns:
            One id per character (or per longer token); unknown characters get `unk_token_id`.
        Raises:
            ValueError: A character is unknown and the vocabulary has no token for that.
        """
        if self._whole is None:
            return self._ids_of(text)
        pieces = self._whole.split(text)  # text, token, text, token, ..., text
        ids = []
        for i, piece in enumerate(pieces):
            if i % 2:
                ids.append(self.vocab[piece])
                continue
            piece = piece.lstrip() if i > 0 else piece
            ids += self._ids_of(piece.rstrip() if i + 1 < len(pieces) else piece)
        return ids

    def _ids_of(self, text: str) -> list[int]:
        text = text.upper() if self.do_lower_case else text
        tokens = [self.word_delimiter_token if char == " " else char for char in text]
        missing = [token for token in tokens if token not in self.vocab]
        if missing and self.unk_token is None:
            raise ValueError(
                f"{missing[0]!r} in {text!r} is not in the vocabulary, which has no unk_token either. "
                "Normalise the text (wav2vec2_tf.text.normalize) or build the vocabulary from these transcripts."
            )
        return [self.vocab.get(token, self.unk_token_id) for token in tokens]

    def decode(self, ids: Iterable[int], *, group_tokens: bool = True, skip_special_tokens: bool = True) -> str:
        """Turns ids, one per frame or one per label, into text.

        Args:
            ids: Integers of any container (list, array, tensor).
            group_tokens: Merge repeats as CTC asks; False for ids that are labels already.
            skip_special_tokens: Leave out begin, end and unknown tokens; the blank is always left out.
        Returns:
            The text, without spaces at its ends.
        """
        tokens = [self._tokens.get(index, self.unk_token) for index in np.asarray(ids, dtype=np.int64).ravel().tolist()]
        if group_tokens:
            tokens = [token for token, _ in groupby(tokens)]
        skipped = {self.pad_token, None}
        if skip_special_tokens:
            skipped |= {self.bos_token, self.eos_token, self.unk_token}
        kept = [token for token in tokens if token not in skipped]
        kept = [self.replace_word_delimiter_char if token == self.word_delimiter_token else token for token in kept]
        text = "".join(kept).strip()
        return text.lower() if self.do_lower_case else text

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Wav2Vec2CTCTokenizer":
        """Reads vocab.json and, where present, tokenizer_config.json, special_tokens_map.json, added_tokens.json.

        Args:
            folder: A local folder.
        Raises:
            FileNotFoundError: The folder has no vocab.json.
            ValueError: A file is not JSON, or the vocabulary breaks a rule.
        """
        folder = Path(folder)
        vocab = _read_vocab(folder / "vocab.json")
        config = read_json(folder / "tokenizer_config.json")
        config |= read_json(folder / "special_tokens_map.json")
        added = {item["content"]: int(index) for index, item in config.get("added_tokens_decoder", {}).items()}
        added |= read_json(folder / "added_tokens.json")
        settings = {key: _content(config[key]) for key in _SETTINGS if key in config}
        extra = {key: value for key, value in config.items() if key not in _SETTINGS + ("added_tokens_decoder",)}
        tokenizer = cls(vocab | added, **settings, extra=extra)
        tokenizer._num_given = len(vocab)
        return tokenizer

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes the files `from_pretrained` reads, in the form transformers reads too."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        pairs = list(self.vocab.items())
        specials = {role: getattr(self, role) for role in _TOKEN_ROLES[:4] if getattr(self, role) is not None}
        settings = {key: getattr(self, key) for key in _SETTINGS}
        write_json(folder / "vocab.json", dict(pairs[: self._num_given]))
        if pairs[self._num_given :]:
            write_json(folder / "added_tokens.json", dict(pairs[self._num_given :]))
        write_json(folder / "special_tokens_map.json", specials)
        write_json(
            folder / "tokenizer_config.json", {"tokenizer_class": "Wav2Vec2CTCTokenizer"} | self.extra | settings
        )


def _read_vocab(path: Path) -> dict[str, int]:
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}. Give the folder that holds the tokenizer's files.")
    vocab = read_json(path)
    _check_vocab(vocab, path)
    return vocab


def _check_vocab(vocab: Mapping[str, int], place: str | Path = "vocab") -> None:
    if not vocab:
        raise ValueError(f"{place}: the vocabulary is empty. It needs a token -> id entry per label.")
    nested = [token for token, value in vocab.items() if isinstance(value, Mapping)]
    if nested:
        raise ValueError(
            f"{place} nests one vocabulary per language ({', '.join(sorted(nested)[:3])}, ...), which is not "
            f"supported. Write the vocabulary of one language as a flat vocab.json."
        )
    by_id: dict[int, str] = {}
    for token, index in vocab.items():
        if not isinstance(index, int) or index < 0:
            raise ValueError(f"{place}: token {token!r} has id {index!r}; ids are integers from 0 up.")
        if index in by_id:
            raise ValueError(f"{place}: tokens {by_id[index]!r} and {token!r} share the id {index}. Give each its own.")
        by_id[index] = token


def _content(value: Any) -> Any:
    return value["content"] if isinstance(value, Mapping) else value  # "<pad>" or {"content": "<pad>", ...}
