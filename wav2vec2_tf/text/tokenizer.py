"""The CTC tokenizer: text to label ids and back.

Encoding and decoding follow transformers' `Wav2Vec2CTCTokenizer`, with one correction: there, skipping special tokens
removes the blanks before repeats are merged, so that "L <pad> L" loses a letter; here repeats are merged first.
Building a vocabulary is left to `vocabulary`, its files to `tokenizer_files`, labels that are pieces of words to
`subwords`, the choice of ids out of logits to `wav2vec2_tf.decoding`.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from wav2vec2_tf import remote
from wav2vec2_tf.files import read_json
from wav2vec2_tf.text import tokenizer_files
from wav2vec2_tf.text.languages import check_vocab, is_nested, of_language
from wav2vec2_tf.text.tokenizer_files import SETTINGS, SUBWORD_FILE, TOKEN_ROLES, TokenizerFiles

#: The vocabulary of the published English checkpoints.
STANDARD_TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ")


class Wav2Vec2CTCTokenizer:
    """Maps text to CTC labels, one per character, and ids back to text.

    >>> tokenizer = Wav2Vec2CTCTokenizer.standard()
    >>> tokenizer.encode("HI BOB")
    [11, 10, 4, 24, 8, 24]
    >>> tokenizer.decode([11, 11, 0, 10, 4, 4, 24, 8, 0, 24, 24])
    'HI BOB'

    Args:
        vocab: Token -> id, or language -> token -> id. Tokens of several characters are matched whole, longest
            first, and swallow the spaces around them, as in transformers.
        bos_token, eos_token, unk_token, pad_token: The special tokens, None where there is none; one that `vocab`
            lacks is appended to it. `pad_token` is the CTC blank.
        word_delimiter_token: Stands for a space in the labels.
        replace_word_delimiter_char: What the delimiter becomes in decoded text.
        do_lower_case: The vocabulary is in capitals while the text is not: encode capitalises, decode lowers.
        extra: Other keys of tokenizer_config.json, kept to be written back.
        target_lang: The language to begin with, where `vocab` has several; see `set_target_lang`.
    Raises:
        ValueError: `vocab` is empty, gives one id to two tokens, or does not fit `target_lang`.
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
        target_lang: str | None = None,
    ):
        self.bos_token, self.eos_token, self.unk_token, self.pad_token = bos_token, eos_token, unk_token, pad_token
        self.word_delimiter_token = word_delimiter_token
        self.replace_word_delimiter_char, self.do_lower_case = replace_word_delimiter_char, do_lower_case
        self.extra = dict(extra or {})
        self.languages = {language: dict(own) for language, own in vocab.items()} if is_nested(vocab) else {}
        self.target_lang = None
        if self.languages or target_lang is not None:
            self.set_target_lang(target_lang)
        else:
            self._take(vocab)

    def set_target_lang(self, target_lang: str) -> None:
        """Changes to the vocabulary of another language; the model's head must be of the same.

        >>> vocab = {"eng": {"<pad>": 0, "a": 1, "b": 2}, "swe": {"<pad>": 0, "a": 1, "å": 2}}
        >>> tokenizer = Wav2Vec2CTCTokenizer(vocab, target_lang="eng")
        >>> tokenizer.set_target_lang("swe")
        >>> tokenizer.encode("å")
        [2]

        Args:
            target_lang: One of `languages`, such as "swe".
        Raises:
            ValueError: There is no such language, or the vocabulary is not one per language.
        """
        if not self.languages:
            raise ValueError(
                f"This tokenizer has one vocabulary, not one per language, so that target_lang={target_lang!r} means "
                f"nothing. Leave it out."
            )
        self._take(of_language(self.languages, target_lang, "vocab.json"))
        self.target_lang = target_lang

    def _take(self, vocab: Mapping[str, int]) -> None:
        """Makes a vocabulary the one in use, special tokens appended."""
        check_vocab(vocab)
        self.vocab = dict(vocab)
        for role in TOKEN_ROLES:
            token = getattr(self, role)
            if token is not None and token not in self.vocab:
                self.vocab[token] = len(self.vocab)
        check_vocab(self.vocab)  # a hole in the ids can make an appended one collide
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
        if not Path(path).is_file():
            raise FileNotFoundError(f"There is no {path}. Give a vocab.json.")
        return cls(read_json(Path(path)))

    def __len__(self) -> int:
        """Counts the tokens, which is the `vocab_size` a model needs."""
        return len(self.vocab)

    def fits(self, vocab_size: int) -> bool:
        """Tells whether the labels of a head are these tokens.

        Special tokens that vocab.json lacked may lie beyond the head, as they do in many published checkpoints.

        >>> tokenizer = Wav2Vec2CTCTokenizer({"<pad>": 0, "<unk>": 1, "|": 2, "a": 3})  # <s> and </s> are appended
        >>> [size for size in range(9) if tokenizer.fits(size)]
        [4, 5, 6]

        Args:
            vocab_size: Labels that the head scores.
        """
        ids = list(self.vocab.values())
        return max(ids[: self._num_given]) < vocab_size <= max(ids) + 1

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

    @property
    def surfaces(self) -> tuple[str, ...]:
        """Gives what each label adds to a text, by id: words end where a surface has a space.

        >>> surfaces = Wav2Vec2CTCTokenizer.standard().surfaces
        >>> surfaces[:6]  # <pad> <s> </s> <unk> add nothing, the word delimiter a space
        ('', '', '', '', ' ', 'E')
        """
        silent = {self.bos_token, self.eos_token, self.unk_token, self.pad_token}
        added = {index: self._spelled(token) for token, index in self.vocab.items() if token not in silent}
        if self.do_lower_case:
            added = {index: text.lower() for index, text in added.items()}
        return tuple(added.get(index, "") for index in range(max(self._tokens) + 1))

    @property
    def longest(self) -> int:
        """Counts the most characters, spaces among them, that one label stands for."""
        return max(map(len, self.surfaces))

    def _spelled(self, token: str) -> str:
        return self.replace_word_delimiter_char if token == self.word_delimiter_token else token

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
        text = "".join(self._spelled(token) for token in tokens if token not in skipped).strip()
        return text.lower() if self.do_lower_case else text

    @classmethod
    def from_pretrained(cls, source: str | Path, *, target_lang: str | None = None, **where) -> "Wav2Vec2CTCTokenizer":
        """Reads vocab.json and, where present, tokenizer_config.json, special_tokens_map.json, added_tokens.json.

        Where there is a tokenizer.model instead, it gives a `subwords.SubwordTokenizer`.

        Args:
            source: A folder, a hub id or a gs:// folder; see `remote.fetch`.
            target_lang: The language, where the vocabulary has several; by default the one tokenizer_config.json names.
            where: `revision`, `cache_dir`, `token`, `local_files_only`, as for `remote.fetch`.
        Raises:
            OSError: The source is not there or cannot be reached; FileNotFoundError if it has no vocab.json.
            ValueError: A file is not JSON, or the vocabulary breaks a rule.
        """
        fetched = remote.fetch(source, lambda names: [name for name in tokenizer_files.FILES if name in names], **where)
        if SUBWORD_FILE in fetched.files:
            from wav2vec2_tf.text.subwords import SubwordTokenizer  # a kind of this one

            return SubwordTokenizer((fetched.folder / SUBWORD_FILE).read_bytes(), fetched.name)
        files = tokenizer_files.read(fetched.folder, fetched.name)
        language = target_lang if target_lang is not None else files.target_lang
        tokenizer = cls({**files.vocab, **files.added}, **files.settings, extra=files.extra, target_lang=language)
        if not tokenizer.languages:
            tokenizer._num_given = len(files.vocab)
        return tokenizer

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes the files `from_pretrained` reads, in the form transformers reads too; all languages are kept."""
        pairs, settings = list(self.vocab.items()), {key: getattr(self, key) for key in SETTINGS}
        vocab, added = dict(pairs[: self._num_given]), dict(pairs[self._num_given :])
        if self.languages:  # what a language lacks is appended again when it is read
            vocab, added = self.languages, {}
        tokenizer_files.write(Path(folder), TokenizerFiles(vocab, added, settings, self.target_lang, self.extra))
